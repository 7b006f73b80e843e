//! JSON pointers (RFC 6901), read strictly: every segment is decoded once, and only decoded segments are compared.

use std::fmt;

use json_patch::jsonptr::{PointerBuf, Token};

/// Most segments of a pointer that a user writes.
pub(super) const SEGMENTS: usize = 16;
/// Most characters of a pointer in a message.
const SHOWN: usize = 160;

/// A path into an object, as decoded segments. Empty for the object itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pointer(pub(super) Vec<String>);

impl Pointer {
    /// Reads `/a/b~1c/0`; an error completes a sentence that begins with the pointer.
    pub(super) fn parse(text: &str) -> Result<Pointer, String> {
        if !text.is_empty() && !text.starts_with('/') {
            return Err(
                "is no JSON pointer: it must begin with '/', for example /spec/template/spec/hostname".to_owned()
            );
        }
        let parsed = PointerBuf::parse(text)
            .map_err(|_| "is no JSON pointer: after '~' comes 0, which means '~', or 1, which means '/'".to_owned())?;
        let segments: Vec<String> = parsed.tokens().map(|token| token.decoded().into_owned()).collect();
        if segments.len() > SEGMENTS {
            return Err(format!("has {} segments, may have {SEGMENTS}", segments.len()));
        }
        Ok(Pointer(segments))
    }

    /// The path of a field in what stands here.
    pub(super) fn to(&self, field: &str) -> Pointer {
        Pointer(self.0.iter().cloned().chain([field.to_owned()]).collect())
    }

    /// The same path for the library that applies patches.
    pub(super) fn encoded(&self) -> PointerBuf {
        PointerBuf::from_tokens(self.0.iter().map(Token::new))
    }

    /// One of the two lies on the way to the other; `-` stands for any index.
    pub(super) fn touches(&self, other: &Pointer) -> bool {
        self.0.iter().zip(&other.0).all(|(one, other)| one == other || one == "-")
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.encoded();
        let text = whole.as_str();
        match text.char_indices().nth(SHOWN) {
            Some((cut, _)) => write!(f, "{}…", &text[..cut]),
            None if text.is_empty() => f.write_str("\"\""),
            None => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::every_row;

    #[test]
    fn t8_segments_are_decoded_and_wrong_escapes_refused() {
        #[rustfmt::skip]
        let cases: [(&str, Option<&[&str]>); 11] = [
            ("",              Some(&[])),
            ("/",             Some(&[""])),
            ("/a/b",          Some(&["a", "b"])),
            ("/a~1b/~0",      Some(&["a/b", "~"])),
            ("/~01",          Some(&["~1"])),
            ("/x/-",          Some(&["x", "-"])),
            ("a/b",           None),
            ("/~2",           None),
            ("/~",            None),
            ("/~0~2",         None),
            ("/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7", None),
        ];
        every_row(cases, |(text, want)| {
            let got = Pointer::parse(text).ok().map(|pointer| pointer.0);
            assert_eq!(
                got.as_deref(),
                want.map(|all| all.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()).as_deref(),
                "{text:?}"
            );
        });
        assert_eq!(Pointer::parse("/a~1b/~0").unwrap().to_string(), "/a~1b/~0");
    }
}
