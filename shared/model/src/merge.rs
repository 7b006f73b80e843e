//! The merge patch (RFC 7386) from one object to the next. Pure.

use serde::Serialize;
use serde_json::{Map, Value};

/// What differs. A field that went away becomes null, because merging alone would keep it; a list is one value.
///
/// # Panics
///
/// When something else than plain data is given.
pub fn changes(before: &impl Serialize, after: &impl Serialize) -> Value {
    let before = serde_json::to_value(before).expect("invariant: our types are plain data");
    let after = serde_json::to_value(after).expect("invariant: our types are plain data");
    differing(&before, after).unwrap_or_else(|| Value::Object(Map::new()))
}

/// `None` when they are equal.
fn differing(before: &Value, after: Value) -> Option<Value> {
    match (before, after) {
        (before, after) if *before == after => None,
        (Value::Object(before), Value::Object(mut after)) => {
            let mut patch = Map::new();
            for (key, was) in before {
                let now = after.remove(key).map_or(Some(Value::Null), |now| differing(was, now));
                patch.extend(now.map(|now| (key.clone(), now)));
            }
            patch.extend(after);
            Some(Value::Object(patch))
        }
        (_, after) => Some(after),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::table::every_row;

    #[test]
    fn x68_what_differs_is_said_and_what_went_away_is_taken_away() {
        #[rustfmt::skip]
        let cases = [
            ("nothing",               json!({"a": 1, "b": {"c": 2}}),      json!({"a": 1, "b": {"c": 2}}),      json!({})),
            ("a field",               json!({"a": 1, "b": 2}),             json!({"a": 1, "b": 3}),             json!({"b": 3})),
            ("one that is new",       json!({"a": 1}),                     json!({"a": 1, "b": {"c": 2}}),      json!({"b": {"c": 2}})),
            ("one that went",         json!({"a": 1, "b": {"c": 2}}),      json!({"a": 1}),                     json!({"b": null})),
            ("one inside",            json!({"f": {"cdi": true, "m": [1]}}), json!({"f": {"cdi": true, "x": 0}}), json!({"f": {"m": null, "x": 0}})),
            ("all inside",            json!({"f": {"cdi": true}}),         json!({"f": {}}),                    json!({"f": {"cdi": null}})),
            ("a list is one value",   json!({"l": [{"a": 1}, {"b": 2}]}),  json!({"l": [{"a": 1}]}),            json!({"l": [{"a": 1}]})),
            ("another type",          json!({"a": {"b": 1}}),              json!({"a": "b"}),                   json!({"a": "b"})),
        ];
        every_row(cases, |(name, before, after, want)| {
            let patch = changes(&before, &after);
            assert_eq!(patch, want, "{name}");
            let mut merged = before;
            json_patch::merge(&mut merged, &patch);
            assert_eq!(merged, after, "{name}");
        });
    }
}
