//! A Machine that was restored from a backup has a new UID, and takes over the VM, the disks and the Secret of its earlier self if
//! it names the old one. Pure. X99, FR4, R23.
//!
//! Only labels are written, and what says the same as they do: nothing restarts. The VM comes last, so that what stopped half-way
//! goes on; what is this Machine's already is done.

use serde_json::{Value, json};

use super::identity::Identity;
use super::intent::Admitted;
use super::labels;
use super::observed::{Lookup, Observed};
use super::write::{Failure, Kind, Plan, There};
use crate::baseline::LAST_APPLIED;
use crate::names::{self, cloud_init_secret};
use crate::reason::Reason;
use crate::text::line;

/// Bytes of a name or a UID in a sentence.
const NAMED: usize = 253;

/// What there is to take over. Without the VM, what it left is taken in a namespace that no others share.
pub(super) fn plan(admitted: &Admitted, seen: &Observed) -> Option<Plan> {
    let identity = &admitted.identity;
    let disks = seen.earlier.iter().filter(|(kind, _)| *kind != Kind::Vm);
    let mut writes: Vec<There> = disks.map(|(kind, name)| There::TakeOver(*kind, name.clone())).collect();
    let secret = || There::TakeOver(Kind::Secret, cloud_init_secret(&identity.key.name));
    match &seen.found {
        Lookup::Earlier(vm) => writes.extend([secret(), There::TakeOver(Kind::Vm, vm.clone())]),
        Lookup::Absent if identity.alone => {
            if let Some((_, vm)) = seen.earlier.iter().find(|(kind, _)| *kind == Kind::Vm) {
                return Some(in_use(admitted, vm).into());
            }
            // First, so that the disks still say what there is to do when it fails.
            if !writes.is_empty() {
                writes.insert(0, secret());
            }
        }
        _ => return None,
    }
    (!writes.is_empty()).then(|| writes.into())
}

/// A VM of the earlier self under a name that this Machine's VM cannot have would share its disks.
fn in_use(admitted: &Admitted, vm: &str) -> Failure {
    let (namespace, cluster) = (&admitted.identity.vm.namespace, &admitted.cluster.0);
    let earlier = line(admitted.identity.take_over.as_deref().unwrap_or_default(), NAMED);
    let message = format!(
        "VirtualMachine {namespace}/{} on {cluster:?} carries UID {earlier}, too, and its name is not one of this Machine's: nothing is taken over while it may run on the disks: delete it, or give the Machine the name that it has",
        line(vm, NAMED)
    );
    Failure { reason: Reason::Conflict, message }
}

/// The merge patch that makes an object of the earlier self this Machine's, bound to the version that was read, or why it stays
/// what it is, in words that follow its name. Where a label is not on the template of a VM, none is added: whoever keeps what is
/// there has written it.
pub fn change(live: &Value, kind: Kind, identity: &Identity, supervisor: &str) -> Result<Value, String> {
    let earlier = identity.take_over.as_deref().unwrap_or_default();
    let label = |key: &str| live["metadata"]["labels"][key].as_str().unwrap_or_default();
    if !identity.asking(supervisor).is_left(label(names::MACHINE_UID), label(names::SUPERVISOR)) {
        return Err(format!(
            "is not of the earlier self of UID {}: give the Machine another name, or correct the annotation {}",
            line(earlier, NAMED),
            names::TAKE_OVER
        ));
    }
    if label(names::MACHINE) != identity.key.name {
        return Err(format!(
            "carries UID {}, but its label {} says {:?}: set that to {}, or take the label {} off what was not this Machine's",
            line(earlier, NAMED),
            names::MACHINE,
            line(label(names::MACHINE), NAMED),
            identity.key.name,
            names::MACHINE_UID
        ));
    }
    if kind == Kind::Vm && live["metadata"].get("deletionTimestamp").is_some() {
        return Err("is being deleted: it is waited for".to_owned());
    }
    let mut change = json!({"metadata": {
        "uid": live["metadata"]["uid"], "resourceVersion": live["metadata"]["resourceVersion"],
        "labels": labels::owner(identity, supervisor),
    }});
    if kind == Kind::Vm {
        change_vm(&mut change, live, identity, supervisor);
    }
    Ok(change)
}

/// A VM also says it to its next instance, to whoever deletes it with its owner, and to us: what it was written from last stays
/// true, and so do the MAC addresses.
fn change_vm(change: &mut Value, live: &Value, identity: &Identity, supervisor: &str) {
    let earlier = identity.take_over.as_deref().unwrap_or_default();
    let theirs = live["metadata"]["labels"][names::SUPERVISOR].as_str().unwrap_or_default();
    let renamed = [(names::MACHINE_UID, earlier, identity.uid.as_str()), (names::SUPERVISOR, theirs, supervisor)];
    let template = &live["spec"]["template"]["metadata"]["labels"];
    let mut labels = json!({});
    for (key, before, now) in renamed {
        if template[key] == *before && before != now {
            labels[key] = json!(now);
        }
    }
    if labels != json!({}) {
        change["spec"] = json!({"template": {"metadata": {"labels": labels}}});
    }
    let metadata = &live["metadata"];
    let mut owners = metadata["ownerReferences"].clone();
    for owner in owners.as_array_mut().into_iter().flatten().filter(|owner| owner["uid"] == earlier) {
        owner["uid"] = json!(identity.uid);
    }
    if owners != metadata["ownerReferences"] {
        change["metadata"]["ownerReferences"] = owners;
    }
    let annotations = &metadata["annotations"];
    let macs = annotations[names::MACS_OF].as_str().unwrap_or(earlier);
    change["metadata"]["annotations"] = json!({names::MACS_OF: macs});
    let last = annotations[LAST_APPLIED].as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    if let Some(mut last) = last {
        for pointer in ["/metadata/labels", "/spec/template/metadata/labels"] {
            let Some(labels) = last.pointer_mut(pointer).and_then(Value::as_object_mut) else { continue };
            for (key, before, now) in renamed {
                if let Some(label) = labels.get_mut(key).filter(|label| **label == before) {
                    *label = json!(now);
                }
            }
        }
        change["metadata"]["annotations"][LAST_APPLIED] = json!(last.to_string());
    }
}
