//! The VirtualMachine of a Machine, and when it is written. Pure. C16, C18, X13, X14, X28, X64.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::identity::Identity;
use super::intent::Admitted;
use super::observed::{Observed, Remote};
use super::template::template;
use super::write::{Kind, There};
use crate::names;

/// Annotation of a VM: hash of the desired state it was last written from. The same hash means nothing to do.
pub const DESIRED: &str = "vitistack.io/desired-hash";

/// A remote namespace. It is shared by every Machine of that namespace and never deleted by us, so it carries no owner.
pub fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {names::MANAGED_BY: names::OPERATOR}}})
}

/// The labels of everything that belongs to a Machine; ownership is judged by the UIDs (X13, X14).
pub fn owner_labels(identity: &Identity, supervisor: &str) -> Value {
    json!({
        names::MANAGED_BY: names::OPERATOR,
        names::MACHINE: identity.key.name,
        names::SOURCE_MACHINE: identity.key.name,
        names::MACHINE_UID: identity.uid,
        names::SUPERVISOR: supervisor,
    })
}

/// An ownerReference to the Machine, only where the remote cluster *is* the supervisor: any other cluster's garbage
/// collector would find no such owner and delete the VM (X13).
pub fn owner_references(identity: &Identity, seen: &Observed) -> Value {
    match &seen.remote {
        Remote::Connected { id } if *id == seen.supervisor => json!([{
            "apiVersion": format!("{}/{}", names::GROUP, names::VERSION), "kind": "Machine",
            "name": identity.key.name, "uid": identity.uid, "controller": true, "blockOwnerDeletion": false,
        }]),
        Remote::Connected { .. } | Remote::Missing | Remote::Connecting | Remote::Unreachable(_) => json!([]),
    }
}

/// Creates the VM, or brings it in line after the Machine was edited. A VM that is being deleted is waited for.
pub fn plan(admitted: &Admitted, seen: &Observed) -> Option<There> {
    let name = &admitted.identity.vm.name;
    let desired = desired(admitted, seen);
    let hash = desired["metadata"]["annotations"][DESIRED].as_str();
    match &seen.vm {
        None if seen.awaited.contains(&(Kind::Vm, name.clone())) => None,
        None => Some(There::Create(Kind::Vm, name.clone(), desired)),
        Some(vm) if vm.deleting || vm.hash.as_deref() == hash => None,
        Some(vm) => {
            let change = change(&desired, &vm.uid, &vm.resource_version, admitted.power_declared);
            Some(There::Merge(Kind::Vm, vm.name.clone(), change))
        }
    }
}

/// A merge patch, because a PUT without KubeVirt's generated firmware UUID would change the guest's identity. It is bound
/// to the version that was seen. It neither starts nor stops a VM unless its author says what power it shall have (X96).
fn change(desired: &Value, uid: &str, resource_version: &str, power: bool) -> Value {
    let mut spec = desired["spec"].clone();
    if let Some(spec) = spec.as_object_mut() {
        if power {
            spec.insert("running".to_owned(), Value::Null);
        } else {
            spec.remove("runStrategy");
        }
    }
    json!({
        "metadata": {"uid": uid, "resourceVersion": resource_version, "annotations": desired["metadata"]["annotations"]},
        "spec": spec,
    })
}

/// The VM as it should be.
pub fn desired(admitted: &Admitted, seen: &Observed) -> Value {
    let identity = &admitted.identity;
    let labels = owner_labels(identity, &seen.supervisor);
    let spec = json!({
        "runStrategy": admitted.run_strategy,
        "template": {"metadata": {"labels": labels}, "spec": template(admitted, seen)},
    });
    // To declare what is the default already takes power over, too.
    let wanted = format!("{spec}{}", if admitted.power_declared { " power" } else { "" });
    let hash = format!("{:.16}", format!("{:x}", Sha256::digest(wanted.as_bytes())));
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), json!(identity.vm.name));
    metadata.insert("namespace".to_owned(), json!(identity.vm.namespace));
    metadata.insert("labels".to_owned(), labels);
    metadata.insert("annotations".to_owned(), json!({DESIRED: hash}));
    if let owners @ Value::Array(_) = owner_references(identity, seen)
        && owners != json!([])
    {
        metadata.insert("ownerReferences".to_owned(), owners);
    }
    json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": metadata, "spec": spec})
}
