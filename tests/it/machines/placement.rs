//! Which cluster, and what a person reads when there is none: the documented examples, with kubectl's own words around ours.

use kube::{Api, ResourceExt};
use model::api::KubevirtConfig;
use model::names::{KUBEVIRT_CONFIG, RESOLVED};
use serde_json::{Value, json};
use tests::fleet::{Component, Fleet};
use tests::install::kubectl;
use tests::process::Stop;
use tests::wait::eventually;

use super::{Ground, machine, said};
use crate::fleet::{fresh, shared};

fn small() -> Value {
    json!({"instanceType": "small"})
}

#[tokio::test]
async fn a1_a18_b24_an_annotation_is_honoured_and_kept() {
    let ground = Ground::new(shared().await, "explicit").await;
    let printed = ground
        .apply(&machine("production-vm", Some("west"), &json!({"instanceType": "large"})))
        .await
        .expect("admitted");
    assert!(printed.contains("spec.instanceType is an alias: use spec.template: large"), "{printed}");
    let running = ground.running("production-vm").await;
    assert_eq!(running.annotations()[KUBEVIRT_CONFIG], "west");
    let refused = ground
        .apply(&machine("production-vm", Some("east"), &json!({"instanceType": "large"})))
        .await
        .expect_err("moved a VM");
    assert!(refused.contains("the Machine is on \"west\" and cannot move to \"east\""), "{refused}");
}

#[tokio::test]
async fn a10_g4_two_clusters_and_none_named_is_refused_at_apply() {
    let ground = Ground::new(shared().await, "ambiguous").await;
    let refused = ground.apply(&machine("new-vm", None, &small())).await.expect_err("placed by guessing");
    let sentence = "machine ambiguous/new-vm has no KubevirtConfig reference and 2 configs are available - cannot determine placement. \
                    Please set annotation 'vitistack.io/kubevirt-config' or DEFAULT_KUBEVIRT_CONFIG env var";
    assert!(
        refused.contains(&format!("* metadata.annotations[vitistack.io/kubevirt-config]: {sentence}")),
        "{refused}"
    );
    assert!(refused.starts_with("The Machine \"new-vm\" is invalid:"), "{refused}");
    assert!(ground.machines().get_opt("new-vm").await.expect("an answer").is_none(), "nothing was stored");
    let refused = ground.apply(&machine("new-vm", Some("nord"), &small())).await.expect_err("an unknown cluster");
    assert!(
        refused.contains("KubevirtConfig \"nord\" not found in namespace kubevirt-configs: known are east, west"),
        "{refused}"
    );
}

#[tokio::test]
async fn c46_g4_x78_mistakes_come_together_with_their_fields() {
    let ground = Ground::new(shared().await, "mistakes").await;
    let spec = json!({"template": "huge", "runStrategy": "Always", "disks": [{"name": "a", "size": "1Gi"}, {"name": "a", "size": "1Gi"}]});
    let refused = ground.apply(&machine("wrong", Some("east"), &spec)).await.expect_err("admitted nonsense");
    assert!(
        refused
            .contains("* spec.template: template \"huge\" not found: use valid template name: small, medium, or large"),
        "{refused}"
    );
    assert!(refused.contains("* spec.disks[1].name: Duplicate value: \"a\""), "{refused}");
    let refused = ground
        .apply(&machine("wrong", Some("east"), &json!({"template": "small", "disks": "many"})))
        .await
        .expect_err("admitted a string");
    assert!(refused.contains("spec.disks: Invalid type: string \"many\", expected a list"), "{refused}");
}

#[tokio::test]
async fn a2_a3_a6_a7_a11_a21_b24_x10_x16_a_fleet_without_a_choice_decides_by_itself() {
    let fleet = fresh(&["east", "west"]).await;
    let ground = Ground::new(&fleet, "default").await;
    restart_webhook(&fleet, "east").await;
    ground.applied(&machine("test-vm", None, &small())).await;
    let assigned = ground.machines().get("test-vm").await.expect("stored");
    assert_eq!(assigned.annotations()[KUBEVIRT_CONFIG], "east", "A2: the default");
    assert!(assigned.annotations()[RESOLVED].contains("\"cores\":1"), "{:?}", assigned.annotations());
    ground.running("test-vm").await;
    let log = std::fs::read_to_string(fleet.processes().log("webhook")).expect("a log");
    let line = log
        .lines()
        .find(|line| line.contains("Automatically assigned KubevirtConfig to machine"))
        .expect("A7: a line in the log");
    assert!(line.contains("\"machine\":\"test-vm\"") && line.contains("\"kubevirtConfig\":\"east\""), "{line}");

    restart_webhook(&fleet, "nord").await;
    let refused = ground.apply(&machine("lost", None, &small())).await.expect_err("X39: a missing default");
    assert!(refused.contains("the default of DEFAULT_KUBEVIRT_CONFIG, KubevirtConfig \"nord\" not found"), "{refused}");

    restart_webhook(&fleet, "").await;
    let configs: Api<KubevirtConfig> = Api::namespaced(ground.supervisor.clone(), "kubevirt-configs");
    configs.delete("west", &Default::default()).await.expect("deleted");
    until_decided(&ground, "dynamic-vm", Result::is_ok).await;
    assert_eq!(
        ground.machines().get("dynamic-vm").await.expect("stored").annotations()[KUBEVIRT_CONFIG],
        "east",
        "A3: the only one"
    );
    ground.running("dynamic-vm").await;

    configs.delete("east", &Default::default()).await.expect("deleted");
    let empty = "machine default/broken-vm has no KubevirtConfig reference and no KubevirtConfigs are available in namespace kubevirt-configs";
    until_decided(&ground, "broken-vm", |answer| answer.as_ref().is_err_and(|refused| refused.contains(empty))).await;
    assert!(ground.machines().get_opt("broken-vm").await.expect("an answer").is_none());
}

/// Applies again and again (as a dry run first) until the webhook's watch has seen the change: watches have no other signal.
async fn until_decided(ground: &Ground<'_>, name: &str, wanted: impl Fn(&Result<String, String>) -> bool) {
    let manifest = machine(name, None, &small());
    let args = ["--namespace", &ground.namespace, "apply", "--dry-run=server", "--filename", "-"];
    eventually(&format!("{name}: the webhook sees the change"), async || {
        let answer = said(kubectl(ground.fleet.supervisor(), &args, &manifest.to_string()).await);
        if wanted(&answer) { Ok(()) } else { Err(format!("{answer:?}")) }
    })
    .await;
    if let answer @ Ok(_) = ground.apply(&manifest).await {
        assert!(wanted(&answer), "{answer:?}");
    }
}

async fn restart_webhook(fleet: &Fleet, default: &str) {
    fleet.stop(&Component::Webhook, Stop::Gracefully).await.unwrap_or_else(|error| panic!("{error}"));
    fleet
        .start_with(&Component::Webhook, &[("DEFAULT_KUBEVIRT_CONFIG", default)])
        .await
        .unwrap_or_else(|error| panic!("{error}"));
}
