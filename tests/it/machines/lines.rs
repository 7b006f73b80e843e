//! What the log of a running controller says: its own lines, read as whoever collects them reads them.

use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::{ListParams, PostParams};
use kube::{Api, ResourceExt};
use model::names::CLEANUP;
use serde_json::{Map, Value, json};
use tests::fleet::{Component, Endpoint, Fleet};
use tests::install::{apply, kubectl};
use tests::probe;
use tests::process::Stop;
use tests::wait::eventually;

use super::adoption::{by_hand, until_seen};
use super::{Ground, condition, machine, phase};
use crate::fleet::fresh;
use crate::table::every_row;

type Line = Map<String, Value>;

/// Every line of the controller.
fn log(fleet: &Fleet) -> Vec<Line> {
    let text = std::fs::read_to_string(fleet.processes().log("controller")).expect("a log");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Waits for a line about a Machine with this message, and returns it.
async fn line(fleet: &Fleet, name: &str, message: &str) -> Line {
    eventually(&format!("{message:?} of {name} is logged"), async || {
        let found =
            log(fleet).into_iter().find(|line| line["message"] == message && line.get("machine") == Some(&json!(name)));
        found.ok_or("no such line")
    })
    .await
}

/// What the controller's role on a cluster allows with single VMs.
async fn allow(fleet: &Fleet, verbs: &[&str]) {
    let east = fleet.remote("east").unwrap_or_else(|error| panic!("{error}"));
    let roles: Api<ClusterRole> = Api::all(east.client().await.expect("a client"));
    let mut role = roles.get("kubevirt-operator-remote-controller").await.expect("the controller's role");
    let rules = role.rules.iter_mut().flatten();
    for rule in rules.filter(|rule| rule.resources.iter().flatten().any(|it| it == "virtualmachines")) {
        rule.verbs = verbs.iter().map(|verb| (*verb).to_owned()).collect();
    }
    roles.replace("kubevirt-operator-remote-controller", &PostParams::default(), &role).await.expect("replaced");
}

#[tokio::test]
async fn a9_a13_b7_b22_b24_b32_b33_c33_kvo1_kvo14_the_log_says_what_happened_to_which_machine() {
    let fleet = fresh(&["east", "west"]).await;
    let ground = Ground::new(&fleet, "logged").await;
    ground.applied(&machine("web", Some("east"), &json!({"template": "small"}))).await;
    ground.running("web").await;
    what_a_cluster_refuses(&ground).await;
    a_machine_that_nothing_decides_about(&ground).await;
    a_cluster_that_cannot_be_reached(&ground).await;

    let lines = log(&fleet);
    let about_machines: Vec<_> =
        lines.iter().filter(|line| line.get("controller") == Some(&json!("Machine"))).collect();
    assert!(about_machines.len() >= 10, "{about_machines:#?}");
    every_row(&about_machines, |line| {
        for field in ["timestamp", "level", "controller", "machine", "namespace", "phase", "message"] {
            let text = line.get(field).and_then(Value::as_str).unwrap_or_default();
            assert!(!text.is_empty(), "C33: {field} of {line:?}");
        }
    });
    every_row(&lines, |line| {
        let level = line["level"].as_str().unwrap_or_default();
        assert!(["info", "warn", "error"].contains(&level), "C33: {line:?}");
        assert!(
            line["timestamp"].as_str().is_some_and(|time| time.ends_with('Z') && time.len() == 27),
            "C33: {line:?}"
        );
    });
    let runs =
        about_machines.iter().find(|line| line["machine"] == "web" && line["phase"] == "Running").expect("a line");
    assert_eq!((&runs["namespace"], &runs["reason"]), (&json!("logged"), &json!("Running")));
}

async fn what_a_cluster_refuses(ground: &Ground<'_>) {
    // Nothing can be created, and then not even looked up.
    allow(ground.fleet, &["get", "list", "watch", "patch", "delete"]).await;
    ground.applied(&machine("refused", Some("east"), &json!({"template": "small"}))).await;
    let said = line(ground.fleet, "refused", "Failed to create VirtualMachine in remote cluster").await;
    assert_eq!((&said["reason"], &said["level"]), (&json!("KubeVirtApiError"), &json!("warn")), "B32");
    let fails = |it: &model::api::Machine| condition(it, "VirtualMachineReady") == "False/KubeVirtApiError";
    let failed = ground.until("refused", "shown as refused", fails).await;
    let message = failed.status.as_ref().and_then(|status| status.message.clone()).unwrap_or_default();
    let says = "VirtualMachine vm-refused: virtualmachines.kubevirt.io is forbidden: ";
    assert!(message.starts_with(says), "{message}");
    allow(ground.fleet, &["list", "watch", "create", "patch", "delete"]).await;
    // Admission finds this VM, which the controller then cannot look at.
    let vms = ground.remote("east", "VirtualMachine", "kubevirt.io").await;
    vms.create(&PostParams::default(), &by_hand("logged", "vm-unread", "Halted")).await.expect("a VM made by hand");
    let unread = machine("unread", Some("east"), &json!({"template": "small"}));
    until_seen(ground, &unread, "vm-unread").await;
    ground.applied(&unread).await;
    let said = line(ground.fleet, "unread", "Failed to get VirtualMachine from remote cluster").await;
    assert_eq!(said["reason"], "KubeVirtApiError", "B33");
    assert!(said["error"].as_str().is_some_and(|why| why.contains("the credentials lack a right there")), "{said:?}");
    allow(ground.fleet, &["get", "list", "watch", "create", "patch", "delete"]).await;
    ground.running("refused").await;
    ground.until("unread", "adopted", |it| phase(it) == "Stopped").await;
}

async fn a_cluster_that_cannot_be_reached(ground: &Ground<'_>) {
    let nord = "
apiVersion: v1
kind: Secret
metadata: {name: nord-kubeconfig, namespace: kubevirt-configs}
stringData: {kubeconfig: \"users: []\"}
---
apiVersion: vitistack.io/v1alpha1
kind: KubevirtConfig
metadata: {name: nord, namespace: kubevirt-configs}
spec: {name: nord, kubeconfigSecretRef: nord-kubeconfig}
";
    apply(ground.fleet.supervisor(), nord).await.unwrap_or_else(|error| panic!("{error}"));
    let away = machine("away", Some("nord"), &json!({"template": "small"}));
    eventually("nord is known to admission", async || ground.apply(&away).await).await;
    let said = line(ground.fleet, "away", "Failed to get KubeVirt client for machine").await;
    assert_eq!(said["reason"], "ClusterUnreachable", "B22");
    assert!(said["error"].as_str().is_some_and(|why| why.contains("nord")), "{said:?}");
    let unreached = |it: &model::api::Machine| condition(it, "ClusterReachable") == "False/ClusterUnreachable";
    let shown = ground.until("away", "unreachable", unreached).await;
    assert_eq!(condition(&shown, "Ready"), "False/ClusterUnreachable", "B7");
    let message = shown.status.and_then(|status| status.message).unwrap_or_default();
    assert!(message.contains("Secret kubevirt-configs/nord-kubeconfig, key \"kubeconfig\": "), "{message}");
}

/// Stored while nobody was asked, and refused when the controller asks: by two clusters and no word which (A10).
async fn a_machine_that_nothing_decides_about(ground: &Ground<'_>) {
    let (fleet, supervisor) = (ground.fleet, ground.fleet.supervisor());
    fleet.stop(&Component::Webhook, Stop::Gracefully).await.unwrap_or_else(|error| panic!("{error}"));
    let ignored = json!([{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}]).to_string();
    for kind in ["mutatingwebhookconfiguration", "validatingwebhookconfiguration"] {
        let args = ["patch", kind, "kubevirt-operator", "--type=json", "--patch", &ignored];
        kubectl(supervisor, &args, "").await.unwrap_or_else(|error| panic!("{error}"));
    }
    let mut lost = machine("lost", None, &json!({"template": "small"}));
    lost["metadata"]["finalizers"] = json!([CLEANUP]);
    eventually("the API server stops calling the webhook", async || ground.apply(&lost).await).await;
    fleet.start(&Component::Webhook).await.unwrap_or_else(|error| panic!("{error}"));
    let refused = |it: &model::api::Machine| {
        let message = it.status.as_ref().and_then(|status| status.message.as_deref()).unwrap_or_default();
        condition(it, "Ready") == "False/NotAdmitted" && message.contains("cannot determine placement")
    };
    let stays = ground.until("lost", "refused", refused).await;
    assert_eq!(phase(&stays), "Pending", "nothing of it is anywhere");
    let said = line(fleet, "lost", "Failed to update machine annotations").await;
    assert_eq!((&said["reason"], &said["level"]), (&json!("NotAdmitted"), &json!("warn")), "A9");
    // The first try may still find no webhook.
    assert!(said["error"].as_str().is_some_and(|why| !why.is_empty()), "{said:?}");
    let events: Api<Event> = Api::namespaced(ground.supervisor.clone(), &ground.namespace);
    eventually("an Event tells of it (A13)", async || {
        let events = events.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let about = |event: &&Event| event.regarding.as_ref().is_some_and(|it| it.name.as_deref() == Some("lost"));
        let told: Vec<_> = events.iter().filter(about).map(|event| (&event.type_, &event.reason)).collect();
        let wanted = (&Some("Warning".to_owned()), &Some("NotAdmitted".to_owned()));
        if told.contains(&wanted) { Ok(()) } else { Err(format!("{told:?}")) }
    })
    .await;
    let metrics = fleet.address(Endpoint::ControllerMetrics).unwrap_or_else(|error| panic!("{error}"));
    let counted =
        "kubevirt_operator_reconciliation_errors_total{controller=\"Machine\",error_type=\"AmbiguousPlacement\"} ";
    eventually("the refusal is counted under its own name", async || {
        let text = probe::get(metrics, "/metrics").await?;
        if text.contains(counted) { Ok(()) } else { Err(text) }
    })
    .await;
    // KVO1: no cluster was ever found for it, and its finalizer is ours to take off.
    assert_eq!(stays.finalizers(), [CLEANUP]);
    ground.delete("lost").await;
    ground.gone("lost").await;
}
