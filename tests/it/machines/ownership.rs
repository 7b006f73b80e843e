//! What is not ours stays untouched, and two Machines never share a disk.

use kube::ResourceExt;
use kube::api::{DynamicObject, PostParams};
use serde_json::json;

use super::{Ground, condition, machine, resource};
use crate::fleet::shared;

#[tokio::test]
async fn kvo6_kvo7_a_strangers_vm_of_that_name_is_a_conflict_and_survives() {
    let ground = Ground::new(shared().await, "stranger").await;
    let east = ground.fleet.remote("east").expect("east");
    east.ensure_namespace("stranger").await.expect("a namespace");
    let vms = ground.remote("east", "VirtualMachine", "kubevirt.io").await;
    let stranger = DynamicObject::new("vm-web", &resource("VirtualMachine", "kubevirt.io"))
        .within("stranger")
        .data(json!({"spec": {"runStrategy": "Halted", "template": {"spec": {"domain": {"devices": {}}}}}}));
    let before = vms.create(&PostParams::default(), &stranger).await.expect("a stranger's VM");
    ground.applied(&machine("web", Some("east"), &json!({"template": "small"}))).await;
    let failed = ground.until("web", "in conflict", |machine| condition(machine, "Ready") == "False/Conflict").await;
    let message = failed.status.and_then(|status| status.message).expect("a message");
    assert!(
        message.contains("VirtualMachine stranger/vm-web on \"east\" exists and is not this Machine's"),
        "{message}"
    );
    ground.delete("web").await;
    ground.gone("web").await;
    let after = vms.get("vm-web").await.expect("still there");
    assert_eq!((after.uid(), &after.data["spec"]), (before.uid(), &before.data["spec"]));
    assert_eq!(after.labels(), before.labels());
}

#[tokio::test]
async fn kvo8_a_claim_of_another_machine_is_never_attached() {
    let ground = Ground::new(shared().await, "collide").await;
    let disk = |name: &str| json!({"template": "small", "disks": [{"name": name, "size": "1Gi"}]});
    ground.applied(&machine("web", Some("west"), &disk("data-root"))).await;
    ground.running("web").await;
    // The claim of web's disk data-root and of web-data's root are both called web-data-root.
    ground.applied(&machine("web-data", Some("west"), &json!({"template": "small"}))).await;
    let failed =
        ground.until("web-data", "in conflict", |machine| condition(machine, "Ready") == "False/Conflict").await;
    let message = failed.status.and_then(|status| status.message).expect("a message");
    assert!(message.contains("PersistentVolumeClaim collide/web-data-root"), "{message}");
    assert_eq!(ground.remains("west", "web-data").await, Vec::<String>::new(), "no VM on a stranger's disk");
}
