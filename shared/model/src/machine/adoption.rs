//! Adoption: a VirtualMachine that was there before its Machine becomes the Machine's. Pure. A4, X2, X12, X28, X54, R14;
//! regressions KVO6, KVO7.
//!
//! Admission says by an annotation where to look; a tenant can write that, too, so the VM itself decides. To adopt writes
//! metadata only. What the Machine asked for at that time is kept on the VM, and from then on only what is edited is
//! carried over: its disks, networks and firmware stay as they are.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::identity::Identity;
use super::intent::{Admitted, Sought};
use super::labels;
use super::objects::Vm;
use super::observed::{Lookup, Observed, Stray};
use super::owner;
use super::write::{Failure, Kind, Plan, There};
use crate::baseline::LAST_APPLIED;
use crate::names;
use crate::names::DESIRED;
use crate::reason::Reason;

/// What a Machine asks of an adopted VM: all that is ever written to its spec. Kept on the VM as it was asked last.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    run_strategy: String,
    /// The author says so; earlier versions did not tell.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    power_declared: bool,
    cores: i64,
    threads: i64,
    sockets: i64,
    memory: String,
}

/// Whether the VM that was found is one that this Machine looks for.
pub fn is_looked_for(vm: &ObjectMeta, admitted: &Admitted, supervisor: &str) -> bool {
    let left = || owner::Left::read(vm).is_some_and(|left| left.is(&admitted.identity.key, supervisor));
    admitted.sought == Sought::Any || left()
}

/// Whether a VM may be adopted by this Machine. A reference to the Machine as its controller is no foreign owner: the
/// published operator may have set it.
pub fn found(vm: &ObjectMeta, identity: &Identity, supervisor: &str, adoption: owner::Adoption) -> Lookup {
    let mut bare = vm.clone();
    let references = bare.owner_references.take().unwrap_or_default();
    let to_machine = |owner: &OwnerReference| {
        owner.kind == "Machine" && owner.api_version.split('/').next().is_some_and(|group| group == names::GROUP)
    };
    let foreign = |owner: &&OwnerReference| !(to_machine(owner) && owner.uid == identity.uid);
    bare.owner_references = Some(references.iter().filter(foreign).cloned().collect());
    let read = owner::read(&bare);
    let is_ours = |owner: &owner::Owner| matches!(owner, owner::Owner::Machine { uid, .. } if *uid == identity.uid);
    match owner::stranger(&read, identity.asking(supervisor), adoption) {
        Some(whose) => Lookup::Taken(whose),
        None if read.owner.as_ref().is_some_and(is_ours) => Lookup::Ours,
        None if read.deleting => Lookup::Taken("is being deleted".to_owned()),
        None if read.owner.is_some() => Lookup::Earlier(vm.name.clone().unwrap_or_default()),
        None => Lookup::Free(Stray {
            name: vm.name.clone().unwrap_or_default(),
            uid: vm.uid.clone().unwrap_or_default(),
            resource_version: vm.resource_version.clone().unwrap_or_default(),
            claims: Vec::new(),
            owners: references.into_iter().filter(|owner| !to_machine(owner)).collect(),
        }),
    }
}

/// The name to record for the Machine's VM: that of the one to adopt, where it may be adopted.
pub fn vm_name(admitted: &Admitted, seen: &Observed) -> String {
    match (&seen.vm, &seen.found) {
        (Some(vm), _) => vm.name.clone(),
        (None, Lookup::Free(stray)) => stray.name.clone(),
        (None, Lookup::Earlier(name)) => name.clone(),
        (None, _) => admitted.identity.vm.name.clone(),
    }
}

/// The VM keeps the disks that it came with: no claims are made for the Machine. Those of the published operator are its own.
pub fn keeps_its_disks(seen: &Observed) -> bool {
    seen.vm.as_ref().map_or(matches!(seen.found, Lookup::Free(_)), |vm| vm.adopted.is_some())
}

/// What is to be done about a VM that was adopted, is to be or must not be; nothing is said about any other.
pub fn plan(admitted: &Admitted, seen: &Observed) -> Option<Plan> {
    if let Some(vm) = &seen.vm {
        return vm.adopted.as_ref().map(|before| follow(admitted, vm, before).into());
    }
    match &seen.found {
        Lookup::Free(stray) => {
            let change = take(admitted, stray, &seen.supervisor);
            // Its disks first, so that what stopped half-way goes on.
            let claims = stray.claims.iter().cloned().map(There::AdoptClaim);
            Some(claims.chain([There::Adopt(stray.name.clone(), change)]).collect::<Vec<_>>().into())
        }
        Lookup::Taken(whose) => {
            let (vm, cluster) = (&admitted.identity.vm, &admitted.cluster.0);
            let message = format!(
                "VirtualMachine {vm} on {cluster:?} exists and is not this Machine's: it {whose}; give the Machine another name"
            );
            Some(Failure { reason: Reason::Conflict, message }.into())
        }
        Lookup::Unasked | Lookup::Unknown(_) | Lookup::Absent | Lookup::Ours | Lookup::Earlier(_) => None,
    }
}

/// Why nothing can be said about the VM to adopt: not even its name is recorded then.
pub fn unknown(seen: &Observed) -> Option<Failure> {
    let Lookup::Unknown(why) = &seen.found else { return None };
    let message = format!("whether the VM can be adopted is not known: {why}");
    Some(Failure { reason: Reason::KubeVirtApiError, message })
}

/// Makes the VM the Machine's, if it is still the one that was judged.
fn take(admitted: &Admitted, stray: &Stray, supervisor: &str) -> Value {
    let mut labels = labels::owner(&admitted.identity, supervisor);
    labels[names::RETAINED] = Value::Null;
    json!({"metadata": {
        "uid": stray.uid,
        "resourceVersion": stray.resource_version,
        "labels": labels,
        "annotations": {
            names::ADOPTED: asked(admitted).text(), names::RETAINED_FROM: null, names::RETAINED_SUPERVISOR: null, DESIRED: null, LAST_APPLIED: null,
        },
        "ownerReferences": stray.owners,
    }})
}

/// Carries over what was edited since. A record that cannot be read says nothing about that, so it is only made anew.
fn follow(admitted: &Admitted, vm: &Vm, before: &str) -> Vec<There> {
    let now = asked(admitted);
    let mut change = json!({"metadata": {
        "uid": vm.uid, "resourceVersion": vm.resource_version, "annotations": {names::ADOPTED: now.text()},
    }});
    match serde_json::from_str::<Asked>(before) {
        _ if vm.deleting => return Vec::new(),
        Ok(before) if before == now => return Vec::new(),
        Ok(before) => change["spec"] = edited(&before, &now),
        Err(_) => {}
    }
    vec![There::Merge(Kind::Vm, vm.name.clone(), change)]
}

/// KubeVirt takes `running` or `runStrategy`, so the first one goes when the second is asked for (X28). CPU is one thing:
/// the sockets of one topology mean nothing beside the cores of another.
fn edited(before: &Asked, now: &Asked) -> Value {
    let mut spec = Map::new();
    if now.power_declared && (before.run_strategy != now.run_strategy || !before.power_declared) {
        spec.insert("running".to_owned(), Value::Null);
        spec.insert("runStrategy".to_owned(), json!(now.run_strategy));
    }
    let mut domain = Map::new();
    if (before.cores, before.threads, before.sockets) != (now.cores, now.threads, now.sockets) {
        domain.insert("cpu".to_owned(), json!({"cores": now.cores, "threads": now.threads, "sockets": now.sockets}));
    }
    if before.memory != now.memory {
        domain.insert("memory".to_owned(), json!({"guest": now.memory}));
    }
    if !domain.is_empty() {
        spec.insert("template".to_owned(), json!({"spec": {"domain": domain}}));
    }
    Value::Object(spec)
}

fn asked(admitted: &Admitted) -> Asked {
    let sizing = &admitted.sizing;
    Asked {
        run_strategy: admitted.run_strategy.clone(),
        power_declared: admitted.power_declared,
        cores: sizing.cores,
        threads: sizing.threads,
        sockets: sizing.sockets,
        memory: sizing.memory.clone(),
    }
}

impl Asked {
    fn text(&self) -> String {
        serde_json::to_string(self).expect("invariant: numbers and strings are plain data")
    }
}
