//! KubevirtConfigs on a real fleet: what their status says about the Secret, the connection and the cluster.

mod held;
mod hub;
mod kinds;
mod offer;
mod registry;
mod scope;
mod secrets;
mod twins;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client};
use model::api::{KubevirtConfig, KubevirtConfigStatus};
use serde_json::{Value, json};

use crate::machines::LIMIT;

/// Waits until the status of a KubevirtConfig is as wanted.
async fn shown(
    configs: &Api<KubevirtConfig>,
    name: &str,
    what: &str,
    wanted: impl Fn(&KubevirtConfigStatus) -> bool,
) -> KubevirtConfigStatus {
    let there = await_condition(configs.clone(), name, |config: Option<&KubevirtConfig>| {
        config.and_then(|config| config.status.as_ref()).is_some_and(&wanted)
    });
    match tokio::time::timeout(LIMIT, there).await {
        Ok(Ok(Some(config))) => config.status.expect("a status, as was waited for"),
        other => panic!(
            "{name} until {what}: {:?}: {:#?}",
            other.is_ok(),
            configs.get_opt(name).await.map(|it| it.map(|it| it.status))
        ),
    }
}

/// Waits for a part of the message, or of that of the condition `Ready`.
pub(crate) async fn says(configs: &Api<KubevirtConfig>, name: &str, part: &str) -> KubevirtConfigStatus {
    shown(configs, name, part, |status| {
        let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
        let said = [status.message.as_deref(), ready.map(|ready| ready.message.as_str())];
        said.into_iter().flatten().any(|message| message.contains(part))
    })
    .await
}

/// Writes a Secret, taking the place of what it held.
pub(crate) async fn keep(client: &Client, namespace: &str, name: &str, key: &str, document: &str) {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {key: document}});
    let manager = PatchParams::apply("test").force();
    secrets.patch(name, &manager, &Patch::Apply(secret)).await.unwrap_or_else(|error| panic!("{error}"));
}

/// Status and reason of a condition.
pub(crate) fn condition(status: &KubevirtConfigStatus, kind: &str) -> String {
    let found = status.conditions.iter().find(|it| it.type_ == kind);
    found.map(|it| format!("{}/{}", it.status, it.reason)).unwrap_or_default()
}

fn config(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "vitistack.io/v1alpha1", "kind": "KubevirtConfig", "metadata": {"name": name}, "spec": spec})
}

pub(crate) async fn create(configs: &Api<KubevirtConfig>, name: &str, spec: &Value) {
    let object = serde_json::from_value(config(name, spec)).expect("a KubevirtConfig");
    configs.create(&Default::default(), &object).await.unwrap_or_else(|error| panic!("{name}: {error}"));
}
