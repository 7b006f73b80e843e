//! What a Machine's annotations make of the objects that we write. Pure. X46, X47.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::operations::{self, Operation};
use super::pointer::Pointer;
use super::target::Target;
use super::{effect, ignored};
use crate::reason::Violation;

/// Every annotation of this kind on a Machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UserPatches {
    /// What is said about the VM.
    pub vm: UserPatch,
    /// What is said about the claim of a disk, by the disk's name.
    pub disks: BTreeMap<String, UserPatch>,
}

/// What is said about one object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UserPatch {
    /// `mode: unmanaged`: neither created nor changed by us.
    pub unmanaged: bool,
    pub(super) target: Target,
    /// Field path of the annotation that holds the patch.
    pub(super) field: String,
    pub(super) operations: Vec<Operation>,
    pub(super) ignored: Vec<Pointer>,
    /// Field path of the annotation that names them.
    pub(super) ignored_by: String,
}

impl UserPatch {
    /// The pointers to fields that keep what they have on the cluster, as they were written.
    pub fn ignored_fields(&self) -> Vec<String> {
        self.ignored.iter().map(ToString::to_string).collect()
    }

    /// What may not be ignored of `desired`.
    pub fn refused_fields(&self, desired: &Value) -> Vec<Violation> {
        ignored::judge(&self.ignored, self.target, desired, &self.ignored_by)
    }

    /// What may not be ignored, and what [`UserPatch::apply`] has against the patch.
    pub(super) fn wrong(&self, desired: &Value, scheduling: bool) -> Vec<Violation> {
        let mut wrong = self.refused_fields(desired);
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
        let maps = if self.target == Target::Vm { Vec::new() } else { with_maps(&mut before) };
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
        for pointer in &self.ignored {
            for part in ignored::parts(pointer, self.target, &ours, live) {
                ignored::mask(desired, live, &part);
            }
        }
    }
}

impl UserPatch {
    /// The object without the fields that are ignored.
    pub fn without_ignored(&self, object: &Value) -> Value {
        let mut rest = object.clone();
        for pointer in &self.ignored {
            for part in ignored::parts(pointer, self.target, object, &Value::Null) {
                ignored::take_out(&mut rest, &part);
            }
        }
        rest
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
