//! The shape of a value: what KubeVirt would refuse, or what could not work, is refused here with the path that is wrong.

use serde_json::{Map, Value};

use super::operations::short;
use super::pointer::Pointer;
use super::text::Text;
use crate::reason::did_you_mean;

/// What a value may be.
pub(super) enum Shape {
    /// Anything: the limits of a patch bound its depth and size.
    Any,
    /// `true` or `false`.
    Bool,
    /// A whole number from the first to the second.
    Whole(i64, i64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Text of a kind.
    Text(Text),
    /// An object of these fields and no others.
    Object(&'static [Field]),
    /// Keys and values of a kind.
    Map(Text, Text),
    /// At most so many entries.
    List(&'static Shape, usize),
    /// A shape, and what its parts must have with one another: an error names the part and completes "part …".
    With(&'static Shape, fn(&Value) -> Result<(), String>),
}

/// A path below the template of a VM's instances, `*` for any segment, and what a patch may put there.
pub(super) struct Allowed(pub(super) &'static str, pub(super) Shape);

/// A field of an object.
pub(super) struct Field(pub(super) &'static str, pub(super) Need, pub(super) Shape);

/// Whether a field must be there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// It may be absent.
    May,
    /// It must be there.
    Must,
}

impl Shape {
    /// Reports everything about `value` that has not this shape; a sentence follows the path.
    pub(super) fn check(&self, value: &Value, at: &mut Pointer, wrong: &mut Vec<(Pointer, String)>) {
        match (self, value) {
            (Shape::Any, _) | (Shape::Bool, Value::Bool(_)) => {}
            (Shape::Whole(least, most), Value::Number(number)) => {
                if !number.as_i64().is_some_and(|number| (*least..=*most).contains(&number)) {
                    wrong.push((at.clone(), format!("is {number}: must be a whole number from {least} to {most}")));
                }
            }
            (Shape::OneOf(words), Value::String(text)) => {
                if !words.contains(&text.as_str()) {
                    let near = did_you_mean(text, words.iter().copied());
                    wrong
                        .push((at.clone(), format!("is {:?}: must be one of {}{near}", short(text), words.join(", "))));
                }
            }
            (Shape::Text(kind), Value::String(text)) => fits(*kind, text, at, wrong),
            (Shape::Object(known), Value::Object(fields)) => object(known, fields, at, wrong),
            (Shape::Map(key, kind), Value::Object(fields)) => {
                for (name, value) in fields {
                    at.0.push(name.clone());
                    fits(*key, name, at, wrong);
                    Shape::Text(*kind).check(value, at, wrong);
                    at.0.pop();
                }
            }
            (Shape::List(entry, most), Value::Array(list)) => {
                if list.len() > *most {
                    wrong.push((at.clone(), format!("has {} entries, may have {most}", list.len())));
                    return;
                }
                for (index, value) in list.iter().enumerate() {
                    at.0.push(index.to_string());
                    entry.check(value, at, wrong);
                    at.0.pop();
                }
            }
            (Shape::With(shape, rule), value) => {
                let before = wrong.len();
                shape.check(value, at, wrong);
                if wrong.len() == before
                    && let Err(why) = rule(value)
                {
                    wrong.push((at.clone(), why));
                }
            }
            (shape, value) => wrong.push((at.clone(), format!("is {}: must be {}", kind(value), shape.name()))),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Shape::Any => "any value",
            Shape::Bool => "true or false",
            Shape::Whole(..) => "a whole number",
            Shape::OneOf(_) | Shape::Text(_) => "text",
            Shape::Object(_) | Shape::Map(..) => "an object",
            Shape::List(..) => "a list",
            Shape::With(shape, _) => shape.name(),
        }
    }
}

fn object(known: &[Field], fields: &Map<String, Value>, at: &mut Pointer, wrong: &mut Vec<(Pointer, String)>) {
    for (name, value) in fields {
        at.0.push(name.clone());
        if let Some(field) = known.iter().find(|field| field.0 == name) {
            field.2.check(value, at, wrong);
        } else {
            let near = did_you_mean(name, known.iter().map(|field| field.0));
            wrong.push((at.clone(), format!("is no field that KubeVirt knows{near}")));
        }
        at.0.pop();
    }
    for field in known.iter().filter(|field| field.1 == Need::Must && !fields.contains_key(field.0)) {
        wrong.push((at.clone(), format!("must have {}", field.0)));
    }
}

fn fits(kind: Text, text: &str, at: &Pointer, wrong: &mut Vec<(Pointer, String)>) {
    if !(kind.0)(text) {
        wrong.push((at.clone(), format!("is {:?}: must be {}", short(text), kind.1)));
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null (take it away with remove)",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
