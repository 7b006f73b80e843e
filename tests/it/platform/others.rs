//! Objects that somebody else has a say in: by an exclusion, by being there first, by another program.

use serde_json::{Value, json};
use tests::fleet::CONFIGS_NAMESPACE;
use tests::install::kubectl;

use super::objects::{DESCHEDULER, FORKLIFT, KUBEVIRT, MANAGED_BY, SWAP, WATERMARKS, ours};
use super::site::Site;
use crate::machines::said;

const DISABLED: &str = "platform.kubevirt.io/disabled-resources";

fn excluding(text: &Value) -> Value {
    json!({"metadata": {"annotations": {DISABLED: text}}})
}

/// Word for word as the seed has it, on the root; and as a list with a pattern, on the KubevirtConfig.
pub(super) async fn excluded_objects_are_not_made(site: &Site<'_>) {
    site.edit(KUBEVIRT, &excluding(&json!("KubeDescheduler/cluster, MachineConfig/50-swap-enable"))).await;
    site.annotate("disabled-resources", Some("- kind: machineconfig\n  name: 99-*-swap-optimi?ation\n")).await;
    site.ask(&json!({"mode": "Enforce", "nodeDisruption": "Allow"})).await;
    site.states(&[
        ("mtv-operator", "Applied"),
        ("descheduler-loadaware", "Excluded"),
        ("swap-enable", "Excluded"),
        ("swap-optimization", "Excluded"),
    ])
    .await;
    for object in [DESCHEDULER, SWAP, WATERMARKS] {
        assert_eq!(site.get(object).await, Value::Null, "D7, X84: {object:?}");
    }
    site.ask(&json!({"nodeDisruption": null})).await;
}

pub(super) async fn an_exclusion_that_is_not_read_holds_the_cluster(site: &Site<'_>) {
    let refused = annotated(site, "KubeDescheduler").await;
    assert!(refused.is_err(), "P1: what is wrong on the KubevirtConfig is not stored: {refused:?}");
    site.edit(KUBEVIRT, &excluding(&json!("KubeDescheduler"))).await;
    let says = site.ready("False/ExclusionInvalid").await;
    assert!(says.contains("KubeVirt kubevirt/kubevirt") && says.contains("Kind/name"), "P1, X84: {says}");
    let mark = site.mark();
    site.edit(FORKLIFT, &json!({"spec": {"feature_ui_plugin": "false"}})).await;
    // One that is read and means nothing is told of, together with what is near.
    annotated(site, "KubeDeschedulr/cluster").await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(site.written(mark), Vec::<String>::new(), "P1");
    site.edit(KUBEVIRT, &excluding(&json!("KubeDescheduler/cluster"))).await;
    site.becomes(FORKLIFT, "as it was", |it| it["spec"]["feature_ui_plugin"] == "true").await;
    let near = |status: &Value| {
        let summary = status["platform"]["summary"].as_str().unwrap_or_default();
        summary.contains("KubeDeschedulr/cluster matches nothing (did you mean KubeDescheduler/cluster?)")
    };
    site.shows("X84: the nearest", near).await;
    site.annotate("disabled-resources", None).await;
}

/// `kubectl annotate` of the KubevirtConfig with such an exclusion.
async fn annotated(site: &Site<'_>, text: &str) -> Result<String, String> {
    let annotation = format!("{DISABLED}={text}");
    let args = ["--namespace", CONFIGS_NAMESPACE, "annotate", "--overwrite", "kvc", site.name(), &annotation];
    said(kubectl(site.fleet.supervisor(), &args, "").await)
}

pub(super) async fn an_object_of_the_admins_own_is_handed_over_by_its_label(site: &Site<'_>) {
    let own =
        json!({"spec": {"mode": "Predictive", "deschedulingIntervalSeconds": 3600, "profiles": ["AffinityAndTaints"]}});
    site.create(DESCHEDULER, &own).await;
    let before = site.get(DESCHEDULER).await["metadata"]["resourceVersion"].clone();
    site.edit(KUBEVIRT, &excluding(&Value::Null)).await;
    let says = site.state("descheduler-loadaware", "Foreign").await;
    assert!(says.contains(&format!("{MANAGED_BY}: kubevirt-operator")), "X83: {says}");
    site.goes_on("feature_validation").await;
    assert_eq!(site.get(DESCHEDULER).await["metadata"]["resourceVersion"], before, "X83, P5");
    site.edit(DESCHEDULER, &json!({"metadata": ours()})).await;
    let brought = site.becomes(DESCHEDULER, "in line", |it| it["spec"]["mode"] == "Automatic").await;
    assert_eq!(brought["spec"]["profiles"], json!(["KubeVirtRelieveAndMigrate"]));
    site.state("descheduler-loadaware", "Applied").await;
}

pub(super) async fn an_excluded_object_is_neither_changed_nor_deleted(site: &Site<'_>) {
    site.edit(KUBEVIRT, &excluding(&json!("KubeDescheduler/cluster"))).await;
    site.state("descheduler-loadaware", "Excluded").await;
    site.edit(DESCHEDULER, &json!({"spec": {"mode": "Predictive"}})).await;
    let before = site.get(DESCHEDULER).await;
    site.goes_on("feature_volume_populator").await;
    assert_eq!(site.get(DESCHEDULER).await, before, "D7");
    site.edit(KUBEVIRT, &excluding(&Value::Null)).await;
    site.becomes(DESCHEDULER, "as it was", |it| it["spec"]["mode"] == "Automatic").await;
}

pub(super) async fn another_autopilot_has_the_cluster(site: &Site<'_>) {
    let label = |value: &str| json!({"metadata": {"labels": {MANAGED_BY: value}}});
    site.edit(DESCHEDULER, &label("virt-platform-autopilot")).await;
    let says = site.ready("False/AnotherAutopilot").await;
    assert!(says.contains("cluster"), "X83: {says}");
    let mark = site.mark();
    site.edit(FORKLIFT, &json!({"spec": {"feature_validation": "false"}})).await;
    site.edit(DESCHEDULER, &json!({"spec": {"mode": "Predictive"}})).await;
    site.edit(DESCHEDULER, &label("kubevirt-operator")).await;
    site.becomes(FORKLIFT, "as it was", |it| it["spec"]["feature_validation"] == "true").await;
    site.becomes(DESCHEDULER, "as it was", |it| it["spec"]["mode"] == "Automatic").await;
    let mut written = site.written(mark);
    written.sort_unstable();
    let once = ["patch forkliftcontrollers forklift-controller", "patch kubedeschedulers cluster"];
    assert_eq!(written, once, "X83: nothing before it had gone");
}
