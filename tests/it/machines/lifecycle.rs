//! From apply to Running to gone.

use kube::api::{DynamicObject, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt};
use model::names::CLEANUP;
use serde_json::{Value, json};

use tests::fleet::Endpoint;
use tests::install::kubectl;
use tests::plane::Plane;
use tests::probe;
use tests::wait::eventually;

use super::requests::told;
use super::{Ground, condition, fail, machine, said};
use crate::fleet::shared;
use crate::table::every_row;

/// The API groups of a plane that are ours or KubeVirt's.
async fn groups(plane: &Plane) -> Vec<String> {
    let found = said(kubectl(plane, &["get", "--raw", "/apis"], "").await).expect("the groups");
    let found: Value = serde_json::from_str(&found).expect("JSON");
    let all = found["groups"].as_array().into_iter().flatten().filter_map(|group| group["name"].as_str());
    let ours = |name: &&str| ["vitistack.io", "kubevirt.io"].contains(name);
    all.filter(ours).map(str::to_owned).collect()
}

#[tokio::test]
async fn b1_b12_b24_c2_c14_c15_c22_c40_x15_a_machine_runs_on_its_cluster_and_leaves_nothing() {
    let ground = Ground::new(shared().await, "life").await;
    let spec = json!({
        "template": "medium", "resources": {"cpu": {"cores": 4}, "memory": {"size": "8Gi"}},
        "disks": [{"name": "data", "size": "100Gi", "storageClass": "fast-ssd"}],
    });
    ground.applied(&machine("web", Some("west"), &spec)).await;
    let running = ground.running("web").await;
    let status = running.status.as_ref().expect("a status");
    assert!(status.node_name.as_deref().is_some_and(|node| !node.is_empty()), "{status:?}");
    assert!(status.ip_addresses.first().is_some_and(|ip| ip.starts_with("10.")), "{status:?}");
    assert_eq!((status.vm_name.as_deref(), status.vmi_name.as_deref()), (Some("vm-web"), Some("vm-web")));
    assert_eq!(condition(&running, "Ready"), "True/Running");
    assert_eq!(condition(&running, "StorageReady"), "True/PVCBound");

    let vm = ground.remote("west", "VirtualMachine", "kubevirt.io").await.get("vm-web").await.expect("the VM");
    let guest = &vm.data["spec"]["template"]["spec"];
    assert_eq!(
        (&guest["domain"]["cpu"]["cores"], &guest["domain"]["memory"]["guest"]),
        (&json!(4), &json!("8Gi")),
        "C14"
    );
    let disks = json!([
        {"name": "root", "disk": {"bus": "virtio"}, "bootOrder": 1},
        {"name": "data", "disk": {"bus": "virtio"}},
    ]);
    let volumes = json!([
        {"name": "root", "persistentVolumeClaim": {"claimName": "web-root"}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "web-data"}},
    ]);
    assert_eq!((&guest["domain"]["devices"]["disks"], &guest["volumes"]), (&disks, &volumes), "C22");
    let vmi =
        ground.remote("west", "VirtualMachineInstance", "kubevirt.io").await.get("vm-web").await.expect("it runs");
    let seen = (&vmi.data["status"]["nodeName"], &vmi.data["status"]["interfaces"][0]["ipAddress"]);
    let shown = (&json!(status.node_name), &json!(status.ip_addresses[0]));
    assert_eq!(shown, seen, "B12: what the supervisor shows is what the cluster has");
    assert_eq!(vm.metadata.owner_references, None, "X13: another cluster's garbage collector would delete it");
    let claims = ground.remote("west", "PersistentVolumeClaim", "").await;
    let of = async |name: &str| claims.get(name).await.expect(name).data["spec"].clone();
    let (root, data) = (of("web-root").await, of("web-data").await);
    assert_eq!(
        (&root["resources"]["requests"]["storage"], &root["storageClassName"]),
        (&json!("40Gi"), &json!("default")),
        "C14: the template's disk is kept"
    );
    assert_eq!(
        (&data["resources"]["requests"]["storage"], &data["storageClassName"]),
        (&json!("100Gi"), &json!("fast-ssd"))
    );
    assert_eq!(ground.remains("west", "web").await.len(), 4, "VM, instance and two claims");
    assert_eq!(ground.remains("east", "web").await, Vec::<String>::new(), "and nothing anywhere else");
    let supervisor = ground.fleet.supervisor();
    let claimed = kubectl(supervisor, &["get", "pvc", "--namespace", "life", "--output", "name"], "").await;
    assert_eq!(said(claimed).as_deref(), Ok(""), "X15: a claim is where the VM runs");
    assert_eq!(groups(supervisor).await, ["vitistack.io"], "B1: no KubeVirt on the supervisor");
    assert_eq!(
        groups(ground.fleet.remote("west").expect("west")).await,
        ["kubevirt.io"],
        "B1: and no Machines on a remote"
    );

    ground.delete("web").await;
    ground.gone("web").await;
    assert_eq!(ground.remains("west", "web").await, Vec::<String>::new());
}

#[tokio::test]
async fn c21_fr10_kvo18_x18_a_machine_stops_and_starts_with_its_run_strategy() {
    let ground = Ground::new(shared().await, "strategy").await;
    ground.applied(&machine("db", Some("east"), &json!({"template": "small"}))).await;
    ground.running("db").await;
    ground.applied(&machine("db", Some("east"), &json!({"template": "small", "runStrategy": "Halted"}))).await;
    let stopped = ground.until("db", "Stopped", |machine| super::phase(machine) == "Stopped").await;
    assert_eq!(condition(&stopped, "Ready"), "True/Stopped", "X95: as declared");
    let args = ["wait", "--namespace", "strategy", "--for=condition=Ready", "--timeout=10s", "machine/db"];
    let waited = said(kubectl(ground.fleet.supervisor(), &args, "").await);
    assert_eq!(waited.as_deref(), Ok("machine.vitistack.io/db condition met\n"), "FR10: it is what it should be");
    let status = stopped.status.expect("a status");
    assert_eq!(status.ip_addresses, Vec::<String>::new());
    every_row(["Ready", "VirtualMachineReady", "StorageReady", "NetworkReady"], |kind| {
        let found = status.conditions.iter().find(|it| it.type_ == kind).unwrap_or_else(|| panic!("KVO18: no {kind}"));
        assert!(found.last_transition_time.is_some() && found.observed_generation == Some(2), "KVO18: {found:?}");
    });
    told(&ground, "db", "Stopped").await;
    let metrics = ground.fleet.address(Endpoint::ControllerMetrics).unwrap_or_else(|error| panic!("{error}"));
    eventually("KVO18: a stopped Machine is counted as Stopped", async || {
        let text = probe::get(metrics, "/metrics").await?;
        let counted = "kubevirt_operator_machines_total{phase=\"Stopped\",template=\"small\"} ";
        if text.contains(counted) && !text.contains("phase=\"Succeeded\"") { Ok(()) } else { Err(text) }
    })
    .await;
    ground.applied(&machine("db", Some("east"), &json!({"template": "small", "runStrategy": "Always"}))).await;
    ground.running("db").await;
}

#[tokio::test]
async fn b24_fr6_x96_a_vm_that_was_stopped_on_the_cluster_stays_so_until_its_machine_says_otherwise() {
    let ground = Ground::new(shared().await, "power").await;
    ground.applied(&machine("db", Some("east"), &json!({"template": "small"}))).await;
    ground.running("db").await;
    // What `virtctl stop` does.
    let vms = ground.remote("east", "VirtualMachine", "kubevirt.io").await;
    let stop = Patch::Merge(json!({"spec": {"runStrategy": "Halted"}}));
    vms.patch("vm-db", &PatchParams::default(), &stop).await.expect("stopped");
    ground.until("db", "Stopped", |machine| super::phase(machine) == "Stopped").await;
    let bigger = json!({"template": "small", "resources": {"memory": {"size": "3Gi"}}});
    ground.applied(&machine("db", Some("east"), &bigger)).await;
    let grown = grown(vms, "vm-db").await;
    assert_eq!(grown.data["spec"]["runStrategy"], "Halted", "an edit of another field starts nothing");
    let declared = json!({"template": "small", "resources": {"memory": {"size": "3Gi"}}, "runStrategy": "Always"});
    ground.applied(&machine("db", Some("east"), &declared)).await;
    ground.running("db").await;
}

#[tokio::test]
async fn kvo20_an_edited_size_reaches_the_vm() {
    let ground = Ground::new(shared().await, "edited").await;
    ground.applied(&machine("grow", Some("east"), &json!({"template": "small"}))).await;
    ground.running("grow").await;
    ground
        .applied(&machine(
            "grow",
            Some("east"),
            &json!({"template": "small", "resources": {"memory": {"size": "3Gi"}}}),
        ))
        .await;
    let vms = ground.remote("east", "VirtualMachine", "kubevirt.io").await;
    grown(vms, "vm-grow").await;
}

/// Waits until a VM has 3 GiB.
async fn grown(vms: Api<DynamicObject>, name: &str) -> DynamicObject {
    let grown = await_condition(vms, name, |vm: Option<&DynamicObject>| {
        vm.is_some_and(|vm| vm.data["spec"]["template"]["spec"]["domain"]["memory"]["guest"] == "3Gi")
    });
    tokio::time::timeout(super::LIMIT, grown).await.expect("in time").expect("a watch").expect("the VM")
}

#[tokio::test]
async fn c39_what_keeps_a_machine_from_running_is_said_and_cleared_when_it_ends() {
    let ground = Ground::new(shared().await, "stuck").await;
    let west = ground.fleet.remote("west").expect("west");
    fail(west, "unschedulable", "stuck/vm-full\n").await;
    fail(west, "pvc-pending", "stuck/slow-*\n").await;
    ground.applied(&machine("full", Some("west"), &json!({"template": "small"}))).await;
    ground.applied(&machine("slow", Some("west"), &json!({"template": "small"}))).await;
    ground
        .until("full", "unschedulable", |machine| condition(machine, "VirtualMachineReady") == "False/VMFailed")
        .await;
    ground.until("slow", "waiting for its disk", |machine| condition(machine, "Ready") == "False/PVCPending").await;
    fail(west, "unschedulable", "").await;
    fail(west, "pvc-pending", "").await;
    assert_eq!(condition(&ground.running("full").await, "VirtualMachineReady"), "True/VMCreated");
    assert_eq!(condition(&ground.running("slow").await, "StorageReady"), "True/PVCBound");
}

#[tokio::test]
async fn a_finalizer_that_was_taken_off_comes_back_before_anything_leaks() {
    let ground = Ground::new(shared().await, "replaced").await;
    ground.applied(&machine("web", Some("east"), &json!({"template": "small"}))).await;
    ground.running("web").await;
    let bare = json!({"metadata": {"finalizers": null}});
    ground.machines().patch("web", &PatchParams::default(), &Patch::Merge(bare)).await.expect("patched");
    ground.until("web", "guarded again", |machine| machine.finalizers() == [CLEANUP]).await;
    ground.delete("web").await;
    ground.gone("web").await;
    assert_eq!(ground.remains("east", "web").await, Vec::<String>::new());
}

#[tokio::test]
async fn fr20_x57_retained_disks_and_an_orphaned_vm_stay_and_are_said_to_be_kept() {
    let ground = Ground::new(shared().await, "kept").await;
    for (name, policy) in [("disks", "Retain"), ("all", "Orphan")] {
        let mut machine = machine(name, Some("west"), &json!({"template": "small"}));
        machine["metadata"]["annotations"]["vitistack.io/deletion-policy"] = json!(policy);
        ground.applied(&machine).await;
        ground.running(name).await;
        ground.delete(name).await;
        ground.gone(name).await;
        // An instance keeps the labels that it was started with; the next one of an orphaned VM has none of ours.
        let left = ground.remains("west", name).await;
        assert!(left.iter().all(|it| it == "virtualmachineinstance.kubevirt.io/vm-all"), "{left:?}");
    }
    let claims = ground.remote("west", "PersistentVolumeClaim", "").await;
    for claim in ["disks-root", "all-root"] {
        let kept = claims.get(claim).await.expect(claim);
        assert_eq!(kept.labels()["vitistack.io/retained"], "true", "{claim}");
    }
    let vms = ground.remote("west", "VirtualMachine", "kubevirt.io").await;
    assert!(vms.get_opt("vm-disks").await.expect("an answer").is_none());
    let orphan = vms.get("vm-all").await.expect("the orphan");
    assert_eq!(orphan.annotations()["vitistack.io/retained-from"], "kept/all");
    assert_eq!(orphan.data["status"]["printableStatus"], "Running", "nothing was stopped");
    let mut again = machine("again", Some("west"), &json!({"template": "small"}));
    again["spec"]["disks"] = json!([{"name": "data", "size": "1Gi", "source": {"retained": "disks-root"}}]);
    let before = claims.get("disks-root").await.expect("kept").uid();
    ground.applied(&again).await;
    ground.running("again").await;
    assert_eq!(claims.get("disks-root").await.expect("its disk").uid(), before);
}
