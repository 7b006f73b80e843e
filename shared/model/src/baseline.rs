//! The baseline of an object on a cluster: what of it is kept true, whoever changes it there. Pure. D1 to D5, X41, X46, X47;
//! regressions KVO20, KVO28.
//!
//! What an object was last written from stands in one of its annotations, as with `kubectl apply`. So a watch event is enough to
//! tell whether somebody changed it since, and who; nothing is asked while nothing changes, not even after a restart. A change
//! is a merge of three: what was written last, what is wanted now, and what is there. What others added stays, what was taken
//! out of the Machine goes, and lists of named entries are merged by name. `docs/adr/0003` says why it is not server-side apply.

mod compare;
mod merge;
mod values;
pub mod war;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

pub use self::compare::{Drift, author, drift, drift_of};
pub use crate::names::LAST_APPLIED;
use crate::patch::UserPatch;

/// An object as it should be on a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// What is created where there is none.
    object: Value,
    /// What of it is kept true afterwards. A `null` is kept absent.
    kept: Value,
    /// What the author has to say about it.
    user: UserPatch,
    /// Fields that are left to others from now on: what was written to them last is not taken out.
    released: &'static [&'static str],
    /// Pointers to lists that others have entries in, too: theirs stay, whoever wrote them.
    united: Vec<String>,
    /// The text of [`LAST_APPLIED`]. Fields that the author wants ignored are not in it, so that they never differ.
    text: String,
}

/// What brings an object in line.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// A merge patch (RFC 7386), bound to the version that was read.
    pub patch: Value,
    /// The fields that it changes, such as `spec.template.spec.domain.cpu.cores`.
    pub fields: Vec<String>,
}

impl Wanted {
    /// `object` is created, `kept` is the part of it that is kept true.
    pub fn new(object: Value, kept: Value, user: UserPatch, released: &'static [&'static str]) -> Self {
        let text = user.without_ignored(&kept).to_string();
        let mut wanted = Self { object, kept, user, released, united: Vec::new(), text };
        wanted.object["metadata"]["annotations"][LAST_APPLIED] = json!(wanted.text);
        wanted
    }

    /// The same, with lists in which the entries of others stay, by pointer. A list that is wanted no more stays as it is.
    #[must_use]
    pub fn uniting(mut self, lists: Vec<String>) -> Self {
        self.united = lists;
        self
    }

    /// The object to create.
    pub fn object(&self) -> &Value {
        &self.object
    }

    /// What is on the cluster once this was written there, as far as it is kept true; `live` is what is there now, `null` for
    /// nothing. Where that was not read, what is left to others is left out. So is the note of what was written last, which
    /// repeats all of it.
    pub fn shown(&self, live: Option<&Value>) -> Value {
        let mut shown = self.object.clone();
        if let Some(Value::Object(annotations)) = shown.pointer_mut("/metadata/annotations") {
            annotations.remove(LAST_APPLIED);
        }
        if shown["metadata"]["annotations"].as_object().is_some_and(Map::is_empty) {
            remove(&mut shown, "/metadata/annotations");
        }
        let Some(live) = live else { return self.user.without_ignored(&shown) };
        if !live.is_null() {
            self.user.mask(&mut shown, live);
            for pointer in &self.united {
                unite(&mut shown, live, pointer);
            }
        }
        shown
    }

    /// Tells what was written last from what is wanted now.
    pub fn hash(&self) -> String {
        hash(&self.text)
    }

    /// What makes the object on the cluster the wanted one; `None` when it is.
    pub fn change(&self, live: &Value) -> Option<Change> {
        let mut last = live["metadata"]["annotations"][LAST_APPLIED]
            .as_str()
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or(Value::Null);
        for pointer in self.released.iter().copied().chain(self.united.iter().map(String::as_str)) {
            remove(&mut last, pointer);
        }
        let mut wanted = self.kept.clone();
        self.user.mask(&mut wanted, live);
        for pointer in &self.united {
            unite(&mut wanted, live, pointer);
        }
        let mut fields = Vec::new();
        let merged = merge::merge(&last, &wanted, live, &mut Vec::new(), &mut fields);
        if merged.is_none() && live["metadata"]["annotations"][LAST_APPLIED] == self.text {
            return None;
        }
        let mut patch = merged.unwrap_or_else(|| json!({}));
        let metadata = &mut patch["metadata"];
        metadata["uid"] = live["metadata"]["uid"].clone();
        metadata["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
        metadata["annotations"][LAST_APPLIED] = json!(self.text);
        Some(Change { patch, fields })
    }
}

/// The hash of a text of [`LAST_APPLIED`].
pub fn hash(text: &str) -> String {
    format!("{:.16}", format!("{:x}", Sha256::digest(text.as_bytes())))
}

/// The list of `live`, and behind it what it lacks.
fn unite(wanted: &mut Value, live: &Value, pointer: &str) {
    let there = live.pointer(pointer).and_then(Value::as_array);
    let (Some(Value::Array(ours)), Some(there)) = (wanted.pointer_mut(pointer), there) else { return };
    let missing = ours.iter().filter(|entry| !there.contains(entry)).cloned();
    *ours = there.iter().cloned().chain(missing).collect();
}

fn remove(object: &mut Value, pointer: &str) {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return };
    if let Some(parent) = object.pointer_mut(parent).and_then(Value::as_object_mut) {
        parent.remove(name);
    }
}
