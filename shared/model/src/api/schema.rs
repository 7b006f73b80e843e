//! The parts of the CRD schemas that a derive cannot say: quantities without their description of 2 kB, conditions as a
//! map by type, CEL rules at a path. And the tidying that every schema goes through before an API server sees it.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::Condition;

/// One rule of a schema that keywords cannot express. Admission checks the same in Rust, and says more (X55).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CelRule {
    /// What the rule speaks about: property names from the root with dots, `[]` for the items of a list.
    pub path: &'static str,
    /// CEL expression that must hold; `self` is the value at the path. One that reads `oldSelf` reads it as an optional.
    pub cel: &'static str,
    /// What the author of a violating object is told.
    pub message: &'static str,
}

/// What the API server itself accepts as a quantity.
const QUANTITY: &str = r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$";
/// A quantity without a sign and without the suffixes for parts of one: no size is negative or a fraction of a byte.
const SIZE: &str = r"^(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[kMGTPE]|([eE]\+?[0-9]+))?$";

/// Any quantity, as a number or as text.
pub(super) fn quantity(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"x-kubernetes-int-or-string": true, "pattern": QUANTITY})
}

/// A size in bytes, as a number or as text.
pub(super) fn size(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"x-kubernetes-int-or-string": true, "pattern": SIZE, "maxLength": 32})
}

/// Quantities by name.
pub(super) fn quantities(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "additionalProperties": quantity(generator)})
}

/// Conditions, of which a server-side apply replaces those of the same type and keeps the others.
pub(super) fn conditions(generator: &mut SchemaGenerator) -> Schema {
    let mut condition = Condition::json_schema(generator);
    condition.insert("required".to_owned(), json!(["type"]));
    json_schema!({
        "type": "array",
        "maxItems": 256,
        "items": condition,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
    })
}

/// Completes a derived CRD: adds the rules and tidies the schema.
pub(crate) fn finish(crd: &CustomResourceDefinition, rules: &[CelRule]) -> CustomResourceDefinition {
    let mut crd = serde_json::to_value(crd).expect("invariant: a CRD is JSON");
    let names = &mut crd["spec"]["names"];
    names["listKind"] = json!(format!("{}List", names["kind"].as_str().unwrap_or_default()));
    let schema = &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    tidy(schema);
    for rule in rules {
        attach(schema, rule);
    }
    serde_json::from_value(crd).expect("invariant: still a CRD")
}

/// Removes what derives put in and nobody wants to read: `nullable` (without it the API server prunes a null, so that CEL
/// and every reader see "unset" in one shape), titles that repeat the kind, and the source's line breaks in paragraphs.
fn tidy(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    schema.remove("nullable");
    schema.remove("title");
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n");
    }
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(tidy);
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get_mut(inner) {
            tidy(inner);
        }
    }
}

fn attach(root: &mut Value, rule: &CelRule) {
    let mut entry = Map::new();
    entry.insert("rule".to_owned(), json!(rule.cel));
    entry.insert("message".to_owned(), json!(rule.message));
    if rule.cel.contains("oldSelf") {
        entry.insert("optionalOldSelf".to_owned(), json!(true));
    }
    let node = find(root, rule.path).and_then(Value::as_object_mut).expect("invariant: the path of a rule exists");
    let rules = node.entry("x-kubernetes-validations").or_insert_with(|| json!([]));
    rules.as_array_mut().expect("invariant: rules are a list").push(Value::Object(entry));
}

fn find<'s>(root: &'s mut Value, path: &str) -> Option<&'s mut Value> {
    path.split('.').filter(|step| !step.is_empty()).try_fold(root, |at, step| match step.strip_suffix("[]") {
        Some(list) => at.get_mut("properties")?.get_mut(list)?.get_mut("items"),
        None => at.get_mut("properties")?.get_mut(step),
    })
}
