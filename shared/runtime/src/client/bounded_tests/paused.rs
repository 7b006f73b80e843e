//! What takes time. It can be paused where there are no sockets.

use std::sync::atomic::AtomicBool;

use kube::api::{Patch, PatchParams};
use tokio::sync::Notify;

use super::*;
use crate::client::fenced;

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

fn refusal(code: u16) -> String {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "no"}).to_string()
}

/// A server that asks for patience with each answer, and when it was asked.
fn without_time(status: u16, after: Option<&'static str>) -> (Router, Arc<Mutex<Vec<Instant>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let answer = async move || {
        seen.lock().unwrap().push(Instant::now());
        let mut answer = Response::new(Body::from(refusal(status)));
        *answer.status_mut() = StatusCode::from_u16(status).unwrap();
        if let Some(after) = after {
            answer.headers_mut().insert(header::RETRY_AFTER, after.parse().unwrap());
        }
        answer
    };
    (Router::new().fallback(answer), asked)
}

/// Somebody who reads, writes and watches again and again, for two minutes.
async fn insist(client: Client) {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "shop");
    let ends = Instant::now() + Duration::from_secs(120);
    let failed = |code| assert_eq!(code, Some(429), "what else is said");
    while Instant::now() < ends {
        failed(crate::clusters::code(&maps.get("a").await.unwrap_err()));
        failed(crate::clusters::code(&maps.delete("a", &Default::default()).await.unwrap_err()));
        let watch = watcher(maps.clone(), watching()).map(Result::err).filter_map(async |it| it);
        failed(crate::clusters::code(&watch.boxed().next().await.unwrap()));
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn r20_who_asks_for_patience_is_not_flooded_by_however_many() {
    for (after, apart) in [(None, 1), (Some("1"), 1), (Some("4"), 4), (Some("20"), 20)] {
        let (routes, asked) = without_time(429, after);
        let (client, began) = (without_sockets(routes), Instant::now());
        futures::future::join_all((0..12).map(|_| insist(client.clone()))).await;
        let asked = asked.lock().unwrap().clone();
        // All that were under way before the first answer.
        let storm = asked.iter().filter(|at| **at == began).count();
        assert!(storm <= 12, "{after:?}: {storm}");
        let ends = began + Duration::from_secs(120);
        let later: Vec<_> = asked.into_iter().filter(|at| *at > began && *at <= ends).collect();
        assert!(later.windows(2).all(|two| two[1] - two[0] >= Duration::from_secs(apart)), "{after:?}: {later:?}");
        let (most, least) = (120 / apart, 120 / apart - 2);
        assert!((least..=most).contains(&(later.len() as u64)), "{after:?}: {} requests", later.len());
    }
}

#[tokio::test(start_paused = true)]
async fn r20_what_only_reads_waits_for_a_moment_and_a_write_is_not_sent_twice() {
    for status in [429, 503] {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let answer = move || {
            let busy = count.fetch_add(1, Ordering::Relaxed) == 0;
            let (code, body) =
                if busy { (status, refusal(status)) } else { (200, r#"{"metadata":{"name":"a"}}"#.to_owned()) };
            std::future::ready((StatusCode::from_u16(code).unwrap(), [(header::RETRY_AFTER, "3")], body))
        };
        let routes = Router::new().fallback(answer);
        let namespaces = Api::<Namespace>::all(without_sockets(routes.clone()));
        let began = Instant::now();
        assert!(namespaces.get("a").await.is_ok(), "{status}: there is no error");
        assert_eq!((began.elapsed(), asked.load(Ordering::Relaxed)), (Duration::from_secs(3), 2), "{status}");

        asked.store(0, Ordering::Relaxed);
        let namespaces = Api::<Namespace>::all(without_sockets(routes));
        let began = Instant::now();
        let refused = namespaces.delete("a", &Default::default()).await.unwrap_err();
        assert_eq!(crate::clusters::code(&refused), Some(status), "its author tries again by his own pauses");
        assert_eq!((began.elapsed(), asked.load(Ordering::Relaxed)), (Duration::ZERO, 1), "{status}");
        assert!(namespaces.delete("a", &Default::default()).await.is_ok(), "{status}");
        assert_eq!((began.elapsed(), asked.load(Ordering::Relaxed)), (Duration::from_secs(3), 2), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn r20_nobody_waits_for_long_and_nobody_loses_the_lease_by_it() {
    let (busy, asked) = without_time(429, Some("30"));
    let lease = "/apis/coordination.k8s.io/v1/namespaces/ours/leases/leader";
    let lease = busy.route(lease, get(async || r#"{"metadata":{"name":"leader"}}"#));
    let client = without_sockets(lease);
    let namespaces = Api::<Namespace>::all(client.clone());
    let began = Instant::now();
    for _ in 0..3 {
        let refused = namespaces.get("a").await.unwrap_err();
        assert_eq!(said(&refused), "it is too busy, and has asked for patience: nothing is sent to it for 31 s");
    }
    assert_eq!((began.elapsed(), asked.lock().unwrap().len()), (Duration::ZERO, 1), "no hope within 5 s");
    let leases = Api::<k8s_openapi::api::coordination::v1::Lease>::namespaced(client, "ours");
    assert!(leases.get("leader").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn r11_r20_a_write_that_waits_for_a_busy_server_is_not_sent_by_who_leads_no_more() {
    let (routes, asked) = without_time(429, Some("3"));
    let leads = Arc::new(AtomicBool::new(true));
    let may_write = leads.clone();
    let client = fenced(without_sockets(routes), MayWrite::when(move || may_write.load(Ordering::Relaxed)));
    let maps = Api::<ConfigMap>::namespaced(client, "default");
    let write = async || {
        let patch = Patch::Merge(json!({"data": {"a": "b"}}));
        said(&maps.patch("a", &PatchParams::default(), &patch).await.map(drop).unwrap_err())
    };
    assert!(write().await.contains("no"), "it asks for patience");
    let over = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        leads.store(false, Ordering::Relaxed);
    };
    let (why, ()) = futures::join!(write(), over);
    assert_eq!(why, "this process does not lead any more, so it writes nothing");
    assert_eq!(asked.lock().unwrap().len(), 1, "the second was not sent");
}
