//! The network interfaces of a Machine's VM, and the NetworkAttachmentDefinitions that they need. Pure. C6, C23, X36, X37, X64, X65,
//! D8; regressions KVO12, KVO13.
//!
//! A network is a VLAN on a bridge of the nodes. On the cluster it is a NetworkAttachmentDefinition, named after VLAN and bridge and
//! shared by every VM of its namespace. One of that name that is there already is used as it is, whoever made it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::addresses;
use super::attachment::attachment;
use super::intent::Admitted;
use super::networks::Attachments;
use super::objects::Nic;
use super::observed::Observed;
use super::wanted::{Trouble, Wanted, Wire, failed, resolve};
use super::write::{Failure, Kind, There};

/// `devices.interfaces` and `networks`, which belong together by name.
pub(super) struct Nics {
    pub(super) interfaces: Vec<Value>,
    pub(super) networks: Vec<Value>,
}

/// The interfaces in the order of the spec; without any there is one on the pod network. One whose network is missing is left out.
pub(super) fn nics(admitted: &Admitted, seen: &Observed) -> Nics {
    let (interfaces, networks) =
        resolve(admitted, &seen.networks).unwrap_or_default().iter().map(Wanted::attached).unzip();
    Nics { interfaces, networks }
}

/// Makes the NetworkAttachmentDefinitions that the cluster lacks.
pub(super) fn plan(admitted: &Admitted, seen: &Observed) -> Vec<There> {
    let Attachments::Listed(there) = &seen.networks.attachments else { return Vec::new() };
    let wanted = resolve(admitted, &seen.networks).unwrap_or_default();
    let wires: BTreeMap<&String, &Wire> =
        wanted.iter().filter_map(|nic| nic.wire.as_ref()).map(|wire| (&wire.attachment, wire)).collect();
    let missing = wires.into_iter().filter(|(name, _)| !there.contains_key(*name));
    let namespace = &admitted.identity.vm.namespace;
    missing
        .map(|(name, wire)| {
            There::Create(Kind::Attachment, name.clone(), attachment(wire, namespace, &seen.supervisor))
        })
        .collect()
}

/// Why the VM cannot be made or brought in line yet.
pub(super) fn missing(admitted: &Admitted, seen: &Observed) -> Option<Failure> {
    trouble(admitted, seen).map(|(_, failure)| failure).or_else(|| addresses::awaited(admitted, seen))
}

/// The network that keeps the VM from being made or brought in line, as the Machine names it, and why.
pub(super) fn trouble(admitted: &Admitted, seen: &Observed) -> Option<(String, Failure)> {
    let wanted = match resolve(admitted, &seen.networks) {
        Ok(wanted) => wanted,
        Err(Trouble(network, failure)) => return Some((network, failure)),
    };
    let mut pods = wanted.iter().filter(|nic| nic.wire.is_none());
    if let (Some(first), Some(second)) = (pods.next(), pods.next()) {
        let of = |nic: &Wanted| nic.namespace.as_ref().map(|name| format!(" (NetworkNamespace {name:?} has no VLAN)"));
        let [first_of, second_of] = [first, second].map(|nic| of(nic).unwrap_or_default());
        let why = format!(
            "spec.networks: KubeVirt puts one interface on the pod network, and {:?}{first_of} and {:?}{second_of} would both be: take one out",
            first.name, second.name
        );
        let network = second.namespace.as_ref().or(first.namespace.as_ref()).cloned().unwrap_or_default();
        return Some((network, failed(why)));
    }
    let (nic, wire) = wanted.iter().find_map(|nic| Some((nic, nic.wire.as_ref()?)))?;
    let cluster = &admitted.cluster.0;
    let attached = format!("interface {:?} needs the NetworkAttachmentDefinition {:?}", nic.name, wire.attachment);
    let why = match &seen.networks.attachments {
        Attachments::Listed(_) => return None,
        Attachments::NotInstalled => format!(
            "{attached}, and cluster {cluster:?} has no Multus: install Multus there (https://github.com/k8snetworkplumbingwg/multus-cni), or take the interface out of the spec"
        ),
        Attachments::Unknown(why) => {
            format!("{attached}, and whether cluster {cluster:?} has Multus is not known: {why}")
        }
    };
    Some((wire.attachment.clone(), failed(why)))
}

/// Whether the instance has every interface that it should have; of the pod network's the address is known as well.
pub(super) fn reported(admitted: &Admitted, seen: &Observed) -> bool {
    let has = seen.vmi.as_ref().map(|vmi| vmi.interfaces.as_slice()).unwrap_or_default();
    let find = |name: &str| has.iter().find(|nic| nic.name.as_deref() == Some(name));
    let up = |nic: &Wanted, found: &Nic| nic.wire.is_some() || !found.ips.is_empty();
    let mut wanted = resolve(admitted, &seen.networks).unwrap_or_default().into_iter();
    !has.is_empty() && wanted.all(|nic| find(&nic.name).is_some_and(|found| up(&nic, found)))
}
