//! Writes the status of KubevirtConfigs: connected, unreachable or refused, and why; and what the cluster offers (X45, X68).
//! I/O: the supervisor.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::runtime::reflector::Store;
use kube::{Client, ResourceExt};
use model::api::{Condition, KubevirtConfig, KubevirtConfigStatus};
use model::clusters::capacity::differs;
use model::clusters::facts::facts;
use model::names::{ClusterName, OPERATOR};
use model::reason::Reason;
use runtime::clusters::{ClusterMap, DEADLINE, Entry, Scope, State, code, said};
use serde_json::{Value, json};

use crate::index::Index;
use crate::offer::Known;

/// Brings the status of one KubevirtConfig in line with its connection; false when that has to be tried again.
pub async fn report(
    client: &Client,
    scope: &Scope,
    name: &ClusterName,
    configs: &Store<KubevirtConfig>,
    clusters: &ClusterMap<Index>,
) -> bool {
    let Some(config) = configs.get(&scope.key(name)) else { return true };
    let Some(entry) = clusters.load().get(name).cloned() else { return true };
    let previous = config.status.clone().unwrap_or_default();
    let known = entry.cluster.as_ref().map(|cluster| cluster.index.offer.known()).unwrap_or_default();
    let next = status(&config, &previous, &seen(&entry), &known, Time(Timestamp::now()));
    if next == previous {
        return true;
    }
    let params = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(json!({"metadata": {"uid": config.uid()}, "status": changes(&previous, &next)}));
    let api = scope.configs(client.clone());
    let written = tokio::time::timeout(DEADLINE, api.patch_status(&name.0, &params, &patch)).await;
    let why = match written {
        Ok(Ok(_)) => return true,
        Ok(Err(why)) if code(&why) == Some(404) => return true,
        Ok(Err(why)) => said(&why),
        Err(_) => "no answer in time".to_owned(),
    };
    tracing::warn!(kubevirtConfig = %name, error = why, "the status of the KubevirtConfig was not written; it is tried again");
    false
}

/// A merge patch from one status to the next.
fn changes(previous: &KubevirtConfigStatus, next: &KubevirtConfigStatus) -> Value {
    let value = |status: &KubevirtConfigStatus| serde_json::to_value(status).unwrap_or(Value::Null);
    merge(&value(previous), value(next))
}

/// What went away becomes null: merging alone would keep it.
fn merge(before: &Value, mut after: Value) -> Value {
    if let (Some(before), Some(fields)) = (before.as_object(), after.as_object_mut()) {
        for (key, was) in before {
            let now = fields.remove(key).map_or(Value::Null, |now| merge(was, now));
            fields.insert(key.clone(), now);
        }
    }
    after
}

/// What a connection says, as data.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Pending,
    Refused(String),
    Unreachable(String),
    Connected { id: String, newest: Newest },
}

/// Whether the connection was made with the present kubeconfig, and if not, why.
#[derive(Clone, Debug, PartialEq)]
enum Newest {
    InUse,
    Refused(String),
    Failing(String),
}

fn seen(entry: &Entry<Index>) -> Seen {
    let state = entry.cluster.as_ref().map(|cluster: &Arc<_>| cluster.state.borrow().clone());
    match (state, entry.rejected.clone(), entry.failing.clone()) {
        (Some(State::Connected { id }), Some(why), _) => Seen::Connected { id, newest: Newest::Refused(why) },
        (Some(State::Connected { id }), None, Some(why)) => Seen::Connected { id, newest: Newest::Failing(why) },
        (Some(State::Connected { id }), None, None) => Seen::Connected { id, newest: Newest::InUse },
        (_, Some(why), _) => Seen::Refused(why),
        (Some(State::Unreachable(why)), None, _) => Seen::Unreachable(why),
        (Some(State::Connecting) | None, None, _) => Seen::Pending,
    }
}

/// Phase, word, status and reason of the condition, and the sentence.
type Said = (&'static str, &'static str, &'static str, Reason, String);

fn words(recorded: Option<&str>, seen: &Seen) -> Said {
    let failed = |word, reason, why: String| ("Failed", word, "False", reason, why);
    let ready = |reason, why: String| ("Ready", "Connected", "True", reason, why);
    match seen {
        Seen::Pending => {
            ("Pending", "Disconnected", "Unknown", Reason::ConnectionFailed, "not connected yet".to_owned())
        }
        Seen::Refused(why) => failed("Refused", Reason::KubeconfigInvalid, why.clone()),
        Seen::Unreachable(why) => failed("Disconnected", Reason::ConnectionFailed, why.clone()),
        Seen::Connected { id, newest } => match (recorded, newest) {
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

fn status(
    config: &KubevirtConfig,
    previous: &KubevirtConfigStatus,
    seen: &Seen,
    known: &Known,
    now: Time,
) -> KubevirtConfigStatus {
    let recorded = previous.cluster_id.clone();
    let (phase, word, ready, reason, message) = words(recorded.as_deref(), seen);
    let before = previous.conditions.iter().find(|condition| condition.type_ == "Ready" && condition.status == ready);
    let condition = Condition {
        type_: "Ready".to_owned(),
        status: ready.to_owned(),
        reason: reason.code().to_owned(),
        message: message.clone(),
        last_transition_time: before.and_then(|before| before.last_transition_time.clone()).or(Some(now.clone())),
        observed_generation: config.metadata.generation,
    };
    let connected = match seen {
        Seen::Connected { id, .. } => Some(id.clone()),
        Seen::Pending | Seen::Refused(_) | Seen::Unreachable(_) => None,
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
        (next.kubevirt_version, next.facts) = facts(before, &known.learnt);
        next.capacity = match &known.room {
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

#[cfg(test)]
#[path = "configs_tests.rs"]
mod tests;
