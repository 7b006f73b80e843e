//! Patches of users as the two callers see them: annotations and objects in, violations or patched objects out.

use std::collections::BTreeMap;

use model::patch::{Desired, UserPatches, check};
use model::reason::{Reason, Violation};
use serde_json::{Value, json};

mod annotations;
mod bounds;
mod checker;
mod disks;
mod examples;
mod forbidden;
mod generate;
mod hostile;
mod ignored;
#[path = "../../../../tests/table.rs"]
mod table;
mod values;
mod vm;

const PATCH: &str = "platform.kubevirt.io/patch";
const FIELD: &str = "metadata.annotations[platform.kubevirt.io/patch]";

/// A VM as the controller writes it, with everything that it may have.
fn vm() -> Value {
    json!({
        "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine",
        "metadata": {
            "name": "vm-web", "namespace": "shop",
            "labels": {"vitistack.io/managed-by": "kubevirt-operator", "vitistack.io/machine-uid": "m-1"},
            "annotations": {"vitistack.io/desired-hash": "0123456789abcdef"},
            "ownerReferences": [{"apiVersion": "vitistack.io/v1alpha1", "kind": "Machine", "name": "web", "uid": "m-1"}],
        },
        "spec": {
            "runStrategy": "Always",
            "template": {
                "metadata": {"labels": {"vitistack.io/machine-uid": "m-1"}},
                "spec": {
                    "domain": {
                        "cpu": {"cores": 2, "threads": 1, "sockets": 1},
                        "memory": {"guest": "4Gi"},
                        "machine": {"type": "q35"},
                        "firmware": {"bootloader": {"efi": {"secureBoot": true}}},
                        "features": {"smm": {"enabled": true}, "acpi": {}},
                        "devices": {
                            "disks": [
                                {"name": "root", "disk": {"bus": "virtio"}, "bootOrder": 1},
                                {"name": "data", "disk": {"bus": "virtio"}},
                                {"name": "iso", "cdrom": {"bus": "sata"}},
                            ],
                            "interfaces": [
                                {"name": "default", "masquerade": {}, "model": "virtio"},
                                {"name": "lan", "bridge": {}, "model": "virtio"},
                            ],
                        },
                    },
                    "networks": [{"name": "default", "pod": {}}, {"name": "lan", "multus": {"networkName": "lan"}}],
                    "volumes": [
                        {"name": "root", "persistentVolumeClaim": {"claimName": "web-root"}},
                        {"name": "data", "persistentVolumeClaim": {"claimName": "web-data"}},
                        {"name": "iso", "persistentVolumeClaim": {"claimName": "web-iso"}},
                    ],
                },
            },
        },
    })
}

/// The claim of a disk as the controller writes it.
fn claim(disk: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": format!("web-{disk}"), "namespace": "shop", "labels": {"vitistack.io/machine-uid": "m-1"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Gi"}}},
    })
}

/// Everything wrong with these annotations, where the Machine has the disks root and data.
fn wrong(annotations: &[(&str, &str)], scheduling: bool) -> Vec<Violation> {
    let (vm, root, data) = (vm(), claim("root"), claim("data"));
    let disks = BTreeMap::from([("root", &root), ("data", &data)]);
    check(annotations.iter().copied(), &Desired { vm: &vm, disks, scheduling })
}

/// The VM that a patch makes. The two callers must agree about it.
fn patched(patch: &Value, scheduling: bool) -> Result<Value, Vec<Violation>> {
    let text = patch.to_string();
    let annotations = [(PATCH, text.as_str())];
    let result = UserPatches::read(annotations).and_then(|patches| patches.vm.apply(&vm(), scheduling));
    assert_eq!(wrong(&annotations, scheduling), result.clone().err().unwrap_or_default(), "{text}");
    result
}

/// `path` below the VM's template.
fn below(path: &str) -> String {
    format!("/spec/template/spec/{path}")
}

/// One `add`, below the VM's template.
fn add(path: &str, value: &Value) -> Value {
    json!([{"op": "add", "path": below(path), "value": value}])
}

/// The one violation that there is: where, which, what.
#[track_caller]
fn only(violations: Vec<Violation>) -> (String, Reason, String) {
    let [Violation { path, reason, message }] = &violations[..] else { panic!("not one violation: {violations:#?}") };
    (path.clone(), *reason, message.clone())
}
