//! What to do about one Machine on the cluster it is assigned to. Pure; `controller/src/machine.rs` does it.
//!
//! [`Intent::of`] reads the Machine, [`plan`] compares it with what was [`Observed`], [`status()`] says what the Machine shows.

pub mod addresses;
pub mod adoption;
mod attachment;
pub mod carried;
pub mod cleanup;
mod cloudinit;
pub mod configuration;
pub mod drift;
pub mod exclusions;
mod identity;
mod image;
mod imports;
mod intent;
mod interfaces;
pub mod labels;
mod network;
pub mod networks;
mod objects;
mod observed;
pub mod outcome;
pub mod owner;
pub mod published;
pub mod reap;
pub mod restart;
pub mod standing;
pub mod status;
pub mod storage;
pub mod takeover;
mod template;
pub mod vm;
mod wanted;
mod write;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::MachineStatus;
use crate::names::{ClusterName, say_machine};
use crate::reason::Reason;
pub use identity::{Identity, Shown, cluster_of, recorded_home, recorded_on};
pub use imports::{Import, Imports, StorageClass};
pub use intent::{Admitted, DELETION_POLICIES, DeletionPolicy, Intent, Leaving, Sought};
pub use objects::{Claim, Nic, Vm, Vmi, Waits};
pub use observed::{DataSecret, Lookup, Observed, Remote, Stray, Terms};
pub use status::status;
pub use write::{Failure, Here, Hidden, Kind, Parcel, Plan, There, Write};

/// What makes the Machine true.
///
/// Guarantees: nothing is written before the cluster's identity is recorded, and nothing at all on a cluster with another
/// identity; the VM comes after its disks; what was created and not yet seen is not created again.
pub fn plan(intent: &Intent, seen: &Observed) -> Plan {
    match intent {
        Intent::Foreign | Intent::Undecided(_, Reason::InvalidAssignment, _) => Plan::default(),
        Intent::Undecided(..) => Here::AskAdmission.into(),
        Intent::Leave(leaving) => cleanup::plan(leaving, seen),
        Intent::Run(admitted) => run(admitted, seen),
    }
}

fn run(admitted: &Admitted, seen: &Observed) -> Plan {
    let identity = &admitted.identity;
    // A write to the supervisor, so it does not wait for the cluster: a delete may come before that answers.
    if !admitted.guarded {
        return Here::Guard.into();
    }
    let Remote::Connected { id } = &seen.remote else { return Plan::default() };
    if let Some(unknown) = adoption::unknown(seen) {
        return unknown.into();
    }
    match &identity.cluster_id {
        Some(recorded) if recorded != id => return Plan::default(),
        Some(_) if seen.namespace_terminating => {
            return vm::namespace_terminating(&identity.vm.namespace, &admitted.cluster).into();
        }
        Some(_) => {}
        None => {
            let vm = adoption::vm_name(admitted, seen);
            return Here::Record { cluster: admitted.cluster.clone(), id: id.clone(), vm }.into();
        }
    }
    // The finalizer of the published operator guards a VM that is ours now.
    if admitted.legacy && seen.vm.is_some() {
        return Here::Release(vec![crate::names::LEGACY_FINALIZER.to_owned()]).into();
    }
    if let Some(taken_back) = interfaces::take_back(admitted, seen) {
        return taken_back.into();
    }
    if let Some(plan) = takeover::plan(admitted, seen).or_else(|| adoption::plan(admitted, seen)) {
        return plan;
    }
    // What was adopted is not seen yet, and needs none of what a new VM needs; a new one comes after all of that.
    if seen.vm.is_none() && seen.awaited.contains(&(Kind::Vm, identity.vm.name.clone())) {
        return Plan::default();
    }
    if let (None, Some((address, elder))) = (&seen.vm, &seen.address_of) {
        let whose = say_machine(&elder.to_string(), &identity.key.namespace);
        let message = format!(
            "spec.networks: {whose}, which is older, has the MAC address {address}: choose another one, or leave it out"
        );
        return Failure { reason: Reason::Conflict, message }.into();
    }
    let in_the_way = interfaces::in_the_way(admitted, seen);
    if let (None, Some(taken)) = (&seen.vm, &in_the_way) {
        return taken.clone().into();
    }
    let mut writes = Vec::new();
    if !seen.namespace_known {
        let namespace = &identity.vm.namespace;
        writes.push(There::Create(Kind::Namespace, namespace.clone(), vm::namespace(namespace)));
    }
    writes.extend(storage::plan(admitted, seen));
    writes.extend(network::plan(admitted, seen));
    // What the VM should be is known only with all its parts: one that is there is left as it is meanwhile.
    let missing = cloudinit::missing(admitted, seen);
    let missing = missing.or_else(|| storage::missing(admitted, seen)).or_else(|| network::missing(admitted, seen));
    let mut refused = missing;
    if refused.is_none() && !storage::waits(admitted, seen) {
        writes.extend(cloudinit::plan(admitted, seen));
        match vm::plan(admitted, seen) {
            Ok(Some(vm)) => writes.push(vm),
            Ok(None) => writes.extend(cloudinit::follow(admitted, seen)),
            Err(wrong) => refused = Some(wrong),
        }
    }
    writes.extend(storage::follow(admitted, seen));
    // Last, so that a claim that may not grow keeps nothing from being done.
    writes.extend(storage::growth(admitted, seen));
    let mut plan = Plan { refused: refused.or(in_the_way), ..writes.into() };
    interfaces::add(&mut plan, admitted, seen);
    plan
}

/// The network that keeps a Machine's VM from being made or brought in line, by the name that the Machine gives it.
pub fn network_in_trouble(intent: &Intent, seen: &Observed) -> Option<String> {
    let (Intent::Run(admitted), Remote::Connected { .. }) = (intent, &seen.remote) else { return None };
    if adoption::keeps_its_disks(seen) {
        return None;
    }
    network::trouble(admitted, seen).map(|(name, _)| name)
}

/// The status that goes with [`Here::Record`]: the one shown so far, the cluster and the name of the VM.
pub fn record(
    previous: &MachineStatus,
    intent: &Intent,
    cluster: &ClusterName,
    id: &str,
    vm: &str,
    now: Time,
) -> MachineStatus {
    let mut next = status::begun(previous, intent, now);
    next.vm_name = Some(vm.to_owned());
    next.phase = Some("Creating".to_owned());
    next.kubevirt_config_ref = Some(crate::api::AssignedConfig {
        name: Some(cluster.0.clone()),
        cluster_id: Some(id.to_owned()),
        namespace: intent.identity().and_then(Identity::mapped),
    });
    next
}
