//! The server of a kubeconfig: an address where a cluster may be. Pure. T3, T5.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::refused::{Refused, refuse};

/// Where clouds tell a machine its own credentials, besides the link-local addresses.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];
/// The same, by the names that clouds give it.
const METADATA_NAMES: [&str; 5] =
    ["metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"];

/// Judges the value of the field.
pub(super) fn read(url: Option<&str>) -> Result<String, Refused> {
    let wrong = |why| refuse("cluster.", "server", why);
    let url = url.ok_or_else(|| wrong("is missing: set the API server's https address"))?;
    let Some(rest) = url.strip_prefix("https://") else {
        return Err(wrong("must begin with https://, because anything else sends credentials in the clear"));
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if authority.contains('@') {
        return Err(wrong("must not hold a user or password: use user.token or a client certificate"));
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let good_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0));
    let good_path = path.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '~' | '/' | ':'));
    let Some(host) = Host::of(host).filter(|_| good_port && good_path) else {
        return Err(wrong("must be an address like https://east.example.com:6443"));
    };
    if host.is_metadata() {
        return Err(wrong("leads to the operator's own node or its cloud's metadata service, and not to a cluster"));
    }
    Ok(url.to_owned())
}

enum Host {
    Name(String),
    Address(IpAddr),
}

impl Host {
    /// A name whose last part is a number is an address in another spelling, such as `2852039166` or `0xa9.0xfe.43518`: a
    /// resolver takes it for one. None of those is read.
    fn of(host: &str) -> Option<Self> {
        if let Some(six) = host.strip_prefix('[') {
            return Some(Self::Address(IpAddr::V6(six.strip_suffix(']')?.parse().ok()?)));
        }
        if let Ok(four) = host.parse() {
            return Some(Self::Address(IpAddr::V4(four)));
        }
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
        let last = name.rsplit('.').next().unwrap_or_default();
        let is_number = last.chars().all(|c| c.is_ascii_digit())
            || last.strip_prefix("0x").is_some_and(|hex| hex.chars().all(|c| c.is_ascii_hexdigit()));
        (is_name && !is_number).then_some(Self::Name(name))
    }

    fn is_metadata(&self) -> bool {
        match self {
            Self::Name(name) => METADATA_NAMES.contains(&name.as_str()),
            Self::Address(IpAddr::V4(four)) => is_metadata4(*four),
            Self::Address(IpAddr::V6(six)) => {
                let [.., a, b, c, d] = six.octets();
                let carried = match six.segments() {
                    [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some(Ipv4Addr::new(a, b, c, d)),
                    _ => six.to_ipv4(),
                };
                let own = six.is_unicast_link_local() || six.is_unspecified() || six.is_multicast();
                own || METADATA.contains(&IpAddr::V6(*six)) || carried.is_some_and(is_metadata4)
            }
        }
    }
}

fn is_metadata4(four: Ipv4Addr) -> bool {
    let own = four.is_link_local() || four.is_unspecified() || four.is_multicast() || four.is_broadcast();
    own || METADATA.contains(&IpAddr::V4(four))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::every_row;

    #[test]
    fn t5_addresses_that_are_no_clusters_are_refused_however_they_are_spelled() {
        let judged = |host: &str| {
            read(Some(&format!("https://{host}"))).map_or_else(|refused| refused.to_string(), |_| "accepted".to_owned())
        };
        let own = "kubeconfig field cluster.server: leads to the operator's own node or its cloud's metadata service, and not to a cluster";
        let form = "kubeconfig field cluster.server: must be an address like https://east.example.com:6443";
        #[rustfmt::skip]
        let cases = [
            ("169.254.169.254", own), ("169.254.0.1:6443/x", own), ("0.0.0.0", own), ("224.0.0.1", own), ("100.100.100.200", own),
            ("168.63.129.16", own), ("[fe80::1]:6443", own), ("[febf::1]", own), ("[::]", own), ("[::ffff:169.254.169.254]", own),
            ("[::169.254.169.254]", own), ("[64:ff9b::a9fe:a9fe]", own), ("[fd00:ec2::254]", own), ("metadata", own),
            ("Metadata.Google.Internal.", own), ("metadata.goog:443", own), ("instance-data", own),
            ("2852039166", form), ("0xa9fea9fe", form), ("169.254.43518", form), ("0xA9.0xFE.0xA9.0xFE", form), ("169.254.169.0376", form),
            ("169.254.169.254.", form), ("[fe80::1%25eth0]", form), (".", form),
            ("127.0.0.1:6443", "accepted"), ("localhost", "accepted"), ("[::1]:6443", "accepted"), ("10.0.0.1", "accepted"), ("100.64.0.1", "accepted"),
            ("[fd00::1]:6443/k8s", "accepted"), ("[fec0::1]", "accepted"), ("[64:ff9b::a00:1]", "accepted"), ("metadata.example.com", "accepted"),
            ("1.east.example", "accepted"), ("0xc.example.com.", "accepted"), ("169.254.169.254.example.com", "accepted"),
        ];
        every_row(cases, |(host, want)| {
            assert_eq!(judged(host), want, "{host}");
        });
    }
}
