//! What an edit does to a guest that runs, as docs/changes.md tells it.

use futures::future::join_all;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};

use super::{REMOTE, judged};
use crate::machines::{Ground, LIMIT, condition, machine, phase};

/// One edit: name of the Machine, its spec, the merge patch, what KubeVirt has afterwards, and whether that waits for a restart.
type Row = (&'static str, Value, Value, (&'static str, Value), bool);

#[rustfmt::skip]
fn rows() -> Vec<Row> {
    let guest = |path: &'static str, value: Value| (path, value);
    let movable = || json!({"template": "small", "disks": [{"name": "root", "boot": true, "size": "20Gi", "accessMode": "ReadWriteMany"}]});
    let fixed = || json!({"template": "small"});
    let cpu = |cpu: Value| json!({"spec": {"resources": {"cpu": cpu}}});
    let patch = |operations: Value| json!({"metadata": {"annotations": {"platform.kubevirt.io/patch": operations.to_string()}}});
    vec![
        ("sockets-up",   movable(), cpu(json!({"sockets": 2})),                     guest("/domain/cpu/sockets", json!(2)), false),
        ("cores-up",     movable(), cpu(json!({"cores": 2})),                       guest("/domain/cpu/cores", json!(2)),   true),
        ("memory-up",    movable(), json!({"spec": {"resources": {"memory": {"size": "4Gi"}}}}), guest("/domain/memory/guest", json!("4Gi")), false),
        ("memory-fixed", fixed(),   json!({"spec": {"resources": {"memory": {"size": "4Gi"}}}}), guest("/domain/memory/guest", json!("4Gi")), true),
        ("firmware",     fixed(),   json!({"spec": {"domain": {"firmware": {"bootloader": {"efi": true}}}}}), guest("/domain/firmware/bootloader/efi/secureBoot", json!(false)), true),
        ("another-disk", fixed(),   json!({"spec": {"disks": [{"name": "data", "size": "1Gi"}]}}), guest("/volumes/1/persistentVolumeClaim/claimName", json!("another-disk-data")), true),
        ("node-selector", movable(), patch(json!([{"op": "add", "path": "/spec/template/spec/nodeSelector", "value": {"zone": "a"}}])), guest("/nodeSelector/zone", json!("a")), false),
        ("tpm",          fixed(),   patch(json!([{"op": "add", "path": "/spec/template/spec/domain/devices/tpm", "value": {}}])), guest("/domain/devices/tpm", json!({})), true),
    ]
}

#[tokio::test]
async fn c16_x71_kubevirt_applies_each_edit_or_asks_for_a_restart_as_the_documentation_says() {
    let ground = Ground::new(judged().await, "changes").await;
    let wrong = join_all(rows().into_iter().map(|row| judge(&ground, row))).await;
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What was not as the row says.
async fn judge(ground: &Ground<'_>, (name, spec, edit, (at, value), restart): Row) -> Option<String> {
    ground.applied(&machine(name, Some(REMOTE), &spec)).await;
    ground.running(name).await;
    let vms = ground.remote(REMOTE, "VirtualMachine", "kubevirt.io").await;
    let patched = ground.machines().patch(name, &PatchParams::default(), &Patch::Merge(&edit)).await;
    if let Err(refused) = patched {
        return Some(format!("{name}: {refused}"));
    }
    let pointer = format!("/spec/template/spec{at}");
    let seen = |vm: &DynamicObject| {
        // KubeVirt has looked at the VM as it is now; its `observedGeneration` is that of the instance.
        let generation = json!(vm.metadata.generation);
        vm.data.pointer(&pointer) == Some(&value) && vm.data["status"]["desiredGeneration"] == generation
    };
    let vm_name = format!("vm-{name}");
    let changed = await_condition(vms.clone(), &vm_name, move |vm: Option<&DynamicObject>| vm.is_some_and(seen));
    let Ok(Ok(Some(vm))) = tokio::time::timeout(LIMIT, changed).await else {
        return Some(format!("{name}: the VM does not have {value} at {at}: {:?}", vms.get_opt(&vm_name).await));
    };
    let conditions = vm.data["status"]["conditions"].as_array().into_iter().flatten();
    let waits = conditions.clone().any(|it| it["type"] == "RestartRequired" && it["status"] == "True");
    if waits != restart {
        return Some(format!("{name}: KubeVirt waits for a restart: {waits}: {:?}", conditions.collect::<Vec<_>>()));
    }
    let shown = |machine: &model::api::Machine| condition(machine, "RestartRequired").starts_with("True") == restart;
    let machine = ground.until(name, "as KubeVirt says", shown).await;
    (phase(&machine) != "Running").then(|| format!("{name} is {}", phase(&machine)))
}
