use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::watcher::{Event, watcher};
use axum::Router;
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::Api;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::*;
use crate::client::{Deadlines, install_crypto_provider, tuned};
use crate::clusters::said;
use crate::listing::watching;

#[path = "bounded_tests/pages.rs"]
mod pages;
#[path = "bounded_tests/paused.rs"]
mod paused;

const NAMESPACE: &str = "/api/v1/namespaces/kube-system";
const CONFIG_MAPS: &str = "/api/v1/configmaps";
/// What the kernel and hyper may hold of a connection, besides what was read from it.
const ON_THE_WAY: usize = 24 << 20;
/// Nothing here takes longer, unless it hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn small() -> Bounds {
    Bounds { answer: 2 << 20, line: 1 << 20, ..Bounds::default() }
}

/// A client of a server that answers like this, over TCP.
async fn facing(routes: Router, bounds: Bounds) -> Client {
    install_crypto_provider();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    client(tuned(Config::new(url), Deadlines::default()), bounds).unwrap()
}

/// So many pieces of 64 KiB without an end of a line, which count themselves.
fn garbage(pieces: usize, sent: &Arc<AtomicUsize>) -> Body {
    let (sent, piece) = (sent.clone(), Bytes::from(vec![b'x'; 1 << 16]));
    Body::from_stream(stream::iter(0..pieces).map(move |_| {
        sent.fetch_add(piece.len(), Ordering::Relaxed);
        Ok::<_, Infallible>(piece.clone())
    }))
}

async fn ask(client: Client) -> String {
    let namespaces = Api::<Namespace>::all(client);
    said(&timeout(LIMIT, namespaces.get("kube-system")).await.expect("it does not hang").map(|_| ()).unwrap_err())
}

/// The first error of a watch.
async fn watch(client: Client) -> String {
    let events = watcher(Api::<ConfigMap>::all(client), watching());
    let failed = async { events.map(Result::err).filter_map(async |it| it).boxed().next().await };
    said(&timeout(LIMIT, failed).await.expect("it does not hang").expect("it does not end"))
}

fn page(more: &str) -> Response<Body> {
    let metadata = json!({"resourceVersion": "7", "continue": more});
    axum::response::Response::new(Body::from(json!({"items": [], "metadata": metadata}).to_string()))
}

fn is_watched(uri: &Uri) -> bool {
    uri.query().is_some_and(|query| query.contains("watch=true"))
}

/// An empty list, and this instead of a watch.
fn empty_list_and<F, R>(watch: F) -> MethodRouter
where
    F: Fn() -> R + Clone + Send + Sync + 'static,
    R: IntoResponse,
{
    get(async move |uri: Uri| if is_watched(&uri) { watch().into_response() } else { page("") })
}

#[tokio::test]
async fn atk1_t21_an_answer_without_end_is_given_up_and_so_is_a_large_one() {
    const ENDLESS: usize = usize::MAX;
    const COMPRESSED: (header::HeaderName, &str) = (header::CONTENT_ENCODING, "gzip");
    const PLAIN: (header::HeaderName, &str) = (header::CONTENT_ENCODING, "identity");
    const LONG: (header::HeaderName, &str) = (header::CONTENT_LENGTH, "62914560");
    let large = "the answer is larger than 2 MiB";
    #[rustfmt::skip]
    let cases = [
        ("without end",              200, PLAIN,      ENDLESS, large),
        ("60 MiB of garbage",        200, LONG,       960,     large),
        ("an error without end",     500, PLAIN,      ENDLESS, large),
        ("a compressed one",         200, COMPRESSED, ENDLESS, "the answer is compressed, which was not asked for"),
    ];
    for (name, status, head, pieces, says) in cases {
        let sent = Arc::new(AtomicUsize::new(0));
        let count = sent.clone();
        let answer = async move || (StatusCode::from_u16(status).unwrap(), [head], garbage(pieces, &count));
        let client = facing(Router::new().route(NAMESPACE, get(answer)), small()).await;
        assert_eq!(ask(client).await, says, "{name}");
        let sent = sent.load(Ordering::Relaxed);
        assert!(sent < (2 << 20) + ON_THE_WAY, "{name}: {sent} bytes were sent");
    }
}

#[tokio::test]
async fn atk1_t21_a_line_of_a_watch_without_end_is_given_up_and_so_is_a_refusal_of_one() {
    for (status, says) in [(200, "a line of the watch is larger than 1 MiB"), (403, "the answer is larger than 2 MiB")]
    {
        let sent = Arc::new(AtomicUsize::new(0));
        let count = sent.clone();
        let answer = move || (StatusCode::from_u16(status).unwrap(), garbage(usize::MAX, &count));
        let client = facing(Router::new().route(CONFIG_MAPS, empty_list_and(answer)), small()).await;
        assert_eq!(watch(client).await, says);
        let sent = sent.load(Ordering::Relaxed);
        assert!(sent < (2 << 20) + ON_THE_WAY, "{sent} bytes were sent");
    }
}

#[tokio::test]
async fn atk1_t21_a_watch_may_say_more_than_an_answer_holds() {
    let event = json!({"type": "ADDED", "object": {"metadata": {"name": "x".repeat(1 << 16), "resourceVersion": "8"}}});
    let line = Bytes::from(format!("{event}\n"));
    let events = move || Body::from_stream(stream::repeat(Ok::<_, Infallible>(line.clone())));
    let client = facing(Router::new().route(CONFIG_MAPS, empty_list_and(events)), small()).await;
    let seen = watcher(Api::<ConfigMap>::all(client), watching());
    let seen = seen.try_filter(|event| std::future::ready(matches!(event, Event::Apply(_)))).take(64);
    let seen = timeout(LIMIT, seen.try_collect::<Vec<_>>()).await.expect("it does not hang").expect("no error");
    assert_eq!(seen.len(), 64, "4 MiB, of which each line is 64 KiB");
}

#[tokio::test]
async fn atk1_t21_a_list_that_always_goes_on_is_given_up() {
    let quick = Bounds { pages: 5, ..small() };
    let short = Bounds { list: Duration::from_millis(200), pages: usize::MAX, ..small() };
    for (bounds, says) in [(quick, "the list has more than 5 pages"), (short, "the list was not complete within 0.2 s")]
    {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let answer = async move || {
            count.fetch_add(1, Ordering::Relaxed);
            page("more")
        };
        let client = facing(Router::new().route(CONFIG_MAPS, get(answer)), bounds).await;
        assert_eq!(watch(client.clone()).await, says);
        if bounds == quick {
            assert_eq!(asked.load(Ordering::Relaxed), 5);
            assert_eq!(watch(client).await, says, "each list has its own count");
            assert_eq!(asked.load(Ordering::Relaxed), 10);
        }
    }
}

#[tokio::test]
async fn atk1_t21_small_json_that_is_large_in_memory_is_given_up() {
    let bounds = Bounds { objects: 1000, values_of_one: 5000, ..small() };
    #[rustfmt::skip]
    let cases = [
        (format!(r#"{{"metadata":{{}},"items":[{}{{}}]}}"#, "{},".repeat(1000)), "the answer has more than 1000 objects"),
        (format!(r#"{{"metadata":{{"finalizers":[{}""]}}}}"#, r#""","#.repeat(5000)), "the answer has more than 5000 values"),
    ];
    for (text, says) in cases {
        let client = facing(Router::new().route(NAMESPACE, get(async move || text.clone())), bounds).await;
        assert_eq!(ask(client).await, says);
    }
}

#[tokio::test]
async fn atk1_t21_a_redirect_is_not_followed() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let elsewhere = async move || {
        count.fetch_add(1, Ordering::Relaxed);
        r#"{"metadata":{"name":"kube-system","uid":"another"}}"#
    };
    let answer = async || (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "/elsewhere")]);
    let routes = Router::new().route(NAMESPACE, get(answer)).route("/elsewhere", get(elsewhere));
    assert_eq!(ask(facing(routes, small()).await).await, "the answer is a redirect (307), which is not followed");
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn r9_atk1_t21_an_answer_that_drips_is_given_up_and_so_is_none() {
    let bounds =
        Bounds { complete: Duration::from_millis(200), begin: Duration::from_millis(100), ..Bounds::default() };
    let drip = async || {
        let drops = stream::unfold(tokio::time::interval(Duration::from_millis(5)), async |mut pace| {
            pace.tick().await;
            Some((Ok::<_, Infallible>(" "), pace))
        });
        Body::from_stream(drops)
    };
    let client = facing(Router::new().route(NAMESPACE, get(drip)), bounds).await;
    assert_eq!(ask(client).await, "the answer was not complete within 0.2 s");
    let silent = get(async |uri: Uri| {
        if is_watched(&uri) {
            std::future::pending::<()>().await;
        }
        page("")
    });
    let client = facing(Router::new().route(CONFIG_MAPS, silent), bounds).await;
    assert_eq!(watch(client).await, "no answer within 0.1 s");
}

#[tokio::test]
async fn r1_a_connection_that_ends_before_its_answer_is_said_in_plain_words() {
    install_crypto_provider();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            // What was asked is read, and nothing is answered.
            let _ = connection.readable().await;
            let _ = connection.try_read(&mut [0; 4096]);
        }
    });
    let client = client(tuned(Config::new(url), Deadlines::default()), small()).unwrap();
    assert_eq!(ask(client).await, "the connection was closed before the answer was complete");
}
