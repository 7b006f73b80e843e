//! Reads the JSON that a caller sends, and collects all that is wrong with it. Pure.

use std::collections::BTreeMap;

use model::reason::Reason;
use serde_json::{Map, Value};

use crate::problem::{Mistake, unknown};

static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);

/// An object of a form, and where it stands: `#` or `#/spec`.
pub struct Form<'v> {
    at: String,
    fields: &'v Map<String, Value>,
}

/// All that was found to be wrong.
pub type Mistakes = Vec<Mistake>;

impl<'v> Form<'v> {
    /// The object at a place. What is absent or null is an empty one; each key that nobody knows is a mistake.
    pub fn of(value: &'v Value, at: impl Into<String>, known: &[&str], wrong: &mut Mistakes) -> Self {
        let at = at.into();
        let fields = match value {
            Value::Object(fields) => fields,
            Value::Null => &EMPTY,
            _ => {
                wrong.push(Mistake::at(at.clone(), Reason::TypeInvalid, "must be an object"));
                &EMPTY
            }
        };
        for key in fields.keys().filter(|key| !known.contains(&key.as_str())) {
            let says = unknown("field", key, known);
            wrong.push(Mistake::at(join(&at, key), Reason::FieldNotSupported, says));
        }
        Self { at, fields }
    }

    /// The object at a key.
    #[must_use]
    pub fn part(&self, key: &str, known: &[&str], wrong: &mut Mistakes) -> Form<'v> {
        Form::of(self.value(key), join(&self.at, key), known, wrong)
    }

    /// Whatever stands at a key, null where nothing does.
    pub fn value(&self, key: &str) -> &'v Value {
        self.fields.get(key).unwrap_or(&Value::Null)
    }

    /// Where a key stands.
    pub fn pointer(&self, key: &str) -> String {
        join(&self.at, key)
    }

    /// The text at a key, if there is any.
    pub fn text(&self, key: &str, wrong: &mut Mistakes) -> Option<&'v str> {
        match self.value(key) {
            Value::Null => None,
            Value::String(text) => Some(text),
            _ => {
                wrong.push(Mistake::at(self.pointer(key), Reason::TypeInvalid, "must be text"));
                None
            }
        }
    }

    /// The list of texts at a key.
    pub fn texts(&self, key: &str, wrong: &mut Mistakes) -> Vec<&'v str> {
        let list = match self.value(key) {
            Value::Null => return Vec::new(),
            Value::Array(list) => list,
            _ => {
                wrong.push(Mistake::at(self.pointer(key), Reason::TypeInvalid, "must be a list"));
                return Vec::new();
            }
        };
        let text = |(at, item): (usize, &'v Value)| {
            item.as_str().or_else(|| {
                wrong.push(Mistake::at(join(&self.pointer(key), &at.to_string()), Reason::TypeInvalid, "must be text"));
                None
            })
        };
        list.iter().enumerate().filter_map(text).collect()
    }

    /// The map of texts at a key.
    pub fn labels(&self, key: &str, wrong: &mut Mistakes) -> BTreeMap<String, String> {
        let all = match self.value(key) {
            Value::Null => return BTreeMap::new(),
            Value::Object(all) => all,
            _ => {
                wrong.push(Mistake::at(self.pointer(key), Reason::TypeInvalid, "must be an object"));
                return BTreeMap::new();
            }
        };
        let pair = |(name, value): (&String, &Value)| {
            if let Value::String(text) = value {
                return Some((name.clone(), text.clone()));
            }
            wrong.push(Mistake::at(join(&self.pointer(key), name), Reason::TypeInvalid, "must be text"));
            None
        };
        all.iter().filter_map(pair).collect()
    }
}

/// A pointer to a key below a pointer.
pub fn join(at: &str, key: &str) -> String {
    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Longest name that a client may choose: what is made of it has room for more.
const NAME: usize = 60;

/// Whether this is a DNS label of so many characters at most.
pub fn is_label(name: &str, most: usize) -> bool {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.len() <= most && name.bytes().all(known) && !name.starts_with('-') && !name.ends_with('-')
}

/// The id that a client chose, if it may be one.
pub fn id<'v>(form: &Form<'v>, wrong: &mut Mistakes) -> Option<&'v str> {
    let id = form.text("id", wrong)?;
    if !is_label(id, NAME) {
        let says = format!("must be a DNS label: at most {NAME} of a-z, 0-9 and '-', not beginning or ending with '-'");
        wrong.push(Mistake::at(form.pointer("id"), Reason::FieldInvalid, says));
    }
    Some(id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::table::every_row;

    #[test]
    fn x103_an_id_is_a_dns_label_of_sixty_characters() {
        let (longest, longer) = ("a".repeat(60), "a".repeat(61));
        #[rustfmt::skip]
        let cases = [
            ("web", true), ("0-9", true), (longest.as_str(), true), (longer.as_str(), false), ("", false), ("Web", false),
            ("-web", false), ("web-", false), ("a.b", false), ("a/b", false), ("a_b", false), ("../../secrets", false), ("a\0", false), ("ä", false),
        ];
        every_row(cases, |(name, good)| {
            let (value, mut wrong) = (json!({"id": name}), Vec::new());
            id(&Form::of(&value, "#", &["id"], &mut wrong), &mut wrong);
            assert_eq!(wrong.is_empty(), good, "X103: {name:?}: {wrong:?}");
        });
    }

    #[test]
    fn f12_all_that_is_wrong_with_a_form_is_said_at_once() {
        let mut wrong = Vec::new();
        let value = json!({"namespce": "x", "capabilities": ["a", 1], "hub_type": 7, "metadata": {"labels": {"a": 1, "b/c": []}}, "status": []});
        let form = Form::of(&value, "#", &["namespace", "capabilities", "hub_type", "metadata", "status"], &mut wrong);
        assert_eq!(form.texts("capabilities", &mut wrong), ["a"]);
        assert_eq!(form.text("hub_type", &mut wrong), None);
        let _ = form.part("status", &[], &mut wrong);
        form.part("metadata", &["labels"], &mut wrong).labels("labels", &mut wrong);
        let said: Vec<_> =
            wrong.iter().map(|it| (it.pointer.as_deref().unwrap_or_default(), it.detail.as_str())).collect();
        #[rustfmt::skip]
        let wanted = [
            ("#/namespce", "unknown field; valid: namespace, capabilities, hub_type, metadata, status (did you mean 'namespace'?)"),
            ("#/capabilities/1", "must be text"),
            ("#/hub_type", "must be text"),
            ("#/status", "must be an object"),
            ("#/metadata/labels/a", "must be text"),
            ("#/metadata/labels/b~1c", "must be text"),
        ];
        assert_eq!(said, wanted);
    }
}
