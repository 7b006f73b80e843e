//! Machine type and firmware. Pure. C9, X45, X72, X79.

use super::ask::Ask;
use super::form::{invalid, shown};
use crate::review::{Bootloader, Spec};
use model::reason::{Reason, Violation};

/// Longest machine type.
const TYPE: usize = 63;
const DOMAIN_TYPE: &str = "spec.domain.machine.type";
const PUBLISHED_TYPE: &str = "spec.machineType";

/// What keywords of the schema say.
pub fn keywords(spec: &Spec<'_>, wrong: &mut Vec<Violation>) {
    let [new, published] = types(spec);
    for (path, kind) in [(DOMAIN_TYPE, new), (PUBLISHED_TYPE, published)] {
        if let Some(kind) = kind.filter(|kind| kind.chars().count() > TYPE) {
            wrong.push(invalid(path.to_owned(), kind, "must have at most 63 characters"));
        }
    }
}

/// The machine type in both of its forms; empty is unset.
fn types<'s>(spec: &'s Spec<'_>) -> [Option<&'s str>; 2] {
    let new = spec.domain.as_ref().and_then(|domain| domain.machine.as_ref()?.kind.as_deref());
    [new, spec.machine_type.as_deref()].map(|kind| kind.filter(|kind| !kind.is_empty()))
}

/// Where the machine type stands, and what it is.
pub fn machine_type<'s>(spec: &'s Spec<'_>) -> Option<(&'static str, &'s str)> {
    let [new, published] = types(spec);
    new.map(|kind| (DOMAIN_TYPE, kind)).or(published.map(|kind| (PUBLISHED_TYPE, kind)))
}

/// Two forms of one setting.
pub fn types_agree(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    if let [Some(new), Some(published)] = types(&ask.object.spec)
        && new != published
    {
        wrong.push(Reason::SizingConflict.at(PUBLISHED_TYPE).says(format!(
            "is {:?}, but {DOMAIN_TYPE} is {:?}: keep one of them: {says}",
            shown(published),
            shown(new)
        )));
    }
}

fn bootloader(spec: &Spec<'_>) -> Bootloader {
    let firmware = spec.domain.as_ref().and_then(|domain| domain.firmware);
    firmware.and_then(|firmware| firmware.bootloader).unwrap_or_default()
}

fn secure(spec: &Spec<'_>) -> bool {
    bootloader(spec).secure_boot == Some(true)
}

/// BIOS has no secure boot.
pub fn secure_boot_needs_efi(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    let loader = bootloader(&ask.object.spec);
    if loader.secure_boot == Some(true) && loader.efi != Some(true) {
        let found = loader.efi.map_or("unset", |_| "false");
        wrong.push(
            Reason::FieldInvalid
                .at("spec.domain.firmware.bootloader.secureBoot")
                .says(format!("Invalid value: true: {says}, and efi is {found}")),
        );
    }
}

/// The keys of secure boot are kept where the guest cannot write (X72).
pub fn secure_boot_needs_smm(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    let spec = &ask.object.spec;
    let features = spec.domain.as_ref().and_then(|domain| domain.features).unwrap_or_default();
    if secure(spec) && features.smm == Some(false) {
        wrong.push(Reason::FieldInvalid.at("spec.domain.features.smm").says(format!("Invalid value: false: {says}")));
    }
}

/// Only the board q35 has system management mode.
pub fn secure_boot_needs_q35(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    let spec = &ask.object.spec;
    if let Some((path, kind)) = machine_type(spec).filter(|(_, kind)| secure(spec) && !kind.contains("q35")) {
        wrong.push(invalid(path.to_owned(), kind, says));
    }
}
