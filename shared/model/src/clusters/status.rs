//! The status of a KubevirtConfig: how its connection is and why, what the cluster offers (X45, X68), and what stands against
//! deleting it (R5). Pure.

mod conditions;
mod drain;
mod seen;

use std::borrow::Cow;
use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use self::conditions::{Aspect, DELETION_BLOCKED, PLATFORM_READY, aspects};
use self::drain::drained;
pub use self::drain::is_draining;
pub use self::seen::{Left, Offered, Seen};
use super::View;
use super::capability::{CLUSTERS, VIRTUAL_MACHINES, capabilities};
use super::capacity::differs;
use super::facts::facts;
use crate::api::{KubevirtConfig, KubevirtConfigStatus};
use crate::platform::status::{self as platform, told};
use crate::reason::{Reason, Severity};

/// The status that follows from what was seen.
///
/// Guarantees: when nothing changed the result equals `previous`, times included; the identity of first contact stays; what
/// is not known, such as whether a cluster answers before it was asked, leaves what was said before.
pub fn status(
    config: &KubevirtConfig,
    previous: &KubevirtConfigStatus,
    seen: &Seen,
    now: Time,
) -> KubevirtConfigStatus {
    let recorded = previous.cluster_id.clone();
    let (ready, mut others) = aspects(config, previous, seen, &now);
    others.extend(drained(config, previous, seen));
    let Summary { phase, word, message } = summarize(config, &ready, &others);
    let connected = match &seen.view {
        View::Connected { id, .. } => Some(id.clone()),
        View::Connecting | View::Refused { .. } | View::Unreachable(_) | View::Unserved(_) => None,
    };
    let mut next = KubevirtConfigStatus {
        phase: Some(phase.to_owned()),
        status: Some(word.to_owned()),
        message: Some(message),
        name: Some(config.spec.name.clone()),
        conditions: std::iter::once(ready)
            .chain(others)
            .map(|aspect| aspect.into_condition(config, previous, &now))
            .collect(),
        observed_generation: config.metadata.generation,
        cluster_id: recorded.or(connected.clone()),
        capabilities: words(config),
        machines: seen.machines.map(|count| i64::try_from(count).unwrap_or(i64::MAX)).or(previous.machines),
        platform: match &seen.platform {
            Some(passed) => told(passed, previous.platform.as_ref(), &now),
            None => previous.platform.clone(),
        },
        ..previous.clone()
    };
    // Of a cluster that is not the recorded one, nothing is told.
    if connected.is_some() && connected == next.cluster_id {
        let before = (previous.kubevirt_version.as_deref(), previous.facts.as_ref());
        (next.kubevirt_version, next.facts) = facts(before, &seen.offered.learnt);
        next.capacity = match &seen.offered.room {
            Some(None) => None,
            Some(Some(room)) if differs(previous.capacity.as_ref(), room) => Some(room.clone()),
            None | Some(Some(_)) => previous.capacity.clone(),
        };
    }
    if next != *previous {
        let later =
            seen.contact.clone().filter(|time| previous.last_contact.as_ref().is_none_or(|known| known.0 < time.0));
        next.last_contact = connected.map(|_| now).or(later).or(next.last_contact);
    }
    next
}

/// What changed for people: a reason for an Event, and its sentence. The first status is news only if something is wrong. What
/// changed of the platform baseline comes last.
pub fn news<'s>(
    previous: &KubevirtConfigStatus,
    next: &'s KubevirtConfigStatus,
) -> impl Iterator<Item = (Reason, Cow<'s, str>)> {
    let of_platform = platform::news(previous.platform.as_ref(), next.platform.as_ref());
    let previous = previous.conditions.clone();
    let mut told = BTreeSet::new();
    let conditions =
        next.conditions.iter().filter(|condition| condition.status != "Unknown").filter_map(move |condition| {
            let before = previous.iter().find(|before| before.type_ == condition.type_);
            let same = before.is_some_and(|it| it.status == condition.status && it.reason == condition.reason);
            let reason = conditions::reason(&condition.reason)?;
            let news = !same
                && !platform::is_told_by_assets(reason)
                && (before.is_some() || reason.severity() == Severity::Warning);
            (news && told.insert(reason)).then_some((reason, Cow::Borrowed(condition.message.as_str())))
        });
    conditions.chain(of_platform.into_iter().map(|(reason, sentence)| (reason, Cow::Owned(sentence))))
}

/// What may be placed on the cluster, in the words of the spec.
fn words(config: &KubevirtConfig) -> Vec<String> {
    let can = capabilities(&config.spec);
    let words = [(can.clusters, CLUSTERS), (can.virtualmachines, VIRTUAL_MACHINES)];
    words.into_iter().filter(|(can, _)| *can).map(|(_, word)| word.to_owned()).collect()
}

/// All of it in a word, a word for the connection, and the sentence that matters most.
struct Summary {
    phase: &'static str,
    word: &'static str,
    message: String,
}

fn summarize(config: &KubevirtConfig, ready: &Aspect, others: &[Aspect]) -> Summary {
    // The baseline has a column of its own, and Machines work without it.
    let of_cluster = |aspect: &&Aspect| aspect.type_ != PLATFORM_READY;
    let wrong = others.iter().filter(of_cluster).find(|aspect| aspect.reason.severity() == Severity::Warning);
    let blocked = others.iter().find(|aspect| aspect.type_ == DELETION_BLOCKED);
    let (phase, word) = match (ready.status, ready.reason) {
        ("True", _) if others.iter().any(Aspect::degrades) => ("Degraded", "Connected"),
        ("True", _) => ("Ready", "Connected"),
        ("False", Reason::KubeconfigInvalid | Reason::ClusterChanged) => ("Failed", "Refused"),
        ("False", _) => ("Failed", "Disconnected"),
        _ => ("Pending", "Disconnected"),
    };
    let phase = if config.metadata.deletion_timestamp.is_some() { "Terminating" } else { phase };
    let first = blocked.or(Some(ready).filter(|ready| ready.status != "True")).or(wrong).unwrap_or(ready);
    Summary { phase, word, message: first.message.clone() }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
