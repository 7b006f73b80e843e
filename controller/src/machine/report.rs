//! Tells of a pass: status, one Event for each transition, metrics. I/O: the supervisor.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::runtime::events::{Event, EventType};
use kube::{Api, Resource, ResourceExt};
use model::api::{Machine, MachineStatus};
use model::machine::status::patience;
use model::names::{ClusterName, OPERATOR};
use runtime::clusters::said;
use serde_json::{Map, Value, json};

use super::execute::Done;
use super::{Context, Fault};

/// Writes the status when it changed, or says how long that may still wait. A Machine that is gone meanwhile needs none.
pub(super) async fn report(
    machine: &Machine,
    previous: &MachineStatus,
    next: &MachineStatus,
    done: &Done,
    ctx: &Context,
) -> Result<Option<Duration>, Fault> {
    if done.touched || next == previous {
        return Ok(None);
    }
    let patience = patience(previous, next, &Time(Timestamp::now()));
    if !patience.is_zero() {
        return Ok(Some(patience));
    }
    let namespace = machine.namespace().unwrap_or_default();
    let api: Api<Machine> = Api::namespaced(ctx.client.clone(), &namespace);
    let patch = json!({"metadata": {"uid": machine.uid()}, "status": changes(previous, next)});
    let params = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
    match api.patch_status(&machine.name_any(), &params, &Patch::Merge(patch)).await {
        Ok(_) => {}
        Err(kube::Error::Api(answer)) if answer.code == 404 => return Ok(None),
        Err(why) => return Err(Fault::Supervisor(said(&why))),
    }
    announce(machine, previous, next, ctx).await;
    Ok(None)
}

/// A merge patch of the fields that differ; one that went away becomes null.
fn changes(previous: &MachineStatus, next: &MachineStatus) -> Value {
    let fields = |status: &MachineStatus| match serde_json::to_value(status) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let (before, mut after) = (fields(previous), fields(next));
    for gone in before.keys().filter(|key| !after.contains_key(*key)).cloned().collect::<Vec<_>>() {
        after.insert(gone, Value::Null);
    }
    after.retain(|key, value| before.get(key) != Some(value));
    Value::Object(after)
}

/// Says that a VM which was there before became the Machine's.
pub(super) async fn adopted(machine: &Machine, vm: &str, cluster: &ClusterName, ctx: &Context) {
    let note = format!("VirtualMachine {vm} on {:?} was there before, and is this Machine's now", cluster.0);
    tracing::info!(machine = machine.name_any(), namespace = machine.namespace(), kubevirtConfig = %cluster, vm, "adopted");
    publish(machine, EventType::Normal, "Adopted".to_owned(), &note, ctx).await;
}

/// One Event when the reason of `Ready` changes. An Event that cannot be written is no reason to try the pass again.
async fn announce(machine: &Machine, previous: &MachineStatus, next: &MachineStatus, ctx: &Context) {
    let ready = |status: &MachineStatus| status.conditions.iter().find(|condition| condition.type_ == "Ready").cloned();
    let (before, Some(now)) = (ready(previous), ready(next)) else { return };
    if before.is_some_and(|before| before.reason == now.reason) {
        return;
    }
    tracing::info!(
        machine = machine.name_any(),
        namespace = machine.namespace(),
        phase = next.phase,
        reason = now.reason,
        "{}",
        now.message
    );
    let calm = now.status == "True"
        || matches!(now.reason.as_str(), "Creating" | "PVCPending" | "Stopped" | "Stopping" | "Terminating");
    let kind = if calm { EventType::Normal } else { EventType::Warning };
    publish(machine, kind, now.reason, &now.message, ctx).await;
}

async fn publish(machine: &Machine, kind: EventType, reason: String, note: &str, ctx: &Context) {
    let event = Event {
        type_: kind,
        reason,
        note: Some(note.chars().take(1000).collect()),
        action: "Reconcile".to_owned(),
        secondary: None,
    };
    let about: ObjectReference = machine.object_ref(&());
    if let Err(why) = ctx.events.publish(&event, &about).await {
        tracing::warn!(machine = machine.name_any(), error = said(&why), "the Event was not written");
    }
}
