//! One list and the watch behind it. I/O: the API server.
//!
//! Not kube's `watcher`, for one reason: that keeps bookmarks to itself and opens a watch again without a word, so nobody
//! could say how old its objects are. Here a step at least every [`QUIET`] proves that the API server still answers: it sends
//! a bookmark each minute, and where it sends none the watch is opened again. So while a session runs, its objects
//! are never older than [`QUIET`] and [`DEADLINE`] together (X43), and an idle cluster costs one request in 290 s.

use std::fmt::Debug;
use std::time::Duration;

use futures::stream::{BoxStream, Stream};
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::{Api, Resource};
use runtime::clusters::{DEADLINE, said};
use serde::de::DeserializeOwned;

/// How long a watch may say nothing. API servers send a bookmark every 60 s, and some seconds of delay are nothing special.
pub const QUIET: Duration = Duration::from_secs(90);
/// When the API server shall end a watch by itself, in seconds.
const WATCH_SECONDS: u32 = 290;
const PAGE: u32 = 500;
/// Before a watch that ended is opened again, should a server end each of them at once.
const REOPEN: Duration = Duration::from_secs(1);

/// One step of a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen<T> {
    /// A list begins: what follows replaces all that was known.
    Listing,
    /// One object of the list.
    Item(T),
    /// The list is complete.
    Listed,
    /// An object was made or changed.
    Changed(T),
    /// An object is gone.
    Deleted(T),
}

enum Phase<K> {
    List,
    Page(Option<String>),
    Open(String),
    Watching(String, BoxStream<'static, kube::Result<WatchEvent<K>>>),
    Over,
}

/// All objects of `api`, read at once into what is to be kept of them. It ends with the first error.
pub fn watch<K, T>(api: Api<K>, read: fn(K) -> T) -> impl Stream<Item = Result<Seen<T>, String>> + Send
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    T: Send + 'static,
{
    let steps = stream::unfold(Phase::List, move |phase| {
        let api = api.clone();
        async move {
            match step(&api, phase, read).await {
                Ok(None) => None,
                Ok(Some((seen, next))) => Some((Ok(stream::iter(seen).map(Ok)), next)),
                Err(why) => Some((Err(why), Phase::Over)),
            }
        }
    });
    steps.try_flatten()
}

async fn step<K, T>(api: &Api<K>, phase: Phase<K>, read: fn(K) -> T) -> Result<Option<(Vec<Seen<T>>, Phase<K>)>, String>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    Ok(Some(match phase {
        Phase::Over => return Ok(None),
        Phase::List => (vec![Seen::Listing], Phase::Page(None)),
        Phase::Page(next) => {
            let params = ListParams { limit: Some(PAGE), continue_token: next, ..ListParams::default() };
            match in_time(api.list(&params)).await? {
                // It took so long that the pages of the first answer are not kept any more.
                Err(kube::Error::Api(status)) if status.code == 410 && params.continue_token.is_some() => {
                    (Vec::new(), Phase::List)
                }
                Err(why) => return Err(said(&why)),
                Ok(page) => {
                    let mut seen: Vec<_> = page.items.into_iter().map(|object| Seen::Item(read(object))).collect();
                    if let Some(token) = page.metadata.continue_.filter(|token| !token.is_empty()) {
                        (seen, Phase::Page(Some(token)))
                    } else {
                        seen.push(Seen::Listed);
                        (seen, Phase::Open(page.metadata.resource_version.unwrap_or_default()))
                    }
                }
            }
        }
        Phase::Open(version) => {
            let params = WatchParams::default().timeout(WATCH_SECONDS);
            match in_time(api.watch(&params, &version)).await? {
                Err(kube::Error::Api(status)) if status.code == 410 => (Vec::new(), Phase::List),
                Err(why) => return Err(said(&why)),
                Ok(events) => (Vec::new(), Phase::Watching(version, events.boxed())),
            }
        }
        Phase::Watching(version, mut events) => match tokio::time::timeout(QUIET, events.next()).await {
            Err(_) => (Vec::new(), Phase::Open(version)),
            Ok(None) => {
                tokio::time::sleep(REOPEN).await;
                (Vec::new(), Phase::Open(version))
            }
            Ok(Some(Err(why))) => return Err(said(&why)),
            Ok(Some(Ok(WatchEvent::Error(status)))) if status.code == 410 => (Vec::new(), Phase::List),
            Ok(Some(Ok(WatchEvent::Error(status)))) => return Err(status.message),
            Ok(Some(Ok(WatchEvent::Bookmark(mark)))) => {
                (Vec::new(), Phase::Watching(mark.metadata.resource_version, events))
            }
            Ok(Some(Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)))) => {
                let version = object.meta().resource_version.clone().unwrap_or(version);
                (vec![Seen::Changed(read(object))], Phase::Watching(version, events))
            }
            Ok(Some(Ok(WatchEvent::Deleted(object)))) => {
                let version = object.meta().resource_version.clone().unwrap_or(version);
                (vec![Seen::Deleted(read(object))], Phase::Watching(version, events))
            }
        },
    }))
}

/// The answer, or that there is none: kube's client waits for minutes.
async fn in_time<T>(request: impl Future<Output = kube::Result<T>>) -> Result<kube::Result<T>, String> {
    let late = |_| format!("no answer within {} s", DEADLINE.as_secs());
    tokio::time::timeout(DEADLINE, request).await.map_err(late)
}
