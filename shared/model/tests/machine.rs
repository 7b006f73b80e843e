//! What a reconcile decides: from a Machine and what was seen of its cluster to an ordered list of writes and a status.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use model::api::{Machine, MachineStatus};
use model::machine::{Claim, Failure, Intent, Kind, Nic, Observed, Remote, Vm, Vmi, Write, plan, record, status};
use model::names::ClusterName;
use model::reason::Reason;
use serde_json::{Value, json};

const RESOLVED: &str = r#"{"template":"small","source":"built-in","cores":1,"threads":1,"sockets":1,"memory":"2Gi","disks":[
    {"name":"root","size":"20Gi","storageClass":"default","accessMode":"ReadWriteOnce"},
    {"name":"data","size":"100Gi","storageClass":"fast-ssd","accessMode":"ReadWriteMany","volumeMode":"Block"}]}"#;

fn machine(change: impl Fn(&mut Value)) -> Machine {
    let mut machine = json!({
        "apiVersion": "vitistack.io/v1alpha1", "kind": "Machine",
        "metadata": {
            "name": "web", "namespace": "shop", "uid": "m-1", "generation": 3, "resourceVersion": "7",
            "finalizers": ["machine.vitistack.io/cleanup"],
            "annotations": {"vitistack.io/kubevirt-config": "east", "vitistack.io/resolved": RESOLVED},
        },
        "spec": {"template": "small"},
        "status": {"kubevirtConfigRef": {"name": "east", "clusterId": "c-east"}},
    });
    change(&mut machine);
    serde_json::from_value(machine).expect("a Machine")
}

fn intent(change: impl Fn(&mut Value)) -> Intent {
    Intent::of(&machine(change), "vm-")
}

fn seen() -> Observed {
    Observed {
        supervisor: "sup".to_owned(),
        remote: Remote::Connected { id: "c-east".to_owned() },
        vm: None,
        vmi: None,
        claims: BTreeMap::new(),
        namespace_known: true,
        storage_classes: BTreeSet::new(),
        awaited: BTreeSet::new(),
    }
}

fn claims(phase: &str) -> BTreeMap<String, Claim> {
    let claim =
        |name: &str| (name.to_owned(), Claim { uid: format!("uid-{name}"), phase: phase.to_owned(), deleting: false });
    BTreeMap::from([claim("web-root"), claim("web-data")])
}

#[allow(clippy::unnecessary_wraps)] // reason: it is what `Observed` holds
fn vm(printable: &str) -> Option<Vm> {
    let desired = plan(&intent(|_| ()), &Observed { claims: claims("Bound"), ..seen() });
    let Some(Write::Create(Kind::Vm, name, object)) = desired.last().cloned() else { panic!("no VM in {desired:?}") };
    let hash = object["metadata"]["annotations"]["vitistack.io/desired-hash"].as_str().map(str::to_owned);
    Some(Vm {
        name,
        uid: "v-1".to_owned(),
        resource_version: "9".to_owned(),
        printable: printable.to_owned(),
        hash,
        ..Vm::default()
    })
}

#[allow(clippy::unnecessary_wraps)] // reason: it is what `Observed` holds
fn vmi(phase: &str, ready: bool) -> Option<Vmi> {
    let nic = Nic { name: Some("default".to_owned()), mac: None, ips: vec!["10.0.0.5".to_owned()] };
    Some(Vmi {
        name: "vm-web".to_owned(),
        phase: phase.to_owned(),
        ready,
        node: Some("n1".to_owned()),
        interfaces: vec![nic],
        unschedulable: None,
    })
}

fn running() -> Observed {
    Observed { vm: vm("Running"), vmi: vmi("Running", true), claims: claims("Bound"), ..seen() }
}

/// A plan in short: one word and one name for each write.
fn brief(writes: &[Write]) -> Vec<String> {
    let say = |write: &Write| match write {
        Write::Record { cluster, id } => format!("record {cluster}={id}"),
        Write::AskAdmission => "ask admission".to_owned(),
        Write::Release(_) => "release".to_owned(),
        Write::Create(kind, name, _) => format!("create {kind:?} {name}"),
        Write::Merge(kind, name, _) => format!("merge {kind:?} {name}"),
        Write::Delete(kind, name, uid) => format!("delete {kind:?} {name} {uid}"),
    };
    writes.iter().map(say).collect()
}

fn leaving(machine: &mut Value) {
    machine["metadata"]["deletionTimestamp"] = json!("2026-11-21T00:00:00Z");
}

fn policy(word: &'static str) -> impl Fn(&mut Value) {
    move |machine| {
        leaving(machine);
        machine["metadata"]["annotations"]["vitistack.io/deletion-policy"] = json!(word);
    }
}

#[test]
fn a_machine_is_made_true_in_the_order_of_effects() {
    let nothing = |_: &mut Value| ();
    let unrecorded = |machine: &mut Value| machine["status"] = json!({});
    let bare = |machine: &mut Value| machine["metadata"]["annotations"] = json!({});
    let foreign = |machine: &mut Value| machine["spec"]["provider"] = json!("aws");
    let away = |remote: Remote| Observed { remote, ..seen() };
    let awaited = BTreeSet::from([
        (Kind::Claim, "web-root".to_owned()),
        (Kind::Claim, "web-data".to_owned()),
        (Kind::Vm, "vm-web".to_owned()),
    ]);
    let edited = |machine: &mut Value| machine["spec"]["runStrategy"] = json!("Halted");
    let dying = Observed { vm: vm("Running").map(|vm| Vm { deleting: true, ..vm }), ..running() };
    #[rustfmt::skip]
    let cases: Vec<(&str, Intent, Observed, Vec<&str>)> = vec![
        ("X58: the identity comes first, alone", intent(unrecorded), seen(), vec!["record east=c-east"]),
        ("X17: namespace, disks, VM last", intent(nothing), Observed { namespace_known: false, ..seen() },
            vec!["create Namespace shop", "create Claim web-root", "create Claim web-data", "create Vm vm-web"]),
        ("only what is missing", intent(nothing), Observed { claims: claims("Pending"), ..seen() }, vec!["create Vm vm-web"]),
        ("what was created is not created again", intent(nothing), Observed { awaited: awaited.clone(), ..seen() }, vec![]),
        ("nothing left to do", intent(nothing), running(), vec![]),
        ("KVO20: an edit reaches the VM", intent(edited), running(), vec!["merge Vm vm-web"]),
        ("R13: a dying VM is waited for", intent(edited), dying.clone(), vec![]),
        ("unknown is not absent", intent(nothing), away(Remote::Unreachable("down".to_owned())), vec![]),
        ("no config, no write", intent(nothing), away(Remote::Missing), vec![]),
        ("R7: another cluster, no write", intent(nothing), away(Remote::Connected { id: "other".to_owned() }), vec![]),
        ("X11: the controller asks, and never places", intent(bare), seen(), vec!["ask admission"]),
        ("another provider's", intent(foreign), seen(), vec![]),

        ("X58: nothing was made, released at once", intent(|m| { leaving(m); m["status"] = json!({}); }), away(Remote::Missing), vec!["release"]),
        ("X17: the VM goes first", intent(leaving), running(), vec!["delete Vm vm-web v-1"]),
        ("X17: it is waited for", intent(leaving), dying, vec![]),
        ("X17: and so is its instance", intent(leaving), Observed { vm: None, ..running() }, vec![]),
        ("X17: then the disks", intent(leaving), Observed { vm: None, vmi: None, ..running() },
            vec!["delete Claim web-data uid-web-data", "delete Claim web-root uid-web-root"]),
        ("X17: released when nothing is left", intent(leaving), seen(), vec!["release"]),
        ("a creation on its way is waited for", intent(leaving), Observed { awaited, ..seen() }, vec![]),
        ("R3: a cluster that is away keeps the finalizer", intent(leaving), away(Remote::Unreachable("down".to_owned())), vec![]),
        ("R7: so does another cluster", intent(leaving), away(Remote::Connected { id: "other".to_owned() }), vec![]),
        ("X57: Retain takes the VM", intent(policy("Retain")), running(), vec!["delete Vm vm-web v-1"]),
        ("X57: and lets the disks go", intent(policy("Retain")), Observed { vm: None, vmi: None, ..running() }, vec!["merge Claim web-data", "merge Claim web-root"]),
        ("X57: Orphan stops nothing", intent(policy("Orphan")), running(), vec!["merge Vm vm-web", "merge Claim web-data", "merge Claim web-root"]),
        ("X57: and is done", intent(policy("Orphan")), seen(), vec!["release"]),
    ];
    for (name, intent, seen, want) in cases {
        assert_eq!(brief(&plan(&intent, &seen)), want, "{name}");
    }
}

#[test]
fn x13_an_owner_reference_is_set_only_where_the_cluster_is_the_supervisor() {
    let object = |seen: Observed| match plan(&intent(|_| ()), &seen).pop() {
        Some(Write::Create(Kind::Vm, _, object)) => object,
        other => panic!("{other:?}"),
    };
    assert_eq!(object(seen())["metadata"]["ownerReferences"], Value::Null);
    let same = Observed { supervisor: "c-east".to_owned(), ..seen() };
    assert_eq!(object(same)["metadata"]["ownerReferences"][0]["uid"], "m-1");
}

#[test]
fn x14_c16_c18_the_vm_is_the_machines_in_labels_size_and_disks() {
    let Some(Write::Create(Kind::Vm, _, vm)) = plan(&intent(|_| ()), &seen()).pop() else { panic!("no VM") };
    let labels = json!({
        "vitistack.io/managed-by": "kubevirt-operator", "vitistack.io/machine": "web", "vitistack.io/source-machine": "web",
        "vitistack.io/machine-uid": "m-1", "vitistack.io/supervisor": "sup",
    });
    assert_eq!(vm["apiVersion"], "kubevirt.io/v1");
    assert_eq!((&vm["metadata"]["name"], &vm["metadata"]["namespace"]), (&json!("vm-web"), &json!("shop")));
    assert_eq!((&vm["metadata"]["labels"], &vm["spec"]["template"]["metadata"]["labels"]), (&labels, &labels));
    assert_eq!(vm["spec"]["runStrategy"], "Always");
    let spec = &vm["spec"]["template"]["spec"];
    assert_eq!(spec["domain"]["cpu"], json!({"cores": 1, "threads": 1, "sockets": 1}));
    assert_eq!(spec["domain"]["memory"], json!({"guest": "2Gi"}));
    assert_eq!(
        spec["domain"]["devices"]["disks"],
        json!([
            {"name": "root", "disk": {"bus": "virtio"}, "bootOrder": 1}, {"name": "data", "disk": {"bus": "virtio"}},
        ])
    );
    assert_eq!(
        spec["domain"]["devices"]["interfaces"],
        json!([{"name": "default", "masquerade": {}, "model": "virtio"}]),
        "X64"
    );
    assert_eq!(spec["networks"], json!([{"name": "default", "pod": {}}]));
    assert_eq!(
        spec["volumes"],
        json!([
            {"name": "root", "persistentVolumeClaim": {"claimName": "web-root"}}, {"name": "data", "persistentVolumeClaim": {"claimName": "web-data"}},
        ])
    );
}

#[test]
fn x16_x23_a_claim_for_each_disk_and_default_means_the_clusters_default() {
    let claims = |classes: &[&str]| -> Vec<Value> {
        let seen = Observed { storage_classes: classes.iter().map(|name| (*name).to_owned()).collect(), ..seen() };
        plan(&intent(|_| ()), &seen)
            .into_iter()
            .filter_map(|write| match write {
                Write::Create(Kind::Claim, _, object) => Some(object),
                _ => None,
            })
            .collect()
    };
    let other = claims(&["fast-ssd"]);
    assert_eq!(other[0]["metadata"]["name"], "web-root");
    assert_eq!(other[0]["metadata"]["labels"]["vitistack.io/machine"], "web", "C40");
    assert_eq!(
        other[0]["spec"],
        json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Gi"}}})
    );
    assert_eq!(
        other[1]["spec"],
        json!({
            "accessModes": ["ReadWriteMany"], "volumeMode": "Block", "storageClassName": "fast-ssd", "resources": {"requests": {"storage": "100Gi"}},
        })
    );
    assert_eq!(claims(&["default", "fast-ssd"])[0]["spec"]["storageClassName"], "default", "a class of that name wins");
}

#[test]
fn an_edit_is_a_merge_bound_to_the_version_that_was_seen() {
    let writes = plan(&intent(|machine| machine["spec"]["runStrategy"] = json!("Halted")), &running());
    let Write::Merge(Kind::Vm, _, change) = &writes[0] else { panic!("{writes:?}") };
    assert_eq!((&change["metadata"]["uid"], &change["metadata"]["resourceVersion"]), (&json!("v-1"), &json!("9")));
    assert_eq!(change["spec"]["runStrategy"], "Halted");
    assert_eq!(change["spec"]["template"]["spec"]["domain"].get("firmware"), None, "KubeVirt's firmware UUID stays");
}

#[test]
fn x2_the_name_of_a_vm_is_prefixed_once_and_then_kept() {
    let name = |change: fn(&mut Value), prefix: &str| {
        Intent::of(&machine(change), prefix).identity().map(|it| it.vm.name.clone())
    };
    assert_eq!(name(|_| (), "vm-").as_deref(), Some("vm-web"));
    assert_eq!(name(|_| (), "").as_deref(), Some("web"), "a drop-in upgrade");
    assert_eq!(
        name(|machine| machine["status"]["vmName"] = json!("web"), "vm-").as_deref(),
        Some("web"),
        "a changed prefix loses no VM"
    );
}

#[test]
fn an_assignment_that_was_spoilt_is_said_and_nothing_is_written() {
    let moved = intent(|machine| machine["metadata"]["annotations"]["vitistack.io/kubevirt-config"] = json!("west"));
    let broken = intent(|machine| machine["metadata"]["annotations"]["vitistack.io/resolved"] = json!("{}"));
    for (intent, says) in [(moved, "the VM is on \"east\""), (broken, "cannot be read")] {
        assert_eq!(plan(&intent, &running()), []);
        let shown = status(&MachineStatus::default(), &intent, &running(), None, now(1));
        assert_eq!(shown.phase.as_deref(), Some("Failed"));
        assert!(shown.message.as_deref().unwrap_or_default().contains(says), "{:?}", shown.message);
    }
}

fn now(second: i64) -> Time {
    Time(Timestamp::from_second(second).expect("a time"))
}

fn condition(status: &MachineStatus, kind: &str) -> String {
    let found = status.conditions.iter().find(|condition| condition.type_ == kind);
    found.map(|condition| format!("{}/{}", condition.status, condition.reason)).unwrap_or_default()
}

#[test]
fn c21_c26_c51_c52_c53_x18_what_was_seen_becomes_phase_and_conditions() {
    let unschedulable = Observed {
        vm: vm("ErrorUnschedulable"),
        vmi: vmi("Scheduling", false).map(|vmi| Vmi {
            unschedulable: Some("0/3 nodes are available".to_owned()),
            interfaces: vec![],
            ..vmi
        }),
        claims: claims("Bound"),
        ..seen()
    };
    let away = Observed { remote: Remote::Unreachable("no route".to_owned()), ..running() };
    let failed = |reason| Some(Failure { reason, message: "said so".to_owned() });
    #[rustfmt::skip]
    let cases = [
        ("nothing there yet",     seen(), None, "Creating", "False/PVCPending", "False/VMPending", "False/PVCPending", "True/Connected"),
        ("disks are not bound",   Observed { vm: vm("WaitingForVolumeBinding"), claims: claims("Pending"), ..seen() }, None, "Creating", "False/PVCPending", "True/VMCreated", "False/PVCPending", "True/Connected"),
        ("starting",              Observed { vm: vm("Starting"), vmi: vmi("Scheduling", false), claims: claims("Bound"), ..seen() }, None, "Creating", "False/Creating", "True/VMCreated", "True/PVCBound", "True/Connected"),
        ("running",               running(), None, "Running", "True/Running", "True/VMCreated", "True/PVCBound", "True/Connected"),
        ("running, not ready",    Observed { vmi: vmi("Running", false), ..running() }, None, "Creating", "False/Creating", "True/VMCreated", "True/PVCBound", "True/Connected"),
        ("stopped is no success", Observed { vm: vm("Stopped"), vmi: None, ..running() }, None, "Stopped", "False/Stopped", "True/VMCreated", "True/PVCBound", "True/Connected"),
        ("stopping",              Observed { vm: vm("Stopping"), vmi: vmi("Running", false), ..running() }, None, "Stopping", "False/Stopping", "True/VMCreated", "True/PVCBound", "True/Connected"),
        ("unschedulable",         unschedulable, None, "Creating", "False/VMFailed", "False/VMFailed", "True/PVCBound", "True/Connected"),
        ("crashing",              Observed { vm: vm("CrashLoopBackOff"), vmi: None, ..running() }, None, "Failed", "False/VMFailed", "False/VMFailed", "True/PVCBound", "True/Connected"),
        ("refused by KubeVirt",   Observed { claims: claims("Bound"), ..seen() }, failed(Reason::VmRefused), "Failed", "False/VMRefused", "False/VMRefused", "True/PVCBound", "True/Connected"),
        ("a stranger's VM",       Observed { claims: claims("Bound"), ..seen() }, failed(Reason::Conflict), "Failed", "False/Conflict", "False/Conflict", "True/PVCBound", "True/Connected"),
        ("KubeVirt is down",      Observed { claims: claims("Bound"), ..seen() }, failed(Reason::KubeVirtApiError), "Creating", "False/KubeVirtApiError", "False/KubeVirtApiError", "True/PVCBound", "True/Connected"),
        ("R1: cluster is away",   away, None, "Pending", "Unknown/ClusterUnreachable", "Unknown/ClusterUnreachable", "Unknown/ClusterUnreachable", "False/ClusterUnreachable"),
    ];
    for (name, seen, failure, phase, ready, machine, storage, cluster) in cases {
        let shown = status(&MachineStatus::default(), &intent(|_| ()), &seen, failure.as_ref(), now(1));
        assert_eq!(shown.phase.as_deref(), Some(phase), "{name}");
        assert_eq!(condition(&shown, "Ready"), ready, "{name}");
        assert_eq!(condition(&shown, "VirtualMachineReady"), machine, "{name}");
        assert_eq!(condition(&shown, "StorageReady"), storage, "{name}");
        assert_eq!(condition(&shown, "ClusterReachable"), cluster, "{name}");
        assert_eq!(shown.failure_reason.is_some(), phase == "Failed", "{name}: X79");
        assert_eq!(shown.observed_generation, Some(3), "{name}");
    }
}

#[test]
fn c10_x71_a_running_machine_shows_where_it_is() {
    let shown = status(&MachineStatus::default(), &intent(|_| ()), &running(), None, now(1));
    assert_eq!(shown.vm_name.as_deref(), Some("vm-web"));
    assert_eq!(shown.vmi_name.as_deref(), Some("vm-web"));
    assert_eq!(shown.ip_addresses, ["10.0.0.5"]);
    assert_eq!(shown.private_ip_addresses, ["10.0.0.5"]);
    assert_eq!(shown.node_name.as_deref(), Some("n1"));
    assert_eq!(shown.resource_version.as_deref(), Some("9"));
    let recorded = shown.kubevirt_config_ref.expect("a cluster");
    assert_eq!((recorded.name.as_deref(), recorded.cluster_id.as_deref()), (Some("east"), Some("c-east")));
}

#[test]
fn kvo16_a_status_that_says_nothing_new_is_not_written() {
    let first = status(&MachineStatus::default(), &intent(|_| ()), &running(), None, now(1));
    let mut later = running();
    later.vm = later.vm.map(|vm| Vm { resource_version: "10".to_owned(), ..vm });
    assert_eq!(status(&first, &intent(|_| ()), &later, None, now(99)), first);
}

#[test]
fn kvo15_x19_a_failure_leaves_no_trace_once_its_cause_is_gone() {
    let failure = Failure { reason: Reason::VmRefused, message: "cpu".to_owned() };
    let failed = status(&MachineStatus::default(), &intent(|_| ()), &seen(), Some(&failure), now(1));
    assert_eq!((failed.phase.as_deref(), failed.failure_reason.as_deref()), (Some("Failed"), Some("VMRefused")));
    let mended = status(&failed, &intent(|_| ()), &running(), None, now(2));
    assert_eq!((mended.phase.as_deref(), mended.failure_reason, mended.failure_message), (Some("Running"), None, None));
}

#[test]
fn times_of_conditions_change_only_with_their_status() {
    let time = |status: &MachineStatus| {
        status.conditions.iter().find(|it| it.type_ == "Ready").and_then(|it| it.last_transition_time.clone())
    };
    let first = status(&MachineStatus::default(), &intent(|_| ()), &seen(), None, now(1));
    let starting = Observed { vm: vm("Starting"), claims: claims("Bound"), ..seen() };
    let second = status(&first, &intent(|_| ()), &starting, None, now(2));
    assert_ne!(condition(&first, "Ready"), condition(&second, "Ready"), "the reason changed");
    assert_eq!(time(&second), Some(now(1)), "but it is as false as before");
    assert_eq!(time(&status(&second, &intent(|_| ()), &running(), None, now(3))), Some(now(3)));
}

#[test]
fn a_burst_of_small_changes_costs_one_write_and_a_transition_never_waits() {
    let creating = record(
        &MachineStatus::default(),
        &intent(|machine| machine["status"] = json!({})),
        &ClusterName("east".to_owned()),
        "c-east",
        now(100),
    );
    let shown = |previous: &MachineStatus, seen: &Observed, at| status(previous, &intent(|_| ()), seen, None, now(at));
    let starting = Observed { vm: vm("Starting"), claims: claims("Bound"), ..seen() };
    let away = Observed { remote: Remote::Unreachable("down".to_owned()), ..running() };
    let ready = shown(&creating, &running(), 102);
    #[rustfmt::skip]
    let cases = [
        ("the first status of all",     MachineStatus::default(), seen(),           101, 0),
        ("progress soon after",         creating.clone(),         starting.clone(), 101, 4),
        ("progress that has waited",    creating.clone(),         starting,         105, 0),
        ("it runs",                     creating,                 running(),        102, 0),
        ("its cluster is away",         ready,                    away,             103, 0),
    ];
    for (name, previous, seen, at, want) in cases {
        let next = shown(&previous, &seen, at);
        assert_ne!(next, previous, "{name}: something changed");
        assert_eq!(model::machine::status::patience(&previous, &next, &now(at)).as_secs(), want, "{name}");
    }
}

#[test]
fn recording_the_identity_is_the_first_status() {
    let unrecorded = intent(|machine| machine["status"] = json!({}));
    let shown = record(&MachineStatus::default(), &unrecorded, &ClusterName("east".to_owned()), "c-east", now(1));
    assert_eq!(shown.phase.as_deref(), Some("Creating"));
    assert_eq!(shown.kubevirt_config_ref.and_then(|it| it.cluster_id).as_deref(), Some("c-east"));
}

#[test]
fn a_deletion_says_what_it_waits_for() {
    let said = |seen: &Observed| {
        status(&MachineStatus::default(), &intent(leaving), seen, None, now(1)).message.unwrap_or_default()
    };
    assert_eq!(
        said(&Observed { vmi: None, ..running() }),
        "waiting until these are gone: VirtualMachine vm-web, PersistentVolumeClaim web-data, PersistentVolumeClaim web-root"
    );
    let away = Observed { remote: Remote::Unreachable("no route".to_owned()), ..seen() };
    assert_eq!(said(&away), "deletion waits: cluster \"east\": no route");
}
