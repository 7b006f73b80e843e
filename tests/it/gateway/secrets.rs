//! The Secret of a hub: when it is made, and which one a kubeconfig goes into.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use model::api::KubevirtConfig;
use serde_json::{Value, json};
use tests::fleet::{CONFIGS_NAMESPACE, Fleet};

use super::{Caller, HUBS};

pub(super) async fn a_half_done_hub_is_completed_by_a_repeat_and_not_by_a_dry_run(
    fleet: &Fleet,
    admin: &Caller,
    body: &Value,
) {
    let secrets: Api<Secret> = Api::namespaced(fleet.supervisor().client().await.expect("a client"), CONFIGS_NAMESPACE);
    let is_there = async || secrets.get_opt("spare-kubeconfig").await.expect("an answer").is_some();
    secrets.delete("spare-kubeconfig", &DeleteParams::default()).await.expect("X108: its Secret was there");
    let key = [("idempotency-key", "first")];
    let tried = admin.call(http::Method::POST, &format!("{HUBS}?dry_run=true"), &key, body.to_string()).await;
    assert_eq!((tried.status, tried.said("x-dry-run")), (200, "true"), "X108: {tried:?}");
    assert!(!is_there().await, "X108: a dry run writes nothing");
    let again = admin.call(http::Method::POST, HUBS, &key, body.to_string()).await;
    assert_eq!((again.status, again.said("idempotency-replayed")), (201, "true"), "X108: {again:?}");
    assert!(is_there().await, "X108: what is half done is completed");
}

pub(super) async fn no_kubeconfig_goes_into_the_secret_of_another_hub(fleet: &Fleet, admin: &Caller, document: &str) {
    let supervisor = fleet.supervisor().client().await.expect("a client");
    let secrets: Api<Secret> = Api::namespaced(supervisor.clone(), CONFIGS_NAMESPACE);
    let configs: Api<KubevirtConfig> = Api::namespaced(supervisor, CONFIGS_NAMESPACE);
    let name = async |name: &str| {
        let change = json!({"spec": {"kubeconfigSecretRef": name}});
        configs.patch("spare", &PatchParams::default(), &Patch::Merge(change)).await.expect("X111: an edit");
    };
    let before = secrets.get("vmaas-primary-kubeconfig").await.expect("a Secret").data;
    name("vmaas-primary-kubeconfig").await;
    let replaced = json!({"kubeconfig": BASE64.encode(document)});
    let refused = admin.patch(&format!("{HUBS}/spare"), &[], &replaced).await;
    let says = "Secret vmaas-primary-kubeconfig belongs to something else than this hub: nothing was changed";
    assert_eq!((refused.status, &refused.body["detail"]), (409, &json!(says)), "X111: {refused:?}");
    assert_eq!(secrets.get("vmaas-primary-kubeconfig").await.expect("a Secret").data, before, "X111");
    name("spare-kubeconfig").await;
}
