//! Hubs there and back, and what is said of their kubeconfigs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use super::*;
use crate::table::every_row;

fn document() -> String {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let authority = BASE64.encode(made.cert.pem());
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443", "certificate-authority-data": authority}}],
        "users": [{"name": "u", "user": {"token": "hunter2hunter2"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    })
    .to_string()
}

fn documented(kubeconfig: &str) -> Value {
    json!({"id": "vmaas-primary", "kubeconfig": BASE64.encode(kubeconfig), "namespace": "vmaas-system", "capabilities": ["virtualmachines"], "hub_type": "vmaas"})
}

#[test]
fn e6_x111_the_documented_call_is_this_config_and_this_secret() {
    let document = document();
    let mut wrong = Vec::new();
    let ask = read(&documented(&document), true, &mut wrong);
    assert_eq!(wrong, []);
    let config = ask.config("kubevirt-configs", None);
    let wanted = json!({
        "apiVersion": "vitistack.io/v1alpha1", "kind": "KubevirtConfig",
        "metadata": {"name": "vmaas-primary", "namespace": "kubevirt-configs"},
        "spec": {"name": "vmaas-primary", "kubeconfigSecretRef": "vmaas-primary-kubeconfig", "namespace": "vmaas-system", "hubType": "vmaas", "capabilities": ["virtualmachines"]},
    });
    assert_eq!(config, wanted);
    let given = ask.kubeconfig.as_ref().expect("a kubeconfig");
    let secret = given.secret(&ask.secret_name(), "kubevirt-configs", &ask.id, Some("u-1"));
    let wanted = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {
            "name": "vmaas-primary-kubeconfig", "namespace": "kubevirt-configs",
            "ownerReferences": [{"apiVersion": "vitistack.io/v1alpha1", "kind": "KubevirtConfig", "name": "vmaas-primary", "uid": "u-1"}],
        },
        "data": {"kubeconfig": BASE64.encode(&document)},
    });
    assert_eq!(secret, wanted);
    let shown = serde_json::to_value(show(&config)).expect("JSON");
    let wanted = json!({
        "id": "vmaas-primary", "metadata": {"creation_timestamp": "", "labels": {}}, "namespace": "vmaas-system",
        "capabilities": ["virtualmachines"], "hub_type": "vmaas",
        "status": {"state": "HUB_STATE_PENDING", "message": "", "kubevirt_version": "", "last_contact": null},
    });
    assert_eq!(shown, wanted);
}

#[test]
fn f6_x111_a_kubeconfig_that_is_refused_is_told_by_its_field_and_never_by_its_content() {
    let good = document();
    let exec = good.replace("\"token\":\"hunter2hunter2\"", "\"exec\":{\"command\":\"hunter2\"}");
    #[rustfmt::skip]
    let cases = [
        (json!("%%%"),                                   "is not base64: encode the kubeconfig, as `base64 -w0` does"),
        (json!(BASE64.encode("hunter2: [")),             "kubeconfig is not"),
        (json!(BASE64.encode("")),                       "kubeconfig"),
        (json!(BASE64.encode(&exec)),                    "kubeconfig field user.exec"),
        (json!(BASE64.encode(good.replace("https://", "http://"))), "kubeconfig field cluster.server"),
        (json!(7),                                       "must be text"),
        (Value::Null,                                    "give the kubeconfig of the hub in base64"),
    ];
    every_row(cases, |(given, begins)| {
        let mut wrong = Vec::new();
        read(&json!({"id": "a", "kubeconfig": given}), true, &mut wrong);
        let said: Vec<_> = wrong.iter().map(|it| (it.pointer.as_deref(), it.detail.as_str())).collect();
        assert!(
            matches!(said.as_slice(), [(Some("#/kubeconfig"), says)] if says.starts_with(begins)),
            "X111: {said:?}"
        );
        assert!(!format!("{wrong:?}").contains("hunter2"), "X111: {wrong:?}");
    });
}

#[test]
fn x101_what_a_hub_is_for_is_shown_as_it_counts_and_a_contradiction_is_told() {
    #[rustfmt::skip]
    let cases = [
        (json!({}),                                                             vec!["virtualmachines"],             "vmaas",   false),
        (json!({"hubType": "cluster"}),                                         vec!["clusters"],                    "cluster", false),
        (json!({"hubType": "hybrid"}),                                          vec!["clusters", "virtualmachines"], "hybrid",  false),
        (json!({"capabilities": ["virtualmachines", "clusters"]}),              vec!["clusters", "virtualmachines"], "hybrid",  false),
        (json!({"capabilities": ["clusters"]}),                                 vec!["clusters"],                    "cluster", false),
        (json!({"hubType": "vmaas", "capabilities": ["clusters"]}),             vec!["clusters"],                    "vmaas",   true),
        (json!({"hubType": "hybrid", "capabilities": ["virtualmachines"]}),     vec!["virtualmachines"],             "hybrid",  true),
    ];
    every_row(cases, |(spec, list, hub_type, told)| {
        let config = json!({"metadata": {}, "spec": spec});
        let hub = show(&config);
        assert_eq!(
            (hub.capabilities, hub.hub_type.as_str()),
            (list.into_iter().map(str::to_owned).collect(), hub_type),
            "X101: {config}"
        );
        assert_eq!(contradiction(&config).is_some(), told, "X101: {config}");
    });
}

#[test]
fn x111_an_edit_changes_what_it_names_and_nothing_else() {
    let config = json!({
        "metadata": {"name": "east", "labels": {"a": "1"}, "annotations": {"x": "y"}},
        "spec": {"name": "East", "kubeconfigSecretRef": "mine", "weight": 7, "hubType": "vmaas"},
        "status": {"phase": "Ready"},
    });
    #[rustfmt::skip]
    let cases = [
        (json!({}),                                         json!({})),
        (json!({"hub_type": "vmaas"}),                      json!({})),
        (json!({"capabilities": ["virtualmachines"]}),      json!({})),
        (json!({"hub_type": "hybrid"}),                     json!({"spec": {"hubType": "hybrid"}})),
        (json!({"hub_type": null}),                         json!({"spec": {"hubType": null}})),
        (json!({"capabilities": ["clusters"]}),             json!({"spec": {"capabilities": ["clusters"]}})),
        (json!({"status": {"state": "x"}}),                 json!({})),
        (json!({"namespace": "vms"}),                       json!({"spec": {"namespace": "vms"}})),
        (json!({"metadata": {"labels": {"a": null, "b": "2"}}}), json!({"metadata": {"labels": {"a": null, "b": "2"}}})),
        (serde_json::to_value(show(&config)).expect("JSON"), json!({})),
    ];
    every_row(cases, |(patch, want)| {
        let mut wrong = Vec::new();
        let (changes, kubeconfig) = edit(&config, &patch, &mut wrong);
        assert_eq!((&changes, kubeconfig.is_some(), wrong), (&want, false, vec![]), "X111: {patch}");
    });
    let mut wrong = Vec::new();
    let (changes, kubeconfig) = edit(&config, &json!({"kubeconfig": BASE64.encode(document())}), &mut wrong);
    assert_eq!((changes, wrong), (json!({}), vec![]));
    let replacement = kubeconfig.expect("X111: a new one").replacement();
    assert_eq!(
        replacement,
        json!({"data": {"kubeconfig": BASE64.encode(document_of(&replacement)), "kubeconfig-readonly": null}})
    );
    for (patch, pointer) in [(json!({"kubeconfig": null}), "#/kubeconfig"), (json!({"id": "west"}), "#/id")] {
        let mut wrong = Vec::new();
        edit(&config, &patch, &mut wrong);
        assert_eq!(wrong.iter().filter_map(|it| it.pointer.as_deref()).collect::<Vec<_>>(), [pointer], "X111: {patch}");
    }
}

fn document_of(secret: &Value) -> Vec<u8> {
    BASE64.decode(secret["data"]["kubeconfig"].as_str().expect("text")).expect("base64")
}

#[test]
fn x103_causes_about_a_config_have_their_place_in_the_request() {
    #[rustfmt::skip]
    let cases = [
        ("metadata.name",              Some("#/id")),
        ("metadata.labels[a.b/c]",     Some("#/metadata/labels")),
        ("spec.namespace",             Some("#/namespace")),
        ("spec.hubType",               Some("#/hub_type")),
        ("spec.capabilities",          Some("#/capabilities")),
        ("spec.capabilities[1]",       Some("#/capabilities/1")),
        ("spec.weight",                None),
    ];
    every_row(cases, |(field, want)| assert_eq!(pointer(field).as_deref(), want, "X103: {field}"));
}
