//! What is read of a head and of a body.

use serde_json::json;

use super::*;
use crate::table::every_row;

fn request(uri: &str, head: &[(&str, &str)], body: impl Into<Body>) -> Request {
    let mut request = Request::builder().uri(uri).header("authorization", "Bearer t");
    for (name, value) in head {
        request = request.header(*name, *value);
    }
    request.body(body.into()).expect("a request")
}

const KNOWN: [&str; 3] = ["dry_run", "tenant", "limit"];

#[test]
fn f12_a_query_or_header_that_says_nothing_known_is_refused_with_its_name() {
    #[rustfmt::skip]
    let cases = [
        ("/x?tenant=a&limit=7",    vec![],                              Ok(false)),
        ("/x?dry_run=true",        vec![],                              Ok(true)),
        ("/x?dry_run=false",       vec![("x-dry-run", "true")],         Ok(true)),
        ("/x",                     vec![("x-dry-run", "false")],        Ok(false)),
        ("/x?dry_run=1",           vec![],                              Err((422, "dry_run"))),
        ("/x",                     vec![("x-dry-run", "yes")],          Err((422, "X-Dry-Run"))),
        ("/x?filter=a",            vec![],                              Err((422, "filter"))),
        ("/x?tenant=a&tenant=b",   vec![],                              Err((422, "tenant"))),
        ("/x",                     vec![("idempotency-key", "")],       Err((422, "Idempotency-Key"))),
        ("/x",                     vec![("authorization", "Bearer u")], Err((401, ""))),
    ];
    every_row(cases, |(uri, head, want)| {
        let got = head_of(&request(uri, &head, ""), &Tenancy::default(), &KNOWN);
        let got = got.map(|asked| asked.dry_run).map_err(|problem| {
            (problem.status, problem.errors.first().and_then(|it| it.parameter.clone()).unwrap_or_default())
        });
        assert_eq!(got, want.map_err(|(status, name): (u16, &str)| (status, name.to_owned())), "F12: {uri} {head:?}");
    });
}

#[test]
fn x111_only_an_etag_of_ours_is_a_precondition_that_may_hold() {
    let version = |text: &str| Ok(Precondition::Version(text.to_owned()));
    #[rustfmt::skip]
    let cases = [
        (vec![],             Ok(Precondition::None)), (vec!["*"],        Ok(Precondition::Any)),
        (vec!["\"4711\""],   version("4711")),        (vec!["4711"],     Err(412)),  (vec!["W/\"4711\""],       Err(412)),
        (vec!["\"abc\""],    Err(412)),               (vec!["\"\""],     Err(412)),  (vec!["\"1\", \"2\""],     Err(412)),
        (vec!["\"1\"", "\"2\""], Err(400)),
    ];
    every_row(cases, |(values, want)| {
        let head = values.iter().map(|value| (header::IF_MATCH, value.parse().expect("a value"))).collect();
        assert_eq!(precondition(&head).map_err(|it| it.status), want, "{values:?}");
    });
}

#[tokio::test]
async fn f9_a_body_is_json_of_a_mebibyte_at_most() {
    let long = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    #[rustfmt::skip]
    let cases = [
        ("JSON",                Some("application/json"),                  "{\"a\":1}".to_owned(), Ok(json!({"a": 1}))),
        ("with a charset",      Some("Application/JSON; charset=utf-8"),   "{}".to_owned(),        Ok(json!({}))),
        ("a merge patch",       Some("application/merge-patch+json"),      "{}".to_owned(),        Ok(json!({}))),
        ("curl's own type",     Some("application/x-www-form-urlencoded"), "{}".to_owned(),        Ok(json!({}))),
        ("no type",             None,                                      "{}".to_owned(),        Ok(json!({}))),
        ("another type",        Some("text/xml"),                          "{}".to_owned(),        Err(415)),
        ("nothing",             None,                                      String::new(),          Err(400)),
        ("half of it",          None,                                      "{\"a\":".to_owned(),   Err(400)),
        ("nested without end",  None,                                      "[".repeat(200),        Err(400)),
        ("a mebibyte",          None,                                      long(LIMIT),            Ok(json!("x".repeat(LIMIT - 2)))),
        ("values without end",  None,                                      format!("[{}0]", "{},".repeat(20_000)), Err(413)),
        ("and a byte",          None,                                      long(LIMIT + 1),        Err(413)),
    ];
    for (name, type_, body, want) in cases {
        let head: Vec<_> = type_.into_iter().map(|type_| ("content-type", type_)).collect();
        let got = whole_of(request("/x", &head, body), &Tenancy::default(), &KNOWN, &Memory::new(64 << 20)).await;
        assert!(got.map(|asked| asked.body).map_err(|it| it.status) == want, "F9: {name}");
    }
}

#[test]
fn x108_a_key_gives_a_name_of_its_own_to_each_tenant() {
    let asked = |key: &str| {
        head_of(&request("/x", &[("idempotency-key", key)], ""), &Tenancy::default(), &KNOWN).expect("read")
    };
    let name = asked("k").name_by_key("team-a").expect("a name");
    assert_eq!(name.len(), 23);
    assert!(crate::translate::form::is_label(&name, 60), "{name}");
    assert_eq!(asked("k").name_by_key("team-a"), Some(name.clone()));
    for other in [asked("l").name_by_key("team-a"), asked("k").name_by_key("team-b")] {
        assert_ne!(other, Some(name.clone()));
    }
}

#[test]
fn x108_the_same_body_under_another_key_is_another_request() {
    let hash = |key: &str, body: serde_json::Value| {
        let asked =
            head_of(&request("/x", &[("idempotency-key", key)], ""), &Tenancy::default(), &KNOWN).expect("read");
        Asked { body, ..asked }.hash()
    };
    assert_eq!(hash("k", json!({"a": 1})), hash("k", json!({"a": 1})));
    assert_ne!(hash("k", json!({"a": 1})), hash("k", json!({"a": 2})));
    assert_ne!(hash("k", json!({"a": 1})), hash("l", json!({"a": 1})));
}

#[test]
fn x103_an_ending_has_ten_letters_and_digits() {
    assert_eq!((ending(0), ending(u64::MAX), ending(1)), ("0".repeat(10), "z".repeat(10), "1000000000".to_owned()));
}
