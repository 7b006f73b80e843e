//! All that was gathered of one cluster for one pass. Pure. What could not be asked is an error with the reason, and never taken
//! for absent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::fit::Crd;
use super::state::Key;
use crate::api::KubevirtConfig;
use crate::names::PATCH_PREFIXES;

/// An answer of the cluster, or why there is none.
pub type Known<T> = Result<T, String>;

/// Annotation, after a prefix of [`PATCH_PREFIXES`], that turns the baseline on, on a KubevirtConfig; `"false"` on the root is the
/// cluster's veto.
pub const AUTOPILOT: &str = "autopilot";
/// Annotation, after such a prefix: which objects are left alone.
pub const DISABLED: &str = "disabled-resources";
/// Annotation, after such a prefix: `allow` lets nodes be restarted.
pub const NODE_DISRUPTION: &str = "node-disruption";
/// Label of an object of the catalogue: the value [`crate::names::OPERATOR`] is the consent that we write it.
pub const MANAGED_BY: &str = "platform.kubevirt.io/managed-by";
/// Value of [`MANAGED_BY`] of the program that this one cannot stand beside.
pub const AUTOPILOT_OF_ONE_CLUSTER: &str = "virt-platform-autopilot";

/// Annotation: what the baseline took the place of when it was first written, as JSON.
pub(super) const BEFORE: &str = "vitistack.io/before-baseline";

/// Whether an annotation of an object is worth remembering: nobody reads others between two looks at the whole object.
pub fn is_read(annotation: &str) -> bool {
    annotation != BEFORE && PATCH_PREFIXES.iter().any(|prefix| annotation.starts_with(prefix))
}

/// How far the baseline goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is asked and nothing is written.
    #[default]
    Off,
    /// It is compared, and nothing is written.
    Audit,
    /// It is kept true.
    Enforce,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Mode; 3] = [Mode::Off, Mode::Audit, Mode::Enforce];

    /// The word that spec and status have.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Off => "Off",
            Mode::Audit => "Audit",
            Mode::Enforce => "Enforce",
        }
    }

    /// The mode of a word; anything else asks for nothing.
    pub fn of(word: Option<&str>) -> Self {
        Mode::ALL.into_iter().find(|mode| Some(mode.name()) == word).unwrap_or_default()
    }
}

/// Whether nodes may be restarted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disruption {
    /// No.
    #[default]
    Withhold,
    /// Yes, one cluster after the other.
    Allow,
}

/// What the KubevirtConfig of a cluster asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// How far it goes.
    pub mode: Mode,
    /// Names of assets or groups; empty means all.
    pub assets: Vec<String>,
    /// Whether nodes may be restarted.
    pub disruption: Disruption,
    /// The annotations of the KubevirtConfig.
    pub annotations: BTreeMap<String, String>,
}

impl Asked {
    /// What a KubevirtConfig asks for: its field, or its annotations where it has none. A word that is unknown asks for nothing.
    pub fn of(config: &KubevirtConfig) -> Self {
        let annotations = config.metadata.annotations.clone().unwrap_or_default();
        let Some(spec) = &config.spec.platform else { return Self::annotated(annotations) };
        let allowed = spec.node_disruption.as_deref() == Some("Allow");
        let disruption = if allowed { Disruption::Allow } else { Disruption::Withhold };
        Self { mode: Mode::of(spec.mode.as_deref()), assets: spec.assets.clone(), disruption, annotations }
    }

    /// What the annotations ask for, for a KubevirtConfig without such a field.
    pub fn annotated(annotations: BTreeMap<String, String>) -> Self {
        let said = word(&annotations, AUTOPILOT).unwrap_or_default();
        let (mode, assets) = match said.to_ascii_lowercase().as_str() {
            "" | "false" => (Mode::Off, ""),
            "audit" => (Mode::Audit, ""),
            "true" => (Mode::Enforce, ""),
            _ => (Mode::Enforce, said),
        };
        let assets = assets.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let allowed = word(&annotations, NODE_DISRUPTION).is_some_and(|said| said.eq_ignore_ascii_case("allow"));
        let disruption = if allowed { Disruption::Allow } else { Disruption::Withhold };
        Self { mode, assets, disruption, annotations }
    }
}

/// A word among annotations, under either prefix; the first prefix counts. Empty says nothing.
pub fn word<'a>(annotations: &'a BTreeMap<String, String>, word: &str) -> Option<&'a str> {
    let mut found = PATCH_PREFIXES.iter().filter_map(|prefix| annotations.get(&format!("{prefix}{word}")));
    found.find(|text| !text.trim().is_empty()).map(|text| text.trim())
}

/// Annotations or labels of an object.
pub fn texts(object: &Value, map: &str) -> BTreeMap<String, String> {
    let fields = object["metadata"][map].as_object().into_iter().flatten();
    fields.filter_map(|(key, text)| Some((key.clone(), text.as_str()?.to_owned()))).collect()
}

/// What is read of a node ([`super::conditions::node`]).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What it can give to pods: name of the resource, and quantity.
    pub allocatable: BTreeMap<String, String>,
}

/// An object of the catalogue as it was seen.
#[derive(Clone, Debug, PartialEq)]
pub enum Live {
    /// It is not there.
    Absent,
    /// Its `metadata` is known, from a watch.
    Metadata(Value),
    /// All of it was read.
    Whole(Value),
}

impl Live {
    /// What is known of the object.
    pub fn object(&self) -> Option<&Value> {
        match self {
            Live::Absent => None,
            Live::Metadata(object) | Live::Whole(object) => Some(object),
        }
    }
}

/// All that one pass is judged from. What is missing in a map was not asked, and so is not known.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// What the KubevirtConfig asks for.
    pub asked: Asked,
    /// UID of the supervisor's `kube-system` namespace.
    pub supervisor: String,
    /// Whether this is the cluster that is recorded; the error says which it is.
    pub identity: Result<(), String>,
    /// Every HyperConverged, whole; none where the CRD is not served.
    pub hyperconvergeds: Known<Vec<Value>>,
    /// Every KubeVirt, whole.
    pub kubevirts: Known<Vec<Value>>,
    /// The CRDs of the catalogue, by name; `None` for one that is not served.
    pub crds: BTreeMap<String, Known<Option<Arc<Crd>>>>,
    /// Whether a namespace is there.
    pub namespaces: BTreeMap<String, Known<bool>>,
    /// The nodes.
    pub nodes: Known<Vec<Node>>,
    /// The objects of the catalogue, of its conditions and of its tombstones.
    pub objects: BTreeMap<Key, Known<Live>>,
    /// Names of all objects, by CRD, of kinds of which there may be one only.
    pub listed: BTreeMap<String, Known<BTreeSet<String>>>,
    /// Whether nodes of this cluster may be restarted now ([`super::turn::turn`]); the error says what it waits for.
    pub turn: Result<(), String>,
}

impl Snapshot {
    /// A CRD, `None` where it is not served.
    pub fn crd(&self, name: &str) -> Known<Option<&Crd>> {
        match self.crds.get(name) {
            Some(Ok(crd)) => Ok(crd.as_deref()),
            Some(Err(why)) => Err(why.clone()),
            None => Err(format!("the CRD {name} was not asked for yet")),
        }
    }

    /// An object.
    pub fn object(&self, key: &Key) -> Known<&Live> {
        let found = self.objects.get(key).map(Result::as_ref);
        found.unwrap_or(Err(&format!("{key} was not asked for yet"))).map_err(Clone::clone)
    }
}
