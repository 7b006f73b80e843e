//! The tables of `docs/backstop.md`, and what an API server's answer is called in them.

use crate::table::every_row;
use std::fs;

use kube::core::Status;
use model::api::machine::rules::Rule;
use serde_json::{Value, json};
use tests::repository::root;

/// One row of a table.
#[derive(Debug)]
pub(super) struct Row {
    /// Which Machine is changed; empty for a new one.
    pub(super) machine: String,
    /// What is merged into it.
    pub(super) json: Value,
    layer: String,
    answer: String,
}

/// How a request ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It was let through.
    Open,
    /// The webhook of this name could not be called.
    Uncalled(String),
    /// Layer and words of the first refusal; the words begin with the field.
    Refused(&'static str, String),
}

impl Row {
    /// Whether the request ended as the row says. The API server's own words may go on after those of the page: patterns
    /// and lists of values are long.
    pub(super) fn is(&self, found: &Answer) -> bool {
        match found {
            Answer::Open => self.layer == "Open",
            Answer::Uncalled(_) => false,
            Answer::Refused("Schema", words) => self.layer == "Schema" && words.starts_with(&self.answer),
            Answer::Refused(layer, words) => self.layer == *layer && *words == self.answer,
        }
    }
}

/// Every row of the page.
pub(super) fn rows() -> Vec<Row> {
    let page = fs::read_to_string(root().join("docs/backstop.md")).expect("docs/backstop.md");
    let rows: Vec<Row> = page.lines().filter_map(row).collect();
    let has = |machine: &str| rows.iter().filter(|row| row.machine == machine).count() > 1;
    assert!(["", "running", "leaving", "assigned", "undecided"].into_iter().all(has), "rows were not found: {rows:#?}");
    rows
}

/// A row has a Machine or a change of one in its first or second cell; other tables of the page have none.
fn row(line: &str) -> Option<Row> {
    let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
    let at = cells.iter().position(|cell| cell.starts_with("`{"))?;
    let [text, layer, answer] = cells[at..] else { panic!("not a layer and an answer after the JSON: {line}") };
    let json = serde_json::from_str(text.trim_matches('`')).unwrap_or_else(|error| panic!("{text}: {error}"));
    let machine = if at == 0 { String::new() } else { cells[at - 1].to_owned() };
    Some(Row { machine, json, layer: layer.to_owned(), answer: answer.trim_matches('`').to_owned() })
}

/// The Machine that a row of new ones describes.
pub(super) fn case(json: &Value) -> Value {
    let mut machine = json!({
        "apiVersion": "vitistack.io/v1alpha1", "kind": "Machine", "metadata": {"name": "new"}, "spec": {"template": "small"},
    });
    merge(&mut machine, json);
    machine
}

fn merge(into: &mut Value, from: &Value) {
    match (into.as_object_mut(), from.as_object()) {
        (Some(into), Some(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        _ => *into = from.clone(),
    }
}

/// What an API server's answer is called.
pub(super) fn answer<T>(result: kube::Result<T>) -> Answer {
    match result {
        Ok(_) => Answer::Open,
        Err(kube::Error::Api(status)) => refused(&status),
        Err(other) => panic!("no answer: {other}"),
    }
}

fn refused(status: &Status) -> Answer {
    if let Some((_, rest)) = status.message.split_once("failed calling webhook \"") {
        return Answer::Uncalled(rest.split('"').next().unwrap_or_default().to_owned());
    }
    assert_eq!((&*status.reason, status.code), ("Invalid", 422), "{status:?}");
    let causes = status.details.as_ref().map(|details| &*details.causes).unwrap_or_default();
    let cause = causes.first().unwrap_or_else(|| panic!("no cause: {status:?}"));
    for name in ["kubevirt-operator", "kubevirt-operator-secrets"] {
        let policy = format!("ValidatingAdmissionPolicy '{name}' with binding '{name}' denied request: ");
        if let Some(words) = cause.message.strip_prefix(&policy) {
            return Answer::Refused("Policy", words.to_owned());
        }
    }
    // Where a rule speaks about the whole object there is no field, and the API server writes this.
    let field = if cause.field == "<nil>" { String::new() } else { format!("{}: ", cause.field) };
    // A rule's words come after the value that it refuses, of which an object or a list shows only its type.
    match Rule::ALL.iter().find(|rule| cause.message.ends_with(&format!(": {}", rule.cel().message))) {
        Some(rule) => Answer::Refused("Cel", format!("{field}{}", rule.cel().message)),
        None => Answer::Refused("Schema", format!("{field}{}", cause.message)),
    }
}

#[test]
fn x55_every_rule_of_the_crd_is_on_the_page() {
    let rows = rows();
    every_row(Rule::ALL, |rule| {
        let told = rows.iter().any(|row| row.layer == "Cel" && row.answer.ends_with(rule.cel().message));
        assert!(told, "docs/backstop.md has no Machine that {:?} refuses", rule.cel().message);
    });
}
