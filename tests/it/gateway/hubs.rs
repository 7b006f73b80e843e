//! Hubs: registered, shown, changed and taken away by somebody who may not read Secrets; and what the documented call for a virtual
//! machine comes to on one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use model::api::{KubevirtConfig, Machine};
use serde_json::{Value, json};
use tests::fleet::{CONFIGS_NAMESPACE, Fleet, GATEWAY};
use tests::wait::eventually;

use super::secrets::{
    a_half_done_hub_is_completed_by_a_repeat_and_not_by_a_dry_run, no_kubeconfig_goes_into_the_secret_of_another_hub,
};
use super::{Caller, HUBS, VMS, admin, kubeconfig, site, stored, tenant};

/// The body of the documentation.
fn documented(kubeconfig: &str) -> Value {
    json!({
        "id": "vmaas-primary",
        "kubeconfig": BASE64.encode(kubeconfig),
        "namespace": "vmaas-system",
        "capabilities": ["virtualmachines"],
        "hub_type": "vmaas",
    })
}

/// The body of the documentation.
fn virtual_machine() -> Value {
    json!({"spec": {"template": "rhel-9-vm-template", "template_parameters": {
        "vcpus": {"@type": "type.googleapis.com/google.protobuf.Int32Value", "value": 2},
        "memory": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": "4Gi"},
    }}})
}

#[tokio::test]
async fn e4_e6_x106_x107_the_documented_calls_register_a_hub_and_run_a_machine_on_it() {
    let fleet = site().await;
    let (alice, admin) = (tenant(fleet, 0).await, admin(fleet).await);
    without_a_hub_nothing_is_stored(fleet, &alice).await;
    let document = kubeconfig(fleet, "hub").await;
    the_hub_is_registered(fleet, &admin, &document).await;
    the_machine_runs(fleet, &alice).await;
    a_hub_admin_needs_not_read_secrets(fleet, &admin).await;
    let log = std::fs::read_to_string(fleet.processes().log(GATEWAY)).expect("a log");
    let token =
        document.split(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))).max_by_key(|part| part.len());
    let token = token.expect("a token");
    assert!(
        token.len() > 100 && !log.contains(token) && !log.contains(&BASE64.encode(&document)),
        "X111: the kubeconfig is in the log"
    );
    let mine = alice.token.as_deref().expect("a token");
    assert!(log.contains("answered a request") && !log.contains(mine), "F13: a token is in the log");
}

async fn without_a_hub_nothing_is_stored(fleet: &Fleet, alice: &Caller) {
    let refused = eventually("E4: the webhook knows what north is for", async || {
        let refused = alice.post(VMS, &virtual_machine()).await;
        if refused.status == 422 && refused.body["errors"][0]["reason"] == "CapabilityMissing" {
            Ok(refused)
        } else {
            Err(format!("{refused:?}"))
        }
    })
    .await;
    assert_eq!(refused.body["title"], "The request cannot be fulfilled");
    assert_eq!(refused.body["detail"], "No hub with virtualmachine capability found", "E4");
    let mistakes = refused.mistakes();
    assert_eq!(mistakes[0], ("#/spec", "No hub with virtualmachine capability found"));
    assert!(mistakes.iter().any(|(_, says)| says.starts_with("north: ")), "E4: {mistakes:?}");
    assert_eq!(stored(fleet, "team-a", "machines").await, Vec::<String>::new(), "E4");
}

async fn the_hub_is_registered(fleet: &Fleet, admin: &Caller, document: &str) {
    let tried = admin.post(&format!("{HUBS}?dry_run=true"), &documented(document)).await;
    assert_eq!((tried.status, tried.said("x-dry-run")), (200, "true"), "{tried:?}");
    let made = admin.post(HUBS, &documented(document)).await;
    assert_eq!((made.status, made.said("location")), (201, "/api/private/v1/hubs/vmaas-primary"), "E6: {made:?}");
    assert!(!made.said("etag").is_empty() && !made.body.to_string().contains("kubeconfig"), "X111: {made:?}");
    let supervisor = fleet.supervisor().client().await.expect("a client");
    let configs: Api<KubevirtConfig> = Api::namespaced(supervisor.clone(), CONFIGS_NAMESPACE);
    let config = configs.get("vmaas-primary").await.expect("E6: a KubevirtConfig");
    assert_eq!(
        (config.spec.kubeconfig_secret_ref.as_str(), config.spec.namespace.as_deref()),
        ("vmaas-primary-kubeconfig", Some("vmaas-system"))
    );
    let secrets: Api<Secret> = Api::namespaced(supervisor, CONFIGS_NAMESPACE);
    let secret = secrets.get("vmaas-primary-kubeconfig").await.expect("E6: its Secret");
    assert_eq!(secret.data.expect("data")["kubeconfig"].0, document.as_bytes());
    let owners = secret.metadata.owner_references.expect("X111: an owner");
    assert_eq!((owners.len(), &owners[0].uid), (1, config.metadata.uid.as_ref().expect("a UID")));
    let twice = admin.post(HUBS, &documented(document)).await;
    assert_eq!(twice.status, 409, "E6: {twice:?}");
    eventually("E6: the hub is ready", async || {
        let hub = admin.get(&format!("{HUBS}/vmaas-primary")).await;
        if hub.body["status"]["state"] == "HUB_STATE_READY" { Ok(()) } else { Err(hub.body.to_string()) }
    })
    .await;
}

async fn the_machine_runs(fleet: &Fleet, alice: &Caller) {
    let made = eventually("X106: the webhook knows the hub", async || {
        let made = alice.post(VMS, &virtual_machine()).await;
        if made.status == 201 { Ok(made) } else { Err(format!("{made:?}")) }
    })
    .await;
    let id = made.body["id"].as_str().expect("an id").to_owned();
    a_dry_run_names_the_hub_and_a_repeat_is_done_once(fleet, alice).await;
    assert!(id.starts_with("rhel-9-vm-template-") && id.len() == "rhel-9-vm-template-".len() + 10, "X103: {id}");
    assert_eq!(made.said("location"), format!("{VMS}/{id}?tenant=team-a"));
    assert_eq!(
        (&made.body["spec"], &made.body["status"]["hub"]),
        (&virtual_machine()["spec"], &json!("vmaas-primary"))
    );
    let machines: Api<Machine> = Api::namespaced(fleet.supervisor().client().await.expect("a client"), "team-a");
    let machine = machines.get(&id).await.expect("X107: the Machine");
    let spec = serde_json::to_value(&machine.spec).expect("JSON");
    let wanted = json!({
        "template": "rhel-9-vm-template",
        "resources": {"cpu": {"cores": 2, "sockets": 1, "threads": 1}, "memory": {"size": "4Gi"}},
    });
    assert_eq!(spec, wanted, "X107");
    assert_eq!(
        machine.metadata.annotations.expect("annotations")["vitistack.io/placement-strategy"],
        "balanced",
        "X106"
    );
    let path = format!("{VMS}/{id}");
    let ready = eventually("X110: READY", async || {
        let shown = alice.get(&path).await;
        if shown.body["status"]["state"] == "VIRTUAL_MACHINE_STATE_READY" {
            Ok(shown)
        } else {
            Err(shown.body.to_string())
        }
    })
    .await;
    assert!(ready.body["status"]["ip_address"].as_str().is_some_and(|ip| ip.starts_with("10.")), "{ready:?}");
    let four = alice.patch(&path, &[], &json!({"spec": {"template_parameters": {"vcpus": {"@type": "type.googleapis.com/google.protobuf.Int32Value", "value": "4"}}}})).await;
    assert_eq!(
        (four.status, &four.body["spec"]["template_parameters"]["vcpus"]["value"]),
        (200, &json!(4)),
        "X107: {four:?}"
    );
    let gone = alice.delete(&path).await;
    assert_eq!(
        (gone.status, &gone.body["status"]["state"]),
        (202, &json!("VIRTUAL_MACHINE_STATE_DELETING")),
        "{gone:?}"
    );
    assert!(gone.body["metadata"]["deletion_timestamp"].is_string(), "{gone:?}");
    eventually("it is gone", async || {
        let shown = alice.get(&path).await;
        if shown.status == 404 { Ok(()) } else { Err(shown.body.to_string()) }
    })
    .await;
}

async fn a_dry_run_names_the_hub_and_a_repeat_is_done_once(fleet: &Fleet, alice: &Caller) {
    let before = stored(fleet, "team-a", "machines").await.len();
    let tried = alice.post(&format!("{VMS}?dry_run=true"), &virtual_machine()).await;
    assert_eq!((tried.status, &tried.body["status"]["hub"]), (200, &json!("vmaas-primary")), "X106: {tried:?}");
    assert_eq!((tried.said("location"), stored(fleet, "team-a", "machines").await.len()), ("", before));
    let key = [("idempotency-key", "k-1")];
    let post = async |body: Value| alice.call(http::Method::POST, VMS, &key, body.to_string()).await;
    let (first, second) = (post(virtual_machine()).await, post(virtual_machine()).await);
    assert_eq!(
        (first.status, second.status, second.said("idempotency-replayed")),
        (201, 201, "true"),
        "X108: {second:?}"
    );
    assert_eq!(first.body["id"], second.body["id"], "X108");
    assert_eq!(stored(fleet, "team-a", "machines").await.len(), before + 1, "X108");
    let other = post(json!({"spec": {"template": "large"}})).await;
    assert_eq!(
        (other.status, &other.body["errors"][0]["parameter"]),
        (422, &json!("Idempotency-Key")),
        "X108: {other:?}"
    );
    let path = format!("{VMS}/{}", first.body["id"].as_str().expect("an id"));
    assert_eq!(alice.delete(&path).await.status, 202);
}

async fn a_hub_admin_needs_not_read_secrets(fleet: &Fleet, admin: &Caller) {
    let document = kubeconfig(fleet, "north").await;
    let body = json!({"id": "spare", "kubeconfig": BASE64.encode(&document), "hub_type": "vmaas", "capabilities": ["clusters"]});
    let key = [("idempotency-key", "first")];
    let made = admin.call(http::Method::POST, HUBS, &key, body.to_string()).await;
    assert_eq!(made.status, 201, "X112: {made:?}");
    assert!(made.said("warning").contains("contradict"), "X101: {made:?}");
    let again = admin.call(http::Method::POST, HUBS, &key, body.to_string()).await;
    assert_eq!((again.status, again.said("idempotency-replayed")), (201, "true"), "X108: {again:?}");
    let other = json!({"id": "spare", "kubeconfig": BASE64.encode(&document)});
    let other = admin.call(http::Method::POST, HUBS, &key, other.to_string()).await;
    assert_eq!(other.status, 422, "X108: {other:?}");

    a_half_done_hub_is_completed_by_a_repeat_and_not_by_a_dry_run(fleet, admin, &body).await;
    no_kubeconfig_goes_into_the_secret_of_another_hub(fleet, admin, &document).await;

    let path = format!("{HUBS}/spare");
    let old = admin.get(&path).await.said("etag").to_owned();
    let replaced =
        json!({"kubeconfig": BASE64.encode(document.clone() + "\n"), "metadata": {"labels": {"region": "x"}}});
    let changed = admin.patch(&path, &[], &replaced).await;
    assert_eq!(
        (changed.status, &changed.body["metadata"]["labels"]),
        (200, &json!({"region": "x"})),
        "X111: {changed:?}"
    );
    let secrets: Api<Secret> = Api::namespaced(fleet.supervisor().client().await.expect("a client"), CONFIGS_NAMESPACE);
    let data = secrets.get("spare-kubeconfig").await.expect("its Secret").data.expect("data");
    assert_eq!(data["kubeconfig"].0, (document + "\n").as_bytes(), "X111");
    let late = admin.patch(&path, &[("if-match", &old)], &json!({"namespace": "late"})).await;
    assert_eq!((late.status, &admin.get(&path).await.body["namespace"]), (412, &json!("")), "X112: {late:?}");
    for (body, pointer) in [
        (json!({"kubeconfig": null}), "#/kubeconfig"),
        (json!({"kubeconfig": BASE64.encode("users: 1")}), "#/kubeconfig"),
        (json!({"hub_type": "edge"}), "#/hub_type"),
        (json!({"capabilities": ["clusters", "x"]}), "#/capabilities/1"),
        (json!({"namespace": "kube-system"}), "#/namespace"),
    ] {
        let refused = admin.patch(&path, &[], &body).await;
        assert_eq!((refused.status, refused.mistakes()[0].0), (422, pointer), "X111: {refused:?}");
    }
    let listed = admin.get(&format!("{HUBS}?capability=clusters&hub_type=vmaas")).await;
    let ids: Vec<_> = listed.body["items"].as_array().expect("items").iter().map(|hub| hub["id"].clone()).collect();
    assert_eq!(ids, [json!("spare")], "E11: {listed:?}");

    let gone = admin.delete(&path).await;
    assert_eq!(gone.status, 202, "X112: {gone:?}");
    assert!(gone.body["metadata"]["deletion_timestamp"].is_string(), "X112: {gone:?}");
    eventually("X112: hub and Secret are gone", async || {
        let left = secrets.get_opt("spare-kubeconfig").await.expect("an answer").is_some();
        let shown = admin.get(&path).await;
        if shown.status == 404 && !left { Ok(()) } else { Err(format!("{}, Secret: {left}", shown.body)) }
    })
    .await;
}
