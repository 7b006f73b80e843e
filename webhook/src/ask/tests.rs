use admission::review::decode;
use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use runtime::clusters::State;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;
use crate::canned;

const PATH: &str = "/apis/kubevirt.io/v1/namespaces/{namespace}/virtualmachines/{name}";

fn key(name: &str) -> VmKey {
    VmKey { namespace: "shop".to_owned(), name: name.to_owned() }
}

fn east(names: &[&str]) -> Needs {
    let keys = names.iter().map(|name| key(name)).collect();
    Needs { vms: [(ClusterName("east".to_owned()), keys)].into(), secrets: Vec::new() }
}

/// Asks about a request of this user for a Machine in `shop`.
async fn asked(asking: &Asking, needs: Needs, user: Option<&str>) -> Answers {
    let user = user.map(|user| format!(r#","userInfo":{user}"#)).unwrap_or_default();
    let body = format!(r#"{{"request":{{"uid":"u-1","kind":{{}},"operation":"CREATE","namespace":"shop"{user}}}}}"#);
    asking.ask(needs, &decode(body.as_bytes()).expect("a review").request).await
}

/// Asks a supervisor, and a cluster `east` whose watches are silent.
async fn ask(supervisor: Client, cluster: Option<Client>, needs: Needs, user: Option<&str>) -> Answers {
    let cluster = cluster.map(|client| canned::cluster(client, State::Connecting));
    asked(&Asking::new(supervisor, move |_| cluster.clone()), needs, user).await
}

/// A cluster with the VM `vm-web` of another supervisor.
fn kubevirt() -> Router {
    Router::new().route(
        PATH,
        get(async |Path((namespace, name)): Path<(String, String)>| {
            if name == "vm-web" {
                let labels = json!({"vitistack.io/machine-uid": "u-1", "vitistack.io/supervisor": "s-1"});
                let metadata = json!({"name": name, "namespace": namespace, "labels": labels});
                return canned::json(
                    200,
                    &json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata}),
                );
            }
            let message = format!("virtualmachines.kubevirt.io \"{name}\" not found");
            canned::failure(
                404,
                "NotFound",
                &message,
                &json!({"name": name, "group": "kubevirt.io", "kind": "virtualmachines"}),
            )
        }),
    )
}

#[tokio::test]
async fn x43_a17_a_cluster_without_fresh_watches_is_asked_for_the_vm() {
    let nobody = canned::silent().await;
    let remote = canned::answering(kubevirt());
    let answers = ask(nobody, Some(remote), east(&["vm-web", "vm-new"]), None).await;
    let found = &answers.vms[&ClusterName("east".to_owned())];
    let there: Vec<_> = found.iter().map(|(key, vm)| (key.name.as_str(), vm.is_some())).collect();
    assert_eq!(there, [("vm-web", true), ("vm-new", false)], "that vm-new is not there is an answer, too");
    assert!(found[0].1.as_ref().is_some_and(|vm| vm.owner.is_some()));
}

#[tokio::test]
async fn x43_a17_what_is_no_answer_about_the_vm_is_none() {
    let no_kind = Router::new().fallback(async || (axum::http::StatusCode::NOT_FOUND, "404 page not found"));
    let forbidden = Router::new().fallback(async || {
        let details = json!({"name": "vm-web", "group": "kubevirt.io"});
        canned::failure(403, "Forbidden", "virtualmachines.kubevirt.io \"vm-web\" is forbidden", &details)
    });
    let elsewhere = Router::new().fallback(async || {
        canned::failure(404, "NotFound", "not found", &json!({"name": "vm-web", "group": "example.org"}))
    });
    for (case, routes) in [("no such kind", no_kind), ("forbidden", forbidden), ("another group", elsewhere)] {
        let remote = canned::answering(routes);
        let answers = ask(canned::silent().await, Some(remote), east(&["vm-web"]), None).await;
        assert!(answers.vms.is_empty(), "{case}: {:?}", answers.vms);
    }
    let answers = ask(canned::silent().await, None, east(&["vm-web"]), None).await;
    assert!(answers.vms.is_empty(), "there is no connection at all");
}

#[tokio::test]
async fn x43_t9_whoever_hangs_is_not_waited_for() {
    let needs = Needs { secrets: vec!["cloud-init".to_owned()], ..east(&["vm-web"]) };
    let (supervisor, remote) = (canned::silent().await, canned::silent().await);
    let began = Instant::now();
    let cluster = canned::cluster(remote, State::Connecting);
    let (known, hung) = (cluster.clone(), cluster);
    let asking = Asking::new(supervisor, move |_| Some(known.clone()));
    let answers = asked(&asking, needs, Some(r#"{"username":"ann"}"#)).await;
    assert!(began.elapsed() < Duration::from_millis(2500), "{:?}", began.elapsed());
    assert!(answers.vms.is_empty(), "not answered is not absent");
    let why = answers.readable["cloud-init"].as_ref().expect_err("unknown, not refused");
    assert_eq!(why, "the supervisor did not say within 1500 ms");
    let told = tokio::time::timeout(Duration::from_secs(1), hung.suspect.notified()).await;
    assert!(told.is_ok(), "the link looks at once whether its cluster still lives");
}

/// A supervisor on which ann may get every Secret but `other`.
fn authorizer() -> Router {
    Router::new().route(
        "/apis/authorization.k8s.io/v1/subjectaccessreviews",
        post(async |body: String| {
            let mut review: Value = serde_json::from_str(&body).expect("JSON");
            let asked = review["spec"]["resourceAttributes"].clone();
            let wanted = json!({"namespace": "shop", "verb": "get", "version": "v1", "resource": "secrets", "name": asked["name"]});
            let allowed = asked == wanted && review["spec"]["user"] == "ann" && asked["name"] != "other";
            review["status"] = json!({"allowed": allowed});
            canned::json(201, &review)
        }),
    )
}

#[tokio::test]
async fn t9_the_author_of_the_request_must_be_able_to_read_the_secret() {
    let supervisor = canned::answering(authorizer());
    #[rustfmt::skip]
    let cases = [
        ("T9: with the right",    Some(r#"{"username":"ann","groups":["dev"]}"#), "mine",  Ok(true)),
        ("T9: another Secret",    Some(r#"{"username":"ann"}"#),                  "other", Ok(false)),
        ("T9: another user",      Some(r#"{"username":"bob"}"#),                  "mine",  Ok(false)),
        ("T9: nobody",            Some(r#"{"username":""}"#),                     "mine",  Ok(false)),
        ("T9: no author at all",  None,                                           "mine",  Ok(false)),
        ("T9: unreadable",        Some(r#"{"username":["ann"]}"#),                "mine",  Err("request.userInfo cannot be read: ")),
    ];
    for (case, user, secret, wanted) in cases {
        let needs = Needs { secrets: vec![secret.to_owned()], ..Needs::default() };
        let answers = ask(supervisor.clone(), None, needs, user).await;
        match (&answers.readable[secret], wanted) {
            (Err(why), Err(wanted)) => assert!(why.starts_with(wanted), "{case}: {why}"),
            (got, wanted) => assert_eq!(got.as_ref().ok(), wanted.as_ref().ok(), "{case}: {got:?}"),
        }
    }
}
