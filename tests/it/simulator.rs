//! The simulator on a real API server with KubeVirt's real CRDs: what the suites above it take for granted.

mod space;

use std::sync::Arc;

use serde_json::json;
use space::Space;
use tests::etcd::Etcd;
use tests::plane::Plane;
use tests::process::{Processes, Program, Stop};
use tests::{install, remote_crds};
use tokio::sync::OnceCell;

static PLANE: OnceCell<(Arc<Processes>, Plane)> = OnceCell::const_new();

/// A plane for this file with the simulator on it.
async fn plane() -> &'static Plane {
    &PLANE.get_or_init(async || up("simulated", "simulator").await.unwrap_or_else(|error| panic!("{error}"))).await.1
}

/// The remote's definitions come before the controllers, which look at discovery only now and then; they are applied
/// without a warning.
async fn up(name: &str, simulator_name: &str) -> tests::Result<(Arc<Processes>, Plane)> {
    let processes = Arc::new(Processes::kept()?);
    let etcd = Etcd::new(&processes)?;
    etcd.start().await?;
    let plane = Plane::new(&processes, &etcd, name)?;
    plane.start_apiserver().await?;
    let manifests = remote_crds::manifests().unwrap_or_else(|error| panic!("{error}"));
    let printed = install::apply(&plane, &manifests).await?;
    assert!(!printed.contains("Warning"), "{printed}");
    plane.start_controllers().await?;
    processes.start(&simulator(&plane, simulator_name))?;
    Ok((processes, plane))
}

fn simulator(plane: &Plane, name: &str) -> Program {
    let args = ["--kubeconfig".to_owned(), plane.kubeconfig().display().to_string()];
    let path = env!("CARGO_BIN_EXE_kubevirt-sim").into();
    Program { name: name.into(), path, args: args.into(), env: vec![("RUST_LOG".into(), "info,tests=debug".into())] }
}

#[tokio::test]
async fn a_machine_runs_stops_runs_again_and_leaves_nothing() {
    let space = Space::new(plane().await, "life").await;
    space.claim("web").await;
    space.machine("web").await;

    let vm = space.shows("web", "Running").await;
    assert_eq!((&vm["status"]["created"], &vm["status"]["observedGeneration"]), (&json!(true), &json!(1)), "{vm}");
    let vmi = space.api("vmi").get("web").await.expect("vmi");
    assert!(vmi.data["status"]["nodeName"].as_str().is_some_and(|node| node.starts_with("node-")), "{vmi:?}");
    assert!(
        vmi.data["status"]["interfaces"][0]["ipAddress"].as_str().is_some_and(|ip| ip.starts_with("10.")),
        "{vmi:?}"
    );
    let ready = space.shows("web", "Running").await;
    let ready =
        ready["status"]["conditions"].as_array().expect("conditions").iter().find(|c| c["type"] == "Ready").cloned();
    assert_eq!(ready.expect("Ready")["status"], "True");

    space.set("vm", "web", json!({ "spec": { "runStrategy": "Halted" } })).await;
    space.shows("web", "Stopped").await;
    space.is_gone("vmi", "web").await;
    space.set("vm", "web", json!({ "spec": { "runStrategy": "Always" } })).await;
    space.shows("web", "Running").await;
    let again = space.api("vmi").get("web").await.expect("vmi");
    assert_ne!(again.metadata.uid, vmi.metadata.uid, "another instance");

    let volume =
        space.api("pvc").get("web").await.expect("pvc").data["spec"]["volumeName"].as_str().expect("bound").to_owned();
    space.delete("vm", "web").await;
    space.is_gone("vm", "web").await;
    assert!(space.api("vmi").get_opt("web").await.expect("answer").is_none(), "the instance goes before the machine");
    space.delete("pvc", "web").await;
    space.is_gone("pvc", "web").await;
    space.is_gone("pv", &volume).await;
}

#[tokio::test]
async fn no_node_for_a_machine_until_there_is_one() {
    let space = Space::new(plane().await, "unschedulable").await;
    space.fail("unschedulable", "unschedulable/web*").await;
    space.claim("web-1").await;
    space.machine("web-1").await;
    let vm = space.shows("web-1", "ErrorUnschedulable").await;
    assert!(vm["status"]["conditions"].to_string().contains("nodes are available"), "{vm}");
    space.claim("db-1").await;
    space.machine("db-1").await;
    space.shows("db-1", "Running").await;
    space.fail("unschedulable", "").await;
    space.shows("web-1", "Running").await;
}

#[tokio::test]
async fn a_guest_that_crashes_is_started_again_and_recovers() {
    let space = Space::new(plane().await, "crash").await;
    space.fail("crash-loop", "crash/*").await;
    space.claim("web").await;
    space.machine("web").await;
    let vm = space.shows("web", "CrashLoopBackOff").await;
    assert!(vm["status"]["startFailure"]["consecutiveFailCount"].as_i64() >= Some(1), "{vm}");
    space.fail("crash-loop", "").await;
    let vm = space.shows("web", "Running").await;
    assert!(vm["status"]["startFailure"].is_null(), "{vm}");
}

#[tokio::test]
async fn a_disk_that_is_missing_pending_or_growing() {
    let space = Space::new(plane().await, "disks").await;
    space.fail("pvc-pending", "disks/web").await;
    space.machine("web").await;
    space.shows("web", "ErrorPvcNotFound").await;
    space.claim("web").await;
    space.shows("web", "WaitingForVolumeBinding").await;
    space.fail("pvc-pending", "").await;
    space.shows("web", "Running").await;
    space.set("pvc", "web", json!({ "spec": { "resources": { "requests": { "storage": "2Gi" } } } })).await;
    space.until("pvc", "web", |pvc| pvc.is_some_and(|pvc| pvc["status"]["capacity"]["storage"] == "2Gi")).await;

    let spec = json!({ "accessModes": ["ReadWriteOnce"], "storageClassName": "no-such-class", "resources": { "requests": { "storage": "1Gi" } } });
    space.create("pvc", spec, "lost").await;
    space.claim("found").await;
    space.until("pvc", "found", |pvc| pvc.is_some_and(|pvc| pvc["status"]["phase"] == "Bound")).await;
    assert_eq!(space.api("pvc").get("lost").await.expect("pvc").data["status"]["phase"], "Pending");
}

#[tokio::test]
async fn an_annotation_holds_a_deleted_instance_back() {
    let space = Space::new(plane().await, "stuck").await;
    space.claim("web").await;
    space.machine("web").await;
    space.shows("web", "Running").await;
    space
        .set("vm", "web", json!({ "metadata": { "annotations": { "sim.kubevirt.io/stuck-terminating": "true" } } }))
        .await;
    space.delete("vm", "web").await;
    space.shows("web", "Terminating").await;
    space.until("vmi", "web", |vmi| vmi.is_some_and(|vmi| vmi["status"]["phase"] == "Running")).await;
    space
        .set("vm", "web", json!({ "metadata": { "annotations": { "sim.kubevirt.io/stuck-terminating": null } } }))
        .await;
    space.is_gone("vm", "web").await;
}

/// On a plane of its own, because it goes away.
#[tokio::test]
async fn a_crowd_survives_the_death_of_the_simulator_and_of_the_api_server() {
    const CROWD: usize = 40;
    let (processes, plane) = up("shaken", "shaken-simulator").await.unwrap_or_else(|error| panic!("{error}"));
    let program = simulator(&plane, "shaken-simulator");
    let space = Space::new(&plane, "crowd").await;

    let names: Vec<String> = (0..CROWD).map(|n| format!("vm-{n}")).collect();
    for name in &names {
        space.claim(name).await;
        space.machine(name).await;
    }
    space.shows(&names[0], "Running").await;
    processes.stop(&program.name, Stop::AtOnce).await.expect("killed");
    processes.start(&program).expect("started again");
    plane.restart(Stop::AtOnce).await.unwrap_or_else(|error| panic!("{error}"));
    for name in &names {
        space.shows(name, "Running").await;
    }

    for name in &names {
        space.delete("vm", name).await;
        space.delete("pvc", name).await;
    }
    processes.stop(&program.name, Stop::AtOnce).await.expect("killed");
    processes.start(&program).expect("started again");
    for name in &names {
        space.is_gone("vm", name).await;
        space.is_gone("pvc", name).await;
    }
    for kind in ["vmi", "pv"] {
        space.none_left(kind).await;
    }
}
