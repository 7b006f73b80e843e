//! Takes one value out of a text of JSON, so that the rest can be read. Nothing is kept of what is passed by.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// One step from a value into a part of it.
pub(super) enum Step<'p> {
    /// The value of a key.
    Key(&'p str),
    /// An entry of a list.
    Index(usize),
}

/// The text with null in place of the value that the steps lead to.
pub(super) fn blank(text: &str, steps: &[Step<'_>]) -> Option<String> {
    let mut at = text;
    for step in steps {
        at = step.deserialize(&mut serde_json::Deserializer::from_str(at)).ok()??.get();
    }
    let start = at.as_ptr() as usize - text.as_ptr() as usize;
    Some([&text[..start], "null", &text[start + at.len()..]].concat())
}

impl<'de> DeserializeSeed<'de> for &Step<'_> {
    type Value = Option<&'de RawValue>;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &Step<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            let value = map.next_value::<&'de RawValue>()?;
            if matches!(self, Step::Key(wanted) if *wanted == key) {
                found = Some(value);
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let (mut found, mut index) = (None, 0);
        while let Some(value) = list.next_element::<&'de RawValue>()? {
            if matches!(self, Step::Index(wanted) if *wanted == index) {
                found = Some(value);
            }
            index += 1;
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::Step::{Index, Key};
    use super::*;
    use crate::table::every_row;

    #[test]
    fn one_value_is_taken_out_and_the_rest_stays_as_it_stands() {
        let text = r#" {"a": [1, {"b\u0022": "x, y"}, 3], "c": "é"}"#;
        let cases = [
            (vec![Key("a"), Index(1), Key("b\"")], Some(r#" {"a": [1, {"b\u0022": null}, 3], "c": "é"}"#)),
            (vec![Key("a")], Some(r#" {"a": null, "c": "é"}"#)),
            (vec![Key("c")], Some(r#" {"a": [1, {"b\u0022": "x, y"}, 3], "c": null}"#)),
            (vec![Key("d")], None),
            (vec![Key("a"), Index(3)], None),
            (vec![Key("c"), Key("x")], None),
        ];
        every_row(cases, |(steps, want)| assert_eq!(blank(text, &steps).as_deref(), want));
    }
}
