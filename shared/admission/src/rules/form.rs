//! Forms of single values, and the sentences about values that have another form. Nothing is formatted, and no path
//! made, before a violation is certain.

use std::borrow::Cow;

use model::reason::{Reason, Violation, did_you_mean};

/// What a DNS label may have.
pub const LABEL: usize = 63;
/// What a DNS subdomain, and so the name of an object, may have.
pub const SUBDOMAIN: usize = 253;
/// The rule of [`is_label`] in words.
pub const LABEL_RULE: &str =
    "must be lower-case letters, digits and '-', begin and end with a letter or digit, and have at most 63 characters";
/// The rule of [`is_subdomain`] in words.
pub const SUBDOMAIN_RULE: &str = "must be the name of an object: lower-case letters, digits, '-' and '.', begin and end with a letter or digit, and have at most 253 characters";
/// The rule of [`is_http_url`] in words.
pub const HTTP_URL_RULE: &str = "must be an http:// or https:// URL with a host name or an address, without user or password, such as \"https://images.example.org/ubuntu.qcow2\"";
/// The rule of [`is_registry_url`] in words.
pub const REGISTRY_URL_RULE: &str =
    "must be a docker:// URL of an image, such as \"docker://quay.io/containerdisks/ubuntu:24.04\"";

fn alphanumeric(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// Whether a text is a DNS label.
pub fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = |byte: Option<&u8>| byte.is_some_and(|byte| alphanumeric(*byte));
    bytes.len() <= LABEL
        && ends(bytes.first())
        && ends(bytes.last())
        && bytes.iter().all(|byte| alphanumeric(*byte) || *byte == b'-')
}

/// Whether a text is a DNS subdomain, which every object's name is.
pub fn is_subdomain(text: &str) -> bool {
    let part = |part: &str| {
        let bytes = part.as_bytes();
        let ends = |byte: Option<&u8>| byte.is_some_and(|byte| alphanumeric(*byte));
        ends(bytes.first()) && ends(bytes.last()) && bytes.iter().all(|byte| alphanumeric(*byte) || *byte == b'-')
    };
    text.len() <= SUBDOMAIN && text.split('.').all(part)
}

/// Whether a text names an interface as KubeVirt allows it.
pub fn is_interface(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.len() <= LABEL && text.bytes().all(inner)
}

/// Whether a text is a key of a Secret or ConfigMap.
pub fn is_key(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty() && text.len() <= SUBDOMAIN && text.bytes().all(inner)
}

/// Whether a text is a unicast MAC address: six hex bytes with colons, the first of them even.
pub fn is_mac(text: &str) -> bool {
    let bytes = text.as_bytes();
    let place = |(at, byte): (usize, &u8)| if at % 3 == 2 { *byte == b':' } else { byte.is_ascii_hexdigit() };
    let even = |digit: u8| matches!(digit, b'0' | b'2' | b'4' | b'6' | b'8' | b'a' | b'c' | b'e' | b'A' | b'C' | b'E');
    bytes.len() == 17 && even(bytes[1]) && bytes.iter().enumerate().all(place)
}

/// Whether a text is base64 as KubeVirt reads it: line breaks count for nothing.
pub fn is_base64(text: &str) -> bool {
    let mut signs = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n'));
    let (mut count, mut padding) = (0_usize, 0_usize);
    signs.all(|byte| {
        count += 1;
        padding += usize::from(byte == b'=');
        if padding == 0 { byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/') } else { byte == b'=' }
    }) && count.is_multiple_of(4)
        && padding <= 2
}

/// Host and port of a URL behind its scheme, and the rest.
fn authority(text: &str) -> (&str, &str) {
    text.split_at(text.find(['/', '?']).unwrap_or(text.len()))
}

fn is_name_host(host: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let part = |part: &str| {
        let bytes = part.as_bytes();
        let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        ends(bytes.first()) && ends(bytes.last()) && bytes.iter().all(|byte| inner(*byte))
    };
    // A last label that begins with a digit is how 0x7f.1 and 2130706433 are written, which are addresses, too.
    host.split('.').all(part) && host.rsplit('.').next().is_some_and(|last| last.as_bytes()[0].is_ascii_alphabetic())
}

fn is_address(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(six) => !six.is_empty() && six.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')),
        None => host.parse::<std::net::Ipv4Addr>().is_ok(),
    }
}

/// Whether a text is a URL that an importer may fetch over HTTP (T6).
pub fn is_http_url(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else { return false };
    let (authority, path) = authority(rest);
    let colon = authority.rfind(':').filter(|at| !authority[*at..].contains(']'));
    let (host, port) = colon.map_or((authority, None), |at| (&authority[..at], Some(&authority[at + 1..])));
    let port = port.is_none_or(|port| (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit()));
    port && (is_name_host(host) || is_address(host)) && path.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether a text is the URL of a container disk.
pub fn is_registry_url(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'/' | b'@' | b'-');
    text.strip_prefix("docker://").is_some_and(|image| {
        image.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric) && image.bytes().all(inner)
    })
}

/// Whether a URL leads to the importer itself or to its node: there is nothing to fetch there but secrets (T6). As the CEL
/// rule does, it takes every IPv6 address that begins with a zero for local.
pub fn is_local(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let starts = |with: &str| host.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with));
    let local = |name: &str| {
        starts(name) && host.get(name.len()..).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/', '?']))
    };
    let six = host.strip_prefix('[').is_some_and(|six| match six.as_bytes() {
        [b'0' | b':', ..] => true,
        [b'f' | b'F', b'e' | b'E', b'8' | b'9' | b'a' | b'b' | b'A' | b'B', last, ..] => last.is_ascii_hexdigit(),
        _ => false,
    });
    six || ["127.", "169.254.", "0.0.0.0"].into_iter().any(starts) || local("localhost")
}

/// A value as it is shown: strangers' text is cut.
pub fn shown(value: &str) -> Cow<'_, str> {
    match value.char_indices().nth(64) {
        None => Cow::Borrowed(value),
        Some((at, _)) => Cow::Owned(format!("{}…", &value[..at])),
    }
}

/// Refuses a value of another form.
pub fn invalid(path: String, value: &str, rule: &str) -> Violation {
    Reason::FieldInvalid.at(path).says(format!("Invalid value: {:?}: {rule}", shown(value)))
}

/// Refuses a value that is not in the list.
pub fn one_of(path: impl FnOnce() -> String, value: &str, allowed: &[&str], wrong: &mut Vec<Violation>) {
    if !allowed.contains(&value) {
        let near = did_you_mean(value, allowed.iter().copied());
        wrong.push(Reason::FieldNotSupported.at(path()).says(format!(
            "Unsupported value: {:?}: supported values: {}{near}",
            shown(value),
            allowed.join(", ")
        )));
    }
}

/// Refuses an empty or overlong name where the schema bounds its length.
pub fn length(path: impl FnOnce() -> String, value: &str, most: usize, wrong: &mut Vec<Violation>) {
    if value.is_empty() {
        wrong.push(
            Reason::FieldInvalid
                .at(path())
                .says("Invalid value: \"\": must have at least 1 character; leave the field out instead"),
        );
    } else if value.len() > most && value.chars().count() > most {
        wrong.push(invalid(path(), value, &format!("must have at most {most} characters")));
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::table::every_row;

    fn local4(four: Ipv4Addr) -> bool {
        four.is_loopback() || four.is_unspecified() || four.is_link_local()
    }

    fn local6(six: Ipv6Addr) -> bool {
        let mapped = six.to_ipv4_mapped().is_some_and(local4);
        six.is_loopback() || six.is_unspecified() || six.is_unicast_link_local() || mapped
    }

    #[test]
    fn t6_no_spelling_of_a_local_address_passes() {
        #[rustfmt::skip]
        let sixes = [
            "::", "::1", "0::", "0::1", "0:0:0:0:0:0:0:1", "0000:0000:0000:0000:0000:0000:0000:0001", "0:0::1", "00::01", "::0.0.0.1", "0::0.0.0.0",
            "::ffff:127.0.0.1", "::FFFF:7f00:1", "0:0:0:0:0:ffff:169.254.169.254", "0::ffff:0:0", "fe80::1", "FE80:0::1", "feBf::1", "fe9a::",
        ];
        every_row(sixes, |six| {
            assert!(six.parse().is_ok_and(local6), "{six} is local");
            for url in [format!("http://[{six}]/a"), format!("https://[{six}]:8080/a")] {
                assert!(is_http_url(&url) && is_local(&url), "{url}");
            }
        });
        let cases = ["2001:db8::1", "2001:db8::", "fec0::1", "fd00::1", "fe8::1", "100::1", "2001:db8:0:0:0:0:0:1"];
        every_row(cases, |six| {
            assert!(six.parse().is_ok_and(|six| !local6(six)), "{six} is not local");
            assert!(!is_local(&format!("http://[{six}]/a")), "{six}");
        });
        let cases =
            [("127.0.0.1", true), ("127.9.9.9", true), ("169.254.1.1", true), ("0.0.0.0", true), ("10.0.0.1", false)];
        every_row(cases, |(four, local)| {
            assert_eq!(four.parse().is_ok_and(local4), local, "{four}");
            assert_eq!(is_local(&format!("http://{four}:80/a")), local, "{four}");
        });
    }
}
