//! Values with their types beside them, by the JSON rules of protobuf's `Any` and wrappers (E10, X107). Pure.

use model::reason::Reason;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A value with its type, such as `{"@type": "type.googleapis.com/google.protobuf.StringValue", "value": "4Gi"}`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Typed {
    /// Which wrapper it is.
    #[serde(rename = "@type")]
    #[schema(examples("type.googleapis.com/google.protobuf.Int32Value"))]
    pub type_: String,
    /// The value itself.
    pub value: Value,
}

/// The wrappers that parameters have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number of 32 bits, as number or text.
    Int32,
    /// Text.
    Text,
    /// Any JSON.
    Json,
}

/// What is wrong with a value: where below it, why, and a sentence.
pub type Wrong = (&'static str, Reason, String);

impl Kind {
    /// What stands in `@type`.
    pub const fn url(self) -> &'static str {
        match self {
            Kind::Int32 => "type.googleapis.com/google.protobuf.Int32Value",
            Kind::Text => "type.googleapis.com/google.protobuf.StringValue",
            Kind::Json => "type.googleapis.com/google.protobuf.Value",
        }
    }

    /// The value with its type.
    pub fn wrap(self, value: Value) -> Typed {
        Typed { type_: self.url().to_owned(), value }
    }

    /// The value of what should be this wrapper. `named` says whose it is, as in "parameter 'vcpus' of template 'small'".
    pub fn unwrap(self, given: &Value, named: &str) -> Result<Value, Wrong> {
        let wanted = self.url();
        let Some(type_) = given.get("@type") else {
            let value = given.as_object().map_or(given, |object| object.get("value").unwrap_or(&Value::Null));
            // Cloud-init data and keys are not for repeating.
            let value = if self == Kind::Int32 { shown(value) } else { "\"…\"".to_owned() };
            let example = format!("{{\"@type\":\"{wanted}\",\"value\":{value}}}");
            return Err(("", Reason::TypeInvalid, format!("{named} has no '@type': write {example}")));
        };
        if type_ != wanted {
            let found = type_.as_str().map_or_else(|| type_.to_string(), str::to_owned);
            let says = format!("type of {named} should be '{wanted}', but it is '{found}'");
            return Err(("", Reason::TypeInvalid, says));
        }
        if let Some(other) =
            given.as_object().and_then(|all| all.keys().find(|key| !["@type", "value"].contains(&key.as_str())))
        {
            return Err((
                "",
                Reason::FieldNotSupported,
                format!("{named} has the unknown key '{other}' beside '@type' and 'value'"),
            ));
        }
        let value = given.get("value").unwrap_or(&Value::Null);
        match self {
            Kind::Int32 => {
                let says = |why: &str| {
                    ("/value", Reason::TypeInvalid, format!("{named} must be a whole number of 32 bits{why}"))
                };
                let whole = match value {
                    Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
                    Value::String(text) => text.parse().ok(),
                    _ => None,
                };
                let whole = whole.ok_or_else(|| says(&format!(", not {}", shown(value))))?;
                i32::try_from(whole).map(Value::from).map_err(|_| says(&format!(": {whole} is out of range")))
            }
            Kind::Text if value.is_string() => Ok(value.clone()),
            Kind::Text => Err(("/value", Reason::TypeInvalid, format!("{named} must be text, not {}", shown(value)))),
            Kind::Json => Ok(value.clone()),
        }
    }
}

/// A value in a sentence: not without end.
fn shown(value: &Value) -> String {
    let mut text = value.to_string();
    if let Some((end, _)) = text.char_indices().nth(40) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// `2.0` and `1e3` are whole numbers to protobuf.
fn whole(number: f64) -> Option<i64> {
    let fits = number.fract() == 0.0 && number.abs() < 9e15;
    #[expect(clippy::cast_possible_truncation, reason = "it has no fraction and fits")]
    fits.then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::table::every_row;

    #[test]
    fn x107_e10_a_value_is_read_by_its_wrapper_or_refused_with_the_type_to_write() {
        let int = Kind::Int32.url();
        #[rustfmt::skip]
        let cases = [
            (Kind::Int32, json!({"@type": int, "value": 2}),                    Ok(json!(2))),
            (Kind::Int32, json!({"@type": int, "value": "2"}),                  Ok(json!(2))),
            (Kind::Int32, json!({"@type": int, "value": 2.0}),                  Ok(json!(2))),
            (Kind::Int32, json!({"@type": int, "value": 1e3}),                  Ok(json!(1000))),
            (Kind::Int32, json!({"@type": int, "value": -1}),                   Ok(json!(-1))),
            (Kind::Int32, json!({"@type": int, "value": 2.5}),                  Err("p must be a whole number of 32 bits, not 2.5")),
            (Kind::Int32, json!({"@type": int, "value": "two"}),                Err("p must be a whole number of 32 bits, not \"two\"")),
            (Kind::Int32, json!({"@type": int, "value": true}),                 Err("p must be a whole number of 32 bits, not true")),
            (Kind::Int32, json!({"@type": int, "value": 2_147_483_648_i64}),    Err("p must be a whole number of 32 bits: 2147483648 is out of range")),
            (Kind::Int32, json!({"@type": int}),                                Err("p must be a whole number of 32 bits, not null")),
            (Kind::Int32, json!({"value": 2}),                                  Err("p has no '@type': write {\"@type\":\"type.googleapis.com/google.protobuf.Int32Value\",\"value\":2}")),
            (Kind::Int32, json!(2),                                             Err("p has no '@type': write {\"@type\":\"type.googleapis.com/google.protobuf.Int32Value\",\"value\":2}")),
            (Kind::Int32, json!({"@type": Kind::Text.url(), "value": "2"}),     Err("type of p should be 'type.googleapis.com/google.protobuf.Int32Value', but it is 'type.googleapis.com/google.protobuf.StringValue'")),
            (Kind::Int32, json!({"@type": 7, "value": 2}),                      Err("type of p should be 'type.googleapis.com/google.protobuf.Int32Value', but it is '7'")),
            (Kind::Text,  json!({"@type": Kind::Text.url(), "value": "4Gi"}),   Ok(json!("4Gi"))),
            (Kind::Text,  json!({"@type": Kind::Text.url(), "value": 4}),       Err("p must be text, not 4")),
            (Kind::Text,  json!({"@type": Kind::Text.url(), "value": "a", "valeu": "b"}), Err("p has the unknown key 'valeu' beside '@type' and 'value'")),
            (Kind::Json,  json!({"@type": Kind::Json.url(), "value": [{}]}),    Ok(json!([{}]))),
        ];
        every_row(cases, |(kind, given, want)| {
            let got = kind.unwrap(&given, "p").map_err(|(_, _, says)| says);
            assert_eq!(got, want.map_err(str::to_owned), "X107: {given}");
        });
    }
}
