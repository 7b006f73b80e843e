//! Tells of a pass: status, one Event for each transition, metrics. I/O: the supervisor.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::Patch;
use kube::runtime::events::EventType;
use kube::{Resource, ResourceExt};
use model::api::{Machine, MachineStatus};
use model::machine::outcome::Outcome;
use model::machine::status::{SETTLING, change, patience, transition, without_mirror};
use model::machine::{Failure, Intent};
use model::names::ClusterName;
use model::reason::{Reason, Severity};
use model::text::line;
use runtime::clusters::{code, said};

use crate::context::{Context, Fault, phase_of};
use crate::event_budget::event;
use crate::objects::patch_params;

/// How a plan went.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// What stopped it.
    pub(super) failure: Option<Failure>,
    /// The plan wrote to the Machine itself: the event of that brings the next pass, and nothing is reported in this one.
    pub(super) touched: bool,
    /// The VM that was there before and became the Machine's.
    pub(super) adopted: Option<String>,
    /// What was an earlier self's, and is this Machine's now.
    pub(super) taken_over: Vec<String>,
    /// What others had changed, and was set back: a sentence for each object.
    pub(super) corrected: Vec<String>,
    /// What is not corrected any more from now on, and why: a sentence for each object.
    pub(super) paused: Vec<String>,
    /// What admission had against the Machine when it was asked again.
    pub(super) refused_for: Option<Reason>,
    /// The VM that is left on a cluster that is gone for good.
    pub(super) forsaken: Option<String>,
    /// Claims that a Machine left behind and that are this one's now.
    pub(super) reattached: Vec<String>,
    /// The Secret with cloud-init data was written again.
    pub(super) data_changed: bool,
}

/// Writes the status when it changed, or says how long that may still wait. A Machine that is gone meanwhile needs none.
pub(super) async fn report(
    machine: &Machine,
    intent: &Intent,
    previous: &MachineStatus,
    next: &MachineStatus,
    done: &Done,
    now: &Time,
    ctx: &Context,
) -> Result<Option<Duration>, Fault> {
    if let (Some(vm), Some(cluster)) = (&done.adopted, intent.cluster()) {
        announce_adoption(machine, vm, cluster, ctx).await;
    }
    if let Some(vm) = &done.forsaken {
        let cluster = intent.cluster().map(|cluster| cluster.0.as_str()).unwrap_or_default();
        let note = format!(
            "deleted without its cluster {cluster:?}, which is said to be gone for good: VirtualMachine {vm} and its disks are left there, if they still are"
        );
        ctx.metrics.forsaken();
        write_event(machine, EventType::Warning, "LeftBehind", &note, ctx).await;
    }
    if !done.taken_over.is_empty() {
        announce_taking_over(machine, &done.taken_over, intent, ctx).await;
    }
    for sentence in &done.corrected {
        publish(machine, EventType::Normal, "DriftCorrected", sentence, ctx).await;
    }
    for sentence in &done.paused {
        // Once in a war, which may have used up the budget.
        write_event(machine, EventType::Warning, "CorrectionsPaused", sentence, ctx).await;
    }
    for claim in &done.reattached {
        announce_reattachment(machine, claim, intent.cluster(), ctx).await;
    }
    if done.data_changed {
        let note = "its cloud-init data changed and is on the cluster: the guest finds it at its next start, and cloud-init runs most of it once for an instance, so on a guest that ran before only what runs at each start counts";
        publish(machine, EventType::Normal, "CloudInitChanged", note, ctx).await;
    }
    if done.touched || next == previous {
        return Ok(None);
    }
    let patience = patience(previous, next, now);
    if !patience.is_zero() {
        return Ok(Some(patience));
    }
    let namespace = machine.namespace().unwrap_or_default();
    let api = ctx.machines(&namespace);
    let write = async |next| {
        let patch = Patch::Merge(change(&machine.metadata, previous, next));
        api.patch_status(&machine.name_any(), &patch_params(), &patch).await
    };
    match write(next).await {
        Ok(_) => {}
        Err(kube::Error::Api(answer)) if answer.code == 404 => return Ok(None),
        // It changed since it was read. The event of that brings the next pass, unless that came during this one.
        Err(kube::Error::Api(answer)) if answer.code == 409 => return Ok(Some(SETTLING[0])),
        Err(why) => {
            // Too large, or of a form that the supervisor does not take: at least that is shown (ATK7).
            if matches!(code(&why), Some(400 | 413 | 422)) {
                let short = without_mirror(previous, next, &said(&why));
                if short != *previous {
                    write(&short).await.map_err(Fault::Supervisor)?;
                }
            }
            return Err(Fault::Supervisor(why));
        }
    }
    if let Some(outcome) = Outcome::of(previous, next) {
        ctx.metrics.provisioned(outcome);
    }
    announce_transition(machine, previous, next, ctx).await;
    Ok(None)
}

/// Says that a VM which was there before became the Machine's.
async fn announce_adoption(machine: &Machine, vm: &str, cluster: &ClusterName, ctx: &Context) {
    let note = format!("VirtualMachine {vm} on {:?} was there before, and is this Machine's now", cluster.0);
    tracing::info!(controller = "Machine", machine = machine.name_any(), namespace = machine.namespace(), phase = phase_of(machine), kubevirtConfig = %cluster, vm, "adopted");
    publish(machine, EventType::Normal, "Adopted", &note, ctx).await;
}

/// Says that what an earlier self left is this Machine's.
async fn announce_taking_over(machine: &Machine, taken: &[String], intent: &Intent, ctx: &Context) {
    let earlier = intent.identity().and_then(|identity| identity.take_over.clone()).unwrap_or_default();
    let cluster = intent.cluster().map(|cluster| cluster.0.as_str()).unwrap_or_default();
    let (count, objects) = (taken.len(), taken.join(", "));
    let note = format!("took over {count} of its earlier self, UID {} on {cluster:?}: {objects}", line(&earlier, 64));
    tracing::info!(
        controller = "Machine",
        machine = machine.name_any(),
        namespace = machine.namespace(),
        phase = phase_of(machine),
        kubevirtConfig = cluster,
        count,
        objects,
        "taken over"
    );
    publish(machine, EventType::Normal, "TakenOver", &note, ctx).await;
}

/// Says that a disk which was kept is used again.
async fn announce_reattachment(machine: &Machine, claim: &str, cluster: Option<&ClusterName>, ctx: &Context) {
    let cluster = cluster.map(|cluster| cluster.0.as_str()).unwrap_or_default();
    let note = format!(
        "PersistentVolumeClaim {claim} on {cluster:?} was kept, and is this Machine's disk now, with its content"
    );
    tracing::info!(
        controller = "Machine",
        machine = machine.name_any(),
        namespace = machine.namespace(),
        kubevirtConfig = cluster,
        claim,
        "reattached"
    );
    publish(machine, EventType::Normal, "DiskReattached", &note, ctx).await;
}

/// One Event when the reason of `Ready` changes. An Event that cannot be written is no reason to try the pass again.
async fn announce_transition(machine: &Machine, previous: &MachineStatus, next: &MachineStatus, ctx: &Context) {
    let Some((reason, message)) = transition(previous, next) else { return };
    // B22: it is the cluster that is missing.
    let without = matches!(reason, Reason::ClusterUnreachable | Reason::KubevirtConfigMissing);
    let (sentence, error) =
        if without { ("Failed to get KubeVirt client for machine", Some(message)) } else { (message, None) };
    tracing::info!(
        controller = "Machine",
        machine = machine.name_any(),
        namespace = machine.namespace(),
        phase = next.phase,
        reason = reason.code(),
        error,
        "{sentence}"
    );
    let kind = match reason.severity() {
        Severity::Normal => EventType::Normal,
        Severity::Warning => EventType::Warning,
    };
    publish(machine, kind, reason.code(), message, ctx).await;
}

/// A Machine that comes and goes floods neither the API server nor its namespace: what is beyond its budget is only logged.
async fn publish(machine: &Machine, kind: EventType, reason: &str, note: &str, ctx: &Context) {
    if !ctx.event_budget.spend(machine.uid().as_deref().unwrap_or_default(), Instant::now()) {
        tracing::debug!(
            controller = "Machine",
            machine = machine.name_any(),
            namespace = machine.namespace(),
            phase = phase_of(machine),
            reason,
            "too many Events: not written"
        );
        return;
    }
    write_event(machine, kind, reason, note, ctx).await;
}

async fn write_event(machine: &Machine, kind: EventType, reason: &str, note: &str, ctx: &Context) {
    let namespace = machine.namespace().unwrap_or_default();
    if ctx.terminating.is(&namespace, Instant::now()) {
        return;
    }
    let event = event("Reconcile", kind, reason, note);
    let about: ObjectReference = machine.object_ref(&());
    if let Err(why) = ctx.events.publish(&event, &about).await {
        ctx.terminating.learn(&namespace, &why, Instant::now());
        tracing::warn!(
            controller = "Machine",
            machine = machine.name_any(),
            namespace = machine.namespace(),
            phase = phase_of(machine),
            error = said(&why),
            "the Event was not written"
        );
    }
}
