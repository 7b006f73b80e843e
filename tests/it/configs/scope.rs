//! KubevirtConfigs of the published CRD, which is cluster-scoped: they work, and the rights are no more than they need.

use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, ResourceExt};
use model::api::KubevirtConfig;
use model::names::KUBEVIRT_CONFIG;
use serde_json::{Value, json};
use tests::fleet::{self, Component, Endpoint, Fleet, NAMESPACE};
use tests::install::{self, Render, apply};
use tests::process::Stop;
use tests::wait::eventually;

use super::{create, keep, says};
use crate::fleet::fresh;
use crate::machines::{Ground, LIMIT, machine};

/// github:vitistack/common, tag v0.8.59: the fields of its KubevirtConfig, and no others.
fn published() -> Value {
    let text = json!({"type": "string"});
    let spec = json!({
        "type": "object", "required": ["kubeconfigSecretRef", "name", "secretNamespace"],
        "properties": {"kubeconfigSecretRef": text, "name": text, "secretNamespace": text},
    });
    let shown: serde_json::Map<_, _> = ["created", "message", "name", "phase", "status"]
        .into_iter()
        .map(|name| (name.to_owned(), text.clone()))
        .collect();
    let status = json!({"type": "object", "properties": shown});
    let schema = json!({"type": "object", "properties": {"apiVersion": text, "kind": text, "metadata": {"type": "object"}, "spec": spec, "status": status}});
    let version = json!({"name": "v1alpha1", "served": true, "storage": true, "subresources": {"status": {}}, "schema": {"openAPIV3Schema": schema}});
    let names = json!({"kind": "KubevirtConfig", "listKind": "KubevirtConfigList", "plural": "kubevirtconfigs", "singular": "kubevirtconfig", "shortNames": ["kvc"]});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "kubevirtconfigs.vitistack.io"},
        "spec": {"group": "vitistack.io", "scope": "Cluster", "names": names, "versions": [version]},
    })
}

#[tokio::test]
async fn x8_x9_b17_b19_b29_cluster_scoped_configs_find_their_secrets_in_several_namespaces() {
    let fleet = fresh(&["east", "west"]).await;
    let ground = Ground::new(&fleet, "default").await;
    replace_definition(&fleet, &ground).await;
    for (namespace, remote) in [("team-a", "east"), ("team-b", "west"), ("team-c", "west")] {
        fleet.supervisor().ensure_namespace(namespace).await.unwrap_or_else(|error| panic!("{error}"));
        let plane = fleet.remote(remote).unwrap_or_else(|error| panic!("{error}"));
        let kubeconfig = plane.token_kubeconfig(NAMESPACE, fleet::REMOTE_CONTROLLER_ACCOUNT).await;
        let kubeconfig = kubeconfig.unwrap_or_else(|error| panic!("{error}"));
        keep(&ground.supervisor, namespace, "access", "kubeconfig", &kubeconfig).await;
    }
    // team-c is nowhere in the chart's values.
    let address = fleet.address(Endpoint::Webhook).unwrap_or_else(|error| panic!("{error}"));
    let set =
        ["crds.install=false", "cloudInit.sources.enabled=false", "kubevirtConfigs.secretNamespaces={team-a,team-b}"];
    let set = set.map(str::to_owned).into_iter().chain([format!("webhook.url=https://{address}")]).collect();
    let release = Render { set, ..Render::in_namespace(NAMESPACE) };
    let rendered = install::template(&install::chart(), &release).await.unwrap_or_else(|error| panic!("{error}"));
    apply(fleet.supervisor(), &rendered).await.unwrap_or_else(|error| panic!("{error}"));
    // What the fleet was given before reads the Secrets of every namespace, as cloud-init needs it.
    let bindings: Api<ClusterRoleBinding> = Api::all(ground.supervisor.clone());
    let sources = bindings.delete("kubevirt-operator-controller-sources", &Default::default()).await;
    sources.unwrap_or_else(|error| panic!("{error}"));
    for ours in [Component::Controller, Component::Webhook] {
        fleet.start(&ours).await.unwrap_or_else(|error| panic!("{error}"));
    }

    let configs: Api<KubevirtConfig> = Api::all(ground.supervisor.clone());
    let spec = |namespace: &str, secret: &str| json!({"name": "any", "kubeconfigSecretRef": secret, "secretNamespace": namespace});
    create(&configs, "east", &spec("team-a", "access")).await;
    create(&configs, "west", &spec("team-b", "access")).await;
    create(&configs, "secretless", &spec("team-b", "absent")).await;
    create(&configs, "forbidden", &spec("team-c", "access")).await;
    eventually("B17 B19: what is missing is said, and nothing ends by it", async || {
        let log = std::fs::read_to_string(fleet.processes().log("controller")).expect("a log");
        let lacks = "⚠️ CRD kubevirtconfigs.vitistack.io lacks spec.allowSchedulingPatches, ";
        if log.contains(lacks) { Ok(()) } else { Err(log) }
    })
    .await;
    says(&configs, "east", "the cluster answers").await;
    says(&configs, "west", "the cluster answers").await;
    says(&configs, "secretless", "Secret team-b/absent does not exist: create it with the key \"kubeconfig\"").await;
    let sentence =
        "Secret team-c/access cannot be read: add \"team-c\" to kubevirtConfigs.secretNamespaces of the chart";
    assert_eq!(says(&configs, "forbidden", sentence).await.status.as_deref(), Some("Refused"), "B29");

    let small = json!({"template": "small"});
    admitted(&ground, &machine("placed", Some("east"), &small)).await;
    let refused = ground.apply(&machine("lost", Some("nord"), &small)).await.expect_err("no such cluster");
    assert!(
        refused.contains("KubevirtConfig \"nord\" not found: known are east"),
        "X8: no namespace is named: {refused}"
    );
    let placed = ground.running("placed").await;
    assert_eq!(placed.annotations()[KUBEVIRT_CONFIG], "east");
    assert_eq!(ground.remains("east", "placed").await.len(), 3, "VM, instance and claim");

    // The one that was forbidden is taken up once it may be read; the watch asks by itself.
    let set = release.set.iter().map(|pair| pair.replace("team-a,", "team-a,team-c,")).collect();
    let more = install::template(&install::chart(), &Render { set, ..release.clone() }).await;
    apply(fleet.supervisor(), &more.unwrap_or_else(|error| panic!("{error}")))
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    says(&configs, "forbidden", "the cluster answers").await;
}

/// Applies again until the webhook has seen the KubevirtConfigs: its watch has no other signal.
async fn admitted(ground: &Ground<'_>, manifest: &Value) {
    eventually("the webhook knows the cluster", async || ground.apply(manifest).await).await;
}

/// Takes our definition away, and puts the published one in its place.
async fn replace_definition(fleet: &Fleet, ground: &Ground<'_>) {
    for ours in [Component::Controller, Component::Webhook] {
        fleet.stop(&ours, Stop::Gracefully).await.unwrap_or_else(|error| panic!("{error}"));
    }
    let definitions: Api<CustomResourceDefinition> = Api::all(ground.supervisor.clone());
    let name = "kubevirtconfigs.vitistack.io";
    let before = definitions.get(name).await.expect("ours").metadata.uid.expect("a UID");
    definitions.delete(name, &Default::default()).await.expect("deleted");
    let gone = await_condition(definitions, name, conditions::is_deleted(&before));
    tokio::time::timeout(LIMIT, gone).await.expect("in time").expect("a watch");
    apply(fleet.supervisor(), &published().to_string()).await.unwrap_or_else(|error| panic!("{error}"));
}
