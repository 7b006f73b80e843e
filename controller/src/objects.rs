//! The objects on a cluster: their kinds and keys, whose they are, what is kept of each, and in whose name they are written.
//! No I/O.
//!
//! The records are a few hundred bytes each; whole objects and managedFields are never kept.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::{ApiResource, DynamicObject, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Resource, ResourceExt};
use model::machine::vm::DESIRED;
use model::machine::{Claim, Nic, Vm, Vmi};
use model::names::{ADOPTED, MACHINE_UID, OPERATOR};
use model::quantity;
use model::reason::line;
use serde_json::Value;

/// Namespace and name on a remote cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectKey {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// UID of the Machine that a remote object says it belongs to. Where that is on the supervisor, its namespace does not say:
/// it may be mapped (X38).
pub type MachineUid = String;

/// Kinds that are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WatchedKind {
    /// VirtualMachines.
    Vm,
    /// VirtualMachineInstances.
    Vmi,
    /// PersistentVolumeClaims.
    Claim,
}

impl WatchedKind {
    /// As kubectl users call it.
    pub const fn name(self) -> &'static str {
        match self {
            WatchedKind::Vm => "VirtualMachine",
            WatchedKind::Vmi => "VirtualMachineInstance",
            WatchedKind::Claim => "PersistentVolumeClaim",
        }
    }
}

/// One watched object.
#[derive(Clone, Debug)]
pub enum Record {
    /// A VirtualMachine.
    Vm(Vm),
    /// An instance.
    Vmi(Vmi),
    /// A claim.
    Claim(Claim),
}

impl Record {
    /// Its kind.
    pub const fn kind(&self) -> WatchedKind {
        match self {
            Record::Vm(_) => WatchedKind::Vm,
            Record::Vmi(_) => WatchedKind::Vmi,
            Record::Claim(_) => WatchedKind::Claim,
        }
    }
}

/// The remote kinds without a Rust type.
pub fn resource_of(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("kubevirt.io", "v1", kind))
}

/// Every patch names us as its field manager.
pub fn patch_params() -> PatchParams {
    PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() }
}

/// The Machine that an object belongs to by its labels. Its name is for people: an object that lost it is still the Machine's.
pub fn owner_of(object: &impl ResourceExt) -> Option<MachineUid> {
    object.labels().get(MACHINE_UID).cloned()
}

/// Namespace and name of an object.
pub fn key_of(object: &impl ResourceExt) -> ObjectKey {
    ObjectKey { namespace: object.namespace().unwrap_or_default(), name: object.name_any() }
}

fn text_at(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

fn find_condition<'v>(object: &'v Value, kind: &str, status: &str) -> Option<&'v Value> {
    let all = object.pointer("/status/conditions")?.as_array()?;
    all.iter().find(|condition| condition["type"] == kind && condition["status"] == status)
}

fn message_of(condition: &Value) -> String {
    let said = condition["message"].as_str().filter(|said| !said.is_empty()).or(condition["reason"].as_str());
    line(said.unwrap_or_default(), 512)
}

/// Reads a VirtualMachine.
pub fn read_vm(object: &DynamicObject) -> Vm {
    let data = &object.data;
    Vm {
        name: object.name_any(),
        uid: object.uid().unwrap_or_default(),
        resource_version: object.resource_version().unwrap_or_default(),
        deleting: object.metadata.deletion_timestamp.is_some(),
        hash: object.annotations().get(DESIRED).cloned(),
        adopted: object.annotations().get(ADOPTED).cloned(),
        printable: text_at(data, "/status/printableStatus").unwrap_or_default(),
        failure: find_condition(data, "Failure", "True").map(message_of),
        restart_required: find_condition(data, "RestartRequired", "True").map(message_of),
    }
}

/// Reads a VirtualMachineInstance. What is no IP address is left out: a remote cluster's word is checked.
pub fn read_vmi(object: &DynamicObject) -> Vmi {
    let data = &object.data;
    let interfaces = data.pointer("/status/interfaces").and_then(Value::as_array);
    let nic = |nic: &Value| {
        let several = nic["ipAddresses"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut ips: Vec<String> = Vec::new();
        for ip in nic["ipAddress"].as_str().into_iter().chain(several) {
            if ip.parse::<std::net::IpAddr>().is_ok() && !ips.iter().any(|known| known == ip) {
                ips.push(ip.to_owned());
            }
        }
        Nic { name: text_at(nic, "/name"), mac: text_at(nic, "/mac"), ips }
    };
    Vmi {
        name: object.name_any(),
        phase: text_at(data, "/status/phase").unwrap_or_default(),
        ready: find_condition(data, "Ready", "True").is_some(),
        node: text_at(data, "/status/nodeName").filter(|node| !node.is_empty()),
        interfaces: interfaces.into_iter().flatten().take(256).map(nic).collect(),
        unschedulable: find_condition(data, "PodScheduled", "False").map(message_of),
    }
}

/// Reads a claim.
pub fn read_claim(object: &PersistentVolumeClaim) -> Claim {
    let capacity = object.status.as_ref().and_then(|status| status.capacity.as_ref());
    let requested = object.spec.as_ref().and_then(|spec| spec.resources.as_ref()?.requests.as_ref());
    Claim {
        uid: object.uid().unwrap_or_default(),
        phase: object.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_default(),
        size: capacity.and_then(|capacity| quantity::parse(&capacity.get("storage")?.0).ok()),
        requested: requested.and_then(|requests| Some(requests.get("storage")?.0.chars().take(64).collect())),
        deleting: object.meta().deletion_timestamp.is_some(),
    }
}
