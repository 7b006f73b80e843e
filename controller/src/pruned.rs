//! What is kept of a Machine while it is watched: the store has one of each, whoever runs it, and a tenant may write much into
//! his that nobody reads. No I/O.

use std::collections::BTreeMap;

use kube::api::ObjectMeta;
use model::api::machine::network::PublishedInterface;
use model::api::machine::published::{Backup, ProviderConfig};
use model::api::{Machine, MachineSpec, MachineStatus};
use model::message::is_ours;
use model::names::{CLEANUP, LEGACY_FINALIZER, PATCH_PREFIXES};
use model::text::line;

use crate::packed::Guarded;

/// Labels of a Machine: the chart's policy lets no more in.
const LABELS: usize = 256;
/// Entries of a list in the status: none that we write is longer.
const ENTRIES: usize = 1024;
/// Bytes of why a Machine cannot be read, which quotes it.
const WHY: usize = 512;

/// Takes away what the controller does not read.
pub(crate) fn prune(machine: &mut Guarded) {
    match &mut machine.0 {
        Ok(machine) if is_foreign(machine) => *machine = stub(machine),
        Ok(machine) => {
            prune_metadata(&mut machine.metadata);
            prune_spec(&mut machine.spec);
            machine.status.iter_mut().for_each(prune_status);
        }
        Err(broken) => {
            broken.error = line(&broken.error, WHY);
            prune_metadata(&mut broken.metadata);
        }
    }
}

/// Another provider's, and nothing of ours waits for it.
fn is_foreign(machine: &Machine) -> bool {
    let ours = |name: &String| [CLEANUP, LEGACY_FINALIZER].contains(&name.as_str());
    !is_ours(machine.spec.provider.as_deref()) && !machine.metadata.finalizers.iter().flatten().any(ours)
}

/// That it is there, and that it is not ours: what is left of it on a cluster is no orphan.
fn stub(machine: &mut Machine) -> Machine {
    let ObjectMeta { name, namespace, uid, resource_version, creation_timestamp, .. } =
        std::mem::take(&mut machine.metadata);
    Machine {
        metadata: ObjectMeta { name, namespace, uid, resource_version, creation_timestamp, ..ObjectMeta::default() },
        spec: MachineSpec { provider: machine.spec.provider.take(), ..MachineSpec::default() },
        status: None,
    }
}

fn prune_metadata(metadata: &mut ObjectMeta) {
    (metadata.managed_fields, metadata.owner_references) = (None, None);
    if let Some(annotations) = &mut metadata.annotations {
        annotations.retain(|key, _| PATCH_PREFIXES.iter().any(|prefix| key.starts_with(prefix)));
    }
    if let Some(labels) = &mut metadata.labels {
        let mut left = LABELS;
        labels.retain(|_, _| {
            let fits = left > 0;
            left = left.saturating_sub(1);
            fits
        });
    }
}

/// What has no effect, or none after admission.
/// Of what means nothing to KubeVirt, that it is set: the status says so.
fn prune_spec(spec: &mut MachineSpec) {
    if !spec.tags.is_empty() {
        spec.tags = BTreeMap::from([(String::new(), String::new())]);
    }
    spec.security_groups = spec.security_groups.first().map(|_| String::new()).into_iter().collect();
    spec.backup = spec.backup.take().map(|_| Backup { enabled: Some(true), ..Backup::default() });
    let named = |_| ProviderConfig { name: Some(String::new()), ..ProviderConfig::default() };
    spec.provider_config = spec.provider_config.take().map(named);
    spec.cluster_selector = None;
    if let Some(network) = &mut spec.network {
        network.interfaces = network.interfaces.first().map(|_| PublishedInterface::default()).into_iter().collect();
    }
}

/// Whoever may write `machines/status` has lists as long as he likes. One that is cut differs from what we write next, which
/// replaces it.
fn prune_status(status: &mut MachineStatus) {
    cut(&mut status.conditions);
    cut(&mut status.disks);
    cut(&mut status.network_interfaces);
    let addresses = [
        &mut status.ip_addresses,
        &mut status.public_ip_addresses,
        &mut status.private_ip_addresses,
        &mut status.ipv6_addresses,
    ];
    addresses.into_iter().for_each(cut);
    for interface in &mut status.network_interfaces {
        cut(&mut interface.ip_addresses);
        cut(&mut interface.ipv6_addresses);
    }
    for disk in &mut status.disks {
        cut(&mut disk.access_modes);
    }
}

fn cut<T>(list: &mut Vec<T>) {
    if list.len() > ENTRIES {
        list.truncate(ENTRIES);
        list.shrink_to_fit();
    }
}

#[cfg(test)]
#[path = "pruned_tests.rs"]
mod tests;
