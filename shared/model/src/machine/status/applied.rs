//! Whether everything that a Machine asks for has its effect. Pure. FR19, X74.

use serde_json::Value;

use super::super::intent::Admitted;
use super::super::observed::Observed;
use super::super::write::Failure;
use super::super::{adoption, drift, restart, storage, vm};
use super::conditions::Statement;
use super::conditions::Truth::{False, True};
use crate::api::MachineSpec;
use crate::reason::{Condition, Reason};

/// Fields of the published Machine that mean nothing to KubeVirt, below `spec`; `[]` stands for every entry of a list.
const WITHOUT_EFFECT: [&str; 21] = [
    "tags",
    "securityGroups",
    "backup",
    "monitoring",
    "providerConfig",
    "os.architecture",
    "os.distribution",
    "os.family",
    "os.imageFamily",
    "os.version",
    "network.assignPublicIP",
    "network.interfaces",
    "network.privateIP",
    "network.publicIP",
    "network.subnet",
    "network.vpc",
    "disks[].device",
    "disks[].encrypted",
    "disks[].iops",
    "disks[].throughput",
    "disks[].type",
];

/// The fields of a spec that are set and have no effect on KubeVirt.
fn without_effect(spec: &MachineSpec) -> Vec<&'static str> {
    let spec = serde_json::to_value(spec).unwrap_or_default();
    WITHOUT_EFFECT.into_iter().filter(|path| is_set(&spec, path)).collect()
}

fn is_set(spec: &Value, path: &str) -> bool {
    if let Some((list, field)) = path.split_once("[].") {
        return spec[list].as_array().into_iter().flatten().any(|entry| is_set(entry, field));
    }
    let at = path.split('.').fold(spec, |at, name| &at[name]);
    let empty = at.as_array().is_some_and(Vec::is_empty) || at.as_object().is_some_and(serde_json::Map::is_empty);
    !at.is_null() && !empty
}

/// Said as soon as there is a VM.
pub(super) fn describe(admitted: &Admitted, seen: &Observed, failure: Option<&Failure>) -> Option<Statement> {
    let machine = seen.vm.as_ref()?;
    let mut missing = Vec::new();
    missing.extend(failure.map(|failure| failure.message.clone()));
    missing.extend(restart::waiting(machine));
    missing.extend(seen.vmi.as_ref().and_then(restart::moving));
    if vm::is_unmanaged(admitted) {
        missing.push("the VirtualMachine is left alone, as the annotation mode: unmanaged says".to_owned());
    }
    missing.extend(drift::paused_now(seen));
    if !adoption::keeps_its_disks(seen) {
        missing.extend(storage::not_as_asked(admitted, seen).filter(|why| !missing.contains(why)));
    }
    let alone = storage::unmanaged(admitted);
    if !alone.is_empty() {
        missing.push(format!(
            "the claims of these disks are left alone, as the annotations mode.disk.NAME: unmanaged say: {}",
            alone.join(", ")
        ));
    }
    if adoption::keeps_its_disks(seen) {
        missing.push("the VirtualMachine was adopted: it keeps the disks, networks, firmware and cloud-init data that it came with".to_owned());
    }
    let ignored = without_effect(&admitted.spec);
    if !ignored.is_empty() {
        missing.push(format!("without effect on KubeVirt: spec.{}", ignored.join(", spec.")));
    }
    let (truth, reason) = if missing.is_empty() {
        missing.push("everything that the Machine asks for is carried out".to_owned());
        (True, Reason::SpecApplied)
    } else {
        (False, Reason::SpecPartlyApplied)
    };
    missing.extend(left_to_others(admitted));
    Some(Statement::new(Condition::SpecApplied, truth, reason, missing.join("; ")))
}

/// The fields that the author leaves to others: these may have any value, and the Machine is as it was asked for.
fn left_to_others(admitted: &Admitted) -> Option<String> {
    let patches = admitted.patches.as_ref().ok()?;
    let disks = patches.disks.iter().map(|(disk, patch)| (format!(" of the claim of disk {disk}"), patch));
    let ignored: Vec<String> = std::iter::once((String::new(), &patches.vm))
        .chain(disks)
        .flat_map(|(of, patch)| patch.ignored_fields().into_iter().map(move |field| format!("{field}{of}")))
        .collect();
    (!ignored.is_empty()).then(|| format!("left to others, as ignore-fields says: {}", ignored.join(", ")))
}
