//! Text that may be long and is rarely read: it stays as it stands in the body, escapes and all.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected};
use serde_json::value::RawValue;

/// A JSON string of the body, quotes included, that is unescaped only when somebody reads it: cloud-init data has an
/// escape in every line, and copying it would cost more than the whole decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Long<'a>(&'a str);

impl<'a> Long<'a> {
    /// Whether it is the empty string.
    pub fn is_empty(&self) -> bool {
        self.0.len() <= 2
    }

    /// At least as many bytes as the text has: an escape is never shorter than what it stands for.
    pub fn at_most(&self) -> usize {
        self.0.len().saturating_sub(2)
    }

    /// The text. Half a surrogate pair, which only JavaScript writes, is read as nothing.
    pub fn read(&self) -> Cow<'a, str> {
        let inner = self.0.get(1..self.0.len().saturating_sub(1)).unwrap_or_default();
        if !inner.contains('\\') {
            return Cow::Borrowed(inner);
        }
        Cow::Owned(serde_json::from_str(self.0).unwrap_or_default())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Long<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(from)?.get();
        let found = match raw.as_bytes().first() {
            Some(b'"') => return Ok(Long(raw)),
            Some(b'{') => Unexpected::Map,
            Some(b'[') => Unexpected::Seq,
            Some(b't' | b'f') => Unexpected::Bool(raw == "true"),
            _ => raw.parse().map_or(Unexpected::Other("number"), Unexpected::Signed),
        };
        Err(D::Error::invalid_type(found, &"a string"))
    }
}
