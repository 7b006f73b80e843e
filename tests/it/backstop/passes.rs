//! What the policy must not be in the way of: decisions of the webhook, people and the controller that are in order.

use kube::ResourceExt;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use model::names::{KUBEVIRT_CONFIG, REFRESH_CLASS, RESOLVED};
use serde_json::{Value, json};
use tests::fleet::Component;
use tests::install::apply;
use tests::process::Stop;
use tests::wait::eventually;

use super::{Machines, all, edited, forged, object};
use crate::machines::{Ground, machine};

fn annotated(key: &str, value: &str) -> Value {
    json!({"metadata": {"annotations": {key: value}}})
}

async fn recorded_as(machines: &Machines, status: Value) {
    let patched = machines.patch_status("undecided", &PatchParams::default(), &Patch::Merge(status)).await;
    patched.unwrap_or_else(|error| panic!("{error}"));
}

fn resolved(machine: &DynamicObject) -> &str {
    &machine.annotations()[RESOLVED]
}

/// While the webhook is away: a Machine that is decided by hand, from nothing to its end.
pub(super) async fn a_life_without_the_webhook(ground: &Ground<'_>) {
    let machines = all(ground);
    // A person may decide, and decide again, while nothing is made; then never again.
    edited(&machines, "assigned", annotated(KUBEVIRT_CONFIG, "west")).await;
    let sizing = machines.get("running").await.expect("there");
    edited(&machines, "assigned", annotated(RESOLVED, resolved(&sizing))).await;
    ground.running("assigned").await;
    let moved = machines
        .patch("assigned", &PatchParams::default(), &Patch::Merge(annotated(KUBEVIRT_CONFIG, "east")))
        .await
        .expect_err("moved a VM");
    assert!(moved.to_string().contains("the Machine is on \"west\" and cannot move to \"east\""), "{moved}");
    // The controller's own writes: status and finalizers of Machines that run and that go.
    for name in ["moves", "assigned"] {
        ground.delete(name).await;
        ground.gone(name).await;
    }
    edited(&machines, "leaving", json!({"metadata": {"finalizers": []}})).await;
    ground.gone("leaving").await;
}

/// How the webhook mends an assignment that was spoilt. The controller rests: its status would not say what this one must.
pub(super) async fn what_is_recorded_can_be_put_back_and_nothing_else(ground: &Ground<'_>) {
    let machines = all(ground);
    let controller = Component::Controller;
    ground.fleet.stop(&controller, Stop::Gracefully).await.unwrap_or_else(|error| panic!("{error}"));
    forged::anybody_may_write_what_is_recorded(ground).await;
    edited(&machines, "undecided", annotated(KUBEVIRT_CONFIG, "west")).await;
    for before in [json!("west"), Value::Null] {
        let unrecorded = json!({"status": {"kubevirtConfigRef": null}});
        let recorded = json!({"status": {"kubevirtConfigRef": {"name": "east", "clusterId": "c1"}}});
        recorded_as(&machines, unrecorded).await;
        edited(&machines, "undecided", json!({"metadata": {"annotations": {KUBEVIRT_CONFIG: before}}})).await;
        recorded_as(&machines, recorded).await;
        let elsewhere = machines
            .patch("undecided", &PatchParams::default(), &Patch::Merge(annotated(KUBEVIRT_CONFIG, "nord")))
            .await
            .expect_err("away from its VM");
        assert!(
            elsewhere.to_string().contains("the Machine is on \"east\" and cannot move to \"nord\""),
            "{elsewhere}"
        );
        edited(&machines, "undecided", annotated(KUBEVIRT_CONFIG, "east")).await;
    }
    recorded_as(&machines, json!({"status": null})).await;
    ground.fleet.start(&controller).await.unwrap_or_else(|error| panic!("{error}"));
}

/// A Machine older than the webhook, of whose two decisions one is empty, is decided as soon as anybody touches it.
pub(super) async fn what_is_undecided_is_decided_when_the_webhook_is_back(ground: &Ground<'_>) {
    let machines = all(ground);
    let sizing = machines.get("running").await.expect("there");
    ground.applied(&machine("half", None, &json!({"template": "small"}))).await;
    for (name, cluster, size) in [("undecided", "east", ""), ("half", "", resolved(&sizing))] {
        let mut edit = json!({"metadata": {"annotations": {KUBEVIRT_CONFIG: cluster, RESOLVED: size}}});
        edit["spec"] = json!({"kubevirtConfigRef": {"name": "east"}});
        edited(&machines, name, edit).await;
    }
    ground.fleet.start(&Component::Webhook).await.unwrap_or_else(|error| panic!("{error}"));
    for name in ["undecided", "half"] {
        let nudged = edited(&machines, name, json!({})).await;
        assert_eq!(nudged.annotations()[KUBEVIRT_CONFIG], "east", "{name}");
        assert_eq!(resolved(&nudged), resolved(&sizing), "{name}");
        ground.running(name).await;
    }
    edited(&machines, "undecided", json!({"spec": {"disks": [{"name": "root", "size": "90Gi"}]}})).await;
}

/// Every part of a Machine that its size is made of: the webhook resolves again, and the policy knows that it may.
pub(super) async fn every_change_of_size_is_resolved_again(ground: &Ground<'_>) {
    let machines = all(ground);
    let label = |template: &str| json!({"metadata": {"labels": {"vitistack.io/machine-template": template}}});
    // From one to the next only one field changes, save where a name of the template is handed on.
    let edits = [
        json!({"spec": {"template": "medium"}}),
        json!({"spec": {"template": null, "instanceType": "small"}}),
        json!({"spec": {"instanceType": "medium"}}),
        json!({"spec": {"instanceType": null, "machineClass": "small"}}),
        json!({"spec": {"machineClass": "medium"}}),
        json!({"metadata": label("small")["metadata"], "spec": {"machineClass": null}}),
        label("medium"),
        json!({"spec": {"cpu": {"cores": 3}}}),
        json!({"spec": {"memory": 3_221_225_472_i64}}),
        json!({"spec": {"resources": {"cpu": {"threads": 2}}}}),
        json!({"spec": {"disks": [{"name": "root", "size": "91Gi"}]}}),
    ];
    for edit in edits {
        let before = machines.get("undecided").await.expect("there");
        let after = edited(&machines, "undecided", edit.clone()).await;
        assert_ne!(resolved(&before), resolved(&after), "{edit}");
    }
}

/// X60: an edited class reaches a Machine when somebody says so, and not by itself.
pub(super) async fn an_edited_class_waits_for_a_refresh(ground: &Ground<'_>) {
    let machines = all(ground);
    class(ground, 3).await;
    for name in ["asks", "waits"] {
        let manifest = object(&machine(name, Some("east"), &json!({"template": "flex"})));
        let params = PostParams::default();
        // Watches have no other signal: the webhook knows the class when it takes it.
        eventually("the webhook sees the class", async || machines.create(&params, &manifest).await).await;
    }
    class(ground, 5).await;
    let mut turn = 0;
    eventually("the class is read again", async || {
        turn += 1;
        let asks = edited(&machines, "asks", annotated(REFRESH_CLASS, &turn.to_string())).await;
        if cores(&asks) == 5 { Ok(()) } else { Err(format!("{} cores", cores(&asks))) }
    })
    .await;
    for edit in [annotated("team", "a"), json!({"spec": {"runStrategy": "Halted"}})] {
        assert_eq!(cores(&edited(&machines, "waits", edit).await), 3);
    }
}

async fn class(ground: &Ground<'_>, cores: u32) {
    let class = json!({
        "apiVersion": "vitistack.io/v1alpha1", "kind": "MachineClass", "metadata": {"name": "flex"},
        "spec": {"category": "flex", "cpu": {"cores": cores}, "memory": {"quantity": "2Gi"}, "machineProviders": ["kubevirt"]},
    });
    apply(ground.fleet.supervisor(), &class.to_string()).await.unwrap_or_else(|error| panic!("{error}"));
}

fn cores(machine: &DynamicObject) -> i64 {
    let sizing: Value = serde_json::from_str(resolved(machine)).expect("JSON");
    sizing["cores"].as_i64().expect("a number")
}
