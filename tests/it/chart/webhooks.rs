//! Which requests call the webhook, by which routes, and where it is found.

use serde_json::{Value, json};

use super::{NAMESPACE, Rendered, WEBHOOK, only};
use crate::table::every_row;

/// Both routes are called only if all of these hold: the name and the lines of each.
#[rustfmt::skip]
const CONDITIONS: [(&str, &[&str]); 3] = [
    ("not-merely-being-deleted", &[
        "request.operation != 'UPDATE'",
        "|| !has(oldObject.metadata.deletionTimestamp)",
        "|| object.metadata.?annotations[?'vitistack.io/kubevirt-config'] != oldObject.metadata.?annotations[?'vitistack.io/kubevirt-config']",
        "|| object.metadata.?annotations[?'vitistack.io/deletion-policy'] != oldObject.metadata.?annotations[?'vitistack.io/deletion-policy']",
        "|| object.metadata.?annotations[?'vitistack.io/resolved'] != oldObject.metadata.?annotations[?'vitistack.io/resolved']",
        "|| object.?spec.orValue({}) != oldObject.?spec.orValue({})",
    ]),
    ("not-of-another-provider", &[
        "object.?spec.provider.orValue('') in ['', 'kubevirt']",
        "|| (request.operation == 'UPDATE' && oldObject.?spec.provider.orValue('') in ['', 'kubevirt'])",
    ]),
    ("not-decided-and-unchanged", &[
        "request.operation != 'UPDATE'",
        "|| oldObject.metadata.?annotations[?'vitistack.io/kubevirt-config'].orValue('') == ''",
        "|| oldObject.metadata.?annotations[?'vitistack.io/resolved'].orValue('') == ''",
        "|| object.?spec.orValue({}) != oldObject.?spec.orValue({})",
        "|| object.metadata.?annotations.orValue({}) != oldObject.metadata.?annotations.orValue({})",
        "|| object.metadata.?labels.orValue({}) != oldObject.metadata.?labels.orValue({})",
    ]),
];

/// The one entry of each webhook configuration.
fn entries(release: &Rendered) -> [(&'static str, &Value); 2] {
    [("mutate", "MutatingWebhookConfiguration"), ("validate", "ValidatingWebhookConfiguration")]
        .map(|(route, kind)| (route, only(&release.get(kind, "kubevirt-operator")["webhooks"])))
}

#[test]
fn x61_cert8_the_webhook_is_called_for_machines_under_three_conditions() {
    let release = Rendered::with(&[]);
    every_row(entries(&release), |(route, entry)| {
        let mut want = json!({
            "name": format!("machines.{route}.vitistack.io"),
            // No caBundle: the webhook owns that field, and an upgrade must not reset it.
            "clientConfig": {"service": {
                "name": WEBHOOK, "namespace": NAMESPACE, "path": format!("/{route}/machines"), "port": 443,
            }},
            "rules": [{
                "apiGroups": ["vitistack.io"], "apiVersions": ["v1alpha1"], "resources": ["machines"],
                "operations": ["CREATE", "UPDATE"], "scope": "Namespaced",
            }],
            "admissionReviewVersions": ["v1"],
            "failurePolicy": "Fail",
            "matchPolicy": "Equivalent",
            "sideEffects": "None",
            "timeoutSeconds": 5,
            "matchConditions": CONDITIONS.map(|(name, lines)| json!({"name": name, "expression": lines.join(" ")})),
        });
        if route == "mutate" {
            want["reinvocationPolicy"] = json!("IfNeeded");
        }
        assert_eq!(*entry, want, "{route}");
    });
}

#[test]
fn the_webhook_can_be_called_by_url_and_tuned() {
    let release =
        Rendered::with(&["webhook.url=https://127.0.0.1:9443/,webhook.timeoutSeconds=10,webhook.failurePolicy=Ignore"]);
    every_row(entries(&release), |(route, entry)| {
        assert_eq!(entry["clientConfig"], json!({"url": format!("https://127.0.0.1:9443/{route}/machines")}));
        assert_eq!((&entry["timeoutSeconds"], &entry["failurePolicy"]), (&json!(10), &json!("Ignore")), "{route}");
    });
}

#[test]
fn t15_the_authority_of_callers_is_mounted_and_named_only_where_the_values_say_so() {
    let none = Rendered::with(&[]);
    assert!(!none.env(WEBHOOK).keys().any(|name| name.starts_with("WEBHOOK_CLIENT")), "off by default");
    let volume = |set: &str| {
        let release = Rendered::with(&[set, "webhook.clientCa.names={kube-apiserver-admission,api.example.com}"]);
        let env = release.env(WEBHOOK);
        assert_eq!(env["WEBHOOK_CLIENT_CA_FILE"], "/etc/kubevirt-operator/client-ca/ca.crt", "{set}");
        assert_eq!(env["WEBHOOK_CLIENT_NAMES"], "kube-apiserver-admission,api.example.com", "{set}");
        let pod = release.pod(WEBHOOK);
        let mount = json!({"name": "client-ca", "mountPath": "/etc/kubevirt-operator/client-ca", "readOnly": true});
        assert_eq!(*only(&pod["containers"][0]["volumeMounts"]), mount, "{set}");
        assert_eq!(
            pod["containers"][0]["readinessProbe"],
            none.pod(WEBHOOK)["containers"][0]["readinessProbe"],
            "{set}"
        );
        only(&pod["volumes"]).clone()
    };
    let items = |key: &str| json!([{"key": key, "path": "ca.crt"}]);
    let secret = json!({"name": "client-ca", "secret": {"secretName": "callers", "items": items("ca.crt")}});
    assert_eq!(volume("webhook.clientCa.secretName=callers"), secret);
    let map = json!({"name": "client-ca", "configMap": {"name": "callers", "items": items("bundle.pem")}});
    assert_eq!(volume("webhook.clientCa.configMapName=callers,webhook.clientCa.key=bundle.pem"), map);
}
