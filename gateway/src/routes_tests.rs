//! What holds for every route.

use super::*;

#[test]
fn e11_the_document_has_every_route_and_method() {
    let document: serde_json::Value = serde_json::from_str(&document()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let said: Vec<(&str, Vec<&str>)> = paths
        .iter()
        .map(|(path, item)| (path.as_str(), item.as_object().expect("methods").keys().map(String::as_str).collect()))
        .collect();
    let wanted = [
        (machines::ALL, vec!["get", "post"]),
        (machines::ONE, vec!["delete", "get", "patch"]),
        (hubs::ALL, vec!["get", "post"]),
        (hubs::ONE, vec!["delete", "get", "patch"]),
        (templates::ALL, vec!["get"]),
    ];
    for (path, methods) in wanted {
        let mut found =
            said.iter().find(|(other, _)| *other == path).map(|(_, methods)| methods.clone()).unwrap_or_default();
        found.sort_unstable();
        assert_eq!(found, methods, "{path}");
    }
    assert_eq!(said.len(), 5);
    let operations = paths.values().flat_map(|item| item.as_object().expect("methods").values());
    let mut ids: Vec<_> = operations.map(|it| it["operationId"].as_str().expect("an id")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 11, "{ids:?}");
}

#[test]
fn f13_an_id_of_a_request_is_taken_over_only_where_it_is_one() {
    for (text, good) in [("a-B_c.9", true), ("", false), ("a b", false), ("a\"b", false), (&"x".repeat(65), false)] {
        assert_eq!(is_id(text), good, "{text:?}");
    }
    assert_ne!(random(), random());
}
