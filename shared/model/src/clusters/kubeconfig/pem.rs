//! Tells whether bytes are PEM of the wanted kind. Pure. What is inside the blocks is the TLS library's to judge.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Why something is no certificate list.
pub(super) const NOT_CERTIFICATES: &str =
    "must hold PEM certificates (-----BEGIN CERTIFICATE-----), base64-encoded once, and nothing else";
/// Why something is no key.
pub(super) const NOT_A_KEY: &str =
    "must hold one unencrypted PEM private key (PKCS#8, PKCS#1 or SEC1), base64-encoded once";

const KEYS: &[&str] = &["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];

/// One certificate or more, and no other block.
pub(super) fn is_certificates(pem: &[u8]) -> bool {
    let labels = std::str::from_utf8(pem).ok().and_then(labels);
    labels.is_some_and(|labels| !labels.is_empty() && labels.iter().all(|label| *label == "CERTIFICATE"))
}

/// The text again, if it holds exactly one private key; openssl's `EC PARAMETERS` may stand before it.
pub(super) fn private_key(pem: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(pem).ok()?;
    let labels = labels(&text)?;
    let keys: Vec<_> = labels.iter().filter(|label| **label != "EC PARAMETERS").collect();
    let one = matches!(keys.as_slice(), [only] if KEYS.contains(only));
    one.then_some(text)
}

/// What the blocks of certificates hold.
pub(super) fn certificates(pem: &[u8]) -> Vec<Vec<u8>> {
    let blocks = std::str::from_utf8(pem).ok().and_then(blocks).unwrap_or_default();
    blocks.into_iter().filter(|(label, _)| *label == "CERTIFICATE").map(|(_, content)| content).collect()
}

fn labels(text: &str) -> Option<Vec<&str>> {
    Some(blocks(text)?.into_iter().map(|(label, _)| label).collect())
}

/// Label and content of all blocks; none if a block is not closed, is empty or is not base64. Text between blocks is ignored.
fn blocks(text: &str) -> Option<Vec<(&str, Vec<u8>)>> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let Some(label) = line.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----")) else {
            continue;
        };
        let end = format!("-----END {label}-----");
        let mut body = String::new();
        loop {
            match lines.next()? {
                line if line == end => break,
                line => body += line,
            }
        }
        let content = BASE64.decode(&body).ok().filter(|content| !content.is_empty())?;
        blocks.push((label, content));
    }
    Some(blocks)
}
