//! The network interfaces of a Machine. Pure. C6, X64.

use super::ask::Ask;
use super::form::{SUBDOMAIN, invalid, is_interface, is_mac, one_of, shown};
use crate::review::{Network, Spec};
use model::api::machine::network::MODELS;
use model::reason::{Reason, Violation};

const NAME_RULE: &str = "must be 1 to 63 letters, digits, '-' and '_'";
const MAC_RULE: &str = "must be a unicast MAC address of six hex bytes with colons, such as \"52:54:00:12:34:56\"";
/// Nobody's address, and the one that KubeVirt's bridge in the pod has.
const RESERVED_MACS: [&str; 2] = ["00:00:00:00:00:00", "02:00:00:00:00:00"];

fn networks<'s>(spec: &'s Spec<'_>) -> &'s [Network<'s>] {
    spec.networks.as_deref().unwrap_or_default()
}

fn at(index: usize, field: &str) -> String {
    format!("spec.networks[{index}].{field}")
}

/// The shared network of an interface; none means the pod network.
pub fn shared<'n>(network: &'n Network<'_>) -> Option<&'n str> {
    network.network_name.as_deref().filter(|name| !name.is_empty())
}

/// What keywords of the schema say.
pub fn keywords(spec: &Spec<'_>, wrong: &mut Vec<Violation>) {
    for (index, network) in networks(spec).iter().enumerate() {
        match &network.name {
            None => wrong.push(
                Reason::FieldRequired
                    .at(at(index, "name"))
                    .says("Required value: give the interface a name, such as \"eth0\""),
            ),
            Some(name) if !is_interface(name) => wrong.push(invalid(at(index, "name"), name, NAME_RULE)),
            Some(_) => {}
        }
        if let Some(model) = &network.model {
            one_of(|| at(index, "model"), model, &MODELS, wrong);
        }
        if let Some(mac) = network.mac_address.as_deref().filter(|mac| !is_mac(mac)) {
            wrong.push(invalid(at(index, "macAddress"), mac, MAC_RULE));
        }
        if let Some(name) = shared(network).filter(|name| name.chars().count() > SUBDOMAIN) {
            wrong.push(invalid(at(index, "networkName"), name, "must have at most 253 characters"));
        }
    }
}

/// Interfaces are told apart by their names.
pub fn unique(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    let networks = networks(&ask.object.spec);
    for (index, network) in networks.iter().enumerate() {
        let Some(name) = &network.name else { continue };
        if let Some(first) = networks[..index].iter().position(|other| other.name.as_ref() == Some(name)) {
            wrong.push(
                Reason::FieldDuplicate
                    .at(at(index, "name"))
                    .says(format!("Duplicate value: {:?}: {says}; spec.networks[{first}] has that name", shown(name))),
            );
        }
    }
}

/// Two cards of one address take each other's frames.
pub fn unique_macs(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    let networks = networks(&ask.object.spec);
    for (index, network) in networks.iter().enumerate() {
        let Some(mac) = &network.mac_address else { continue };
        let same =
            |other: &Network<'_>| other.mac_address.as_ref().is_some_and(|other| other.eq_ignore_ascii_case(mac));
        if let Some(first) = networks[..index].iter().position(same) {
            wrong.push(
                Reason::FieldDuplicate
                    .at(at(index, "macAddress"))
                    .says(format!("Duplicate value: {:?}: {says}; spec.networks[{first}] has it already", shown(mac))),
            );
        }
    }
}

/// Addresses that no card may have.
pub fn reserved_macs(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    for (index, network) in networks(&ask.object.spec).iter().enumerate() {
        if let Some(mac) = network.mac_address.as_deref().filter(|mac| RESERVED_MACS.contains(mac)) {
            wrong.push(invalid(at(index, "macAddress"), mac, says));
        }
    }
}

/// KubeVirt attaches one interface to the pod network.
pub fn one_pod_network(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    let mut pods = networks(&ask.object.spec).iter().enumerate().filter(|(_, network)| shared(network).is_none());
    let Some((first, _)) = pods.next() else { return };
    for (index, _) in pods {
        wrong.push(Reason::FieldRequired.at(at(index, "networkName")).says(format!(
            "Required value: {says}; spec.networks[{first}] is on it already: name a NetworkConfiguration"
        )));
    }
}
