//! What no patch of the VM does, however it is written. T7, T8, KVO26.

use model::reason::Reason::{self, PatchForbidden, PatchInvalid};
use serde_json::{Value, json};

use crate::table::every_row;
use crate::{FIELD, only, patched, vm};

/// T7 names these one by one; each is written alone, at a path that exists, so that nothing but the list refuses it.
#[test]
fn t7_x46_what_reaches_beyond_the_vm_is_refused() {
    let volume = |source: Value| json!({"name": "x", "hidden": source});
    #[rustfmt::skip]
    let cases = [
        ("/spec/template/spec/volumes/-", json!({"name": "x", "hostDisk": {"path": "/x", "type": "Disk"}})),
        ("/spec/template/spec/volumes/-", json!({"name": "x", "secret": {"secretName": "s"}})),
        ("/spec/template/spec/volumes/-", json!({"name": "x", "sysprep": {"secret": {"name": "s"}}})),
        ("/spec/template/spec/volumes/-", json!({"name": "x", "serviceAccount": {"serviceAccountName": "s"}})),
        ("/spec/template/spec/volumes/-", volume(json!({"configMap": {"name": "c"}}))),
        ("/spec/template/spec/volumes/0/persistentVolumeClaim/claimName", json!("other")),
        ("/spec/template/spec/volumes/0/dataVolume", json!({"name": "other"})),
        ("/spec/template/spec/volumes/0/containerDisk", json!({"image": "evil"})),
        ("/spec/template/spec/volumes/0/name", json!("data")),
        ("/spec/template/spec/networks/1/multus/networkName", json!("kube-system/other")),
        ("/spec/template/spec/networks/-", json!({"name": "x", "multus": {"networkName": "x"}})),
        ("/spec/template/spec/nodeName", json!("node-1")),
        ("/spec/template/spec/schedulerName", json!("mine")),
        ("/spec/template/spec/accessCredentials", json!([{"sshPublicKey": {}}])),
        ("/spec/template/spec/livenessProbe", json!({"tcpSocket": {"port": 1}})),
        ("/spec/template/spec/architecture", json!("arm64")),
        ("/spec/template/spec/resourceClaims", json!([])),
        ("/spec/template/spec/utilityVolumes", json!([])),
        ("/spec/template/spec/domain/devices/hostDevices", json!([{"deviceName": "x", "name": "x"}])),
        ("/spec/template/spec/domain/devices/gpus", json!([{"deviceName": "x", "name": "x"}])),
        ("/spec/template/spec/domain/devices/filesystems", json!([{"name": "x", "virtiofs": {}}])),
        ("/spec/template/spec/domain/devices/clientPassthrough", json!({})),
        ("/spec/template/spec/domain/devices/downwardMetrics", json!({})),
        ("/spec/template/spec/domain/devices/disks/0/serial", json!("x")),
        ("/spec/template/spec/domain/devices/disks/0/bootOrder", json!(2)),
        ("/spec/template/spec/domain/devices/disks/0/shareable", json!(true)),
        ("/spec/template/spec/domain/devices/disks/0/name", json!("other")),
        ("/spec/template/spec/domain/devices/disks/0/lun", json!({"reservation": true})),
        ("/spec/template/spec/domain/devices/disks/0/disk/pciAddress", json!("0000:81:01.0")),
        ("/spec/template/spec/domain/devices/disks/-", json!({"name": "root", "disk": {}})),
        ("/spec/template/spec/domain/devices/interfaces/0/macAddress", json!("02:00:00:00:00:01")),
        ("/spec/template/spec/domain/devices/interfaces/0/sriov", json!({})),
        ("/spec/template/spec/domain/devices/interfaces/0/ports", json!([{"port": 22}])),
        ("/spec/template/spec/domain/devices/interfaces/0/name", json!("lan")),
        ("/spec/template/spec/domain/launchSecurity", json!({"sev": {}})),
        ("/spec/template/spec/domain/firmware/acpi", json!({"slicNameRef": "x"})),
        ("/spec/template/spec/domain/firmware/kernelBoot", json!({})),
        ("/spec/template/spec/domain/firmware/bootloader/efi/secureBoot", json!(false)),
        ("/spec/template/spec/domain/machine/type", json!("pc")),
        ("/spec/template/spec/domain/resources", json!({"limits": {"cpu": 1}})),
        ("/spec/template/spec/domain/chassis", json!({"asset": "x"})),
        ("/spec/template/spec/domain/cpu/realtime", json!({})),
        ("/spec/template/spec/domain/cpu/numa", json!({"guestMappingPassthrough": {}})),
        ("/spec/template/spec/domain/cpu/maxSockets", json!(64)),
        ("/spec/template/spec/domain/memory/maxGuest", json!("1Ti")),
        ("/spec/template/metadata/annotations", json!({"hooks.kubevirt.io/hookSidecars": "[]"})),
        ("/spec/template/metadata/labels/app", json!("web")),
        ("/spec/runStrategy", json!("Halted")),
        ("/spec/running", json!(true)),
        ("/spec/dataVolumeTemplates", json!([])),
        ("/spec/instancetype", json!({"name": "x"})),
        ("/metadata/name", json!("other")),
        ("/metadata/namespace", json!("kube-system")),
        ("/metadata/uid", json!("x")),
        ("/metadata/finalizers", json!(["x"])),
        ("/metadata/labels/vitistack.io~1machine-uid", json!("other")),
        ("/metadata/labels/app", json!("web")),
        ("/metadata/annotations/vitistack.io~1desired-hash", json!("x")),
        ("/metadata/ownerReferences/0/uid", json!("other")),
        ("/apiVersion", json!("v1")),
        ("/kind", json!("Pod")),
        ("/status", json!({"ready": true})),
    ];
    every_row(cases, |(path, value)| {
        let patch = json!([{"op": "test", "path": "/kind", "value": "VirtualMachine"}, {"op": "add", "path": path, "value": value}]);
        let (field, reason, says) = only(patched(&patch, true).expect_err(path));
        assert_eq!((field.as_str(), reason), (FIELD, PatchForbidden), "{path}: {says}");
        assert!(says.starts_with(&format!("operation 1 (add {path}): ")), "{says}");
    });
}

#[test]
fn t7_x46_what_is_ours_cannot_be_taken_away() {
    let rows = [
        "/metadata/labels",
        "/metadata/ownerReferences",
        "/metadata/labels/vitistack.io~1managed-by",
        "/spec",
        "/spec/template/spec/domain/devices/disks/0",
        "/spec/template/spec/domain/devices/interfaces",
        "/spec/template/spec/volumes/1",
        "/spec/template/spec/domain/devices/disks/0/disk",
        "/apiVersion",
        "/spec/template/spec/networks/0/pod",
        "/spec/template/spec/domain/firmware",
        "/spec/template/metadata",
    ];
    every_row(rows, |path| {
        let (_, reason, says) = only(patched(&json!([{"op": "remove", "path": path}]), true).expect_err(path));
        assert_eq!(reason, PatchForbidden, "{path}: {says}");
        assert!(says.starts_with(&format!("operation 0 (remove {path}): ")), "{says}");
    });
}

/// The names of a list keep their order: it decides which disk is `vda`.
#[test]
fn t8_x46_entries_are_neither_exchanged_nor_doubled() {
    let disks = vm().pointer("/spec/template/spec/domain/devices/disks").cloned().unwrap();
    let mut turned = disks.as_array().cloned().unwrap();
    turned.reverse();
    let doubled = [disks[0].clone(), disks[0].clone(), disks[2].clone()];
    let volumes = json!([{"op": "add", "path": "/spec/template/spec/volumes/1",
        "value": {"name": "root", "persistentVolumeClaim": {"claimName": "web-root"}}}]);
    let whole =
        |list: &[Value]| json!([{"op": "replace", "path": "/spec/template/spec/domain/devices/disks", "value": list}]);
    every_row([whole(&turned), whole(&doubled), whole(&[]), volumes], |patch| {
        let wrong = patched(&patch, true).expect_err("refused");
        assert!(!wrong.is_empty() && wrong.iter().all(|it| it.reason == PatchForbidden), "{wrong:#?}");
    });
}

#[test]
fn kvo26_t8_the_whole_object_and_its_metadata_cannot_be_exchanged() {
    let mut other = vm();
    other["metadata"]["name"] = json!("other");
    #[rustfmt::skip]
    let cases = [
        ("KVO26 T8: the root by an object",    json!([{"op": "replace", "path": "", "value": other}]),   "operation 0 (replace \"\"): would replace the whole object"),
        ("KVO26 T8: the root by itself",       json!([{"op": "add", "path": "", "value": vm()}]),        "operation 0 (add \"\"): would replace the whole object"),
        ("KVO26 T8: the root by a list",       json!([{"op": "replace", "path": "", "value": []}]),      "operation 0 (replace \"\"): would replace the whole object"),
        ("KVO26 T8: the root taken away",      json!([{"op": "remove", "path": ""}]),                    "operation 0 (remove \"\"): would replace the whole object"),
        ("KVO26 T8: metadata by another",      json!([{"op": "replace", "path": "/metadata", "value": other["metadata"]}]), "operation 0 (replace /metadata): /metadata/name may not be patched"),
        ("KVO26 T8: metadata by text",         json!([{"op": "replace", "path": "/metadata", "value": "x"}]),               "operation 0 (replace /metadata): may not be patched"),
        ("KVO26 T8: metadata taken away",      json!([{"op": "remove", "path": "/metadata"}]),                              "operation 0 (remove /metadata): may not be patched"),
        ("KVO26 T8: spec by null",             json!([{"op": "replace", "path": "/spec", "value": null}]),                  "operation 0 (replace /spec): may not be patched"),
    ];
    every_row(cases, |(name, patch, starts)| {
        let (field, reason, says) = only(patched(&patch, true).expect_err(name));
        assert_eq!((field.as_str(), reason), (FIELD, PatchForbidden), "{name}");
        assert!(says.starts_with(starts), "{name}: {says}");
    });
}

#[test]
fn t8_other_spellings_of_a_path_mean_the_same_or_nothing() {
    #[rustfmt::skip]
    let cases: [(&str, &str, Reason, &str); 8] = [
        ("T8: an escape that is none",      "/metadata~2name",                                         PatchInvalid,   "operation 0: path \"/metadata~2name\" is no JSON pointer"),
        ("T8: an escaped letter is none",   "/metadat~61/name",                                        PatchInvalid,   "operation 0: path \"/metadat~61/name\" is no JSON pointer"),
        ("T8: the slash of a key",          "/metadata/labels/vitistack.io~1machine",                  PatchForbidden, "operation 0 (add /metadata/labels/vitistack.io~1machine)"),
        ("T8: no slash in front",           "metadata/name",                                           PatchInvalid,   "operation 0: path \"metadata/name\" is no JSON pointer"),
        ("T8: an empty segment",            "/spec//template",                                         PatchInvalid,   "operation 0 (add /spec//template): \"\" is not there"),
        ("T8: another case",                "/spec/template/spec/domain/cpu/dedicatedCPUPlacement",    PatchForbidden, "operation 0 (add /spec/template/spec/domain/cpu/dedicatedCPUPlacement): may not be patched (did you mean /spec/template/spec/domain/cpu/dedicatedCpuPlacement?)"),
        ("T8: the end of a list",           "/spec/template/spec/domain/devices/disks/-",              PatchForbidden, "operation 0 (add /spec/template/spec/domain/devices/disks/-): /spec/template/spec/domain/devices/disks may not be patched: disks are"),
        ("T8: an index with a zero before", "/spec/template/spec/domain/devices/disks/00/cache",       PatchInvalid,   "operation 0 (add /spec/template/spec/domain/devices/disks/00/cache): "),
    ];
    every_row(cases, |(name, path, reason, starts)| {
        let (field, found, says) =
            only(patched(&json!([{"op": "add", "path": path, "value": true}]), true).expect_err(name));
        assert_eq!((field.as_str(), found), (FIELD, reason), "{name}: {says}");
        assert!(says.starts_with(starts), "{name}: {says}");
    });
}
