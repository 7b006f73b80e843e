//! A merge of three: what was written last, what is wanted, what is there. Pure.

use serde_json::{Map, Value};

use super::values::{by_name, same, say};

/// The merge patch that makes `live` hold `wanted`, and lose what `last` had and `wanted` has no more; `None` when nothing is
/// to be done. What is in `live` alone stays. The fields that change are added to `fields`.
pub(super) fn merge(
    last: &Value,
    wanted: &Value,
    live: &Value,
    path: &mut Vec<String>,
    fields: &mut Vec<String>,
) -> Option<Value> {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => {
            let none = Map::new();
            let last = last.as_object().unwrap_or(&none);
            let mut patch = Map::new();
            for (key, value) in wanted {
                path.push(key.clone());
                let found = live.get(key).unwrap_or(&Value::Null);
                if let Some(change) = merge(last.get(key).unwrap_or(&Value::Null), value, found, path, fields) {
                    patch.insert(key.clone(), change);
                }
                path.pop();
            }
            for (key, value) in last.iter().filter(|(key, _)| !wanted.contains_key(*key)) {
                path.push(key.clone());
                if let Some(change) = live.get(key).and_then(|found| take_out(value, found, path, fields)) {
                    patch.insert(key.clone(), change);
                }
                path.pop();
            }
            (!patch.is_empty()).then_some(Value::Object(patch))
        }
        (Value::Array(entries), Value::Array(found)) => {
            let merged = merge_lists(last, entries, found, path, fields)?;
            Some(Value::Array(merged))
        }
        _ if same(wanted, live) => None,
        _ => {
            fields.push(say(path));
            Some(wanted.clone())
        }
    }
}

/// What takes `last` out of `live`: all of it, unless others added to it.
fn take_out(last: &Value, live: &Value, path: &mut Vec<String>, fields: &mut Vec<String>) -> Option<Value> {
    let (Value::Object(last), Value::Object(found)) = (last, live) else {
        if live.is_null() {
            return None;
        }
        fields.push(say(path));
        return Some(Value::Null);
    };
    if found.keys().all(|key| last.contains_key(key)) && found.iter().all(|(key, value)| covers(&last[key], value)) {
        fields.push(say(path));
        return Some(Value::Null);
    }
    let mut patch = Map::new();
    for (key, value) in last {
        path.push(key.clone());
        if let Some(change) = found.get(key).and_then(|found| take_out(value, found, path, fields)) {
            patch.insert(key.clone(), change);
        }
        path.pop();
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// Everything in `live` was written by us.
fn covers(last: &Value, live: &Value) -> bool {
    match (last, live) {
        (Value::Object(last), Value::Object(live)) => {
            live.iter().all(|(key, value)| last.get(key).is_some_and(|last| covers(last, value)))
        }
        _ => true,
    }
}

/// A merge patch replaces a list, so the whole of it is given: the wanted entries with what others added to each, then the
/// entries of others. A list without names is replaced. `None` when it is right already.
fn merge_lists(
    last: &Value,
    wanted: &[Value],
    live: &[Value],
    path: &mut Vec<String>,
    fields: &mut Vec<String>,
) -> Option<Vec<Value>> {
    let before = fields.len();
    let (Some(_), Some(found)) = (by_name(wanted), by_name(live)) else {
        if wanted == live {
            return None;
        }
        fields.push(say(path));
        return Some(wanted.to_vec());
    };
    let last = last.as_array().and_then(|list| by_name(list)).unwrap_or_default();
    let name_of = |entry: &Value| entry["name"].as_str().unwrap_or_default().to_owned();
    let mut merged = Vec::new();
    for entry in wanted {
        let name = name_of(entry);
        path.push(format!("[{name}]"));
        match found.get(&name) {
            None => {
                fields.push(say(path));
                merged.push(entry.clone());
            }
            Some(there) => {
                let was = last.get(&name).unwrap_or(&Value::Null);
                let mut there = there.clone();
                if let Some(change) = merge(was, entry, &there, path, fields) {
                    json_patch::merge(&mut there, &change);
                }
                merged.push(there);
            }
        }
        path.pop();
    }
    for entry in live {
        let name = name_of(entry);
        if wanted.iter().any(|ours| name_of(ours) == name) {
            continue;
        }
        if last.contains_key(&name) {
            path.push(format!("[{name}]"));
            fields.push(say(path));
            path.pop();
        } else {
            merged.push(entry.clone());
        }
    }
    (fields.len() > before).then_some(merged)
}
