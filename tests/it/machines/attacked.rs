//! What the admin of a cluster does to our objects there, and what a tenant does to his own Machines, costs nobody else anything.

use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams};
use model::names::{CLEANUP, MACHINE, MACHINE_UID, SOURCE_MACHINE, SUPERVISOR};
use serde_json::{Value, json};
use tests::fleet::{Component, Endpoint};
use tests::probe;
use tests::process::Stop;

use super::{Ground, condition, machine, phase};
use crate::fleet::{fresh, shared};

fn without(labels: &[&str]) -> Patch<Value> {
    let gone: serde_json::Map<String, Value> = labels.iter().map(|key| ((*key).to_owned(), Value::Null)).collect();
    Patch::Merge(json!({"metadata": {"labels": gone}}))
}

#[tokio::test]
async fn atk9_atk12_labels_that_are_taken_off_on_the_cluster_take_no_disk_from_under_a_vm() {
    let ground = Ground::new(shared().await, "stripped").await;
    ground.applied(&machine("web", Some("east"), &json!({"template": "small"}))).await;
    ground.running("web").await;
    let params = PatchParams::default();
    let vms = ground.remote("east", "VirtualMachine", "kubevirt.io").await;
    let vmis = ground.remote("east", "VirtualMachineInstance", "kubevirt.io").await;
    let claims = ground.remote("east", "PersistentVolumeClaim", "").await;
    let labels = [MACHINE_UID, SUPERVISOR];
    let before = vms.get("vm-web").await.expect("the VM");
    let [uid, supervisor] = labels.map(|key| before.labels()[key].clone());

    vms.patch("vm-web", &params, &without(&[MACHINE, SOURCE_MACHINE])).await.expect("patched");
    ground.applied(&machine("web", Some("east"), &json!({"template": "small", "runStrategy": "Halted"}))).await;
    ground
        .until("web", "ATK12: stopped, though its VM does not say its name", |machine| phase(machine) == "Stopped")
        .await;
    ground.applied(&machine("web", Some("east"), &json!({"template": "small", "runStrategy": "Always"}))).await;
    ground.running("web").await;

    for objects in [&vmis, &vms] {
        objects.patch("vm-web", &params, &without(&labels)).await.expect("patched");
    }
    let lost = ground.until("web", "in conflict", |machine| condition(machine, "Ready") == "False/Conflict").await;
    let message = lost.status.and_then(|status| status.message).expect("a message");
    let says = format!(
        "has lost the labels that say whose it is: label it {MACHINE_UID}={uid} and {SUPERVISOR}={supervisor} again"
    );
    assert!(message.contains(&says), "{message}");

    ground.delete("web").await;
    let says = |machine: &model::api::Machine| {
        let message = machine.status.as_ref().and_then(|status| status.message.clone()).unwrap_or_default();
        machine.metadata.deletion_timestamp.is_some() && message.contains("is still there and has lost the labels")
    };
    let waits = ground.until("web", "waiting for the VM to go", says).await;
    assert_eq!(waits.finalizers(), [CLEANUP]);
    let claim = claims.get("web-root").await.expect("the disk of a VM that runs");
    assert_eq!((&claim.labels()[MACHINE_UID], claim.metadata.deletion_timestamp.as_ref()), (&uid, None));

    vms.delete("vm-web", &DeleteParams::default()).await.expect("deleted");
    ground.gone("web").await;
    assert!(claims.get_opt("web-root").await.expect("an answer").is_none(), "nothing runs on it any more");
}

#[tokio::test]
async fn r12_atk9_what_says_that_it_is_another_supervisors_is_not_deleted() {
    let ground = Ground::new(shared().await, "relabelled").await;
    ground.applied(&machine("web", Some("west"), &json!({"template": "small"}))).await;
    ground.running("web").await;
    let vms = ground.remote("west", "VirtualMachine", "kubevirt.io").await;
    let another = Patch::Merge(json!({"metadata": {"labels": {SUPERVISOR: "another"}}}));
    vms.patch("vm-web", &PatchParams::default(), &another).await.expect("patched");
    ground.until("web", "in conflict", |machine| condition(machine, "Ready") == "False/Conflict").await;
    let before = vms.get("vm-web").await.expect("the VM");
    ground.delete("web").await;
    let waits = |machine: &model::api::Machine| {
        let message = machine.status.as_ref().and_then(|status| status.message.clone()).unwrap_or_default();
        machine.metadata.deletion_timestamp.is_some() && message.contains("waiting until these are gone")
    };
    ground.until("web", "waiting", waits).await;
    let kept = vms.get("vm-web").await.expect("the VM of another supervisor");
    assert_eq!((kept.uid(), kept.metadata.deletion_timestamp.as_ref()), (before.uid(), None));
    vms.delete("vm-web", &DeleteParams::default()).await.expect("deleted");
    ground.gone("web").await;
}

#[tokio::test]
async fn atk12_what_a_tenant_leaves_behind_is_counted_and_listed() {
    let fleet = fresh(&["east"]).await;
    let ground = Ground::new(&fleet, "left").await;
    ground.applied(&machine("web", None, &json!({"template": "small"}))).await;
    let uid = ground.running("web").await.uid().expect("a UID");
    let debug = fleet.address(Endpoint::ControllerDebug).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        probe::get(debug, "/debug/orphans").await.as_deref(),
        Ok("no orphans: every object of this supervisor has its Machine\n")
    );
    fleet.stop(&Component::Controller, Stop::Gracefully).await.unwrap_or_else(|error| panic!("{error}"));
    ground.delete("web").await;
    let nulled = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    ground.machines().patch("web", &PatchParams::default(), &nulled).await.expect("patched");
    ground.gone("web").await;
    fleet.start(&Component::Controller).await.unwrap_or_else(|error| panic!("{error}"));
    let listed = tests::wait::eventually("the orphans are listed", async || {
        let page = probe::get(debug, "/debug/orphans").await?;
        if page.lines().count() == 3 { Ok(page) } else { Err(page) }
    })
    .await;
    for object in
        ["PersistentVolumeClaim  left/web-root", "VirtualMachine  left/vm-web", "VirtualMachineInstance  left/vm-web"]
    {
        assert!(listed.contains(&format!("east  {object}  of Machine UID {uid}\n")), "{listed}");
    }
    assert_eq!(ground.remains("east", "web").await.len(), 3, "R23: nothing is deleted by itself");
}
