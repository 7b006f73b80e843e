//! What a Machine shows of itself. Pure: computed from what was seen, never accumulated. C10, C21, C26, C51 to C53, X18, X19,
//! X71, X75, I6; regressions KVO14, KVO15, KVO16, KVO18.

mod applied;
mod conditions;
mod mirror;
mod phase;

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde_json::{Value, json};

use self::conditions::Truth::{False, True, Unknown};
use self::conditions::{
    Statement, describe_cluster, describe_network, describe_storage, describe_vm, replace_conditions,
};
use self::mirror::{mirror, resolved};
use super::intent::{Admitted, Intent, Leaving};
use super::observed::{Observed, Remote};
use super::write::Failure;
use super::{cleanup, restart};
use crate::api::{self, MachineStatus};
use crate::merge::changes;
use crate::reason::{Condition, Reason, ShownIn};
use crate::text::line;

/// How old a status gets before a change that nobody waits for is written; and while the Machine comes or goes, when what is being
/// waited for changes all the time.
pub const SETTLING: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

/// The status that follows from what was seen. `failure` is the write that stopped this pass.
///
/// Guarantees: when nothing changed the result equals `previous`, times included, so that no write is needed; a failure is
/// shown exactly as long as it lasts.
pub fn status(
    previous: &MachineStatus,
    intent: &Intent,
    seen: &Observed,
    failure: Option<&Failure>,
    now: Time,
) -> MachineStatus {
    let mut next = begun(previous, intent, now.clone());
    let recorded = intent.identity().is_some_and(|identity| identity.cluster_id.is_some());
    if seen.remote == Remote::Connecting && recorded && failure.is_none() {
        return previous.clone();
    }
    let said = match intent {
        Intent::Foreign => return previous.clone(),
        Intent::Undecided(_, reason, why) => {
            next.phase = Some(if *reason == Reason::NotAdmitted { "Pending" } else { "Failed" }.to_owned());
            let why = failure.map_or(why, |failure| &failure.message);
            vec![Statement::new(Condition::Ready, False, *reason, why.as_str())]
        }
        Intent::Run(admitted) => run(&mut next, admitted, seen, failure),
        Intent::Leave(leaving) => leave(&mut next, leaving, seen, failure),
    };
    replace_conditions(&mut next, previous, &said, &now);
    summarize(&mut next);
    let mut unchanged = next.clone();
    unchanged.last_updated.clone_from(&previous.last_updated);
    unchanged.resource_version.clone_from(&previous.resource_version);
    if unchanged == *previous { unchanged } else { next }
}

/// The write from one status to the next, of a Machine as it was read. Whoever read it before others changed it or its status has
/// to look again: what he says may be about an older generation than what is shown already (I6).
pub fn change(read: &ObjectMeta, previous: &MachineStatus, next: &MachineStatus) -> Value {
    let ObjectMeta { uid, resource_version, .. } = read;
    json!({"metadata": {"uid": uid, "resourceVersion": resource_version}, "status": changes(previous, next)})
}

/// How long a change may still wait for others, so that a burst of small ones costs one write; zero when it may not.
///
/// What people and scripts wait for is written at once: the phase, whether the Machine is ready, and that an edit was seen (FR16). The rest, such as what
/// is being waited for, follows within [`SETTLING`].
pub fn patience(previous: &MachineStatus, next: &MachineStatus, now: &Time) -> Duration {
    let ready = |status| find_ready(status).map(|ready| &ready.status);
    let first = previous.conditions.is_empty() && previous.kubevirt_config_ref.is_none();
    let edited = previous.observed_generation != next.observed_generation;
    if first || edited || previous.phase != next.phase || (ready(previous) != ready(next) && ready(previous).is_some())
    {
        return Duration::ZERO;
    }
    let moving = matches!(next.phase.as_deref(), Some("Pending" | "Creating" | "Terminating"));
    let settling = SETTLING[usize::from(moving)];
    let Some(written) = &previous.last_updated else { return Duration::ZERO };
    let age = now.0.duration_since(written.0);
    Duration::try_from(age).map_or(Duration::ZERO, |age| settling.saturating_sub(age))
}

/// The reason of `Ready` and its sentence, if it is another reason than before: that is worth an Event.
pub fn transition<'s>(previous: &MachineStatus, next: &'s MachineStatus) -> Option<(Reason, &'s str)> {
    let now = find_ready(next)?;
    let same = find_ready(previous).is_some_and(|before| before.reason == now.reason);
    let reason =
        Reason::ALL.iter().find(|it| matches!(it.shown_in(), ShownIn::Machine(_)) && it.code() == now.reason)?;
    (!same).then_some((*reason, now.message.as_str()))
}

/// What of a status is still written when the supervisor refuses the whole of it, with this sentence: phase, summary and
/// conditions. `Ready` says that the rest is missing.
pub fn without_mirror(previous: &MachineStatus, next: &MachineStatus, why: &str) -> MachineStatus {
    let mut short = MachineStatus {
        phase: next.phase.clone(),
        conditions: next.conditions.clone(),
        observed_generation: next.observed_generation,
        ..previous.clone()
    };
    for ready in short.conditions.iter_mut().filter(|condition| condition.type_ == Condition::Ready.name()) {
        ready.message = format!("{}; the supervisor refuses the rest of the status: {}", ready.message, line(why, 512));
    }
    summarize(&mut short);
    short
}

fn find_ready(status: &MachineStatus) -> Option<&api::Condition> {
    status.conditions.iter().find(|condition| condition.type_ == Condition::Ready.name())
}

/// The previous status, with what every later one starts from.
pub(super) fn begun(previous: &MachineStatus, intent: &Intent, now: Time) -> MachineStatus {
    let mut next = previous.clone();
    if let Some(identity) = intent.identity() {
        next.observed_generation = Some(identity.generation);
        if matches!(intent, Intent::Run(_)) {
            next.vm_name = Some(identity.vm.name.clone());
        }
    }
    if let Intent::Run(admitted) = intent {
        next.resolved = Some(resolved(&admitted.sizing));
    }
    next.last_updated = Some(now);
    next
}

fn run(next: &mut MachineStatus, admitted: &Admitted, seen: &Observed, failure: Option<&Failure>) -> Vec<Statement> {
    let mut cluster = describe_cluster(&admitted.cluster.0, admitted.identity.cluster_id.as_deref(), seen);
    if matches!(seen.remote, Remote::Unreachable(_)) {
        cluster.why.push_str(": nothing is changed there until it is, and its KubevirtConfig says what to do");
    }
    let mut said = Vec::new();
    if cluster.truth != True {
        // Before anything was made there is nothing that could be as it should be (X95).
        let made = admitted.identity.cluster_id.is_some();
        said.push(Statement::new(Condition::Ready, if made { Unknown } else { False }, cluster.reason, &*cluster.why));
        for unknown in [Condition::VirtualMachineReady, Condition::StorageReady, Condition::NetworkReady] {
            said.push(Statement::new(unknown, Unknown, cluster.reason, cluster.why.as_str()));
        }
        said.push(cluster);
        next.phase.get_or_insert_with(|| "Pending".to_owned());
        return said;
    }
    said.push(cluster);
    let storage = describe_storage(admitted, seen, failure);
    let vm = describe_vm(admitted, seen, failure);
    let (phase, ready) = phase::derive(admitted, seen, &storage, &vm, failure);
    next.phase = Some(phase.to_owned());
    said.push(ready);
    said.push(describe_network(admitted, seen, failure));
    said.push(storage);
    said.push(vm);
    if let Some(why) = seen.vm.as_ref().and_then(restart::waiting) {
        said.push(Statement::new(Condition::RestartRequired, True, Reason::RestartPending, why));
    }
    said.extend(applied::describe(admitted, seen, failure));
    mirror(next, admitted, seen);
    said
}

fn leave(next: &mut MachineStatus, leaving: &Leaving, seen: &Observed, failure: Option<&Failure>) -> Vec<Statement> {
    next.phase = Some("Terminating".to_owned());
    let name = leaving.cluster.as_ref().map(|cluster| cluster.0.as_str()).unwrap_or_default();
    let cluster = describe_cluster(name, leaving.identity.cluster_id.as_deref(), seen);
    let (reason, why) = match failure {
        Some(failure) => (failure.reason, failure.message.clone()),
        None if leaving.cluster.is_some() && cluster.truth != True => {
            (cluster.reason, format!("deletion waits: {}: {}", cluster.why, cleanup::way_out(leaving)))
        }
        None => (Reason::Terminating, cleanup::waiting_for(leaving, seen)),
    };
    vec![Statement::new(Condition::Ready, False, reason, why), cluster]
}

/// The published fields that repeat the summary.
fn summarize(next: &mut MachineStatus) {
    let ready = find_ready(next).cloned();
    next.message = ready.as_ref().map(|ready| ready.message.clone());
    let failed = ready.filter(|_| next.phase.as_deref() == Some("Failed"));
    (next.failure_reason, next.failure_message) = failed.map(|ready| (ready.reason, ready.message)).unzip();
}
