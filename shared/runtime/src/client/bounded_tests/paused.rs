//! What takes time. It can be paused where there are no sockets.

use tokio::sync::Notify;

use super::*;

/// A client of a server that answers like this.
fn without_sockets(routes: Router) -> Client {
    Client::new(Bounded::new(routes, Bounds::default()), "default")
}

#[tokio::test(start_paused = true)]
async fn x43_a_watch_that_says_nothing_is_not_believed_for_longer_than_the_bound() {
    let opened = Arc::new(AtomicUsize::new(0));
    let count = opened.clone();
    let watched = get(async move |uri: Uri| {
        if !is_watched(&uri) {
            return page("");
        }
        assert!(uri.query().is_some_and(|query| query.contains("timeoutSeconds=85")), "{uri}");
        // The third time, the API server takes the request and answers no more.
        if count.fetch_add(1, Ordering::Relaxed) == 2 {
            std::future::pending::<()>().await;
        }
        Response::new(Body::from_stream(stream::pending::<Result<Bytes, Infallible>>()))
    });
    let began = Instant::now();
    let client = without_sockets(Router::new().route(CONFIG_MAPS, watched));
    let failed = watcher(Api::<ConfigMap>::all(client), watching()).map(Result::err).filter_map(async |it| it);
    let why = failed.boxed().next().await.expect("it does not end");
    assert_eq!(said(&why), "no answer within 10 s");
    assert_eq!(opened.load(Ordering::Relaxed), 3, "opened again after each time without a word");
    let waited = began.elapsed();
    let bound = Duration::from_secs(90 + 90 + 10);
    assert!(waited >= bound && waited < bound + Duration::from_secs(1), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn atk1_t21_watches_that_end_at_once_are_opened_once_a_second() {
    let opened = Arc::new(AtomicUsize::new(0));
    let (count, enough) = (opened.clone(), Arc::new(Notify::new()));
    let tell = enough.clone();
    let ended = move || {
        if count.fetch_add(1, Ordering::Relaxed) == 4 {
            tell.notify_one();
        }
    };
    let began = Instant::now();
    let client = without_sockets(Router::new().route(CONFIG_MAPS, empty_list_and(ended)));
    let mut events = watcher(Api::<ConfigMap>::all(client), watching()).boxed();
    tokio::select! {
        () = async { while events.next().await.is_some() {} } => panic!("it ended"),
        () = enough.notified() => {}
    }
    let waited = began.elapsed();
    assert!(waited >= Duration::from_secs(4) && waited < Duration::from_secs(5), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn atk1_t21_large_answers_of_a_server_are_read_one_after_the_other() {
    let go_on = Arc::new(Notify::new());
    let gate = go_on.clone();
    let slow = async move || {
        let gate = gate.clone();
        let rest = stream::once(async move {
            gate.notified().await;
            Ok::<_, Infallible>(Bytes::from(r#"{"metadata":{"name":"slow"}}"#))
        });
        Body::from_stream(stream::iter([Ok(Bytes::from(vec![b' '; (1 << 20) + 1]))]).chain(rest))
    };
    let large = async || format!(r#"{{"metadata":{{"name":"large"}}}}{}"#, " ".repeat(1 << 20));
    let small = async || r#"{"metadata":{"name":"small"}}"#;
    let path = |name: &str| format!("/api/v1/namespaces/{name}");
    let routes = Router::new()
        .route(&path("slow"), get(slow))
        .route(&path("large"), get(large))
        .route(&path("small"), get(small));
    let api = Api::<Namespace>::all(without_sockets(routes));
    let mut first = Box::pin(api.get("slow"));
    assert!(timeout(Duration::from_secs(1), &mut first).await.is_err());
    let mut second = Box::pin(api.get("large"));
    assert!(timeout(Duration::from_secs(1), &mut second).await.is_err(), "it is not its turn");
    assert!(api.get("small").await.is_ok(), "others need no turn");
    go_on.notify_one();
    assert!(first.await.is_ok());
    assert!(second.await.is_ok());
}
