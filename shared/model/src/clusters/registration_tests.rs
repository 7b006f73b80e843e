use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::*;
use crate::table::every_row;

const BESIDE: Place<'_> = Place { namespace: "kubevirt-configs", cluster_scoped: false };
const WIDE: Place<'_> = Place { namespace: "kubevirt-configs", cluster_scoped: true };

fn document() -> Value {
    let ca = BASE64.encode("-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n");
    json!({
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "hub", "user": "operator"}}],
        "clusters": [{"name": "hub", "cluster": {"server": "https://hub.example.com:6443", "certificate-authority-data": ca}}],
        "users": [{"name": "operator", "user": {"token": "canary-token"}}],
    })
}

fn hub(namespace: Option<&str>) -> Hub {
    Hub { id: "vmaas-primary".to_owned(), namespace: namespace.map(str::to_owned) }
}

/// A KubevirtConfig of the hub's name; each owner has set the fields beside it.
fn present(spec: &Value, owners: &[(&str, &[&str])]) -> KubevirtConfig {
    let managed: Vec<Value> = owners
        .iter()
        .map(|(manager, fields)| {
            let fields: serde_json::Map<_, _> = fields.iter().map(|field| (format!("f:{field}"), json!({}))).collect();
            json!({"manager": manager, "operation": "Apply", "fieldsV1": {"f:spec": fields}})
        })
        .collect();
    let mut whole = json!({"name": "vmaas-primary", "kubeconfigSecretRef": "vmaas-primary-kubeconfig", "schedulable": false, "weight": 3});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    let metadata = json!({"name": "vmaas-primary", "labels": {"region": "eu"}, "managedFields": managed});
    serde_json::from_value(
        json!({"apiVersion": "vitistack.io/v1alpha1", "kind": "KubevirtConfig", "metadata": metadata, "spec": whole}),
    )
    .unwrap()
}

fn register(hub: &Hub, present: Option<&KubevirtConfig>, place: Place<'_>) -> Result<Registration, String> {
    hub.register(document().to_string().as_bytes(), present, None, place)
}

#[test]
fn e5_x40_x105_a_hub_is_a_config_and_a_secret_of_its_name() {
    let made = register(&hub(Some("vmaas-system")), None, BESIDE).map_err(|why| panic!("{why}")).unwrap();
    assert_eq!(
        made.config,
        json!({
            "apiVersion": "vitistack.io/v1alpha1", "kind": "KubevirtConfig",
            "metadata": {"name": "vmaas-primary", "namespace": "kubevirt-configs"},
            "spec": {
                "name": "vmaas-primary", "kubeconfigSecretRef": "vmaas-primary-kubeconfig", "namespace": "vmaas-system",
                "hubType": "vmaas", "capabilities": ["virtualmachines"],
            },
        }),
        "E5"
    );
    assert_eq!(made.secret["metadata"], json!({"name": "vmaas-primary-kubeconfig", "namespace": "kubevirt-configs"}));
    let kept = BASE64.decode(made.secret["data"]["kubeconfig"].as_str().unwrap()).unwrap();
    assert_eq!(kept, document().to_string().into_bytes());
    assert_eq!(made.kept, Vec::<String>::new());
    let Err(why) = register(&hub(Some("a")), None, WIDE) else { panic!("the published CRD has no spec.namespace") };
    assert!(why.contains("has no spec.namespace for \"a\": set VMAAS_HUB_NAMESPACE"), "{why}");
    // The published CRD has three fields, and its default is the same.
    let wide = register(&hub(None), None, WIDE).map_err(|why| panic!("{why}")).unwrap();
    assert_eq!(wide.config["metadata"], json!({"name": "vmaas-primary"}), "X9");
    assert_eq!(
        wide.config["spec"],
        json!({"name": "vmaas-primary", "kubeconfigSecretRef": "vmaas-primary-kubeconfig", "secretNamespace": "kubevirt-configs"})
    );
}

#[test]
fn x105_what_an_administrator_set_stays_and_is_told() {
    const US: &str = HUB_MANAGER;
    type Owners<'o> = &'o [(&'o str, &'o [&'o str])];
    let ours: Owners<'_> = &[(US, &["name", "hubType", "namespace", "capabilities"])];
    let both: Owners<'_> = &[(US, &["namespace"]), ("kubectl", &["namespace"])];
    let theirs: Owners<'_> = &[("kubectl-edit", &["hubType", "namespace", "capabilities", "name"])];
    let nobody: Owners<'_> = &[];
    let all = |namespace: Value, hub_type: Value, capabilities: Value| json!({"namespace": namespace, "hubType": hub_type, "capabilities": capabilities});
    let vms = json!(["virtualmachines"]);
    let vmaas = json!("vmaas");
    #[rustfmt::skip]
    let cases = [
        ("X105: as we left it",        json!({"namespace": "a", "hubType": "vmaas", "capabilities": ["virtualmachines"]}), ours, Some("a"), all(json!("a"), vmaas.clone(), vms.clone()), vec![]),
        ("X105: our flag changed",     json!({"namespace": "a"}),                      ours,   Some("b"), all(json!("b"), vmaas.clone(), vms.clone()), vec![]),
        ("X105: our flag went",        json!({"namespace": "a"}),                      ours,   None,      all(Value::Null, vmaas.clone(), vms.clone()), vec![]),
        ("X105: others ask for it, too", json!({"namespace": "a"}),                    both,   Some("b"), all(Value::Null, vmaas.clone(), vms.clone()), vec!["spec.namespace \"a\""]),
        ("X105: another namespace",    json!({"namespace": "x"}),                      theirs, Some("a"), all(Value::Null, vmaas.clone(), vms.clone()), vec!["spec.namespace \"x\""]),
        ("X105: theirs where the flag mirrors", json!({"namespace": "x"}),             theirs, None,      all(Value::Null, vmaas.clone(), vms.clone()), vec!["spec.namespace \"x\""]),
        ("X105: nobody knows whose",   json!({"namespace": "x"}),                      nobody, Some("a"), all(Value::Null, vmaas.clone(), vms.clone()), vec!["spec.namespace \"x\""]),
        ("X105: another type",         json!({"hubType": "hybrid"}),                   theirs, None,      all(Value::Null, Value::Null, Value::Null),   vec!["spec.hubType \"hybrid\""]),
        ("X105: more capabilities",    json!({"capabilities": ["clusters", "virtualmachines"]}), theirs, None, all(Value::Null, vmaas.clone(), vms.clone()), vec![]),
        ("X105: other capabilities",   json!({"capabilities": ["clusters"]}),          theirs, None,      all(Value::Null, vmaas.clone(), Value::Null), vec!["spec.capabilities [\"clusters\"]"]),
        ("X105: all of it",            json!({"hubType": "cluster", "capabilities": ["clusters"], "namespace": "x"}), theirs, Some("a"), all(Value::Null, Value::Null, Value::Null), vec!["spec.namespace \"x\"", "spec.hubType \"cluster\"", "spec.capabilities [\"clusters\"]"]),
        ("X105: another name",         json!({"name": "The first hub"}),               theirs, None,      all(Value::Null, vmaas.clone(), vms.clone()), vec!["spec.name \"The first hub\""]),
    ];
    every_row(cases, |(name, spec, owners, namespace, want, kept)| {
        let present = present(&spec, owners);
        let made = register(&hub(namespace), Some(&present), BESIDE).map_err(|why| panic!("{name}: {why}")).unwrap();
        let said = |field: &str| made.config["spec"].get(field).cloned().unwrap_or(Value::Null);
        assert_eq!(all(said("namespace"), said("hubType"), said("capabilities")), want, "{name}");
        assert_eq!(made.kept, kept, "{name}");
        assert_eq!((said("weight"), said("schedulable")), (Value::Null, Value::Null), "{name}: not ours to say");
        assert_eq!(made.config["metadata"].get("labels"), None, "{name}");
    });
}

#[test]
fn x105_a_config_that_is_somebody_elses_is_not_taken_over() {
    let mut leaving = present(&json!({}), &[]);
    leaving.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
    #[rustfmt::skip]
    let cases = [
        ("X105: another Secret",           present(&json!({"kubeconfigSecretRef": "mine"}), &[]),    BESIDE, "exists with Secret \"mine\" and is not taken over"),
        ("X105: its Secret is elsewhere",  present(&json!({"secretNamespace": "team-a"}), &[]),      WIDE,   "exists with Secret \"team-a/vmaas-primary-kubeconfig\""),
        ("X105: it is being deleted",      leaving,                                                 BESIDE, "is being deleted"),
    ];
    every_row(cases, |(name, present, place, says)| {
        let Err(why) = register(&hub(None), Some(&present), place) else { panic!("{name}: it is written") };
        assert!(why.contains(says) && why.contains("VMAAS_HUB_"), "{name}: {why}");
        assert!(!why.contains("canary"), "T19: {why}");
    });
}

#[test]
fn e5_x105_a_secret_that_was_there_before_is_not_overwritten() {
    let secret = |manager: &str| -> ObjectMeta {
        let set = json!({"manager": manager, "operation": "Apply", "fieldsV1": {"f:data": {"f:kubeconfig": {}}}});
        serde_json::from_value(json!({"name": "vmaas-primary-kubeconfig", "managedFields": [set]})).unwrap()
    };
    let config = |manager: &str| present(&json!({}), &[(manager, &["kubeconfigSecretRef"])]);
    let (theirs, ours) = (config("kubectl"), config(HUB_MANAGER));
    #[rustfmt::skip]
    let cases = [
        ("X105: there is nothing",                         None,          None,                        true),
        ("X105: as we left them",                          Some(&ours),   Some(secret(HUB_MANAGER)),   true),
        ("X105: an administrator has changed the Secret",  Some(&ours),   Some(secret("kubectl")),     true),
        ("X105: the KubevirtConfig is gone",               None,          Some(secret(HUB_MANAGER)),   true),
        ("X105: an administrator's, and its Secret is missing", Some(&theirs), None,                   true),
        ("X105: an administrator's with its Secret",       Some(&theirs), Some(secret("kubectl")),     false),
        ("X105: a Secret that others may need",            None,          Some(secret("kubectl")),     false),
        ("X105: a Secret of which nobody knows whose",     None,          Some(ObjectMeta::default()), false),
    ];
    every_row(cases, |(name, present, secret, writes)| {
        let document = document().to_string();
        let made = hub(None).register(document.as_bytes(), present, secret.as_ref(), BESIDE).map(drop);
        let refused = "Secret \"kubevirt-configs/vmaas-primary-kubeconfig\" exists, was not made by this registration, and is not overwritten: choose another VMAAS_HUB_ID, or delete that Secret if nobody needs it";
        assert_eq!(made, if writes { Ok(()) } else { Err(refused.to_owned()) }, "{name}");
    });
}

#[test]
fn x105_t1_t19_a_kubeconfig_is_judged_as_every_other_and_never_shown() {
    let mut program = document();
    program["users"][0]["user"] = json!({"exec": {"command": "canary"}});
    for (bad, says) in
        [(program.to_string(), "kubeconfig field user.exec:"), ("canary: [".to_owned(), "not plain YAML")]
    {
        let Err(why) = hub(None).register(bad.as_bytes(), None, None, BESIDE) else { panic!("it is written") };
        assert!(why.contains(says) && !why.contains("canary"), "{why}");
    }
}
