//! The AdmissionReview as admission needs it: decoded once, borrowed from the body, holding only what is judged.
//!
//! Enums and quantities stay text, so a bad one becomes a violation that is reported beside the others; only a value of
//! the wrong JSON type fails the decode, and [`decode`] then names its path (X78). Keys that are not judged are skipped
//! without being stored, save in the parts of the spec where an unknown key deserves a warning.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

mod decode;
mod text;

use crate::api::Selector;

pub use decode::{Undecodable, decode};
pub use text::{Amount, Text};

/// Declares a part of the spec: the listed keys are judged, and the names of other keys that are set are kept in `rest`,
/// because each of them deserves a warning.
macro_rules! part {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $key:literal $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name<'a> {
            $($(#[$field_doc])* pub $field: Option<$type>,)*
            /// Keys that are set and not judged.
            pub rest: Vec<Text<'a>>,
        }

        impl $name<'_> {
            /// The keys that are judged, as they are written in JSON.
            pub const KEYS: &'static [&'static str] = &[$($key),*];
        }

        impl<'de: 'a, 'a> Deserialize<'de> for $name<'a> {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct Fields<'a>(PhantomData<&'a ()>);
                impl<'de: 'a, 'a> Visitor<'de> for Fields<'a> {
                    type Value = $name<'a>;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("an object")
                    }
                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                        let mut out = $name::default();
                        while let Some(key) = map.next_key::<Text<'a>>()? {
                            match &*key {
                                $($key => match out.$field {
                                    Some(_) => return Err(A::Error::duplicate_field($key)),
                                    None => out.$field = map.next_value::<Option<$type>>()?,
                                })*
                                _ => if map.next_value::<Option<IgnoredAny>>()?.is_some() { out.rest.push(key) },
                            }
                        }
                        Ok(out)
                    }
                }
                from.deserialize_map(Fields(PhantomData))
            }
        }
    };
}

part! {
    /// `spec` of a Machine.
    Spec {
        /// Canonical name of the size.
        "template" template: Text<'a>,
        /// Alias of `template` (seeds 000 and 001).
        "instanceType" instance_type: Text<'a>,
        /// Alias of `template` (the published operator).
        "machineClass" machine_class: Text<'a>,
        /// Overrides of the size, field by field.
        "resources" resources: Resources<'a>,
        /// The published form of `resources.cpu`.
        "cpu" cpu: PublishedCpu,
        /// The published form of `resources.memory.size`, in bytes.
        "memory" memory: i64,
        /// Disks, merged with those of the size by name.
        "disks" disks: Vec<Disk<'a>>,
        /// Which KubevirtConfig the Machine shall be on.
        "kubevirtConfigRef" kubevirt_config_ref: NameRef<'a>,
        /// Which clusters may be chosen.
        "clusterSelector" cluster_selector: Selector,
        /// Empty or `kubevirt` is ours.
        "provider" provider: Text<'a>,
        /// When the VM runs.
        "runStrategy" run_strategy: Text<'a>,
        /// Name that the published operator's users repeat here; it has no effect of its own.
        "name" name: IgnoredAny,
    }
}

part! {
    /// One entry of `spec.disks`.
    Disk {
        /// What the disk is merged and named by.
        "name" name: Text<'a>,
        /// Size as a quantity.
        "size" size: Amount<'a>,
        /// Size in GiB (X64).
        "sizeGB" size_gb: i64,
        /// StorageClass on the remote cluster.
        "storageClass" storage_class: Text<'a>,
        /// Access mode of the claim.
        "accessMode" access_mode: Text<'a>,
        /// Volume mode of the claim.
        "volumeMode" volume_mode: Text<'a>,
        /// Whether the machine boots from this disk.
        "boot" boot: bool,
    }
}

/// `spec.resources`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Resources<'a> {
    /// Overrides of the CPU topology.
    pub cpu: Option<Cpu>,
    /// Override of the memory.
    #[serde(borrow)]
    pub memory: Option<Memory<'a>>,
}

/// `spec.resources.cpu`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
pub struct Cpu {
    /// Cores per socket.
    pub cores: Option<i64>,
    /// Threads per core.
    pub threads: Option<i64>,
    /// Sockets.
    pub sockets: Option<i64>,
}

/// `spec.cpu`, the published form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishedCpu {
    /// Cores per socket.
    pub cores: Option<i64>,
    /// Threads per core.
    pub threads_per_core: Option<i64>,
    /// Sockets.
    pub sockets: Option<i64>,
}

/// `spec.resources.memory`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Memory<'a> {
    /// Guest memory as a quantity.
    #[serde(borrow)]
    pub size: Option<Amount<'a>>,
}

/// A reference by name.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct NameRef<'a> {
    /// The name.
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
}

/// The annotations and labels that admission reads; all others are skipped.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Annotations<'a> {
    /// [`crate::names::KUBEVIRT_CONFIG`].
    #[serde(rename = "vitistack.io/kubevirt-config", borrow)]
    pub kubevirt_config: Option<Text<'a>>,
    /// [`crate::names::PLACEMENT`].
    #[serde(rename = "vitistack.io/placement", borrow)]
    pub placement: Option<Text<'a>>,
    /// [`crate::names::RESOLVED`].
    #[serde(rename = "vitistack.io/resolved", borrow)]
    pub resolved: Option<Text<'a>>,
    /// [`crate::names::REFRESH_CLASS`].
    #[serde(rename = "vitistack.io/refresh-class", borrow)]
    pub refresh_class: Option<Text<'a>>,
    /// [`crate::names::DELETION_POLICY`].
    #[serde(rename = "vitistack.io/deletion-policy", borrow)]
    pub deletion_policy: Option<Text<'a>>,
}

/// The labels that admission reads.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Labels<'a> {
    /// [`crate::names::TEMPLATE_LABEL`], an alias of `spec.template`.
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
    /// Empty on CREATE: the API server gives it only afterwards.
    #[serde(borrow)]
    pub uid: Option<Text<'a>>,
    /// Prefix that the API server completes.
    #[serde(borrow)]
    pub generate_name: Option<Text<'a>>,
    /// Set once deletion was asked for.
    #[serde(borrow)]
    pub deletion_timestamp: Option<Text<'a>>,
    /// `None` also when the object has no `annotations` at all: the patch then has to make them.
    #[serde(borrow)]
    pub annotations: Option<Annotations<'a>>,
    /// The labels that are read.
    #[serde(borrow)]
    pub labels: Option<Labels<'a>>,
    /// All finalizers.
    #[serde(borrow)]
    pub finalizers: Option<Vec<Text<'a>>>,
}

/// `status`, as far as a change of the assignment depends on it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status<'a> {
    /// Recorded before the first write to the remote cluster (X58, X71).
    #[serde(borrow)]
    pub kubevirt_config_ref: Option<Recorded<'a>>,
}

/// `status.kubevirtConfigRef`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded<'a> {
    /// Name of the KubevirtConfig.
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    /// UID of the remote cluster's `kube-system` namespace.
    #[serde(borrow)]
    pub cluster_id: Option<Text<'a>>,
}

/// A Machine as admission reads it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Object<'a> {
    /// Its metadata.
    #[serde(borrow, default)]
    pub metadata: Metadata<'a>,
    /// Its spec.
    #[serde(borrow, default)]
    pub spec: Spec<'a>,
    /// Its status.
    #[serde(borrow, default)]
    pub status: Option<Status<'a>>,
}

/// `kind` or `resource` of a request.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Kind<'a> {
    /// API group.
    #[serde(borrow, default)]
    pub group: Text<'a>,
    /// Kind.
    #[serde(borrow, default)]
    pub kind: Text<'a>,
}

/// `request` of an AdmissionReview.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    /// New on every call; it names the call, never the object.
    #[serde(borrow)]
    pub uid: Text<'a>,
    /// What kind of object it is about.
    #[serde(borrow)]
    pub kind: Kind<'a>,
    /// Name, empty under `generateName`.
    #[serde(borrow, default)]
    pub name: Text<'a>,
    /// Namespace of the Machine.
    #[serde(borrow, default)]
    pub namespace: Text<'a>,
    /// CREATE or UPDATE for us.
    #[serde(borrow)]
    pub operation: Text<'a>,
    /// The object as it would be stored.
    #[serde(borrow, default)]
    pub object: Option<Object<'a>>,
    /// The object as it is stored, on UPDATE.
    #[serde(borrow, default)]
    pub old_object: Option<Object<'a>>,
    /// Who asks, as it stands in the body: read only when it matters (T9).
    #[serde(borrow, default)]
    pub user_info: Option<&'a RawValue>,
    /// Nothing will be stored.
    #[serde(default)]
    pub dry_run: Option<bool>,
}

/// `AdmissionReview` of `admission.k8s.io/v1`.
#[derive(Clone, Debug, Deserialize)]
pub struct Review<'a> {
    /// What is asked.
    #[serde(borrow)]
    pub request: Request<'a>,
}
