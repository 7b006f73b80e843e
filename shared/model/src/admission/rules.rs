//! Rules about a Machine alone: every one is run, and every violation is reported. Pure.
//!
//! The CRD's schema and CEL say the same for the time the webhook is away (X55).

use super::Policy;
use super::review::{Amount, Annotations, Disk, Object, Text};
use super::sizing::disks::disk_name;
use crate::machine::DELETION_POLICIES;
use crate::reason::{Reason, Violation, nearest};

const ACCESS_MODES: [&str; 3] = ["ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany"];
const VOLUME_MODES: [&str; 2] = ["Filesystem", "Block"];
const RUN_STRATEGIES: [&str; 5] = ["Always", "Halted", "Manual", "RerunOnFailure", "Once"];
/// What a DNS label, and so a VM's hostname and most label values, may have.
const LABEL: usize = 63;

/// Longest of any text that is judged; nothing that names an object may be longer.
const TEXT: usize = 253;
/// Most disks, as in the CRD (X55).
const DISKS: usize = 256;

/// What would make judging slow, judged first and alone: the API server checks the schema only after admission.
pub fn oversized(object: &Object<'_>) -> Option<Violation> {
    let spec = &object.spec;
    let disks = spec.disks.as_deref().unwrap_or_default();
    if disks.len() > DISKS {
        let says = format!("Too many: {}: must have at most {DISKS} items", disks.len());
        return Some(Reason::FieldInvalid.at("spec.disks").says(says));
    }
    let annotation =
        |which: fn(&Annotations<'_>) -> Option<usize>| object.metadata.annotations.as_ref().and_then(which);
    let text = |text: &Option<Text<'_>>| text.as_ref().map(|text| text.len());
    let reference = spec.kubevirt_config_ref.as_ref().and_then(|reference| text(&reference.name));
    let lengths = [
        ("spec.template", text(&spec.template)),
        ("spec.instanceType", text(&spec.instance_type)),
        ("spec.machineClass", text(&spec.machine_class)),
        ("spec.provider", text(&spec.provider)),
        ("spec.runStrategy", text(&spec.run_strategy)),
        ("spec.kubevirtConfigRef.name", reference),
        (
            "metadata.annotations[vitistack.io/kubevirt-config]",
            annotation(|all| all.kubevirt_config.as_ref().map(|it| it.len())),
        ),
        (
            "metadata.annotations[vitistack.io/deletion-policy]",
            annotation(|all| all.deletion_policy.as_ref().map(|it| it.len())),
        ),
    ];
    let long = lengths.into_iter().find(|(_, length)| length.is_some_and(|length| length > TEXT));
    let long = long.map(|(path, length)| (path.to_owned(), length));
    let long = long.or_else(|| {
        let longest = |disk: &Disk<'_>| {
            let texts = [&disk.name, &disk.storage_class, &disk.access_mode, &disk.volume_mode];
            texts.into_iter().filter_map(text).chain(disk.size.as_ref().and_then(Amount::length)).max()
        };
        let long = disks.iter().map(longest).enumerate().find(|(_, length)| length.is_some_and(|length| length > TEXT));
        long.map(|(index, length)| (format!("spec.disks[{index}]"), length))
    });
    let (path, length) = long?;
    let says = format!("Too long: {} bytes: must have at most {TEXT}", length.unwrap_or_default());
    Some(Reason::FieldInvalid.at(path).says(says))
}

/// An unknown word would be taken for a wish to delete, so it is refused, also while the Machine goes (X57).
pub fn deletion_policy(object: &Object<'_>, wrong: &mut Vec<Violation>) {
    let policy = object.metadata.annotations.as_ref().and_then(|all| all.deletion_policy.as_ref());
    if let Some(policy) = policy {
        one_of("metadata.annotations[vitistack.io/deletion-policy]".to_owned(), policy, &DELETION_POLICIES, wrong);
    }
}

/// Runs every rule.
pub fn check(object: &Object<'_>, old: Option<&Object<'_>>, policy: &Policy, wrong: &mut Vec<Violation>) {
    // A name cannot be corrected, and the VM of a Machine that exists has its name already.
    if old.is_none() {
        name(object, policy, wrong);
    }
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
    const FIELDS: usize = 6;
    let spec = &object.spec;
    let mut named = 0;
    let mut name = |path: &str, key: &str| {
        if named % FIELDS == 0 {
            let mut line = String::with_capacity(256);
            line.push_str("accepted, but without effect yet: ");
            warnings.push(line);
        }
        if let Some(line) = warnings.last_mut() {
            line.push_str(if named % FIELDS == 0 { "" } else { ", " });
            line.push_str(path);
            line.push_str(key);
        }
        named += 1;
    };
    for key in &spec.rest {
        name("spec.", key);
    }
    for (index, disk) in
        spec.disks.as_deref().unwrap_or_default().iter().enumerate().filter(|(_, it)| !it.rest.is_empty())
    {
        let path = format!("spec.disks[{index}].");
        for key in &disk.rest {
            name(&path, key);
        }
    }
}
