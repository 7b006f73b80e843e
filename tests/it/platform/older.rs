//! Operators of other years: what their kinds do not take is left out and named, or they are too old.

use serde_json::{Value, json};
use tests::platform_crds::Definition;

use super::objects::{AAQ, DESCHEDULER, PLUGIN};
use super::site::Site;

pub(super) async fn what_an_older_kind_lacks_is_left_out(site: &Site<'_>) {
    let says = site.state("descheduler-loadaware", "Applied").await;
    assert!(says.contains("left out /spec/evictionLimits/node"), "{says}");
    let spec = site.get(DESCHEDULER).await["spec"].clone();
    assert_eq!((&spec["profiles"], &spec["evictionLimits"]), (&json!(["LongLifecycle"]), &json!({"total": 5})), "P10");
    // The operator is upgraded.
    site.install(&[Definition::KubeDescheduler]).await;
    let newer = |it: &Value| it["spec"]["profiles"] == json!(["KubeVirtRelieveAndMigrate"]);
    let spec = site.becomes(DESCHEDULER, "as the newer kind has it", newer).await["spec"].clone();
    assert_eq!(spec["evictionLimits"], json!({"node": 2, "total": 5}));
    let whole = |status: &Value| {
        let asset = super::site::of(status, "descheduler-loadaware");
        asset["state"] == "Applied" && asset["message"].as_str().unwrap_or_default().is_empty()
    };
    site.shows("nothing left out", whole).await;
}

/// First without monitoring, then without what we turn on of it, then whole.
pub(super) async fn a_kind_may_be_too_old(site: &Site<'_>) {
    let says = site.state("observability-operator", "DependencyMissing").await;
    assert!(says.contains("too old"), "{says}");
    site.install(&[Definition::UiPluginWithoutPerses]).await;
    let perses = |status: &Value| {
        let asset = super::site::of(status, "observability-operator");
        asset["state"] == "DependencyMissing" && asset["message"].as_str().unwrap_or_default().contains("perses")
    };
    site.shows("that Perses is what it lacks", perses).await;
    assert_eq!(site.get(PLUGIN).await, Value::Null);
    site.install(&[Definition::UiPlugin]).await;
    site.state("observability-operator", "Applied").await;
}

/// X90, without HyperConverged.
pub(super) async fn quotas_have_an_object_of_their_own(site: &Site<'_>) {
    site.state("aaq-operator", "ConditionNotMet").await;
    site.annotate("enable-aaq", Some("true")).await;
    site.state("aaq-operator", "Applied").await;
    // Of it nothing is set, until somebody wants that.
    let policy = json!([{"op": "add", "path": "/spec/imagePullPolicy", "value": "Always"}]);
    site.annotate("patch.asset.aaq-operator", Some(&policy.to_string())).await;
    let is_set = |it: &Value| it["spec"]["imagePullPolicy"] == "Always";
    site.becomes(AAQ, "as it is patched", is_set).await;
    site.edit(AAQ, &json!({"spec": {"imagePullPolicy": "Never"}})).await;
    site.becomes(AAQ, "as it was", is_set).await;
}
