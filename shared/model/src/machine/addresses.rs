//! Static addresses of a Machine's interfaces, as its record gives them: network data for the guest, in version 2 of cloud-init's
//! format. Pure. X36.
//!
//! The record tells an address; subnet, gateway and name servers it tells, too, or the NetworkNamespace does. All other
//! interfaces get theirs by DHCP. When an allocation ends is nothing to the guest, and not in its data.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::carried::has_network_data;
use super::configuration::RecordedNic;
use super::intent::Admitted;
use super::networks::{Networks, Record};
use super::observed::Observed;
use super::wanted::{Wanted, resolve};
use super::write::Failure;
use crate::reason::Reason;

/// Addresses of an interface, and name servers, that are handed on: a resolver asks no more than three.
const ADDRESSES: usize = 4;
const SERVERS: usize = 3;

/// What the guest is told of one interface.
struct Fixed {
    /// With the lengths of their prefixes.
    addresses: Vec<String>,
    gateways: Vec<IpAddr>,
    servers: Vec<IpAddr>,
}

/// The network data that hands the record's addresses to the guest; nothing where there are none, or the Machine has its own.
pub fn network_data(admitted: &Admitted, networks: &Networks) -> Option<String> {
    let wanted = resolve(admitted, networks).ok()?;
    if in_the_way(admitted, &wanted).is_some() {
        return None;
    }
    let all: Vec<_> = wanted.iter().map(|nic| fixed(nic, admitted, networks).ok().flatten()).collect();
    all.iter().any(Option::is_some).then(|| text(&wanted, &all))
}

/// A VM is not made without an address that will be given out: cloud-init asks for it once. One that has network data keeps it
/// while the address is missing; to any other it comes later.
pub(super) fn awaited(admitted: &Admitted, seen: &Observed) -> Option<Failure> {
    let networks = &seen.networks;
    let due = match (&networks.record, &seen.vm) {
        (Record::Own(_) | Record::Absent, None) => true,
        (Record::Own(_) | Record::Absent | Record::Unknown, Some(vm)) => vm.network_data,
        (Record::Unknown, None) | (Record::Left(_) | Record::Foreign { .. }, _) => false,
    };
    let wanted = resolve(admitted, networks).ok().filter(|_| due)?;
    if in_the_way(admitted, &wanted).is_some() {
        return None;
    }
    let nic = wanted.iter().find(|nic| nic.range(networks).is_some() && recorded(nic, networks).is_none())?;
    let (namespace, key) = (nic.namespace.as_deref().unwrap_or_default(), &admitted.identity.key);
    let message = format!(
        "NetworkNamespace {namespace:?} gives out static addresses, and NetworkConfiguration {key} has none for interface {:?} yet: wait for the operator that gives them out, or write network data of your own into spec.cloudInit",
        nic.name
    );
    Some(Failure { reason: Reason::NetworkPending, message })
}

/// The first address of the record that the guest is not told, and why.
pub(super) fn not_handed(admitted: &Admitted, networks: &Networks) -> Option<String> {
    let wanted = resolve(admitted, networks).ok()?;
    let key = &admitted.identity.key;
    wanted.iter().find_map(|nic| {
        let why = match fixed(nic, admitted, networks) {
            Ok(None) => return None,
            Ok(Some(_)) => in_the_way(admitted, &wanted)?,
            Err(why) => why,
        };
        let address = recorded(nic, networks)?.ips.first()?;
        Some(format!(
            "the address {address} that NetworkConfiguration {key} gives interface {:?} is not handed to the guest: {why}",
            nic.name
        ))
    })
}

/// Why no address at all is handed to the guest.
fn in_the_way(admitted: &Admitted, wanted: &[Wanted]) -> Option<String> {
    if has_network_data(&admitted.spec) {
        return Some("spec.cloudInit has network data of its own".to_owned());
    }
    if admitted.spec.cloud_init.as_ref().and_then(|data| data.type_.as_deref()) == Some("configDrive") {
        let why = "a ConfigDrive has another form of network data: set spec.cloudInit.type to noCloud, or write it there yourself";
        return Some(why.to_owned());
    }
    let unknown = wanted.iter().find(|nic| nic.mac.is_none())?;
    Some(format!("network data names interfaces by MAC address: give interface {:?} a macAddress", unknown.name))
}

/// What the record says of an interface, where it gives it an address.
fn recorded<'n>(nic: &Wanted, networks: &'n Networks) -> Option<&'n RecordedNic> {
    let Record::Own(own) = &networks.record else { return None };
    let mut all = own.allotted.iter().chain(&own.interfaces);
    all.find(|it| it.is(Some(&nic.name), nic.mac.as_deref()) && !it.ips.is_empty())
}

/// The static addresses of an interface, if it has any; the error says what is wrong with one.
fn fixed(nic: &Wanted, admitted: &Admitted, networks: &Networks) -> Result<Option<Fixed>, String> {
    let range = nic.range(networks);
    let of_method = |it: &&RecordedNic| it.method.as_deref().map_or(range.is_some(), |method| method == "static");
    let Some(found) = recorded(nic, networks).filter(of_method) else { return Ok(None) };
    let parsed = |all: &[String]| all.iter().filter_map(|it| it.parse().ok()).collect::<Vec<IpAddr>>();
    let own = |all: &[String], of_range: Vec<String>| parsed(if all.is_empty() { &of_range } else { all });
    let subnets = || found.subnets.iter().chain(range.and_then(|range| range.cidr.as_ref()));
    let with_prefix = |address: &IpAddr| {
        let length = subnets().find_map(|subnet| prefix(subnet, *address));
        length.map(|length| format!("{address}/{length}")).ok_or_else(|| {
            format!(
                "neither NetworkConfiguration {} nor its NetworkNamespace names a subnet with {address}",
                admitted.identity.key
            )
        })
    };
    Ok(Some(Fixed {
        addresses: parsed(&found.ips).iter().take(ADDRESSES).map(with_prefix).collect::<Result<_, _>>()?,
        gateways: own(&found.gateways, range.and_then(|range| range.gateway.clone()).into_iter().collect()),
        servers: own(&found.dns, range.map(|range| range.dns.clone()).unwrap_or_default()),
    }))
}

/// The length of a subnet's prefix, if the address is in it.
fn prefix(subnet: &str, address: IpAddr) -> Option<u32> {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32_u32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let (start, length) = subnet.split_once('/')?;
    let ((start, width), (address, other)) = (bits(start.parse().ok()?), bits(address));
    let length = length.parse().ok()?;
    let same = (start ^ address).checked_shr(width.checked_sub(length)?).unwrap_or_default() == 0;
    (width == other && same).then_some(length)
}

/// The guest has one default gateway of each family, on the first interface that has one.
fn text(wanted: &[Wanted], all: &[Option<Fixed>]) -> String {
    let mut text = "version: 2\nethernets:\n".to_owned();
    let mut routed = [false; 2];
    let quoted = |all: &[String]| all.iter().map(|it| format!("{it:?}")).collect::<Vec<_>>().join(", ");
    for (at, (nic, fixed)) in wanted.iter().zip(all).enumerate() {
        let mac = nic.mac.as_deref().unwrap_or_default();
        let mut line = |line: String| writeln!(text, "{line}").expect("invariant: writing to a String does not fail");
        line(format!("  eth{at}:\n    match: {{macaddress: {:?}}}\n    set-name: eth{at}", mac.to_lowercase()));
        let Some(Fixed { addresses, gateways, servers }) = fixed else {
            line("    dhcp4: true".to_owned());
            continue;
        };
        line(format!("    addresses: [{}]", quoted(addresses)));
        let mut routes = Vec::new();
        for gateway in gateways {
            if !std::mem::replace(&mut routed[usize::from(gateway.is_ipv6())], true) {
                let to = if gateway.is_ipv6() { "::/0" } else { "0.0.0.0/0" };
                routes.push(format!("{{to: {to:?}, via: \"{gateway}\"}}"));
            }
        }
        if !routes.is_empty() {
            line(format!("    routes: [{}]", routes.join(", ")));
        }
        let servers: Vec<String> = servers.iter().take(SERVERS).map(IpAddr::to_string).collect();
        if !servers.is_empty() {
            line(format!("    nameservers: {{addresses: [{}]}}", quoted(&servers)));
        }
    }
    text
}
