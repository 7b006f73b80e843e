//! A KubevirtConfig that puts everything into one namespace of its cluster.

use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt};
use model::api::KubevirtConfig;
use serde_json::json;

use super::{Ground, LIMIT, machine, resource, said};
use crate::fleet::with;
use tests::install::kubectl;

#[tokio::test]
async fn x38_machines_of_every_namespace_share_the_one_that_their_cluster_gives_them() {
    // Only what the watches tell is acted on in time.
    let fleet = with(&["north"], &[("RECONCILE_INTERVAL", "1h")]).await;
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
    what_somebody_deletes_there_is_noticed(&ground).await;

    let back = Patch::Merge(json!({"spec": {"namespace": null}}));
    configs.patch("north", &PatchParams::default(), &back).await.expect("patched");
    ground.delete("web").await;
    ground.gone("web").await;
    let north = ground.fleet.remote("north").expect("north");
    let left = said(kubectl(north, &["get", "vm,vmi,pvc", "--all-namespaces", "--output", "name"], "").await)
        .expect("an answer");
    assert!(!left.contains('/'), "the recorded namespace was cleaned up: {left}");
}

async fn what_somebody_deletes_there_is_noticed(ground: &Ground<'_>) {
    let north = ground.fleet.remote("north").expect("north").client().await.expect("a client");
    let vms: Api<DynamicObject> = Api::namespaced_with(north, "tenants", &resource("VirtualMachine", "kubevirt.io"));
    let before = vms.get("vm-web").await.expect("the VM").uid();
    vms.delete("vm-web", &DeleteParams::default()).await.expect("deleted");
    let anew = await_condition(vms, "vm-web", |vm: Option<&DynamicObject>| vm.is_some_and(|vm| vm.uid() != before));
    let anew = tokio::time::timeout(LIMIT, anew).await;
    assert!(matches!(anew, Ok(Ok(_))), "X38: its Machine is in another namespace, and was not looked at: {anew:?}");
    ground.running("web").await;
}
