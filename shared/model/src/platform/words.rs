//! What differs, in words. Pure. What is on a cluster may be a stranger's, so it is cut and cleaned.

use serde_json::{Map, Value};

use crate::baseline::author;
use crate::text::line;

/// Differences that are told, and bytes of one value.
const TOLD: usize = 3;
const SHOWN: usize = 40;
/// The value of a field that is not there.
const ABSENT: &str = "absent";
/// Most bytes of the old values that are kept.
const KEPT: usize = 16 << 10;

/// One field that a merge patch changes.
pub(super) struct Difference {
    /// Such as `spec.mode`.
    pub(super) field: String,
    /// Its value now, or [`ABSENT`].
    pub(super) old: String,
    /// Its value then.
    pub(super) new: String,
    /// Who wrote it last, other than ourselves.
    pub(super) by: Option<String>,
}

/// What a merge patch changes of an object: field, old value, new value, and who has it now.
pub(super) fn differences(patch: &Value, live: &Value) -> String {
    told(patch, live, |it| {
        let by = it.by.as_ref().map(|by| format!(", set by {by}")).unwrap_or_default();
        format!("{} is {}, should be {}{by}", it.field, it.old, it.new)
    })
}

/// The same, in other words.
pub(super) fn told(patch: &Value, live: &Value, say: impl Fn(&Difference) -> String) -> String {
    let mut found = Vec::new();
    walk(&bare(patch), live, &mut Vec::new(), &mut |path, old, new| {
        // Of a field that is not there, nobody is known.
        let by = if old.is_null() { None } else { author(live, path) };
        found.push(Difference { field: line(&path.join("."), 128), old: short(old), new: short(new), by });
    });
    // What is there and another tells more than what is not there yet.
    found.sort_by_key(|it| it.old == ABSENT);
    let mut told: Vec<String> = found.iter().take(TOLD).map(say).collect();
    if found.len() > TOLD {
        told.push(format!("{} more", found.len() - TOLD));
    }
    told.join("; ")
}

fn walk(patch: &Value, live: &Value, path: &mut Vec<String>, found: &mut impl FnMut(&[String], &Value, &Value)) {
    match (patch, live) {
        (Value::Object(fields), Value::Object(_)) => {
            for (name, value) in fields {
                path.push(name.clone());
                walk(value, live.get(name).unwrap_or(&Value::Null), path, found);
                path.pop();
            }
        }
        _ => found(path, live, patch),
    }
}

/// The patch without what binds it to a version and what is kept for ourselves.
fn bare(patch: &Value) -> Value {
    let mut bare = patch.clone();
    let Some(fields) = bare.as_object_mut() else { return bare };
    if let Some(Value::Object(metadata)) = fields.get_mut("metadata") {
        metadata.retain(|name, _| name != "uid" && name != "resourceVersion");
        if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
            annotations.retain(|name, _| !name.starts_with("vitistack.io/"));
        }
        metadata.retain(|_, value| *value != Value::Object(Map::new()));
    }
    fields.retain(|_, value| *value != Value::Object(Map::new()));
    bare
}

fn short(value: &Value) -> String {
    match value {
        Value::Null => ABSENT.to_owned(),
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Object(_) => "an object".to_owned(),
        Value::String(text) => format!("{:?}", line(text, SHOWN)),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// The values that a merge patch takes the place of, as JSON; none if that is too long to keep.
pub(super) fn before(patch: &Value, live: &Value) -> Option<String> {
    let kept = old(&bare(patch), live).to_string();
    (kept.len() <= KEPT).then_some(kept)
}

fn old(patch: &Value, live: &Value) -> Value {
    let (Value::Object(fields), Value::Object(_)) = (patch, live) else { return live.clone() };
    let mut kept = Map::new();
    for (name, value) in fields {
        let value = old(value, live.get(name).unwrap_or(&Value::Null));
        if value != Value::Object(Map::new()) {
            kept.insert(name.clone(), value);
        }
    }
    Value::Object(kept)
}
