//! The tokens of Rust source, as far as names and paths need them: no comments, numbers, lifetimes, or contents of strings.

/// One token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A name or a keyword, without `r#`.
    Name(&'a str),
    /// `::`.
    Path,
    /// Any other sign.
    Sign(char),
}

/// The tokens of a text, without the items that only tests are built with.
pub(super) fn product(text: &str) -> Vec<Token<'_>> {
    let all = tokens(text);
    let mut kept = Vec::new();
    let mut at = 0;
    while at < all.len() {
        if let Some(item) = after_test_attribute(&all, at) {
            at = end_of_item(&all, item);
        } else {
            kept.push(all[at]);
            at += 1;
        }
    }
    kept
}

/// Where the item of a `#[cfg(test)]` begins.
fn after_test_attribute(all: &[Token], at: usize) -> Option<usize> {
    use Token::{Name, Sign};
    let attribute = [Sign('#'), Sign('['), Name("cfg"), Sign('('), Name("test"), Sign(')'), Sign(']')];
    all[at..].starts_with(&attribute).then_some(at + attribute.len())
}

/// Behind the item that begins here: its `;`, or the end of its block.
fn end_of_item(all: &[Token], from: usize) -> usize {
    let mut depth = 0_i32;
    for (at, token) in all.iter().enumerate().skip(from) {
        match token {
            Token::Sign('{' | '(' | '[') => depth += 1,
            Token::Sign('}') if depth == 1 => return at + 1,
            Token::Sign('}' | ')' | ']') => depth -= 1,
            Token::Sign(';') if depth == 0 => return at + 1,
            Token::Sign(_) | Token::Name(_) | Token::Path => {}
        }
    }
    all.len()
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        rest = if let Some(comment) = rest.strip_prefix("//") {
            comment.find('\n').map_or("", |end| &comment[end..])
        } else if rest.starts_with("/*") {
            behind_comment(rest)
        } else if let Some(behind) = behind_raw_string(rest) {
            behind
        } else if first == '"' {
            behind_string(&rest[1..])
        } else if first == '\'' {
            behind_quote(&rest[1..])
        } else if first.is_alphanumeric() || first == '_' {
            let rest = rest.strip_prefix("r#").unwrap_or(rest);
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            // `b"…"` and `c"…"` are strings with a letter in front, numbers are no names.
            let is_prefix = end == 1 && rest[end..].starts_with(['"', '\'']);
            if !first.is_ascii_digit() && !is_prefix {
                found.push(Token::Name(&rest[..end]));
            }
            &rest[end..]
        } else if let Some(behind) = rest.strip_prefix("::") {
            found.push(Token::Path);
            behind
        } else {
            if !first.is_whitespace() {
                found.push(Token::Sign(first));
            }
            &rest[first.len_utf8()..]
        };
    }
    found
}

/// Comments nest.
fn behind_comment(text: &str) -> &str {
    let mut depth = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let step = match rest {
            _ if rest.starts_with("/*") => {
                depth += 1;
                2
            }
            _ if rest.starts_with("*/") => {
                depth -= 1;
                2
            }
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
        rest = &rest[step..];
        if depth == 0 {
            break;
        }
    }
    rest
}

fn behind_string(text: &str) -> &str {
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => drop(letters.next()),
            '"' => return &text[at + 1..],
            _ => {}
        }
    }
    ""
}

/// Behind `r"…"`, `br#"…"#` and their like.
fn behind_raw_string(text: &str) -> Option<&str> {
    let behind = text.strip_prefix(['b', 'c']).unwrap_or(text).strip_prefix('r')?;
    let open = behind.trim_start_matches('#');
    let hashes = &behind[..behind.len() - open.len()];
    let inside = open.strip_prefix('"')?;
    let end = format!("\"{hashes}");
    Some(inside.find(&end).map_or("", |at| &inside[at + end.len()..]))
}

/// Behind the character or the lifetime that a `'` begins.
fn behind_quote(text: &str) -> &str {
    if let Some(escaped) = text.strip_prefix('\\') {
        let behind = escaped.char_indices().nth(1).map_or("", |(at, _)| &escaped[at..]);
        return behind.find('\'').map_or("", |at| &behind[at + 1..]);
    }
    match text.char_indices().nth(1) {
        Some((at, '\'')) => &text[at + 1..],
        _ => text.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_'),
    }
}

#[test]
fn names_in_comments_strings_and_tests_are_not_read() {
    let text = r##"
        /* a /* b */ c */ fn one<'a>(it: &'a str) -> char { '\'' } // d
        const TWO: &[u8] = b"e\"f"; const THREE: &str = r#"g"h"#; const FOUR: (char, u8) = ('i', b'j');
        #[cfg(test)]
        #[path = "k.rs"]
        mod tests;
        #[cfg(test)]
        fn five() -> [u8; 1] { if true { [0] } else { [1] } }
        fn r#type() { crate::six(0x1f, 7) }
    "##;
    let names: Vec<&str> = (product(text).into_iter())
        .filter_map(|token| match token {
            Token::Name(name) => Some(name),
            Token::Path | Token::Sign(_) => None,
        })
        .collect();
    let wanted = "fn one it str char const TWO u8 const THREE str const FOUR char u8 fn type crate six";
    assert_eq!(names.join(" "), wanted);
}
