//! What others changed of a VM, in words. Pure. X88, X96.

use super::intent::Admitted;
use super::observed::Vm;
use crate::baseline::Drift;
use crate::baseline::war::PAUSED;
use crate::names::{PATCH_PREFIXES, RECONCILE_PAUSED};

/// Power is declared, or left to the cluster's own tools.
const POWER: [&str; 2] = ["spec.runStrategy", "spec.running"];

/// The fields that differ.
pub fn fields(drift: &[Drift]) -> Vec<String> {
    drift.iter().map(|drift| drift.field.clone()).collect()
}

/// What [`PAUSED`] says: on the Machine, else on the VM.
pub fn mark(admitted: &Admitted, vm: &Vm) -> Option<bool> {
    let said = PATCH_PREFIXES.iter().find_map(|prefix| admitted.words.get(&format!("{prefix}{RECONCILE_PAUSED}")));
    said.and_then(|said| said.parse().ok()).or(vm.paused)
}

/// What was set back, for the Event.
pub fn corrected(drift: &[Drift]) -> String {
    let told: Vec<String> = drift
        .iter()
        .map(|drift| match &drift.by {
            Some(by) => format!("{} (changed by {by})", drift.field),
            None => drift.field.clone(),
        })
        .collect();
    let power = drift.iter().any(|drift| POWER.contains(&drift.field.as_str()));
    let next = if power {
        "set spec.runStrategy of the Machine to what it should be, such as Halted, or leave it out to let virtctl decide"
    } else {
        "change the Machine instead, or name the field in its annotation platform.kubevirt.io/ignore-fields"
    };
    format!("set back to what the Machine says: {}: {next}", told.join(", "))
}

/// Why nothing is set back any more.
pub fn paused(field: &str) -> String {
    format!(
        "{field} is changed again each time that it is set back, so nothing of the VirtualMachine is set back any more: find out who changes it, then take the annotation {PAUSED} off the VirtualMachine, or set it to \"false\" on the Machine to go on at once"
    )
}
