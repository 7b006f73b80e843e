//! JSON from a stranger: a key that stands twice is refused, and so is nesting beyond a limit. `serde_json::Value` alone
//! keeps the last of two equal keys, so that two readers of one text would see two patches (T8).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Reads one JSON text with at most `depth` lists and objects around any value.
pub(super) fn read(text: &str, depth: usize) -> Result<Value, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict { depth }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn inside<E: Error>(self) -> Result<Strict, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("is nested too deeply"))?;
        Ok(Strict { depth })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("is a number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut all = Vec::new();
        while let Some(value) = from.next_element_seed(inside)? {
            all.push(value);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut all = Map::new();
        while let Some(key) = from.next_key::<String>()? {
            let value = from.next_value_seed(inside)?;
            let shown: String = key.chars().take(64).collect();
            if all.insert(key, value).is_some() {
                return Err(A::Error::custom(format_args!("has the key {shown:?} twice")));
            }
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::every_row;

    #[test]
    fn t8_a_key_that_stands_twice_is_refused_at_any_depth() {
        every_row([r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"\u0061":2}}]"#], |text| {
            let why = read(text, 8).expect_err(text).to_string();
            assert!(why.contains("the key \"a\" twice"), "{why}");
        });
    }

    #[test]
    fn t8_nesting_and_trailing_text_are_refused_and_the_rest_is_read_as_it_stands() {
        let plain = r#"[null,true,-1,18446744073709551615,1.5,"x",{"k":[]}]"#;
        assert_eq!(read(plain, 3).unwrap(), serde_json::from_str::<Value>(plain).unwrap());
        assert!(read(plain, 2).expect_err("too deep").to_string().contains("nested too deeply"));
        every_row(["[] []", "[", "", "[1e999]", "[01]", "{1:2}", &"[".repeat(100_000)], |text| {
            assert!(read(text, 8).is_err(), "{text:.20}");
        });
    }
}
