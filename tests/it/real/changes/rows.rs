//! The edits: what of docs/changes.md is tried, and what it says of each.

use serde_json::{Value, json};

use super::super::movable;

/// Where an edit arrives at once.
pub(super) enum At {
    /// In the VirtualMachine, at this pointer.
    Vm(&'static str),
    /// In the claim of the boot disk.
    Claim(&'static str),
}

/// What becomes of the guest.
pub(super) enum Then {
    /// It goes on running and has this, at a pointer of the instance.
    Live(&'static str, Value),
    /// KubeVirt asks for a restart, and with it the guest has the change, at this pointer of the instance.
    Restart(&'static str),
    /// KubeVirt asks for nothing; the guest has the change, at this pointer of the instance, with its next start.
    NextStart(&'static str),
    /// It goes on running as it is.
    Nothing,
    /// It is shut down.
    Stopped,
}

/// One edit.
pub(super) struct Row {
    /// Of the Machine.
    pub(super) name: &'static str,
    pub(super) annotations: Value,
    pub(super) spec: Value,
    /// A merge patch of the Machine.
    pub(super) edit: Value,
    pub(super) at: At,
    /// Null where there must be none.
    pub(super) value: Value,
    pub(super) then: Then,
}

/// A guest that stays on its node.
fn fixed(more: &Value) -> Value {
    let mut spec = more.clone();
    spec["template"] = json!("small");
    spec
}

#[rustfmt::skip]
pub(super) fn rows() -> Vec<Row> {
    let none = || json!({});
    let cpu = |cpu: Value| json!({"resources": {"cpu": cpu}});
    let memory = |size: &str| json!({"resources": {"memory": {"size": size}}});
    let spec = |spec: Value| json!({"spec": spec});
    let add = |path: &str, value: Value| json!({"platform.kubevirt.io/patch": json!([{"op": "add", "path": format!("/spec/template/spec/{path}"), "value": value}]).to_string()});
    let patch = |path: &str, value: Value| json!({"metadata": {"annotations": add(path, value)}});
    let row = |name, spec, edit, at, value, then| Row { name, annotations: json!({}), spec, edit, at, value, then };
    let vm = At::Vm;
    let guest = json!({"name": "default"});
    let lan = |model: &str| json!({"name": "lan", "networkName": "frontend", "model": model});
    let zone = json!([{"key": "zone", "operator": "Equal", "value": "a", "effect": "NoSchedule"}]);
    let affinity = json!({"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}}]}});
    vec![
        row("halted",        fixed(&json!({"runStrategy": "Always"})), spec(json!({"runStrategy": "Halted"})), vm("/spec/runStrategy"), json!("Halted"), Then::Stopped),
        row("sockets-up",    movable(&none()), spec(cpu(json!({"sockets": 2}))), vm("/spec/template/spec/domain/cpu/sockets"), json!(2), Then::Live("/status/currentCPUTopology/sockets", json!(2))),
        row("sockets-fixed", fixed(&none()), spec(cpu(json!({"sockets": 2}))), vm("/spec/template/spec/domain/cpu/sockets"), json!(2), Then::NextStart("/status/currentCPUTopology/sockets")),
        row("sockets-beyond", movable(&none()), spec(cpu(json!({"sockets": 5}))), vm("/spec/template/spec/domain/cpu/sockets"), json!(5), Then::Restart("/spec/domain/cpu/sockets")),
        row("sockets-less",  movable(&cpu(json!({"sockets": 2}))), spec(cpu(json!({"sockets": 1}))), vm("/spec/template/spec/domain/cpu/sockets"), json!(1), Then::Restart("/spec/domain/cpu/sockets")),
        row("cores-up",      movable(&none()), spec(cpu(json!({"cores": 2}))), vm("/spec/template/spec/domain/cpu/cores"), json!(2), Then::Restart("/spec/domain/cpu/cores")),
        row("cores-less",    movable(&cpu(json!({"cores": 4}))), spec(cpu(json!({"cores": 3}))), vm("/spec/template/spec/domain/cpu/cores"), json!(3), Then::Restart("/spec/domain/cpu/cores")),
        row("threads-up",    movable(&none()), spec(cpu(json!({"threads": 2}))), vm("/spec/template/spec/domain/cpu/threads"), json!(2), Then::Restart("/spec/domain/cpu/threads")),
        row("memory-up",     movable(&none()), spec(memory("4Gi")), vm("/spec/template/spec/domain/memory/guest"), json!("4Gi"), Then::Live("/status/memory/guestRequested", json!("4Gi"))),
        row("memory-beyond", movable(&none()), spec(memory("9Gi")), vm("/spec/template/spec/domain/memory/guest"), json!("9Gi"), Then::Restart("/spec/domain/memory/guest")),
        row("memory-less",   movable(&memory("4Gi")), spec(memory("3Gi")), vm("/spec/template/spec/domain/memory/guest"), json!("3Gi"), Then::Restart("/spec/domain/memory/guest")),
        row("memory-small",  movable(&memory("512Mi")), spec(memory("768Mi")), vm("/spec/template/spec/domain/memory/guest"), json!("768Mi"), Then::Restart("/spec/domain/memory/guest")),
        row("memory-fixed",  fixed(&none()), spec(memory("4Gi")), vm("/spec/template/spec/domain/memory/guest"), json!("4Gi"), Then::Restart("/spec/domain/memory/guest")),
        row("template",      movable(&none()), spec(json!({"template": "medium"})), vm("/spec/template/spec/domain/memory/guest"), json!("4Gi"), Then::Restart("/spec/domain/memory/guest")),
        row("firmware",      fixed(&none()), spec(json!({"domain": {"firmware": {"bootloader": {"efi": true}}}})), vm("/spec/template/spec/domain/firmware/bootloader/efi/secureBoot"), json!(false), Then::Restart("/spec/domain/firmware/bootloader/efi/secureBoot")),
        row("machine-type",  fixed(&none()), spec(json!({"machineType": "pc-q35-8.2"})), vm("/spec/template/spec/domain/machine/type"), json!("pc-q35-8.2"), Then::Restart("/spec/domain/machine/type")),
        row("boot-order",    fixed(&none()), spec(json!({"bootOrder": ["network", "disk"]})), vm("/spec/template/spec/domain/devices/interfaces/0/bootOrder"), json!(1), Then::Restart("/spec/domain/devices/interfaces/0/bootOrder")),
        row("node-selector", movable(&none()), patch("nodeSelector", json!({"zone": "a"})), vm("/spec/template/spec/nodeSelector/zone"), json!("a"), Then::Live("/spec/nodeSelector/zone", json!("a"))),
        row("tolerations",   movable(&none()), patch("tolerations", zone.clone()), vm("/spec/template/spec/tolerations"), zone.clone(), Then::Live("/spec/tolerations", zone)),
        row("selector-fixed", fixed(&none()), patch("nodeSelector", json!({"zone": "a"})), vm("/spec/template/spec/nodeSelector/zone"), json!("a"), Then::Live("/spec/nodeSelector/zone", json!("a"))),
        row("affinity",      fixed(&none()), patch("affinity", affinity.clone()), vm("/spec/template/spec/affinity"), affinity.clone(), Then::Live("/spec/affinity", affinity)),
        row("tpm",           fixed(&none()), patch("domain/devices/tpm", json!({})), vm("/spec/template/spec/domain/devices/tpm"), json!({}), Then::Restart("/spec/domain/devices/tpm")),
        Row { annotations: add("domain/devices/tpm", json!({})), ..row("tpm-removed", fixed(&none()), json!({"metadata": {"annotations": {"platform.kubevirt.io/patch": null}}}), vm("/spec/template/spec/domain/devices/tpm"), Value::Null, Then::Restart("/spec/domain/devices/tpm")) },
        row("label",         fixed(&none()), json!({"metadata": {"labels": {"cluster.vitistack.io/role": "db"}}}), vm("/spec/template/metadata/labels/cluster.vitistack.io~1role"), json!("db"), Then::NextStart("/metadata/labels/cluster.vitistack.io~1role")),
        row("label-of-disk", fixed(&none()), json!({"metadata": {"labels": {"cluster.vitistack.io/role": "db"}}}), At::Claim("/metadata/labels/cluster.vitistack.io~1role"), json!("db"), Then::Nothing),
        row("disk-up",       fixed(&none()), spec(json!({"disks": [{"name": "root", "boot": true, "size": "30Gi"}]})), At::Claim("/spec/resources/requests/storage"), json!("30Gi"), Then::Live("/status/volumeStatus/0/persistentVolumeClaimInfo/capacity/storage", json!("30Gi"))),
        row("another-disk",  fixed(&none()), spec(json!({"disks": [{"name": "data", "size": "1Gi"}]})), vm("/spec/template/spec/volumes/1/persistentVolumeClaim/claimName"), json!("another-disk-data"), Then::Restart("/spec/volumes/1/persistentVolumeClaim/claimName")),
        row("iso",           fixed(&none()), spec(json!({"os": {"isoUri": "https://images.example.com/a.iso"}})), vm("/spec/template/spec/domain/devices/disks/1/cdrom/bus"), json!("sata"), Then::Restart("/spec/domain/devices/disks/1/cdrom/bus")),
        row("cloud-init",    fixed(&json!({"cloudInit": {"userData": "#cloud-config\n{}\n"}})), spec(json!({"cloudInit": {"userData": "#cloud-config\nhostname: a\n"}})), vm("/spec/template/spec/volumes/1/cloudInitNoCloud/userData"), json!("#cloud-config\nhostname: a\n"), Then::Restart("/spec/volumes/1/cloudInitNoCloud/userData")),
        row("network-added", movable(&json!({"networks": [guest]})), spec(json!({"networks": [guest, lan("virtio")]})), vm("/spec/template/spec/networks/1/multus/networkName"), json!("vlan2101"), Then::Live("/spec/networks/1/multus/networkName", json!("vlan2101"))),
        row("network-model", fixed(&json!({"networks": [guest, lan("virtio")]})), spec(json!({"networks": [guest, lan("e1000")]})), vm("/spec/template/spec/domain/devices/interfaces/1/model"), json!("e1000"), Then::Restart("/spec/domain/devices/interfaces/1/model")),
        row("network-less",  fixed(&json!({"networks": [guest, lan("virtio")]})), spec(json!({"networks": [guest]})), vm("/spec/template/spec/networks/1"), Value::Null, Then::Restart("/spec/networks/1")),
    ]
}
