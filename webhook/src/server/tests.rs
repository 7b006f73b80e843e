//! The listener as a stranger on the network meets it: raw sockets, real TLS. Every wait has a limit, none is a pause.

use std::time::Instant;

use admission::{Config, Policy};
use axum::routing::get;
use model::names::ClusterName;
use prometheus_client::registry::Registry;
use runtime::ready::Ready;
use serde_json::{Value, json};

use super::harness::{LIMIT, Server};
use super::*;
use crate::ask::Asking;
use crate::body::Memory;
use crate::routes::{Shared, caught, routes};
use crate::world::Current;
use crate::{body, canned};

/// These routes, with so many places.
pub(super) async fn served(routes: Router, places: usize) -> Server {
    let metrics = Metrics::register(&mut Registry::default());
    Server::of(|listener, tls| {
        let (trigger, shutdown) = Shutdown::manual();
        tokio::spawn(runtime::serve::serve(listener, tls, routes, shutdown, manner(metrics, places)));
        trigger
    })
    .await
}

pub(super) async fn webhook() -> Server {
    with_memory(Memory::new(body::BUDGET)).await
}

pub(super) async fn with_memory(memory: Memory) -> Server {
    served(reviews(memory).await, CONNECTIONS).await
}

/// The routes of the product.
pub(super) async fn reviews(memory: Memory) -> Router {
    let world = Current::new(Policy::default());
    let east = (ClusterName("east".to_owned()), Arc::new(Config::default()));
    world.change(|world| world.configs = [east].into());
    let asking = Arc::new(Asking::new(canned::silent().await, |_| None));
    let metrics = Metrics::register(&mut Registry::default());
    routes(Shared { world, asking, metrics, memory, ready: Ready::new() })
}

pub(super) fn review(object: &str) -> Vec<u8> {
    let kind = r#"{"group":"vitistack.io","version":"v1alpha1","kind":"Machine"}"#;
    format!(
        r#"{{"request":{{"uid":"u-1","operation":"CREATE","name":"web","namespace":"shop","kind":{kind},"object":{object}}}}}"#
    )
    .into_bytes()
}

#[tokio::test]
async fn t16_every_body_is_answered() {
    let server = webhook().await;
    let nested = |depth: usize| {
        review(&format!(r#"{{"spec":{{"template":"small"}},"x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth)))
    };
    let mut bad_utf8 = review(r#"{"spec":{"template":"?"}}"#);
    let at = bad_utf8.iter().rposition(|byte| *byte == b'?').expect("there");
    bad_utf8[at] = 0xff;
    let padded = |size: usize| {
        let mut body = review("{}");
        body.resize(size, b' ');
        body
    };
    #[rustfmt::skip]
    let cases: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        ("nothing",             Vec::new(),                                                  400, "this is no AdmissionReview"),
        ("cut off",             b"{\"request\":{\"uid\":\"u-1\"".to_vec(),                   400, "this is no AdmissionReview"),
        ("nested 100 levels",   nested(100),                                                 200, "\"allowed\":true"),
        ("nested without end",  nested(100_000),                                             200, "\"allowed\":true"),
        ("nested where it counts", review(&format!(r#"{{"spec":{{"disks":{}{}}}}}"#, "[".repeat(200), "]".repeat(200))), 200, "\"field\":\"spec.disks[0]\""),
        ("only nesting",        vec![b'['; 1 << 20],                                         400, "this is no AdmissionReview"),
        ("a duplicate key",     review(r#"{"spec":{"template":"small","template":"large"}}"#), 200, "duplicate field `template`"),
        ("a duplicate spec",    review(r#"{"spec":{},"spec":{}}"#),                          200, "duplicate field `spec`"),
        ("invalid UTF-8",       bad_utf8,                                                    200, "the AdmissionReview is not UTF-8"),
        ("only invalid UTF-8",  vec![0xff; 100],                                             400, "this is no AdmissionReview"),
        ("a wrong type",        review(r#"{"spec":{"template":7}}"#),                        200, "\"field\":\"spec.template\""),
        ("a wrong kind of all", review("7"),                                                 200, "\"field\":\"request.object\""),
        ("as large as allowed", padded(body::LIMIT),                                         200, "\"allowed\":false"),
        ("7 MiB and one byte",  padded(body::LIMIT + 1),                                     413, ""),
    ];
    for path in ["/mutate/machines", "/validate/machines"] {
        for (case, body, status, says) in &cases {
            let began = Instant::now();
            if *status == 413 {
                // Only promised: who sends more than is read meets either the answer or the end of the connection.
                let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
                let answer = server.exchange(head.as_bytes()).await;
                assert!(answer.starts_with("HTTP/1.1 413 "), "{path}: {case}: {answer}");
                continue;
            }
            let (got, answer) = server.post(path, body).await;
            let validated = path.starts_with("/validate") && says.contains(":true");
            let says = if validated { "NotStable" } else { says };
            assert_eq!(got, *status, "{path}: {case}: {answer}");
            assert!(answer.contains(says), "{path}: {case}: {answer}");
            assert!(began.elapsed() < LIMIT, "{path}: {case}");
        }
    }
    let chunk = vec![b' '; 1 << 16];
    let mut chunked = b"POST /mutate/machines HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..=body::LIMIT / chunk.len() {
        chunked.extend_from_slice(b"10000\r\n");
        chunked.extend_from_slice(&chunk);
        chunked.extend_from_slice(b"\r\n");
    }
    let answer = server.exchange(&chunked).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413 "), "no promise at all: {answer}");
    let long = format!("POST /mutate/machines HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(128 << 10));
    let answer = server.exchange(long.as_bytes()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "a head without end: {answer}");
}

#[tokio::test]
async fn t15_a_direct_call_learns_the_decision_and_nothing_else() {
    let server = webhook().await;
    let named =
        json!({"metadata": {"annotations": {"vitistack.io/kubevirt-config": "nord"}}, "spec": {"template": "small"}});
    let (status, answer) = server.post("/mutate/machines", &review(&named.to_string())).await;
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!((status, keys(&answer)), (200, ["apiVersion", "kind", "response"].map(str::to_owned).to_vec()));
    assert_eq!(keys(&answer["response"]), ["allowed", "status", "uid"]);
    assert_eq!(answer["response"]["status"]["details"]["causes"][0]["reason"], "KubevirtConfigNotFound");
    for path in
        ["/", "/metrics", "/readyz", "/debug", "/mutate", "/mutate/machines/", "/validate/machines/x", "/../etc"]
    {
        assert_eq!(server.post(path, b"{}").await, (404, String::new()), "{path}");
    }
    let got = server.exchange(b"GET /mutate/machines HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(got.starts_with("HTTP/1.1 405 ") && got.ends_with("\r\n\r\n"), "{got}");
    let head = got.to_ascii_lowercase();
    assert!(!head.contains("server:") && !head.contains("x-powered-by"), "{got}");
}

#[tokio::test]
async fn t17_a_panic_ends_its_request_and_nothing_else() {
    async fn broken() -> &'static str {
        panic!("invariant: a test that has to panic")
    }
    let server =
        served(caught(Router::new().route("/broken", get(broken)).route("/whole", get(async || "whole"))), CONNECTIONS)
            .await;
    let both = "GET /broken HTTP/1.1\r\nHost: x\r\n\r\nGET /whole HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answers = server.exchange(both.as_bytes()).await;
    assert!(answers.starts_with("HTTP/1.1 500 "), "{answers}");
    assert!(answers.contains("HTTP/1.1 200 ") && answers.ends_with("whole"), "on the same connection: {answers}");
    assert!(!answers.contains("invariant"), "what panicked is nobody's business: {answers}");
}
