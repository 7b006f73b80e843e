//! A volume that somebody else plugs into a guest that runs, and pulls out again.

use kube::api::{DynamicObject, Patch, PatchParams};
use model::api::Machine;
use serde_json::{Value, json};
use tests::install::apply;

use super::changes::until;
use super::moves::{has, writes};
use super::{REMOTE, judged};
use crate::machines::{Ground, condition, machine, phase};

#[tokio::test]
async fn d2_a_volume_that_somebody_plugs_in_stays_through_edits_and_can_be_pulled_out() {
    let ground = Ground::new(judged().await, "plugged").await;
    ground.applied(&machine("web", Some(REMOTE), &json!({"template": "small"}))).await;
    ground.running("web").await;
    let remote = ground.fleet.remote(REMOTE).expect("the remote");
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "extra", "namespace": "plugged"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "default"},
    });
    apply(remote, &claim.to_string()).await.expect("a claim");
    let vms = ground.remote(REMOTE, "VirtualMachine", "kubevirt.io").await;
    let instances = ground.remote(REMOTE, "VirtualMachineInstance", "kubevirt.io").await;
    let before = until(&instances, "vm-web", |_| true).await.expect("the instance");
    let mark = remote.audit().mark();

    // What `virtctl addvolume` writes.
    let volume = json!({"name": "extra", "persistentVolumeClaim": {"claimName": "extra", "hotpluggable": true}});
    let disk = json!({"name": "extra", "disk": {"bus": "scsi"}});
    write(
        &vms,
        json!([
            {"op": "add", "path": "/spec/template/spec/volumes/-", "value": volume},
            {"op": "add", "path": "/spec/template/spec/domain/devices/disks/-", "value": disk},
        ]),
    )
    .await;
    let plugged = |it: &Value| status(it).is_some_and(|it| it["phase"] == "Ready" && it["target"] != "");
    let with = until(&instances, "vm-web", plugged).await.expect("the guest has the volume");
    assert_eq!(with["metadata"]["uid"], before["metadata"]["uid"], "the same guest");
    until(&vms, "vm-web", settled).await.expect("KubeVirt asks for no restart");
    assert_eq!(writes(&ground, mark, "vm-web"), Vec::<String>::new(), "it is left alone");
    assert!(!condition(&ground.running("web").await, "RestartRequired").starts_with("True"));

    // An edit of the list that it stands in.
    let data = json!({"spec": {"disks": [{"name": "data", "size": "1Gi"}]}});
    ground.machines().patch("web", &PatchParams::default(), &Patch::Merge(&data)).await.expect("admitted");
    let names = |it: &Value, at: &str| -> Vec<String> {
        let all = it.pointer(at).and_then(Value::as_array).into_iter().flatten();
        all.filter_map(|it| it["name"].as_str().map(str::to_owned)).collect()
    };
    let three = |it: &Value| {
        names(it, "/spec/template/spec/volumes").contains(&"data".to_owned()) && has(it, "RestartRequired", "True")
    };
    let edited = until(&vms, "vm-web", three).await.expect("the disk waits for a restart");
    for list in ["/spec/template/spec/volumes", "/spec/template/spec/domain/devices/disks"] {
        let mut all = names(&edited, list);
        all.sort();
        assert_eq!(all, ["data", "extra", "root"], "{list}");
    }
    let restart = json!({"metadata": {"annotations": {"vitistack.io/restart": "1"}}});
    ground.machines().patch("web", &PatchParams::default(), &Patch::Merge(&restart)).await.expect("admitted");
    let again = |it: &Value| it["metadata"]["uid"] != before["metadata"]["uid"] && plugged(it);
    let second = until(&instances, "vm-web", again).await.expect("it is there after a restart");
    assert!(names(&second, "/spec/volumes").contains(&"data".to_owned()), "{second}");

    let vm = until(&vms, "vm-web", settled).await.expect("the restart brought the disk");
    let place = |list: &str| names(&vm, list).iter().position(|it| it == "extra").expect("it is there");
    let mark = remote.audit().mark();
    let take = ["/spec/template/spec/volumes", "/spec/template/spec/domain/devices/disks"].map(|list| {
        let path = format!("{list}/{}", place(list));
        [json!({"op": "test", "path": format!("{path}/name"), "value": "extra"}), json!({"op": "remove", "path": path})]
    });
    write(&vms, json!(take.concat())).await;
    let out = |it: &Value| status(it).is_none() && !names(it, "/spec/volumes").contains(&"extra".to_owned());
    let without = until(&instances, "vm-web", out).await.expect("it is pulled out");
    assert_eq!(without["metadata"]["uid"], second["metadata"]["uid"], "the same guest");
    let vm = until(&vms, "vm-web", settled).await.expect("KubeVirt asks for no restart");
    assert!(!names(&vm, "/spec/template/spec/volumes").contains(&"extra".to_owned()), "nobody puts it back");
    assert_eq!(writes(&ground, mark, "vm-web"), Vec::<String>::new());
    let running = |it: &Machine| phase(it) == "Running" && condition(it, "Ready") == "True/Running";
    ground.until("web", "Running", running).await;
}

/// What the instance says of the volume.
fn status(instance: &Value) -> Option<&Value> {
    instance["status"]["volumeStatus"].as_array()?.iter().find(|it| it["name"] == "extra")
}

/// KubeVirt has looked at the VM as it is, and waits for no restart.
fn settled(vm: &Value) -> bool {
    vm["status"]["desiredGeneration"] == vm["metadata"]["generation"] && !has(vm, "RestartRequired", "True")
}

async fn write(vms: &kube::Api<DynamicObject>, operations: Value) {
    let patch = serde_json::from_value(operations).expect("a JSON Patch");
    vms.patch("vm-web", &PatchParams::default(), &Patch::Json::<()>(patch)).await.expect("KubeVirt takes it");
}
