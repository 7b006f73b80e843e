//! Takes secrets out of an object before it is shown. No I/O.

use serde_json::Value;

/// What a guest is given: it may hold passwords, wherever it came from.
const GIVEN: [&str; 4] = ["userData", "userDataBase64", "networkData", "networkDataBase64"];

/// The contents of a Secret, and all that a guest is given, are replaced by their length.
pub(super) fn hide(object: &mut Value) {
    for map in ["data", "stringData"] {
        // Of what is written, Secrets alone have one at the top.
        for (_, value) in object.get_mut(map).and_then(Value::as_object_mut).into_iter().flatten() {
            replace(value);
        }
    }
    hide_given(object);
}

fn hide_given(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if GIVEN.contains(&key.as_str()) { replace(value) } else { hide_given(value) }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide_given),
        // What was last applied holds the whole object.
        Value::String(text) if GIVEN.iter().any(|given| text.contains(given)) => replace(value),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn replace(value: &mut Value) {
    let bytes = value.as_str().map_or_else(|| value.to_string().len(), str::len);
    *value = Value::String(format!("hidden, {bytes} bytes"));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn d18_no_content_of_a_secret_is_shown() {
        let mut secret = json!({"kind": "Secret", "metadata": {"name": "web-cloud-init", "annotations": {"a": "x userData y"}},
            "data": {"userdata": "Y2FuYXJ5"}, "stringData": {"networkdata": "canary"}});
        hide(&mut secret);
        let want = json!({"kind": "Secret", "metadata": {"name": "web-cloud-init", "annotations": {"a": "hidden, 12 bytes"}},
            "data": {"userdata": "hidden, 8 bytes"}, "stringData": {"networkdata": "hidden, 6 bytes"}});
        assert_eq!(secret, want);
        let mut vm = json!({"spec": {"template": {"spec": {"volumes": [
            {"name": "cloudinitdisk", "cloudInitNoCloud": {"userData": "canary", "networkDataBase64": "Y2FuYXJ5"}},
            {"name": "other", "cloudInitConfigDrive": {"userData": {"not": "a string"}, "secretRef": {"name": "web"}}},
        ]}}}});
        hide(&mut vm);
        let want = json!({"spec": {"template": {"spec": {"volumes": [
            {"name": "cloudinitdisk", "cloudInitNoCloud": {"userData": "hidden, 6 bytes", "networkDataBase64": "hidden, 8 bytes"}},
            {"name": "other", "cloudInitConfigDrive": {"userData": "hidden, 18 bytes", "secretRef": {"name": "web"}}},
        ]}}}});
        assert_eq!(vm, want);
    }
}
