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
    let start = out.len();
    out.resize(start + 2 * text.len(), 0);
    let (mut room, mut rest) = (&mut out[start..], text);
    while let (Some(word), Some(place)) = (rest.first_chunk::<8>(), room.first_chunk_mut::<8>()) {
        // Eight bytes in one go, of which the next ones overwrite what is too much, cost less than as many as there are.
        *place = *word;
        let plain = before_quote(*word);
        if plain == 8 {
            (room, rest) = (&mut room[8..], &rest[8..]);
            continue;
        }
        room[plain] = b'\\';
        room[plain + 1] = word[plain];
        (room, rest) = (&mut room[plain + 2..], &rest[plain + 1..]);
    }
    let left = room.len();
    out.truncate(out.len() - left);
    with_controls(out, rest);
}

/// How many of eight bytes come before the first that needs a backslash.
fn before_quote(word: [u8; 8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let word = u64::from_le_bytes(word);
    // The lowest bit that is set belongs to the first byte that is zero.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    let found = zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\')));
    found.trailing_zeros() as usize / 8
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
