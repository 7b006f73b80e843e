//! What somebody else changed of what was written last, and who. Pure. KVO28.

use serde_json::{Map, Value};

use super::values::{by_name, same, say};
use crate::names::{LAST_APPLIED, OPERATOR};
use crate::text::line;

/// Most fields that are told of one object: what is beyond is corrected with them.
const TOLD: usize = 8;

/// One field that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The field, such as `spec.template.spec.domain.cpu.cores`.
    pub field: String,
    /// The field manager that has it now, where the object says.
    pub by: Option<String>,
}

impl Drift {
    /// Bytes of its text.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.field.len() + self.by.as_ref().map_or(0, String::len)
    }
}

/// The first fields of an object that differ from its own [`LAST_APPLIED`].
pub fn drift(live: &Value) -> Vec<Drift> {
    let Some(applied) = live["metadata"]["annotations"][LAST_APPLIED].as_str() else { return Vec::new() };
    drift_of(applied, |part| &live[part], || live["metadata"]["managedFields"].as_array().cloned().unwrap_or_default())
}

/// The same, of the text of [`LAST_APPLIED`] and of an object whose parts, such as `spec`, are told one by one; `managers` is
/// asked for its `metadata.managedFields` where anything differs.
pub fn drift_of<'v>(
    applied: &str,
    part: impl Fn(&str) -> &'v Value,
    managers: impl FnOnce() -> Vec<Value>,
) -> Vec<Drift> {
    let Ok(Value::Object(applied)) = serde_json::from_str(applied) else { return Vec::new() };
    let mut found = Vec::new();
    for (key, value) in &applied {
        compare(value, part(key), &mut vec![key.clone()], &mut found);
    }
    if found.is_empty() {
        return Vec::new();
    }
    let managers = managers();
    found.into_iter().map(|path| Drift { field: say(&path), by: holder(&managers, &path) }).collect()
}

fn compare(applied: &Value, live: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    if found.len() >= TOLD {
        return;
    }
    match (applied, live) {
        (Value::Object(applied), Value::Object(live)) => {
            for (key, value) in applied {
                path.push(key.clone());
                compare(value, live.get(key).unwrap_or(&Value::Null), path, found);
                path.pop();
            }
        }
        (Value::Array(entries), Value::Array(there)) => match (by_name(entries), by_name(there)) {
            (Some(entries), Some(there)) => {
                for (name, entry) in entries {
                    path.push(format!("[{name}]"));
                    compare(&entry, there.get(&name).unwrap_or(&Value::Null), path, found);
                    path.pop();
                }
            }
            _ if entries == there => {}
            _ => found.push(path.clone()),
        },
        _ if same(applied, live) => {}
        _ => found.push(path.clone()),
    }
}

/// The manager that wrote a field of an object last, other than ourselves, where the object says.
pub fn author(live: &Value, path: &[String]) -> Option<String> {
    holder(live["metadata"]["managedFields"].as_array()?, path)
}

/// The manager that wrote a field last, other than ourselves. Of a list that is owned as a whole, it is the list's.
fn holder(managers: &[Value], path: &[String]) -> Option<String> {
    let others = managers.iter().filter(|entry| entry["manager"] != OPERATOR);
    let holding = others.filter(|entry| holds(&entry["fieldsV1"], path));
    let latest = holding.max_by_key(|entry| entry["time"].as_str().unwrap_or_default().to_owned())?;
    Some(line(latest["manager"].as_str()?, 64))
}

fn holds(fields: &Value, path: &[String]) -> bool {
    let none = Map::new();
    let mut at = fields.as_object().unwrap_or(&none);
    for (depth, segment) in path.iter().enumerate() {
        let next = match segment.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            Some(name) => at.get(&format!("k:{{\"name\":\"{name}\"}}")),
            None => at.get(&format!("f:{segment}")),
        };
        match next.and_then(Value::as_object) {
            Some(next) => at = next,
            // A leaf of the field set that stands above ours: a list or an object without parts of its own.
            None => return depth > 0 && at.is_empty(),
        }
    }
    true
}
