//! The status of a KubevirtConfig: connected, unreachable or refused, and why; and what the cluster offers (X45, X68). Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::capacity::differs;
use super::facts::{Learnt, facts};
use super::{Newest, View};
use crate::api::config::Capacity;
use crate::api::{Condition, KubevirtConfig, KubevirtConfigStatus};
use crate::reason::Reason;

/// What is known of a cluster beside our objects there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Offered {
    /// Facts.
    pub learnt: Learnt,
    /// Its room; `Some(None)` when we may not see its nodes and pods.
    pub room: Option<Option<Capacity>>,
}

/// The status that follows from a connection and what was learnt through it.
///
/// Guarantees: when nothing changed the result equals `previous`, times included; the identity of first contact stays.
pub fn status(
    config: &KubevirtConfig,
    previous: &KubevirtConfigStatus,
    view: &View,
    offered: &Offered,
    now: Time,
) -> KubevirtConfigStatus {
    let recorded = previous.cluster_id.clone();
    // After a restart of ours, what was shown counts until there is an answer or none.
    if *view == View::Connecting && recorded.is_some() {
        return previous.clone();
    }
    let Summary { phase, word, ready, reason, message } = summarize(recorded.as_deref(), view);
    let before = previous.conditions.iter().find(|condition| condition.type_ == "Ready" && condition.status == ready);
    let condition = Condition {
        type_: "Ready".to_owned(),
        status: ready.to_owned(),
        reason: reason.code().to_owned(),
        message: message.clone(),
        last_transition_time: before.and_then(|before| before.last_transition_time.clone()).or(Some(now.clone())),
        observed_generation: config.metadata.generation,
    };
    let connected = match view {
        View::Connected { id, .. } => Some(id.clone()),
        View::Connecting | View::Refused { .. } | View::Unreachable(_) => None,
    };
    let mut next = KubevirtConfigStatus {
        phase: Some(phase.to_owned()),
        status: Some(word.to_owned()),
        message: Some(message),
        name: Some(config.spec.name.clone()),
        conditions: vec![condition],
        observed_generation: config.metadata.generation,
        cluster_id: recorded.or(connected.clone()),
        ..previous.clone()
    };
    // Of a cluster that is not the recorded one, nothing is told.
    if connected.is_some() && connected == next.cluster_id {
        let before = (previous.kubevirt_version.as_deref(), previous.facts.as_ref());
        (next.kubevirt_version, next.facts) = facts(before, &offered.learnt);
        next.capacity = match &offered.room {
            Some(None) => None,
            Some(Some(room)) if differs(previous.capacity.as_ref(), room) => Some(room.clone()),
            None | Some(Some(_)) => previous.capacity.clone(),
        };
    }
    if next != *previous && connected.is_some() {
        next.last_contact = Some(now);
    }
    next
}

/// The connection in words.
struct Summary {
    phase: &'static str,
    word: &'static str,
    /// Status of the condition.
    ready: &'static str,
    reason: Reason,
    message: String,
}

fn summarize(recorded: Option<&str>, view: &View) -> Summary {
    let failed = |word, reason, message| Summary { phase: "Failed", word, ready: "False", reason, message };
    let ready = |reason, message| Summary { phase: "Ready", word: "Connected", ready: "True", reason, message };
    match view {
        View::Connecting => Summary {
            phase: "Pending",
            word: "Disconnected",
            ready: "Unknown",
            reason: Reason::ConnectionFailed,
            message: "not connected yet".to_owned(),
        },
        View::Refused { why, .. } => failed("Refused", Reason::KubeconfigInvalid, why.clone()),
        View::Unreachable(why) => failed("Disconnected", Reason::ConnectionFailed, why.clone()),
        View::Connected { id, newest } => match (recorded, newest) {
            (Some(recorded), _) if recorded != id => failed(
                "Refused",
                Reason::ConnectionFailed,
                format!(
                    "the kubeconfig leads to cluster {id}, but {recorded} is recorded: nothing is written there until it is corrected"
                ),
            ),
            (_, Newest::InUse) => ready(Reason::ConfigConnected, "the cluster answers".to_owned()),
            (_, Newest::Refused(why)) => ready(
                Reason::KubeconfigInvalid,
                format!("an earlier kubeconfig is still in use; the present one is refused: {why}"),
            ),
            (_, Newest::Failing(why)) => ready(
                Reason::ConnectionFailed,
                format!("an earlier kubeconfig is still in use; the present one does not connect: {why}"),
            ),
        },
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
