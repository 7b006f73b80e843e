//! Rules about a Machine alone: every one is run, and every violation is reported. Pure.
//!
//! The CRD's schema and CEL say the same for the time the webhook is away (X55).

use super::Policy;
use super::review::{Object, Text};
use super::sizing::disks::disk_name;
use crate::reason::{Reason, Violation, nearest};

const ACCESS_MODES: [&str; 3] = ["ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany"];
const VOLUME_MODES: [&str; 2] = ["Filesystem", "Block"];
const RUN_STRATEGIES: [&str; 5] = ["Always", "Halted", "Manual", "RerunOnFailure", "Once"];
/// What a DNS label, and so a VM's hostname and most label values, may have.
const LABEL: usize = 63;

/// Runs every rule.
pub fn check(object: &Object<'_>, policy: &Policy, wrong: &mut Vec<Violation>) {
    name(object, policy, wrong);
    let spec = &object.spec;
    if let Some(strategy) = &spec.run_strategy {
        one_of("spec.runStrategy".to_owned(), strategy, &RUN_STRATEGIES, wrong);
    }
    let mut seen = std::collections::BTreeMap::new();
    let mut boots = None;
    for (index, disk) in spec.disks.as_deref().unwrap_or_default().iter().enumerate() {
        let at = |field: &str| format!("spec.disks[{index}].{field}");
        let name = disk_name(disk, index);
        if !is_label(&name) {
            wrong.push(Reason::FieldInvalid.at(at("name")).says(format!("Invalid value: {name:?}: {LABEL_RULE}")));
        }
        if let Some(first) = seen.insert(name.clone(), index) {
            wrong.push(
                Reason::FieldDuplicate
                    .at(at("name"))
                    .says(format!("Duplicate value: {name:?}: spec.disks[{first}] has that name")),
            );
        }
        if disk.boot == Some(true)
            && let Some(first) = boots.replace(index)
        {
            wrong.push(
                Reason::FieldInvalid
                    .at(at("boot"))
                    .says(format!("Invalid value: true: spec.disks[{first}] is the boot disk already; one may be")),
            );
        }
        if let Some(mode) = &disk.access_mode {
            one_of(at("accessMode"), mode, &ACCESS_MODES, wrong);
        }
        if let Some(mode) = &disk.volume_mode {
            one_of(at("volumeMode"), mode, &VOLUME_MODES, wrong);
        }
    }
}

const LABEL_RULE: &str =
    "must be lower-case letters, digits and '-', begin and end with a letter or digit, and have at most 63 characters";

/// The name of a Machine becomes the name of its VM; under `generateName` it is judged by the validating call (X77).
fn name(object: &Object<'_>, policy: &Policy, wrong: &mut Vec<Violation>) {
    let Some(name) = object.metadata.name.as_deref().filter(|name| !name.is_empty()) else { return };
    let most = LABEL.saturating_sub(policy.vm_prefix.len());
    if name.len() > most {
        wrong.push(Reason::FieldInvalid.at("metadata.name").says(format!(
            "Invalid value: {name:?}: has {} characters, may have {most}: its VM is {}NAME, and KubeVirt allows {LABEL}",
            name.len(),
            policy.vm_prefix
        )));
    } else if !is_label(name) {
        wrong.push(Reason::FieldInvalid.at("metadata.name").says(format!("Invalid value: {name:?}: {LABEL_RULE}")));
    }
}

fn is_label(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.len() <= LABEL && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

fn one_of(path: String, value: &Text<'_>, allowed: &[&str], wrong: &mut Vec<Violation>) {
    if value.is_empty() || allowed.contains(&&**value) {
        return;
    }
    let near =
        nearest(value, allowed.iter().copied()).map(|near| format!(" (did you mean {near:?}?)")).unwrap_or_default();
    let shown: String = value.chars().take(64).collect();
    wrong.push(
        Reason::FieldNotSupported
            .at(path)
            .says(format!("Unsupported value: {shown:?}: supported values: {}{near}", allowed.join(", "))),
    );
}

/// X62: a Machine that is taken away from us would leave its VM behind.
pub fn provider_changed(object: &Object<'_>) -> Violation {
    let provider = object.spec.provider.as_deref().unwrap_or_default();
    Reason::ProviderImmutable.at("spec.provider").says(format!(
        "Forbidden: changing it to {provider:?} would abandon the VM; delete the Machine with the annotation vitistack.io/deletion-policy: Orphan instead"
    ))
}

/// Warns of what is set and has no effect, a few fields a line: a warning is cut at 256 bytes.
pub fn warn(object: &Object<'_>, warnings: &mut Vec<String>) {
    let spec = &object.spec;
    let disks = spec.disks.as_deref().unwrap_or_default().iter().enumerate();
    let fields: Vec<String> = (spec.rest.iter().map(|key| format!("spec.{}", &**key)))
        .chain(
            disks.flat_map(|(index, disk)| disk.rest.iter().map(move |key| format!("spec.disks[{index}].{}", &**key))),
        )
        .collect();
    for some in fields.chunks(6) {
        warnings.push(format!("accepted, but without effect yet: {}", some.join(", ")));
    }
}
