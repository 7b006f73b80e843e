use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, Uri};
use axum::routing::get;
use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::*;
use crate::listing::watching;

/// What an answer begins with whose HTTP status is not 200 but 410.
const GONE: &str = "410";

fn object(name: &str, version: u32) -> Value {
    json!({"metadata": {"name": name, "resourceVersion": version.to_string()}})
}

fn line(kind: &str, object: &Value) -> String {
    format!("{}\n", json!({"type": kind, "object": object}))
}

fn list(names: &[(&str, u32)], version: &str, more: &str) -> String {
    let items: Vec<_> = names.iter().map(|(name, version)| object(name, *version)).collect();
    json!({"metadata": {"resourceVersion": version, "continue": more}, "items": items}).to_string()
}

/// What is watched as `name`, in the words of the test.
fn told(event: Result<Event<ConfigMap>, Error>) -> String {
    match event {
        Ok(Event::Init) => "list".to_owned(),
        Ok(Event::InitApply(it)) => format!("listed {}", it.name_any()),
        Ok(Event::InitDone) => "complete".to_owned(),
        Ok(Event::Apply(it)) => format!("there {}", it.name_any()),
        Ok(Event::Delete(it)) => format!("gone {}", it.name_any()),
        Err(Error::InitialListFailed(why)) => format!("not listed: {why}"),
        Err(Error::WatchStartFailed(why)) => format!("not watched: {why}"),
        Err(Error::WatchFailed(why)) => format!("broken: {}", crate::clusters::said(&why)),
        Err(Error::WatchError(status)) => format!("ended: {}", status.code),
        Err(Error::NoResourceVersion) => "no version".to_owned(),
    }
}

/// The first so many events of a server that gives these answers one after the other, each in pieces, and what it was asked for.
async fn watched(answers: &[Vec<&str>], count: usize) -> (Vec<String>, Vec<String>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let bytes = |pieces: &Vec<&str>| pieces.iter().map(|it| Bytes::from((*it).to_owned())).collect::<Vec<_>>();
    let answers: Vec<_> = answers.iter().map(bytes).collect();
    let answer = get(async move |uri: Uri| {
        let mut asked = seen.lock().expect("not poisoned");
        let query = |name: &str| {
            let query = uri.query().unwrap_or_default();
            query.split('&').find_map(|it| it.strip_prefix(name)?.strip_prefix('=')).unwrap_or("-").to_owned()
        };
        asked.push(match query("watch").as_str() {
            "true" => format!("watch {}", query("resourceVersion")),
            _ => format!("list {}", query("continue")),
        });
        let mut pieces = answers.get(asked.len() - 1).cloned().unwrap_or_default();
        let is_gone = pieces.first().is_some_and(|first| first == GONE);
        let status = if is_gone { StatusCode::GONE } else { StatusCode::OK };
        pieces.drain(..usize::from(is_gone));
        // The last answer has no end, so that nothing else is asked for.
        let last = asked.len() == answers.len();
        let pieces = futures::stream::iter(pieces.into_iter().map(Ok::<_, Infallible>));
        let body =
            if last { Body::from_stream(pieces.chain(futures::stream::pending())) } else { Body::from_stream(pieces) };
        (status, body)
    });
    let client = Client::new(Router::new().route("/api/v1/configmaps", answer), "default");
    let events = watcher(Api::<ConfigMap>::all(client), watching()).map(told);
    let events = events.take(count).collect().await;
    let asked = asked.lock().expect("not poisoned").clone();
    (events, asked)
}

#[tokio::test(start_paused = true)]
async fn r19_pages_make_one_list_and_a_watch_goes_on_where_it_ended() {
    let pages = [list(&[("a", 1), ("b", 2)], "9", "more"), list(&[("c", 3)], "9", "")];
    let mark = line(
        "BOOKMARK",
        &json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"resourceVersion": "12", "annotations": {}}}),
    );
    let events = [line("ADDED", &object("d", 10)), line("MODIFIED", &object("a", 11)), mark];
    let (first, second) = events[0].split_at(17);
    let cut = &line("DELETED", &object("b", 13))[..20];
    let gone = line("DELETED", &object("b", 14));
    let answers =
        [vec![pages[0].as_str()], vec![&pages[1]], vec![first, second, &events[1], &events[2], cut], vec![&gone]];
    let (told, asked) = watched(&answers, 8).await;
    assert_eq!(told, ["list", "listed a", "listed b", "listed c", "complete", "there d", "there a", "gone b"]);
    assert_eq!(
        asked,
        ["list -", "list more", "watch 9", "watch 12"],
        "what is cut off is no event, and a bookmark counts"
    );
}

#[tokio::test(start_paused = true)]
async fn r19_b8_what_is_no_event_is_an_error_and_the_watch_goes_on() {
    let empty = list(&[], "9", "");
    let unnamed = json!({"metadata": {}, "items": []}).to_string();
    let status = json!({"kind": "Status", "status": "Failure", "code": 410, "message": "too old"});
    let busy = json!({"kind": "Status", "status": "Failure", "code": 500, "message": "busy"});
    let forgotten = format!("{status}\n");
    let (refused, ended, failed) = (format!("{busy}\n"), line("ERROR", &status), line("ERROR", &busy));
    let nameless = line("ADDED", &json!({"metadata": {"name": "d"}}));
    let after = line("ADDED", &object("e", 10));
    let goes_on = ["list -", "watch 9", "watch 9"].as_slice();
    let anew = ["list -", "watch 9", "list -", "watch 9"].as_slice();
    #[rustfmt::skip]
    let cases = [
        ("garbage",     vec![vec![empty.as_str()], vec!["<html>\n"], vec![&after]],       vec!["list", "complete", "broken: ", "there e"],                       goes_on),
        ("a refusal",   vec![vec![&empty], vec![&refused], vec![&after]],                 vec!["list", "complete", "broken: ", "there e"],                       goes_on),
        ("an error",    vec![vec![&empty], vec![&failed, &after]],                        vec!["list", "complete", "ended: 500", "there e"],                     &goes_on[..2]),
        ("too old",     vec![vec![&empty], vec![&ended], vec![&empty], vec![&after]],     vec!["list", "complete", "ended: 410", "list", "complete", "there e"], anew),
        ("forgotten",   vec![vec![&empty], vec![GONE, &forgotten], vec![&empty], vec![&after]], vec!["list", "complete", "not watched: ", "list", "complete", "there e"], anew),
        ("forgot then", vec![vec![&empty], vec![&forgotten], vec![&empty], vec![&after]], vec!["list", "complete", "broken: ", "list", "complete", "there e"], anew),
        ("no version",  vec![vec![&empty], vec![&nameless], vec![&empty], vec![&after]],  vec!["list", "complete", "no version", "list", "complete", "there e"], anew),
        ("no list",     vec![vec![&unnamed], vec![&empty], vec![&after]],                 vec!["list", "no version", "list", "complete", "there e"],             &["list -", "list -", "watch 9"]),
    ];
    for (name, answers, want, requests) in cases {
        let (told, asked) = watched(&answers, want.len()).await;
        assert_eq!(told.len(), want.len(), "{name}: {told:?}");
        for (told, want) in told.iter().zip(&want) {
            assert!(told.starts_with(*want), "{name}: {told:?} for {want:?}");
        }
        assert_eq!(asked, requests, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn t9_x43_of_what_is_watched_by_metadata_an_api_server_is_asked_for_nothing_else() {
    let (tell, mut hear) = tokio::sync::mpsc::unbounded_channel();
    let answer = get(async move |uri: Uri, headers: axum::http::HeaderMap| {
        let accepted = headers.get("accept").and_then(|it| it.to_str().ok()).unwrap_or_default().to_owned();
        let is_watch = uri.query().unwrap_or_default().contains("watch=true");
        tell.send((is_watch, accepted)).expect("heard");
        if is_watch { line("ADDED", &object("b", 10)) } else { list(&[("a", 1)], "9", "") }
    });
    let client = Client::new(Router::new().route("/api/v1/configmaps", answer), "default");
    let maps = Api::<kube::core::PartialObjectMeta<ConfigMap>>::all(client);
    let names: Vec<_> = watcher(maps, watching().metadata())
        .filter_map(async |event| match event {
            Ok(Event::InitApply(it) | Event::Apply(it)) => Some(it.name_any()),
            _ => None,
        })
        .take(2)
        .collect()
        .await;
    assert_eq!(names, ["a", "b"]);
    let kind = |list: &str| format!("application/json;as=PartialObjectMetadata{list};g=meta.k8s.io;v=v1");
    assert_eq!(hear.recv().await, Some((false, kind("List"))));
    assert_eq!(hear.recv().await, Some((true, kind(""))));
}
