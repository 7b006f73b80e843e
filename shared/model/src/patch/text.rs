//! What texts may be, as KubeVirt and Kubernetes judge them.

use std::net::{IpAddr, Ipv4Addr};

/// A kind of text: the test, and the rule in words that complete "must be …".
#[derive(Clone, Copy)]
pub(super) struct Text(pub(super) fn(&str) -> bool, pub(super) &'static str);

/// A host name.
pub(super) const LABEL: Text =
    Text(is_label, "lower-case letters, digits and '-', at most 63, that begin and end with a letter or digit");
/// A domain name.
pub(super) const SUBDOMAIN: Text = Text(
    is_subdomain,
    "lower-case letters, digits, '-' and '.', at most 253, with parts that begin and end with a letter or digit",
);
/// A name of a CPU model, a feature or a device: KubeVirt makes node labels and aliases of it.
pub(super) const NAME: Text =
    Text(is_name, "letters, digits, '-', '_' and '.', at most 63, that begin and end with a letter or digit");
/// A label's key.
pub(super) const KEY: Text = Text(is_key, "a name such as app or example.com/app");
/// A label's value.
pub(super) const LABEL_VALUE: Text = Text(
    |text| text.is_empty() || is_name(text),
    "empty, or letters, digits, '-', '_' and '.', at most 63, that begin and end with a letter or digit",
);
/// An IP address.
pub(super) const IP: Text = Text(|text| text.parse::<IpAddr>().is_ok(), "an IP address");
/// An IPv4 address.
pub(super) const IPV4: Text = Text(|text| text.parse::<Ipv4Addr>().is_ok(), "an IPv4 address");
/// Short printable text.
pub(super) const PRINTABLE: Text = Text(
    |text| (1..=255).contains(&text.len()) && !text.chars().any(char::is_control),
    "1 to 255 bytes of text without control characters",
);
/// Any text; an annotation's value.
pub(super) const ANY: Text = Text(|_| true, "text");
/// A time zone of the tz database.
pub(super) const ZONE: Text = Text(
    |text| (1..=64).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"/_+-".contains(&it)),
    "the name of a time zone such as Europe/Oslo",
);
/// What Hyper-V shows as vendor.
pub(super) const VENDOR: Text = Text(
    |text| (1..=12).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_alphanumeric() || b" _.-".contains(&it)),
    "1 to 12 letters, digits, '-', '_', '.' and spaces",
);
/// What a label is compared with.
pub(super) const VALUE: Text = Text(|text| text.len() <= 63, "at most 63 bytes of text");

fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_part(text)
}

fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_part)
}

fn is_part(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_name(text: &str) -> bool {
    let end = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.len() <= 63 && text.bytes().all(inner) && end(text.bytes().next()) && end(text.bytes().last())
}

fn is_key(text: &str) -> bool {
    match text.split_once('/') {
        None => is_name(text),
        Some((domain, name)) => is_subdomain(domain) && is_name(name),
    }
}

/// Whether the domain of a key is Kubernetes', KubeVirt's or ours. Keys there are instructions to somebody (X47).
pub(super) fn is_reserved(key: &str) -> bool {
    let domain = key.split_once('/').map_or("", |(domain, _)| domain).to_ascii_lowercase();
    ["kubernetes.io", "k8s.io", "kubevirt.io", "vitistack.io"]
        .iter()
        .any(|ours| domain.strip_suffix(ours).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::every_row;

    #[test]
    fn texts_are_judged_as_kubernetes_does() {
        let long = "a".repeat(64);
        #[rustfmt::skip]
        let cases: [(Text, &[&str], &[&str]); 8] = [
            (LABEL,       &["a", "web-1", "0"],                   &["", "A", "a.b", "-a", "a-", "a_b", "ä", &long]),
            (SUBDOMAIN,   &["a", "a.b-c.d"],                      &["", ".", "a.", "a..b", "A.b", "a._b"]),
            (NAME,        &["Haswell-noTSX", "a", "vmx"],         &["", "-a", "a b", "a/b", ".a", &long]),
            (KEY,         &["app", "example.com/App_1"],          &["", "/a", "a/", "a/b/c", "A.com/x", "example.com/"]),
            (LABEL_VALUE, &["", "a", "A.b"],                      &["-", "a b", &long]),
            (IP,          &["1.1.1.1", "::1", "fe80::1"],         &["1.1.1", "01.1.1.1", "fe80::1%eth0", "host", ""]),
            (IPV4,        &["10.0.0.1"],                          &["::1", "10.0.0.256", "10.0.0.1/8"]),
            (ZONE,        &["UTC", "Europe/Oslo", "Etc/GMT+1"],   &["", "a b", "x\n"]),
        ];
        every_row(cases, |(text, good, bad)| {
            for it in good {
                assert!((text.0)(it), "{it:?} is {}", text.1);
            }
            for it in bad {
                assert!(!(text.0)(it), "{it:?} is not {}", text.1);
            }
        });
    }

    #[test]
    fn x47_reserved_domains_are_found_with_their_subdomains_and_nothing_else() {
        let cases = [
            "kubernetes.io/x",
            "app.kubernetes.io/name",
            "k8s.io/x",
            "cdi.kubevirt.io/x",
            "vitistack.io/machine",
            "a.vitistack.io/b",
            "VITISTACK.IO/x",
        ];
        every_row(cases, |key| assert!(is_reserved(key), "{key}"));
        let cases = [
            "app",
            "example.com/app",
            "notkubernetes.io/x",
            "kubernetes.io.example.com/x",
            "kubernetes.io",
            "vitistack.iox/y",
        ];
        every_row(cases, |key| assert!(!is_reserved(key), "{key}"));
    }
}
