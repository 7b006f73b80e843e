//! What users change of the objects that we write, with three annotations of their Machine. Pure. T7, T8,
//! X33, X41, X46, X47; `docs/patches.md` is for users.
//!
//! - `platform.kubevirt.io/patch`: a JSON Patch of the VM, judged by its effect against a closed list;
//! - `platform.kubevirt.io/ignore-fields`: JSON pointers to fields that keep what they have on the cluster;
//! - `platform.kubevirt.io/mode: unmanaged`: the object is left alone.
//!
//! With `.disk.<name>` behind them they mean the claim of that disk. Admission runs [`check`]; the controller runs the same
//! again just before it writes, with [`UserPatches::read`], [`UserPatch::apply`] and [`UserPatch::mask`], because an annotation
//! may be older than the webhook. An object of the platform carries its annotations itself: [`of_asset`].

mod allowed;
mod asset;
mod effect;
mod ignored;
mod json;
mod operations;
mod pointer;
mod read;
mod rules;
mod scheduling;
mod shape;
mod target;
mod text;
mod user;
mod values;

use std::collections::BTreeMap;

use serde_json::Value;

pub use self::asset::of_asset;
pub use self::read::ANNOTATIONS;
pub use self::user::{UserPatch, UserPatches};
use crate::reason::{Reason, Violation, did_you_mean};

/// Most violations of one answer.
const LISTED: usize = 32;

/// What the annotations are judged against: the objects as they are written without them.
#[derive(Clone, Debug)]
pub struct Desired<'d> {
    /// The VirtualMachine.
    pub vm: &'d Value,
    /// The PersistentVolumeClaim or DataVolume of each disk, by the disk's name.
    pub disks: BTreeMap<&'d str, &'d Value>,
    /// `spec.allowSchedulingPatches` of the KubevirtConfig.
    pub scheduling: bool,
}

/// Whether an annotation of this key is one of these, or nearly: a Machine without any needs no [`check`].
pub fn concerns(key: &str) -> bool {
    read::subject(key).is_some()
}

/// Every violation that the annotations (all of the Machine's; the others are passed over) have as to `desired`.
/// Guarantees: none if and only if every [`UserPatch::apply`] to the same objects succeeds.
pub fn check<'a>(annotations: impl IntoIterator<Item = (&'a str, &'a str)>, desired: &Desired<'_>) -> Vec<Violation> {
    let (patches, mut wrong) = read::read(annotations);
    for (name, of_disk) in &patches.disks {
        match desired.disks.get(name.as_str()) {
            Some(object) => wrong.extend(of_disk.wrong(object, desired.scheduling)),
            None => wrong.push(no_such_disk(name, of_disk, desired)),
        }
    }
    wrong.extend(patches.vm.wrong(desired.vm, desired.scheduling));
    wrong.truncate(LISTED);
    wrong
}

fn no_such_disk(name: &str, of_disk: &UserPatch, desired: &Desired<'_>) -> Violation {
    let near = did_you_mean(name, desired.disks.keys().copied());
    let known: Vec<&str> = desired.disks.keys().copied().take(8).collect();
    Reason::PatchInvalid.at(of_disk.field.clone()).says(format!(
        "the Machine has no disk {:?}{near}: its disks are {}",
        operations::short(name),
        known.join(", ")
    ))
}
