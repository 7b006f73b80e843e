//! The conditions of a Machine: what each says of what was seen. Pure. C51 to C53, X18.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::super::intent::Admitted;
use super::super::observed::{Observed, Remote};
use super::super::vm;
use super::super::write::Failure;
use super::super::{addresses, adoption, interfaces, network, storage};
use crate::api::{self, MachineStatus};
use crate::reason::{Condition, Reason, ShownIn};

/// One condition before it meets its predecessor.
pub(super) struct Statement {
    pub(super) about: Condition,
    pub(super) truth: Truth,
    pub(super) reason: Reason,
    pub(super) why: String,
}

/// The status of a condition.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    True,
    False,
    Unknown,
}

use Truth::{False, True, Unknown};

impl Statement {
    pub(super) fn new(about: Condition, truth: Truth, reason: Reason, why: impl Into<String>) -> Self {
        Self { about, truth, reason, why: why.into() }
    }
}

fn is_of_networks(failure: &Failure) -> bool {
    failure.reason.shown_in() == ShownIn::Machine(Condition::NetworkReady)
}

pub(super) fn describe_vm(admitted: &Admitted, seen: &Observed, failure: Option<&Failure>) -> Statement {
    let said = |truth, reason, why: String| Statement::new(Condition::VirtualMachineReady, truth, reason, why);
    // What keeps a disk from being there says so in its own condition.
    let of_disks = |failure: &&Failure| failure.reason.shown_in() == ShownIn::Machine(Condition::StorageReady);
    let of_networks = |failure: &&Failure| seen.vm.is_some() && is_of_networks(failure);
    if let Some(failure) = failure.filter(|failure| !of_disks(failure) && !of_networks(failure)) {
        return said(False, failure.reason, failure.message.clone());
    }
    let Some(vm) = &seen.vm else {
        if vm::is_unmanaged(admitted) {
            let why = "no VirtualMachine is made: the annotation mode: unmanaged leaves it to somebody else";
            return said(False, Reason::Unmanaged, why.to_owned());
        }
        return said(False, Reason::VmPending, "the VirtualMachine is not there yet".to_owned());
    };
    let unschedulable = seen.vmi.as_ref().and_then(|vmi| vmi.unschedulable.clone());
    let broken = match vm.printable.as_str() {
        "ErrorUnschedulable" => Some(unschedulable.unwrap_or_else(|| "no node of the cluster can run it".to_owned())),
        "CrashLoopBackOff" => Some("the virtual machine crashes again and again".to_owned()),
        other if other.starts_with("Err") || other.ends_with("Error") => Some(format!("KubeVirt reports {other}")),
        _ => {
            let instance = seen.vmi.as_ref().filter(|vmi| vmi.phase != "Running");
            vm.failure.clone().or_else(|| instance?.failure.clone())
        }
    };
    match broken {
        Some(why) => said(False, Reason::VmFailed, why),
        None if vm.adopted.is_some() => {
            said(True, Reason::VmCreated, format!("VirtualMachine {} was adopted", vm.name))
        }
        None => said(True, Reason::VmCreated, format!("VirtualMachine {} exists", vm.name)),
    }
}

pub(super) fn describe_storage(admitted: &Admitted, seen: &Observed, failure: Option<&Failure>) -> Statement {
    let said = |truth, reason, why: String| Statement::new(Condition::StorageReady, truth, reason, why);
    if adoption::keeps_its_disks(seen) {
        // Its claims are not watched: what they keep from starting says so itself.
        let printable = seen.vm.as_ref().map(|vm| vm.printable.as_str()).unwrap_or_default();
        return match printable {
            "WaitingForVolumeBinding" | "Provisioning" | "ErrorPvcNotFound" | "DataVolumeError" => {
                let why = format!("KubeVirt reports {printable} for the disks that the VM came with");
                said(False, Reason::PvcPending, why)
            }
            _ => said(True, Reason::PvcBound, "the VM has the disks it came with".to_owned()),
        };
    }
    let (reason, why) = storage::describe(admitted, seen, failure);
    said(if reason == Reason::PvcBound { True } else { False }, reason, why)
}

/// Whether the instance has its interfaces. What keeps a VM from its networks is said here also while it runs with others.
pub(super) fn describe_network(admitted: &Admitted, seen: &Observed, failure: Option<&Failure>) -> Statement {
    let said = |truth, reason, why: &str| Statement::new(Condition::NetworkReady, truth, reason, why);
    // An adopted VM has the networks that it came with.
    let adopted = adoption::keeps_its_disks(seen);
    let failure = failure.filter(|it| is_of_networks(it)).cloned();
    let missing = || network::missing(admitted, seen).or_else(|| interfaces::in_the_way(admitted, seen));
    if let Some(failure) = failure.or_else(|| (!adopted).then(missing)?) {
        return said(False, failure.reason, &failure.message);
    }
    let addresses = || seen.vmi.iter().flat_map(|vmi| &vmi.interfaces).any(|nic| !nic.ips.is_empty());
    let there = if adopted { addresses() } else { network::reported(admitted, seen) };
    if there {
        let not_handed = (!adopted).then(|| addresses::not_handed(admitted, &seen.networks)).flatten();
        let more = not_handed.map(|why| format!("; {why}")).unwrap_or_default();
        return said(True, Reason::NetworkConfigured, &format!("the instance has its interfaces{more}"));
    }
    let why = match &seen.vmi {
        Some(_) => "the instance does not report its interfaces and their addresses yet",
        None => "no instance runs, so none reports its interfaces and their addresses",
    };
    said(False, Reason::NetworkPending, why)
}

pub(super) fn describe_cluster(cluster: &str, recorded: Option<&str>, seen: &Observed) -> Statement {
    let said = |truth, reason, why: String| Statement::new(Condition::ClusterReachable, truth, reason, why);
    match &seen.remote {
        Remote::Missing => {
            said(False, Reason::KubevirtConfigMissing, format!("there is no KubevirtConfig {cluster:?}"))
        }
        Remote::Connecting => {
            said(Unknown, Reason::ClusterUnreachable, format!("cluster {cluster:?} was not reached yet"))
        }
        Remote::Unreachable(why) => {
            said(False, Reason::ClusterUnreachable, format!("cluster {cluster:?} is not usable now: {why}"))
        }
        Remote::Connected { id } if recorded.is_some_and(|recorded| recorded != id) => said(
            False,
            Reason::ClusterIdentityChanged,
            format!(
                "KubevirtConfig {cluster:?} leads to cluster {id}, but the VM was made on {}: nothing is changed before its Secret leads there again",
                recorded.unwrap_or_default()
            ),
        ),
        Remote::Connected { .. } => said(True, Reason::ClusterConnected, format!("cluster {cluster:?} answers")),
    }
}

/// Replaces the conditions, keeping the time of those whose status did not change.
pub(super) fn replace_conditions(next: &mut MachineStatus, previous: &MachineStatus, said: &[Statement], now: &Time) {
    let mut all: Vec<api::Condition> = (said.iter())
        .map(|Statement { about, truth, reason, why }| {
            let status = match truth {
                True => "True",
                False => "False",
                Unknown => "Unknown",
            };
            let before = previous.conditions.iter().find(|it| it.type_ == about.name() && it.status == status);
            let since = before.and_then(|before| before.last_transition_time.clone());
            api::Condition {
                type_: about.name().to_owned(),
                status: status.to_owned(),
                reason: reason.code().to_owned(),
                message: why.clone(),
                last_transition_time: since.or_else(|| Some(now.clone())),
                observed_generation: next.observed_generation,
            }
        })
        .collect();
    all.sort_by(|a, b| a.type_.cmp(&b.type_));
    next.conditions = all;
}
