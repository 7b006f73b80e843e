//! The way from the published Go operator to this one: what it left is adopted whole, and nothing restarts.

use std::collections::BTreeMap;

use kube::api::{DynamicObject, ListParams};
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt};
use model::names::{CLEANUP, MACHINE_UID};
use tests::fleet::Component;
use tests::install::kubectl;
use tests::plane::Plane;
use tests::process::Stop;
use tests::wait::eventually;

use super::{Ground, LIMIT, condition, said};
use crate::fleet::fresh;

const CLUSTER: &str = include_str!("published/cluster.yaml");
const MACHINE: &str = include_str!("published/machine.yaml");
const NETWORK: &str = include_str!("published/network.yaml");

async fn apply(plane: &Plane, text: &str, more: &[&str]) -> Result<String, String> {
    let args = [&["--namespace", "migrated", "apply", "--filename", "-"], more].concat();
    said(kubectl(plane, &args, text).await)
}

/// Names and owners of the claims.
async fn claims(claims: &Api<DynamicObject>) -> BTreeMap<String, Option<String>> {
    let all = claims.list(&ListParams::default()).await.expect("a list");
    all.iter().map(|claim| (claim.name_any(), claim.labels().get(MACHINE_UID).cloned())).collect()
}

#[tokio::test]
async fn x2_x12_x14_x16_kvo8_what_the_published_operator_left_is_adopted_with_its_disks() {
    let fleet = fresh(&["west"]).await;
    let ground = Ground::new(&fleet, "migrated").await;
    let west = fleet.remote("west").unwrap_or_else(|error| panic!("{error}"));
    west.ensure_namespace("migrated").await.expect("a namespace");
    let vms = ground.remote("west", "VirtualMachine", "kubevirt.io").await;
    let vmis = ground.remote("west", "VirtualMachineInstance", "kubevirt.io").await;
    let disks = ground.remote("west", "PersistentVolumeClaim", "").await;
    apply(west, CLUSTER, &[]).await.expect("applied");
    let runs = |vm: Option<&DynamicObject>| vm.is_some_and(|vm| vm.data["status"]["ready"] == true);
    let before = tokio::time::timeout(LIMIT, await_condition(vms.clone(), "web", runs)).await;
    let before = before.expect("in time").expect("a watch").expect("the VM");
    let instance = vmis.get("web").await.expect("its instance").uid();

    // This operator starts where the other one was stopped.
    fleet.stop(&Component::Controller, Stop::Gracefully).await.unwrap_or_else(|error| panic!("{error}"));
    eventually("admission sees the VM", async || {
        let tried = apply(fleet.supervisor(), MACHINE, &["--dry-run=server", "--output", "yaml"]).await?;
        if tried.contains(r#""vm":"web""#) { Ok(()) } else { Err(tried) }
    })
    .await;
    apply(fleet.supervisor(), MACHINE, &[]).await.expect("applied");
    let uid = ground.machines().get("web").await.expect("the Machine").uid().expect("a UID");
    apply(fleet.supervisor(), &NETWORK.replace("OWNER", &uid), &[]).await.expect("applied");
    let records: Api<DynamicObject> = Api::namespaced_with(
        ground.supervisor.clone(),
        "migrated",
        &super::resource("NetworkConfiguration", "vitistack.io"),
    );
    let record = records.get("web").await.expect("a record").data["spec"].clone();
    fleet.start(&Component::Controller).await.unwrap_or_else(|error| panic!("{error}"));

    let adopted =
        ground.until("web", "adopted", |it| condition(it, "Ready") == "True/Running" && it.finalizers() == [CLEANUP]);
    let adopted = adopted.await;
    let status = adopted.status.expect("a status");
    assert_eq!(status.vm_name.as_deref(), Some("web"), "X2");
    let shown = status.disks.iter().map(|disk| (disk.name.as_deref(), disk.pvc_name.as_deref(), disk.size.is_some()));
    let wanted = [(Some("root"), Some("web"), true), (Some("data"), Some("web-data"), true)];
    assert_eq!(shown.collect::<Vec<_>>(), wanted, "X16");
    let own = |name: &str, owner: Option<&String>| (name.to_owned(), owner.cloned());
    let all = BTreeMap::from([own("web", Some(&uid)), own("web-data", Some(&uid)), own("web-notes", None)]);
    assert_eq!(claims(&disks).await, all, "no second one was made, and what somebody attached is his");
    let after = vms.get("web").await.expect("the VM");
    assert_eq!((after.uid(), &after.data["spec"]), (before.uid(), &before.data["spec"]));
    assert_eq!(vmis.get("web").await.expect("its instance").uid(), instance, "nothing was restarted");
    assert_eq!(records.get("web").await.expect("a record").data["spec"], record, "its address stays reserved");

    ground.delete("web").await;
    ground.gone("web").await;
    for objects in [&vms, &vmis] {
        assert!(objects.get_opt("web").await.expect("an answer").is_none());
    }
    assert_eq!(claims(&disks).await, BTreeMap::from([own("web-notes", None)]), "what was adopted, and only that");
    let gone = |it: Option<&DynamicObject>| it.is_none();
    let gone = tokio::time::timeout(LIMIT, await_condition(records, "web", gone)).await;
    assert!(matches!(gone, Ok(Ok(_))), "the record is still there");
}
