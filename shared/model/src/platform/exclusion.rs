//! `disabled-resources`: which objects of the catalogue are left alone. Pure. X84, X31, D7.
//!
//! `Kind/name` or `Kind/namespace/name`, separated by commas or lines; or a YAML or JSON list of `{kind, name, namespace}`. `*`
//! and `?` stand for letters, and case does not count in a kind. A text that is not read holds the whole cluster: what its author
//! wanted to keep away must not be written because of a slip of the pen.

use serde_json::Value;

use super::state::Key;
use crate::reason::{did_you_mean, nearest};

/// Most rules, and most bytes of the text.
const RULES: usize = 64;
const BYTES: usize = 16 << 10;
/// Bytes of a stranger's text in a message.
const SHOWN: usize = 64;

/// One object, or several by a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    kind: String,
    namespace: Option<String>,
    name: String,
}

/// Reads the text. Empty text has no rules.
pub fn parse(text: &str) -> Result<Vec<Rule>, String> {
    if text.len() > BYTES {
        return Err(format!("is {} bytes long, may have {BYTES}", text.len()));
    }
    let text = text.trim();
    let is_list = text.starts_with('[') || text.starts_with("- ") || text.starts_with("-\n");
    let rules = if is_list { listed(text)? } else { separated(text)? };
    if rules.len() > RULES {
        return Err(format!("has {} rules, may have {RULES}", rules.len()));
    }
    Ok(rules)
}

fn separated(text: &str) -> Result<Vec<Rule>, String> {
    let entries = text.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty());
    let rule = |entry: &str| match entry.split('/').collect::<Vec<_>>()[..] {
        [kind, name] => rule(kind, None, name),
        [kind, namespace, name] => rule(kind, Some(namespace), name),
        _ => Err(format!("{:?} must be Kind/name or Kind/namespace/name", short(entry))),
    };
    entries.map(rule).collect()
}

fn listed(text: &str) -> Result<Vec<Rule>, String> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_anchors: 0, max_aliases: 0, max_depth: 4, max_nodes: 1024, max_documents: 1 },
        merge_keys: serde_saphyr::options::MergeKeyPolicy::Error,
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::Error,
        with_snippet: false,
    };
    let list: Vec<Value> = serde_saphyr::from_str_with_options(text, options)
        .map_err(|why| format!("is no list of {{kind, name, namespace}}: {}", short(&why.to_string())))?;
    let rules = list.iter().enumerate().map(|(index, entry)| {
        let Value::Object(fields) = entry else { return Err(format!("entry {index} must have kind and name")) };
        if let Some(key) = fields.keys().find(|key| !["kind", "name", "namespace"].contains(&key.as_str())) {
            let near = did_you_mean(key, ["kind", "name", "namespace"]);
            return Err(format!("entry {index} has an unknown key {:?}{near}", short(key)));
        }
        let text = |key: &str| match fields.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(format!("entry {index}: {key} must be text")),
        };
        rule(text("kind")?.unwrap_or_default(), text("namespace")?, text("name")?.unwrap_or_default())
            .map_err(|why| format!("entry {index}: {why}"))
    });
    rules.collect()
}

fn rule(kind: &str, namespace: Option<&str>, name: &str) -> Result<Rule, String> {
    let (kind, name, namespace) = (kind.trim(), name.trim(), namespace.map(str::trim));
    for (what, text) in [("kind", Some(kind)), ("namespace", namespace), ("name", Some(name))] {
        let Some(text) = text else { continue };
        if text.is_empty() {
            return Err(format!("the {what} is empty"));
        }
        if !text.chars().all(|c| c.is_ascii_alphanumeric() || "-.*?".contains(c)) {
            return Err(format!("the {what} {:?} is none: letters, digits, '-', '.', '*' and '?'", short(text)));
        }
    }
    Ok(Rule { kind: kind.to_owned(), namespace: namespace.map(str::to_owned), name: name.to_owned() })
}

impl Rule {
    /// Whether it means this object. Without a namespace it means those of every one.
    pub fn excludes(&self, key: &Key) -> bool {
        glob(&self.kind.to_ascii_lowercase(), &key.kind.to_ascii_lowercase())
            && glob(&self.name, &key.name)
            && self.namespace.as_ref().is_none_or(|wanted| glob(wanted, key.namespace.as_deref().unwrap_or_default()))
    }

    /// The rule in its short form.
    pub fn text(&self) -> String {
        let namespace = self.namespace.as_ref().map(|it| format!("{it}/")).unwrap_or_default();
        format!("{}/{namespace}{}", self.kind, self.name)
    }

    /// A sentence about a rule that means nothing of the catalogue: it excludes nothing, and its author may think it does.
    pub fn idle(&self, catalogue: &[Key]) -> Option<String> {
        if catalogue.iter().any(|key| self.excludes(key)) {
            return None;
        }
        let known: Vec<String> = catalogue.iter().map(|key| format!("{}/{}", key.kind, key.name)).collect();
        let near = nearest(&self.text(), known.iter().map(String::as_str));
        let near = near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
        Some(format!("the exclusion {} matches nothing{near}", short(&self.text())))
    }
}

/// Whether a pattern of `*` and `?` means the whole text. Takes at most pattern times text steps, whatever the pattern.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, t) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

fn short(text: &str) -> String {
    crate::text::line(text, SHOWN)
}
