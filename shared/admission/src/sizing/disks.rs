//! The disks of a Machine: those of its size and those of its spec, merged by name. Pure. C14, C15, X23, X64.

use model::message::{SizedDisk, Sizing, said};
use model::quantity;
use model::reason::{Reason, Violation};

use super::base::Base;
use crate::findings::Findings;
use crate::review::size::ROOT;
use crate::review::{Object, Spec, Text};
use crate::world::Policy;

/// The template's root and the spec's disks, merged by name (C15).
pub(super) fn merge(
    spec: &Spec<'_>,
    base: &Base,
    policy: &Policy,
    wrong: &mut Vec<Violation>,
) -> Option<Vec<SizedDisk>> {
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
        let name = disk.called(index);
        let at = out.iter().position(|known| known.name == name).unwrap_or_else(|| {
            out.push(fresh(&name));
            out.len() - 1
        });
        let merged = &mut out[at];
        let given = disk.size.is_some() || disk.size_gb.is_some_and(|size| size != 0);
        match disk.bytes() {
            Some(bytes) => merged.size = quantity::canonical(bytes),
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

/// How much a disk has that the Machine was given before: as its status says it was made, and as it was asked for where that
/// says nothing of any claim, as one that an older operator wrote does. None where it was never made, so that it can still
/// be taken back (FR2).
fn made(before: &SizedDisk, old: &Object<'_>) -> Option<u64> {
    let disks = old.status.as_ref().and_then(|status| status.disks.as_deref()).unwrap_or_default();
    if disks.iter().all(|disk| said(disk.uid.as_deref()).is_none()) {
        return Some(quantity::parse(&before.size).unwrap_or_default());
    }
    let disk = disks.iter().find(|disk| disk.name.as_deref() == Some(&before.name))?;
    said(disk.uid.as_deref())?;
    let size = disk.size.and_then(|size| u64::try_from(size).ok()).filter(|size| *size > 0);
    size.or_else(|| disk.requested_size.as_ref()?.bytes().ok()).or_else(|| quantity::parse(&before.size).ok())
}

/// What an edit may not do to disks that were made: take one away, or make it smaller. A size that asks for no less than
/// before, or that the author did not write himself, changes nothing: the disk keeps what it has.
pub fn keep(before: &Sizing, after: &mut Sizing, object: &Object<'_>, old: &Object<'_>, found: &mut Findings) {
    for disk in &before.disks {
        let Some(has) = made(disk, old) else { continue };
        let (name, size) = (&disk.name, quantity::canonical(has));
        let Some(now) = after.disks.iter_mut().find(|other| other.name == *name) else {
            found.wrong.push(Reason::FieldForbidden.at("spec.disks").says(format!(
                "Forbidden: disk {name:?} would be taken away from the machine: keep it with {{name: {name}, size: {size}}}"
            )));
            continue;
        };
        let wanted = quantity::parse(&now.size).unwrap_or_default();
        let shrinks = wanted < has && wanted < quantity::parse(&disk.size).unwrap_or(u64::MAX);
        let written = object.disk(name).filter(|(_, disk)| disk.bytes().is_some());
        match written {
            Some((index, _)) if shrinks => {
                let field = format!("spec.disks[{index}].size");
                found.wrong.push(Reason::FieldForbidden.at(field).says(format!(
                    "Forbidden: disk {name:?} has {size} and cannot shrink to {}: a disk only grows",
                    quantity::shown(wanted)
                )));
            }
            None if shrinks => {
                found.warn(format!("disk {name:?} keeps its {size}: the size that the Machine names has {}", now.size));
                now.size = size;
            }
            _ => {}
        }
    }
}
