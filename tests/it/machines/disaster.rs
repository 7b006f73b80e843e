//! The disaster drill of docs/disaster.md: the supervisor loses a Machine, its cluster does not lose the VM, and the Machine that
//! is restored takes over what it was.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use model::api::Machine;
use model::names::{MACHINE_UID, SUPERVISOR, TAKE_OVER};
use serde_json::{Value, json};
use tests::drill::Found;
use tests::fleet::{Component, Endpoint};
use tests::install::kubectl;
use tests::probe;
use tests::process::Stop;
use tests::wait::eventually;

use super::adoption::until_seen;
use super::{Ground, condition, machine, said};
use crate::fleet::fresh;

/// A Machine with two disks and user data that a Secret carries.
fn manifest() -> Value {
    machine(
        "web",
        Some("west"),
        &json!({
            "template": "small", "disks": [{"name": "data", "size": "5Gi"}],
            "cloudInit": {"userDataSecretRef": {"name": "seed", "key": "userdata"}},
        }),
    )
}

async fn secrets(ground: &Ground<'_>) -> Api<Secret> {
    let west = ground.fleet.remote("west").unwrap_or_else(|error| panic!("{error}"));
    Api::namespaced(west.client().await.unwrap_or_else(|error| panic!("{error}")), &ground.namespace)
}

/// Takes a Machine from the supervisor as a lost etcd does: nothing on its cluster hears of it.
async fn lose(ground: &Ground<'_>, name: &str) {
    let fleet = ground.fleet;
    fleet.stop(&Component::Controller, Stop::Gracefully).await.unwrap_or_else(|error| panic!("{error}"));
    ground.delete(name).await;
    let freed = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    ground.machines().patch(name, &PatchParams::default(), &freed).await.expect("patched");
    ground.gone(name).await;
    fleet.start(&Component::Controller).await.unwrap_or_else(|error| panic!("{error}"));
}

/// UID and owner of everything on west that a restore must not make anew.
async fn there(ground: &Ground<'_>) -> BTreeMap<String, (Option<String>, String)> {
    let mut all = BTreeMap::new();
    for (kind, group) in
        [("VirtualMachine", "kubevirt.io"), ("VirtualMachineInstance", "kubevirt.io"), ("PersistentVolumeClaim", "")]
    {
        for object in ground.remote("west", kind, group).await.list(&ListParams::default()).await.expect("a list") {
            let owner = object.labels().get(MACHINE_UID).cloned().unwrap_or_default();
            all.insert(format!("{kind} {}", object.name_any()), (object.uid(), owner));
        }
    }
    for secret in secrets(ground).await.list(&ListParams::default()).await.expect("a list") {
        let owner = secret.labels().get(MACHINE_UID).cloned().unwrap_or_default();
        all.insert(format!("Secret {}", secret.name_any()), (secret.uid(), owner));
    }
    all
}

fn uids(all: &BTreeMap<String, (Option<String>, String)>) -> Vec<(&str, Option<&str>)> {
    all.iter().map(|(name, (uid, _))| (name.as_str(), uid.as_deref())).collect()
}

fn message(machine: &Machine) -> String {
    machine.status.as_ref().and_then(|status| status.message.clone()).unwrap_or_default()
}

/// What Events of this reason say.
async fn told(ground: &Ground<'_>, reason: &str) -> Vec<String> {
    let events: Api<Event> = Api::namespaced(ground.supervisor.clone(), &ground.namespace);
    let events = events.list(&ListParams::default()).await.expect("Events").items;
    let of_reason = events.into_iter().filter(|event| event.reason.as_deref() == Some(reason));
    of_reason.filter_map(|event| event.note).collect()
}

#[tokio::test]
async fn x99_fr4_r23_a_restored_machine_takes_over_its_earlier_self_without_a_restart() {
    let fleet = fresh(&["west"]).await;
    let ground = Ground::new(&fleet, "restored").await;
    let seed = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "seed"}, "stringData": {"userdata": "#cloud-config\n"}});
    ground.applied(&seed).await;
    ground.applied(&manifest()).await;
    let first = ground.running("web").await;
    let old = first.uid().expect("a UID");
    let args = ["--namespace", "restored", "get", "machine", "web", "--output", "json"];
    let saved = said(kubectl(fleet.supervisor(), &args, "").await).expect("a backup");
    let vms = ground.remote("west", "VirtualMachine", "kubevirt.io").await;
    let spec = vms.get("vm-web").await.expect("the VM").data["spec"].clone();
    let before = there(&ground).await;
    assert_eq!(before.len(), 5, "{before:?}");

    lose(&ground, "web").await;
    let debug = fleet.address(Endpoint::ControllerDebug).unwrap_or_else(|error| panic!("{error}"));
    eventually("R23: what it left is reported", async || {
        let page = probe::get(debug, "/debug/orphans").await?;
        if page.lines().count() == 4 && page.contains(&old) { Ok(()) } else { Err(page) }
    })
    .await;

    let backup: Value = serde_json::from_str(&saved).expect("JSON");
    let mut backup = json!({
        "apiVersion": backup["apiVersion"], "kind": "Machine", "spec": backup["spec"],
        "metadata": {"name": "web", "annotations": backup["metadata"]["annotations"]},
    });
    let asks = format!("annotation {TAKE_OVER}: {old} on this Machine");
    eventually("admission sees the earlier self", async || match ground.apply(&backup).await {
        Err(refused) if refused.contains("an earlier self of this Machine") && refused.contains(&asks) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    backup["metadata"]["annotations"][TAKE_OVER] = json!("00000000-0000-0000-0000-000000000000");
    let refused = ground.apply(&backup).await.expect_err("the wrong UID");
    assert!(refused.contains("which says \"00000000-0000-0000-0000-000000000000\""), "{refused}");
    assert_eq!(there(&ground).await, before, "nothing was touched");

    backup["metadata"]["annotations"][TAKE_OVER] = json!(old);
    ground.applied(&backup).await;
    let ready = |machine: &Machine| {
        condition(machine, "Ready") == "True/Running" && condition(machine, "StorageReady") == "True/PVCBound"
    };
    let restored = ground.until("web", "ready again", ready).await;
    let new = restored.uid().expect("a UID");
    assert_ne!(new, old);
    let status = restored.status.expect("a status");
    assert_eq!((status.vm_name.as_deref(), status.vmi_name.as_deref()), (Some("vm-web"), Some("vm-web")));
    let shown: Vec<_> = status.disks.iter().filter_map(|disk| disk.pvc_name.as_deref()).collect();
    assert_eq!(shown, ["web-root", "web-data"]);
    let after = there(&ground).await;
    assert_eq!(uids(&after), uids(&before), "nothing was made anew, and nothing was restarted");
    for (name, (_, owner)) in &after {
        // An instance has the labels that it was started with.
        let expected = if name.starts_with("VirtualMachineInstance") { &old } else { &new };
        assert_eq!(owner, expected, "{name}");
    }
    let vm = vms.get("vm-web").await.expect("the VM");
    let mut wanted = spec;
    wanted["template"]["metadata"]["labels"][MACHINE_UID] = json!(new);
    assert_eq!(vm.data["spec"], wanted, "the spec stays what it was");
    let says = told(&ground, "TakenOver").await;
    assert!(
        says.len() == 1 && says[0].starts_with(&format!("took over 4 of its earlier self, UID {old} ")),
        "{says:?}"
    );
    assert_eq!(told(&ground, "CloudInitChanged").await, Vec::<String>::new());
    assert_eq!(condition(&ground.running("web").await, "RestartRequired"), "");
    let clean = "no orphans: every object of this supervisor has its Machine\n";
    assert_eq!(probe::get(debug, "/debug/orphans").await.as_deref(), Ok(clean));

    an_instance_with_old_labels_is_followed(&ground).await;
    ground.delete("web").await;
    ground.gone("web").await;
    assert_eq!(there(&ground).await, BTreeMap::new(), "what was taken over goes with its Machine");
    one_that_was_admitted_unseen_waits_and_what_stopped_half_way_goes_on(&ground).await;
}

#[tokio::test]
async fn x99_r23_a_lost_supervisor_costs_no_restart_and_one_that_was_set_back_deletes_nothing() {
    let found = tests::drill::run(12, |_| {}).await.unwrap_or_else(|error| panic!("{error}"));
    let want = Found { orphans: 3, running: 12, kept: 13, labelled: 12, restarts: 0, deletes: 0 };
    assert_eq!(found, want, "{found}");
}

/// The next instance has the new labels; until then what happens to the old one shows, too.
async fn an_instance_with_old_labels_is_followed(ground: &Ground<'_>) {
    let mut halted = manifest();
    halted["spec"]["runStrategy"] = json!("Halted");
    ground.applied(&halted).await;
    ground.until("web", "stopped", |machine| super::phase(machine) == "Stopped").await;
    ground
        .applied(&machine("web", Some("west"), &{
            let mut spec = manifest()["spec"].clone();
            spec["runStrategy"] = json!("Always");
            spec
        }))
        .await;
    let again = ground.running("web").await;
    let vmis = ground.remote("west", "VirtualMachineInstance", "kubevirt.io").await;
    let vmi: DynamicObject = vmis.get("vm-web").await.expect("an instance");
    assert_eq!(vmi.labels().get(MACHINE_UID), again.uid().as_ref());
}

/// Admission takes a VM without labels for nobody's. They come back once the Machine is stored, and then the controller says it.
/// When it is told to take over, it goes on where another one stopped: a disk is this Machine's already.
async fn one_that_was_admitted_unseen_waits_and_what_stopped_half_way_goes_on(ground: &Ground<'_>) {
    let fleet = ground.fleet;
    let late = machine("late", Some("west"), &json!({"template": "small"}));
    ground.applied(&late).await;
    let old = ground.running("late").await.uid().expect("a UID");
    let before = there(ground).await;
    lose(ground, "late").await;
    fleet.stop(&Component::Controller, Stop::Gracefully).await.unwrap_or_else(|error| panic!("{error}"));
    let vms = ground.remote("west", "VirtualMachine", "kubevirt.io").await;
    let supervisor = vms.get("vm-late").await.expect("the VM").labels()[SUPERVISOR].clone();
    let label = |uid: Value, supervisor: Value| {
        Patch::Merge(json!({"metadata": {"labels": {MACHINE_UID: uid, SUPERVISOR: supervisor}}}))
    };
    vms.patch("vm-late", &PatchParams::default(), &label(json!(null), json!(null))).await.expect("patched");
    until_seen(ground, &late, "vm-late").await;
    ground.applied(&late).await;
    vms.patch("vm-late", &PatchParams::default(), &label(json!(old), json!(supervisor))).await.expect("patched");
    fleet.start(&Component::Controller).await.unwrap_or_else(|error| panic!("{error}"));
    let asks = format!("annotation {TAKE_OVER}: {old} on this Machine");
    let waits = |machine: &Machine| condition(machine, "Ready") == "False/Conflict" && message(machine).contains(&asks);
    let new = ground.until("late", "in conflict", waits).await.uid().expect("a UID");
    assert_eq!(there(ground).await, before, "nothing was touched");

    let claims = ground.remote("west", "PersistentVolumeClaim", "").await;
    claims.patch("late-root", &PatchParams::default(), &label(json!(new), json!(supervisor))).await.expect("patched");
    let names = Patch::Merge(json!({"metadata": {"annotations": {TAKE_OVER: old}}}));
    ground.machines().patch("late", &PatchParams::default(), &names).await.expect("annotated");
    ground.running("late").await;
    let after = there(ground).await;
    assert_eq!(uids(&after), uids(&before));
    assert_eq!((&after["VirtualMachine vm-late"].1, &after["PersistentVolumeClaim late-root"].1), (&new, &new));
}
