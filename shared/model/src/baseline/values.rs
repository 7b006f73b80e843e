//! Values as they are compared, and paths as they are told. Pure.

use serde_json::{Map, Value};

/// The entries of a list by their names, where every one has a name of its own.
pub(super) fn by_name(list: &[Value]) -> Option<Map<String, Value>> {
    let mut named = Map::new();
    for entry in list {
        let name = entry.get("name")?.as_str()?;
        if named.insert(name.to_owned(), entry.clone()).is_some() {
            return None;
        }
    }
    Some(named)
}

/// Two spellings of one value: `2Gi` and `2048Mi`.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    let size = |value: &Value| crate::quantity::parse(value.as_str()?).ok();
    one == other || size(one).is_some_and(|size_of_one| size(other) == Some(size_of_one))
}

/// A path as people write it: `spec.disks[root].bootOrder`.
pub(super) fn say(path: &[String]) -> String {
    let mut said = String::new();
    for segment in path {
        if !segment.starts_with('[') && !said.is_empty() {
            said.push('.');
        }
        said.push_str(segment);
    }
    crate::text::line(&said, 256)
}
