//! The operations of a JSON Patch: parsed strictly, limited, and applied one by one. T7, T8.

use std::io;

use json_patch::{AddOperation, PatchErrorKind, PatchOperation, RemoveOperation, ReplaceOperation, TestOperation};
use serde_json::{Map, Value};

use super::json;
use super::pointer::Pointer;
use crate::reason::{Reason, Violation, did_you_mean};

/// Most bytes of one annotation.
pub(super) const BYTES: usize = 16 << 10;
/// Most operations of one patch.
pub(super) const OPERATIONS: usize = 64;
/// Most lists and objects around anything in a value.
pub(super) const DEPTH: usize = 16;
/// Most bytes of the object, as JSON, before, between and after the operations.
pub(super) const RESULT: usize = 128 << 10;

const VERBS: [&str; 4] = ["add", "replace", "remove", "test"];

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Operation {
    pub(super) path: Pointer,
    pub(super) what: What,
}

/// What it does.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    Add(Value),
    Replace(Value),
    Remove,
    Test(Value),
}

impl Operation {
    /// Whether it can change anything.
    pub(super) fn changes(&self) -> bool {
        !matches!(self.what, What::Test(_))
    }

    /// The beginning of every message about it: `operation 3 (replace /spec/…)`.
    pub(super) fn names(&self, index: usize) -> String {
        let verb = match self.what {
            What::Add(_) => "add",
            What::Replace(_) => "replace",
            What::Remove => "remove",
            What::Test(_) => "test",
        };
        format!("operation {index} ({verb} {})", self.path)
    }
}

/// Reads a patch. Violations stand at `at`, the field path of the annotation.
pub(super) fn parse(text: &str, at: &str) -> Result<Vec<Operation>, Vec<Violation>> {
    let invalid = |says: String| vec![Reason::PatchInvalid.at(at).says(says)];
    if text.len() > BYTES {
        return Err(invalid(format!("Too long: {} bytes: must have at most {BYTES}", text.len())));
    }
    let list = match json::read(text, DEPTH + 2) {
        Ok(Value::Array(list)) => list,
        Ok(_) => return Err(invalid("must be a list of operations in JSON: [{\"op\": …, \"path\": …}]".to_owned())),
        Err(why) => return Err(invalid(format!("is no JSON Patch that is taken: {why}"))),
    };
    if list.len() > OPERATIONS {
        return Err(invalid(format!("has {} operations, may have {OPERATIONS}", list.len())));
    }
    let mut operations = Vec::new();
    let mut wrong = Vec::new();
    for (index, value) in list.into_iter().enumerate() {
        match operation(value) {
            Ok(operation) if operation.changes() && operation.path.0.is_empty() => wrong.push(
                Reason::PatchForbidden
                    .at(at)
                    .says(format!("{}: would replace the whole object", operation.names(index))),
            ),
            Ok(operation) => operations.push(operation),
            Err(why) => wrong.extend(invalid(format!("operation {index}: {why}"))),
        }
    }
    if wrong.is_empty() { Ok(operations) } else { Err(wrong) }
}

fn operation(value: Value) -> Result<Operation, String> {
    let Value::Object(mut fields) = value else { return Err("must be an object with op, path and value".to_owned()) };
    let verb = text(&mut fields, "op")?;
    if verb == "copy" || verb == "move" {
        return Err(format!("{verb} is not taken, as it can multiply an object; write the value out with add"));
    }
    if !VERBS.contains(&verb.as_str()) {
        let near = did_you_mean(&verb, VERBS);
        return Err(format!("op {:?} is not supported: supported values: {}{near}", short(&verb), VERBS.join(", ")));
    }
    let written = text(&mut fields, "path")?;
    let path = Pointer::parse(&written).map_err(|why| format!("path {:?} {why}", short(&written)))?;
    let value = fields.remove("value");
    if let Some(key) = fields.keys().next() {
        let near = did_you_mean(key, ["op", "path", "value"]);
        return Err(format!("has an unknown key {:?}{near}: known are op, path, value", short(key)));
    }
    let what = match (verb.as_str(), value) {
        ("remove", None) => What::Remove,
        ("remove", Some(_)) => return Err(format!("(remove {path}) must have no value")),
        (verb, None) => return Err(format!("({verb} {path}) must have a value")),
        ("add", Some(value)) => What::Add(value),
        ("replace", Some(value)) => What::Replace(value),
        (_, Some(value)) => What::Test(value),
    };
    Ok(Operation { path, what })
}

fn text(fields: &mut Map<String, Value>, key: &str) -> Result<String, String> {
    match fields.remove(key) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(format!("{key} must be text")),
        None => Err(format!("has no {key}")),
    }
}

/// A stranger's text, cut for a message.
pub(super) fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

/// Applies the operations to `object`. Stops at the first that fails: the later ones were written for its result.
pub(super) fn apply(operations: &[Operation], object: &mut Value, at: &str) -> Result<(), Violation> {
    let invalid = |says: String| Reason::PatchInvalid.at(at).says(says);
    // An upper bound that needs no look at the object: only what is added makes it larger.
    let mut bound = size(object);
    if bound > RESULT {
        return Err(invalid(format!("the object has {bound} bytes already, a patched one may have {RESULT}")));
    }
    for (index, operation) in operations.iter().enumerate() {
        let path = operation.path.encoded();
        let step = match &operation.what {
            What::Add(new) => PatchOperation::Add(AddOperation { path, value: new.clone() }),
            What::Replace(new) => PatchOperation::Replace(ReplaceOperation { path, value: new.clone() }),
            What::Remove => PatchOperation::Remove(RemoveOperation { path }),
            What::Test(wanted) => PatchOperation::Test(TestOperation { path, value: wanted.clone() }),
        };
        // One by one, without the library's way back: `json_patch::patch` panics when it cannot undo earlier operations.
        json_patch::patch_unsafe(object, &[step]).map_err(|error| {
            let why = match error.kind {
                PatchErrorKind::TestFailed => "the value there is another".to_owned(),
                _ => missing(object, &operation.path),
            };
            invalid(format!("{}: {why}", operation.names(index)))
        })?;
        if let What::Add(new) | What::Replace(new) = &operation.what {
            bound += size(new) + operation.path.0.last().map_or(0, |key| 6 * key.len() + 8);
        }
        if bound > RESULT {
            bound = size(object);
        }
        if bound > RESULT {
            let says = format!("{}: makes the object {bound} bytes long, it may have {RESULT}", operation.names(index));
            return Err(invalid(says));
        }
    }
    Ok(())
}

/// Says how far a path leads that leads nowhere.
fn missing(object: &Value, path: &Pointer) -> String {
    let mut here = object;
    for (depth, segment) in path.0.iter().enumerate() {
        let next = match here {
            Value::Object(fields) => fields.get(segment),
            Value::Array(list) => segment.parse().ok().and_then(|index: usize| list.get(index)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        };
        let Some(next) = next else {
            let parent = Pointer(path.0[..depth].to_vec());
            let known: Vec<String> = here.as_object().into_iter().flat_map(Map::keys).map(|key| short(key)).collect();
            let near = did_you_mean(segment, known.iter().map(String::as_str));
            let step = if here.is_array() { "add to the end with \"-\"" } else { "add what is missing first" };
            return format!("{:?} is not there in {parent}{near}; {step}", short(segment));
        };
        here = next;
    }
    "cannot be done there".to_owned()
}

/// Bytes of a value as JSON, without building the text.
fn size(value: &Value) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value).expect("invariant: counting cannot fail");
    count.0
}
