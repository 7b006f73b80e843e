//! VirtualMachine.status as virt-controller writes it: computed from VM, VMI and claims, never accumulated. Pure.

use super::super::conditions::{self, Condition};
use super::super::objects::{Kind, Object, annotation, deleting, is_final, list, stamp, text, uid};
use super::super::writes::Write;
use super::{ACTOR, Disks, Run, instance, request, run, strategy};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

/// Waits between failed starts grow with the square of their count, as KubeVirt's do, from one second instead of ten.
const BACKOFF: SignedDuration = SignedDuration::from_secs(1);
const LONGEST_BACKOFF: SignedDuration = SignedDuration::from_secs(30);

/// The write that brings the status up to date, unless it is.
pub(super) fn report(vm: &Object, vmi: Option<&Object>, disks: &Disks, now: Timestamp) -> Option<Write> {
    let failure = start_failure(vm, vmi, now);
    let mut new = Map::new();
    new.insert("created".into(), if vmi.is_some() { json!(true) } else { Value::Null });
    new.insert("ready".into(), if vmi.is_some_and(is_ready) { json!(true) } else { Value::Null });
    new.insert("conditions".into(), json!(mirrored(vm, vmi, now)));
    new.insert("printableStatus".into(), json!(printable(vm, vmi, disks, failure.as_ref(), now)));
    new.insert("startFailure".into(), failure.unwrap_or_default());
    new.insert("stateChangeRequests".into(), requests(vm, vmi));
    if vmi.is_some() || !text(vm, "/status/runStrategy").is_empty() {
        new.insert("runStrategy".into(), json!(strategy(vm)));
    }
    if let Some(seen) = vmi.and_then(|vmi| annotation(vmi, instance::GENERATION)?.parse::<i64>().ok()) {
        new.insert("observedGeneration".into(), json!(seen));
        new.insert("desiredGeneration".into(), json!(vm.metadata.generation));
    }
    let old = vm.data.get("status").unwrap_or(&Value::Null);
    new.retain(|key, value| old.get(key).unwrap_or(&Value::Null) != value);
    (!new.is_empty()).then(|| Write::merge_status(ACTOR, Kind::Vm, vm, &Value::Object(new)))
}

/// First match wins; the order is KubeVirt's (setPrintableStatus).
fn printable(
    vm: &Object,
    vmi: Option<&Object>,
    disks: &Disks,
    failure: Option<&Value>,
    now: Timestamp,
) -> &'static str {
    let wants_start = run(vm, vmi) == Run::Start;
    let waits = failure.and_then(retry).is_some_and(|then| then > now);
    let phase = vmi.map(|vmi| text(vmi, "/status/phase"));
    let is_false = |vmi: &Object, kind, reason| conditions::is_false_for(list(vmi, "/status/conditions"), kind, reason);
    match (vmi, phase) {
        _ if deleting(vm) => "Terminating",
        (Some(vmi), _) if !is_final(vmi) && deleting(vmi) => "Stopping",
        (Some(vmi), Some("Running")) => match conditions::find(list(vmi, "/status/conditions"), "Paused") {
            Some(paused) if paused["status"] == "True" => "Paused",
            Some(_) | None => "Running",
        },
        (Some(vmi), _) if is_false(vmi, "Synchronized", "FailedPvcNotFound") => match disks {
            Disks::Missing { data_volume: true, .. } => "Provisioning",
            Disks::Missing { .. } | Disks::Unbound | Disks::Filling | Disks::Bound => "ErrorPvcNotFound",
        },
        (Some(vmi), _) if is_false(vmi, "PodScheduled", "Unschedulable") => "ErrorUnschedulable",
        (vmi, _) if *disks == Disks::Unbound && (wants_start || vmi.is_some_and(|vmi| !is_final(vmi))) => {
            "WaitingForVolumeBinding"
        }
        (Some(vmi), _) if *disks == Disks::Filling && !is_final(vmi) => "Provisioning",
        (Some(vmi), _) if !is_final(vmi) => "Starting",
        (None, _) if wants_start && !waits => "Starting",
        _ if failure.is_some() && matches!(strategy(vm), "Always" | "RerunOnFailure" | "Once") => "CrashLoopBackOff",
        _ => "Stopped",
    }
}

fn is_ready(vmi: &Object) -> bool {
    conditions::find(list(vmi, "/status/conditions"), "Ready").is_some_and(|ready| ready["status"] == "True")
}

/// Ready always; the VMI's other conditions as long as there is a VMI. Like KubeVirt, the last ones stay after it.
fn mirrored(vm: &Object, vmi: Option<&Object>, now: Timestamp) -> Vec<Value> {
    const OWN: [&str; 3] = ["Ready", "Failure", "RestartRequired"];
    let mut all = list(vm, "/status/conditions").to_vec();
    all.retain(|c| c["type"] != "RestartRequired" || vmi.is_some_and(|vmi| instance::is_outdated(vm, vmi)));
    let Some(vmi) = vmi else {
        conditions::set(&mut all, &Condition::no("Ready", "VMINotExists", "VMI does not exist"), now);
        return all;
    };
    let theirs = list(vmi, "/status/conditions");
    let kept = |c: &Value| {
        c["type"].as_str().is_some_and(|kind| OWN.contains(&kind) || conditions::find(theirs, kind).is_some())
    };
    all.retain(kept);
    if conditions::find(theirs, "Ready").is_none() {
        let missing = Condition::no("Ready", "VMIConditionMissing", "VMI is missing the Ready condition");
        conditions::set(&mut all, &missing, now);
    }
    if instance::is_outdated(vm, vmi) && !is_final(vmi) && conditions::find(&all, "RestartRequired").is_none() {
        let message = "a non-live-updatable field was changed in the template spec";
        let changed = Condition { kind: "RestartRequired", status: "True", reason: "RestartRequired", message };
        conditions::set(&mut all, &changed, now);
    }
    for condition in theirs {
        match all.iter_mut().find(|c| c["type"] == condition["type"]) {
            Some(place) => place.clone_from(condition),
            None => all.push(condition.clone()),
        }
    }
    all
}

/// Counts starts that failed before the guest ever ran, once for each instance.
fn start_failure(vm: &Object, vmi: Option<&Object>, now: Timestamp) -> Option<Value> {
    let old = vm.data.pointer("/status/startFailure").filter(|old| !old.is_null());
    if vmi.is_some_and(ever_ran) || !matches!(strategy(vm), "Always" | "RerunOnFailure" | "Once") {
        return None;
    }
    let Some(vmi) = vmi.filter(|vmi| is_final(vmi)) else {
        return old.cloned();
    };
    if old.is_some_and(|old| old["lastFailedVMIUID"] == uid(vmi)) {
        return old.cloned();
    }
    let count = 1 + old.and_then(|old| old["consecutiveFailCount"].as_i64()).unwrap_or_default();
    let factor = i32::try_from(count.saturating_mul(count)).unwrap_or(i32::MAX);
    let wait = BACKOFF.saturating_mul(factor).min(LONGEST_BACKOFF);
    let retry = now.checked_add(wait).unwrap_or(now);
    Some(json!({"consecutiveFailCount": count, "lastFailedVMIUID": uid(vmi), "retryAfterTimestamp": stamp(retry)}))
}

fn ever_ran(vmi: &Object) -> bool {
    list(vmi, "/status/phaseTransitionTimestamps").iter().any(|entered| entered["phase"] == "Running")
}

/// When the next start may be tried.
pub(super) fn retry_after(vm: &Object) -> Option<Timestamp> {
    retry(vm.data.pointer("/status/startFailure")?)
}

fn retry(failure: &Value) -> Option<Timestamp> {
    failure["retryAfterTimestamp"].as_str()?.parse().ok()
}

/// A failed instance under RerunOnFailure leaves the request to start another; a request that came true is dropped.
fn requests(vm: &Object, vmi: Option<&Object>) -> Value {
    let mut all = list(vm, "/status/stateChangeRequests").to_vec();
    let started = vmi.is_some_and(|vmi| !deleting(vmi) && !is_final(vmi));
    let stopped = |request: &Value| vmi.is_none_or(|vmi| request["uid"] != uid(vmi));
    if (started && request(vm, "Start").is_some()) || request(vm, "Stop").is_some_and(stopped) {
        all.remove(0);
    }
    let failed = vmi.is_some_and(|vmi| text(vmi, "/status/phase") == "Failed" && !deleting(vmi));
    if failed && strategy(vm) == "RerunOnFailure" && request(vm, "Start").is_none() {
        all.push(json!({"action": "Start"}));
    }
    if all.is_empty() { Value::Null } else { json!(all) }
}
