//! Two Machines never share a disk, and a stranger's stays as it is.

use kube::ResourceExt;
use kube::api::{DynamicObject, PostParams};
use serde_json::json;

use super::{Ground, condition, machine, resource};
use crate::fleet::shared;

#[tokio::test]
async fn kvo8_x16_two_machines_never_share_a_claim() {
    let ground = Ground::new(shared().await, "collide").await;
    let disk = |name: &str| json!({"template": "small", "disks": [{"name": name, "size": "1Gi"}]});
    ground.applied(&machine("web", Some("west"), &disk("data-root"))).await;
    ground.running("web").await;
    // The claim of web's disk data-root and of web-data's root are both called web-data-root.
    let refused = ground.apply(&machine("web-data", Some("west"), &json!({"template": "small"}))).await;
    let refused = refused.expect_err("two Machines with one claim");
    let says =
        "the PersistentVolumeClaim collide/web-data-root on cluster \"west\", which Machine collide/web has already";
    assert!(refused.contains("metadata.name: Invalid value: \"web-data\"") && refused.contains(says), "{refused}");
    ground.applied(&machine("web-data", Some("east"), &json!({"template": "small"}))).await;
}

#[tokio::test]
async fn kvo8_a_claim_of_a_stranger_is_never_attached() {
    let ground = Ground::new(shared().await, "strangers").await;
    let west = ground.fleet.remote("west").expect("west");
    west.ensure_namespace("strangers").await.expect("a namespace");
    let claims = ground.remote("west", "PersistentVolumeClaim", "").await;
    let spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    let claim = DynamicObject::new("db-root", &resource("PersistentVolumeClaim", ""))
        .within("strangers")
        .data(json!({"spec": spec}));
    let before = claims.create(&PostParams::default(), &claim).await.expect("a stranger's claim");
    ground.applied(&machine("db", Some("west"), &json!({"template": "small"}))).await;
    let failed = ground.until("db", "in conflict", |machine| condition(machine, "Ready") == "False/Conflict").await;
    let message = failed.status.and_then(|status| status.message).expect("a message");
    assert!(message.contains("PersistentVolumeClaim strangers/db-root"), "{message}");
    assert_eq!(ground.remains("west", "db").await, Vec::<String>::new(), "no VM on a stranger's disk");
    ground.delete("db").await;
    ground.gone("db").await;
    let after = claims.get("db-root").await.expect("still there");
    assert_eq!((after.uid(), after.labels()), (before.uid(), before.labels()));
}
