//! The registry of clusters as its users ask it, and KubevirtConfigs as kubectl finds them.

use std::sync::Arc;

use futures::future::BoxFuture;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use model::api::{KubevirtConfig, Machine};
use model::names::{ClusterName, KUBEVIRT_CONFIG};
use runtime::clusters::{Cluster, ClusterMap, KeyOrder, Session, Source, State, identify};
use serde_json::json;
use tests::fleet::CONFIGS_NAMESPACE;
use tests::install::kubectl;
use tokio::sync::mpsc;

use crate::fleet::shared;
use crate::machines::{Ground, LIMIT, machine, said};
use crate::table::every_row;

/// A session that watches nothing: connected is all that it is.
struct Idle;

impl Session for Idle {
    type Index = ();

    fn run(&self, _: Arc<Cluster<()>>, synced: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, String> {
        Box::pin(async move {
            synced();
            std::future::pending().await
        })
    }
}

#[tokio::test]
async fn b2_b3_b4_b23_e7_kvo33_x44_the_registry_answers_the_five_questions_of_a_client_manager() {
    let ground = Ground::new(shared().await, "registry").await;
    let supervisor = ground.supervisor.clone();
    let source = Source::start(supervisor, CONFIGS_NAMESPACE, KeyOrder::ReadWrite, |_| {}).await;
    let map = Arc::new(ClusterMap::default());
    let (changed, mut news) = mpsc::channel(16);
    tokio::spawn(runtime::clusters::run(source, Arc::new(Idle), map.clone(), changed));
    let healthy = |name: &ClusterName| {
        let entry = map.load().get(name).cloned();
        let state = entry.and_then(|entry| Some(entry.cluster?.state.borrow().clone()));
        matches!(state, Some(State::Connected { .. }))
    };
    let (east, west) = (ClusterName("east".to_owned()), ClusterName("west".to_owned()));
    let both = async {
        while !(healthy(&east) && healthy(&west)) {
            news.recv().await.expect("news of a cluster");
        }
    };
    tokio::time::timeout(LIMIT, both).await.expect("health: both are connected");

    let listed: Vec<ClusterName> = map.load().keys().cloned().collect();
    assert_eq!(listed, [east.clone(), west.clone()], "list");
    let entry = map.load()[&east].clone();
    let client = entry.cluster.as_ref().expect("the client of a config").client.clone();
    let id = identify(&client).await.expect("validate: a request that its kubeconfig allows");
    assert!(
        matches!(&*entry.cluster.expect("a cluster").state.borrow(), State::Connected { id: known } if *known == id)
    );

    ground.applied(&machine("web", Some("west"), &json!({"template": "small", "runStrategy": "Halted"}))).await;
    let stored: Machine = ground.machines().get("web").await.expect("stored");
    let of_machine = ClusterName(stored.annotations()[KUBEVIRT_CONFIG].clone());
    let (once, again) = (map.load()[&of_machine].cluster.clone(), map.load()[&of_machine].cluster.clone());
    let (once, again) = once.zip(again).expect("the client of a Machine");
    assert!(Arc::ptr_eq(&once, &again), "B3: it is the same for everybody");
}

#[tokio::test]
async fn a15_e11_configs_are_found_by_type_and_read_as_documented() {
    let ground = Ground::new(shared().await, "found").await;
    let configs: Api<KubevirtConfig> = Api::namespaced(ground.supervisor.clone(), CONFIGS_NAMESPACE);
    let typed = Patch::Merge(json!({"spec": {"hubType": "vmaas"}}));
    configs.patch("east", &PatchParams::default(), &typed).await.expect("patched");
    let plane = ground.fleet.supervisor();
    let find = async |selector: &str| {
        let args = [
            "--namespace",
            CONFIGS_NAMESPACE,
            "get",
            "kubevirtconfigs",
            "--field-selector",
            selector,
            "--output",
            "name",
        ];
        said(kubectl(plane, &args, "").await).expect("an answer").trim().to_owned()
    };
    assert_eq!(find("spec.hubType=vmaas").await, "kubevirtconfig.vitistack.io/east");
    assert_eq!(find("spec.hubType=cluster").await, "");

    let sample = json!({
        "apiVersion": "vitistack.io/v1alpha1", "kind": "KubevirtConfig",
        "metadata": {"name": "cluster-east", "namespace": CONFIGS_NAMESPACE},
        "spec": {"name": "cluster-east", "kubeconfigSecretRef": "cluster-east-kubeconfig", "endpoint": "https://cluster-east.example.com:6443"},
        "status": {"phase": "Ready", "status": "Connected"},
    });
    let args = ["create", "--dry-run=server", "--validate=strict", "--output", "json", "--filename", "-"];
    let stored = said(kubectl(plane, &args, &sample.to_string()).await).expect("taken as it is");
    let stored: serde_json::Value = serde_json::from_str(&stored).expect("JSON");
    every_row(["name", "kubeconfigSecretRef", "endpoint"], |field| {
        assert_eq!(stored["spec"][field], sample["spec"][field], "{field}");
    });
    let status = configs.get("west").await.expect("there").status.expect("a status");
    assert_eq!((status.phase.as_deref(), status.status.as_deref()), (Some("Ready"), Some("Connected")));
}
