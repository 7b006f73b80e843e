//! Networks and addresses of the fleet that a Machine's interfaces use. Pure. C47, X36.

use model::names::{MachineKey, say_machine};
use model::reason::{Reason, did_you_mean};

use super::placed::{COMPARED, key, list};
use crate::findings::Findings;
use crate::review::PublishedNetwork;
use crate::rules::ask::Ask;
use crate::rules::form::shown;
use crate::rules::networks::shared;
use crate::world::World;

/// Networks that interfaces are attached to (C47, X36).
pub(super) fn attached(ask: &Ask<'_>, world: &World, found: &mut Findings) {
    let spec = &ask.object.spec;
    let old = ask.old.map(|old| &old.spec);
    let mut any = false;
    for (index, network) in spec.networks.iter().flatten().enumerate() {
        any = true;
        let Some(name) = shared(network) else { continue };
        let key = MachineKey { namespace: (*ask.request.namespace).to_owned(), name: name.to_owned() };
        let record = world.networks.configurations.get(&key);
        if record == Some(&false) || world.networks.namespaces.contains_key(&key) {
            continue;
        }
        let held = old.into_iter().flat_map(|old| old.networks.iter().flatten());
        let held = held.filter(|other| other.name == network.name).any(|other| shared(other) == Some(name));
        let path = format!("spec.networks[{index}].networkName");
        if unlisted(&path, name, held, world, found) {
            continue;
        }
        let why = if record.is_some() { "is the record of a Machine and no network" } else { "not found" };
        let says = missing_network(&key, why, world, true);
        found.refuse_unless(held, Reason::NetworkConfigurationNotFound.at(path).says(says));
    }
    let published = |network: Option<&PublishedNetwork<'_>>| -> Option<String> {
        network?.network_namespace_name.as_deref().filter(|name| !name.is_empty()).map(str::to_owned)
    };
    if let Some(name) = published(spec.network.as_ref()).filter(|_| !any) {
        let key = MachineKey { namespace: (*ask.request.namespace).to_owned(), name };
        if !world.networks.namespaces.contains_key(&key) {
            let held = old.and_then(|old| published(old.network.as_ref())).as_deref() == Some(&key.name);
            let path = "spec.network.networkNamespaceName";
            if !unlisted(path, &key.name, held, world, found) {
                let says = missing_network(&key, "not found", world, false);
                found.refuse_unless(held, Reason::NetworkConfigurationNotFound.at(path).says(says));
            }
        }
    }
}

/// While NetworkNamespaces are not known, that there is none of a name is no proof: whether that is so, and then a warning.
fn unlisted(path: &str, name: &str, held: bool, world: &World, found: &mut Findings) -> bool {
    let Some(why) = &world.networks.unlisted else { return false };
    if !held {
        found.warn(format!(
            "{path}: whether there is a NetworkNamespace {:?} is not known, they could not be listed: {}",
            shown(name),
            shown(why)
        ));
    }
    true
}

fn missing_network(key: &MachineKey, why: &str, world: &World, configurations: bool) -> String {
    let here = |other: &&MachineKey| other.namespace == key.namespace;
    let known = || {
        let shared = world.networks.configurations.iter().filter(|(_, record)| configurations && !**record);
        let shared = shared.map(|(other, _)| other).chain(world.networks.namespaces.keys());
        shared.filter(here).map(|other| other.name.as_str())
    };
    let near = did_you_mean(&key.name, known().take(COMPARED));
    let (kind, next) = if configurations {
        ("NetworkConfiguration or NetworkNamespace", "create the NetworkConfiguration")
    } else {
        ("NetworkNamespace", "create the NetworkNamespace")
    };
    let name = shown(&key.name);
    format!("{kind} {name:?} {why} in namespace {}: {}; use one of them or {next}{near}", key.namespace, list(known()))
}

/// MAC addresses that another Machine of the fleet has.
pub(super) fn addresses(ask: &Ask<'_>, world: &World, found: &mut Findings) {
    let networks = ask.object.spec.networks.iter().flatten().enumerate();
    for (index, mac) in networks.filter_map(|(index, it)| Some((index, it.mac_address.as_deref()?))) {
        let Some(other) = world.machines.mac_holder(&mac.to_ascii_lowercase(), &key(ask)) else { continue };
        let held = ask.old.into_iter().flat_map(|old| old.spec.networks.iter().flatten());
        let held = held.filter_map(|it| it.mac_address.as_deref()).any(|before| before.eq_ignore_ascii_case(mac));
        found.refuse_unless(
            held,
            Reason::FieldDuplicate.at(format!("spec.networks[{index}].macAddress")).says(format!(
                "Duplicate value: {mac:?}: {} has this address: choose another, or leave it out and KubeVirt picks one",
                say_machine(&other.to_string(), &ask.request.namespace)
            )),
        );
    }
}
