//! Names of networks and of the records of interfaces.

use sha2::{Digest, Sha256};

/// Whether a text may be the name of a Linux bridge, as the schema of NetworkConfigurations says it.
pub fn is_bridge(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=15).contains(&text.len()) && text.bytes().all(inner)
}

/// The name of a network's NetworkAttachmentDefinition: `vlan5` on the default bridge, `br1-vlan5` on another one, `br1` without a
/// VLAN. A bridge that would make another network's name, or none that an object may have, gets a hash (KVO13).
pub fn attachment_name(bridge: Option<&str>, vlan: u16, default_bridge: &str) -> String {
    match (bridge, vlan) {
        (None, 1..) => format!("vlan{vlan}"),
        (Some(bridge), 1..) => format!("{}-vlan{vlan}", label_of(bridge)),
        (_, 0) => label_of(bridge.unwrap_or(default_bridge)),
    }
}

fn label_of(bridge: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let whole = bridge.chars().all(|c| plain(c) || c == '-') && bridge.starts_with(plain) && bridge.ends_with(plain);
    let digits = |tail: &str| tail.bytes().all(|byte| byte.is_ascii_digit());
    if whole && !bridge.rsplit_once("vlan").is_some_and(|(_, tail)| digits(tail)) {
        return bridge.to_owned();
    }
    let plain: String = bridge.to_lowercase().chars().map(|c| if plain(c) { c } else { '-' }).collect();
    format!("{}-{}", plain.trim_matches('-'), short_hash(bridge)).trim_start_matches('-').to_owned()
}

/// `spec.name` of the record of a Machine's interfaces: the Machine's name, as far as the published type takes it (X79).
pub fn record_name(machine: &str) -> String {
    if is_identifier(machine) {
        return machine.to_owned();
    }
    let start: String = machine.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(23).collect();
    format!("{start}-{}", short_hash(machine))
}

/// Whether a text is one of the published identifiers: 2 to 32 letters, digits, `-` and `_`.
pub fn is_identifier(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (2..=32).contains(&text.len()) && text.bytes().all(inner)
}

/// Eight hex digits of a hash.
fn short_hash(text: &str) -> String {
    format!("{:.8}", format!("{:x}", Sha256::digest(text)))
}
