//! What becomes of a cluster whose baseline is kept: what that costs, what its administrators may keep for themselves, and how it ends.

use serde_json::{Value, json};

use super::objects::{DESCHEDULER, FORKLIFT, HCO, HEALTH, KUBELET, METALLB, PLUGIN};
use super::site::{Site, of};

const IGNORE: &str = "platform.kubevirt.io/ignore-fields";
const MODE: &str = "platform.kubevirt.io/mode";

/// The root's status changes twenty times. What the corrections before and after it cost says that nothing else was asked for.
pub(super) async fn an_idle_cluster_costs_nothing(site: &Site<'_>) {
    site.goes_on("feature_validation").await;
    site.goes_on("feature_ui_plugin").await;
    let here = site.fleet.supervisor().audit();
    let (mark, mark_here) = (site.mark(), here.mark());
    let api = site.api(HCO);
    for round in 0..20 {
        let status = json!({"status": {"observedGeneration": round}});
        let patch = kube::api::Patch::Merge(&status);
        api.patch_status(HCO.3, &Default::default(), &patch).await.expect("a status");
    }
    site.goes_on("feature_volume_populator").await;
    site.goes_on("feature_validation").await;
    let asked: Vec<_> = site.asked(mark).iter().map(|it| format!("{} {}", it.verb, it.resource)).collect();
    let read_and_written = ["get forkliftcontrollers", "patch forkliftcontrollers"];
    assert_eq!(asked, [read_and_written, read_and_written].concat(), "P12, X80: nothing but the two corrections");
    let ours = tests::fleet::user(tests::fleet::CONTROLLER_ACCOUNT);
    let records = here.since(mark_here).expect("an audit log");
    let about = |it: &&tests::audit::Record| {
        it.user == ours && it.is_answer() && it.resource == "kubevirtconfigs" && it.name == site.name()
    };
    // At most that it differs and that it does not, for each of the two.
    assert!(records.iter().filter(about).count() <= 4, "{:#?}", records.iter().filter(about).collect::<Vec<_>>());
}

pub(super) async fn drift_takes_two_requests(site: &Site<'_>) {
    let mark = site.mark();
    site.edit(DESCHEDULER, &json!({"spec": {"mode": "Predictive"}})).await;
    let mended = site.becomes(DESCHEDULER, "as it was", |it| it["spec"]["mode"] == "Automatic").await;
    site.goes_on("feature_ui_plugin").await;
    let about = |it: &tests::audit::Record| it.resource == "kubedeschedulers";
    let asked: Vec<_> = site.asked(mark).into_iter().filter(about).map(|it| it.verb).collect();
    assert_eq!(asked, ["get", "patch"], "P12");
    let managers = mended["metadata"]["managedFields"].to_string();
    assert!(managers.contains("kubevirt-operator"), "{managers}");
    site.told(&["spec.mode", "Predictive", "kubectl-edit"]).await;
}

/// The seed's pointers, word for word.
pub(super) async fn fields_that_the_root_gives_away_are_its_admins(site: &Site<'_>) {
    let pointers = "/spec/liveMigrationConfig/parallelMigrationsPerCluster,/spec/featureGates";
    site.edit(HCO, &json!({"metadata": {"annotations": {IGNORE: pointers}}})).await;
    let tuned = json!({"parallelMigrationsPerCluster": 9, "completionTimeoutPerGiB": 99});
    site.edit(HCO, &json!({"spec": {"liveMigrationConfig": tuned, "featureGates": {"downwardMetrics": true}}})).await;
    let timeout = |it: &Value| it["spec"]["liveMigrationConfig"]["completionTimeoutPerGiB"] == 150;
    site.becomes(HCO, "right where it is ours", timeout).await;
    // What is made of the root is made of what it really is.
    site.becomes(DESCHEDULER, "X81: as the root", |it| it["spec"]["evictionLimits"]["total"] == 9).await;
    let spec = site.get(HCO).await["spec"].clone();
    let theirs =
        (&spec["liveMigrationConfig"]["parallelMigrationsPerCluster"], &spec["featureGates"]["downwardMetrics"]);
    assert_eq!(theirs, (&json!(9), &json!(true)));
    site.state("hco-golden-config", "Applied").await;
    site.edit(HCO, &json!({"metadata": {"annotations": {IGNORE: null}}})).await;
    let all = |it: &Value| {
        it["spec"]["liveMigrationConfig"]["parallelMigrationsPerCluster"] == 5
            && it["spec"]["featureGates"]["downwardMetrics"] == false
    };
    site.becomes(HCO, "ours again", all).await;
    site.becomes(DESCHEDULER, "as the root", |it| it["spec"]["evictionLimits"]["total"] == 5).await;
}

pub(super) async fn an_unmanaged_object_is_its_admins(site: &Site<'_>) {
    site.edit(METALLB, &json!({"metadata": {"annotations": {MODE: "unmanaged"}}})).await;
    site.state("metallb-operator", "Unmanaged").await;
    site.delete(METALLB).await;
    site.state("metallb-operator", "Applied").await;

    site.edit(DESCHEDULER, &json!({"metadata": {"annotations": {MODE: "unmanaged"}}})).await;
    site.state("descheduler-loadaware", "Unmanaged").await;
    site.edit(DESCHEDULER, &json!({"spec": {"deschedulingIntervalSeconds": 7200}})).await;
    site.goes_on("feature_volume_populator").await;
    assert_eq!(site.get(DESCHEDULER).await["spec"]["deschedulingIntervalSeconds"], 7200, "X82");
    // From either side.
    site.annotate("mode.asset.descheduler-loadaware", Some("unmanaged")).await;
    site.edit(DESCHEDULER, &json!({"metadata": {"annotations": {MODE: null}}})).await;
    site.goes_on("feature_ui_plugin").await;
    assert_eq!(site.get(DESCHEDULER).await["spec"]["deschedulingIntervalSeconds"], 7200, "X82");
    site.annotate("mode.asset.descheduler-loadaware", None).await;
    site.becomes(DESCHEDULER, "managed again", |it| it["spec"]["deschedulingIntervalSeconds"] == 60).await;
}

/// Whatever kind it is: an object that is changed is set right, and one that is deleted is made again.
pub(super) async fn every_kind_is_set_right(site: &Site<'_>) {
    // Of this one nothing is set, until somebody wants that.
    let level = json!([{"op": "add", "path": "/spec/logLevel", "value": "debug"}]);
    site.annotate("patch.asset.metallb-operator", Some(&level.to_string())).await;
    site.becomes(METALLB, "as it is patched", |it| it["spec"]["logLevel"] == "debug").await;
    let rows = [
        (KUBELET, "/spec/kubeletConfig/maxPods", json!(500), json!({"spec": {"kubeletConfig": {"maxPods": 100}}})),
        (HEALTH, "/spec/minHealthy", json!("51%"), json!({"spec": {"minHealthy": "10%"}})),
        (
            PLUGIN,
            "/spec/monitoring/perses/enabled",
            json!(true),
            json!({"spec": {"monitoring": {"perses": {"enabled": false}}}}),
        ),
        (METALLB, "/spec/logLevel", json!("debug"), json!({"spec": {"logLevel": "error"}})),
    ];
    for (object, path, ours, theirs) in rows {
        site.edit(object, &theirs).await;
        site.becomes(object, "as it was", |it| it.pointer(path) == Some(&ours)).await;
    }
    let before = site.get(DESCHEDULER).await["metadata"]["uid"].clone();
    site.delete(DESCHEDULER).await;
    site.becomes(DESCHEDULER, "there again", |it| it["metadata"]["uid"].is_string() && it["metadata"]["uid"] != before)
        .await;
    site.annotate("patch.asset.metallb-operator", None).await;
}

pub(super) async fn the_root_may_veto(site: &Site<'_>) {
    let veto = |said: Value| json!({"metadata": {"annotations": {"platform.kubevirt.io/autopilot": said}}});
    site.edit(HCO, &veto(json!("false"))).await;
    let vetoed = |status: &Value| status["platform"]["summary"] == "off: the cluster vetoes it";
    site.shows("X80: a veto", vetoed).await;
    site.edit(FORKLIFT, &json!({"spec": {"feature_validation": "false"}})).await;
    site.edit(HCO, &veto(Value::Null)).await;
    site.becomes(FORKLIFT, "as it was", |it| it["spec"]["feature_validation"] == "true").await;
}

/// P18: nothing is deleted.
pub(super) async fn what_is_left_is_listed(site: &Site<'_>) {
    site.states(&[("metallb-operator", "Applied"), ("mtv-operator", "Applied")]).await;
    site.ask(&json!({"mode": "Off"})).await;
    let off = site.shows("what is left", |status| status["platform"]["mode"] == "Off").await;
    let left: Vec<&str> = off["platform"]["left"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for name in ["ForkliftController openshift-mtv/forklift-controller", "MetalLB metallb-system/metallb"] {
        assert!(left.contains(&name), "P18: {left:?}");
    }
    assert_eq!(of(&off, "mtv-operator"), &Value::Null);
    assert_ne!(site.get(FORKLIFT).await, Value::Null, "P18");
    let none =
        |status: &Value| !status["conditions"].as_array().into_iter().flatten().any(|it| it["type"] == "PlatformReady");
    site.shows("no condition about a baseline that nobody asks for", none).await;
}
