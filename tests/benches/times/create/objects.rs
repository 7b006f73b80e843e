//! What is installed and created. No I/O but reading the CRD.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::arms::{Arm, MUTATE, VALIDATE, operations};
use crate::{Fault, REVIEW};

/// A running server.
#[derive(Debug)]
pub(super) struct Webhook {
    pub(super) arm: Arm,
    /// Without a path.
    pub(super) url: String,
}

/// Label of a Machine that selects its arm.
const LABEL: &str = "arm";

/// The definition of Machines, as the chart installs it.
pub(super) fn definition() -> Result<String, Fault> {
    Ok(std::fs::read_to_string(
        tests::repository::root().join("charts/kubevirt-operator/files/crds/machines.vitistack.io.yaml"),
    )?)
}

/// The typical Machine of one arm, as its author posts it.
pub(super) fn machine(arm: &str) -> String {
    let review: Value = serde_json::from_str(REVIEW).expect("invariant: a review is JSON");
    let mut machine = review["request"]["object"].clone();
    let annotations = &machine["metadata"]["annotations"];
    machine["metadata"] = json!({"generateName": "bench-", "annotations": annotations, "labels": {LABEL: arm}});
    machine.as_object_mut().expect("invariant: a Machine is an object").remove("status");
    machine.to_string()
}

/// The names by which the API server counts the calls of each webhook.
pub(super) fn names() -> Vec<String> {
    [Arm::Null, Arm::Constant, Arm::Ours]
        .iter()
        .flat_map(|arm| [Some("mutate"), (*arm != Arm::Null).then_some("validate")].map(|route| (arm, route)))
        .filter_map(|(arm, route)| Some(name(route?, *arm)))
        .collect()
}

fn name(route: &str, arm: Arm) -> String {
    format!("{route}.{}.vitistack.io", arm.name())
}

/// Both configurations, the policy and its binding.
pub(super) fn admission(webhooks: &[Webhook], certificate: &str) -> Value {
    let bundle = STANDARD.encode(certificate);
    let webhook = |it: &Webhook, route: &str, path: &str| {
        json!({
            "name": name(route, it.arm),
            "admissionReviewVersions": ["v1"],
            "clientConfig": { "url": format!("{}{path}", it.url), "caBundle": bundle },
            "rules": [rule()],
            "objectSelector": selector(it.arm.name()),
            "sideEffects": "None",
            "failurePolicy": "Fail",
            "timeoutSeconds": 5,
        })
    };
    let mutating: Vec<Value> = webhooks.iter().map(|it| webhook(it, "mutate", MUTATE)).collect();
    let paired = webhooks.iter().filter(|it| it.arm != Arm::Null);
    let validating: Vec<Value> = paired.map(|it| webhook(it, "validate", VALIDATE)).collect();
    let object = |kind: &str| json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": "bench"}});
    let (mut mutate, mut validate) = (object("MutatingWebhookConfiguration"), object("ValidatingWebhookConfiguration"));
    (mutate["webhooks"], validate["webhooks"]) = (mutating.into(), validating.into());
    let (mut policy, mut binding) = (object("MutatingAdmissionPolicy"), object("MutatingAdmissionPolicyBinding"));
    policy["spec"] = json!({
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "matchConstraints": { "resourceRules": [rule()], "objectSelector": selector("policy") },
        "mutations": [{ "patchType": "JSONPatch", "jsonPatch": { "expression": expression() } }],
    });
    binding["spec"] = json!({ "policyName": "bench" });
    json!({ "apiVersion": "v1", "kind": "List", "items": [mutate, validate, policy, binding] })
}

fn rule() -> Value {
    json!({
        "apiGroups": [model::names::GROUP],
        "apiVersions": [model::names::VERSION],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["machines"],
    })
}

fn selector(arm: &str) -> Value {
    json!({ "matchLabels": { LABEL: arm } })
}

/// The operations of the webhooks in CEL, whose literals are written like those of JSON.
fn expression() -> String {
    let operations = operations();
    let patches = operations.as_array().into_iter().flatten();
    let patches =
        patches.map(|it| format!("JSONPatch{{op: {}, path: {}, value: {}}}", it["op"], it["path"], it["value"]));
    format!("[{}]", patches.collect::<Vec<_>>().join(", "))
}
