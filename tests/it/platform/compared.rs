//! The story of `east`, which has HyperConverged and every operator of the catalogue: nothing, then a comparison, then the baseline.

use std::collections::BTreeMap;

use kube::Api;
use kube::api::{DynamicObject, ListParams};
use serde_json::{Value, json};
use tests::audit::count;
use tests::install::kubectl;
use tests::platform_crds::CURRENT;

use super::objects::{DESCHEDULER, FORKLIFT, HCO, HEALTH, KUBELET, KUBEVIRT, METALLB, Object, PLUGIN, SWAP, ours};
use super::site::{Site, of};
use super::{kept, rendered, requests, shared, words};
use crate::machines::said;

/// Of each kind of the catalogue, whichever object.
const KINDS: [Object; 9] = [HCO, KUBEVIRT, DESCHEDULER, FORKLIFT, METALLB, PLUGIN, HEALTH, SWAP, KUBELET];
/// Nothing else is asked of these groups without a baseline.
const GROUPS: [&str; 9] = [
    "aaq.kubevirt.io",
    "apiextensions.k8s.io",
    "forklift.konveyor.io",
    "hco.kubevirt.io",
    "machineconfiguration.openshift.io",
    "metallb.io",
    "observability.openshift.io",
    "operator.openshift.io",
    "remediation.medik8s.io",
];

#[tokio::test]
async fn x80_x81_x87_x91_d2_d11_p6_p9_p12_p16_p18_a_cluster_is_compared_then_kept_then_left() {
    let site = Site::of(shared().await, "east").await;
    site.install(&CURRENT).await;
    site.prepare(&[HCO, DESCHEDULER, FORKLIFT, METALLB]).await;
    site.with_remediation().await;
    site.create(HCO, &json!({"spec": {}})).await;
    let drifted = json!({"metadata": ours(), "spec": {"mode": "Predictive", "managementState": "Managed"}});
    site.create(DESCHEDULER, &drifted).await;
    site.annotate("enable-loadaware", Some("true")).await;

    off_costs_nothing(&site).await;
    audit_compares_and_writes_nothing(&site).await;
    let before = versions(&site).await;
    enforce_makes_it_so(&site).await;
    assert_eq!(before[&key(KUBEVIRT)], versions(&site).await[&key(KUBEVIRT)], "X89: the KubeVirt beside it is HCO's");

    rendered::a_page_from_files_is_that_of_the_running_controller(&site).await;
    kept::an_idle_cluster_costs_nothing(&site).await;
    kept::drift_takes_two_requests(&site).await;
    kept::fields_that_the_root_gives_away_are_its_admins(&site).await;
    kept::an_unmanaged_object_is_its_admins(&site).await;
    words::patches_of_node_settings(&site).await;
    kept::every_kind_is_set_right(&site).await;
    kept::the_root_may_veto(&site).await;
    kept::what_is_left_is_listed(&site).await;
    site.nothing_was_forbidden();
    assert_eq!(
        site.unused().await.into_iter().collect::<Vec<_>>(),
        requests::OF_A_PLAIN_KUBEVIRT,
        "X94: no right is there for nothing"
    );
}

async fn off_costs_nothing(site: &Site<'_>) {
    let known = |status: &Value| status["phase"] == "Ready" && !status["kubevirtVersion"].is_null();
    let status = site.shows("a cluster that is known", known).await;
    assert_eq!(status["platform"], Value::Null);
    let asked = site.plane.audit().since(0).expect("an audit log");
    let ours = tests::fleet::user(tests::fleet::REMOTE_CONTROLLER_ACCOUNT);
    let asked: Vec<_> = asked.iter().filter(|it| it.user == ours && GROUPS.contains(&it.group.as_str())).collect();
    assert!(asked.is_empty(), "X80: {asked:#?}");
}

/// Says who would be changed, and how.
async fn audit_compares_and_writes_nothing(site: &Site<'_>) {
    let (mark, before) = (site.mark(), versions(site).await);
    site.annotate("autopilot", Some("audit")).await;
    site.states(&[
        ("hco-golden-config", "Differs"),
        ("swap-enable", "Missing"),
        ("kubelet-perf-settings", "Missing"),
        ("pci-passthrough", "ConditionNotMet"),
        ("node-health-check", "Missing"),
        ("descheduler-loadaware", "Differs"),
        ("mtv-operator", "Missing"),
        ("metallb-operator", "Missing"),
        ("observability-operator", "Missing"),
    ])
    .await;
    let says = site.state("descheduler-loadaware", "Differs").await;
    assert!(says.contains("spec.mode is \"Predictive\", should be \"Automatic\""), "X81: {says}");
    let message = site.ready("False/PlatformDiffers").await;
    assert!(message.contains("hco-golden-config"), "{message}");
    let status = site.status().await;
    let platform = &status["platform"];
    assert_eq!(platform["summary"], "audit: 10 of 10 differ");
    let root = json!({"apiVersion": HCO.0, "kind": HCO.1, "namespace": HCO.2, "name": HCO.3});
    assert_eq!((&platform["mode"], &platform["root"]), (&json!("Audit"), &root));
    let args = ["--namespace", tests::fleet::CONFIGS_NAMESPACE, "get", "kvc", "east"];
    let table = said(kubectl(site.fleet.supervisor(), &args, "").await).expect("a table");
    assert!(table.contains("PLATFORM") && table.contains("audit: 10 of 10 differ"), "{table}");

    site.told(&["hco-golden-config", "completionTimeoutPerGiB is 20, should be 150"]).await;
    assert_eq!(versions(site).await, before, "X81: nothing was changed");
    assert_eq!(site.written(mark), Vec::<String>::new(), "X81");
    // Once for each object and definition, whatever else happens.
    let twice: Vec<_> = reads(site, mark).into_iter().filter(|(_, times)| *times > 1).collect();
    assert!(twice.is_empty(), "{twice:#?}");
}

async fn enforce_makes_it_so(site: &Site<'_>) {
    let mark = site.mark();
    site.annotate("autopilot", None).await;
    site.ask(&json!({"mode": "Enforce"})).await;
    site.states(&[
        ("hco-golden-config", "Applied"),
        ("node-health-check", "Applied"),
        ("descheduler-loadaware", "Applied"),
        ("mtv-operator", "Applied"),
        ("metallb-operator", "Applied"),
        ("observability-operator", "Applied"),
        ("swap-enable", "Withheld"),
        ("psi-enable", "Withheld"),
        ("kubelet-perf-settings", "Withheld"),
    ])
    .await;
    let withheld = site.state("swap-enable", "Withheld").await;
    assert!(withheld.contains("nodeDisruption: Allow"), "X87: {withheld}");
    assert_eq!(site.status().await["platform"]["summary"], "6/10 applied, 4 withheld");
    assert_eq!((site.get(SWAP).await, site.get(KUBELET).await), (Value::Null, Value::Null), "X87, P6");

    let descheduler = site.get(DESCHEDULER).await;
    let wanted = json!({"node": 2, "total": 5});
    let spec = &descheduler["spec"];
    assert_eq!((&spec["mode"], &spec["evictionLimits"]), (&json!("Automatic"), &wanted), "X91");
    assert_eq!(spec["profiles"], json!(["KubeVirtRelieveAndMigrate"]), "X91");
    let before = descheduler["metadata"]["annotations"]["vitistack.io/before-baseline"].as_str().unwrap_or_default();
    assert!(before.contains(r#""mode":"Predictive""#), "X81: {before}");
    let migrations = site.get(HCO).await["spec"]["liveMigrationConfig"].clone();
    assert_eq!(
        (&migrations["parallelOutboundMigrationsPerNode"], &migrations["completionTimeoutPerGiB"]),
        (&json!(2), &json!(150))
    );
    assert_eq!(site.get(FORKLIFT).await["spec"]["feature_ui_plugin"], "true", "P17 (44d156c)");
    assert_eq!(site.get(PLUGIN).await["spec"]["monitoring"]["perses"]["enabled"], true);
    assert_eq!(site.get(HEALTH).await["spec"]["minHealthy"], "51%");

    site.told(&["KubeDescheduler", "spec.mode", "Predictive", "Automatic"]).await;
    let made = ["nodehealthchecks", "forkliftcontrollers", "metallbs", "uiplugins"];
    let written = site.written(mark);
    let creations = written.iter().filter(|it| it.starts_with("create ")).count();
    assert_eq!(creations, made.len(), "{written:#?}");
    assert!(
        written.len() <= 2 * made.len() + 2,
        "two for each that is made, one for each that is corrected: {written:#?}"
    );
}

/// How often each object of the catalogue and each definition was read.
fn reads(site: &Site<'_>, mark: u64) -> BTreeMap<String, usize> {
    let asked = site.asked(mark);
    println!("the start of a comparison:\n{}", tests::audit::table(&count(&asked)));
    let gets = asked.into_iter().filter(|it| it.verb == "get" && GROUPS.contains(&it.group.as_str()));
    gets.fold(BTreeMap::new(), |mut all, it| {
        *all.entry(format!("{} {}", it.full_resource(), it.name)).or_default() += 1;
        all
    })
}

fn key(object: Object) -> String {
    format!("{} {}", object.1, object.3)
}

/// The version of every object of the catalogue's kinds, by kind and name.
async fn versions(site: &Site<'_>) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for kind in KINDS {
        let every: Api<DynamicObject> = Api::all_with(site.client.clone(), &kind.resource());
        for found in every.list(&ListParams::default()).await.expect("a list") {
            let name = found.metadata.name.unwrap_or_default();
            all.insert(format!("{} {name}", kind.1), found.metadata.resource_version.unwrap_or_default());
        }
    }
    all
}

#[test]
fn every_asset_is_told_of_by_name() {
    let status =
        json!({"platform": {"assets": [{"name": "a", "state": "Applied"}, {"name": "b", "state": "Missing"}]}});
    assert_eq!((of(&status, "b")["state"].as_str(), of(&status, "c")["state"].as_str()), (Some("Missing"), None));
}
