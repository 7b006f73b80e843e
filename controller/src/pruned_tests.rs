use std::collections::BTreeMap;

use model::machine::{Intent, Shown};
use serde_json::{Value, json};

use super::*;

fn read(machine: &Value) -> Guarded {
    serde_json::from_value(machine.clone()).expect("a Machine, or what is left of one")
}

fn pruned(machine: &Value) -> Guarded {
    let mut machine = read(machine);
    prune(&mut machine);
    machine
}

/// Bytes of what is kept, as JSON: each of its values takes less than a hundred times its text.
fn weight(machine: &Guarded) -> usize {
    match &machine.0 {
        Ok(machine) => serde_json::to_string(machine).expect("plain data").len(),
        Err(broken) => broken.error.len() + serde_json::to_string(&broken.metadata).expect("plain data").len(),
    }
}

fn many(value: &str) -> BTreeMap<String, String> {
    (0..10_000).map(|at| (format!("k{at:x}"), value.to_owned())).collect()
}

/// A Machine with 10,000 of everything that a tenant may write and nobody reads.
fn heavy(provider: &str) -> Value {
    let names: Vec<String> = many("").into_keys().collect();
    let fields: BTreeMap<String, Value> = names.iter().map(|name| (format!("f:{name}"), json!({}))).collect();
    let owners: Vec<Value> =
        names.iter().map(|name| json!({"apiVersion": "v1", "kind": "Pod", "name": name, "uid": name})).collect();
    let mut annotations = many("x");
    annotations.insert("vitistack.io/kubevirt-config".to_owned(), "east".to_owned());
    annotations.insert("platform.kubevirt.io/mode".to_owned(), "managed".to_owned());
    annotations.insert("kubectl.kubernetes.io/last-applied-configuration".to_owned(), "x".repeat(200_000));
    json!({
        "apiVersion": "vitistack.io/v1alpha1", "kind": "Machine",
        "metadata": {"name": "web", "namespace": "shop", "uid": "m-1", "resourceVersion": "7", "generation": 3,
            "creationTimestamp": "2026-11-21T00:00:00Z", "labels": many(""), "annotations": annotations,
            "ownerReferences": owners, "finalizers": ["example.org/hold"],
            "managedFields": [{"manager": "x", "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:labels": fields}}}]},
        "spec": {"provider": provider, "template": "small", "tags": many(""), "securityGroups": names,
            "clusterSelector": {"matchLabels": many("")}, "providerConfig": {"config": many("")},
            "network": {"networkNamespaceName": "blue", "interfaces": [{"securityGroups": names}]}},
        "status": {"phase": "Running", "ipAddresses": names},
    })
}

#[test]
fn of_a_machine_with_very_many_labels_little_is_kept() {
    let ours = pruned(&heavy("kubevirt"));
    assert!(weight(&read(&heavy("kubevirt"))) > 1_000_000);
    assert!(weight(&ours) < 20_000, "{} bytes of one of ours", weight(&ours));
    let machine = ours.0.expect("a Machine");
    let labels = machine.metadata.labels.expect("labels");
    assert_eq!((labels.len(), labels.contains_key("k0")), (256, true), "the setting may copy them");
    let annotations: Vec<_> = machine.metadata.annotations.expect("annotations").into_iter().collect();
    let kept = [("platform.kubevirt.io/mode", "managed"), ("vitistack.io/kubevirt-config", "east")];
    assert_eq!(annotations, kept.map(|(key, value)| (key.to_owned(), value.to_owned())));
    assert_eq!(
        machine.metadata.finalizers.as_deref(),
        Some(&["example.org/hold".to_owned()][..]),
        "they are written back"
    );
    assert_eq!(machine.spec.network.and_then(|it| it.network_namespace_name).as_deref(), Some("blue"));
    assert_eq!(
        machine.status.map(|it| (it.phase.unwrap_or_default(), it.ip_addresses.len())),
        Some(("Running".to_owned(), 1024))
    );
}

#[test]
fn of_a_machine_of_another_provider_it_is_kept_that_it_is_there() {
    let foreign = pruned(&heavy("proxmox"));
    let kept = serde_json::to_value(foreign.0.as_ref().expect("a Machine")).expect("plain data");
    let metadata = json!({"name": "web", "namespace": "shop", "uid": "m-1", "resourceVersion": "7", "creationTimestamp": "2026-11-21T00:00:00Z"});
    assert_eq!((&kept["metadata"], &kept["spec"]["provider"]), (&metadata, &json!("proxmox")));
    assert!(weight(&foreign) < 400, "{} bytes: {kept}", weight(&foreign));
    // We wait for what carries our finalizer, also after its provider was changed.
    for finalizer in [CLEANUP, LEGACY_FINALIZER] {
        let mut was_ours = heavy("proxmox");
        was_ours["metadata"]["finalizers"] = json!([finalizer]);
        let kept = pruned(&was_ours).0.expect("a Machine").metadata;
        assert_eq!(kept.finalizers.as_deref(), Some(&[finalizer.to_owned()][..]));
        assert_eq!(kept.annotations.map(|all| all.len()), Some(2), "{finalizer}");
    }
}

#[test]
fn of_a_machine_that_cannot_be_read_it_is_kept_why() {
    let mut broken = heavy("kubevirt");
    broken["spec"] = json!({"memory": "x".repeat(1_000_000)});
    let broken = pruned(&broken);
    assert!(weight(&broken) < 8_000, "{} bytes", weight(&broken));
    let why = broken.0.expect_err("memory is a number").error;
    assert!(why.contains("xxx") && why.len() <= 512, "{why}");
}

#[test]
fn a_machine_without_what_is_pruned_means_the_same() {
    let mut machine = heavy("kubevirt");
    let sizing = json!({"template": "small", "source": "built-in", "cores": 1, "threads": 1, "sockets": 1, "memory": "2Gi", "disks": []});
    machine["metadata"]["annotations"]["vitistack.io/resolved"] = json!(sizing.to_string());
    let intent = |machine: &Guarded| Intent::of(machine.0.as_ref().expect("a Machine"), "vm-", None, &Shown::default());
    let (Intent::Run(whole), Intent::Run(kept)) = (intent(&read(&machine)), intent(&pruned(&machine))) else {
        panic!("undecided: {:?}", intent(&pruned(&machine)))
    };
    assert_eq!((whole.identity, whole.cluster, whole.sizing), (kept.identity, kept.cluster, kept.sizing));
    assert_eq!((whole.words, whole.adopt, whole.guarded), (kept.words, kept.adopt, kept.guarded));
}
