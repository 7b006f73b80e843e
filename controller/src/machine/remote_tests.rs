//! Creations of which the outcome is unknown, on a cluster that answers as it is told to.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use axum::routing::any;
use kube::Client;
use model::names::ClusterName;
use serde_json::json;

use super::*;
use crate::index::tests::machine;
use crate::table::every_row;

const CLAIM: &str = "/api/v1/namespaces/shop/persistentvolumeclaims";

fn claim(uid: &str, supervisor: &str) -> Value {
    let labels = json!({MACHINE_UID: uid, SUPERVISOR: supervisor});
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "web-root", "namespace": "shop", "uid": "u-1", "labels": labels}})
}

fn status(code: u16, reason: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": reason})
}

/// A cluster that answers a creation like this, and has that object; and the methods that it was asked with.
fn cluster(code: u16, created: Value, there: Option<Value>) -> (Cluster<ClusterIndex>, Arc<Mutex<Vec<Method>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let answer = any(async move |method: Method| {
        seen.lock().expect("not poisoned").push(method.clone());
        let (code, body) = match (method, &there) {
            (Method::POST, _) => (code, created.clone()),
            (_, Some(object)) => (200, object.clone()),
            (_, None) => (404, status(404, "NotFound")),
        };
        (StatusCode::from_u16(code).expect("a status"), body.to_string()).into_response()
    });
    let routes = Router::new().route(CLAIM, answer.clone()).route(&format!("{CLAIM}/web-root"), answer);
    let client = Client::new(routes, "default");
    (Cluster::new(ClusterName("east".to_owned()), client, None), asked)
}

#[tokio::test]
async fn r22_a_creation_of_unknown_outcome_is_ours_or_a_conflict_and_is_never_made_twice() {
    let exists = || status(409, "AlreadyExists");
    #[rustfmt::skip]
    let cases = [
        ("it is made",                          201, claim("m-1", "s-1"),  None,                        "made",     "stored"),
        ("R22: it was made by an earlier try",  409, exists(),             Some(claim("m-1", "s-1")),   "made",     "stored"),
        ("R22: another Machine has the name",   409, exists(),             Some(claim("m-2", "s-1")),   "stranger", "nothing"),
        ("R22: another supervisor has it",      409, exists(),             Some(claim("m-1", "s-2")),   "stranger", "nothing"),
        ("R22: the server fails after it may be stored", 500, status(500, "InternalError"), None,       "failed",   "uncertain"),
        ("R22: the answer is late",             504, status(504, "Timeout"), None,                      "failed",   "uncertain"),
        ("it is refused for certain",           403, status(403, "Forbidden"), None,                    "failed",   "nothing"),
        ("R22: it was there, and is gone",      409, exists(),             None,                        "failed",   "uncertain"),
    ];
    let mut outcomes = Vec::new();
    for (name, code, created, there, outcome, awaits) in cases {
        let (cluster, asked) = cluster(code, created, there);
        let (identity, supervisor, awaited) = (machine(), "s-1".to_owned(), Awaited::default());
        let at =
            Target { cluster: &cluster, identity: &identity, supervisor: &supervisor, awaited: &awaited, phase: "" };
        let made = match create(&at, Kind::Claim, "web-root", &claim("m-1", "s-1")).await {
            Ok(None) => "made",
            Ok(Some(found)) => {
                let failure = stranger(&at, Kind::Claim, "web-root", &found);
                assert_eq!(failure.reason, Reason::Conflict, "{name}");
                "stranger"
            }
            Err(_) => "failed",
        };
        let waiting = awaited.of(&cluster.name, cluster.number, "m-1");
        let waits = match (waiting.stored.len(), waiting.uncertain.len()) {
            (1, 0) => "stored",
            (0, 1) => "uncertain",
            (0, 0) => "nothing",
            other => panic!("{name}: {other:?}"),
        };
        let posts = asked.lock().expect("not poisoned").iter().filter(|method| **method == Method::POST).count();
        outcomes.push((name, (outcome, awaits, 1), (made, waits, posts)));
    }
    every_row(outcomes, |(name, want, got)| assert_eq!(got, want, "{name}"));
}
