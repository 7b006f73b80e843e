//! The spec of a Machine as the controller will read it, as far as it shapes the objects that a patch may touch. Pure.

use model::api::MachineSpec;
use model::api::machine::cloudinit::CloudInit;
use model::api::machine::disk::{Disk, DiskSource, HttpSource, PvcSource, RegistrySource};
use model::api::machine::domain::{Bootloader, Domain, Features, Firmware, MachineType};
use model::api::machine::network::{Network, PublishedNetwork};
use model::api::machine::published::OperatingSystem;

use crate::review::{self, Spec, Text};

fn owned(text: Option<&Text<'_>>) -> Option<String> {
    text.map(|text| &**text).map(str::to_owned)
}

fn required(text: Option<&Text<'_>>) -> String {
    owned(text).unwrap_or_default()
}

/// Sizes, places and what is inside of cloud-init data shape nothing, and are left out.
pub(super) fn as_read(spec: &Spec<'_>) -> MachineSpec {
    let given = spec.cloud_init.is_some() || spec.user_data.is_some() || spec.ssh_keys.is_some();
    MachineSpec {
        boot_order: spec.boot_order.iter().flatten().map(|device| (**device).to_owned()).collect(),
        domain: spec.domain.as_ref().map(domain),
        machine_type: owned(spec.machine_type.as_ref()),
        networks: spec.networks.iter().flatten().map(network).collect(),
        network: spec.network.as_ref().map(|network| PublishedNetwork {
            network_namespace_name: owned(network.network_namespace_name.as_ref()),
            ..PublishedNetwork::default()
        }),
        os: spec.os.as_ref().map(|os| OperatingSystem {
            iso_uri: owned(os.iso_uri.as_ref()),
            image_id: owned(os.image_id.as_ref()),
            ..OperatingSystem::default()
        }),
        disks: spec.disks.iter().flatten().enumerate().map(|(index, one)| disk(index, one)).collect(),
        cloud_init: given.then(|| CloudInit { user_data: Some("#cloud-config".to_owned()), ..CloudInit::default() }),
        ..MachineSpec::default()
    }
}

fn domain(domain: &review::Domain<'_>) -> Domain {
    let loader = domain.firmware.and_then(|firmware| firmware.bootloader);
    let features = |it: review::Features| Features { acpi: it.acpi, apic: it.apic, hyperv: it.hyperv, smm: it.smm };
    Domain {
        machine: domain.machine.as_ref().map(|machine| MachineType { type_: owned(machine.kind.as_ref()) }),
        features: domain.features.map(features),
        firmware: loader.map(|loader| Firmware {
            bootloader: Some(Bootloader { efi: loader.efi, secure_boot: loader.secure_boot }),
        }),
    }
}

fn network(network: &review::Network<'_>) -> Network {
    Network {
        name: required(network.name.as_ref()),
        network_name: owned(network.network_name.as_ref()),
        model: owned(network.model.as_ref()),
        mac_address: owned(network.mac_address.as_ref()),
    }
}

fn disk(index: usize, disk: &review::Disk<'_>) -> Disk {
    let source = disk.source.as_ref().map(|source| DiskSource {
        http: source.http.as_ref().map(|http| HttpSource { url: required(http.url.as_ref()) }),
        registry: source.registry.as_ref().map(|registry| RegistrySource { url: required(registry.url.as_ref()) }),
        pvc: source
            .pvc
            .as_ref()
            .map(|pvc| PvcSource { name: required(pvc.name.as_ref()), namespace: owned(pvc.namespace.as_ref()) }),
        retained: owned(source.retained.as_ref()),
    });
    Disk { name: Some(disk.called(index).into_owned()), source, boot: disk.boot, ..Disk::default() }
}
