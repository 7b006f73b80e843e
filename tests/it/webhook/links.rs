//! The webhook's own connections to the clusters, and life without them.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::{Api, ResourceExt};
use model::api::Machine;
use model::names::KUBEVIRT_CONFIG;
use serde_json::json;
use tests::fleet::{CONFIGS_NAMESPACE, Component, Endpoint, Fleet, WEBHOOK_ACCOUNT, user};
use tests::install::{apply, kubectl};
use tests::probe;
use tests::process::Stop;
use tests::wait::eventually;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::fleet::{fresh, with};
use crate::machines::{Ground, machine};

#[tokio::test]
async fn x43_e16_the_webhook_reads_metadata_of_every_cluster_and_nothing_else() {
    let fleet = fresh(&["east", "west"]).await;
    let wanted = ["get namespaces", "list storageclasses.storage.k8s.io", "list virtualmachines.kubevirt.io"];
    for remote in fleet.remotes() {
        let kinds = eventually(&format!("the webhook looks at {}", remote.name()), async || {
            let records = remote.audit().since(0).expect("an audit log");
            let own = records.iter().filter(|record| record.user == user(WEBHOOK_ACCOUNT));
            let own: Vec<_> = own.filter(|record| record.verb != "watch").collect();
            assert!(own.iter().all(|record| record.code == 200), "{own:#?}");
            let kinds: BTreeSet<_> =
                own.iter().map(|record| format!("{} {}", record.verb, record.full_resource())).collect();
            if kinds.len() >= wanted.len() { Ok(kinds) } else { Err(format!("{kinds:?}")) }
        })
        .await;
        assert_eq!(kinds.iter().map(String::as_str).collect::<Vec<_>>(), wanted, "{}", remote.name());
    }
    let log = log(&fleet);
    assert!(log.contains("\"Found hubs with capability\"") && log.contains("\"count\":2"), "E16: {log}");
}

#[tokio::test]
async fn e8_e9_e18_what_the_webhook_chooses_is_logged_and_counted() {
    let fleet = with(&["west"], &[("DEFAULT_KUBEVIRT_CONFIG", "west")]).await;
    let ground = Ground::new(&fleet, "default").await;
    ground.applied(&machine("chosen", None, &json!({"template": "small"}))).await;
    let assigned = ground.machines().get("chosen").await.expect("stored");
    assert_eq!(assigned.metadata.annotations.expect("annotations")[KUBEVIRT_CONFIG], "west");
    let log = log(&fleet);
    let line = log.lines().find(|line| line.contains("Selected hub for VM request")).expect("E8: a line in the log");
    assert!(line.contains("\"hub_id\":\"west\"") && line.contains("\"vm_id\":\"default/chosen\""), "E8: {line}");
    let address = fleet.address(Endpoint::WebhookMetrics).unwrap_or_else(|error| panic!("{error}"));
    let metrics = probe::get(address, "/metrics").await.expect("metrics");
    assert!(metrics.contains("kubevirt_operator_placements_total{source=\"default\"} 1"), "E9: {metrics}");
    assert!(metrics.contains("kubevirt_operator_placement_duration_seconds_count 1"), "E18: {metrics}");
}

/// The API server gives the webhook five seconds for each call: an answer in the webhook's own words was in time.
#[tokio::test]
async fn kvo30_x43_x48_a17_a_cluster_that_hangs_is_asked_and_not_waited_for() {
    let fleet = fresh(&["west"]).await;
    let ground = Ground::new(&fleet, "default").await;
    let mute = introduce_mute(&ground, "west").await;
    until_known(&ground, "mute").await;
    let machine =
        |name: &str| Machine::new(name, serde_json::from_value(json!({"template": "small"})).expect("a spec"));
    let refused = ground.machines().create(&PostParams::default(), &machine("lost")).await.expect_err("strict");
    let kube::Error::Api(refused) = refused else { panic!("{refused}") };
    let cause = &refused.details.as_ref().expect("details").causes[0];
    assert_eq!(cause.field, format!("metadata.annotations[{KUBEVIRT_CONFIG}]"));
    assert_eq!(cause.reason, "ClusterSilent", "X48: {refused:?}");
    assert!(cause.message.contains("mute"), "X48: {refused:?}");
    assert!(!cause.message.contains("west"), "a cluster that answers is not silent: {refused:?}");

    restart(&fleet, &[("PLACEMENT_STRATEGY", "balanced")]).await;
    until_known(&ground, "mute").await;
    let placed = ground.machines().create(&PostParams::default(), &machine("found")).await.expect("A17: skipped");
    assert_eq!(placed.annotations()[KUBEVIRT_CONFIG], "west", "{placed:?}");
    assert!(!mute.is_finished(), "it was there all the time");
    mute.abort();
}

#[tokio::test]
async fn x43_without_any_cluster_the_webhook_becomes_ready_and_answers() {
    let fleet = fresh(&["east"]).await;
    let ground = Ground::new(&fleet, "default").await;
    let remote = fleet.component("east").unwrap_or_else(|error| panic!("{error}"));
    fleet.stop(&remote, Stop::AtOnce).await.unwrap_or_else(|error| panic!("{error}"));
    // It returns once the webhook is ready.
    restart(&fleet, &[]).await;
    let answer = ground.apply(&machine("waits", Some("east"), &json!({"template": "small"}))).await;
    assert!(answer.is_ok(), "its author named the cluster: {answer:?}");
}

/// A KubevirtConfig with the kubeconfig of another, whose cluster takes connections and never says a word.
async fn introduce_mute(ground: &Ground<'_>, like: &str) -> JoinHandle<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let secrets: Api<Secret> = Api::namespaced(ground.supervisor.clone(), CONFIGS_NAMESPACE);
    let secret = secrets.get(&format!("{like}-kubeconfig")).await.expect("a Secret").data.expect("data");
    let kubeconfig = String::from_utf8(secret["kubeconfig-readonly"].0.clone()).expect("text");
    let url = ground.fleet.remote(like).unwrap_or_else(|error| panic!("{error}")).url();
    assert!(kubeconfig.contains(&url), "{url}");
    let kubeconfig = kubeconfig.replace(&url, &format!("https://{address}"));
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mute", "namespace": CONFIGS_NAMESPACE}, "stringData": {"kubeconfig": kubeconfig}},
        {"apiVersion": "vitistack.io/v1alpha1", "kind": "KubevirtConfig", "metadata": {"name": "mute", "namespace": CONFIGS_NAMESPACE},
            "spec": {"name": "mute", "kubeconfigSecretRef": "mute"}},
    ]});
    apply(ground.fleet.supervisor(), &objects.to_string()).await.unwrap_or_else(|error| panic!("{error}"));
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    })
}

/// Waits until the webhook knows a KubevirtConfig: watches have no other signal.
async fn until_known(ground: &Ground<'_>, cluster: &str) {
    let manifest = machine("probe", Some(cluster), &json!({"template": "small"})).to_string();
    let args = ["--namespace", &ground.namespace, "apply", "--dry-run=server", "--filename", "-"];
    let known = async || kubectl(ground.fleet.supervisor(), &args, &manifest).await;
    eventually("the webhook sees the KubevirtConfig", known).await;
}

fn log(fleet: &Fleet) -> String {
    std::fs::read_to_string(fleet.processes().log("webhook")).expect("a log")
}

async fn restart(fleet: &Fleet, env: &[(&str, &str)]) {
    fleet.stop(&Component::Webhook, Stop::Gracefully).await.unwrap_or_else(|error| panic!("{error}"));
    fleet.start_with(&Component::Webhook, env).await.unwrap_or_else(|error| panic!("{error}"));
}
