//! What a cluster that lies leaves in the records, and in the status that is made of them.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use model::api::{Machine, MachineStatus};
use model::baseline::LAST_APPLIED;
use model::baseline::war::PAUSED;
use model::machine::{Failure, Intent, Observed, Remote, Shown, status};
use model::reason::Reason;
use serde_json::json;

use super::*;
use crate::disks::{read_claim, read_data_volume, read_storage_class};
use crate::table::every_row;

/// Far too long, and it moves the cursor, reverses what follows it and ends lines; in JSON each of the rest takes two bytes.
fn nasty() -> String {
    format!("\u{1b}[2J\u{202e}\r\n\u{9b}{}", "\"".repeat(200_000))
}

fn vm() -> RemoteObject {
    let conditions = json!([
        {"type": "Failure", "status": "True", "message": nasty()}, {"type": "RestartRequired", "status": "True", "message": nasty()},
    ]);
    let object = json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine",
        "metadata": {"name": nasty(), "uid": nasty(), "resourceVersion": nasty(),
            "managedFields": [{"manager": nasty(), "fieldsV1": {}}, {"manager": nasty(), "fieldsV1": {format!("f:{}", nasty()): {}}}],
            "annotations": {LAST_APPLIED: json!({nasty(): 1}).to_string(), ADOPTED: nasty(), RESTARTED: nasty(), CHANGED_FIELDS: nasty(),
                PAUSED: nasty(), CLOUD_INIT: nasty()}},
        "spec": {"runStrategy": nasty()},
        "status": {"printableStatus": format!("Error{}", nasty()), "conditions": conditions}});
    serde_json::from_value(object).expect("an object")
}

/// So many interfaces, each with its own and so many more addresses, of which every second is there twice.
fn vmi(interfaces: u32, addresses: u32) -> RemoteObject {
    let six = |nic: u32, at: u32| {
        format!("2001:db8:ffff:ffff:ffff:{:x}:{:x}:{:x}", nic % 65_536, at / 65_536 + 4096, at % 65_536)
    };
    let name = if interfaces == 1 { nasty() } else { "\"".repeat(100) };
    let nic = |nic| {
        let several: Vec<String> = (0..addresses).map(|at| six(nic, at - at % 2)).chain([name.clone()]).collect();
        json!({"name": name, "mac": "02:00:00:00:00:01", "ipAddress": six(nic, 0), "ipAddresses": several})
    };
    let object = json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance", "metadata": {"name": nasty()},
        "status": {"phase": nasty(), "nodeName": nasty(), "interfaces": (0..interfaces).map(nic).collect::<Vec<_>>(),
            "conditions": [{"type": "PodScheduled", "status": "False", "message": nasty()}]}});
    serde_json::from_value(object).expect("an object")
}

fn claim(size: &str) -> RemoteObject {
    let object = json!({"metadata": {"name": "web-root", "uid": nasty()}, "spec": {"resources": {"requests": {"storage": size}}},
        "status": {"phase": nasty()}});
    serde_json::from_value(object).expect("a claim")
}

#[test]
fn atk7_every_word_of_a_cluster_is_cleaned_and_cut() {
    let vm = read_vm(&vm());
    let cut = |most: usize| format!("[2J{}", "\"".repeat(most - 3));
    assert_eq!((vm.name, vm.uid, vm.resource_version), (cut(256), cut(64), cut(256)));
    assert_eq!((vm.hash.map(|hash| hash.len()), vm.adopted, vm.paused), (Some(16), Some(cut(1024)), None));
    assert_eq!((vm.restarted, vm.changed, vm.run_strategy), (Some(cut(512)), Some(cut(1024)), Some(cut(256))));
    assert_eq!((vm.cloud_init, vm.drift), (Some(cut(64)), vec![Drift { field: cut(256), by: Some(cut(64)) }]));
    assert_eq!(vm.printable, format!("Error{}", cut(251)));
    assert_eq!((vm.failure, vm.restart_required), (Some(cut(512)), Some(cut(512))));
    let vmi = read_vmi(&vmi(1, 0));
    assert_eq!(
        (vmi.name, vmi.phase, vmi.node, vmi.unschedulable),
        (cut(256), cut(256), Some(cut(256)), Some(cut(512)))
    );
    assert_eq!(vmi.interfaces[0].name, Some(cut(64)));
    let read = read_claim(&claim("20Gi"));
    assert_eq!((read.uid, read.phase, read.requested.as_deref()), (cut(64), cut(256), Some("20Gi")));
    every_row([nasty().as_str(), "1500m", "-1", "20 Gi", "1".repeat(33).as_str()], |no_size| {
        assert_eq!(read_claim(&claim(no_size)).requested, None, "the supervisor takes no such size: {no_size:.20}");
    });
}

#[test]
fn atk7_an_import_is_read_in_few_steps_and_its_words_are_cut() {
    let volume = |status: Value| -> RemoteObject {
        let metadata =
            json!({"name": "web-root", "uid": nasty(), "annotations": {"vitistack.io/desired-hash": nasty()}});
        serde_json::from_value(json!({"metadata": metadata, "status": status})).expect("an object")
    };
    let stopped = |reason: &str| json!({"phase": "ImportInProgress", "conditions": [{"type": "Running", "status": "False", "reason": reason, "message": "404"}]});
    #[rustfmt::skip]
    let cases = [
        ("nothing said",    json!({}),                                                false, 0,   None),
        ("no number",       json!({"progress": "N/A"}),                               false, 0,   None),
        ("a little",        json!({"progress": "24.99%"}),                            false, 0,   None),
        ("a step",          json!({"progress": "25.0%"}),                             false, 25,  None),
        ("nearly",          json!({"phase": "ImportInProgress", "progress": "100.0%"}), false, 75, None),
        ("done",            json!({"phase": "Succeeded", "progress": "100.0%"}),      true,  100, None),
        ("done, so stopped", json!({"phase": "Succeeded", "conditions": stopped("Error")["conditions"]}), true, 100, None),
        ("it ended",        stopped("Completed"),                                     false, 0,   None),
        ("it fails",        stopped("Error"),                                         false, 0,   Some("CDI says: 404")),
        ("it is not found", stopped("ImagePullFailed"),                               false, 0,   Some("CDI says: 404")),
        ("no room",         json!({"phase": "Pending", "conditions": [{"type": "Bound", "status": "False", "reason": "ErrExceededQuota", "message": "quota"}]}), false, 0, Some("CDI says: quota")),
        ("given up",        json!({"phase": "Failed"}),                               false, 0,   Some("CDI says: Failed")),
        ("hostile",         json!({"phase": {}, "progress": [], "conditions": 7}),    false, 0,   None),
    ];
    every_row(cases, |(name, status, done, percent, failure)| {
        let read = read_data_volume(&volume(status));
        assert_eq!((read.done, read.percent, read.failure.as_deref()), (done, percent, failure), "{name}");
        assert_eq!((read.uid.len(), read.source.map(|hash| hash.len())), (64, Some(256)), "{name}");
    });
    let class = |object: Value| read_storage_class(&serde_json::from_value(object).expect("an object"));
    let late =
        class(json!({"metadata": {}, "allowVolumeExpansion": true, "volumeBindingMode": "WaitForFirstConsumer"}));
    assert!(late.expands && late.waits);
    let lying = class(json!({"metadata": {}, "allowVolumeExpansion": "true", "volumeBindingMode": 1}));
    assert!(!lying.expands && !lying.waits, "unknown is no permission");
}

#[test]
fn x71_fr19_what_waits_for_a_move_is_read_from_the_instance() {
    let instance = |conditions: Value| {
        let object = json!({"metadata": {"name": "vm-web"}, "status": {"conditions": conditions}});
        read_vmi(&serde_json::from_value(object).expect("an object")).waits.map(|waits| *waits)
    };
    let is = |kind: &str, status: &str| json!({"type": kind, "status": status});
    let disks = json!({"type": "LiveMigratable", "status": "False", "reason": "DisksNotLiveMigratable", "message": "a disk is not shared"});
    let stuck = Some("a disk is not shared".to_owned());
    #[rustfmt::skip]
    let cases = [
        (json!([disks]),                                                     None),
        (json!([is("HotVCPUChange", "False"), is("MigrationRequired", "False")]), None),
        (json!([is("HotVCPUChange", "True"), is("HotMemoryChange", "True")]), Some(Waits { cpus: true, memory: true, ..Waits::default() })),
        (json!([is("MigrationRequired", "True")]),                           Some(Waits { interfaces: true, ..Waits::default() })),
        (json!([disks, is("HotVCPUChange", "True")]),                        Some(Waits { cpus: true, stuck, ..Waits::default() })),
        (json!("HotVCPUChange"),                                             None),
    ];
    every_row(cases, |(conditions, want)| {
        assert_eq!(instance(conditions.clone()), want, "{conditions}");
    });
}

#[test]
fn x70_an_instance_that_was_started_with_data_from_a_secret_is_known() {
    let from = json!({"name": "web-cloudinit"});
    #[rustfmt::skip]
    let cases = [
        (json!([]), false),
        (json!([{"name": "cloudinitdisk", "cloudInitNoCloud": {"userData": "a"}}]), false),
        (json!([{"name": "root", "secret": {"secretName": "a"}}, {"name": "cloudinitdisk", "cloudInitNoCloud": {"secretRef": from}}]), true),
        (json!([{"name": "cloudinitdisk", "cloudInitConfigDrive": {"userData": "a", "networkDataSecretRef": from}}]), true),
    ];
    every_row(cases, |(volumes, wanted)| {
        let object = json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance", "metadata": {"name": "a"}, "spec": {"volumes": volumes}});
        assert_eq!(read_vmi(&serde_json::from_value(object).expect("an object")).cloud_init, wanted, "{volumes}");
    });
}

#[test]
fn atk7_what_is_no_mac_address_is_left_out() {
    let nic = |mac: &str| {
        let mut object = vmi(1, 0);
        object.status["interfaces"][0]["mac"] = json!(mac);
        read_vmi(&object).interfaces.remove(0).mac
    };
    let long = "80:00:00:48:fe:80:00:00:00:00:00:00:00:02:c9:03:00:00:00:01";
    every_row(["02:00:00:aa:BB:01", "02-00-00-00-00-01", long], |good| {
        assert_eq!(nic(good).as_deref(), Some(good));
    });
    every_row(["02:00:00:00:00:0g", "", "\u{1b}[1m", "0".repeat(65).as_str()], |bad| {
        assert_eq!(nic(bad), None, "{bad:?}");
    });
}

#[test]
fn atk8_of_very_many_addresses_and_interfaces_few_are_kept() {
    #[rustfmt::skip]
    let cases = [
        ("one interface, many addresses", 1,      45_000, 1,  64),
        ("many interfaces",               45_000, 0,      64, 64),
        ("both",                          300,    150,    64, 64),
        ("as usual",                      2,      4,      2,  4),
    ];
    every_row(cases, |(name, interfaces, addresses, nics, ips)| {
        let read = read_vmi(&vmi(interfaces, addresses)).interfaces;
        let kept = read.iter().map(|nic| nic.ips.len()).sum::<usize>();
        assert_eq!((read.len(), kept), (nics, ips), "{name}");
    });
}

/// Whatever a cluster says, the status that repeats it is small; what the Machine's author wrote comes on top.
#[test]
fn atk7_a_status_that_can_be_written_is_made_of_whatever_a_cluster_says() {
    let resolved = r#"{"template":"small","source":"built-in","cores":1,"threads":1,"sockets":1,"memory":"2Gi",
        "disks":[{"name":"root","size":"20Gi","accessMode":"ReadWriteOnce"}]}"#;
    let machine: Machine = serde_json::from_value(json!({
        "apiVersion": "vitistack.io/v1alpha1", "kind": "Machine",
        "metadata": {"name": "web", "namespace": "shop", "uid": "m-1", "finalizers": ["machine.vitistack.io/cleanup"],
            "annotations": {"vitistack.io/kubevirt-config": "east", "vitistack.io/resolved": resolved}},
        "spec": {}, "status": {"kubevirtConfigRef": {"name": "east", "clusterId": "c-east"}},
    }))
    .expect("a Machine");
    let now = || Time(Timestamp::UNIX_EPOCH);
    let seen = |adopted: bool| {
        let mut vm = read_vm(&vm());
        vm.adopted = vm.adopted.filter(|_| adopted);
        let claims: BTreeMap<String, Claim> =
            (0..100_000).map(|at| (format!("web-{}{at}", "x".repeat(240)), Claim::default())).collect();
        Observed {
            vm: Some(vm),
            vmi: Some(read_vmi(&vmi(100, 100))),
            claims: claims.into_iter().chain([("web-root".to_owned(), read_claim(&claim("20Gi")))]).collect(),
            ..Observed::nothing("sup", Remote::Connected { id: "c-east".to_owned() })
        }
    };
    let mut leaving = machine.clone();
    leaving.metadata.deletion_timestamp = Some(now());
    let failure = Failure { reason: Reason::VmRefused, message: line(&nasty(), 600) };
    for (name, machine, failure) in [
        ("it runs", &machine, None),
        ("it is refused", &machine, Some(&failure)),
        ("it is deleted", &leaving, None),
        ("its deletion is refused", &leaving, Some(&failure)),
    ] {
        for adopted in [false, true] {
            let intent = Intent::of(machine, "vm-", None, &Shown::new());
            let shown = status(&MachineStatus::default(), &intent, &seen(adopted), failure, now());
            let text = serde_json::to_string(&shown).expect("plain data");
            assert!(text.len() < 64 * 1024, "{name}: {} bytes", text.len());
            assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') && !text.contains("\\u"), "{name}");
        }
    }
}
