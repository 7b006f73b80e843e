//! Text that somebody else wrote, where we show it. Pure. T22, ATK7.

/// Whether a character shows as nothing, and still ends a line, commands a terminal or reorders what stands beside it.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// Text that somebody else wrote, as part of a line of ours: at most so many bytes of it, and nothing hidden.
pub fn line(text: &str, most: usize) -> String {
    let mut short = String::new();
    for c in text.chars().filter(|c| !is_hidden(*c)) {
        if short.len() + c.len_utf8() > most {
            break;
        }
        short.push(c);
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::every_row;

    #[test]
    fn atk7_t22_nothing_hidden_is_left_and_no_character_is_cut_in_two() {
        #[rustfmt::skip]
        let cases = [
            ("what people write",   "0/3 nodes: Größe ✓",                          64, "0/3 nodes: Größe ✓"),
            ("ends of lines",       "a\nb\r\nc\u{85}d\u{2028}e\u{2029}f\tg",       64, "abcdefg"),
            ("escapes",             "\u{1b}[31mred\u{9b}1m\u{7f}\u{0}",            64, "[31mred1m"),
            ("bidi embeddings",     "a\u{202a}b\u{202b}c\u{202c}d\u{202d}e\u{202e}f", 64, "abcdef"),
            ("bidi isolates",       "a\u{2066}b\u{2067}c\u{2068}d\u{2069}e",       64, "abcde"),
            ("bidi marks",          "a\u{200e}b\u{200f}c\u{61c}d",                 64, "abcd"),
            ("of no width",         "a\u{200b}b\u{200c}c\u{200d}d\u{2060}e\u{feff}f\u{ad}g", 64, "abcdefg"),
            ("tags",                "a\u{e0001}b\u{e0041}c",                       64, "abc"),
            ("cut",                 "abcdef",                                       3, "abc"),
            ("cut before a letter", "aéé",                                          4, "aé"),
            ("hidden is not counted", "\u{200b}\u{200b}abc",                        3, "abc"),
        ];
        every_row(cases, |(name, text, most, want)| {
            assert_eq!(line(text, most), want, "{name}");
        });
    }
}
