//! JSON that is written piece by piece: to ask serde for each part costs several times as much as the part. Pure.

use std::io::Write;

/// Appends a text in quotes.
pub fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escaped(out, text.as_bytes());
    out.push(b'"');
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\')
}

fn escaped(out: &mut Vec<u8>, text: &[u8]) {
    // Without an early exit the compiler takes many bytes at a time.
    let any = |is: fn(u8) -> bool| text.iter().fold(0, |found, byte| found | u8::from(is(*byte))) == 1;
    if !any(|byte| byte < b' ' || is_quote(byte)) {
        return out.extend_from_slice(text);
    }
    if any(|byte| byte < b' ') {
        return with_controls(out, text);
    }
    out.resize(out.len() + 2 * text.len(), b'\\');
    let start = out.len() - 2 * text.len();
    let mut places = out[start..].iter_mut();
    for byte in text {
        if is_quote(*byte) {
            // Its backslash is there already.
            places.next();
        }
        if let Some(place) = places.next() {
            *place = *byte;
        }
    }
    let left = places.len();
    out.truncate(out.len() - left);
}

fn with_controls(out: &mut Vec<u8>, text: &[u8]) {
    for byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            // Writing to a Vec does not fail.
            0..b' ' => drop(write!(out, "\\u{byte:04x}")),
            other => out.push(*other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::every_row;

    #[test]
    fn a_string_is_read_back_as_it_was() {
        let all: String = (0..=0x2ff).filter_map(char::from_u32).collect();
        every_row(["", "plain", "\"", "\\", "a\"b", "ends in \\", "é\u{0}\u{1f}\n\"ü", "😀\"", &all], |text| {
            let mut out = b"[".to_vec();
            string(&mut out, text);
            out.push(b']');
            assert_eq!(serde_json::from_slice::<[String; 1]>(&out).expect("JSON"), [text]);
        });
    }
}
