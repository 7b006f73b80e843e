//! Whether an object fits the CRD that a cluster serves. Pure. What does not fit would be dropped by the API server in silence, or
//! refused by it; here it is taken out and named.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// What a CRD says, as far as it is asked: paths, types and the words of enums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crd {
    /// Its objects are in namespaces.
    pub namespaced: bool,
    /// The versions that are served.
    pub versions: BTreeMap<String, Schema>,
}

/// What may stand at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schema {
    /// Anything.
    Any,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Whole,
    /// A number.
    Number,
    /// Text; one of these words unless there are none.
    Text(Vec<String>),
    /// A list of these.
    List(Box<Schema>),
    /// Any keys, and a value of this kind for each.
    Map(Box<Schema>),
    /// These fields; and others, if it is open.
    Object {
        /// The fields that are known.
        fields: BTreeMap<String, Schema>,
        /// Whether other fields are kept.
        open: bool,
    },
}

impl Crd {
    /// Reads a CustomResourceDefinition; `None` for an object that is none. Source: `apiextensions.k8s.io/v1`.
    pub fn of(crd: &Value) -> Option<Crd> {
        let versions = crd["spec"]["versions"].as_array()?.iter().filter(|version| version["served"] == true);
        let versions = versions
            .filter_map(|it| Some((it["name"].as_str()?.to_owned(), Schema::of(&it["schema"]["openAPIV3Schema"]))));
        Some(Crd { namespaced: crd["spec"]["scope"] == "Namespaced", versions: versions.collect() })
    }
}

impl Schema {
    /// Reads an `openAPIV3Schema`.
    pub fn of(schema: &Value) -> Schema {
        if schema["x-kubernetes-int-or-string"] == true {
            return Schema::Any;
        }
        match schema["type"].as_str() {
            Some("boolean") => Schema::Bool,
            Some("integer") => Schema::Whole,
            Some("number") => Schema::Number,
            Some("string") => {
                let words = schema["enum"].as_array().into_iter().flatten();
                Schema::Text(words.filter_map(Value::as_str).map(str::to_owned).collect())
            }
            Some("array") => Schema::List(Box::new(Schema::of(&schema["items"]))),
            Some("object") => match &schema["additionalProperties"] {
                Value::Object(values) => Schema::Map(Box::new(Schema::of(&Value::Object(values.clone())))),
                Value::Bool(true) => Schema::Any,
                _ => {
                    let fields = schema["properties"].as_object().into_iter().flatten();
                    let fields = fields.map(|(name, field)| (name.clone(), Schema::of(field))).collect();
                    Schema::Object { fields, open: schema["x-kubernetes-preserve-unknown-fields"] == true }
                }
            },
            _ => Schema::Any,
        }
    }

    /// What may stand at a pointer; `None` where nothing may.
    pub fn at(&self, pointer: &str) -> Option<&Schema> {
        let mut here = self;
        for segment in pointer.split('/').skip(1) {
            here = match here {
                Schema::Any => return Some(here),
                Schema::List(entry) | Schema::Map(entry) => entry,
                Schema::Object { fields, open } => match fields.get(&unescape(segment)) {
                    Some(field) => field,
                    None if *open => return Some(&Schema::Any),
                    None => return None,
                },
                Schema::Bool | Schema::Whole | Schema::Number | Schema::Text(_) => return None,
            };
        }
        Some(here)
    }
}

/// Takes out of `object` what `schema` does not take, but for `apiVersion`, `kind` and `metadata`. Returns the pointer of each,
/// with why.
pub fn fit(object: &mut Value, schema: &Schema) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    if let Value::Object(fields) = object {
        fit_fields(fields, schema, "", &["apiVersion", "kind", "metadata"], &mut wrong);
    }
    wrong
}

fn fit_fields(
    fields: &mut Map<String, Value>,
    schema: &Schema,
    at: &str,
    kept: &[&str],
    wrong: &mut Vec<(String, String)>,
) {
    fields.retain(|name, value| {
        let path = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        let inside = match schema {
            _ if kept.contains(&name.as_str()) => return true,
            Schema::Object { fields, open } => match fields.get(name) {
                Some(field) => field,
                None if *open => return true,
                None => {
                    wrong.push((path, "is not known".to_owned()));
                    return false;
                }
            },
            Schema::Map(values) => values,
            _ => return true,
        };
        fits(value, inside, &path, wrong)
    });
}

/// Whether a value may stay; its parts that may not are taken out.
fn fits(value: &mut Value, schema: &Schema, at: &str, wrong: &mut Vec<(String, String)>) -> bool {
    let why = match (schema, value) {
        (Schema::Any, _) | (Schema::Bool, Value::Bool(_)) | (Schema::Number, Value::Number(_)) => return true,
        (Schema::Whole, Value::Number(number)) if !number.is_f64() => return true,
        (Schema::Text(words), Value::String(text)) if words.is_empty() || words.contains(text) => return true,
        (Schema::Text(words), Value::String(_)) => format!("must be one of {}", words.join(", ")),
        (Schema::Object { .. } | Schema::Map(_), Value::Object(fields)) => {
            fit_fields(fields, schema, at, &[], wrong);
            return true;
        }
        (Schema::List(entry), Value::Array(list)) => {
            let mut index = 0;
            list.retain_mut(|value| {
                index += 1;
                fits(value, entry, &format!("{at}/{}", index - 1), wrong)
            });
            return true;
        }
        (Schema::Bool, _) => "must be true or false".to_owned(),
        (Schema::Whole | Schema::Number, _) => "must be a number".to_owned(),
        (Schema::Text(_), _) => "must be text".to_owned(),
        (Schema::List(_), _) => "must be a list".to_owned(),
        (Schema::Map(_) | Schema::Object { .. }, _) => "must be an object".to_owned(),
    };
    wrong.push((at.to_owned(), why));
    false
}

fn unescape(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::table::every_row;

    fn schema() -> Schema {
        Schema::of(&json!({"type": "object", "properties": {
            "metadata": {"type": "object"},
            "spec": {"type": "object", "properties": {
                "mode": {"type": "string", "enum": ["Automatic", "Predictive"]},
                "seconds": {"type": "integer"},
                "share": {"type": "number"},
                "on": {"type": "boolean"},
                "flag": {"type": "string"},
                "size": {"x-kubernetes-int-or-string": true},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "profiles": {"type": "array", "items": {"type": "string", "enum": ["A", "B"]}},
                "units": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
            }},
        }}))
    }

    #[test]
    fn p17_what_a_crd_does_not_take_is_taken_out_and_named() {
        #[rustfmt::skip]
        let cases = [
            ("all of it fits", json!({"mode": "Automatic", "seconds": 60, "share": 0.5, "on": true, "size": "51%"}),
             json!({"mode": "Automatic", "seconds": 60, "share": 0.5, "on": true, "size": "51%"}), vec![]),
            ("what is kept unseen fits", json!({"free": {"a": {"b": [1]}}}), json!({"free": {"a": {"b": [1]}}}), vec![]),
            ("a field that an older CRD lacks", json!({"mode": "Automatic", "limits": {"node": 2}}), json!({"mode": "Automatic"}),
             vec![("/spec/limits", "is not known")]),
            ("P17: true for text (44d156c)", json!({"flag": true}), json!({}), vec![("/spec/flag", "must be text")]),
            ("text for a number", json!({"seconds": "60"}), json!({}), vec![("/spec/seconds", "must be a number")]),
            ("a fraction for a whole number", json!({"seconds": 1.5}), json!({}), vec![("/spec/seconds", "must be a number")]),
            ("a word that is none", json!({"mode": "Manual"}), json!({}), vec![("/spec/mode", "must be one of Automatic, Predictive")]),
            ("an entry of a list", json!({"profiles": ["A", "C", "B"]}), json!({"profiles": ["A", "B"]}),
             vec![("/spec/profiles/1", "must be one of A, B")]),
            ("a field of an entry", json!({"units": [{"name": "a", "x": 1}]}), json!({"units": [{"name": "a"}]}),
             vec![("/spec/units/0/x", "is not known")]),
            ("a value of a map", json!({"labels": {"a/b": 1, "c": "d"}}), json!({"labels": {"c": "d"}}),
             vec![("/spec/labels/a~1b", "must be text")]),
            ("a list for an object", json!({"labels": []}), json!({}), vec![("/spec/labels", "must be an object")]),
        ];
        every_row(cases, |(name, spec, want, dropped)| {
            let mut object = json!({"apiVersion": "a/v1", "kind": "A", "metadata": {"name": "a"}, "spec": spec});
            let found = fit(&mut object, &schema());
            let found: Vec<_> = found.iter().map(|(at, why)| (at.as_str(), why.as_str())).collect();
            assert_eq!((&object["spec"], found), (&want, dropped), "{name}");
            assert_eq!(object["metadata"], json!({"name": "a"}), "{name}");
        });
    }

    #[test]
    fn a_schema_is_asked_by_pointer() {
        let words = |words: &[&str]| Some(Schema::Text(words.iter().map(|it| (*it).to_owned()).collect()));
        #[rustfmt::skip]
        let cases = [
            ("/spec/mode",       words(&["Automatic", "Predictive"])),
            ("/spec/profiles/0", words(&["A", "B"])),
            ("/spec/free/x/y",   Some(Schema::Any)),
            ("/spec/labels/a~1b", words(&[])),
            ("/spec/limits",     None),
            ("/spec/mode/x",     None),
            ("/status",          None),
        ];
        every_row(cases, |(pointer, want)| assert_eq!(schema().at(pointer), want.as_ref(), "{pointer}"));
    }

    #[test]
    fn only_versions_that_are_served_count() {
        let version = |name: &str, served| json!({"name": name, "served": served, "schema": {"openAPIV3Schema": {"type": "object"}}});
        let crd = json!({"spec": {"scope": "Cluster", "versions": [version("v1", true), version("v1beta1", false)]}});
        let crd = Crd::of(&crd).expect("a CRD");
        assert_eq!((crd.namespaced, crd.versions.keys().map(String::as_str).collect()), (false, vec!["v1"]));
        assert_eq!(Crd::of(&json!({"kind": "Pod"})), None);
    }
}
