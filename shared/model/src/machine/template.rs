//! `spec.template.spec` of a Machine's VirtualMachine: its parts put together. Pure. C9, C18, X37, X64, X72.

use serde_json::{Map, Value, json};

use super::intent::Admitted;
use super::observed::Observed;
use super::{cloudinit, network, storage};

/// The instance as it should be.
pub(super) fn template(admitted: &Admitted, seen: &Observed) -> Value {
    let sizing = &admitted.sizing;
    let mut nics = network::nics(admitted, seen);
    let (mut disks, mut volumes) = storage::attached(admitted, seen);
    let order = boot_order(admitted, &disks, &nics.interfaces);
    for device in disks.iter_mut().chain(&mut nics.interfaces) {
        let place = order.iter().position(|name| *name == device["name"]);
        if let Some(place) = place {
            device["bootOrder"] = json!(place + 1);
        }
    }
    if let Some((disk, volume)) = cloudinit::attached(admitted, seen) {
        disks.push(disk);
        volumes.push(volume);
    }
    let mut domain = json!({
        "cpu": {"cores": sizing.cores, "threads": sizing.threads, "sockets": sizing.sockets},
        "memory": {"guest": sizing.memory},
        "devices": {"disks": disks, "interfaces": nics.interfaces},
    });
    hardware(admitted, &mut domain);
    json!({"domain": domain, "networks": nics.networks, "volumes": volumes})
}

/// The names of what the firmware tries, in that order. A single disk needs none.
fn boot_order(admitted: &Admitted, disks: &[Value], interfaces: &[Value]) -> Vec<Value> {
    let sized = &admitted.sizing.disks;
    let boot = sized.iter().position(|disk| disk.boot).unwrap_or(0);
    let boot = sized.get(boot).map(|disk| json!(disk.name));
    let cdroms = disks.iter().filter(|disk| disk.get("cdrom").is_some()).map(|disk| disk["name"].clone());
    if admitted.spec.boot_order.is_empty() {
        return if disks.len() > 1 { boot.into_iter().chain(cdroms).collect() } else { Vec::new() };
    }
    let mut order = Vec::new();
    for kind in &admitted.spec.boot_order {
        match kind.as_str() {
            "disk" => order.extend(boot.clone()),
            "network" => order.extend(interfaces.iter().map(|nic| nic["name"].clone())),
            "cdrom" => order.extend(cdroms.clone()),
            _ => {}
        }
    }
    order
}

/// Machine type, features and firmware. What is not asked for stays KubeVirt's.
fn hardware(admitted: &Admitted, domain: &mut Value) {
    let wanted = admitted.spec.domain.clone().unwrap_or_default();
    let published = admitted.spec.machine_type.clone();
    let board = wanted.machine.and_then(|machine| machine.type_).filter(|board| !board.is_empty());
    if let Some(board) = board.or(published.filter(|board| !board.is_empty())) {
        domain["machine"] = json!({"type": board});
    }
    let loader = wanted.firmware.and_then(|firmware| firmware.bootloader).unwrap_or_default();
    let secure = loader.secure_boot == Some(true);
    if loader.efi == Some(true) {
        // KubeVirt takes an absent one for true.
        domain["firmware"] = json!({"bootloader": {"efi": {"secureBoot": secure}}});
    }
    let features = wanted.features.unwrap_or_default();
    let smm = features.smm.or(secure.then_some(true));
    let mut given = Map::new();
    for (name, enabled) in [("acpi", features.acpi), ("apic", features.apic), ("smm", smm)] {
        if let Some(enabled) = enabled {
            given.insert(name.to_owned(), json!({"enabled": enabled}));
        }
    }
    if features.hyperv == Some(true) {
        let on = json!({"enabled": true});
        given.insert(
            "hyperv".to_owned(),
            json!({"relaxed": on, "vapic": on, "vpindex": on, "spinlocks": {"enabled": true, "spinlocks": 8191}}),
        );
    }
    if !given.is_empty() {
        domain["features"] = Value::Object(given);
    }
}
