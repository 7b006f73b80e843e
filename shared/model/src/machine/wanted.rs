//! What each interface of a Machine is attached to, from its spec and from the networks that are there. Pure. C6, C23, X36, X64, X65;
//! regression KVO13.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::configuration::{Configuration, NetworkNamespace, Range};
use super::intent::Admitted;
use super::networks::{Networks, published};
use super::write::Failure;
use crate::api::machine::network::Network;
use crate::names::{self, attachment_name};
use crate::reason::Reason;

/// An interface as it should be.
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) mac: Option<String>,
    /// The NetworkNamespace that its addresses come from.
    pub(super) namespace: Option<String>,
    /// What it is attached to; nothing is the pod network.
    pub(super) wire: Option<Wire>,
    model: String,
}

/// A VLAN on a bridge; VLAN 0 is untagged.
pub(super) struct Wire {
    pub(super) vlan: u16,
    pub(super) attachment: String,
    pub(super) bridge: String,
}

/// A network that an interface cannot join: its name, and why.
pub(super) struct Trouble(pub(super) String, pub(super) Failure);

impl Wanted {
    /// Its entries among `devices.interfaces` and `networks`.
    pub(super) fn attached(&self) -> (Value, Value) {
        let mut interface = json!({"name": self.name, "model": self.model});
        if let Some(mac) = &self.mac {
            interface["macAddress"] = json!(mac);
        }
        let (binding, network) = match &self.wire {
            None => ("masquerade", json!({"name": self.name, "pod": {}})),
            Some(wire) => ("bridge", json!({"name": self.name, "multus": {"networkName": wire.attachment}})),
        };
        interface[binding] = json!({});
        (interface, network)
    }

    /// The range that static addresses are given out from, where it has one.
    pub(super) fn range<'n>(&self, networks: &'n Networks) -> Option<&'n Range> {
        networks.named.get(self.namespace.as_ref()?)?.namespace.as_ref()?.range.as_ref()
    }
}

pub(super) fn failed(message: String) -> Failure {
    Failure { reason: Reason::NetworkFailed, message }
}

/// The interfaces that the spec asks for, or why one cannot be had. Where one has a static address, each has a MAC address that is
/// known beforehand: network data names interfaces by it, and configures no others.
pub(super) fn resolve(admitted: &Admitted, networks: &Networks) -> Result<Vec<Wanted>, Trouble> {
    let mut all = interfaces(admitted, networks)?;
    if all.iter().any(|nic| nic.range(networks).is_some()) {
        for nic in &mut all {
            nic.mac.get_or_insert_with(|| derived_mac(seed(admitted, networks), &nic.name));
        }
    }
    Ok(all)
}

fn interfaces(admitted: &Admitted, networks: &Networks) -> Result<Vec<Wanted>, Trouble> {
    let pod = |name: &str| Wanted { name: name.to_owned(), mac: None, namespace: None, wire: None, model: virtio() };
    if let Some(name) = published(&admitted.spec) {
        let found = networks.named.get(name).and_then(|named| named.namespace.as_ref());
        let found = found.ok_or_else(|| absent(name, "spec.network", false, admitted, networks))?;
        let wire = wire_of_namespace(name, found, networks)?;
        // The published operator calls interface and NetworkAttachmentDefinition alike.
        let nic = wire.as_ref().map_or("default", |wire| wire.attachment.as_str()).to_owned();
        let mac = wire.is_some().then(|| derived_mac(seed(admitted, networks), &nic));
        return Ok(vec![Wanted { namespace: Some(name.to_owned()), mac, wire, ..pod(&nic) }]);
    }
    if admitted.spec.networks.is_empty() {
        return Ok(vec![pod("default")]);
    }
    admitted.spec.networks.iter().map(|network| one(network, admitted, networks)).collect()
}

fn virtio() -> String {
    "virtio".to_owned()
}

fn one(network: &Network, admitted: &Admitted, networks: &Networks) -> Result<Wanted, Trouble> {
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let mut wanted = Wanted {
        name: network.name.clone(),
        mac: filled(&network.mac_address),
        namespace: None,
        wire: None,
        model: filled(&network.model).unwrap_or_else(virtio),
    };
    let Some(name) = filled(&network.network_name) else { return Ok(wanted) };
    let named = networks.named.get(&name);
    match named.map(|named| (named.configuration.as_ref().filter(|it| !it.is_record), &named.namespace)) {
        Some((Some(shared), _)) => wanted.wire = Some(wire_of_configuration(&name, shared, networks)?),
        Some((None, Some(namespace))) => {
            wanted.wire = wire_of_namespace(&name, namespace, networks)?;
            // Address management reserves by it, before the VM is there.
            let derived = || wanted.wire.is_some().then(|| derived_mac(seed(admitted, networks), &network.name));
            wanted.mac = wanted.mac.clone().or_else(derived);
            wanted.namespace = Some(name);
        }
        Some((None, None)) | None => {
            let at = format!("spec.networks: interface {:?}", network.name);
            return Err(absent(&name, &at, true, admitted, networks));
        }
    }
    Ok(wanted)
}

fn absent(name: &str, at: &str, configurations: bool, admitted: &Admitted, networks: &Networks) -> Trouble {
    let kind = if configurations { "NetworkConfiguration or NetworkNamespace" } else { "NetworkNamespace" };
    let namespace = &admitted.identity.key.namespace;
    let why = match &networks.unlisted {
        Some(why) => format!("{at} joins {name:?}, and whether there is such a {kind} is not known: {why}"),
        None => format!("{at} joins {name:?}, and there is no {kind} of that name in namespace {namespace}: create it"),
    };
    Trouble(name.to_owned(), failed(why))
}

fn wire_of_configuration(name: &str, shared: &Configuration, networks: &Networks) -> Result<Wire, Trouble> {
    let whose = format!("NetworkConfiguration {name:?}");
    wire(name, &whose, shared.vlan.unwrap_or_default(), shared.bridge.as_deref(), networks)
}

/// Without a VLAN, its interfaces are on the pod network, unless addresses are given out from a range: those are of a network of
/// its own, and the pod network has a DHCP server that would give others.
fn wire_of_namespace(name: &str, found: &NetworkNamespace, networks: &Networks) -> Result<Option<Wire>, Trouble> {
    match found.vlan {
        None if found.range.is_none() && !found.reported => {
            let message = format!(
                "NetworkNamespace {name:?} has no status yet, so its VLAN is not known: wait for the operator that fills it in, or correct that"
            );
            Err(Trouble(name.to_owned(), Failure { reason: Reason::NetworkPending, message }))
        }
        None | Some(0) if found.range.is_none() => Ok(None),
        vlan => wire(name, &format!("NetworkNamespace {name:?}"), vlan.unwrap_or_default(), None, networks).map(Some),
    }
}

/// `whose` is what the VLAN and the bridge are read from.
fn wire(name: &str, whose: &str, vlan: i64, bridge: Option<&str>, networks: &Networks) -> Result<Wire, Trouble> {
    let wrong = |why: String| Trouble(name.to_owned(), failed(format!("{whose} {why}: correct it")));
    let tag = u16::try_from(vlan).ok().filter(|vlan| *vlan <= 4094);
    let vlan = tag.ok_or_else(|| wrong(format!("says VLAN {vlan}, which is not 0 to 4094")))?;
    if let Some(bad) = bridge.filter(|bridge| !names::is_bridge(bridge)) {
        return Err(wrong(format!("says bridge {bad:?}, which is no name of one")));
    }
    let default = &networks.default_bridge;
    let attachment = attachment_name(bridge, vlan, default);
    Ok(Wire { vlan, attachment, bridge: bridge.unwrap_or(default).to_owned() })
}

/// The UID that MAC addresses are made from. A VM that was taken over keeps those that it has.
fn seed<'s>(admitted: &'s Admitted, networks: &'s Networks) -> &'s str {
    networks.macs_of.as_deref().unwrap_or(&admitted.identity.uid)
}

/// A MAC address that stays the same for as long as the Machine is there. It is locally administered.
fn derived_mac(uid: &str, nic: &str) -> String {
    let hash = Sha256::digest(format!("{uid}/{nic}"));
    let bytes = hash[..6].iter().enumerate().map(|(at, byte)| if at == 0 { byte & 0xfc | 0x02 } else { *byte });
    bytes.map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}
