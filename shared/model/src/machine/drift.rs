//! What others changed of a VM or a claim, in words. Pure. X88, X96.

use super::intent::Admitted;
use super::observed::Observed;
use super::write::Kind;
use crate::baseline::Drift;
use crate::baseline::war::{PAUSED, Turn};
use crate::names::{PATCH_PREFIXES, RECONCILE_PAUSED, disk_of_claim};

/// Power is declared, or left to the cluster's own tools.
const POWER: [&str; 2] = ["spec.runStrategy", "spec.running"];

/// The fields that differ.
pub fn fields(drift: &[Drift]) -> Vec<String> {
    drift.iter().map(|drift| drift.field.clone()).collect()
}

/// What [`PAUSED`] says: on the Machine, else on the object.
pub fn mark(admitted: &Admitted, on_object: Option<bool>) -> Option<bool> {
    let said = PATCH_PREFIXES.iter().find_map(|prefix| admitted.words.get(&format!("{prefix}{RECONCILE_PAUSED}")));
    said.and_then(|said| said.parse().ok()).or(on_object)
}

/// What was set back of an object, for the Event. `machine` is the name of its Machine.
pub fn corrected(machine: &str, kind: Kind, name: &str, drift: &[Drift]) -> String {
    let told: Vec<String> = drift
        .iter()
        .map(|drift| match &drift.by {
            Some(by) => format!("{} (changed by {by})", drift.field),
            None => drift.field.clone(),
        })
        .collect();
    let power = drift.iter().any(|drift| POWER.contains(&drift.field.as_str()));
    let told = told.join(", ");
    if kind == Kind::Claim {
        let disk = disk_of_claim(machine, name).unwrap_or("NAME");
        return format!(
            "set back to what the Machine says, on PersistentVolumeClaim {name}: {told}: change the Machine instead, or name the field in its annotation platform.kubevirt.io/ignore-fields.disk.{disk}"
        );
    }
    let next = if power {
        "set spec.runStrategy of the Machine to what it should be, such as Halted, or leave it out to let virtctl decide"
    } else {
        "change the Machine instead, or name the field in its annotation platform.kubevirt.io/ignore-fields"
    };
    format!("set back to what the Machine says: {told}: {next}")
}

/// Why nothing of an object is set back any more.
fn paused(object: &str, field: &str) -> String {
    format!(
        "{field} is changed again each time that it is set back, so nothing of the {object} is set back any more: find out who changes it, then take the annotation {PAUSED} off the {object}, or set it to \"false\" on the Machine to go on at once"
    )
}

/// Why nothing is set back from now on: a sentence for each object of which that begins to be so.
pub fn pauses(seen: &Observed) -> Vec<String> {
    let claims = seen.claim_turns.iter().map(|(name, turn)| (format!("PersistentVolumeClaim {name}"), turn));
    let all = std::iter::once(("VirtualMachine".to_owned(), &seen.turn)).chain(claims);
    all.filter_map(|(object, turn)| if let Turn::Pause(field) = turn { Some(paused(&object, field)) } else { None })
        .collect()
}

/// What stays as others changed it, because each correction was undone.
pub(super) fn paused_now(seen: &Observed) -> Vec<String> {
    let vm = seen.vm.iter().map(|vm| ("the VirtualMachine".to_owned(), &seen.turn, &vm.drift));
    let claims = seen.claim_turns.iter().filter_map(|(name, turn)| {
        Some((format!("PersistentVolumeClaim {name}"), turn, &seen.claims.get(name)?.drift))
    });
    let say = |(object, turn, drift): (String, &Turn, &Vec<Drift>)| {
        let first = drift.first().filter(|_| matches!(turn, Turn::Paused | Turn::Pause(_)))?;
        let by = first.by.as_ref().map(|by| format!(", now by {by}")).unwrap_or_default();
        Some(format!("corrections of {object} are paused, because {} is changed again each time{by}", first.field))
    };
    vm.chain(claims).filter_map(say).collect()
}
