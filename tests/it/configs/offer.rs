//! The facts and the room that admission decides with come from the cluster itself.

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use model::api::{KubevirtConfig, KubevirtConfigStatus};
use serde_json::{Value, json};

use super::shown;
use crate::fleet::fresh;
use crate::machines::resource;

fn json_of(status: &KubevirtConfigStatus, part: &str) -> Value {
    serde_json::to_value(status).expect("JSON")[part].clone()
}

fn room(status: &KubevirtConfigStatus) -> Value {
    let mut capacity = json_of(status, "capacity");
    if let Some(fields) = capacity.as_object_mut() {
        fields.remove("observedAt");
    }
    capacity
}

#[tokio::test]
async fn x45_x68_a_config_shows_the_kubevirt_and_the_room_of_its_cluster() {
    let fleet = fresh(&["east"]).await;
    let supervisor = fleet.supervisor().client().await.unwrap_or_else(|error| panic!("{error}"));
    let configs: Api<KubevirtConfig> = Api::namespaced(supervisor, tests::fleet::CONFIGS_NAMESPACE);
    let complete = |status: &KubevirtConfigStatus| {
        let facts = status.facts.as_ref();
        status.kubevirt_version.is_some() && status.capacity.is_some() && facts.is_some_and(|facts| facts.cdi.is_some())
    };
    let first = shown(&configs, "east", "complete", complete).await;
    assert_eq!(first.kubevirt_version.as_deref(), Some("v1.8.2"));
    let facts = json!({"cdi": true, "multus": true, "snapshots": false, "emulatedMachines": ["q35*", "pc-q35*"]});
    assert_eq!(json_of(&first, "facts"), facts, "X45");
    let amounts = |cpu: &str, memory: &str| json!({"cpu": cpu, "memory": memory});
    let largest = amounts("64", "256Gi");
    assert_eq!(
        room(&first),
        json!({"largestNode": largest, "allocatable": amounts("128", "512Gi"), "requested": amounts("0", "0")}),
        "X68"
    );

    let east = fleet.remotes()[0].client().await.unwrap_or_else(|error| panic!("{error}"));
    let manager = PatchParams::default();
    let kubevirts: Api<DynamicObject> =
        Api::namespaced_with(east.clone(), "kubevirt", &resource("KubeVirt", "kubevirt.io"));
    let older = json!(["q35*", "pc-i440fx*"]);
    let configuration = json!({"architectureConfiguration": {"amd64": {"emulatedMachines": older}}});
    let patch = Patch::Merge(json!({"spec": {"configuration": configuration}}));
    kubevirts.patch("kubevirt", &manager, &patch).await.expect("KubeVirt is changed");
    let wanted = |status: &KubevirtConfigStatus| json_of(status, "facts")["emulatedMachines"] == older;
    shown(&configs, "east", "X45: other machine types", wanted).await;

    let resources = json!({"requests": {"cpu": "6", "memory": "10Gi"}});
    let pod = json!({"metadata": {"name": "guest"}, "spec": {"nodeName": "node-1", "containers": [{"name": "compute", "image": "none", "resources": resources}]}});
    let pods: Api<Pod> = Api::namespaced(east.clone(), "default");
    pods.create(&Default::default(), &serde_json::from_value(pod).expect("a Pod")).await.expect("a pod");
    let nodes: Api<Node> = Api::all(east);
    nodes.cordon("node-3").await.expect("cordoned");
    let want = json!({"largestNode": amounts("32", "128Gi"), "allocatable": amounts("64", "256Gi"), "requested": amounts("6", "10Gi")});
    shown(&configs, "east", "X68: a pod more and a node less", |status| room(status) == want).await;
}
