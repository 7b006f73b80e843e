//! A body without what kubectl last applied: a third of a typical review, none of it judged, and the dearest part to read
//! past, because every quote in it is escaped. Pure.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;

/// Where the text begins when no annotation stands before it, as API servers sort them. A quote in a string is escaped, so
/// in JSON this is a key and a string in an object under a key that ends in `annotations`, and nowhere is that one read.
const KEY: &[u8] = br#""annotations":{"kubectl.kubernetes.io/last-applied-configuration":""#;
static FIND: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(KEY));
/// Bytes that are looked at together.
const TOGETHER: usize = 64;

/// The same review with an empty text for what was last applied. What is no JSON stays none, save within that text.
pub fn shortened(body: &[u8]) -> Cow<'_, [u8]> {
    let mut out = Vec::new();
    let mut rest = body;
    while let Some(at) = FIND.find(rest) {
        if out.is_empty() {
            out.reserve(body.len());
        }
        let (head, text) = rest.split_at(at + KEY.len());
        out.extend_from_slice(head);
        rest = &text[plain_length(&rest[at + KEY.len() - 1..])..];
    }
    if out.is_empty() {
        return Cow::Borrowed(body);
    }
    out.extend_from_slice(rest);
    Cow::Owned(out)
}

/// How many bytes there are between this quote and the next one that no backslash escapes; 0 when that is not certain at a
/// glance, because a backslash itself is escaped, or the body ends soon.
fn plain_length(quoted: &[u8]) -> usize {
    let closes = |before: u8, byte: u8| before != b'\\' && byte == b'"';
    let unclear = |before: u8, byte: u8| before == b'\\' && byte == b'\\' || byte < b' ';
    let stops = |(before, byte): (&u8, &u8)| closes(*before, *byte) | unclear(*before, *byte);
    let (before, bytes) = (quoted.as_chunks::<TOGETHER>().0, quoted[1..].as_chunks::<TOGETHER>().0);
    for (at, (before, bytes)) in before.iter().zip(bytes).enumerate() {
        // Without an early exit the compiler takes many bytes at a time.
        if before.iter().zip(bytes).fold(false, |found, pair| found | stops(pair)) {
            let stop = before.iter().zip(bytes).position(stops).filter(|stop| closes(before[*stop], bytes[*stop]));
            return stop.map_or(0, |stop| at * TOGETHER + stop);
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::super::decode;
    use super::*;
    use crate::table::every_row;
    use model::{names, patch};

    fn body(text: &str) -> String {
        let key = "kubectl.kubernetes.io/last-applied-configuration";
        let annotations = |config: &str| format!(r#"{{"{key}":"{text}","{}":"{config}"}}"#, names::KUBEVIRT_CONFIG);
        let object = |config: &str| {
            let metadata = format!(r#"{{"annotations":{},"name":"web"}}"#, annotations(config));
            format!(r#"{{"metadata":{metadata},"spec":{{"template":"small"}}}}"#)
        };
        let (object, old) = (object("east"), object("west"));
        format!(r#"{{"request":{{"uid":"u","kind":{{}},"operation":"UPDATE","object":{object},"oldObject":{old}}}}}"#)
    }

    #[test]
    fn whatever_was_applied_the_review_stays_the_same() {
        const PARTS: [&str; 8] =
            ["a", r#"\""#, r"\\", r"\n", r#"\":\"x\"},{"#, "é", r"\u0022", "0123456789 0123456789"];
        let read = |body: &[u8]| {
            let request = decode(body).expect("a review").request;
            format!("{:?} {:?}", request.object, request.old_object)
        };
        let wanted = read(body("").as_bytes());
        for number in 0..PARTS.len().pow(4) {
            let parts = (0..4).map(|place| PARTS[number / PARTS.len().pow(place) % PARTS.len()]);
            let text = parts.collect::<String>().repeat(1 + number % 5);
            let body = body(&text);
            let short = shortened(body.as_bytes());
            assert_eq!(read(&short), wanted, "{body}");
            assert_eq!(read(body.as_bytes()), wanted, "{body}");
            assert_eq!(short.len() < body.len(), !text.contains(r"\\"), "{body}");
        }
    }

    #[test]
    fn other_bodies_stay_as_they_are() {
        let key = "kubectl.kubernetes.io/last-applied-configuration";
        let cases = [
            String::new(),
            body("").replace(key, "other"),
            format!(r#"{{"matchLabels":{{"{key}":"kept"}}}}"#),
            format!(r#"{{"annotations":{{"{key}":7}}}}"#),
            format!(r#"{{"text":"\"annotations\":{{\"{key}\":\"kept\""}}"#),
            format!(r#"{{"annotations":{{"{key}":"never closed"#),
            format!(r#"{{"annotations":{{"{key}":""#),
            format!("{{\"annotations\":{{\"{key}\":\"no\nJSON\"}}}}"),
        ];
        every_row(cases, |case| {
            assert_eq!(String::from_utf8_lossy(&shortened(case.as_bytes())), case);
        });
        assert!(!patch::concerns(key), "nobody judges it");
    }
}
