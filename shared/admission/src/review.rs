//! The AdmissionReview as admission needs it: decoded once, borrowed from the body, holding only what is judged.
//!
//! Enums and quantities stay text, so a bad one becomes a violation that is reported beside the others; only a value of
//! the wrong JSON type fails the decode, and [`decode`] then names its path (X78). Keys that are not judged are skipped
//! without being stored, save in the parts of the spec where an unknown key deserves a warning.
//!
//! `borrow` stands on the first text of a struct only: it lets the others borrow from the body, too.

use model::message;
use model::text::line;
use serde::Deserialize;
use serde_json::value::RawValue;

#[macro_use]
mod part;
mod annotations;
mod blank;
mod decode;
mod hardware;
mod list;
mod long;
mod selector;
mod shorten;
pub mod size;
mod spec;
mod text;

pub use annotations::{Annotations, PatchAnnotations};
pub use decode::{UNJUDGED, Undecodable, decode};
pub use hardware::{Bootloader, Domain, Features, Firmware, Machine, OperatingSystem};
pub use list::List;
pub use long::Long;
pub use selector::ClusterSelector;
pub use shorten::shortened;
pub use spec::{
    CloudInit, Cpu, Disk, DiskSource, KeyRef, Memory, NameRef, Network, PublishedCpu, PublishedNetwork, PvcSource,
    Resources, Spec, UrlSource,
};
pub use text::{Amount, Text};

/// The labels that admission reads.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Labels<'a> {
    /// [`model::names::TEMPLATE_LABEL`], an alias of `spec.template`.
    #[serde(rename = "vitistack.io/machine-template", borrow)]
    pub template: Option<Text<'a>>,
}

/// `metadata` of a Machine.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata<'a> {
    /// Empty under `generateName` in the mutating call (X77).
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    /// Empty on CREATE in the mutating call; the API server gives it before the validating one.
    pub uid: Option<Text<'a>>,
    /// Prefix that the API server completes.
    pub generate_name: Option<Text<'a>>,
    /// Set once deletion was asked for.
    pub deletion_timestamp: Option<Text<'a>>,
    /// `None` also when the object has no `annotations` at all: the patch then has to make them.
    pub annotations: Option<Annotations<'a>>,
    /// The labels that are read.
    pub labels: Option<Labels<'a>>,
    /// All finalizers: no more than the chart's policy lets in.
    pub finalizers: Option<List<Text<'a>, 64>>,
}

/// `status`, as far as a change of the assignment depends on it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status<'a> {
    /// Recorded before the first write to the remote cluster (X58, X71).
    #[serde(borrow)]
    pub kubevirt_config_ref: Option<ConfigReference<'a>>,
    /// The disks as they were made.
    pub disks: Option<List<MadeDisk<'a>>>,
}

/// One entry of `status.disks`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MadeDisk<'a> {
    /// Its name.
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    /// UID of its claim; absent while there is none.
    pub uid: Option<Text<'a>>,
    /// Bytes that it has, once it is bound.
    pub size: Option<i64>,
    /// What its claim asks for.
    pub requested_size: Option<Amount<'a>>,
}

/// `status.kubevirtConfigRef`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigReference<'a> {
    /// Name of the KubevirtConfig.
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    /// UID of the remote cluster's `kube-system` namespace.
    pub cluster_id: Option<Text<'a>>,
    /// Namespace of the VM there; absent where it is the Machine's own.
    pub namespace: Option<Text<'a>>,
}

/// A Machine as admission reads it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Object<'a> {
    /// Its metadata.
    #[serde(borrow, default)]
    pub metadata: Metadata<'a>,
    /// Its spec; boxed, because a Machine is moved several times before it is judged.
    #[serde(default)]
    pub spec: Box<Spec<'a>>,
    /// Its status.
    pub status: Option<Status<'a>>,
}

impl<'a> Object<'a> {
    /// Whether it is for this operator.
    pub fn is_ours(&self) -> bool {
        message::is_ours(self.spec.provider.as_deref())
    }

    /// Its name; empty under `generateName` in the mutating call (X77).
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// Whether its deletion was asked for.
    pub fn is_leaving(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// An annotation; an empty one says nothing.
    pub fn annotation<'o>(&'o self, which: impl Fn(&'o Annotations<'a>) -> &'o Option<Text<'a>>) -> Option<&'o str> {
        message::said(which(self.metadata.annotations.as_ref()?).as_deref())
    }

    /// The KubevirtConfig that it is assigned to.
    pub fn assigned(&self) -> Option<&str> {
        self.annotation(|all| &all.kubevirt_config)
    }

    /// The cluster that holds its objects, once that is certain.
    pub fn recorded(&self) -> Option<message::Recorded<'_>> {
        let ConfigReference { name, cluster_id, namespace } = self.status.as_ref()?.kubevirt_config_ref.as_ref()?;
        let [name, cluster_id, namespace] = [name, cluster_id, namespace].map(Option::as_deref);
        message::Recorded::read(message::Reference { name, cluster_id, namespace }, self.assigned())
    }

    /// The name of the cluster that is recorded.
    pub fn recorded_cluster(&self) -> Option<&str> {
        self.recorded()?.cluster
    }

    /// The cluster that it is on or shall be on.
    pub fn cluster(&self) -> Option<&str> {
        self.recorded_cluster().or_else(|| self.assigned())
    }

    /// Whether admission decided about it, or knows at least that it goes. One that was stored while there was no webhook is
    /// judged like a new one.
    pub fn is_judged(&self) -> bool {
        self.is_leaving() || self.recorded_cluster().is_some() || self.annotation(|all| &all.resolved).is_some()
    }

    /// Its disk of that name, and where it stands.
    pub fn disk(&self, name: &str) -> Option<(usize, &Disk<'a>)> {
        self.spec.disks.iter().flatten().enumerate().find(|(index, disk)| disk.called(*index) == name)
    }
}

/// `kind` or `resource` of a request.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Kind<'a> {
    /// API group.
    #[serde(borrow, default)]
    pub group: Text<'a>,
    /// Kind.
    #[serde(default)]
    pub kind: Text<'a>,
}

/// Most of a Machine's name that is repeated: what a name may have.
const NAME: usize = 253;

/// `request` of an AdmissionReview.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    /// New on every call; it names the call, never the object.
    #[serde(borrow)]
    pub uid: Text<'a>,
    /// What kind of object it is about.
    pub kind: Kind<'a>,
    /// Name, empty under `generateName`.
    #[serde(default)]
    pub name: Text<'a>,
    /// Namespace of the Machine.
    #[serde(default)]
    pub namespace: Text<'a>,
    /// CREATE or UPDATE for us.
    pub operation: Text<'a>,
    /// The object as it would be stored.
    pub object: Option<Object<'a>>,
    /// The object as it is stored, on UPDATE.
    pub old_object: Option<Object<'a>>,
    /// Who asks, as it stands in the body: read only when it matters (T9).
    pub user_info: Option<&'a RawValue>,
    /// Nothing will be stored.
    pub dry_run: Option<bool>,
}

impl Request<'_> {
    /// The Machine's name, as far as it can be one; under `generateName` only the prefix is known.
    pub fn called(&self) -> String {
        let metadata = self.object.as_ref().map(|object| &object.metadata);
        let name = metadata.and_then(|it| it.name.as_deref()).filter(|name| !name.is_empty()).unwrap_or(&self.name);
        match (name, metadata.and_then(|it| it.generate_name.as_deref())) {
            ("", Some(prefix)) if !prefix.is_empty() => format!("{}*", line(prefix, NAME)),
            (name, _) => line(name, NAME),
        }
    }
}

/// `AdmissionReview` of `admission.k8s.io/v1`.
#[derive(Clone, Debug, Deserialize)]
pub struct Review<'a> {
    /// What is asked.
    #[serde(borrow)]
    pub request: Request<'a>,
}
