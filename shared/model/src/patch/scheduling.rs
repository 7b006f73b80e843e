//! Where a VM may run on its cluster: patchable only where the KubevirtConfig says `allowSchedulingPatches: true`. X46.

use serde_json::Value;

use super::shape::Need::{May, Must};
use super::shape::Shape::{List, Map, Object, OneOf, Text, Whole, With};
use super::shape::{Allowed, Field, Shape};
use super::text::{KEY, LABEL, LABEL_VALUE, SUBDOMAIN, VALUE};

/// What a patch may touch with that permission.
pub(super) static VM: &[Allowed] = &[
    Allowed("nodeSelector", Map(KEY, LABEL_VALUE)),
    Allowed("tolerations", List(&With(&TOLERATION, toleration), 64)),
    Allowed("affinity", AFFINITY),
    Allowed("topologySpreadConstraints", With(&List(&With(&SPREAD, spread), 16), different)),
    Allowed("priorityClassName", Text(SUBDOMAIN)),
];

/// Most entries of any list below; the annotation's size is the real limit.
const MANY: usize = 64;

static TOLERATION: Shape = Object(&[
    Field("key", May, Text(KEY)),
    Field("operator", May, OneOf(&["Exists", "Equal"])),
    Field("value", May, Text(LABEL_VALUE)),
    Field("effect", May, OneOf(&["NoSchedule", "PreferNoSchedule", "NoExecute"])),
    Field("tolerationSeconds", May, Whole(i64::MIN, i64::MAX)),
]);

const AFFINITY: Shape = Object(&[
    Field(
        "nodeAffinity",
        May,
        Object(&[
            Field(
                "requiredDuringSchedulingIgnoredDuringExecution",
                May,
                Object(&[Field("nodeSelectorTerms", Must, With(&List(&NODE_TERM, MANY), not_empty))]),
            ),
            Field("preferredDuringSchedulingIgnoredDuringExecution", May, List(&PREFERRED_NODE, MANY)),
        ]),
    ),
    Field("podAffinity", May, PODS),
    Field("podAntiAffinity", May, PODS),
]);

const NODE_TERM: Shape = Object(&[
    Field("matchExpressions", May, List(&With(&NODE_EXPRESSION, values), MANY)),
    Field("matchFields", May, List(&NODE_FIELD, MANY)),
]);

static NODE_EXPRESSION: Shape = Object(&[
    Field("key", Must, Text(KEY)),
    Field("operator", Must, OneOf(&["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"])),
    Field("values", May, List(&Text(VALUE), MANY)),
]);

/// Nodes by name: the one field that Kubernetes knows.
static NODE_FIELD: Shape = Object(&[
    Field("key", Must, OneOf(&["metadata.name"])),
    Field("operator", Must, OneOf(&["In", "NotIn"])),
    Field("values", Must, With(&List(&Text(SUBDOMAIN), 1), not_empty)),
]);

static PREFERRED_NODE: Shape = Object(&[Field("weight", Must, Whole(1, 100)), Field("preference", Must, NODE_TERM)]);

const PODS: Shape = Object(&[
    Field("requiredDuringSchedulingIgnoredDuringExecution", May, List(&POD_TERM, MANY)),
    Field("preferredDuringSchedulingIgnoredDuringExecution", May, List(&PREFERRED_PODS, MANY)),
]);

static PREFERRED_PODS: Shape =
    Object(&[Field("weight", Must, Whole(1, 100)), Field("podAffinityTerm", Must, POD_TERM)]);

const POD_TERM: Shape = Object(&[
    Field("labelSelector", May, SELECTOR),
    Field("namespaceSelector", May, SELECTOR),
    Field("namespaces", May, List(&Text(LABEL), MANY)),
    Field("topologyKey", Must, Text(KEY)),
]);

const SELECTOR: Shape = Object(&[
    Field("matchLabels", May, Map(KEY, LABEL_VALUE)),
    Field("matchExpressions", May, List(&With(&LABEL_EXPRESSION, values), MANY)),
]);

static LABEL_EXPRESSION: Shape = Object(&[
    Field("key", Must, Text(KEY)),
    Field("operator", Must, OneOf(&["In", "NotIn", "Exists", "DoesNotExist"])),
    Field("values", May, List(&Text(LABEL_VALUE), MANY)),
]);

static SPREAD: Shape = Object(&[
    Field("maxSkew", Must, Whole(1, i32::MAX as i64)),
    Field("topologyKey", Must, Text(KEY)),
    Field("whenUnsatisfiable", Must, OneOf(&["DoNotSchedule", "ScheduleAnyway"])),
    Field("labelSelector", May, SELECTOR),
    Field("minDomains", May, Whole(1, i32::MAX as i64)),
    Field("nodeAffinityPolicy", May, OneOf(&["Honor", "Ignore"])),
    Field("nodeTaintsPolicy", May, OneOf(&["Honor", "Ignore"])),
]);

fn not_empty(list: &Value) -> Result<(), String> {
    if list.as_array().is_some_and(Vec::is_empty) { Err("must have an entry".to_owned()) } else { Ok(()) }
}

/// The operator of an expression says how many values it has.
fn values(expression: &Value) -> Result<(), String> {
    let count = expression["values"].as_array().map_or(0, Vec::len);
    let operator = expression["operator"].as_str().unwrap_or_default();
    let says = match operator {
        "In" | "NotIn" if count == 0 => "at least one value",
        "Exists" | "DoesNotExist" if count > 0 => "no values",
        "Gt" | "Lt" if count != 1 => "one value",
        _ => return Ok(()),
    };
    Err(format!("must have {says} with operator {operator}"))
}

fn toleration(it: &Value) -> Result<(), String> {
    let exists = it["operator"] == "Exists";
    if exists && it["value"].as_str().is_some_and(|value| !value.is_empty()) {
        return Err("must have no value with operator Exists".to_owned());
    }
    if !exists && it.get("key").is_none() {
        return Err("must have a key, or the operator Exists".to_owned());
    }
    if it.get("tolerationSeconds").is_some() && it["effect"] != "NoExecute" {
        return Err("may have tolerationSeconds only with effect NoExecute".to_owned());
    }
    Ok(())
}

fn spread(it: &Value) -> Result<(), String> {
    if it.get("minDomains").is_some() && it["whenUnsatisfiable"] != "DoNotSchedule" {
        return Err("may have minDomains only with whenUnsatisfiable DoNotSchedule".to_owned());
    }
    Ok(())
}

fn different(list: &Value) -> Result<(), String> {
    let all = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let same = |one: &Value, other: &Value| {
        one["topologyKey"] == other["topologyKey"] && one["whenUnsatisfiable"] == other["whenUnsatisfiable"]
    };
    match all.iter().enumerate().find(|(index, one)| all[..*index].iter().any(|other| same(one, other))) {
        Some((index, _)) => Err(format!("has topologyKey and whenUnsatisfiable of entry {index} twice")),
        None => Ok(()),
    }
}
