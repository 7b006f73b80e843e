//! Sessions on servers that real ones do not play on demand. Time is paused, so there are no sockets.

use std::sync::Mutex;

use crate::watcher::watcher;
use axum::Router;
use axum::body::Body;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::json;

use super::*;
use crate::listing::{Listing, Step, watching};

const CONFIG_MAPS: &str = "/api/v1/configmaps";

/// Keeps the names of all ConfigMaps.
struct Names;

impl Session for Names {
    type Index = Mutex<Vec<String>>;

    fn run(&self, cluster: Arc<Cluster<Self::Index>>, synced: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, String> {
        Box::pin(async move {
            let (mut listing, mut synced) = (Listing::default(), Some(synced));
            let mut events = watcher(Api::<ConfigMap>::all(cluster.client.clone()), watching()).boxed();
            while let Some(event) = events.next().await {
                let event = match event {
                    Ok(event) => event,
                    Err(why) => return explain(&why, "list ConfigMaps"),
                };
                if let Ok(Some(Step::Listed(names))) = listing.take(&event, ConfigMap::name_any) {
                    *cluster.index.lock().expect("not poisoned") = names;
                    synced.take().into_iter().for_each(|synced| synced());
                }
            }
            "the watch ended".to_owned()
        })
    }
}

type Link = (Arc<Cluster<Mutex<Vec<String>>>>, JoinHandle<()>, mpsc::Receiver<Heard>);

const KUBE_SYSTEM: &str = r#"{"metadata": {"name": "kube-system", "uid": "c-1"}}"#;

/// A link to a cluster with such ConfigMaps.
fn link(config_maps: MethodRouter) -> Link {
    link_of(get(async || KUBE_SYSTEM), config_maps)
}

fn link_of(kube_system: MethodRouter, config_maps: MethodRouter) -> Link {
    let routes = Router::new().route("/api/v1/namespaces/kube-system", kube_system).route(CONFIG_MAPS, config_maps);
    let (events, heard) = mpsc::channel(1024);
    let name = ClusterName("east".to_owned());
    let (cluster, task) = start((name, Client::new(routes, "default"), None), &Arc::new(Names), &events);
    (cluster, task, heard)
}

fn status(code: u16) -> Response {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "no"});
    (StatusCode::from_u16(code).expect("a status"), body.to_string()).into_response()
}

/// How it refuses to continue a watch: at once, or in the middle of it.
const REFUSALS: [bool; 2] = [true, false];

#[tokio::test(start_paused = true)]
async fn r19_a_cluster_that_forgets_its_history_is_listed_every_ten_seconds_and_no_deletion_is_missed() {
    for at_once in REFUSALS {
        let lists = Arc::new(Mutex::new(Vec::new()));
        let seen = lists.clone();
        let answer = get(async move |uri: Uri| {
            if uri.query().is_some_and(|query| query.contains("watch=true")) {
                let line = json!({"type": "ERROR", "object": {"kind": "Status", "status": "Failure", "code": 410}});
                return if at_once { status(410) } else { Body::from(format!("{line}\n")).into_response() };
            }
            let mut lists = seen.lock().expect("not poisoned");
            lists.push(Instant::now());
            // Each time, the first of those that were there is gone.
            let items: Vec<_> = (lists.len()..12).map(|at| json!({"metadata": {"name": format!("m-{at}")}})).collect();
            let version = lists.len().to_string();
            json!({"metadata": {"resourceVersion": version}, "items": items}).to_string().into_response()
        });
        let (cluster, task, _heard) = link(answer);
        tokio::time::sleep(Duration::from_secs(130)).await;
        task.abort();
        let lists = lists.lock().expect("not poisoned").clone();
        assert!(lists.len() >= 5, "{} lists in 130 s", lists.len());
        let apart: Vec<_> = lists.windows(2).map(|two| two[1] - two[0]).collect();
        assert!(apart.iter().all(|apart| *apart >= Duration::from_secs(10)), "at once: {at_once}: {apart:?}");
        let want: Vec<String> = (lists.len()..12).map(|at| format!("m-{at}")).collect();
        assert_eq!(*cluster.index.lock().expect("not poisoned"), want, "at once: {at_once}");
    }
}

/// Counts requests to a cluster that answers them with this status for three minutes, and what it is like then.
async fn held_off(status_code: u16) -> (usize, State) {
    let asked = Arc::new(Mutex::new(0));
    let count = asked.clone();
    let answer = get(async move || {
        *count.lock().expect("not poisoned") += 1;
        status(status_code)
    });
    let (cluster, task, _heard) = link(answer);
    tokio::time::sleep(Duration::from_secs(180)).await;
    let state = cluster.state.borrow().clone();
    task.abort();
    let asked = *asked.lock().expect("not poisoned");
    (asked, state)
}

#[tokio::test(start_paused = true)]
async fn r17_a_cluster_that_is_being_upgraded_is_asked_again_with_growing_pauses() {
    let fault = "the cluster has a fault of its own (HTTP 503)".to_owned();
    let gone = "the cluster does not have what was asked for: list ConfigMaps".to_owned();
    for (code, want) in [(503, State::Unreachable(fault)), (404, State::Unserved(gone))] {
        let (asked, state) = held_off(code).await;
        assert_eq!(state, want);
        assert!((6..=12).contains(&asked), "{code}: {asked} requests in 180 s");
    }
}

#[tokio::test(start_paused = true)]
async fn r20_a_cluster_that_has_no_time_is_not_silent() {
    let busy = Arc::new(Mutex::new(false));
    let is_busy = busy.clone();
    let kube_system = get(async move || {
        if *is_busy.lock().expect("not poisoned") {
            return status(429);
        }
        r#"{"metadata": {"name": "kube-system", "uid": "c-1"}}"#.into_response()
    });
    let client = Client::new(Router::new().route("/api/v1/namespaces/kube-system", kube_system), "default");
    let cluster = Arc::new(Cluster::<()>::new(ClusterName("east".to_owned()), client, None));
    *busy.lock().expect("not poisoned") = true;
    cluster.suspect.notify_one();
    let given_up = tokio::time::timeout(Duration::from_secs(60), silence(&cluster)).await;
    assert!(given_up.is_err(), "{given_up:?}");
    assert!(cluster.heard().is_some());
}

#[tokio::test(start_paused = true)]
async fn a14_b23_a_cluster_that_was_connected_and_does_not_answer_is_away_within_a_moment_of_being_asked() {
    let asked = Arc::new(AtomicU64::new(0));
    let kube_system = get(async move || {
        if asked.fetch_add(1, Ordering::Relaxed) > 0 {
            std::future::pending::<()>().await;
        }
        KUBE_SYSTEM
    });
    let breaks = Duration::from_secs(60);
    let config_maps = get(async move |uri: Uri| {
        if !uri.query().is_some_and(|query| query.contains("watch=true")) {
            return json!({"metadata": {"resourceVersion": "1"}, "items": []}).to_string().into_response();
        }
        let broken = futures::stream::once(async move {
            tokio::time::sleep(breaks).await;
            Err::<String, _>(std::io::Error::other("the network is gone"))
        });
        Body::from_stream(broken).into_response()
    });
    let began = Instant::now();
    let (cluster, task, _heard) = link_of(kube_system, config_maps);
    let mut state = cluster.state.subscribe();
    let mut until = async |wanted: State| {
        state.wait_for(|state| *state == wanted).await.expect("it is kept");
        began.elapsed()
    };
    until(State::Connected { id: "c-1".to_owned() }).await;
    until(State::Connecting).await;
    let away = until(State::Unreachable("no answer within 2 s".to_owned())).await;
    assert!((breaks..breaks + Duration::from_secs(4)).contains(&away), "{away:?}");
    let given_up = until(State::Unreachable("no answer within 10 s".to_owned())).await;
    assert!(given_up > away, "it was waited for all the same");
    task.abort();
}
