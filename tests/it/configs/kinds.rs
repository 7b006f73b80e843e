//! A cluster that loses its kinds, and gets them back.

use std::time::{Duration, Instant};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::runtime::wait::{await_condition, conditions};
use model::api::{KubevirtConfig, KubevirtConfigStatus};
use serde_json::json;
use tests::fleet::CONFIGS_NAMESPACE;
use tests::install::apply;
use tests::remote_crds;

use super::{condition, says, shown};
use crate::fleet::fresh;
use crate::machines::{self, Ground, LIMIT, machine};

#[tokio::test]
async fn r18_a_cluster_without_virtual_machines_as_a_kind_is_degraded_and_comes_back() {
    let fleet = fresh(&["east", "west"]).await;
    let ground = Ground::new(&fleet, "default").await;
    let configs: Api<KubevirtConfig> = Api::namespaced(ground.supervisor.clone(), CONFIGS_NAMESPACE);
    let up = shown(&configs, "east", "Ready", |status| status.phase.as_deref() == Some("Ready")).await;
    let east = &fleet.remotes()[0];
    let client = east.client().await.unwrap_or_else(|error| panic!("{error}"));
    let definitions: Api<CustomResourceDefinition> = Api::all(client);
    let kind = "virtualmachines.kubevirt.io";
    let before = definitions.get(kind).await.expect("there").metadata.uid.expect("a UID");
    definitions.delete(kind, &Default::default()).await.expect("deleted");
    let gone = await_condition(definitions, kind, conditions::is_deleted(&before));
    tokio::time::timeout(LIMIT, gone).await.expect("in time").expect("a watch");

    let sentence = "the cluster does not have what was asked for: list and watch /apis/kubevirt.io/v1/virtualmachines";
    let failed = says(&configs, "east", sentence).await;
    assert_eq!(
        (failed.phase.as_deref(), condition(&failed, "Ready").as_str()),
        (Some("Failed"), "False/UnsupportedAPI")
    );
    assert_eq!(failed.cluster_id, up.cluster_id);
    let contact = |status: &KubevirtConfigStatus| status.last_contact.as_ref().map(|time| time.0);
    assert!(contact(&failed) >= contact(&up), "when it was lost: {failed:?}");
    ground.applied(&machine("waits", Some("east"), &json!({"template": "small"}))).await;
    let waits = ground
        .until("waits", "unreachable", |machine| {
            machines::condition(machine, "ClusterReachable") == "False/ClusterUnreachable"
        })
        .await;
    let says_of_vm = machines::condition(&waits, "VirtualMachineReady");
    assert_eq!(says_of_vm, "Unknown/ClusterUnreachable", "a VM of an unknown kind is not an absent VM");
    ground.applied(&machine("unhurt", Some("west"), &json!({"template": "small"}))).await;
    ground.running("unhurt").await;

    let manifests = tokio::task::spawn_blocking(remote_crds::manifests).await.expect("a task");
    let again = Instant::now();
    apply(east, &manifests.expect("manifests")).await.unwrap_or_else(|error| panic!("{error}"));
    says(&configs, "east", "the cluster answers").await;
    assert!(again.elapsed() <= Duration::from_secs(60), "only after {:?}", again.elapsed());
    ground.running("waits").await;
    for name in ["controller", "webhook"] {
        let component = fleet.component(name).unwrap_or_else(|error| panic!("{error}"));
        assert!(fleet.is_running(&component), "{name}: no restart");
    }
}
