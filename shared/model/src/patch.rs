//! What users change of the objects that we write, with three annotations of their Machine. Pure. DESIGN §7 "Patched
//! baseline", X33, X41, X46, X47; `docs/patches.md` is for users.
//!
//! - `platform.kubevirt.io/patch`: a JSON Patch of the VM, judged by its effect against a closed list;
//! - `platform.kubevirt.io/ignore-fields`: JSON pointers to fields that keep what they have on the cluster;
//! - `platform.kubevirt.io/mode: unmanaged`: the object is left alone.
//!
//! With `.disk.<name>` behind them they mean the claim of that disk. Admission runs [`check`]; the controller runs the same
//! again just before it writes, with [`Overrides::read`], [`Override::apply`] and [`Override::mask`], because an annotation
//! may be older than the webhook.

mod allowed;
mod effect;
mod ignored;
mod json;
mod operations;
mod pointer;
mod read;
mod rules;
mod scheduling;
mod shape;
mod text;
mod values;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use self::operations::Operation;
use self::pointer::Pointer;
pub use self::read::ANNOTATIONS;
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

/// Every annotation of this kind on a Machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// What is said about the VM.
    pub vm: Override,
    /// What is said about the claim of a disk, by the disk's name.
    pub disks: BTreeMap<String, Override>,
}

/// What is said about one object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Override {
    /// `mode: unmanaged`: neither created nor changed by us.
    pub unmanaged: bool,
    target: Target,
    /// Field path of the annotation that holds the patch.
    field: String,
    operations: Vec<Operation>,
    ignored: Vec<Pointer>,
    /// Field path of the annotation that names them.
    ignored_by: String,
}

/// Which kind of object is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Target {
    #[default]
    Vm,
    Disk,
}

/// Whether an annotation of this key is one of these, or nearly: a Machine without any needs no [`check`].
pub fn concerns(key: &str) -> bool {
    read::subject(key).is_some()
}

/// Every violation that the annotations (all of the Machine's; the others are passed over) have as to `desired`.
/// Guarantees: none if and only if every [`Override::apply`] to the same objects succeeds.
pub fn check<'a>(annotations: impl IntoIterator<Item = (&'a str, &'a str)>, desired: &Desired<'_>) -> Vec<Violation> {
    let (overrides, mut wrong) = read::read(annotations);
    for (name, of_disk) in &overrides.disks {
        match desired.disks.get(name.as_str()) {
            Some(object) => wrong.extend(of_disk.wrong(object, desired.scheduling)),
            None => wrong.push(no_such_disk(name, of_disk, desired)),
        }
    }
    wrong.extend(overrides.vm.wrong(desired.vm, desired.scheduling));
    wrong.truncate(LISTED);
    wrong
}

fn no_such_disk(name: &str, of_disk: &Override, desired: &Desired<'_>) -> Violation {
    let near = did_you_mean(name, desired.disks.keys().copied());
    let known: Vec<&str> = desired.disks.keys().copied().take(8).collect();
    Reason::PatchInvalid.at(of_disk.field.clone()).says(format!(
        "the Machine has no disk {:?}{near}: its disks are {}",
        operations::short(name),
        known.join(", ")
    ))
}

impl Overrides {
    /// Reads the annotations of a Machine; those that are none of these are passed over.
    pub fn read<'a>(annotations: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Overrides, Vec<Violation>> {
        let (overrides, wrong) = read::read(annotations);
        if wrong.is_empty() { Ok(overrides) } else { Err(wrong) }
    }
}

impl Override {
    /// What may not be ignored, and what [`Override::apply`] has against the patch.
    fn wrong(&self, desired: &Value, scheduling: bool) -> Vec<Violation> {
        let mut wrong = ignored::judge(&self.ignored, self.target, desired, &self.ignored_by);
        if !self.operations.is_empty() {
            wrong.extend(self.apply(desired, scheduling).err().unwrap_or_default());
        }
        wrong
    }

    /// The object with the patch applied, or every reason why it is not.
    ///
    /// Guarantees: the result differs from `desired` only in what X46 and X47 list, has there what KubeVirt takes, and is at
    /// most 128 KiB long as JSON. `scheduling` is `spec.allowSchedulingPatches` of the KubevirtConfig.
    pub fn apply(&self, desired: &Value, scheduling: bool) -> Result<Value, Vec<Violation>> {
        if self.operations.is_empty() {
            return Ok(desired.clone());
        }
        let mut before = desired.clone();
        let maps = if self.target == Target::Disk { with_maps(&mut before) } else { Vec::new() };
        let mut after = before.clone();
        operations::apply(&self.operations, &mut after, &self.field).map_err(|violation| vec![violation])?;
        let wrong = effect::judge(self.target, scheduling, &self.operations, (&before, &after), &self.field);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let metadata = after.get_mut("metadata").and_then(Value::as_object_mut);
        if let Some(metadata) = metadata {
            for map in maps {
                if metadata.get(map).and_then(Value::as_object).is_some_and(Map::is_empty) {
                    metadata.remove(map);
                }
            }
        }
        Ok(after)
    }

    /// Gives the ignored fields of `desired` what they have in `live`, the object on the cluster. What is not there is
    /// taken out of `desired`, so that a merge leaves it alone; a path that leads nowhere is no error (KVO27), and one that may
    /// not be ignored is passed over.
    pub fn mask(&self, desired: &mut Value, live: &Value) {
        let ours = desired.clone();
        for pointer in self.ignored.iter().filter(|it| ignored::may_be_ignored(it, self.target, &ours)) {
            ignored::mask(desired, live, pointer);
        }
    }
}

/// Adds empty labels and annotations, so that a patch can add one without knowing whether there are others. Returns what
/// was added.
fn with_maps(object: &mut Value) -> Vec<&'static str> {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return Vec::new() };
    let missing: Vec<_> = ["labels", "annotations"].into_iter().filter(|map| !metadata.contains_key(*map)).collect();
    for map in &missing {
        metadata.insert((*map).to_owned(), Value::Object(Map::new()));
    }
    missing
}
