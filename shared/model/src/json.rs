//! JSON that is written piece by piece: to ask serde for each part costs several times as much as the part. Pure.

use std::fmt::Write;

/// Appends a text in quotes.
pub fn string(out: &mut String, text: &str) {
    out.push('"');
    escaped(out, text);
    out.push('"');
}

/// Appends a text as it stands between quotes.
pub fn escaped(out: &mut String, text: &str) {
    let special = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    // Hardly any text has something to escape, and without an early exit many bytes are looked at together.
    if !text.bytes().fold(false, |found, byte| found | special(byte)) {
        out.push_str(text);
        return;
    }
    let mut done = 0;
    for (at, byte) in text.bytes().enumerate().filter(|(_, byte)| special(*byte)) {
        out.push_str(&text[done..at]);
        done = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            // Writing to a String does not fail.
            control => drop(write!(out, "\\u{control:04x}")),
        }
    }
    out.push_str(&text[done..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_back_as_it_was() {
        let all: String = (0..=0x2ff).filter_map(char::from_u32).collect();
        for text in ["", "plain", "\"", "\\", "a\"b", "ends in \\", "é\u{0}\u{1f}\n\"ü", "😀\"", &all] {
            let mut out = String::from("[");
            string(&mut out, text);
            assert_eq!(serde_json::from_str::<[String; 1]>(&(out + "]")).expect("JSON"), [text]);
        }
    }
}
