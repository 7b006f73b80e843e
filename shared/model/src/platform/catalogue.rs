//! The catalogue: which objects the baseline has. Pure. X92, X93, X94. The one that is built in and one of a user's own are read
//! and checked by the same function, [`Catalogue::read`].

mod check;
mod kinds;

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::state::Key;
use crate::reason::did_you_mean;
use crate::text::line;

/// The file that has the rows.
pub const METADATA: &str = "metadata.yaml";
/// The folder of the objects that are written, and of those that are to go.
pub const ACTIVE: &str = "active/";
/// See [`ACTIVE`].
pub const TOMBSTONES: &str = "tombstones/";
/// The order of a row that says none.
const LATER: u32 = 10;

/// How far an asset is from what every cluster needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Every cluster has it.
    Always,
    /// Clusters that it fits have it.
    Context,
    /// Who asks for it has it.
    Advanced,
}

/// Whether an object is in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Scope {
    /// It belongs to the whole cluster.
    Cluster,
    /// It is in a namespace.
    Namespaced,
}

/// What must hold on a cluster, besides the CRD of the asset and its namespace.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Condition {
    /// This annotation of KubevirtConfig or root is `"true"`.
    Annotation(String),
    /// This annotation is given.
    Given(String),
    /// This feature gate is open, on the root or on the cluster's KubeVirt.
    Gate(String),
    /// The nodes have this.
    Hardware(Detector),
    /// The root is of this kind.
    Root(String),
    /// The context has something at this pointer.
    RootHas(String),
    /// This object is there.
    Object {
        /// Name of its CRD.
        crd: String,
        /// Its namespace.
        namespace: Option<String>,
        /// Its name.
        name: String,
    },
}

/// What nodes may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Detector {
    /// More than one NUMA node in one machine.
    NumaNodesPresent,
    /// PCI devices that may be passed to guests.
    PciDevicesPresent,
    /// These, and an IOMMU.
    VfioCapable,
    /// USB devices.
    UsbDevicesPresent,
    /// Graphics processors.
    GpuPresent,
    /// Nodes that work and nothing else: settings of the worker pool reach nobody where there is none.
    WorkerNodesPresent,
}

/// Where the value of a [`Fill`] comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The asset itself has it at the place where it goes.
    #[default]
    Asset,
    /// The context that is made of the root, by pointer.
    Root,
    /// An annotation of KubevirtConfig or root, by its word.
    Annotation,
}

/// How a value is made of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// The first of a list that the CRD knows, as a list of one.
    FirstInEnum,
    /// Entries of others on the cluster stay in the list.
    Union,
    /// `modprobe` options that keep the host's drivers off PCI devices.
    VfioModprobe,
    /// A `data:` URL of a text.
    DataUrl,
    /// A list of CPUs, such as `0-1,4`.
    CpuSet,
}

/// A value that is copied into an asset, as JSON with its type. No text is ever put together.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fill {
    /// Pointer to the place. What it is in must be in the asset.
    pub to: String,
    /// Where the value comes from.
    #[serde(default)]
    pub from: Source,
    /// Which value of there.
    #[serde(default)]
    pub path: String,
    /// The value where there is none. Without it, nothing is written at the place then.
    pub default: Option<Value>,
    /// What is made of it, one after the other.
    #[serde(default, rename = "as")]
    pub how: Vec<How>,
}

/// A row of [`METADATA`].
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its name, by which it is asked for and patched.
    pub name: String,
    /// Another name that asks for it, together with others.
    pub group: Option<String>,
    /// How far it is from what every cluster needs.
    pub tier: Tier,
    /// What it configures, for people.
    pub component: String,
    /// Path of its object.
    pub path: String,
    /// Path of its object in an older or newer version, where that of the first is not served.
    pub fallback: Option<String>,
    /// Plural of its kind, from its CRD.
    pub plural: String,
    /// Scope of its kind.
    pub scope: Scope,
    /// It is a part of the root, whose name only the cluster knows.
    #[serde(default)]
    pub root: bool,
    /// Lower comes first.
    #[serde(default = "later")]
    pub reconcile_order: u32,
    /// Writing it restarts nodes.
    #[serde(default)]
    pub disruptive: bool,
    /// It is not made where another object of its kind is.
    #[serde(default)]
    pub yields: bool,
    /// It waits for these.
    #[serde(default)]
    pub after: Vec<String>,
    /// What must hold on the cluster.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// What is copied into its object.
    #[serde(default)]
    pub fills: Vec<Fill>,
    /// Pointers that a CRD must know, or it is too old.
    #[serde(default)]
    pub required: Vec<String>,
}

fn later() -> u32 {
    LATER
}

/// One asset: a whole object, or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Asset {
    /// Its row.
    pub row: Row,
    /// Which object it is, or is part of.
    pub key: Key,
    /// The object, and the one of [`Row::fallback`].
    pub objects: Vec<Value>,
}

/// An object that an earlier catalogue had, and that is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// Its file.
    pub path: String,
    /// Which object.
    pub key: Key,
    /// Deleting it restarts nodes.
    pub disruptive: bool,
}

/// What the baseline has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalogue {
    /// In the order of a pass.
    pub assets: Vec<Asset>,
    /// By path.
    pub tombstones: Vec<Tombstone>,
}

impl Catalogue {
    /// Every object of the catalogue, once.
    pub fn keys(&self) -> BTreeSet<&Key> {
        self.assets.iter().map(|asset| &asset.key).collect()
    }

    /// A sentence about a name that no asset and no group has.
    pub fn unknown(&self, name: &str) -> Option<String> {
        let known =
            || self.assets.iter().flat_map(|it| [Some(it.row.name.as_str()), it.row.group.as_deref()]).flatten();
        if known().any(|known| known == name) {
            return None;
        }
        let shown = line(name, 64);
        Some(format!("there is no asset {shown:?}{}", did_you_mean(&shown, known())))
    }
}

impl Asset {
    /// Whether a name asks for it.
    pub fn is_called(&self, name: &str) -> bool {
        self.row.name == name || self.row.group.as_deref() == Some(name)
    }
}
