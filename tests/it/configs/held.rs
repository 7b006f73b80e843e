//! What happens to Machines, and to new ones, when the KubevirtConfig or the Secret of their cluster is taken away. And what
//! the controller said of all that when it began.

use k8s_openapi::api::core::v1::Secret;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt};
use model::api::KubevirtConfig;
use serde_json::json;
use tests::fleet::{self, CONFIGS_NAMESPACE};
use tests::install::kubectl;
use tests::wait::eventually;

use super::{condition, create, keep, says, shown};
use crate::fleet::fresh;
use crate::machines::{Ground, LIMIT, machine, resource, said};
use crate::table::every_row;

const IN_USE: &str = "kubevirtconfig.vitistack.io/in-use";

#[tokio::test]
async fn b14_b15_b16_b28_b31_r5_x112_what_machines_use_is_not_taken_away_from_them() {
    let fleet = fresh(&["east"]).await;
    let ground = Ground::new(&fleet, "default").await;
    let configs: Api<KubevirtConfig> = Api::namespaced(ground.supervisor.clone(), CONFIGS_NAMESPACE);
    the_log_says_what_was_found(&ground).await;
    a_config_that_nobody_uses_goes_at_once(&ground, &configs).await;
    ground.applied(&machine("one", Some("east"), &json!({"template": "small"}))).await;
    let referring = json!({"template": "small", "kubevirtConfigRef": {"name": "east"}});
    ground.applied(&machine("two", None, &referring)).await;
    for name in ["one", "two"] {
        let running = ground.running(name).await;
        let recorded = running.status.and_then(|status| status.kubevirt_config_ref).and_then(|recorded| recorded.name);
        assert_eq!(recorded.as_deref(), Some("east"), "B28: {name}");
    }
    let used = shown(&configs, "east", "with both Machines", |status| status.machines == Some(2)).await;
    assert_eq!((used.phase.as_deref(), used.capabilities.join(" ")), (Some("Ready"), "virtualmachines".to_owned()));
    assert_eq!(condition(&used, "KubeVirtReady"), "True/KubeVirtRunning", "B31");
    assert_eq!(configs.get("east").await.expect("there").finalizers(), [IN_USE]);
    kubectl_shows_it(&ground).await;
    the_controller_changes_nothing_but_finalizers(&ground).await;
    what_stands_against_taking_it_out_is_described(&ground, &configs).await;
    without_its_secret_the_connection_stays(&ground, &configs).await;
    a_config_that_is_to_go_waits_for_its_machines(&ground, &configs).await;
}

/// Lines of the log of the controller.
async fn the_log_says_what_was_found(ground: &Ground<'_>) {
    let lines = [
        "✅ CRD machines.vitistack.io has every field that is used",
        "✅ CRD kubevirtconfigs.vitistack.io has every field that is used",
        "✅ CRD networkconfigurations.vitistack.io has every field that is used",
        "✅ KubevirtConfigs in namespace kubevirt-configs: east",
        "✅ cluster east answers",
        "✅ KubeVirt v1.8.2 runs on cluster east",
    ];
    eventually("the checks are done", async || {
        let log = std::fs::read_to_string(ground.fleet.processes().log("controller")).expect("a log");
        let missing: Vec<_> = lines.iter().filter(|line| !log.contains(**line)).collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("{missing:?}")) }
    })
    .await;
}

async fn a_config_that_nobody_uses_goes_at_once(ground: &Ground<'_>, configs: &Api<KubevirtConfig>) {
    create(configs, "idle", &json!({"name": "idle", "kubeconfigSecretRef": "nowhere"})).await;
    says(configs, "idle", "does not exist").await;
    assert_eq!(configs.get("idle").await.expect("there").finalizers(), [""; 0]);
    let args = ["--namespace", CONFIGS_NAMESPACE, "delete", "kubevirtconfig", "idle", "--timeout=30s"];
    said(kubectl(ground.fleet.supervisor(), &args, "").await).expect("deleted");
}

async fn kubectl_shows_it(ground: &Ground<'_>) {
    let args = ["--namespace", CONFIGS_NAMESPACE, "get", "kvc", "east"];
    let table = said(kubectl(ground.fleet.supervisor(), &args, "").await).expect("a table");
    let [head, row] = table.lines().collect::<Vec<_>>()[..] else { panic!("{table}") };
    // A column that is empty is blank: the head says where each begins.
    let shows = |column: &str| {
        let from = head.find(column).expect("a column");
        row[from..].split_whitespace().next().unwrap_or_default()
    };
    every_row(
        [
            ("PHASE", "Ready"),
            ("STATUS", "Connected"),
            ("CAPABILITIES", "[\"virtualmachines\"]"),
            ("MACHINES", "2"),
            ("KUBEVIRT", "v1.8.2"),
        ],
        |(column, want)| {
            assert_eq!(shows(column), want, "{table}");
        },
    );
}

/// T20: whoever has its token cannot point a cluster elsewhere.
async fn the_controller_changes_nothing_but_finalizers(ground: &Ground<'_>) {
    let account = fleet::user(fleet::CONTROLLER_ACCOUNT);
    for text in [r#"{"spec": {"kubeconfigSecretRef": "mine"}}"#, r#"{"metadata": {"labels": {"region": "moon"}}}"#] {
        let at = ["--as", &account, "--namespace", CONFIGS_NAMESPACE, "patch", "kubevirtconfig", "east"];
        let args = [&at[..], &["--type=merge", "--patch", text]].concat();
        let refused = said(kubectl(ground.fleet.supervisor(), &args, "").await).expect_err(text);
        assert!(
            refused.contains("the controller changes the finalizers of a KubevirtConfig and nothing else"),
            "{refused}"
        );
    }
}

/// `kubectl describe` is the plan, from when no new Machines come until it is changed back.
async fn what_stands_against_taking_it_out_is_described(ground: &Ground<'_>, configs: &Api<KubevirtConfig>) {
    let cordon = async |schedulable: bool| {
        let edit = Patch::Merge(json!({"spec": {"schedulable": schedulable}}));
        configs.patch("east", &PatchParams::default(), &edit).await.expect("edited");
    };
    cordon(false).await;
    shown(configs, "east", "a plan", |status| condition(status, "Drained") == "False/Draining").await;
    let args = ["--namespace", CONFIGS_NAMESPACE, "describe", "kvc", "east"];
    let described = said(kubectl(ground.fleet.supervisor(), &args, "").await).expect("described");
    let plan = "2 Machines are here: 2 in default (one, two); delete them, with the annotation";
    assert!(described.contains(plan), "R5: {described}");
    cordon(true).await;
    shown(configs, "east", "no plan", |status| condition(status, "Drained").is_empty()).await;
}

async fn without_its_secret_the_connection_stays(ground: &Ground<'_>, configs: &Api<KubevirtConfig>) {
    let secrets: Api<Secret> = Api::namespaced(ground.supervisor.clone(), CONFIGS_NAMESPACE);
    let kept = secrets.get("east-kubeconfig").await.expect("there").data.expect("data");
    let before = ground.machines().get("one").await.expect("there");
    secrets.delete("east-kubeconfig", &Default::default()).await.expect("deleted");
    let gone = says(configs, "east", "an earlier kubeconfig is still in use; the present one is refused: Secret kubevirt-configs/east-kubeconfig does not exist: create it").await;
    assert_eq!((gone.phase.as_deref(), gone.status.as_deref()), (Some("Degraded"), Some("Connected")), "R5");
    assert_eq!(condition(&gone, "KubeconfigInUse"), "False/KubeconfigInvalid");
    told(ground, "KubeconfigInvalid").await;
    let patch = Patch::Merge(json!({"spec": {"runStrategy": "Halted"}}));
    ground.machines().patch("one", &PatchParams::default(), &patch).await.expect("an edit");
    ground.until("one", "Stopped", |machine| crate::machines::phase(machine) == "Stopped").await;
    let after = ground.machines().get("one").await.expect("there");
    let place = |machine: &model::api::Machine| machine.status.clone().expect("a status").kubevirt_config_ref;
    assert_eq!(place(&after), place(&before), "R5: it is where it was");
    let document = String::from_utf8(kept["kubeconfig"].0.clone()).expect("text");
    keep(&ground.supervisor, CONFIGS_NAMESPACE, "east-kubeconfig", "kubeconfig", &document).await;
    let back = shown(configs, "east", "Ready again", |status| status.phase.as_deref() == Some("Ready")).await;
    assert_eq!(condition(&back, "KubeconfigInUse"), "True/InUse");
}

async fn a_config_that_is_to_go_waits_for_its_machines(ground: &Ground<'_>, configs: &Api<KubevirtConfig>) {
    configs.delete("east", &Default::default()).await.expect("asked for");
    let waits =
        says(configs, "east", "the deletion waits until the 2 Machines that are left on the cluster are deleted").await;
    assert_eq!((waits.phase.as_deref(), waits.status.as_deref()), (Some("Terminating"), Some("Connected")));
    assert_eq!(condition(&waits, "DeletionBlocked"), "True/MachinesRemain");
    assert_eq!(condition(&waits, "Ready"), "True/Connected", "R5: it goes on");
    told(ground, "MachinesRemain").await;
    eventually("the webhook has seen it", async || {
        match ground.apply(&machine("late", Some("east"), &json!({"template": "small"}))).await {
            Err(refused) if refused.contains("is being deleted and takes no new Machines") => Ok(()),
            other => {
                ground.delete("late").await;
                Err(format!("{other:?}"))
            }
        }
    })
    .await;
    ground.delete("one").await;
    ground.gone("one").await;
    let left = |status: &model::api::KubevirtConfigStatus| {
        status.conditions.iter().any(|it| it.message.contains("1 in default (two)"))
    };
    shown(configs, "east", "R5: which one is left", left).await;
    says(configs, "east", "the deletion waits until the one Machine that is left").await;
    assert_eq!(ground.remains("east", "two").await.len(), 3, "R5: nothing was taken from the other");
    ground.delete("two").await;
    ground.gone("two").await;
    let gone = await_condition(configs.clone(), "east", |config: Option<&KubevirtConfig>| config.is_none());
    tokio::time::timeout(LIMIT, gone).await.expect("R5: it goes with the last one").expect("a watch");
}

/// Waits for an Event about the KubevirtConfig.
async fn told(ground: &Ground<'_>, reason: &str) {
    let events: Api<DynamicObject> =
        Api::namespaced_with(ground.supervisor.clone(), CONFIGS_NAMESPACE, &resource("Event", "events.k8s.io"));
    eventually(&format!("an Event {reason}"), async || {
        let all = events.list(&Default::default()).await.expect("events").items;
        let about = |event: &DynamicObject| event.data["regarding"]["name"] == "east" && event.data["reason"] == reason;
        if all.iter().any(about) { Ok(()) } else { Err(format!("{} others", all.len())) }
    })
    .await;
}
