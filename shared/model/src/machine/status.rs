//! What a Machine shows of itself. Pure: computed from what was seen, never accumulated. C10, C21, C26, C51 to C53, X18, X19,
//! X71, X75; regressions KVO14, KVO15, KVO16, KVO18.

mod mirror;

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use self::mirror::{mirror, resolved};
use super::{Admitted, Failure, Intent, Leaving, Observed, Remote, adoption, cleanup};
use crate::api;
use crate::api::MachineStatus;
use crate::names::claim_name;
use crate::reason::{Condition, Reason};

/// How old a status gets before a change that nobody waits for is written.
pub const SETTLING: Duration = Duration::from_secs(5);

/// One condition before it meets its predecessor.
struct Said(Condition, Truth, Reason, String);

/// The status of a condition.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Truth {
    True,
    False,
    Unknown,
}

use Truth::{False, True, Unknown};

/// The status that follows from what was seen. `failure` is the write that stopped this pass.
///
/// Guarantees: when nothing changed the result equals `previous`, times included, so that no write is needed; a failure is
/// shown exactly as long as it lasts.
pub fn status(
    previous: &MachineStatus,
    intent: &Intent,
    seen: &Observed,
    failure: Option<&Failure>,
    now: Time,
) -> MachineStatus {
    let mut next = begun(previous, intent, now.clone());
    let recorded = intent.identity().is_some_and(|identity| identity.cluster_id.is_some());
    if seen.remote == Remote::Connecting && recorded && failure.is_none() {
        return previous.clone();
    }
    let said = match intent {
        Intent::Foreign => return previous.clone(),
        Intent::Undecided(_, reason, why) => {
            next.phase = Some(if *reason == Reason::NotAdmitted { "Pending" } else { "Failed" }.to_owned());
            let why = failure.map_or(why, |failure| &failure.message);
            vec![Said(Condition::Ready, False, *reason, why.clone())]
        }
        Intent::Run(admitted) => run(&mut next, admitted, seen, failure),
        Intent::Leave(leaving) => leave(&mut next, leaving, seen, failure),
    };
    conditions(&mut next, previous, &said, &now);
    summarize(&mut next);
    let mut unchanged = next.clone();
    unchanged.last_updated.clone_from(&previous.last_updated);
    unchanged.resource_version.clone_from(&previous.resource_version);
    if unchanged == *previous { unchanged } else { next }
}

/// How long a change may still wait for others, so that a burst of small ones costs one write; zero when it may not.
///
/// What people and scripts wait for is written at once: the phase, and whether the Machine is ready. The rest, such as what
/// is being waited for, follows within [`SETTLING`].
pub fn patience(previous: &MachineStatus, next: &MachineStatus, now: &Time) -> Duration {
    let ready = |status: &MachineStatus| {
        status.conditions.iter().find(|it| it.type_ == Condition::Ready.name()).map(|it| it.status.clone())
    };
    let first = previous.conditions.is_empty() && previous.kubevirt_config_ref.is_none();
    if first || previous.phase != next.phase || (ready(previous) != ready(next) && ready(previous).is_some()) {
        return Duration::ZERO;
    }
    let Some(written) = &previous.last_updated else { return Duration::ZERO };
    let age = now.0.duration_since(written.0);
    Duration::try_from(age).map_or(Duration::ZERO, |age| SETTLING.saturating_sub(age))
}

/// The previous status, with what every later one starts from.
pub(super) fn begun(previous: &MachineStatus, intent: &Intent, now: Time) -> MachineStatus {
    let mut next = previous.clone();
    if let Some(identity) = intent.identity() {
        next.observed_generation = Some(identity.generation);
        if matches!(intent, Intent::Run(_)) {
            next.vm_name = Some(identity.vm.name.clone());
        }
    }
    if let Intent::Run(admitted) = intent {
        next.resolved = Some(resolved(&admitted.sizing));
    }
    next.last_updated = Some(now);
    next
}

fn run(next: &mut MachineStatus, admitted: &Admitted, seen: &Observed, failure: Option<&Failure>) -> Vec<Said> {
    let reachable = reachable(&admitted.cluster.0, admitted.identity.cluster_id.as_deref(), seen);
    let mut said = Vec::new();
    if reachable.1 != True {
        for unknown in
            [Condition::Ready, Condition::VirtualMachineReady, Condition::StorageReady, Condition::NetworkReady]
        {
            said.push(Said(unknown, Unknown, reachable.2, reachable.3.clone()));
        }
        said.push(reachable);
        next.phase.get_or_insert_with(|| "Pending".to_owned());
        return said;
    }
    said.push(reachable);
    let storage = storage_ready(admitted, seen);
    let machine = machine_ready(seen, failure);
    let (phase, ready) = phase(seen, &storage, &machine, failure);
    next.phase = Some(phase.to_owned());
    said.push(ready);
    said.push(network_ready(seen));
    said.push(storage);
    said.push(machine);
    if let Some(why) = seen.vm.as_ref().and_then(|vm| vm.restart_required.as_ref()) {
        said.push(Said(Condition::RestartRequired, True, Reason::RestartPending, why.clone()));
    }
    mirror(next, admitted, seen);
    said
}

fn phase(seen: &Observed, storage: &Said, machine: &Said, failure: Option<&Failure>) -> (&'static str, Said) {
    let ready = |ready, reason, why: &str| Said(Condition::Ready, ready, reason, why.to_owned());
    let printable = seen.vm.as_ref().map(|vm| vm.printable.as_str()).unwrap_or_default();
    // KubeVirt's word lags behind its instance: it runs once both say so. Migrating and paused VMs run, too.
    let starting = matches!(printable, "Starting" | "Provisioning" | "WaitingForVolumeBinding");
    let ending = matches!(printable, "Stopped" | "Stopping" | "Terminating");
    let up = seen.vmi.as_ref().is_some_and(|vmi| vmi.phase == "Running" && vmi.ready) && !starting && !ending;
    let deleting = seen.vm.as_ref().is_some_and(|vm| vm.deleting);
    match (&seen.vm, failure) {
        // A change that failed is said in its own condition; it does not take a running VM down.
        (Some(_), _) if up && !deleting => ("Running", ready(True, Reason::Running, "the virtual machine runs")),
        (_, Some(failure)) => {
            let failed = matches!(failure.reason, Reason::VmRefused | Reason::Conflict);
            (if failed { "Failed" } else { "Creating" }, ready(False, failure.reason, &failure.message))
        }
        (Some(_), _) if deleting => (
            "Creating",
            ready(False, Reason::Creating, "its VirtualMachine is being deleted, and made again once it is gone"),
        ),
        (Some(_), _) if printable == "CrashLoopBackOff" => ("Failed", ready(False, Reason::VmFailed, &machine.3)),
        (Some(_), _) if printable == "Stopped" => {
            ("Stopped", ready(False, Reason::Stopped, "the virtual machine is stopped"))
        }
        (Some(_), _) if printable == "Stopping" => {
            ("Stopping", ready(False, Reason::Stopping, "the virtual machine is stopping"))
        }
        _ if machine.1 == False && machine.2 == Reason::VmFailed => {
            ("Creating", ready(False, Reason::VmFailed, &machine.3))
        }
        _ if storage.1 == False => ("Creating", ready(False, storage.2, &storage.3)),
        _ => ("Creating", ready(False, Reason::Creating, "waiting until the virtual machine runs")),
    }
}

fn machine_ready(seen: &Observed, failure: Option<&Failure>) -> Said {
    let said = |ready, reason, why: String| Said(Condition::VirtualMachineReady, ready, reason, why);
    if let Some(failure) = failure {
        return said(False, failure.reason, failure.message.clone());
    }
    let Some(vm) = &seen.vm else {
        return said(False, Reason::VmPending, "the VirtualMachine is not there yet".to_owned());
    };
    let unschedulable = seen.vmi.as_ref().and_then(|vmi| vmi.unschedulable.clone());
    let broken = match vm.printable.as_str() {
        "ErrorUnschedulable" => Some(unschedulable.unwrap_or_else(|| "no node of the cluster can run it".to_owned())),
        "CrashLoopBackOff" => Some("the virtual machine crashes again and again".to_owned()),
        other if other.starts_with("Err") || other.ends_with("Error") => Some(format!("KubeVirt reports {other}")),
        _ => vm.failure.clone(),
    };
    match broken {
        Some(why) => said(False, Reason::VmFailed, why),
        None if vm.adopted.is_some() => {
            said(True, Reason::VmCreated, format!("VirtualMachine {} was adopted", vm.name))
        }
        None => said(True, Reason::VmCreated, format!("VirtualMachine {} exists", vm.name)),
    }
}

fn storage_ready(admitted: &Admitted, seen: &Observed) -> Said {
    if adoption::keeps_its_disks(seen) {
        // Its claims are not watched: what they keep from starting says so itself.
        let printable = seen.vm.as_ref().map(|vm| vm.printable.as_str()).unwrap_or_default();
        return match printable {
            "WaitingForVolumeBinding" | "Provisioning" | "ErrorPvcNotFound" | "DataVolumeError" => {
                let why = format!("KubeVirt reports {printable} for the disks that the VM came with");
                Said(Condition::StorageReady, False, Reason::PvcPending, why)
            }
            _ => Said(Condition::StorageReady, True, Reason::PvcBound, "the VM has the disks it came with".to_owned()),
        };
    }
    let names = admitted.sizing.disks.iter().map(|disk| claim_name(&admitted.identity.key.name, &disk.name));
    let open: Vec<String> =
        names.filter(|name| seen.claims.get(name).is_none_or(|claim| claim.phase != "Bound")).collect();
    if open.is_empty() {
        return Said(Condition::StorageReady, True, Reason::PvcBound, "every disk is bound".to_owned());
    }
    Said(Condition::StorageReady, False, Reason::PvcPending, format!("waiting for {}", open.join(", ")))
}

fn network_ready(seen: &Observed) -> Said {
    let addresses = seen.vmi.iter().flat_map(|vmi| &vmi.interfaces).any(|nic| !nic.ips.is_empty());
    if addresses {
        return Said(
            Condition::NetworkReady,
            True,
            Reason::NetworkConfigured,
            "the instance has its addresses".to_owned(),
        );
    }
    Said(Condition::NetworkReady, False, Reason::NetworkPending, "no instance reports an address".to_owned())
}

fn reachable(cluster: &str, recorded: Option<&str>, seen: &Observed) -> Said {
    let said = |ready, reason, why: String| Said(Condition::ClusterReachable, ready, reason, why);
    match &seen.remote {
        Remote::Missing => {
            said(False, Reason::KubevirtConfigMissing, format!("there is no KubevirtConfig {cluster:?}"))
        }
        Remote::Connecting => {
            said(Unknown, Reason::ClusterUnreachable, format!("cluster {cluster:?} was not reached yet"))
        }
        Remote::Unreachable(why) => said(False, Reason::ClusterUnreachable, format!("cluster {cluster:?}: {why}")),
        Remote::Connected { id } if recorded.is_some_and(|recorded| recorded != id) => said(
            False,
            Reason::ClusterIdentityChanged,
            format!(
                "KubevirtConfig {cluster:?} leads to cluster {id}, but the VM was made on {}",
                recorded.unwrap_or_default()
            ),
        ),
        Remote::Connected { .. } => said(True, Reason::ClusterConnected, format!("cluster {cluster:?} answers")),
    }
}

fn leave(next: &mut MachineStatus, leaving: &Leaving, seen: &Observed, failure: Option<&Failure>) -> Vec<Said> {
    next.phase = Some("Terminating".to_owned());
    let name = leaving.cluster.as_ref().map(|cluster| cluster.0.as_str()).unwrap_or_default();
    let reachable = reachable(name, leaving.identity.cluster_id.as_deref(), seen);
    let (reason, why) = match failure {
        Some(failure) => (failure.reason, failure.message.clone()),
        None if leaving.cluster.is_some() && reachable.1 != True => {
            (reachable.2, format!("deletion waits: {}", reachable.3))
        }
        None => (Reason::Terminating, cleanup::waiting_for(leaving, seen)),
    };
    vec![Said(Condition::Ready, False, reason, why), reachable]
}

/// Replaces the conditions, keeping the time of those whose status did not change.
fn conditions(next: &mut MachineStatus, previous: &MachineStatus, said: &[Said], now: &Time) {
    let mut all: Vec<api::Condition> = (said.iter())
        .map(|Said(condition, truth, reason, message)| {
            let status = match truth {
                True => "True",
                False => "False",
                Unknown => "Unknown",
            };
            let before =
                previous.conditions.iter().find(|before| before.type_ == condition.name() && before.status == status);
            api::Condition {
                type_: condition.name().to_owned(),
                status: status.to_owned(),
                reason: reason.code().to_owned(),
                message: message.clone(),
                last_transition_time: before
                    .and_then(|before| before.last_transition_time.clone())
                    .or_else(|| Some(now.clone())),
                observed_generation: next.observed_generation,
            }
        })
        .collect();
    all.sort_by(|a, b| a.type_.cmp(&b.type_));
    next.conditions = all;
}

/// The published fields that repeat the summary.
fn summarize(next: &mut MachineStatus) {
    let ready = next.conditions.iter().find(|condition| condition.type_ == Condition::Ready.name());
    next.message = ready.map(|ready| ready.message.clone());
    let failed = next.phase.as_deref() == Some("Failed");
    next.failure_reason = ready.filter(|_| failed).map(|ready| ready.reason.clone());
    next.failure_message = ready.filter(|_| failed).map(|ready| ready.message.clone());
}
