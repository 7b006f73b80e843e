//! What is left to take away of a Machine that is being deleted. Pure. C27, X17, X57, X58; regressions KVO1, KVO2, KVO10.
//!
//! VM, then proof that VM and instance are gone, then disks, then the finalizer: data is never touched under a VM that may
//! still run.

use serde_json::{Value, json};

use super::intent::{DELETION_POLICIES, DeletionPolicy, Identity, Leaving};
use super::observed::{Observed, Remote, Vm};
use super::write::{Here, Kind, Plan, There};
use crate::names;

/// The next step of the deletion; empty while something has to be waited for.
pub fn plan(leaving: &Leaving, seen: &Observed) -> Plan {
    if leaving.finalizers.is_empty() {
        return Plan::default();
    }
    let release = || Plan::from(Here::Release(leaving.finalizers.clone()));
    let Some(recorded) = &leaving.identity.cluster_id else {
        return if is_legacy(leaving) { Plan::default() } else { release() };
    };
    let Ok(policy) = leaving.policy else { return Plan::default() };
    match &seen.remote {
        Remote::Connected { id } if id == recorded => {}
        Remote::Connected { .. } | Remote::Missing | Remote::Connecting | Remote::Unreachable(_) => {
            return Plan::default();
        }
    }
    if policy == DeletionPolicy::Orphan {
        return orphan(leaving, seen).map_or_else(release, Plan::from);
    }
    match &seen.vm {
        Some(vm) if vm.deleting => return Plan::default(),
        Some(vm) => return vec![There::Delete(Kind::Vm, vm.name.clone(), vm.uid.clone())].into(),
        None if seen.vmi.is_some() || !seen.awaited.is_empty() => return Plan::default(),
        None => {}
    }
    let retained = policy == DeletionPolicy::Retain;
    let disks: Vec<There> = (seen.claims.iter().filter(|(_, claim)| retained || !claim.deleting))
        .map(|(name, claim)| {
            if retained {
                There::Merge(Kind::Claim, name.clone(), disown(&leaving.identity, &claim.uid))
            } else {
                There::Delete(Kind::Claim, name.clone(), claim.uid.clone())
            }
        })
        .collect();
    if seen.claims.is_empty() { release() } else { disks.into() }
}

/// Everything stays: our labels come off, so that the VM is nobody's and may be adopted.
fn orphan(leaving: &Leaving, seen: &Observed) -> Option<Vec<There>> {
    if !seen.awaited.is_empty() {
        return Some(Vec::new());
    }
    let vm = seen
        .vm
        .iter()
        .filter(|vm| !vm.deleting)
        .map(|vm| There::Merge(Kind::Vm, vm.name.clone(), disown_vm(&leaving.identity, vm)));
    let claims = seen
        .claims
        .iter()
        .map(|(name, claim)| There::Merge(Kind::Claim, name.clone(), disown(&leaving.identity, &claim.uid)));
    let writes: Vec<There> = vm.chain(claims).collect();
    (!writes.is_empty()).then_some(writes)
}

/// A Machine of the published operator whose cluster we never recorded: its VM may exist, and we do not know where.
fn is_legacy(leaving: &Leaving) -> bool {
    leaving.finalizers.iter().any(|name| name == names::LEGACY_FINALIZER)
}

fn disown(identity: &Identity, uid: &str) -> Value {
    let mut labels = nobodys_labels();
    labels[names::RETAINED] = json!("true");
    json!({"metadata": {"uid": uid, "labels": labels, "annotations": {names::RETAINED_FROM: identity.key.to_string()}}})
}

/// A VM also hands our labels to its instances, and on the supervisor's own cluster it has an owner that is about to go.
/// An adopted one has neither: we wrote nothing but labels and annotations.
fn disown_vm(identity: &Identity, vm: &Vm) -> Value {
    let mut change = disown(identity, &vm.uid);
    if vm.adopted.is_some() {
        change["metadata"]["annotations"][names::ADOPTED] = Value::Null;
        return change;
    }
    change["metadata"]["ownerReferences"] = Value::Null;
    change["spec"] = json!({"template": {"metadata": {"labels": nobodys_labels()}}});
    change
}

/// Takes the labels of an owner off, in a merge patch.
fn nobodys_labels() -> Value {
    json!({
        names::MANAGED_BY: null, names::MACHINE: null, names::SOURCE_MACHINE: null, names::MACHINE_UID: null, names::SUPERVISOR: null,
    })
}

/// What the deletion waits for, in words.
pub fn waiting_for(leaving: &Leaving, seen: &Observed) -> String {
    if let Err(unknown) = &leaving.policy {
        let known = DELETION_POLICIES.join(", ");
        return format!(
            "nothing is deleted: the annotation {} says {unknown:?}; set it to one of {known}",
            names::DELETION_POLICY
        );
    }
    if leaving.identity.cluster_id.is_none() && is_legacy(leaving) {
        return format!(
            "its cluster is not recorded, and the published operator may have made a VM: once there is none, take the finalizer {} off",
            names::LEGACY_FINALIZER
        );
    }
    let mut left = Vec::new();
    left.extend(seen.vm.as_ref().map(|vm| format!("VirtualMachine {}", vm.name)));
    left.extend(seen.vmi.as_ref().map(|vmi| format!("VirtualMachineInstance {}", vmi.name)));
    if leaving.policy == Ok(DeletionPolicy::Delete) {
        left.extend(seen.claims.keys().map(|name| format!("PersistentVolumeClaim {name}")));
    }
    if left.is_empty() {
        "nothing is left on the cluster".to_owned()
    } else {
        format!("waiting until these are gone: {}", left.join(", "))
    }
}
