//! What stands on a cluster before anything runs there: its Nodes, and the KubeVirt object with the version in its status.
//! I/O: creates what is absent, at start. What exists stays as it is: tests cordon nodes and change KubeVirt's settings.

use super::Role;
use super::node::NODES;
use k8s_openapi::api::core::v1::{Namespace, Node};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use std::time::Duration;

/// The version that the KubeVirt object shows.
const VERSION: &str = "v1.8.2";

/// Creates what the parts that are played bring along; tries until the API server lets it.
pub(super) async fn set_up(client: &Client, roles: &[Role]) {
    let mut said = false;
    loop {
        let done = async {
            if roles.contains(&Role::Controller) {
                match kubevirt(client).await {
                    // A cluster without KubeVirt's definitions.
                    Err(kube::Error::Api(answer)) if answer.code == 404 => {}
                    made => made?,
                }
            }
            if roles.contains(&Role::Node) {
                nodes(client).await?;
            }
            Ok::<_, kube::Error>(())
        };
        match tokio::time::timeout(Duration::from_secs(10), done).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) if !std::mem::replace(&mut said, true) => {
                tracing::warn!(%error, "nodes and KubeVirt are not there yet, trying until they are");
            }
            Ok(Err(_)) | Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn kubevirt(client: &Client) -> kube::Result<()> {
    let namespace = serde_json::from_value::<Namespace>(json!({"metadata": {"name": "kubevirt"}}));
    create(&Api::all(client.clone()), namespace.map_err(kube::Error::SerdeError)?, &Value::Null).await?;
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("kubevirt.io", "v1", "KubeVirt"));
    let object =
        json!({"apiVersion": "kubevirt.io/v1", "kind": "KubeVirt", "metadata": {"name": "kubevirt"}, "spec": {}});
    let object: DynamicObject = serde_json::from_value(object).map_err(kube::Error::SerdeError)?;
    let status = json!({"phase": "Deployed", "observedKubeVirtVersion": VERSION, "targetKubeVirtVersion": VERSION, "operatorVersion": VERSION});
    create(&Api::namespaced_with(client.clone(), "kubevirt", &resource), object, &status).await
}

/// The last one is the largest.
async fn nodes(client: &Client) -> kube::Result<()> {
    for number in 1..=NODES {
        let (cpu, memory) = if number == NODES { ("64", "256Gi") } else { ("32", "128Gi") };
        let node = json!({
            "metadata": {"name": format!("node-{number}"), "labels": {"kubernetes.io/os": "linux", "kubevirt.io/schedulable": "true"}},
        });
        let node: Node = serde_json::from_value(node).map_err(kube::Error::SerdeError)?;
        let room = json!({"cpu": cpu, "memory": memory, "pods": "110"});
        let now = super::objects::stamp(Timestamp::now());
        let ready = json!({"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": now, "lastTransitionTime": now});
        let status = json!({"capacity": room, "allocatable": room, "conditions": [ready]});
        create(&Api::all(client.clone()), node, &status).await?;
    }
    Ok(())
}

/// Creates an object and, unless it is null, its status. One that exists without a status gets it, too: an earlier try may
/// have ended in between.
async fn create<K>(api: &Api<K>, object: K, status: &Value) -> kube::Result<()>
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned,
{
    let name = object.name_any();
    let there = match api.create(&PostParams::default(), &object).await {
        Ok(made) => made,
        Err(kube::Error::Api(answer)) if answer.code == 409 => api.get(&name).await?,
        Err(error) => return Err(error),
    };
    let shown = serde_json::to_value(&there).map_err(kube::Error::SerdeError)?;
    let bare = ["/status/allocatable", "/status/observedKubeVirtVersion"].iter().all(|at| shown.pointer(at).is_none());
    if bare && !status.is_null() {
        let patch = Patch::Merge(json!({"status": status}));
        api.patch_status(&name, &PatchParams::default(), &patch).await?;
    }
    Ok(())
}
