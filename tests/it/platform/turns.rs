//! Two clusters whose nodes may be restarted, under a catalogue of the administrator's own: one after the other, what is obsolete
//! goes, and the controller is started again.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tests::audit::count;
use tests::fleet::{Component, Endpoint, Fleet};
use tests::install::apply;
use tests::platform_crds::Definition;
use tests::process::Stop;
use tests::repository::root;
use tests::wait::eventually;

use super::objects::{DESCHEDULER, FORKLIFT, HCO, MANAGED_BY, Object, POOL, SWAP, WATERMARKS, ours};
use super::site::{Site, of};
use super::{up, war};

const OLD: Object = Object(SWAP.0, SWAP.1, "", "40-old-swap");
const KEPT: Object = Object(SWAP.0, SWAP.1, "", "41-made-by-hand");
const DEFINITIONS: [Definition; 4] = [
    Definition::ForkliftController,
    Definition::KubeDescheduler,
    Definition::MachineConfig,
    Definition::MachineConfigPool,
];

/// The catalogue that is built in, with two objects that are to go, as `git mv` of an earlier release's file leaves them.
fn catalogue(to: &Path) {
    copy(&root().join("shared/model/assets"), to);
    let stones = to.join("tombstones/v1.1-cleanup");
    fs::create_dir_all(&stones).expect("a folder");
    for object in [OLD, KEPT] {
        let metadata = json!({"name": object.3, "labels": {MANAGED_BY: "kubevirt-operator"}});
        let file = json!({"apiVersion": object.0, "kind": object.1, "metadata": metadata});
        fs::write(stones.join(format!("{}.yaml", object.3)), file.to_string()).expect("a file");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

#[tokio::test]
async fn d6_b20_p6_p9_x87_x88_x92_x94_nodes_of_one_cluster_restart_at_a_time_and_what_is_obsolete_goes() {
    let folder = tempfile::tempdir().expect("a folder");
    catalogue(folder.path());
    let assets = folder.path().display().to_string();
    let fleet =
        up(&["first", "second"], &[("PLATFORM_ASSETS", &assets)]).await.unwrap_or_else(|error| panic!("{error}"));
    let (first, second) = (Site::of(&fleet, "first").await, Site::of(&fleet, "second").await);
    let role = rights(&fleet, &assets);
    for site in [&first, &second] {
        apply(site.plane, &role).await.unwrap_or_else(|error| panic!("{error}"));
        site.install(&DEFINITIONS).await;
        site.prepare(&[FORKLIFT, DESCHEDULER]).await;
        site.create(POOL, &json!({"spec": {}})).await;
        updating(site, false).await;
    }
    // The second one has a HyperConverged of 2022.
    second.install(&[Definition::OldHyperConverged]).await;
    second.prepare(&[HCO]).await;
    second.create(HCO, &json!({"spec": {}})).await;
    obsolete_objects_go(&first).await;
    a_restart_writes_nothing(&first).await;
    one_cluster_at_a_time(&first, &second).await;
    a_catalogue_that_is_refused_turns_only_the_baseline_off(&first).await;
    first.nothing_was_forbidden();
    second.nothing_was_forbidden();
}

/// What passes with that catalogue need: the role of the chart is made of the one that is built in.
fn rights(fleet: &Fleet, assets: &str) -> String {
    let mut command = Command::new(fleet.binary("kubevirt-operator-controller"));
    command.args(["render", "--output=rbac", "--platform-assets", assets]);
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

async fn updating(site: &Site<'_>, updating: bool) {
    let condition = |kind: &str, is: bool| json!({"type": kind, "status": if is { "True" } else { "False" }});
    let status = json!({"status": {"conditions": [condition("Updating", updating), condition("Updated", !updating)]}});
    let patch = kube::api::Patch::Merge(&status);
    site.api(POOL).patch_status(POOL.3, &Default::default(), &patch).await.expect("a status");
}

async fn obsolete_objects_go(site: &Site<'_>) {
    let system: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(site.supervisor.clone());
    let supervisor = system.get("kube-system").await.expect("there").metadata.uid.expect("a uid");
    let mut metadata = ours();
    site.create(KEPT, &json!({"metadata": metadata})).await;
    metadata["labels"]["vitistack.io/supervisor"] = json!(supervisor);
    site.create(OLD, &json!({"metadata": metadata})).await;
    site.ask(&json!({"mode": "Enforce"})).await;
    let (old, kept) = ("tombstones/v1.1-cleanup/40-old-swap.yaml", "tombstones/v1.1-cleanup/41-made-by-hand.yaml");
    site.states(&[(old, "Withheld"), (kept, "Foreign"), ("swap-enable", "Withheld")]).await;
    site.ask(&json!({"nodeDisruption": "Allow"})).await;
    site.becomes(OLD, "gone", Value::is_null).await;
    site.states(&[(kept, "Foreign"), ("swap-enable", "Applied"), ("swap-optimization", "Applied")]).await;
    site.shows("nothing of what is gone", |status| of(status, old).is_null()).await;
    assert_ne!(site.get(KEPT).await, Value::Null, "D6: no supervisor's label is on it");
}

/// X88: the mark on the object outlives the process that set it.
async fn a_restart_writes_nothing(site: &Site<'_>) {
    site.annotate("enable-loadaware", Some("true")).await;
    site.state("descheduler-loadaware", "Applied").await;
    let theirs = json!({"spec": {"mode": "Predictive"}});
    let left = war::until_paused(site, DESCHEDULER, &theirs, |it| it["spec"]["mode"] == "Automatic").await;
    site.state("descheduler-loadaware", "Paused").await;
    site.goes_on("feature_ui_plugin").await;
    let controller = Component::Controller;
    site.fleet.stop(&controller, Stop::Gracefully).await.unwrap_or_else(|error| panic!("{error}"));
    let mark = site.mark();
    site.fleet.start(&controller).await.unwrap_or_else(|error| panic!("{error}"));
    site.goes_on("feature_validation").await;
    println!("a restart and one correction:\n{}", tests::audit::table(&count(&site.asked(mark))));
    assert_eq!(site.written(mark), ["patch forkliftcontrollers forklift-controller"], "B20");
    site.state("descheduler-loadaware", "Paused").await;
    assert_eq!(site.get(DESCHEDULER).await, left, "X88: a war does not go on because a process began anew");
}

/// X87. What was written a moment ago may not show in the pools yet, so it counts for two minutes.
async fn one_cluster_at_a_time(first: &Site<'_>, second: &Site<'_>) {
    updating(first, true).await;
    second.ask(&json!({"mode": "Enforce", "nodeDisruption": "Allow"})).await;
    second.states(&[("mtv-operator", "Applied"), ("swap-enable", "Withheld")]).await;
    let root = second.state("hco-golden-config", "Applied").await;
    assert!(root.contains("left out /spec/"), "P10: {root}");
    let says = second.state("swap-enable", "Withheld").await;
    assert!(says.contains("waits for the cluster first"), "X87: {says}");
    let debug = second.fleet.address(Endpoint::ControllerDebug).unwrap_or_else(|error| panic!("{error}"));
    let page = tests::probe::get(debug, "/debug/render/swap-enable?cluster=second").await.expect("a page");
    assert!(page.contains("and not now: waits for the cluster first"), "P9: what the pass says: {page}");
    second.goes_on("feature_ui_plugin").await;
    assert_eq!(second.get(SWAP).await, Value::Null, "X87");
    updating(first, false).await;
    let limit = Duration::from_secs(150);
    let applied = second.becomes(SWAP, "made when the first cluster is done", |it| !it.is_null());
    tokio::time::timeout(limit, applied).await.expect("within its time");
    second.states(&[("swap-enable", "Applied"), ("swap-optimization", "Applied")]).await;
    assert_ne!(second.get(WATERMARKS).await, Value::Null);
}

/// The process says so by name, and runs without a baseline.
async fn a_catalogue_that_is_refused_turns_only_the_baseline_off(site: &Site<'_>) {
    let folder = tempfile::tempdir().expect("a folder");
    catalogue(folder.path());
    let metadata = json!({"name": "mine", "annotations": {"platform.kubevirt.io/plural": "clusterroles"}});
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata});
    fs::write(folder.path().join("tombstones/role.yaml"), role.to_string()).expect("a file");
    let controller = Component::Controller;
    site.fleet.stop(&controller, Stop::Gracefully).await.unwrap_or_else(|error| panic!("{error}"));
    let assets = folder.path().display().to_string();
    let env = [("PLATFORM_ASSETS", assets.as_str())];
    site.fleet.start_with(&controller, &env).await.unwrap_or_else(|error| panic!("X94: the rest runs: {error}"));
    eventually("the log names what is refused", async || {
        let log = fs::read_to_string(site.fleet.processes().log("controller")).expect("a log");
        let said = log.contains("tombstones/role.yaml") && log.contains("ClusterRole");
        if said { Ok(()) } else { Err(log) }
    })
    .await;
}
