//! What a Machine shows of itself.

use model::machine::status::{change, patience, transition, without_mirror};

use super::*;

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
    let refused = Observed {
        vm: vm("Starting"),
        vmi: vmi("Pending", false)
            .map(|vmi| Vmi { failure: Some("no PriorityClass with name high was found".to_owned()), ..vmi }),
        claims: claims("Bound"),
        ..seen()
    };
    let away = Observed { remote: Remote::Unreachable("no route".to_owned()), ..running() };
    let failed = |reason| Some(Failure { reason, message: "said so".to_owned() });
    #[rustfmt::skip]
    let cases = vec![
        ("nothing there yet",     seen(), None, "Creating", "False/PVCPending", "False/VMPending", "False/PVCPending", "True/Connected"),
        ("disks are not bound",   Observed { vm: vm("WaitingForVolumeBinding"), claims: claims("Pending"), ..seen() }, None, "Creating", "False/PVCPending", "True/VMCreated", "False/PVCPending", "True/Connected"),
        ("starting",              Observed { vm: vm("Starting"), vmi: vmi("Scheduling", false), claims: claims("Bound"), ..seen() }, None, "Creating", "False/Creating", "True/VMCreated", "True/PVCBound", "True/Connected"),
        ("running",               running(), None, "Running", "True/Running", "True/VMCreated", "True/PVCBound", "True/Connected"),
        ("running, not ready",    Observed { vmi: vmi("Running", false), ..running() }, None, "Creating", "False/Creating", "True/VMCreated", "True/PVCBound", "True/Connected"),
        ("stopped is no success", Observed { vm: vm("Stopped"), vmi: None, ..running() }, None, "Stopped", "False/Stopped", "True/VMCreated", "True/PVCBound", "True/Connected"),
        ("a node is drained",     Observed { vm: vm("Migrating"), ..running() }, None, "Running", "True/Running", "True/VMCreated", "True/PVCBound", "True/Connected"),
        ("finished, instance left", Observed { vm: vm("Stopped"), vmi: vmi("Succeeded", false), ..running() }, None, "Stopped", "False/Stopped", "True/VMCreated", "True/PVCBound", "True/Connected"),
        ("an edit is refused, the VM runs", running(), failed(Reason::VmRefused), "Running", "True/Running", "False/VMRefused", "True/PVCBound", "True/Connected"),
        ("stopping",              Observed { vm: vm("Stopping"), vmi: vmi("Running", false), ..running() }, None, "Stopping", "False/Stopping", "True/VMCreated", "True/PVCBound", "True/Connected"),
        ("unschedulable",         unschedulable, None, "Creating", "False/VMFailed", "False/VMFailed", "True/PVCBound", "True/Connected"),
        ("C39: its pod is refused", refused,                 None, "Creating", "False/VMFailed", "False/VMFailed", "True/PVCBound", "True/Connected"),
        ("crashing",              Observed { vm: vm("CrashLoopBackOff"), vmi: None, ..running() }, None, "Failed", "False/VMFailed", "False/VMFailed", "True/PVCBound", "True/Connected"),
        ("refused by KubeVirt",   Observed { claims: claims("Bound"), ..seen() }, failed(Reason::VmRefused), "Failed", "False/VMRefused", "False/VMRefused", "True/PVCBound", "True/Connected"),
        ("a stranger's VM",       Observed { claims: claims("Bound"), ..seen() }, failed(Reason::Conflict), "Failed", "False/Conflict", "False/Conflict", "True/PVCBound", "True/Connected"),
        ("KubeVirt is down",      Observed { claims: claims("Bound"), ..seen() }, failed(Reason::KubeVirtApiError), "Creating", "False/KubeVirtApiError", "False/KubeVirtApiError", "True/PVCBound", "True/Connected"),
        ("FR7: stopped, and a disk is lost", Observed { vm: vm("Stopped"), vmi: None, ..running() }, failed(Reason::DiskLost), "Stopped", "False/DiskLost", "True/VMCreated", "False/DiskLost", "True/Connected"),
        ("R1: cluster is away",   away, None, "Pending", "Unknown/ClusterUnreachable", "Unknown/ClusterUnreachable", "Unknown/ClusterUnreachable", "False/ClusterUnreachable"),
    ];
    every_row(cases, |(name, seen, failure, phase, ready, machine, storage, cluster)| {
        let shown = status(&MachineStatus::default(), &intent(|_| ()), &seen, failure.as_ref(), now(1));
        assert_eq!(shown.phase.as_deref(), Some(phase), "{name}");
        assert_eq!(condition(&shown, "Ready"), ready, "{name}");
        assert_eq!(condition(&shown, "VirtualMachineReady"), machine, "{name}");
        assert_eq!(condition(&shown, "StorageReady"), storage, "{name}");
        assert_eq!(condition(&shown, "ClusterReachable"), cluster, "{name}");
        assert_eq!(shown.failure_reason.is_some(), phase == "Failed", "{name}: X79");
        assert_eq!(shown.observed_generation, Some(3), "{name}");
    });
}

#[test]
fn fr10_x95_ready_means_as_declared() {
    let stopped = |live: &str| Observed {
        vm: vm("Stopped").map(|vm| Vm { run_strategy: Some(live.to_owned()), ..vm }),
        vmi: None,
        ..running()
    };
    let up = |live: &str| Observed {
        vm: vm("Running").map(|vm| Vm { run_strategy: Some(live.to_owned()), ..vm }),
        ..running()
    };
    let restarted = Observed {
        vm: vm("Stopped").map(|vm| Vm { run_strategy: Some("Always".to_owned()), restarting: true, ..vm }),
        vmi: None,
        ..running()
    };
    #[rustfmt::skip]
    let cases = [
        ("stopped, and always to run",        Some("Always"),         stopped("Always"),         "Stopped",  "False/Stopped"),
        ("stopped, as declared",              Some("Halted"),         stopped("Halted"),         "Stopped",  "True/Stopped"),
        ("stopped by virtctl",                Some("Manual"),         stopped("Manual"),         "Stopped",  "True/Stopped"),
        ("ran once",                          Some("Once"),           stopped("Once"),           "Stopped",  "True/Stopped"),
        ("finished without a failure",        Some("RerunOnFailure"), stopped("RerunOnFailure"), "Stopped",  "True/Stopped"),
        ("X96: stopped by virtctl, undeclared", None,                 stopped("Halted"),         "Stopped",  "True/Stopped"),
        ("down although the cluster wants it up", None,               stopped("Always"),         "Stopped",  "False/Stopped"),
        ("runs, and is to be stopped",        Some("Halted"),         up("Always"),              "Stopping", "False/Stopping"),
        ("runs, by virtctl",                  Some("Manual"),         up("Manual"),              "Running",  "True/Running"),
        ("a restart that was asked for",      Some("Always"),         restarted,                 "Stopping", "False/Stopping"),
    ];
    every_row(cases, |(name, strategy, seen, phase, ready)| {
        let intent = intent(|machine| machine["spec"]["runStrategy"] = json!(strategy));
        let shown = status(&MachineStatus::default(), &intent, &seen, None, now(1));
        assert_eq!((shown.phase.as_deref(), condition(&shown, "Ready").as_str()), (Some(phase), ready), "{name}");
    });
    let away = Observed { remote: Remote::Unreachable("down".to_owned()), ..seen() };
    let fresh = intent(|machine| machine["status"] = json!({}));
    let shown = status(&MachineStatus::default(), &fresh, &away, None, now(1));
    assert_eq!(condition(&shown, "Ready"), "False/ClusterUnreachable", "nothing was made yet");
    assert_eq!(
        shown.message.as_deref(),
        Some(
            "cluster \"east\" is not usable now: down: nothing is changed there until it is, and its KubevirtConfig says what to do"
        )
    );
}

#[test]
fn fr19_x74_what_has_no_effect_stands_in_the_status() {
    let applied = |intent: &Intent, seen: &Observed| {
        let shown = status(&MachineStatus::default(), intent, seen, None, now(1));
        let applied = shown.conditions.iter().find(|it| it.type_ == "SpecApplied").expect("it is said");
        format!("{}: {}", applied.status, applied.message)
    };
    let shown = |spec: Value| applied(&intent(|machine| machine["spec"] = spec.clone()), &running());
    assert_eq!(shown(json!({"template": "small"})), "True: everything that the Machine asks for is carried out");
    let published = json!({"tags": {"a": "b"}, "monitoring": false, "os": {"family": "linux"}, "disks": [{"iops": 100}], "securityGroups": []});
    assert_eq!(
        shown(published),
        "False: without effect on KubeVirt: spec.tags, spec.monitoring, spec.os.family, spec.disks[].iops"
    );
    let ignoring = intent(|machine| {
        machine["metadata"]["annotations"]["platform.kubevirt.io/ignore-fields"] =
            json!("/spec/template/spec/domain/cpu/cores");
    });
    assert_eq!(
        applied(&ignoring, &running()),
        "True: everything that the Machine asks for is carried out; left to others, as ignore-fields says: /spec/template/spec/domain/cpu/cores"
    );
    let not_there = status(&MachineStatus::default(), &intent(|_| ()), &seen(), None, now(1));
    assert_eq!(condition(&not_there, "SpecApplied"), "", "nothing is applied before there is a VM");
}

#[test]
fn fr16_a_second_edit_shows_as_fast_as_the_first() {
    let before = status(&MachineStatus::default(), &intent(|_| ()), &running(), None, now(100));
    let edited = intent(|machine| machine["metadata"]["generation"] = json!(4));
    let next = status(&before, &edited, &running(), None, now(100));
    assert_eq!(next.observed_generation, Some(4));
    assert_eq!(patience(&before, &next, &now(100)).as_secs(), 0);
}

#[test]
fn i6_a_status_is_written_of_the_machine_as_it_was_read_and_of_no_other_generation() {
    let (old, new) = (machine(|_| ()), machine(|it| it["metadata"]["generation"] = json!(4)));
    let read = |of: &Machine| Intent::of(of, "vm-", None, &Shown::new());
    let shown = |of: &Machine, seen| status(&MachineStatus::default(), &read(of), &seen, None, now(1));
    for (of, generation) in [(&old, 3), (&new, 4)] {
        let shown = shown(of, running());
        let ready = shown.conditions.iter().find(|it| it.type_ == "Ready").expect("it is said");
        assert_eq!((shown.observed_generation, ready.observed_generation), (Some(generation), Some(generation)));
        assert_eq!(condition(&shown, "Ready"), "True/Running");
    }
    let unseen = Observed { vmi: None, ..running() };
    assert_eq!(condition(&shown(&new, unseen), "Ready"), "False/Creating", "the running instance is not seen");
    let next = MachineStatus { phase: Some("Running".to_owned()), ..MachineStatus::default() };
    let change = change(&old.metadata, &MachineStatus::default(), &next);
    assert_eq!(
        change,
        json!({"metadata": {"uid": "m-1", "resourceVersion": "7"}, "status": {"phase": "Running"}}),
        "whoever has an older Machine is refused"
    );
}

#[test]
fn r16_clocks_that_differ_by_minutes_change_no_status_and_hold_none_back() {
    let before = status(&MachineStatus::default(), &intent(|_| ()), &running(), None, now(10_000));
    let away = Observed { remote: Remote::Unreachable("no route".to_owned()), ..running() };
    for other_clock in [9_400, 10_600] {
        let again = status(&before, &intent(|_| ()), &running(), None, now(other_clock));
        assert_eq!(again, before, "what another process wrote is not written again at {other_clock}");
        let next = status(&before, &intent(|_| ()), &away, None, now(other_clock));
        assert_eq!(condition(&next, "ClusterReachable"), "False/ClusterUnreachable");
        assert_eq!(patience(&before, &next, &now(other_clock)).as_secs(), 0, "at {other_clock}");
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
fn fr2_x75_each_disk_shows_its_claim_and_how_large_that_is() {
    let claim = |size, requested: &str| Claim {
        uid: "u-1".to_owned(),
        phase: "Bound".to_owned(),
        size,
        requested: Some(requested.to_owned()),
        ..Claim::default()
    };
    let claims = BTreeMap::from([("web-root".to_owned(), claim(Some(21_474_836_480), "20Gi"))]);
    let seen = Observed { claims, ..running() };
    let shown = status(&MachineStatus::default(), &intent(|_| ()), &seen, None, now(1));
    let disks = serde_json::to_value(&shown.disks).expect("JSON");
    assert_eq!(
        disks,
        json!([
            {"name": "root", "pvcName": "web-root", "size": 21_474_836_480_i64, "requestedSize": "20Gi", "uid": "u-1"},
            {"name": "data", "pvcName": "web-data"},
        ]),
        "one that was not made yet has neither size nor UID"
    );
    assert_eq!(shown.resolved.and_then(|it| it.source).as_deref(), Some("built-in"), "FR12: as the annotation says it");
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
        "vm-web",
        now(100),
    );
    let shown = |previous: &MachineStatus, seen: &Observed, at| status(previous, &intent(|_| ()), seen, None, now(at));
    let starting = Observed { vm: vm("Starting"), claims: claims("Bound"), ..seen() };
    let away = Observed { remote: Remote::Unreachable("down".to_owned()), ..running() };
    let ready = shown(&creating, &running(), 102);
    let moved =
        Observed { vmi: vmi("Running", true).map(|vmi| Vmi { node: Some("n2".to_owned()), ..vmi }), ..running() };
    #[rustfmt::skip]
    let cases = [
        ("the first status of all",     MachineStatus::default(), seen(),           101, 0),
        ("progress soon after",         creating.clone(),         starting.clone(), 101, 4),
        ("progress that has waited",    creating.clone(),         starting,         105, 0),
        ("another address",             ready.clone(),            moved.clone(),    102, 1),
        ("an address that has waited",  ready.clone(),            moved,            103, 0),
        ("it runs",                     creating,                 running(),        102, 0),
        ("its cluster is away",         ready,                    away,             103, 0),
    ];
    every_row(cases, |(name, previous, seen, at, want)| {
        let next = shown(&previous, &seen, at);
        assert_ne!(next, previous, "{name}: something changed");
        assert_eq!(patience(&previous, &next, &now(at)).as_secs(), want, "{name}");
    });
}

#[test]
fn an_event_tells_of_each_new_reason_and_of_nothing_else() {
    let shown = |previous: &MachineStatus, seen: &Observed, at| status(previous, &intent(|_| ()), seen, None, now(at));
    let creating = shown(&MachineStatus::default(), &Observed { claims: claims("Bound"), ..seen() }, 1);
    let starting = shown(&creating, &Observed { vm: vm("Starting"), claims: claims("Bound"), ..seen() }, 2);
    let ready = shown(&starting, &running(), 3);
    let waiting = (Reason::Creating, "waiting until the virtual machine runs");
    assert_eq!(transition(&MachineStatus::default(), &creating), Some(waiting));
    assert_ne!(creating, starting, "another condition changed");
    assert_eq!(transition(&creating, &starting), None);
    assert_eq!(transition(&starting, &ready), Some((Reason::Running, "the virtual machine runs")));
    assert_eq!(transition(&ready, &MachineStatus::default()), None);
}

#[test]
fn a_cluster_that_was_not_asked_yet_changes_nothing_that_is_shown() {
    let before = status(&MachineStatus::default(), &intent(|_| ()), &running(), None, now(1));
    let starting = Observed { remote: Remote::Connecting, ..seen() };
    assert_eq!(plan(&intent(|_| ()), &starting), Plan::default());
    assert_eq!(plan(&intent(leaving), &starting), Plan::default());
    assert_eq!(status(&before, &intent(|_| ()), &starting, None, now(2)), before, "a restarted controller");
    let fresh = intent(|machine| machine["status"] = json!({}));
    let shown = status(&MachineStatus::default(), &fresh, &starting, None, now(2));
    assert_eq!(
        (shown.phase.as_deref(), condition(&shown, "ClusterReachable").as_str()),
        (Some("Pending"), "Unknown/ClusterUnreachable")
    );
}

#[test]
fn recording_the_identity_is_the_first_status() {
    let unrecorded = intent(|machine| machine["status"] = json!({}));
    let shown =
        record(&MachineStatus::default(), &unrecorded, &ClusterName("east".to_owned()), "c-east", "vm-web", now(1));
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
    let unknown = status(&MachineStatus::default(), &intent(policy("retain")), &running(), None, now(1));
    assert_eq!(
        unknown.message.as_deref(),
        Some(
            "nothing is deleted: the annotation vitistack.io/deletion-policy says \"retain\"; set it to one of Delete, Retain, Orphan"
        )
    );
    let away = Observed { remote: Remote::Unreachable("no route".to_owned()), ..seen() };
    assert_eq!(
        said(&away),
        "deletion waits: cluster \"east\" is not usable now: no route: if it is gone for good, whoever may release Machines sets the annotation vitistack.io/release-from: east"
    );
}

#[test]
fn atk7_a_status_that_is_refused_as_a_whole_is_said_by_its_conditions() {
    let previous = status(&MachineStatus::default(), &intent(|_| ()), &seen(), None, now(1));
    let next = status(&previous, &intent(|_| ()), &running(), None, now(2));
    let short = without_mirror(&previous, &next, "status.nodeName: Too\u{1b}[2J long");
    let says = "the virtual machine runs; the supervisor refuses the rest of the status: status.nodeName: Too[2J long";
    assert_eq!((short.phase.as_deref(), short.message.as_deref()), (Some("Running"), Some(says)));
    assert_eq!(condition(&short, "Ready"), "True/Running");
    assert_eq!(
        (&short.node_name, &short.ip_addresses),
        (&previous.node_name, &previous.ip_addresses),
        "the rest stays"
    );
    let again = status(&short, &intent(|_| ()), &running(), None, now(3));
    assert_eq!(without_mirror(&short, &again, "status.nodeName: Too\u{1b}[2J long"), short, "and is written once only");
}

#[test]
fn atk7_of_very_many_objects_that_are_left_few_are_named() {
    let many = (0..100_000).map(|at| (format!("web-{at:06}"), Claim::default())).collect();
    let left = Observed { claims: many, ..seen() };
    let shown = status(&MachineStatus::default(), &intent(leaving), &left, None, now(1)).message.expect("a message");
    assert!(shown.starts_with("waiting until these are gone: PersistentVolumeClaim web-000000, "), "{shown}");
    assert!(shown.ends_with("PersistentVolumeClaim web-000015, and 99984 more"), "{shown}");
}
