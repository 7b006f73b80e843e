//! What is left to take away of a Machine that is being deleted. Pure. C27, X17, X57, X58; regressions KVO1, KVO2, KVO10.
//!
//! VM, then proof that VM and instance are gone, then disks, networks and record, then the finalizer: data is never touched
//! under a VM that may still run.

use serde_json::{Value, json};

use super::imports::Imports;
use super::intent::{DELETION_POLICIES, DeletionPolicy, Leaving};
use super::objects::Vm;
use super::observed::{DataSecret, Lookup, Observed, Remote};
use super::write::{Failure, Here, Kind, Plan, There, Write};
use super::{attachment, interfaces};
use crate::api::config::Orphan;
use crate::names;
use crate::reason::Reason;

/// How many of the objects that are left are named: what carries our label on a cluster is that cluster's word.
const NAMED: usize = 16;

/// The next step of the deletion; empty while something has to be waited for.
pub fn plan(leaving: &Leaving, seen: &Observed) -> Plan {
    if leaving.finalizers.is_empty() {
        return Plan::default();
    }
    let release = || {
        let mut plan = Plan::from(Here::Release(leaving.finalizers.clone()));
        plan.writes.splice(0..0, interfaces::leave(leaving, seen).map(Write::Here));
        plan
    };
    if leaving.identity.cluster_id.is_none() {
        // Nothing was made before the cluster was recorded (X58), unless the record was taken out: then the cluster shows it,
        // once it has been asked (ATK4).
        let disks = seen.claims.len() + seen.imports.known().count();
        let nothing = seen.vm.is_none() && seen.vmi.is_none() && disks == 0 && seen.awaited.is_empty();
        match (&seen.remote, is_legacy(leaving)) {
            (Remote::Connecting, false) => return Plan::default(),
            (_, true) if nothing => return Plan::default(),
            (_, false) if nothing => return release(),
            _ => {}
        }
    }
    let Ok(policy) = leaving.policy else { return Plan::default() };
    match &seen.remote {
        Remote::Connected { id } if leaving.identity.cluster_id.as_ref().is_none_or(|recorded| recorded == id) => {}
        Remote::Connected { .. } | Remote::Missing | Remote::Unreachable(_) if is_forsaken(leaving, seen) => {
            let mut plan = release();
            plan.writes.splice(0..0, forsake(leaving, policy, &seen.supervisor).map(Write::Here));
            return plan;
        }
        Remote::Connected { .. } | Remote::Missing | Remote::Connecting | Remote::Unreachable(_) => {
            return Plan::default();
        }
    }
    if let DataSecret::Unknown(why) = &seen.data_secret {
        let message = format!("whether the Secret with its cloud-init data is gone is not known: {why}");
        return Failure { reason: Reason::KubeVirtApiError, message }.into();
    }
    let unknown = match &seen.imports {
        Imports::Unknown(why) => Some(Failure {
            reason: Reason::KubeVirtApiError,
            message: format!("which DataVolumes it has is not known: {why}"),
        }),
        Imports::Refused(_) | Imports::Missing | Imports::Known(_) => None,
    };
    if policy == DeletionPolicy::Orphan {
        if let Some(unknown) = unknown {
            return unknown.into();
        }
        return orphan(leaving, seen).map_or_else(release, Plan::from);
    }
    match &seen.vm {
        Some(vm) if vm.deleting => return Plan::default(),
        Some(vm) => return vec![There::Delete(Kind::Vm, vm.name.clone(), vm.uid.clone())].into(),
        None if seen.vmi.is_some() || !seen.awaited.is_empty() => return Plan::default(),
        None => {}
    }
    // No watch shows what lost our labels, and it may run on these disks.
    match &seen.found {
        Lookup::Absent | Lookup::Unasked => {}
        Lookup::Unknown(why) => {
            let message = format!("whether its VirtualMachine and its disks are gone is not known: {why}");
            return Failure { reason: Reason::KubeVirtApiError, message }.into();
        }
        Lookup::Taken(why) => return Failure { reason: Reason::Conflict, message: why.clone() }.into(),
        Lookup::Ours | Lookup::Free(_) | Lookup::Earlier(_) => return Plan::default(),
    }
    if let Some(unknown) = unknown {
        return unknown.into();
    }
    let mut writes = disks(leaving, seen, policy == DeletionPolicy::Retain);
    writes.extend(data_secret(leaving, seen).map(|(name, uid)| There::Delete(Kind::Secret, name, uid)));
    let done = seen.claims.is_empty() && seen.imports.known().next().is_none() && writes.is_empty();
    if !done {
        return writes.into();
    }
    let mut plan = release();
    plan.writes.splice(0..0, attachment::leave(seen).into_iter().map(Write::There));
    plan
}

/// Somebody who may says that the cluster does not come back: by the Machine's annotation, or for all of its Machines. Time alone
/// says nothing.
pub fn is_forsaken(leaving: &Leaving, seen: &Observed) -> bool {
    leaving.forsakes_cluster || seen.terms.decommissioned
}

/// What is recorded before the Machine goes, which is all that is known of its VM then.
fn forsake(leaving: &Leaving, policy: DeletionPolicy, supervisor: &str) -> Option<Here> {
    let (identity, cluster) = (&leaving.identity, leaving.cluster.clone()?);
    let orphan = Orphan {
        machine: identity.key.to_string(),
        uid: identity.uid.clone(),
        virtual_machine: identity.vm.to_string(),
        cluster_id: identity.cluster_id.clone(),
        deletion_policy: Some(policy.word().to_owned()),
        supervisor: Some(supervisor.to_owned()),
    };
    Some(Here::Forsake { cluster, orphan: Box::new(orphan) })
}

/// How a Machine whose cluster is gone for good can go.
pub fn way_out(leaving: &Leaving) -> String {
    let name = leaving.cluster.as_ref().map(|cluster| cluster.0.as_str()).unwrap_or_default();
    format!("if it is gone for good, whoever may release Machines sets the annotation {}: {name}", names::RELEASE_FROM)
}

/// The DataVolumes go first: one that is there fills a claim again, and takes it along when it goes. A disk that was not
/// filled yet is worth nothing to anybody.
fn disks(leaving: &Leaving, seen: &Observed, retained: bool) -> Vec<There> {
    let kept = |name: &String| retained && seen.imports.find(name).is_none_or(|import| import.done);
    let imports = seen.imports.known().filter(|(_, import)| !import.deleting).map(|(name, import)| {
        let (kind, name, uid) = (Kind::DataVolume, name.clone(), import.uid.clone());
        if kept(&name) { There::DeleteAlone(kind, name, uid) } else { There::Delete(kind, name, uid) }
    });
    let claims = seen.claims.iter().filter_map(|(name, claim)| {
        if !kept(name) {
            return (!claim.deleting).then(|| There::Delete(Kind::Claim, name.clone(), claim.uid.clone()));
        }
        // Ours until its DataVolume has let it go.
        let owned = seen.imports.find(name).is_some();
        (!owned).then(|| There::Merge(Kind::Claim, name.clone(), disown_claim(leaving, seen, name, &claim.uid)))
    });
    imports.chain(claims).collect()
}

/// Name and UID of the Secret with the Machine's cloud-init data, if there is one.
fn data_secret(leaving: &Leaving, seen: &Observed) -> Option<(String, String)> {
    match &seen.data_secret {
        DataSecret::Ours { uid } => Some((names::cloud_init_secret(&leaving.identity.key.name), uid.clone())),
        DataSecret::Unasked | DataSecret::Unknown(_) | DataSecret::Absent => None,
    }
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
        .map(|vm| There::Merge(Kind::Vm, vm.name.clone(), disown_vm(leaving, seen, vm)));
    let claims = seen
        .claims
        .iter()
        .map(|(name, claim)| There::Merge(Kind::Claim, name.clone(), disown_claim(leaving, seen, name, &claim.uid)));
    // The claims are theirs, so they stay, too.
    let imports = seen
        .imports
        .known()
        .map(|(name, import)| There::Merge(Kind::DataVolume, name.clone(), disown(leaving, seen, &import.uid)));
    let secret =
        data_secret(leaving, seen).map(|(name, uid)| There::Merge(Kind::Secret, name, disown(leaving, seen, &uid)));
    let networks = seen.vm.iter().flat_map(|vm| attachment::keep(vm, seen));
    let writes: Vec<There> = networks.chain(vm).chain(claims).chain(imports).chain(secret).collect();
    (!writes.is_empty()).then_some(writes)
}

/// A Machine of the published operator whose cluster we never recorded: its VM may exist, and we do not know where.
fn is_legacy(leaving: &Leaving) -> bool {
    leaving.finalizers.iter().any(|name| name == names::LEGACY_FINALIZER)
}

fn disown(leaving: &Leaving, seen: &Observed, uid: &str) -> Value {
    let mut labels = nobodys_labels();
    labels[names::RETAINED] = json!("true");
    let left = json!({
        names::RETAINED_FROM: leaving.identity.key.to_string(), names::RETAINED_SUPERVISOR: seen.supervisor,
    });
    json!({"metadata": {"uid": uid, "labels": labels, "annotations": left}})
}

/// A claim also says which disk it was (X116).
fn disown_claim(leaving: &Leaving, seen: &Observed, claim: &str, uid: &str) -> Value {
    let mut change = disown(leaving, seen, uid);
    let disk = names::disk_of_claim(&leaving.identity.key.name, claim).unwrap_or(claim);
    change["metadata"]["annotations"][names::RETAINED_DISK] = json!(disk);
    change
}

/// A VM also hands our labels to its instances, and on the supervisor's own cluster it has an owner that is about to go.
/// An adopted one has neither: we wrote nothing but labels and annotations.
fn disown_vm(leaving: &Leaving, seen: &Observed, vm: &Vm) -> Value {
    let mut change = disown(leaving, seen, &vm.uid);
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
    left.extend(seen.imports.known().map(|(name, _)| format!("DataVolume {name}")));
    let more = left.len().saturating_sub(NAMED);
    left.truncate(NAMED);
    match more {
        0 if left.is_empty() => "nothing is left on the cluster".to_owned(),
        0 => format!("waiting until these are gone: {}", left.join(", ")),
        _ => format!("waiting until these are gone: {}, and {more} more", left.join(", ")),
    }
}
