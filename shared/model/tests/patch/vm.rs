//! What a patch of the VM may touch. X46.

use model::reason::Reason::PatchForbidden;
use serde_json::{Value, json};

use crate::table::every_row;
use crate::{FIELD, add, below, only, patched, vm};

/// Every field of X46 with a value that KubeVirt takes.
fn allowed() -> Vec<(&'static str, Value)> {
    vec![
        ("domain/cpu/model", json!("host-passthrough")),
        ("domain/cpu/features", json!([{"name": "vmx", "policy": "require"}])),
        ("domain/cpu/dedicatedCpuPlacement", json!(true)),
        (
            "domain/clock",
            json!({"timezone": "Europe/Oslo", "timer": {"hpet": {"present": false}, "rtc": {"tickPolicy": "catchup"}}}),
        ),
        ("domain/ioThreadsPolicy", json!("auto")),
        ("domain/ioThreads", json!({"supplementalPoolThreadCount": 4})),
        (
            "domain/features/hyperv",
            json!({"relaxed": {}, "spinlocks": {"spinlocks": 8191}, "vpindex": {}, "synic": {}}),
        ),
        ("domain/features/kvm", json!({"hidden": true})),
        ("domain/features/acpi/enabled", json!(false)),
        ("domain/memory/hugepages", json!({"pageSize": "1Gi"})),
        ("domain/devices/rng", json!({})),
        ("domain/devices/tpm", json!({"persistent": true})),
        ("domain/devices/watchdog", json!({"name": "dog", "i6300esb": {"action": "reset"}})),
        ("domain/devices/inputs", json!([{"name": "tablet", "type": "tablet", "bus": "usb"}])),
        ("domain/devices/blockMultiQueue", json!(true)),
        ("domain/devices/networkInterfaceMultiqueue", json!(true)),
        ("domain/devices/autoattachPodInterface", json!(false)),
        ("domain/devices/autoattachGraphicsDevice", json!(false)),
        ("domain/devices/autoattachSerialConsole", json!(true)),
        ("domain/devices/autoattachMemBalloon", json!(false)),
        ("domain/devices/autoattachInputDevice", json!(true)),
        ("domain/devices/autoattachVSOCK", json!(false)),
        ("domain/devices/disks/1/cache", json!("writeback")),
        ("domain/devices/disks/1/io", json!("threads")),
        ("domain/devices/disks/1/errorPolicy", json!("report")),
        ("domain/devices/disks/1/blockSize", json!({"custom": {"logical": 4096, "physical": 4096}})),
        ("domain/devices/disks/1/dedicatedIOThread", json!(true)),
        ("domain/devices/disks/1/disk/bus", json!("scsi")),
        ("domain/devices/interfaces/0/model", json!("e1000e")),
        ("domain/devices/interfaces/1/acpiIndex", json!(2)),
        (
            "domain/devices/interfaces/0/dhcpOptions",
            json!({"ntpServers": ["10.0.0.1"], "privateOptions": [{"option": 224, "value": "x"}]}),
        ),
        ("evictionStrategy", json!("LiveMigrateIfPossible")),
        ("terminationGracePeriodSeconds", json!(30)),
        ("hostname", json!("web")),
        ("subdomain", json!("shop")),
        ("dnsPolicy", json!("Default")),
        (
            "dnsConfig",
            json!({"nameservers": ["10.0.0.53", "fd00::53"], "searches": ["shop.example.com"], "options": [{"name": "ndots", "value": "2"}]}),
        ),
        ("startStrategy", json!("Paused")),
    ]
}

fn scheduling() -> Vec<(&'static str, Value)> {
    let expression = json!({"key": "zone", "operator": "In", "values": ["a"]});
    let pods = json!({"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "web"}}});
    vec![
        ("nodeSelector", json!({"disk": "ssd", "kubernetes.io/os": "linux"})),
        ("tolerations", json!([{"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}])),
        (
            "affinity",
            json!({
                "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}},
                "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": pods}]},
            }),
        ),
        (
            "topologySpreadConstraints",
            json!([{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}]),
        ),
        ("priorityClassName", json!("gold")),
    ]
}

#[test]
fn x46_every_listed_field_is_patched_and_nothing_beside_it() {
    every_row(allowed(), |(path, value)| {
        let after = patched(&add(path, &value), false).unwrap_or_else(|wrong| panic!("{path}: {wrong:#?}"));
        assert_eq!(after.pointer(&below(path)), Some(&value), "{path}");
        let mut rest = (vm(), after);
        for one in [&mut rest.0, &mut rest.1] {
            let (parent, last) = path.rsplit_once('/').unwrap_or(("", path));
            let parent = below(parent);
            one.pointer_mut(parent.trim_end_matches('/')).and_then(Value::as_object_mut).unwrap().remove(last);
        }
        assert_eq!(rest.0, rest.1, "{path}");
    });
}

#[test]
fn x46_t7_scheduling_is_patched_only_where_the_cluster_says_so() {
    every_row(scheduling(), |(path, value)| {
        let after = patched(&add(path, &value), true).unwrap_or_else(|wrong| panic!("{path}: {wrong:#?}"));
        assert_eq!(after.pointer(&below(path)), Some(&value), "{path}");
        let (field, reason, says) = only(patched(&add(path, &value), false).unwrap_err());
        assert_eq!((field.as_str(), reason), (FIELD, PatchForbidden), "{path}");
        assert!(says.starts_with(&format!("operation 0 (add {}): ", below(path))), "{says}");
        assert!(says.contains("allowSchedulingPatches: true"), "{says}");
    });
}

#[test]
fn x46_a_field_that_was_patched_can_be_taken_away_or_changed_with_its_parent() {
    let cpu = json!([
        {"op": "test", "path": "/spec/template/spec/domain/devices/disks/1/name", "value": "data"},
        {"op": "remove", "path": "/spec/template/spec/domain/devices/disks/1/disk/bus"},
        {"op": "replace", "path": "/spec/template/spec/domain/cpu",
         "value": {"sockets": 1, "threads": 1, "model": "Haswell-noTSX", "cores": 2}},
    ]);
    let after = patched(&cpu, false).unwrap();
    assert_eq!(after.pointer("/spec/template/spec/domain/cpu/model"), Some(&json!("Haswell-noTSX")));
    assert_eq!(after.pointer("/spec/template/spec/domain/devices/disks/1"), Some(&json!({"name": "data", "disk": {}})));
}

#[test]
fn x46_operations_that_undo_each_other_have_no_effect() {
    let patch = json!([
        {"op": "add", "path": "/spec/template/spec/nodeName", "value": "node-1"},
        {"op": "add", "path": "/spec/template/spec/volumes/-", "value": {"name": "x", "hostDisk": {"path": "/x", "type": "Disk"}}},
        {"op": "test", "path": "/spec/template/spec/volumes/3/name", "value": "x"},
        {"op": "remove", "path": "/spec/template/spec/volumes/3"},
        {"op": "remove", "path": "/spec/template/spec/nodeName"},
        {"op": "test", "path": "", "value": vm()},
        {"op": "add", "path": "/spec/template/spec/hostname", "value": "web"},
    ]);
    let mut want = vm();
    want["spec"]["template"]["spec"]["hostname"] = json!("web");
    assert_eq!(patched(&patch, false), Ok(want));
}

#[test]
fn x46_a_size_is_refused_with_where_it_is_set() {
    #[rustfmt::skip]
    let cases = [
        ("domain/cpu/cores",    json!(64),     "spec.resources.cpu.cores"),
        ("domain/cpu/sockets",  json!(4),      "spec.resources.cpu.sockets"),
        ("domain/cpu/threads",  json!(2),      "spec.resources.cpu.threads"),
        ("domain/memory/guest", json!("64Gi"), "spec.resources.memory.size"),
    ];
    every_row(cases, |(path, value, instead)| {
        let (field, reason, says) = only(patched(&add(path, &value), true).unwrap_err());
        assert_eq!((field.as_str(), reason), (FIELD, PatchForbidden), "{path}");
        assert_eq!(
            says,
            format!("operation 0 (add {}): may not be patched: set {instead} of the Machine instead", below(path))
        );
    });
}

#[test]
fn x46_every_violation_names_its_operation() {
    let patch = json!([
        {"op": "add", "path": "/spec/template/spec/hostname", "value": "web"},
        {"op": "replace", "path": "/spec/template/spec/domain/cpu/cores", "value": 8},
        {"op": "add", "path": "/spec/template/spec/evictionStrategy", "value": "LiveMigration"},
        {"op": "add", "path": "/spec/template/spec/nodeName", "value": "node-1"},
    ]);
    let says: Vec<String> = patched(&patch, false).unwrap_err().into_iter().map(|it| it.message).collect();
    assert_eq!(
        says,
        [
            "operation 1 (replace /spec/template/spec/domain/cpu/cores): may not be patched: set spec.resources.cpu.cores of the Machine instead",
            "operation 2 (add /spec/template/spec/evictionStrategy): is \"LiveMigration\": must be one of None, LiveMigrate, LiveMigrateIfPossible, External (did you mean \"LiveMigrate\"?)",
            "operation 3 (add /spec/template/spec/nodeName): may not be patched; docs/patches.md lists what may",
        ]
    );
}
