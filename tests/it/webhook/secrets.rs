//! Who names a Secret must be able to read it, because its content comes to him (T9).

use serde_json::{Value, json};
use tests::install::{apply, kubectl};

use crate::fleet::shared;
use crate::machines::{Ground, machine, said};

/// `ann` may work with Machines and read the Secret `mine`, and that alone.
fn rights(namespace: &str) -> Value {
    let role = |name: &str, rules: Value| json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name, "namespace": namespace}, "rules": rules});
    let binding = |role: &str| {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": role, "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "ann"}]})
    };
    let secret = |name: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "stringData": {"userdata": "#cloud-config"}});
    let machines = json!([{"apiGroups": ["vitistack.io"], "resources": ["machines"], "verbs": ["get", "create", "patch", "update"]}]);
    let mine = json!([{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["mine"], "verbs": ["get"]}]);
    let items = [
        role("machines", machines),
        binding("machines"),
        role("mine", mine),
        binding("mine"),
        secret("mine"),
        secret("other"),
    ];
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

fn with_secret(name: &str, secret: &str) -> Value {
    let spec = json!({"template": "small", "runStrategy": "Halted", "cloudInit": {"secretRef": {"name": secret, "key": "userdata"}}});
    machine(name, Some("east"), &spec)
}

async fn as_ann(ground: &Ground<'_>, verb: &str, manifest: &Value) -> Result<String, String> {
    let args = ["--as", "ann", "--namespace", &ground.namespace, verb, "--filename", "-"];
    said(kubectl(ground.fleet.supervisor(), &args, &manifest.to_string()).await)
}

fn refused(answer: Result<String, String>, case: &str) {
    let refused = answer.expect_err(case);
    let says = "spec.cloudInit.secretRef.name: Forbidden: you may not read Secret \"other\": ask for get on secrets/other in namespace secretive";
    assert!(refused.contains(says), "{case}: {refused}");
}

#[tokio::test]
async fn t9_a_secret_that_its_author_cannot_read_is_refused_however_it_comes_in() {
    let ground = Ground::new(shared().await, "secretive").await;
    let plane = ground.fleet.supervisor();
    apply(plane, &rights(&ground.namespace).to_string()).await.unwrap_or_else(|error| panic!("{error}"));

    refused(as_ann(&ground, "apply", &with_secret("spy", "other")).await, "CREATE");
    let mut generated = with_secret("", "other");
    generated["metadata"] = json!({"generateName": "spy-", "annotations": generated["metadata"]["annotations"]});
    refused(as_ann(&ground, "create", &generated).await, "generateName");

    as_ann(&ground, "apply", &with_secret("honest", "mine")).await.expect("ann may read it");
    refused(as_ann(&ground, "apply", &with_secret("honest", "other")).await, "UPDATE");
    let kept = ground.machines().get("honest").await.expect("stored");
    assert_eq!(kept.spec.cloud_init.and_then(|data| data.secret_ref).expect("a reference").name, "mine");

    let mut labelled = with_secret("honest", "mine");
    labelled["metadata"]["labels"] = json!({"edited": "yes"});
    as_ann(&ground, "apply", &labelled).await.expect("the reference is not new");
    ground.applied(&with_secret("administered", "other")).await;
}
