//! The fields of a status that repeat what the VM, its instance and the sizing say. Pure. C10, X71, X75.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::super::intent::Admitted;
use super::super::networks::{IpSource, Record};
use super::super::objects::Nic;
use super::super::observed::Observed;
use super::super::{adoption, storage};
use crate::api::machine::status::{InterfaceStatus, Resolved, ResolvedDisk};
use crate::api::{AssignedConfig, MachineStatus};
use crate::message::Sizing;

/// What the VM and its instance say, field by field.
pub(super) fn mirror(next: &mut MachineStatus, admitted: &Admitted, seen: &Observed) {
    // The instance of a VM that has stopped is on its way out, and so is what it says.
    let stopped = seen.vm.as_ref().is_some_and(|vm| vm.printable == "Stopped");
    let vmi = seen.vmi.as_ref().filter(|_| !stopped);
    next.network_interfaces = vmi.iter().flat_map(|vmi| &vmi.interfaces).map(|nic| interface(nic, seen)).collect();
    let of_all = |family: fn(&InterfaceStatus) -> &Vec<String>| next.network_interfaces.iter().flat_map(family);
    let ips: Vec<String> = of_all(|nic| &nic.ip_addresses).chain(of_all(|nic| &nic.ipv6_addresses)).cloned().collect();
    let private = |ip: &String| {
        ip.parse::<std::net::IpAddr>().is_ok_and(|ip| match ip {
            std::net::IpAddr::V4(ip) => ip.is_private() || ip.is_link_local() || ip.is_loopback(),
            std::net::IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback(),
        })
    };
    next.state = seen.vm.as_ref().map(|vm| vm.printable.clone()).filter(|state| !state.is_empty());
    next.machine_id = seen.vm.as_ref().map(|vm| vm.uid.clone());
    next.resource_version = seen.vm.as_ref().map(|vm| vm.resource_version.clone());
    next.vmi_name = vmi.map(|vmi| vmi.name.clone());
    next.node_name = vmi.and_then(|vmi| vmi.node.clone());
    (next.private_ip_addresses, next.public_ip_addresses) = ips.iter().cloned().partition(private);
    next.ip_addresses = ips;
    next.provider = Some("kubevirt".to_owned());
    let vm = &admitted.identity.vm;
    next.provider_id =
        seen.vm.as_ref().map(|_| format!("kubevirt://{}/{}/{}", admitted.cluster, vm.namespace, vm.name));
    next.kubevirt_config_ref = admitted.identity.cluster_id.as_ref().map(|id| AssignedConfig {
        name: Some(admitted.cluster.0.clone()),
        cluster_id: Some(id.clone()),
        namespace: admitted.identity.mapped(),
    });
    let sizing = &admitted.sizing;
    if adoption::keeps_its_disks(seen) {
        // What it has is its own, and was not read, but for claims that the published operator made.
        (next.cpus, next.disks) = (None, storage::came_with(admitted, seen));
        return;
    }
    next.cpus = Some(sizing.cores * sizing.threads * sizing.sockets);
    next.disks = storage::shown(admitted, seen);
}

/// What the instance says of an interface. Where it has no address to tell, because nobody in the guest does, that which address
/// management gave out counts; with `IP_SOURCE=networkconfiguration` it counts first.
fn interface(nic: &Nic, seen: &Observed) -> InterfaceStatus {
    let own = match &seen.networks.record {
        Record::Own(own) => own.allotted.as_slice(),
        Record::Unknown | Record::Absent | Record::Left(_) | Record::Foreign { .. } => &[],
    };
    let same = own.iter().filter(|theirs| theirs.is(nic.name.as_deref(), nic.mac.as_deref()));
    let allotted: Vec<String> = same.flat_map(|theirs| theirs.ips.iter().cloned()).collect();
    let (first, second) = match seen.networks.ip_source {
        IpSource::Vmi => (nic.ips.clone(), allotted),
        IpSource::NetworkConfiguration => (allotted, nic.ips.clone()),
    };
    let ips = if first.is_empty() { second } else { first };
    let (ipv6_addresses, ip_addresses) = ips.into_iter().partition(|ip| ip.contains(':'));
    InterfaceStatus {
        name: nic.name.clone(),
        mac_address: nic.mac.clone(),
        ip_addresses,
        ipv6_addresses,
        state: nic.state.clone(),
        type_: nic.source.clone(),
        mtu: None,
    }
}

/// The sizing for people: the annotation, readable in `kubectl describe`.
pub(super) fn resolved(sizing: &Sizing) -> Resolved {
    let whole = |count: i64| i32::try_from(count).ok();
    let quantity = |text: &str| Some(Quantity(text.to_owned()));
    let disks = sizing.disks.iter().map(|disk| ResolvedDisk {
        name: Some(disk.name.clone()),
        size: quantity(&disk.size),
        storage_class: disk.storage_class.clone(),
        access_mode: Some(disk.access_mode.clone()),
        volume_mode: disk.volume_mode.clone(),
        boot: disk.boot.then_some(true),
    });
    Resolved {
        source: Some(sizing.source.name().to_owned()),
        template: sizing.template.clone(),
        cores: whole(sizing.cores),
        threads: whole(sizing.threads),
        sockets: whole(sizing.sockets),
        memory: quantity(&sizing.memory),
        disks: disks.collect(),
    }
}
