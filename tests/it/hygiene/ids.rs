//! Ids such as X60 lead somewhere: each that is cited has a line in docs/behaviours.md, and no line is dead.

use std::collections::{BTreeMap, BTreeSet};

use tests::generated::behaviours::{carried, cited, is_its_own, table};
use tests::repository::texts;

const TABLE: &str = "tests/src/generated/behaviours.txt";

#[test]
fn every_cited_id_has_a_line_in_the_table() {
    let known: BTreeSet<&str> = table().into_iter().map(|line| line.id).collect();
    let mut unknown: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in sources() {
        for (id, line) in cited(&path, &text).into_iter().filter(|(id, _)| !known.contains(id.as_str())) {
            unknown.entry(id).or_default().push(format!("{path}:{line}"));
        }
    }
    assert!(unknown.is_empty(), "write a line into {TABLE}, then run `cargo gen`: {unknown:#?}");
}

#[test]
fn every_line_of_the_table_is_cited_or_waits() {
    let mut used = BTreeSet::new();
    for (path, text) in sources() {
        used.extend(cited(&path, &text).into_iter().map(|(id, _)| id));
        used.extend(carried(&path, &text).into_iter().map(|carrier| carrier.id));
    }
    assert!(used.len() > 100, "the sources were not found");
    let dead: Vec<&str> =
        table().into_iter().filter(|line| !line.waits && !used.contains(line.id)).map(|line| line.id).collect();
    assert!(dead.is_empty(), "nothing cites these: take them out of {TABLE}, or put a ~ in front: {dead:?}");
}

fn sources() -> impl Iterator<Item = (String, String)> {
    texts(&["rs", "md", "yaml", "tpl"]).into_iter().filter(|(path, _)| !is_its_own(path))
}
