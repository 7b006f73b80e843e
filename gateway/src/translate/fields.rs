//! Fields in the JSON of a Kubernetes object: read, set, and taken away together with what they leave empty. Pure.

use serde_json::{Map, Value};

/// What stands at a path, unless it is null.
pub fn get<'v>(object: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(object, |value, key| value.get(key)).filter(|value| !value.is_null())
}

/// The text at a path; empty where there is none.
pub fn text<'v>(object: &'v Value, path: &[&str]) -> &'v str {
    get(object, path).and_then(Value::as_str).unwrap_or_default()
}

/// A quantity as text: it may be a number.
pub fn plain(quantity: &Value) -> Value {
    quantity.as_str().map_or_else(|| quantity.to_string(), str::to_owned).into()
}

/// Sets what stands at a path, or takes it away.
pub fn set(object: &mut Value, path: &[&str], value: Option<Value>) {
    let Some((key, rest)) = path.split_first() else { return };
    if !object.is_object() {
        if value.is_none() {
            return;
        }
        *object = Value::Object(Map::new());
    }
    let Some(fields) = object.as_object_mut() else { return };
    if rest.is_empty() {
        match value {
            Some(value) => drop(fields.insert((*key).to_owned(), value)),
            None => drop(fields.remove(*key)),
        }
        return;
    }
    if value.is_none() && !fields.contains_key(*key) {
        return;
    }
    let part = fields.entry(*key).or_insert(Value::Null);
    set(part, rest, value);
    if part.as_object().is_some_and(Map::is_empty) {
        fields.remove(*key);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::table::every_row;

    #[test]
    fn x107_a_field_is_set_beside_others_and_taken_away_with_what_it_leaves_empty() {
        #[rustfmt::skip]
        let cases = [
            (json!({}),                              vec!["a", "b"], Some(json!(1)), json!({"a": {"b": 1}})),
            (json!({"a": {"c": 2}}),                 vec!["a", "b"], Some(json!(1)), json!({"a": {"b": 1, "c": 2}})),
            (json!({"a": {"b": 1}, "d": 3}),         vec!["a", "b"], None,           json!({"d": 3})),
            (json!({"a": {"b": 1, "c": 2}}),         vec!["a", "b"], None,           json!({"a": {"c": 2}})),
            (json!({"d": 3}),                        vec!["a", "b"], None,           json!({"d": 3})),
            (json!({"a": "text"}),                   vec!["a", "b"], None,           json!({"a": "text"})),
            (json!({"a": 1}),                        vec!["a"],      Some(json!(2)), json!({"a": 2})),
        ];
        every_row(cases, |(mut object, path, value, want)| {
            let said = format!("{object} {path:?} {value:?}");
            set(&mut object, &path, value);
            assert_eq!(object, want, "X107: {said}");
        });
    }
}
