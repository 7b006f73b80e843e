//! NetworkConfigurations and NetworkNamespaces, as far as they matter. Pure. X36, X65, KVO13.
//!
//! People write them, and other operators fill them in: their words are cleaned and cut.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use super::owner::Left;
use crate::names;
use crate::text::line;

/// Bytes that are kept of a word, and how many interfaces and addresses of a record. No Machine has more interfaces.
const WORD: usize = 253;
const ENTRIES: usize = 256;
/// Name servers that are kept of a network.
const SERVERS: usize = 16;

/// A NetworkConfiguration, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// `metadata.uid`.
    pub uid: String,
    /// Deletion was asked for.
    pub deleting: bool,
    /// It is the record of a Machine's interfaces, and no network to join.
    pub is_record: bool,
    /// UID of the Machine that it is the record of.
    pub owner: Option<String>,
    /// The Machine that left it behind together with its VM.
    pub left: Option<Left>,
    /// `spec.vlan`.
    pub vlan: Option<i64>,
    /// `spec.bridge`.
    pub bridge: Option<String>,
    /// `spec.networkNamespaceName`.
    pub namespace: Option<String>,
    /// `spec.networkInterfaces`.
    pub interfaces: Vec<RecordedNic>,
    /// `status.networkInterfaces`: what address management gave out.
    pub allotted: Vec<RecordedNic>,
}

/// An interface in a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedNic {
    /// Its name.
    pub name: String,
    /// Its MAC address.
    pub mac: Option<String>,
    /// Its VLAN, as text.
    pub vlan: Option<String>,
    /// Its addresses, IPv4 before IPv6.
    pub ips: Vec<String>,
    /// `allocationMethod`: `static` or `dhcp`.
    pub method: Option<String>,
    /// The subnets of its addresses, such as `10.20.0.0/24`.
    pub subnets: Vec<String>,
    /// The gateways of these.
    pub gateways: Vec<String>,
    /// Its name servers.
    pub dns: Vec<String>,
}

impl RecordedNic {
    /// Whether it is the interface with this MAC address, or where one of the two is not known, of this name.
    pub fn is(&self, name: Option<&str>, mac: Option<&str>) -> bool {
        match (mac, &self.mac) {
            (Some(mac), Some(own)) => mac.eq_ignore_ascii_case(own),
            (Some(_), None) | (None, _) => name == Some(self.name.as_str()),
        }
    }
}

/// A NetworkNamespace, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkNamespace {
    /// Its VLAN, from its status or from its range of addresses; 0 is untagged.
    pub vlan: Option<i64>,
    /// The range that addresses are given out from, where that is `static`.
    pub range: Option<Range>,
    /// Its operator has said something about it.
    pub reported: bool,
    /// `spec.datacenterIdentifier`.
    pub datacenter: Option<String>,
    /// `spec.supervisorIdentifier`.
    pub supervisor: Option<String>,
    /// `spec.ipAllocation.provider`.
    pub provider: Option<String>,
}

/// A range of static addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// Such as `10.20.0.0/24`.
    pub cidr: Option<String>,
    /// Its gateway.
    pub gateway: Option<String>,
    /// Its name servers.
    pub dns: Vec<String>,
}

/// Whether a NetworkConfiguration is the record of a Machine's interfaces, and no network to join (X36).
pub fn is_record(labels: Option<&BTreeMap<String, String>>) -> bool {
    labels.and_then(|labels| labels.get(names::MANAGED_BY)).is_some_and(|by| by == names::OPERATOR)
}

/// The UID of the Machine that an object on the supervisor belongs to.
fn owner(metadata: &ObjectMeta) -> Option<String> {
    let ours = |api: &str| api.split('/').next() == Some(names::GROUP);
    let mut owners = metadata.owner_references.iter().flatten();
    let owner = owners.find(|owner| owner.kind == "Machine" && ours(&owner.api_version)).map(|owner| &owner.uid);
    let label = || metadata.labels.as_ref()?.get(names::MACHINE_UID);
    owner.or_else(label).map(|uid| line(uid, WORD))
}

fn text(data: &Value, pointer: &str) -> Option<String> {
    data.pointer(pointer).and_then(Value::as_str).map(|text| line(text, WORD)).filter(|text| !text.is_empty())
}

fn is_cidr(text: &str) -> bool {
    text.split_once('/').is_some_and(|(start, _)| start.parse::<IpAddr>().is_ok())
}

fn addresses(list: Option<&Value>) -> impl Iterator<Item = &str> {
    let all = list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    all.filter(|address| address.parse::<IpAddr>().is_ok())
}

fn nics(list: Option<&Value>) -> Vec<RecordedNic> {
    let mut room = ENTRIES;
    let nic = |nic: &Value| {
        let all = addresses(nic.get("ipv4Addresses")).chain(addresses(nic.get("ipv6Addresses")));
        let ips: Vec<String> = all.take(room).map(str::to_owned).collect();
        room -= ips.len();
        let both = |four: &str, six: &str| [text(nic, four), text(nic, six)].into_iter().flatten();
        RecordedNic {
            name: text(nic, "/name").unwrap_or_default(),
            mac: text(nic, "/macAddress"),
            vlan: text(nic, "/vlan"),
            ips,
            method: text(nic, "/allocationMethod"),
            subnets: both("/ipv4Subnet", "/ipv6Subnet").filter(|it| is_cidr(it)).collect(),
            gateways: both("/ipv4Gateway", "/ipv6Gateway").filter(|it| it.parse::<IpAddr>().is_ok()).collect(),
            dns: addresses(nic.get("dns")).take(SERVERS).map(str::to_owned).collect(),
        }
    };
    list.and_then(Value::as_array).into_iter().flatten().take(ENTRIES).map(nic).collect()
}

impl Configuration {
    /// Reads the object.
    pub fn read(metadata: &ObjectMeta, data: &Value) -> Self {
        Self {
            uid: line(metadata.uid.as_deref().unwrap_or_default(), WORD),
            deleting: metadata.deletion_timestamp.is_some(),
            is_record: is_record(metadata.labels.as_ref()),
            owner: owner(metadata),
            left: Left::read(metadata),
            vlan: data.pointer("/spec/vlan").and_then(Value::as_i64),
            bridge: text(data, "/spec/bridge"),
            namespace: text(data, "/spec/networkNamespaceName"),
            interfaces: nics(data.pointer("/spec/networkInterfaces")),
            allotted: nics(data.pointer("/status/networkInterfaces")),
        }
    }
}

impl NetworkNamespace {
    /// Reads the object.
    pub fn read(data: &Value) -> Self {
        let number = |pointer: &str| data.pointer(pointer).and_then(Value::as_i64);
        let fixed = data.pointer("/spec/ipAllocation/type").and_then(Value::as_str) == Some("static");
        let range = data.pointer("/spec/ipAllocation/static").filter(|_| fixed);
        let address = |name: &str| text(range?, name).filter(|it| it.parse::<IpAddr>().is_ok());
        // 0 in the status is what the published type writes for "none".
        let vlan = number("/status/vlanId").filter(|vlan| *vlan != 0);
        Self {
            vlan: vlan.or_else(|| range?.get("vlanId")?.as_i64()),
            range: fixed.then(|| Range {
                cidr: range.and_then(|range| text(range, "/ipv4CIDR")).filter(|it| is_cidr(it)),
                gateway: address("/ipv4Gateway"),
                dns: addresses(range.and_then(|range| range.get("dns"))).take(SERVERS).map(str::to_owned).collect(),
            }),
            reported: number("/status/vlanId").is_some() || text(data, "/status/phase").is_some(),
            datacenter: text(data, "/spec/datacenterIdentifier"),
            supervisor: text(data, "/spec/supervisorIdentifier"),
            provider: text(data, "/spec/ipAllocation/provider"),
        }
    }
}
