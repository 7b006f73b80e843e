//! A KubevirtConfig that puts everything into one namespace of its cluster.

use kube::Api;
use kube::api::{Patch, PatchParams};
use model::api::KubevirtConfig;
use serde_json::json;

use super::{Ground, machine, said};
use crate::fleet::fresh;
use tests::install::kubectl;

#[tokio::test]
async fn x38_machines_of_every_namespace_share_the_one_that_their_cluster_gives_them() {
    let fleet = fresh(&["north"]).await;
    let ground = Ground::new(&fleet, "shop").await;
    let configs: Api<KubevirtConfig> = Api::namespaced(ground.supervisor.clone(), "kubevirt-configs");
    let mapped = Patch::Merge(json!({"spec": {"namespace": "tenants"}}));
    configs.patch("north", &PatchParams::default(), &mapped).await.expect("patched");
    ground.applied(&machine("web", Some("north"), &json!({"template": "small"}))).await;
    let running = ground.running("web").await;
    let recorded = running.status.and_then(|status| status.kubevirt_config_ref).expect("recorded");
    assert_eq!(recorded.namespace.as_deref(), Some("tenants"));
    let north = fleet.remote("north").expect("north");
    let found =
        said(kubectl(north, &["get", "vm,pvc", "--all-namespaces", "--no-headers"], "").await).expect("an answer");
    assert!(found.lines().all(|line| line.starts_with("tenants ")) && found.contains("/vm-web"), "{found}");

    let back = Patch::Merge(json!({"spec": {"namespace": null}}));
    configs.patch("north", &PatchParams::default(), &back).await.expect("patched");
    ground.delete("web").await;
    ground.gone("web").await;
    assert_eq!(ground.remains("north", "web").await, Vec::<String>::new(), "the recorded namespace was cleaned up");
}
