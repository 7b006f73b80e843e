//! A guest that an administrator moves to another node: its Machine follows, and nothing is done to it.

use futures::{StreamExt, TryStreamExt};
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use model::api::Machine;
use serde_json::{Value, json};
use tests::fleet;
use tests::wait::eventually;

use super::changes::until;
use super::{REMOTE, judged, movable};
use crate::machines::{Ground, LIMIT, condition, fail, machine, phase};

#[tokio::test]
async fn c10_x71_a_guest_that_is_moved_runs_on_and_its_machine_shows_where() {
    let ground = Ground::new(judged().await, "moves").await;
    ground.applied(&machine("web", Some(REMOTE), &movable(&json!({})))).await;
    ground.running("web").await;
    let instances = ground.remote(REMOTE, "VirtualMachineInstance", "kubevirt.io").await;
    let shared = |it: &Value| has(it, "LiveMigratable", "True");
    let before = until(&instances, "vm-web", shared).await.expect("it can move");
    let follows =
        |it: &Machine| told(it) == (text(&before, "/status/nodeName"), text(&before, "/status/interfaces/0/ipAddress"));
    ground.until("web", "where its guest is", follows).await;
    // What is live, but moves nobody: it counts when somebody else moves the guest.
    let zone = json!([{"op": "add", "path": "/spec/template/spec/nodeSelector", "value": {"zone": "a"}}]).to_string();
    let zone = Patch::Merge(json!({"metadata": {"annotations": {"platform.kubevirt.io/patch": zone}}}));
    ground.machines().patch("web", &PatchParams::default(), &zone).await.expect("admitted");
    let selects = |it: &Value| it["spec"]["nodeSelector"]["zone"] == "a";
    let selecting = until(&instances, "vm-web", selects).await.expect("it reaches the instance");
    assert_eq!(selecting["status"]["nodeName"], before["status"]["nodeName"], "it stays where it is");
    let mark = ground.fleet.remote(REMOTE).expect("the remote").audit().mark();

    let moves = ground.remote(REMOTE, "VirtualMachineInstanceMigration", "kubevirt.io").await;
    let seen = phases(&ground, "web", |it| told(it).0 != text(&before, "/status/nodeName"));
    let (seen, ended) = tokio::join!(seen, moved(&moves, "away", "vm-web"));
    ended.expect("KubeVirt moves the guest");
    let after = instances.get("vm-web").await.expect("the instance");
    let after = serde_json::to_value(&after).expect("JSON");
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"], "the same guest");
    for field in ["/status/nodeName", "/status/interfaces/0/ipAddress"] {
        assert_ne!(text(&after, field), text(&before, field), "{field}");
    }
    assert_eq!(seen, ["Running"], "all the while");
    let pods = ground.remote(REMOTE, "Pod", "").await;
    let pod = pods.get(&text(&after, "/status/migrationState/targetPod")).await.expect("the pod that it moved to");
    assert_eq!(pod.data["spec"]["nodeSelector"]["zone"], "a");
    let there =
        |it: &Machine| told(it) == (text(&after, "/status/nodeName"), text(&after, "/status/interfaces/0/ipAddress"));
    let machine = ground.until("web", "where its guest is now", there).await;
    assert_eq!(condition(&machine, "Ready"), "True/Running");
    assert_eq!(writes(&ground, mark, "vm-web"), Vec::<String>::new(), "nothing is set back, nothing is restarted");
}

#[tokio::test]
async fn c10_x71_fr19_a_move_that_finds_no_node_leaves_the_machine_running_and_what_waits_for_it_is_said() {
    let ground = Ground::new(judged().await, "stays").await;
    ground.applied(&machine("web", Some(REMOTE), &movable(&json!({})))).await;
    ground.running("web").await;
    let instances = ground.remote(REMOTE, "VirtualMachineInstance", "kubevirt.io").await;
    let before = until(&instances, "vm-web", |it| has(it, "LiveMigratable", "True")).await.expect("it can move");
    let remote = ground.fleet.remote(REMOTE).expect("the remote");
    fail(remote, "unschedulable", "stays/vm-web").await;
    let mark = remote.audit().mark();
    let moves = ground.remote(REMOTE, "VirtualMachineInstanceMigration", "kubevirt.io").await;
    make(&moves, "nowhere", "vm-web").await;
    let pods = ground.remote(REMOTE, "Pod", "").await;
    let of = |it: &Value| it["metadata"]["annotations"]["kubevirt.io/migrationJobName"] == "nowhere";
    let target = eventually("the pod that waits for a node", async || {
        let all = pods.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let all = all.items.iter().map(|pod| serde_json::to_value(pod).expect("JSON"));
        all.into_iter().find(|pod| of(pod) && has(pod, "PodScheduled", "False")).ok_or_else(|| "no such pod".to_owned())
    });
    let target = target.await["metadata"]["name"].as_str().expect("a name").to_owned();
    moves.delete("nowhere", &DeleteParams::default()).await.expect("given up");
    let gone = await_condition(pods, &target, |it: Option<&DynamicObject>| it.is_none());
    tokio::time::timeout(LIMIT, gone).await.expect("the pod goes").expect("an answer");

    let after = instances.get("vm-web").await.expect("the instance");
    assert_eq!(json!(after.uid()), before["metadata"]["uid"]);
    assert_eq!(after.data["status"]["nodeName"], before["status"]["nodeName"]);
    let machine = ground.machines().get("web").await.expect("the Machine");
    assert_eq!((phase(&machine), condition(&machine, "Ready").as_str()), ("Running", "True/Running"));
    assert_eq!(writes(&ground, mark, "vm-web"), Vec::<String>::new());

    // KubeVirt moves it by itself to bring it more CPUs, and finds no node either.
    let sockets = json!({"spec": {"resources": {"cpu": {"sockets": 2}}}});
    ground.machines().patch("web", &PatchParams::default(), &Patch::Merge(sockets)).await.expect("admitted");
    let said = |it: &Machine| {
        let all = it.status.iter().flat_map(|status| &status.conditions);
        all.into_iter().find(|it| it.type_ == "SpecApplied").map(|it| it.message.clone()).unwrap_or_default()
    };
    let waits = "the guest has its new CPUs when it moves to another node";
    let waiting = ground.until("web", "that its CPUs wait for a move", |it| said(it).contains(waits)).await;
    assert_eq!(condition(&waiting, "SpecApplied"), "False/PartlyApplied");
    assert!(!condition(&waiting, "RestartRequired").starts_with("True"), "KubeVirt asks for none");
    fail(remote, "unschedulable", "").await;
    let has_them = |it: &Value| it["status"]["currentCPUTopology"]["sockets"] == 2;
    until(&instances, "vm-web", has_them).await.expect("it moves after all");
    ground.until("web", "that nothing waits", |it| condition(it, "SpecApplied").starts_with("True")).await;
}

/// Node and first address, as the Machine tells them.
fn told(machine: &Machine) -> (String, String) {
    let status = machine.status.as_ref();
    let node = status.and_then(|it| it.node_name.clone()).unwrap_or_default();
    (node, status.and_then(|it| it.ip_addresses.first().cloned()).unwrap_or_default())
}

fn text(object: &Value, pointer: &str) -> String {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

pub(super) fn has(object: &Value, kind: &str, status: &str) -> bool {
    let all = object["status"]["conditions"].as_array().into_iter().flatten();
    all.into_iter().any(|it| it["type"] == kind && it["status"] == status)
}

async fn make(moves: &Api<DynamicObject>, name: &str, guest: &str) {
    let wanted = json!({
        "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstanceMigration",
        "metadata": {"name": name}, "spec": {"vmiName": guest},
    });
    let wanted: DynamicObject = serde_json::from_value(wanted).expect("an object");
    moves.create(&PostParams::default(), &wanted).await.expect("KubeVirt takes it");
}

/// Asks KubeVirt to move a guest, as `virtctl migrate` does, and waits until it has done so.
async fn moved(moves: &Api<DynamicObject>, name: &str, guest: &str) -> Result<(), String> {
    make(moves, name, guest).await;
    let ended =
        until(moves, name, |it| ["Succeeded", "Failed"].contains(&it["status"]["phase"].as_str().unwrap_or_default()));
    let ended = ended.await?;
    if ended["status"]["phase"] == "Succeeded" { Ok(()) } else { Err(ended.to_string()) }
}

/// The phases that a Machine shows, each once, until it is as wanted.
async fn phases(ground: &Ground<'_>, name: &str, wanted: impl Fn(&Machine) -> bool) -> Vec<String> {
    let only = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut states = watcher(ground.machines(), only).applied_objects().boxed();
    let mut all: Vec<String> = Vec::new();
    let watched = async {
        while let Some(machine) = states.try_next().await.expect("a watch") {
            if !all.iter().any(|it| it == phase(&machine)) {
                all.push(phase(&machine).to_owned());
            }
            if wanted(&machine) {
                return;
            }
        }
    };
    tokio::time::timeout(LIMIT, watched).await.unwrap_or_else(|_| panic!("{name} is not as wanted after {LIMIT:?}"));
    all
}

/// What the controller wrote to a VM since then, or deleted of it.
pub(super) fn writes(ground: &Ground<'_>, mark: u64, vm: &str) -> Vec<String> {
    let records = ground.fleet.remote(REMOTE).expect("the remote").audit().since(mark).expect("an audit log");
    let ours = records.into_iter().filter(|it| it.user == fleet::user(fleet::REMOTE_CONTROLLER_ACCOUNT));
    let about = ours.filter(|it| it.is_answer() && it.namespace == ground.namespace && it.name.starts_with(vm));
    let written = about.filter(|it| !["get", "list"].contains(&it.verb.as_str()));
    written.map(|it| format!("{} {}", it.verb, it.full_resource())).collect()
}
