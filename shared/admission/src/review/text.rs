//! Strings and quantities of a body, borrowed from it.

use std::borrow::Cow;
use std::fmt;

use model::quantity;
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

/// A string of the body: borrowed unless it holds an escape.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text<'a>(pub Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(TextVisitor)
    }
}

/// A quantity as the author wrote it: `"20Gi"` or `20`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Amount<'a> {
    /// Written as a JSON integer.
    Number(i64),
    /// Written as a string.
    Text(Text<'a>),
}

impl Amount<'_> {
    /// The number of bytes, or what is wrong in words that complete "Invalid value: …:".
    pub fn bytes(&self) -> Result<u64, &'static str> {
        match self {
            Amount::Number(number) => u64::try_from(*number).map_err(|_| "must not be negative"),
            Amount::Text(text) => quantity::size(text),
        }
    }

    /// As a person should read it: a size without a unit is bytes, which is rarely what was meant.
    pub fn shown(&self) -> String {
        let text = self.to_string();
        if text.ends_with(|sign: char| sign.is_ascii_digit()) { format!("{text} bytes") } else { text }
    }

    /// Bytes of the text, when it is one.
    pub fn length(&self) -> Option<usize> {
        match self {
            Amount::Number(_) => None,
            Amount::Text(text) => Some(text.len()),
        }
    }
}

impl fmt::Display for Amount<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Amount::Number(number) => write!(f, "{number}"),
            Amount::Text(text) => f.write_str(text),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Amount<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct AmountVisitor;
        impl<'de> Visitor<'de> for AmountVisitor {
            type Value = Amount<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a quantity such as \"20Gi\"")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Amount<'de>, E> {
                Ok(Amount::Text(Text(Cow::Borrowed(text))))
            }
            fn visit_str<E>(self, text: &str) -> Result<Amount<'de>, E> {
                Ok(Amount::Text(Text(Cow::Owned(text.to_owned()))))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Amount<'de>, E> {
                Ok(Amount::Number(number))
            }
            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Amount<'de>, E> {
                i64::try_from(number).map(Amount::Number).map_err(|_| E::custom("quantity is out of range"))
            }
        }
        from.deserialize_any(AmountVisitor)
    }
}
