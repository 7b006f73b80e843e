//! The phase of a Machine, and whether it is as it was declared. Pure. C21, C26, X18, X19, X95.

use super::super::intent::Admitted;
use super::super::observed::Observed;
use super::super::write::Failure;
use super::conditions::Statement;
use super::conditions::Truth::{self, False, True};
use crate::reason::{Condition, Reason, ShownIn};

/// Phase and `Ready` of a Machine whose cluster answers.
pub(super) fn derive(
    admitted: &Admitted,
    seen: &Observed,
    storage: &Statement,
    vm: &Statement,
    failure: Option<&Failure>,
) -> (&'static str, Statement) {
    let ready = |ready, reason, why: &str| Statement::new(Condition::Ready, ready, reason, why);
    let printable = seen.vm.as_ref().map(|vm| vm.printable.as_str()).unwrap_or_default();
    // KubeVirt's word lags behind its instance: it runs once both say so. Migrating and paused VMs run, too.
    let starting = matches!(printable, "Starting" | "Provisioning" | "WaitingForVolumeBinding");
    let ending = matches!(printable, "Stopped" | "Stopping" | "Terminating");
    let up = seen.vmi.as_ref().is_some_and(|vmi| vmi.phase == "Running" && vmi.ready) && !starting && !ending;
    let deleting = seen.vm.as_ref().is_some_and(|vm| vm.deleting);
    match (&seen.vm, failure) {
        // A disk without its content is no disk as declared, whatever still runs (FR19).
        (Some(_), _) if up && !deleting && is_without_content(storage.reason) => {
            ("Running", ready(False, storage.reason, &storage.why))
        }
        (Some(_), Some(failure)) if up && lacks_a_part(failure, admitted, seen) => {
            ("Running", ready(False, failure.reason, &failure.message))
        }
        // A change that failed is said in its own condition; it does not take a running VM down.
        (Some(_), _) if up && !deleting && wants(admitted, seen) == "Halted" => {
            ("Stopping", ready(False, Reason::Stopping, "the virtual machine still runs, and is to be stopped"))
        }
        (Some(_), _) if up && !deleting => ("Running", ready(True, Reason::Running, "the virtual machine runs")),
        (_, Some(failure)) => {
            let failed = matches!(failure.reason, Reason::VmRefused | Reason::Conflict | Reason::PatchRefused);
            let phase = match printable {
                _ if failed => "Failed",
                "Stopped" => "Stopped",
                "Stopping" => "Stopping",
                _ => "Creating",
            };
            (phase, ready(False, failure.reason, &failure.message))
        }
        (Some(_), _) if deleting => (
            "Creating",
            ready(False, Reason::Creating, "its VirtualMachine is being deleted, and made again once it is gone"),
        ),
        (Some(_), _) if printable == "CrashLoopBackOff" => ("Failed", ready(False, Reason::VmFailed, &vm.why)),
        (Some(vm), _) if vm.restarting && ending && wants(admitted, seen) == "Always" => {
            ("Stopping", ready(False, Reason::Stopping, "the virtual machine restarts, as somebody asked for"))
        }
        (Some(_), _) if printable == "Stopped" => {
            let (as_declared, why) = stopped(wants(admitted, seen));
            ("Stopped", ready(as_declared, Reason::Stopped, &why))
        }
        (Some(_), _) if printable == "Stopping" => {
            ("Stopping", ready(False, Reason::Stopping, "the virtual machine is stopping"))
        }
        _ if vm.truth == False && matches!(vm.reason, Reason::VmFailed | Reason::Unmanaged) => {
            ("Creating", ready(False, vm.reason, &vm.why))
        }
        _ if storage.truth == False => ("Creating", ready(False, storage.reason, &storage.why)),
        _ => ("Creating", ready(False, Reason::Creating, "waiting until the virtual machine runs")),
    }
}

const fn is_without_content(reason: Reason) -> bool {
    matches!(reason, Reason::DiskLost | Reason::ImportInProgress | Reason::ImportFailed)
}

/// A disk has no content yet, or the instance lacks an interface: a guest that runs without it is not what was asked for (FR19).
fn lacks_a_part(failure: &Failure, admitted: &Admitted, seen: &Observed) -> bool {
    let has =
        |name: &String| seen.vmi.iter().flat_map(|vmi| &vmi.interfaces).any(|nic| nic.name.as_ref() == Some(name));
    match failure.reason.shown_in() {
        ShownIn::Machine(Condition::StorageReady) => true,
        ShownIn::Machine(Condition::NetworkReady) => admitted.spec.networks.iter().any(|network| !has(&network.name)),
        _ => false,
    }
}

/// The run strategy that counts: the declared one, else the cluster's (X96).
fn wants<'o>(admitted: &'o Admitted, seen: &'o Observed) -> &'o str {
    let live = seen.vm.as_ref().and_then(|vm| vm.run_strategy.as_deref());
    match live {
        Some(live) if !admitted.power_declared => live,
        _ => &admitted.run_strategy,
    }
}

/// Whether a stopped VM is as it was declared.
fn stopped(strategy: &str) -> (Truth, String) {
    match strategy {
        "Always" => (False, "the virtual machine is stopped, and runStrategy is Always".to_owned()),
        _ => (True, format!("the virtual machine is stopped, as runStrategy {strategy} allows")),
    }
}
