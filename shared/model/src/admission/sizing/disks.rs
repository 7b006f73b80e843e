//! The disks of a Machine: those of its size and those of its spec, merged by name. Pure. C14, C15, X23, X64.

use std::borrow::Cow;

use super::super::Policy;
use super::super::quantity::{self, GIB};
use super::super::review::{Disk, Spec, Text};
use super::super::rules;
use super::base::Base;
use super::{SizedDisk, Sizing};
use crate::reason::{Reason, Violation};

const ROOT: &str = "root";

/// The template's root and the spec's disks, merged by name (C15).
pub fn merge(spec: &Spec<'_>, base: &Base, policy: &Policy, wrong: &mut Vec<Violation>) -> Option<Vec<SizedDisk>> {
    let before = wrong.len();
    let fresh = |name: &str| SizedDisk {
        name: name.to_owned(),
        size: String::new(),
        storage_class: None,
        access_mode: policy.access_mode.clone(),
        volume_mode: policy.volume_mode.clone(),
        boot: false,
    };
    let mut out: Vec<SizedDisk> = Vec::new();
    if let Some(size) = base.root {
        out.push(SizedDisk { size: size.to_owned(), storage_class: Some("default".to_owned()), ..fresh(ROOT) });
    }
    for (index, disk) in spec.disks.as_deref().unwrap_or_default().iter().enumerate() {
        let name = disk_name(disk, index);
        let at = out.iter().position(|known| known.name == name).unwrap_or_else(|| {
            out.push(fresh(&name));
            out.len() - 1
        });
        let merged = &mut out[at];
        let given = disk.size.is_some() || disk.size_gb.is_some_and(|size| size != 0);
        match disk_size(disk) {
            Some(size) => merged.size = size,
            None if merged.size.is_empty() && !given => {
                wrong.push(
                    Reason::FieldRequired
                        .at(format!("spec.disks[{index}].size"))
                        .says(format!("Required value: disk {name:?} needs a size such as \"20Gi\"")),
                );
            }
            None => {}
        }
        let text =
            |value: &Option<Text<'_>>| value.as_ref().filter(|text| !text.is_empty()).map(|text| (**text).to_owned());
        merged.storage_class = text(&disk.storage_class).or(merged.storage_class.take());
        merged.access_mode = text(&disk.access_mode).unwrap_or_else(|| std::mem::take(&mut merged.access_mode));
        merged.volume_mode = text(&disk.volume_mode).or(merged.volume_mode.take());
        merged.boot = disk.boot.unwrap_or(merged.boot);
    }
    (wrong.len() == before).then_some(out)
}

/// The name of a disk; the published API leaves it optional, and then the place in the list stands in.
pub fn disk_name<'d>(disk: &'d Disk<'_>, index: usize) -> Cow<'d, str> {
    match disk.name.as_deref() {
        Some(name) if !name.is_empty() => Cow::Borrowed(name),
        _ if index == 0 => Cow::Borrowed(ROOT),
        _ => Cow::Owned(format!("disk{index}")),
    }
}

/// What an edit may not do to the disks of a Machine that may have them already: take one away, or make it smaller.
pub fn compare(before: &Sizing, after: &Sizing, wrong: &mut Vec<Violation>, warnings: &mut Vec<String>) {
    for disk in &before.disks {
        let bytes = |disk: &SizedDisk| quantity::parse(&disk.size).unwrap_or_default();
        let (name, size) = (&disk.name, &disk.size);
        match after.disks.iter().find(|other| other.name == *name) {
            None => wrong.push(Reason::FieldForbidden.at("spec.disks").says(format!(
                "Forbidden: disk {name:?} would be taken away from the machine: keep it with {{name: {name}, size: {size}}}"
            ))),
            Some(now) if bytes(now) < bytes(disk) => wrong.push(Reason::FieldForbidden.at("spec.disks").says(format!(
                "Forbidden: disk {name:?} has {size} and cannot shrink to {}: a disk only grows",
                now.size
            ))),
            Some(now) if bytes(now) > bytes(disk) => {
                warnings.push(format!("disk {name:?}: its claim is not resized yet, it stays at {size}"));
            }
            Some(_) => {}
        }
    }
}

/// The size of a disk, unless the rules refuse it; one in GiB means unset where it is 0 (X79).
fn disk_size(disk: &Disk<'_>) -> Option<String> {
    let gib = || u64::try_from(disk.size_gb.filter(|size| *size != 0)?).ok()?.checked_mul(GIB);
    let bytes = match &disk.size {
        Some(size) => rules::size::bytes(size),
        None => gib(),
    };
    bytes.map(quantity::canonical)
}
