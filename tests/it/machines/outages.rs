//! Processes and clusters that go away, and what their users notice.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use model::api::{KubevirtConfig, Machine};
use model::names::CLEANUP;
use serde_json::json;
use tests::fleet::{CONFIGS_NAMESPACE, Component};
use tests::process::Stop;

use super::{Ground, LIMIT, condition, forsaken, machine, phase};
use crate::configs::keep;
use crate::fleet::fresh;

#[tokio::test]
async fn b26_kvo2_kvo25_kvo32_r3_r4_r8_x35_outages_are_said_survived_and_lose_nothing() {
    let fleet = fresh(&["east", "west"]).await;
    let ground = Ground::new(&fleet, "default").await;
    a_controller_killed_at_any_moment_converges(&ground).await;
    without_the_webhook_an_apply_fails_and_a_deletion_completes(&ground).await;
    a_cluster_that_is_away_keeps_what_is_on_it(&ground).await;
    a_broken_kubeconfig_is_said_and_hurts_nobody_else(&ground).await;
    what_is_mended_or_changed_is_noticed_at_once(&ground).await;
    a_config_that_is_gone_holds_a_machine_until_it_is_back(&ground).await;
    forsaken::r4_a_machine_goes_without_its_cluster_only_by_the_word_of_somebody_who_may(&ground).await;
}

async fn a_controller_killed_at_any_moment_converges(ground: &Ground<'_>) {
    let names: Vec<String> = (0..6).map(|index| format!("killed-{index}")).collect();
    for (index, name) in names.iter().enumerate() {
        ground.applied(&machine(name, Some(["east", "west"][index % 2]), &json!({"template": "small"}))).await;
        ground.fleet.stop(&Component::Controller, Stop::AtOnce).await.unwrap_or_else(|error| panic!("{error}"));
        ground.fleet.start(&Component::Controller).await.unwrap_or_else(|error| panic!("{error}"));
    }
    for name in &names {
        ground.running(name).await;
    }
    for name in &names {
        ground.delete(name).await;
    }
    ground.fleet.stop(&Component::Controller, Stop::AtOnce).await.unwrap_or_else(|error| panic!("{error}"));
    ground.fleet.start(&Component::Controller).await.unwrap_or_else(|error| panic!("{error}"));
    for name in &names {
        ground.gone(name).await;
        for cluster in ["east", "west"] {
            assert_eq!(ground.remains(cluster, name).await, Vec::<String>::new(), "{name} on {cluster}");
        }
    }
}

async fn without_the_webhook_an_apply_fails_and_a_deletion_completes(ground: &Ground<'_>) {
    ground.applied(&machine("leaves", Some("east"), &json!({"template": "small"}))).await;
    ground.running("leaves").await;
    ground.fleet.stop(&Component::Webhook, Stop::Gracefully).await.unwrap_or_else(|error| panic!("{error}"));
    let refused = ground
        .apply(&machine("nobody-decides", Some("east"), &json!({"template": "small"})))
        .await
        .expect_err("undecided");
    assert!(refused.contains("failed calling webhook \"machines.mutate.vitistack.io\""), "{refused}");
    ground.delete("leaves").await;
    ground.gone("leaves").await;
    ground.fleet.start(&Component::Webhook).await.unwrap_or_else(|error| panic!("{error}"));
}

async fn a_cluster_that_is_away_keeps_what_is_on_it(ground: &Ground<'_>) {
    ground.applied(&machine("stays", Some("east"), &json!({"template": "small"}))).await;
    ground.running("stays").await;
    let usual = pace(ground, "before").await;
    let east = ground.fleet.component("east").unwrap_or_else(|error| panic!("{error}"));
    ground.fleet.stop(&east, Stop::AtOnce).await.unwrap_or_else(|error| panic!("{error}"));
    ground
        .until("stays", "unreachable", |machine| condition(machine, "ClusterReachable") == "False/ClusterUnreachable")
        .await;
    let now = pace(ground, "elsewhere").await;
    assert!(now <= usual * 2 + Duration::from_secs(2), "R8: {now:?}, and it usually takes {usual:?}");
    ground.delete("stays").await;
    let waiting = ground.until("stays", "held", |machine| phase(machine) == "Terminating").await;
    assert_eq!(waiting.finalizers(), [CLEANUP], "R3: an absent answer is not an absent VM");
    ground.fleet.start(&east).await.unwrap_or_else(|error| panic!("{error}"));
    ground.gone("stays").await;
    assert_eq!(ground.remains("east", "stays").await, Vec::<String>::new());
}

/// How long a Machine on the other cluster takes to run.
async fn pace(ground: &Ground<'_>, name: &str) -> Duration {
    let began = Instant::now();
    ground.applied(&machine(name, Some("west"), &json!({"template": "small"}))).await;
    ground.running(name).await;
    began.elapsed()
}

async fn a_broken_kubeconfig_is_said_and_hurts_nobody_else(ground: &Ground<'_>) {
    let secrets: Api<k8s_openapi::api::core::v1::Secret> =
        Api::namespaced(ground.supervisor.clone(), "kubevirt-configs");
    let configs: Api<KubevirtConfig> = Api::namespaced(ground.supervisor.clone(), "kubevirt-configs");
    let broken = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "nord-kubeconfig"}, "stringData": {"kubeconfig": "users: [{name: x, user: {exec: {command: /bin/true}}}]"}});
    let config = json!({"apiVersion": "vitistack.io/v1alpha1", "kind": "KubevirtConfig", "metadata": {"name": "nord"}, "spec": {"name": "nord", "kubeconfigSecretRef": "nord-kubeconfig"}});
    secrets.create(&Default::default(), &serde_json::from_value(broken).expect("a Secret")).await.expect("created");
    configs
        .create(&Default::default(), &serde_json::from_value(config).expect("a KubevirtConfig"))
        .await
        .expect("created");
    let refused = kube::runtime::wait::await_condition(configs, "nord", |config: Option<&KubevirtConfig>| {
        config
            .and_then(|config| config.status.as_ref())
            .is_some_and(|status| status.status.as_deref() == Some("Refused"))
    });
    let refused = tokio::time::timeout(LIMIT, refused).await.expect("in time").expect("a watch").expect("it exists");
    let status = refused.status.expect("a status");
    assert_eq!(status.conditions[0].reason, "KubeconfigInvalid");
    assert!(
        status
            .message
            .as_deref()
            .unwrap_or_default()
            .starts_with("Secret kubevirt-configs/nord-kubeconfig, key \"kubeconfig\": "),
        "{status:?}"
    );
    ground.applied(&machine("unhurt", Some("west"), &json!({"template": "small"}))).await;
    ground.running("unhurt").await;
    let printed = ground
        .apply(&machine("waits", Some("nord"), &json!({"template": "small"})))
        .await
        .expect("its author named it");
    assert!(printed.contains("KubevirtConfig \"nord\" is not usable now"), "{printed}");
    ground
        .until("waits", "waiting", |machine| condition(machine, "ClusterReachable") == "False/ClusterUnreachable")
        .await;
    ground.delete("waits").await;
    ground.gone("waits").await;
}

/// KVO2: also without a connection that was made before, and whether or not the Secret went first.
async fn a_config_that_is_gone_holds_a_machine_until_it_is_back(ground: &Ground<'_>) {
    let secrets: Api<Secret> = Api::namespaced(ground.supervisor.clone(), CONFIGS_NAMESPACE);
    let configs: Api<KubevirtConfig> = Api::namespaced(ground.supervisor.clone(), CONFIGS_NAMESPACE);
    ground.applied(&machine("bereft", Some("west"), &json!({"template": "small"}))).await;
    ground.running("bereft").await;
    let secret = secrets.get("west-kubeconfig").await.expect("the Secret");
    let config = configs.get("west").await.expect("the KubevirtConfig");
    secrets.delete("west-kubeconfig", &DeleteParams::default()).await.expect("deleted");
    configs.delete("west", &DeleteParams::default()).await.expect("deleted");
    // R5 holds it; somebody takes that off.
    let by_force = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    configs.patch("west", &PatchParams::default(), &by_force).await.expect("patched");
    ground.delete("bereft").await;
    let missing = |it: &Machine| phase(it) == "Terminating" && condition(it, "Ready") == "False/KubevirtConfigMissing";
    let held = ground.until("bereft", "held", missing).await;
    assert_eq!(held.finalizers(), [CLEANUP], "its VM may still run");
    let back = Secret { metadata: anew(&secret.metadata), ..secret };
    secrets.create(&PostParams::default(), &back).await.expect("created again");
    let back = KubevirtConfig { metadata: anew(&config.metadata), status: None, ..config };
    configs.create(&PostParams::default(), &back).await.expect("created again");
    ground.gone("bereft").await;
    assert_eq!(ground.remains("west", "bereft").await, Vec::<String>::new());
}

fn anew(metadata: &ObjectMeta) -> ObjectMeta {
    ObjectMeta { name: metadata.name.clone(), namespace: metadata.namespace.clone(), ..ObjectMeta::default() }
}

/// KVO25, B26, X35: nothing here waits for the interval, which is an hour.
async fn what_is_mended_or_changed_is_noticed_at_once(ground: &Ground<'_>) {
    let secrets: Api<Secret> = Api::namespaced(ground.supervisor.clone(), CONFIGS_NAMESPACE);
    let good = secrets.get("east-kubeconfig").await.expect("the Secret").data.expect("data")["kubeconfig"].0.clone();
    let good = String::from_utf8(good).expect("text");
    keep(&ground.supervisor, CONFIGS_NAMESPACE, "east-kubeconfig", "kubeconfig", "users: []").await;
    ground.fleet.stop(&Component::Controller, Stop::AtOnce).await.unwrap_or_else(|error| panic!("{error}"));
    let hourly = [("RECONCILE_INTERVAL", "1h")];
    ground.fleet.start_with(&Component::Controller, &hourly).await.unwrap_or_else(|error| panic!("{error}"));
    ground.applied(&machine("mended", Some("east"), &json!({"template": "small"}))).await;
    let unreached = |it: &Machine| condition(it, "Ready") == "False/ClusterUnreachable";
    ground.until("mended", "without its cluster", unreached).await;
    keep(&ground.supervisor, CONFIGS_NAMESPACE, "east-kubeconfig", "kubeconfig", &good).await;
    ground.running("mended").await;

    let vms = ground.remote("east", "VirtualMachine", "kubevirt.io").await;
    let stop = Patch::Merge(json!({"spec": {"runStrategy": "Halted"}}));
    vms.patch("vm-mended", &PatchParams::default(), &stop).await.expect("stopped");
    ground.until("mended", "Stopped", |machine| phase(machine) == "Stopped").await;
    let start = Patch::Merge(json!({"spec": {"runStrategy": "Always"}}));
    vms.patch("vm-mended", &PatchParams::default(), &start).await.expect("started");
    ground.running("mended").await;
    let vmis = ground.remote("east", "VirtualMachineInstance", "kubevirt.io").await;
    vmis.delete("vm-mended", &DeleteParams::default()).await.expect("deleted");
    ground.until("mended", "seen without its instance", |machine| phase(machine) != "Running").await;
    ground.running("mended").await;

    // What a KubevirtConfig grants its Machines.
    let configs: Api<KubevirtConfig> = Api::namespaced(ground.supervisor.clone(), CONFIGS_NAMESPACE);
    let grant = async |granted: bool| {
        let patch = Patch::Merge(json!({"spec": {"allowSchedulingPatches": granted}}));
        configs.patch("east", &PatchParams::default(), &patch).await.expect("patched");
    };
    grant(true).await;
    let mut placed = machine("placed", Some("east"), &json!({"template": "small"}));
    placed["metadata"]["annotations"]["platform.kubevirt.io/patch"] =
        json!(r#"[{"op": "add", "path": "/spec/template/spec/priorityClassName", "value": "system-node-critical"}]"#);
    ground.applied(&placed).await;
    ground.running("placed").await;
    grant(false).await;
    let of_vm = |machine: &Machine| condition(machine, "VirtualMachineReady");
    ground.until("placed", "refused", |machine| of_vm(machine) == "False/PatchRefused").await;
    grant(true).await;
    ground.until("placed", "taken as it is", |machine| of_vm(machine).starts_with("True/")).await;
}
