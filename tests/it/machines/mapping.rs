//! A KubevirtConfig that puts everything into one namespace of its cluster.

use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt};
use model::api::KubevirtConfig;
use serde_json::json;

use super::{Ground, LIMIT, machine, resource, said};
use crate::fleet::with;
use tests::fleet::Fleet;
use tests::install::kubectl;
use tests::wait::eventually;

#[tokio::test]
async fn x38_atk6_kvo23_machines_of_every_namespace_share_the_one_that_their_cluster_gives_them() {
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
    what_one_leaves_is_no_others(&fleet).await;

    let back = Patch::Merge(json!({"spec": {"namespace": null}}));
    configs.patch("north", &PatchParams::default(), &back).await.expect("patched");
    ground.delete("web").await;
    ground.gone("web").await;
    let north = ground.fleet.remote("north").expect("north");
    let left = said(kubectl(north, &["get", "vm,vmi,pvc", "--all-namespaces", "--output", "name"], "").await)
        .expect("an answer");
    assert!(!left.contains('/'), "the recorded namespace was cleaned up: {left}");
}

/// ATK6: two tenants with Machines of one name, of whom the first lets his VM run on.
async fn what_one_leaves_is_no_others(fleet: &Fleet) {
    let (first, second) = (Ground::new(fleet, "first").await, Ground::new(fleet, "second").await);
    let mut orphan = machine("shop", Some("north"), &json!({"template": "small"}));
    orphan["metadata"]["annotations"]["vitistack.io/deletion-policy"] = json!("Orphan");
    first.applied(&orphan).await;
    first.running("shop").await;
    let north = fleet.remote("north").expect("north").client().await.expect("a client");
    let vms: Api<DynamicObject> = Api::namespaced_with(north, "tenants", &resource("VirtualMachine", "kubevirt.io"));
    let before = vms.get("vm-shop").await.expect("the VM");
    first.delete("shop").await;
    first.gone("shop").await;
    let refused = "is kept as it is, as a Machine of another namespace left it";
    eventually("the webhook sees that it was left", async || {
        match second.apply(&machine("shop", Some("north"), &json!({"template": "small"}))).await {
            Err(answer) if answer.contains(refused) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let left = vms.get("vm-shop").await.expect("still there");
    assert_eq!(left.uid(), before.uid());
    assert_eq!(left.annotations()["vitistack.io/retained-from"], "first/shop");
    // Whoever left it takes it back, and it goes with the Machine.
    first.applied(&machine("shop", Some("north"), &json!({"template": "small"}))).await;
    first.running("shop").await;
    assert_eq!(vms.get("vm-shop").await.expect("the VM").uid(), before.uid());
    first.delete("shop").await;
    first.gone("shop").await;
    let north = fleet.remote("north").expect("north");
    let args = ["delete", "pvc", "--namespace", "tenants", "--selector", "vitistack.io/retained=true"];
    said(kubectl(north, &args, "").await).expect("the disk that it came with");
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
