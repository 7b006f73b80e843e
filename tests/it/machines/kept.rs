//! What of a running VM is kept true: patches and their removal, what others change on the cluster, restarts, copied labels.

use k8s_openapi::api::events::v1::Event;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::{Ground, condition, machine};
use crate::fleet::shared;

const PATCH: &str = "platform.kubevirt.io/patch";

fn annotated(mut machine: Value, key: &str, value: &str) -> Value {
    machine["metadata"]["annotations"][key] = json!(value);
    machine
}

async fn vms(ground: &Ground<'_>, cluster: &str) -> Api<DynamicObject> {
    ground.remote(cluster, "VirtualMachine", "kubevirt.io").await
}

/// Waits until a VM is as wanted.
async fn becomes(vms: &Api<DynamicObject>, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> DynamicObject {
    let shown = |vm: Option<&DynamicObject>| vm.is_some_and(|vm| wanted(&vm.data));
    match tokio::time::timeout(super::LIMIT, await_condition(vms.clone(), name, shown)).await {
        Ok(Ok(Some(vm))) => vm,
        other => panic!("{name} does not become {what}: {other:?}: {:#?}", vms.get_opt(name).await),
    }
}

/// Somebody else changes a VM on its cluster.
async fn meddle(vms: &Api<DynamicObject>, name: &str, change: Value) {
    let as_somebody = PatchParams { field_manager: Some("kubectl-edit".to_owned()), ..PatchParams::default() };
    vms.patch(name, &as_somebody, &Patch::Merge(change)).await.expect("changed");
}

/// Waits for an Event of a Machine with this reason, whose note says this.
async fn told(ground: &Ground<'_>, name: &str, reason: &str, says: &str) {
    told_times(ground, name, reason, says, 1).await;
}

/// The same, of one Event that counts how often it was said.
async fn told_times(ground: &Ground<'_>, name: &str, reason: &str, says: &str, times: i32) {
    let events: Api<Event> = Api::namespaced(ground.supervisor.clone(), &ground.namespace);
    let is_about = |event: &Event| event.regarding.as_ref().is_some_and(|it| it.name.as_deref() == Some(name));
    tests::wait::eventually(&format!("an Event {reason} that says {says:?}"), async || {
        let all = events.list(&kube::api::ListParams::default()).await.expect("Events").items;
        let of_reason = all.iter().filter(|event| is_about(event) && event.reason.as_deref() == Some(reason));
        let count = |event: &Event| event.series.as_ref().map_or(1, |series| series.count);
        let notes: Vec<_> = of_reason.map(|event| (event.note.clone().unwrap_or_default(), count(event))).collect();
        let found = notes.iter().any(|(note, count)| note.contains(says) && *count == times);
        if found { Ok(()) } else { Err(format!("{notes:?}")) }
    })
    .await;
}

#[tokio::test]
async fn d3_kvo20_a_patch_reaches_the_running_vm_and_leaves_it_with_its_removal() {
    let ground = Ground::new(shared().await, "patched").await;
    let plain = machine("web", Some("west"), &json!({"template": "small"}));
    let patch = json!([
        {"op": "add", "path": "/spec/template/spec/hostname", "value": "named"},
        {"op": "add", "path": "/spec/template/spec/domain/devices/disks/0/cache", "value": "writeback"},
    ]);
    ground.applied(&annotated(plain.clone(), PATCH, &patch.to_string())).await;
    ground.running("web").await;
    let vms = vms(&ground, "west").await;
    let made = vms.get("vm-web").await.expect("the VM");
    let uuid = made.data["spec"]["template"]["spec"]["domain"]["firmware"]["uuid"].clone();
    assert_eq!(made.data["spec"]["template"]["spec"]["hostname"], "named");
    ground.applied(&plain).await;
    let back =
        becomes(&vms, "vm-web", "unpatched", |vm| vm["spec"]["template"]["spec"].get("hostname").is_none()).await;
    let guest = &back.data["spec"]["template"]["spec"];
    assert_eq!(guest["domain"]["devices"]["disks"], json!([{"name": "root", "disk": {"bus": "virtio"}}]));
    assert_eq!(guest["domain"]["firmware"]["uuid"], uuid, "the guest keeps its identity");
    let waits =
        ground.until("web", "waiting", |machine| condition(machine, "RestartRequired") == "True/RestartRequired").await;
    let all = waits.status.expect("a status").conditions;
    let says = all.into_iter().find(|it| it.type_ == "RestartRequired").map(|it| it.message).unwrap_or_default();
    assert!(
        says.starts_with("the guest still has the old domain.devices.disks[root].cache, hostname: "),
        "X71: {says}"
    );
}

#[tokio::test]
async fn d2_x96_what_others_change_is_set_back_and_told_with_who_it_was() {
    let ground = Ground::new(shared().await, "drift").await;
    let declared = json!({"template": "small", "runStrategy": "Always"});
    ground.applied(&machine("web", Some("west"), &declared)).await;
    ground.running("web").await;
    let vms = vms(&ground, "west").await;
    let change = json!({"spec": {"template": {"spec": {"domain": {"cpu": {"cores": 7}}, "evictionStrategy": "None"}}}});
    meddle(&vms, "vm-web", change).await;
    let cores = |vm: &Value| vm["spec"]["template"]["spec"]["domain"]["cpu"]["cores"].clone();
    let back = becomes(&vms, "vm-web", "set back", |vm| cores(vm) == 1).await;
    assert_eq!(back.data["spec"]["template"]["spec"]["evictionStrategy"], "None", "what is not ours is left alone");
    let cores_again = "spec.template.spec.domain.cpu.cores (changed by kubectl-edit)";
    told(&ground, "web", "DriftCorrected", cores_again).await;
    meddle(&vms, "vm-web", json!({"spec": {"template": {"spec": {"domain": {"cpu": {"cores": 7}}}}}})).await;
    becomes(&vms, "vm-web", "set back again", |vm| cores(vm) == 1).await;
    told_times(&ground, "web", "DriftCorrected", cores_again, 2).await;
    // A `virtctl stop` of a VM that its Machine wants to run.
    meddle(&vms, "vm-web", json!({"spec": {"runStrategy": "Halted"}})).await;
    becomes(&vms, "vm-web", "started again", |vm| vm["spec"]["runStrategy"] == "Always").await;
    let power = "spec.runStrategy (changed by kubectl-edit): set spec.runStrategy of the Machine";
    told(&ground, "web", "DriftCorrected", power).await;
    ground.running("web").await;
}

#[tokio::test]
async fn d4_d5_ignored_fields_and_an_unmanaged_vm_stay_as_others_make_them() {
    let ground = Ground::new(shared().await, "ignored").await;
    let ignoring = |value: &str| {
        annotated(
            machine("web", Some("east"), &json!({"template": "small"})),
            "platform.kubevirt.io/ignore-fields",
            value,
        )
    };
    ground.applied(&ignoring("/spec/template/spec/domain/cpu/sockets")).await;
    ground.running("web").await;
    let vms = vms(&ground, "east").await;
    meddle(&vms, "vm-web", json!({"spec": {"template": {"spec": {"domain": {"cpu": {"sockets": 3, "threads": 2}}}}}}))
        .await;
    let cpu = |vm: &Value| vm["spec"]["template"]["spec"]["domain"]["cpu"].clone();
    becomes(&vms, "vm-web", "set back in part", |vm| cpu(vm) == json!({"cores": 1, "sockets": 3, "threads": 1})).await;
    let unmanaged = annotated(
        machine("web", Some("east"), &json!({"template": "small", "resources": {"cpu": {"cores": 2}}})),
        "platform.kubevirt.io/mode",
        "unmanaged",
    );
    ground.applied(&unmanaged).await;
    let said = |machine: &model::api::Machine| {
        condition(machine, "SpecApplied") == "False/PartlyApplied" && seen_generation(machine)
    };
    ground.until("web", "left alone", said).await;
    assert_eq!(cpu(&vms.get("vm-web").await.expect("the VM").data)["cores"], 1);
}

fn seen_generation(machine: &model::api::Machine) -> bool {
    machine.status.as_ref().and_then(|status| status.observed_generation) == machine.metadata.generation
}

#[tokio::test]
async fn x71_a_new_value_of_restart_restarts_the_guest_once() {
    let ground = Ground::new(shared().await, "restart").await;
    let sized = |cores: i64| {
        machine("web", Some("east"), &json!({"template": "small", "resources": {"cpu": {"cores": cores}}}))
    };
    ground.applied(&sized(1)).await;
    ground.running("web").await;
    let instances = ground.remote("east", "VirtualMachineInstance", "kubevirt.io").await;
    let first = instances.get("vm-web").await.expect("an instance").uid();
    ground.applied(&sized(2)).await;
    ground
        .until("web", "waiting for a restart", |machine| {
            condition(machine, "RestartRequired") == "True/RestartRequired"
        })
        .await;
    assert_eq!(instances.get("vm-web").await.expect("an instance").uid(), first, "nothing restarts unasked");
    ground.applied(&annotated(sized(2), "vitistack.io/restart", "now")).await;
    let again = ground.until("web", "restarted", |machine| {
        condition(machine, "RestartRequired").is_empty() && condition(machine, "Ready") == "True/Running"
    });
    again.await;
    let second = instances.get("vm-web").await.expect("an instance");
    assert_ne!(second.uid(), first);
    assert_eq!(second.data["spec"]["domain"]["cpu"]["cores"], 2);
    assert_eq!(condition(&ground.running("web").await, "SpecApplied"), "True/Applied", "FR19");
}

#[tokio::test]
async fn r21_x88_a_war_ends_with_a_mark_an_event_and_a_condition() {
    const PAUSED: &str = "corrections of the VirtualMachine are paused, because spec.template.spec.domain.cpu.cores is changed again \
                          each time, now by kubectl-edit";
    let ground = Ground::new(shared().await, "war").await;
    ground.applied(&machine("web", Some("west"), &json!({"template": "small"}))).await;
    ground.running("web").await;
    let vms = vms(&ground, "west").await;
    let cores = |vm: &Value| vm["spec"]["template"]["spec"]["domain"]["cpu"]["cores"].clone();
    for round in 0..10 {
        meddle(&vms, "vm-web", json!({"spec": {"template": {"spec": {"domain": {"cpu": {"cores": 7}}}}}})).await;
        becomes(&vms, "vm-web", &format!("set back the {round}. time"), |vm| cores(vm) == 1).await;
    }
    meddle(&vms, "vm-web", json!({"spec": {"template": {"spec": {"domain": {"cpu": {"cores": 7}}}}}})).await;
    let says = |machine: &model::api::Machine| {
        let all = machine.status.iter().flat_map(|status| &status.conditions);
        all.into_iter().any(|it| it.type_ == "SpecApplied" && it.status == "False" && it.message.contains(PAUSED))
    };
    ground.until("web", "paused", says).await;
    told(&ground, "web", "CorrectionsPaused", "platform.kubevirt.io/reconcile-paused").await;
    let vm = vms.get("vm-web").await.expect("the VM");
    assert_eq!(vm.annotations().get("platform.kubevirt.io/reconcile-paused").map(String::as_str), Some("true"));
    assert_eq!(cores(&vm.data), 7);
    let go_on = annotated(
        machine("web", Some("west"), &json!({"template": "small"})),
        "platform.kubevirt.io/reconcile-paused",
        "false",
    );
    ground.applied(&go_on).await;
    becomes(&vms, "vm-web", "set back once more", |vm| cores(vm) == 1).await;
}

#[tokio::test]
async fn x97_t13_labels_that_are_listed_reach_the_vm_at_once_and_without_a_restart() {
    let ground = Ground::new(shared().await, "labels").await;
    let labelled = |value: &str| {
        let mut machine = machine("web", Some("east"), &json!({"template": "small"}));
        machine["metadata"]["labels"] = json!({"cluster.vitistack.io/cluster-name": value, "team": "blue"});
        machine
    };
    ground.applied(&labelled("one")).await;
    ground.running("web").await;
    let vms = vms(&ground, "east").await;
    ground.applied(&labelled("two")).await;
    let is_two = |vm: Option<&DynamicObject>| {
        vm.is_some_and(|vm| vm.labels().get("cluster.vitistack.io/cluster-name").is_some_and(|value| value == "two"))
    };
    let changed = tokio::time::timeout(super::LIMIT, await_condition(vms, "vm-web", is_two)).await;
    let changed = changed.expect("in time").expect("a watch").expect("the VM");
    assert_eq!(changed.labels().get("team"), None);
    assert_eq!(condition(&ground.running("web").await, "RestartRequired"), "");
}

#[tokio::test]
async fn d1_x97_a_patch_of_a_disk_and_its_drift_are_kept_as_those_of_a_vm() {
    let ground = Ground::new(shared().await, "kept-disk").await;
    let labels = |value: &str| json!([{"op": "add", "path": "/metadata/labels/backup", "value": value}]).to_string();
    let patched = |value: &str| {
        annotated(
            machine("web", Some("west"), &json!({"template": "small"})),
            "platform.kubevirt.io/patch.disk.root",
            &labels(value),
        )
    };
    ground.applied(&patched("daily")).await;
    ground.running("web").await;
    let claims: Api<DynamicObject> = ground.remote("west", "PersistentVolumeClaim", "").await;
    let made = claims.get("web-root").await.expect("the claim");
    assert_eq!(made.labels().get("backup").map(String::as_str), Some("daily"));
    let labelled = async |what: &str, wanted: Option<&'static str>| {
        let shown = |claim: Option<&DynamicObject>| {
            claim.is_some_and(|claim| claim.labels().get("backup").map(String::as_str) == wanted)
        };
        let found = tokio::time::timeout(super::LIMIT, await_condition(claims.clone(), "web-root", shown)).await;
        assert!(matches!(found, Ok(Ok(Some(_)))), "{what}: {:?}", claims.get("web-root").await);
    };
    meddle(&claims, "web-root", json!({"metadata": {"labels": {"backup": "never", "theirs": "stays"}}})).await;
    labelled("set back", Some("daily")).await;
    told(
        &ground,
        "web",
        "DriftCorrected",
        "on PersistentVolumeClaim web-root: metadata.labels.backup (changed by kubectl-edit)",
    )
    .await;
    ground.applied(&patched("weekly")).await;
    labelled("edited", Some("weekly")).await;
    ground.applied(&machine("web", Some("west"), &json!({"template": "small"}))).await;
    labelled("without the patch", None).await;
    let now = claims.get("web-root").await.expect("the claim");
    assert_eq!(now.labels().get("theirs").map(String::as_str), Some("stays"));
    assert_eq!(now.uid(), made.uid());
}
