//! `ignore-fields`: pointers to fields that keep what they have on the cluster. KVO27.

use std::collections::BTreeSet;

use serde_json::Value;

use super::allowed;
use super::operations::{BYTES, OPERATIONS, short};
use super::pointer::Pointer;
use super::target::Target;
use crate::reason::{Reason, Violation};

/// Reads pointers that commas separate. Violations stand at `at`, the field path of the annotation.
pub(super) fn parse(text: &str, at: &str) -> Result<Vec<Pointer>, Vec<Violation>> {
    let invalid = |says: String| Reason::PatchInvalid.at(at).says(says);
    if text.len() > BYTES {
        return Err(vec![invalid(format!("Too long: {} bytes: must have at most {BYTES}", text.len()))]);
    }
    let entries = || text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    if entries().count() > OPERATIONS {
        return Err(vec![invalid(format!("has {} fields, may have {OPERATIONS}", entries().count()))]);
    }
    let mut pointers = Vec::new();
    let mut wrong = Vec::new();
    for entry in entries() {
        match Pointer::parse(entry) {
            Err(why) => wrong.push(invalid(format!("{:?} {why}", short(entry)))),
            Ok(pointer) => pointers.push(pointer),
        }
    }
    if wrong.is_empty() { Ok(pointers) } else { Err(wrong) }
}

/// Refuses pointers to what may not be ignored of this object.
pub(super) fn judge(pointers: &[Pointer], target: Target, desired: &Value, at: &str) -> Vec<Violation> {
    let more = if target == Target::Vm { ", the size and /spec/runStrategy" } else { "" };
    let refused = pointers.iter().filter(|pointer| !may_be_ignored(pointer, target, desired));
    refused
        .map(|pointer| {
            Reason::PatchForbidden.at(at).says(format!(
                "{pointer}: may not be ignored: only what a patch may touch{more}; docs/patches.md lists it"
            ))
        })
        .collect()
}

/// Whether a field may be ignored: by itself, or because every field that we write in it may be.
fn may_be_ignored(pointer: &Pointer, target: Target, desired: &Value) -> bool {
    if allowed::ignorable(target, pointer) {
        return true;
    }
    let Some(Value::Object(fields)) = desired.pointer(pointer.encoded().as_str()) else { return false };
    !fields.is_empty() && fields.keys().all(|name| may_be_ignored(&pointer.to(name), target, desired))
}

/// What of a field is ignored: all of it, or those of its parts, ours and the cluster's, that may be ignored by themselves.
/// Nothing where it may not be ignored.
pub(super) fn parts(pointer: &Pointer, target: Target, desired: &Value, live: &Value) -> Vec<Pointer> {
    if allowed::ignorable(target, pointer) {
        return vec![pointer.clone()];
    }
    if !may_be_ignored(pointer, target, desired) {
        return Vec::new();
    }
    let there = pointer.encoded();
    let names = [desired, live].into_iter().filter_map(|object| object.pointer(there.as_str())?.as_object());
    let names: BTreeSet<&String> = names.flat_map(serde_json::Map::keys).collect();
    names.into_iter().flat_map(|name| parts(&pointer.to(name), target, desired, live)).collect()
}

/// Gives the field at `pointer` of `desired` the value that it has in `live`; what is not in `live` is taken out of
/// `desired`. An entry of a list is found by its name: another order on the cluster must not exchange two disks. Where
/// one of the two has no such place, nothing happens.
pub(super) fn mask(desired: &mut Value, live: &Value, pointer: &Pointer) {
    let Some((last, parents)) = pointer.0.split_last() else { return };
    let (mut desired, mut live) = (desired, Some(live));
    for segment in parents {
        let Some((next, found)) = step(desired, live, segment) else { return };
        (desired, live) = (next, found);
    }
    match desired {
        Value::Object(fields) => match live.map(|live| live.get(last)) {
            None => {}
            Some(Some(value)) => drop(fields.insert(last.clone(), value.clone())),
            Some(None) => drop(fields.remove(last)),
        },
        Value::Array(_) => {
            if let Some((place, Some(value))) = step(desired, live, last) {
                place.clone_from(value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Takes the field at `pointer` out. An entry of a list stays: it is what the others are counted by.
pub(super) fn take_out(object: &mut Value, pointer: &Pointer) {
    let Some((last, parents)) = pointer.0.split_last() else { return };
    let parents = Pointer(parents.to_vec()).encoded();
    if let Some(fields) = object.pointer_mut(parents.as_str()).and_then(Value::as_object_mut) {
        fields.remove(last);
    }
}

/// One segment further into both.
fn step<'d, 'l>(
    desired: &'d mut Value,
    live: Option<&'l Value>,
    segment: &str,
) -> Option<(&'d mut Value, Option<&'l Value>)> {
    match desired {
        Value::Object(fields) => Some((fields.get_mut(segment)?, live.and_then(|live| live.get(segment)))),
        Value::Array(list) => {
            let index: usize = segment.parse().ok()?;
            let entry = list.get_mut(index)?;
            let others = live.and_then(Value::as_array);
            // Files of a MachineConfig have a path in place of a name.
            let known = ["name", "path"].into_iter().find_map(|key| Some((key, entry.get(key)?)));
            let found = match known {
                Some((key, name)) => others.and_then(|all| all.iter().find(|other| other.get(key) == Some(name))),
                None => others.and_then(|all| all.get(index)),
            };
            Some((entry, found))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}
