//! Writes the status of KubevirtConfigs: connected, unreachable or refused, and why. I/O: the supervisor.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Client, ResourceExt};
use model::api::{Condition, KubevirtConfig, KubevirtConfigStatus};
use model::names::{ClusterName, OPERATOR};
use model::reason::Reason;
use runtime::clusters::{ClusterMap, DEADLINE, Entry, State, said};
use serde_json::json;

use crate::index::Index;

/// Brings the status of one KubevirtConfig in line with its connection; false when that has to be tried again.
pub async fn report(
    client: &Client,
    namespace: &str,
    name: &ClusterName,
    configs: &Store<KubevirtConfig>,
    clusters: &ClusterMap<Index>,
) -> bool {
    let Some(config) = configs.get(&ObjectRef::new(&name.0).within(namespace)) else { return true };
    let Some(entry) = clusters.load().get(name).cloned() else { return true };
    let previous = config.status.clone().unwrap_or_default();
    let next = status(&config, &previous, &seen(&entry), Time(Timestamp::now()));
    if next == previous {
        return true;
    }
    let api: Api<KubevirtConfig> = Api::namespaced(client.clone(), namespace);
    let params = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(json!({"metadata": {"uid": config.uid()}, "status": next}));
    let written = tokio::time::timeout(DEADLINE, api.patch_status(&name.0, &params, &patch)).await;
    let why = match written {
        Ok(Ok(_)) => return true,
        Ok(Err(kube::Error::Api(answer))) if answer.code == 404 => return true,
        Ok(Err(why)) => said(&why),
        Err(_) => "no answer in time".to_owned(),
    };
    tracing::warn!(kubevirtConfig = %name, error = why, "the status of the KubevirtConfig was not written; it is tried again");
    false
}

/// What a connection says, as data.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Pending,
    Refused(String),
    Unreachable(String),
    Connected { id: String, rejected: Option<String> },
}

fn seen(entry: &Entry<Index>) -> Seen {
    let state = entry.cluster.as_ref().map(|cluster: &Arc<_>| cluster.state.borrow().clone());
    match (state, entry.rejected.clone()) {
        (Some(State::Connected { id }), rejected) => Seen::Connected { id, rejected },
        (_, Some(why)) => Seen::Refused(why),
        (Some(State::Unreachable(why)), None) => Seen::Unreachable(why),
        (Some(State::Connecting) | None, None) => Seen::Pending,
    }
}

fn status(config: &KubevirtConfig, previous: &KubevirtConfigStatus, seen: &Seen, now: Time) -> KubevirtConfigStatus {
    let recorded = previous.cluster_id.clone();
    let (phase, word, ready, reason, message) = match seen {
        Seen::Pending => {
            ("Pending", "Disconnected", "Unknown", Reason::ConnectionFailed, "not connected yet".to_owned())
        }
        Seen::Refused(why) => ("Failed", "Refused", "False", Reason::KubeconfigInvalid, why.clone()),
        Seen::Unreachable(why) => ("Failed", "Disconnected", "False", Reason::ConnectionFailed, why.clone()),
        Seen::Connected { id, .. } if recorded.as_ref().is_some_and(|recorded| recorded != id) => {
            let why = format!(
                "the kubeconfig leads to cluster {id}, but {} is recorded: nothing is written there until it is corrected",
                recorded.clone().unwrap_or_default()
            );
            ("Failed", "Refused", "False", Reason::ConnectionFailed, why)
        }
        Seen::Connected { rejected: Some(why), .. } => (
            "Ready",
            "Connected",
            "True",
            Reason::KubeconfigInvalid,
            format!("an earlier kubeconfig is still in use; the present one is refused: {why}"),
        ),
        Seen::Connected { rejected: None, .. } => {
            ("Ready", "Connected", "True", Reason::ConfigConnected, "the cluster answers".to_owned())
        }
    };
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
    if next != *previous && connected.is_some() {
        next.last_contact = Some(now);
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_says_why_it_cannot_be_used_and_keeps_the_identity_of_first_contact() {
        let config = KubevirtConfig::new("east", Default::default());
        let now = || Time(Timestamp::UNIX_EPOCH);
        let fresh = KubevirtConfigStatus::default();
        let connected = |id: &str| Seen::Connected { id: id.to_owned(), rejected: None };
        let known = KubevirtConfigStatus { cluster_id: Some("one".to_owned()), ..fresh.clone() };
        #[rustfmt::skip]
        let cases = [
            ("no kubeconfig",       &fresh, Seen::Refused("no key".to_owned()),   "Failed",  "KubeconfigInvalid", "no key",    None),
            ("down",                &known, Seen::Unreachable("refused".to_owned()), "Failed", "ConnectionFailed", "refused",   Some("one")),
            ("first contact",       &fresh, connected("one"),                     "Ready",   "Connected",         "answers",   Some("one")),
            ("another cluster",     &known, connected("two"),                     "Failed",  "ConnectionFailed",  "cluster two, but one is recorded", Some("one")),
            ("bad new kubeconfig",  &known, Seen::Connected { id: "one".to_owned(), rejected: Some("exec".to_owned()) }, "Ready", "KubeconfigInvalid", "refused: exec", Some("one")),
            ("not tried yet",       &fresh, Seen::Pending,                        "Pending", "ConnectionFailed",  "not connected yet", None),
        ];
        for (name, previous, seen, phase, reason, says, id) in cases {
            let next = status(&config, previous, &seen, now());
            assert_eq!(next.phase.as_deref(), Some(phase), "{name}");
            assert_eq!(next.conditions[0].reason, reason, "{name}");
            assert!(next.message.as_deref().unwrap_or_default().contains(says), "{name}: {:?}", next.message);
            assert_eq!(next.cluster_id.as_deref(), id, "{name}");
            assert_eq!(
                status(&config, &next, &seen, Time(Timestamp::MAX)),
                next,
                "{name}: nothing changed, so nothing is written"
            );
        }
    }
}
