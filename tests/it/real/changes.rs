//! What an edit does to a guest that runs, as docs/changes.md tells it.

mod rows;

use futures::StreamExt;
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use model::api::Machine;
use serde_json::{Value, json};

use rows::{At, Row, Then, rows};

use super::{REMOTE, judged};
use crate::machines::{Ground, LIMIT, condition, machine, phase};

#[tokio::test]
async fn c16_x71_x73_fr13_kubevirt_applies_each_edit_or_asks_for_a_restart_as_the_documentation_says() {
    let ground = Ground::new(judged().await, "changes").await;
    let frontend = json!({
        "apiVersion": "vitistack.io/v1alpha1", "kind": "NetworkConfiguration", "metadata": {"name": "frontend"},
        "spec": {"name": "frontend", "vlan": 2101},
    });
    ground.applied(&frontend).await;
    let judged = futures::stream::iter(rows()).map(async |row| (row.name, judge(&ground, &row).await));
    let wrong: Vec<(&str, String)> = judged
        .buffer_unordered(usize::MAX)
        .filter_map(async |(name, result)| Some((name, result.err()?)))
        .collect()
        .await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The error is what was not as the row says.
async fn judge(ground: &Ground<'_>, row: &Row) -> Result<(), String> {
    let mut made = machine(row.name, Some(REMOTE), &row.spec);
    for (key, value) in row.annotations.as_object().into_iter().flatten() {
        made["metadata"]["annotations"][key] = value.clone();
    }
    ground.applied(&made).await;
    ground.running(row.name).await;
    let vm_name = format!("vm-{}", row.name);
    let instances = ground.remote(REMOTE, "VirtualMachineInstance", "kubevirt.io").await;
    let before = until(&instances, &vm_name, |_| true).await?;
    let same = |instance: &Value| instance["metadata"]["uid"] == before["metadata"]["uid"];
    edit(ground, row.name, &row.edit).await?;
    arrived(ground, row).await?;
    let instance = match &row.then {
        Then::Stopped => return stopped(ground, row.name, instances).await,
        Then::Live(pointer, value) => until(&instances, &vm_name, |it| at(it, pointer) == *value || !same(it)).await?,
        Then::Restart(_) | Then::NextStart(_) | Then::Nothing => until(&instances, &vm_name, |_| true).await?,
    };
    if !same(&instance) {
        return Err("the guest was restarted".to_owned());
    }
    let waits = matches!(row.then, Then::Restart(_));
    let vms = ground.remote(REMOTE, "VirtualMachine", "kubevirt.io").await;
    let vm = until(&vms, &vm_name, |_| true).await?;
    let conditions = vm["status"]["conditions"].as_array().into_iter().flatten();
    if conditions.clone().any(|it| it["type"] == "RestartRequired" && it["status"] == "True") != waits {
        return Err(format!("a restart is to be asked for: {waits}: {:?}", conditions.collect::<Vec<_>>()));
    }
    let shown = |it: &Machine| condition(it, "RestartRequired").starts_with("True") == waits;
    let shown = ground.until(row.name, "as KubeVirt says", shown).await;
    if phase(&shown) != "Running" {
        return Err(format!("the Machine is {}", phase(&shown)));
    }
    let (Then::Restart(pointer) | Then::NextStart(pointer)) = row.then else { return Ok(()) };
    if at(&instance, pointer) == row.value {
        return Err(format!("the guest has {} at {pointer} without a restart", row.value));
    }
    edit(ground, row.name, &json!({"metadata": {"annotations": {"vitistack.io/restart": "1"}}})).await?;
    let brought = |it: &Value| !same(it) && at(it, pointer) == row.value && it["status"]["phase"] == "Running";
    until(&instances, &vm_name, brought).await?;
    let done = |it: &Machine| phase(it) == "Running" && !condition(it, "RestartRequired").starts_with("True");
    ground.until(row.name, "Running again, and waits for nothing", done).await;
    Ok(())
}

/// The edit is where it arrives at once, and KubeVirt has looked at it.
async fn arrived(ground: &Ground<'_>, row: &Row) -> Result<Value, String> {
    match row.at {
        At::Vm(pointer) => {
            let vms = ground.remote(REMOTE, "VirtualMachine", "kubevirt.io").await;
            // Its `observedGeneration` is that of the instance.
            let looked = |vm: &Value| vm["status"]["desiredGeneration"] == vm["metadata"]["generation"];
            until(&vms, &format!("vm-{}", row.name), |vm| looked(vm) && at(vm, pointer) == row.value).await
        }
        At::Claim(pointer) => {
            let claims = ground.remote(REMOTE, "PersistentVolumeClaim", "").await;
            until(&claims, &format!("{}-root", row.name), |claim| at(claim, pointer) == row.value).await
        }
    }
}

async fn stopped(ground: &Ground<'_>, name: &str, instances: Api<DynamicObject>) -> Result<(), String> {
    let vm_name = format!("vm-{name}");
    let gone = await_condition(instances, &vm_name, |it: Option<&DynamicObject>| it.is_none());
    let gone = tokio::time::timeout(LIMIT, gone).await.map_err(|_| "the instance is still there")?;
    gone.map_err(|error| error.to_string())?;
    ground.until(name, "Stopped", |it| phase(it) == "Stopped").await;
    Ok(())
}

async fn edit(ground: &Ground<'_>, name: &str, patch: &Value) -> Result<(), String> {
    let edited = ground.machines().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
    edited.map(drop).map_err(|error| error.to_string())
}

/// What is at a pointer; null where there is nothing.
fn at(object: &Value, pointer: &str) -> Value {
    object.pointer(pointer).cloned().unwrap_or_default()
}

/// The object, once it is as wanted.
pub(super) async fn until(
    api: &Api<DynamicObject>,
    name: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Result<Value, String> {
    let whole = |object: &DynamicObject| serde_json::to_value(object).expect("JSON");
    let there =
        await_condition(api.clone(), name, |it: Option<&DynamicObject>| it.is_some_and(|it| wanted(&whole(it))));
    if let Ok(Ok(Some(object))) = tokio::time::timeout(LIMIT, there).await {
        return Ok(whole(&object));
    }
    let parts = |it: DynamicObject| [it.data["spec"].to_string(), it.data["status"].to_string()];
    let last = api.get_opt(name).await.map(|it| it.map(parts));
    Err(format!("{name} is not as wanted: {last:?}"))
}
