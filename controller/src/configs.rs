//! Writes the status of KubevirtConfigs, which `model::clusters::status` decides. I/O: the supervisor.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::Patch;
use kube::runtime::reflector::Store;
use kube::{Client, ResourceExt};
use model::api::KubevirtConfig;
use model::clusters::status::status;
use model::merge::changes;
use model::names::ClusterName;
use runtime::clusters::{ClusterMap, DEADLINE, Scope, code, said};
use serde_json::json;

use crate::objects::patch_params;
use crate::session::ClusterIndex;

/// Brings the status of one KubevirtConfig in line with its connection; false when that has to be tried again.
pub async fn write_status(
    client: &Client,
    scope: &Scope,
    name: &ClusterName,
    configs: &Store<KubevirtConfig>,
    clusters: &ClusterMap<ClusterIndex>,
) -> bool {
    let Some(config) = configs.get(&scope.key(name)) else { return true };
    let Some(entry) = clusters.load().get(name).cloned() else { return true };
    let previous = config.status.clone().unwrap_or_default();
    let offered = entry.cluster.as_ref().map(|cluster| cluster.index.offer.known()).unwrap_or_default();
    let next = status(&config, &previous, &entry.view(), &offered, Time(Timestamp::now()));
    if next == previous {
        return true;
    }
    let patch = Patch::Merge(json!({"metadata": {"uid": config.uid()}, "status": changes(&previous, &next)}));
    let api = scope.configs(client.clone());
    let written = tokio::time::timeout(DEADLINE, api.patch_status(&name.0, &patch_params(), &patch)).await;
    let why = match written {
        Ok(Ok(_)) => return true,
        Ok(Err(why)) if code(&why) == Some(404) => return true,
        Ok(Err(why)) => said(&why),
        Err(_) => "no answer in time".to_owned(),
    };
    tracing::warn!(kubevirtConfig = %name, error = why, "the status of the KubevirtConfig was not written; it is tried again");
    false
}
