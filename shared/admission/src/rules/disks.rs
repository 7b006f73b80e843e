//! The disks of a Machine. Pure. C4, C5, X16, X25, X64, KVO9.

use super::ask::Ask;
use super::form::{LABEL_RULE, SUBDOMAIN, invalid, is_label, one_of, shown};
use super::size::shape;
use crate::review::{Disk, Spec};
use model::api::machine::disk::{ACCESS_MODES, VOLUME_MODES};
use model::names::{CLOUD_INIT_DISK, ISO_DISK};
use model::quantity::{self, GIB};
use model::reason::{Reason, Violation};

/// Bounds of a disk in bytes.
const SIZES: std::ops::RangeInclusive<u64> = 1 << 20..=65536 * GIB;

fn disks<'s>(spec: &'s Spec<'_>) -> &'s [Disk<'s>] {
    spec.disks.as_deref().unwrap_or_default()
}

fn at(index: usize, field: &str) -> String {
    format!("spec.disks[{index}].{field}")
}

fn given<'d>(disk: &'d Disk<'_>) -> Option<&'d str> {
    disk.name.as_deref().filter(|name| !name.is_empty())
}

/// What keywords of the schema say.
pub fn keywords(spec: &Spec<'_>, wrong: &mut Vec<Violation>) {
    for (index, disk) in disks(spec).iter().enumerate() {
        if let Some(name) = given(disk).filter(|name| !is_label(name)) {
            wrong.push(invalid(at(index, "name"), name, LABEL_RULE));
        }
        if let Some(size) = &disk.size {
            shape(|| at(index, "size"), size, wrong);
        }
        let numbers = [
            ("sizeGB", disk.size_gb, 0, 65536, 1),
            ("iops", disk.iops, 100, 64000, 100),
            ("throughput", disk.throughput, 125, 4000, 125),
        ];
        for (field, value, least, most, said) in numbers {
            if let Some(value) = value.filter(|value| !(least..=most).contains(value)) {
                let says = format!("Invalid value: {value}: must be between {said} and {most}");
                wrong.push(Reason::FieldInvalid.at(at(index, field)).says(says));
            }
        }
        if let Some(mode) = &disk.access_mode {
            one_of(|| at(index, "accessMode"), mode, &ACCESS_MODES, wrong);
        }
        if let Some(mode) = &disk.volume_mode {
            one_of(|| at(index, "volumeMode"), mode, &VOLUME_MODES, wrong);
        }
        if let Some(class) = disk.storage_class.as_deref().filter(|class| class.chars().count() > SUBDOMAIN) {
            wrong.push(invalid(at(index, "storageClass"), class, "must have at most 253 characters"));
        }
    }
}

/// Two entries of one name would be one claim, attached twice.
pub fn unique(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    let disks = disks(&ask.object.spec);
    for (index, disk) in disks.iter().enumerate() {
        let Some(name) = given(disk) else { continue };
        if let Some(first) = disks[..index].iter().position(|other| given(other) == Some(name)) {
            wrong.push(
                Reason::FieldDuplicate
                    .at(at(index, "name"))
                    .says(format!("Duplicate value: {:?}: {says}; spec.disks[{first}] has that name", shown(name))),
            );
        }
    }
}

/// A disk without a name is called after its place, which another may have as its name (KVO9).
pub fn standing_in(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    let disks = disks(&ask.object.spec);
    for (index, disk) in disks.iter().enumerate().filter(|(_, disk)| given(disk).is_none()) {
        let name = disk.called(index);
        if let Some(other) = disks.iter().position(|other| given(other) == Some(&*name)) {
            wrong.push(
                Reason::FieldDuplicate
                    .at(at(index, "name"))
                    .says(format!("Duplicate value: {name:?}: {says}; spec.disks[{other}] has that name")),
            );
        }
    }
}

/// Two boot disks would leave the order to chance.
pub fn boot(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    let mut boots = disks(&ask.object.spec).iter().enumerate().filter(|(_, disk)| disk.boot == Some(true));
    let Some((first, _)) = boots.next() else { return };
    for (index, _) in boots {
        wrong.push(
            Reason::FieldInvalid
                .at(at(index, "boot"))
                .says(format!("Invalid value: true: {says}; spec.disks[{first}] is the boot disk already")),
        );
    }
}

/// The volume of the cloud-init data is no disk of the Machine's.
pub fn reserved(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    refuse_name(ask, CLOUD_INIT_DISK, says, wrong);
}

/// Nor is the CD-ROM.
pub fn iso(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    let uri = ask.object.spec.os.as_ref().and_then(|os| os.iso_uri.as_deref());
    if uri.is_some_and(|uri| !uri.is_empty()) {
        refuse_name(ask, ISO_DISK, says, wrong);
    }
}

fn refuse_name(ask: &Ask<'_>, name: &str, says: &str, wrong: &mut Vec<Violation>) {
    for (index, _) in disks(&ask.object.spec).iter().enumerate().filter(|(_, disk)| given(disk) == Some(name)) {
        wrong.push(invalid(at(index, "name"), name, says));
    }
}

/// Two forms of one size.
pub fn agree(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    for (index, disk) in disks(&ask.object.spec).iter().enumerate() {
        if let (Some(size), Some(gib)) = (&disk.size, disk.size_gb.filter(|gib| *gib != 0))
            && size.bytes().is_ok_and(|bytes| disk.gib() != Some(bytes))
        {
            wrong.push(
                Reason::SizingConflict
                    .at(at(index, "size"))
                    .says(format!("is {}, but sizeGB is {gib} (GiB): keep one of them: {says}", size.shown())),
            );
        }
    }
}

/// Bounds of a size.
pub fn bounds(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    for (index, disk) in disks(&ask.object.spec).iter().enumerate() {
        if let Some(bytes) =
            disk.size.as_ref().and_then(|size| size.bytes().ok()).filter(|bytes| !SIZES.contains(bytes))
        {
            let says = format!("Invalid value: \"{}\": {says}", quantity::shown(bytes));
            wrong.push(Reason::FieldInvalid.at(at(index, "size")).says(says));
        }
    }
}
