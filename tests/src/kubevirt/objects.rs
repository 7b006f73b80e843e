//! The kinds of objects in play and how to read them. Pure. Objects stay JSON: the simulator must not share the
//! operator's idea of their types.

use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::jiff::Timestamp;
use kube::api::ApiResource;
use kube::core::{DynamicObject, GroupVersionKind};
use serde_json::Value;
use std::fmt;

/// An object as the API server holds it.
pub(super) type Object = DynamicObject;

/// VirtualMachine controller's finalizer, on VMs and on the VMIs that it makes.
pub(super) const VM_FINALIZER: &str = "kubevirt.io/virtualMachineControllerFinalize";
/// The VMI's own finalizer; virt-api puts it on.
pub(super) const VMI_FINALIZER: &str = "kubevirt.io/foregroundDeleteVirtualMachine";

/// What the simulator watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    Vm,
    Vmi,
    Claim,
    Volume,
    Class,
    Rules,
    /// Of KubeVirt's own virt-controller.
    Pod,
    /// Of CDI, which a cluster need not have.
    DataVolume,
}

impl Kind {
    pub(super) const ALL: [Self; 8] =
        [Self::Vm, Self::Vmi, Self::Claim, Self::Volume, Self::Class, Self::Rules, Self::Pod, Self::DataVolume];

    pub(super) fn resource(self) -> ApiResource {
        let kubevirt = |kind| ApiResource::from_gvk(&GroupVersionKind::gvk("kubevirt.io", "v1", kind));
        match self {
            Self::Vm => kubevirt("VirtualMachine"),
            Self::Vmi => kubevirt("VirtualMachineInstance"),
            Self::Claim => ApiResource::erase::<PersistentVolumeClaim>(&()),
            Self::Volume => ApiResource::erase::<PersistentVolume>(&()),
            Self::Class => ApiResource::erase::<StorageClass>(&()),
            Self::Rules => ApiResource::erase::<ConfigMap>(&()),
            Self::Pod => ApiResource::erase::<Pod>(&()),
            Self::DataVolume => {
                ApiResource::from_gvk(&GroupVersionKind::gvk("cdi.kubevirt.io", "v1beta1", "DataVolume"))
            }
        }
    }
}

/// Namespace and name; the namespace is empty for cluster-scoped objects.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Name {
    pub(super) fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    pub(super) fn of(object: &Object) -> Self {
        let meta = &object.metadata;
        Self::new(meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The string at a JSON pointer, empty when there is none.
pub(super) fn text<'a>(object: &'a Object, pointer: &str) -> &'a str {
    object.data.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The list at a JSON pointer, empty when there is none.
pub(super) fn list<'a>(object: &'a Object, pointer: &str) -> &'a [Value] {
    object.data.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub(super) fn uid(object: &Object) -> &str {
    object.metadata.uid.as_deref().unwrap_or_default()
}

pub(super) fn version(object: &Object) -> u64 {
    object.metadata.resource_version.as_deref().and_then(|v| v.parse().ok()).unwrap_or_default()
}

pub(super) fn deleting(object: &Object) -> bool {
    object.metadata.deletion_timestamp.is_some()
}

pub(super) fn annotation<'a>(object: &'a Object, key: &str) -> Option<&'a str> {
    object.metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

pub(super) fn label<'a>(object: &'a Object, key: &str) -> Option<&'a str> {
    object.metadata.labels.as_ref()?.get(key).map(String::as_str)
}

pub(super) fn has_finalizer(object: &Object, finalizer: &str) -> bool {
    object.metadata.finalizers.iter().flatten().any(|f| f == finalizer)
}

/// Whether the object's controller is the one with this UID.
pub(super) fn controlled_by(object: &Object, owner: &str) -> bool {
    object.metadata.owner_references.iter().flatten().any(|o| o.controller == Some(true) && o.uid == owner)
}

/// Phases that a VMI never leaves.
pub(super) fn is_final(vmi: &Object) -> bool {
    matches!(text(vmi, "/status/phase"), "Failed" | "Succeeded")
}

/// The claims that a VMI spec mounts; a DataVolume's claim carries the DataVolume's name.
pub(super) fn claim_names(spec: &Value) -> impl Iterator<Item = &str> {
    let volumes = spec.get("volumes").and_then(Value::as_array).into_iter().flatten();
    volumes.filter_map(claim_name)
}

/// The claim behind one volume of a VMI spec.
pub(super) fn claim_name(volume: &Value) -> Option<&str> {
    let claim = volume.pointer("/persistentVolumeClaim/claimName").or_else(|| volume.pointer("/dataVolume/name"));
    claim.and_then(Value::as_str)
}

/// Kubernetes writes whole seconds.
pub(super) fn stamp(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
