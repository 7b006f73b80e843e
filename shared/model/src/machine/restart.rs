//! Restarts of a VM: the one that its author asks for, and the fields that wait for one. Pure. X71.
//!
//! A restart is asked of KubeVirt as `virtctl restart` does it: by a request in the VM's status to stop that very instance and to
//! start another one. The request is recorded on the VM before, with the instance, so that however often a pass is repeated an
//! instance is restarted once.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::intent::Admitted;
use super::objects::{Vm, Vmi, Waits};
use super::observed::Observed;
use super::write::{Kind, There};
use crate::baseline::{Change, LAST_APPLIED, drift};
use crate::names::{CHANGED_FIELDS, RESTART, RESTARTED};
use crate::text::line;

/// Longest value of the annotation that is told from others.
const VALUE: usize = 64;
/// Longest list of fields.
const FIELDS: usize = 1024;

/// The restart that was asked for last.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Asked {
    /// What the Machine's annotation said.
    value: String,
    /// UID of the instance that ends; empty where none ran.
    instance: String,
}

/// What the Machine's annotation says; an empty one says nothing.
fn wanted(admitted: &Admitted) -> Option<String> {
    let said = admitted.words.get(RESTART)?;
    Some(line(said, VALUE)).filter(|said| !said.is_empty())
}

/// The mark of a VM that is made: what its Machine says by then restarts nothing.
pub(super) fn mark(admitted: &Admitted) -> Option<Value> {
    Some(json!(text(wanted(admitted)?, "")))
}

fn text(value: String, instance: &str) -> String {
    let asked = Asked { value, instance: instance.to_owned() };
    serde_json::to_string(&asked).expect("invariant: two texts are plain data")
}

/// The next step of a restart. `vm` is what it should be already.
pub(super) fn plan(admitted: &Admitted, vm: &Vm, seen: &Observed) -> Option<There> {
    let value = wanted(admitted)?;
    let asked = vm.restarted.as_deref().and_then(|text| serde_json::from_str::<Asked>(text).ok());
    let running = seen.vmi.as_ref().map(|vmi| vmi.uid.as_str()).unwrap_or_default();
    match asked {
        Some(asked) if asked.value == value => {
            let same = !running.is_empty() && asked.instance == running;
            let can = !matches!(vm.run_strategy.as_deref(), Some("Halted" | "Once"));
            (same && can && !vm.restarting).then(|| There::Restart(vm.name.clone(), request(vm, running)))
        }
        _ => {
            let mark = json!({"metadata": {"uid": vm.uid, "annotations": {RESTARTED: text(value, running)}}});
            Some(There::Merge(Kind::Vm, vm.name.clone(), mark))
        }
    }
}

/// The merge patch of the VM's status, bound to the version that was seen.
fn request(vm: &Vm, instance: &str) -> Value {
    json!({
        "metadata": {"uid": vm.uid, "resourceVersion": vm.resource_version},
        "status": {"stateChangeRequests": [{"action": "Stop", "uid": instance}, {"action": "Start"}]},
    })
}

/// Adds to a change of a VM which fields of its instance it concerns, so that the Machine can say what waits for a restart.
pub fn note(change: &mut Change, live: &Value) {
    const INSTANCE: &str = "spec.template.spec.";
    let back = set_back(change, live);
    let fields = change.fields.iter().filter(|field| !back.contains(field));
    let changed = fields.filter_map(|field| field.strip_prefix(INSTANCE));
    let conditions = live["status"]["conditions"].as_array();
    let waits = conditions.into_iter().flatten().any(|it| it["type"] == "RestartRequired" && it["status"] == "True");
    let before = live["metadata"]["annotations"][CHANGED_FIELDS].as_str().filter(|_| waits).unwrap_or_default();
    let mut all: Vec<&str> = before.split(", ").filter(|field| !field.is_empty()).collect();
    for field in changed {
        if !all.contains(&field) && all.iter().map(|it| it.len() + 2).sum::<usize>() + field.len() < FIELDS {
            all.push(field);
        }
    }
    change.patch["metadata"]["annotations"][CHANGED_FIELDS] =
        if all.is_empty() { Value::Null } else { json!(all.join(", ")) };
}

/// The fields that others changed and that are only set back: the guest has what it should have of these.
fn set_back(change: &Change, live: &Value) -> Vec<String> {
    let fields = |object: &Value| drift(object).into_iter().map(|drift| drift.field);
    let applied = live["metadata"]["annotations"][LAST_APPLIED].as_str();
    let mut before = applied.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| json!({}));
    before["metadata"]["annotations"][LAST_APPLIED] = change.patch["metadata"]["annotations"][LAST_APPLIED].clone();
    let edited: Vec<String> = fields(&before).collect();
    fields(live).filter(|field| !edited.contains(field)).collect()
}

/// What waits until KubeVirt moves the guest, in words, where something does.
pub(super) fn moving(vmi: &Vmi) -> Option<String> {
    let Waits { cpus, memory, interfaces, stuck } = vmi.waits.as_deref()?;
    let all = [(*cpus, "CPUs"), (*memory, "memory"), (*interfaces, "interfaces")];
    let what: Vec<&str> = all.iter().filter(|(waits, _)| *waits).map(|(_, what)| *what).collect();
    let what = format!("the guest has its new {} when it moves to another node", what.join(", "));
    Some(match stuck {
        Some(why) => format!("{what}, which it cannot ({why}), or starts again: {BRING}"),
        None => format!(
            "{what}: KubeVirt moves it by itself where its workloadUpdateMethods name LiveMigrate; elsewhere use virtctl migrate"
        ),
    })
}

/// How a user has a guest start again.
const BRING: &str = "set the annotation vitistack.io/restart of the Machine to a new value, or use virtctl restart";

/// What waits for a restart, in words, where something does.
pub(super) fn waiting(vm: &Vm) -> Option<String> {
    let why = vm.restart_required.as_ref()?;
    let what = vm
        .changed
        .as_ref()
        .map_or_else(|| format!("KubeVirt says: {why}"), |fields| format!("the guest still has the old {fields}"));
    Some(format!("{what}: a restart brings the change: {BRING}"))
}
