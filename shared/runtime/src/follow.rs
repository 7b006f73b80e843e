//! One kind of the supervisor, followed for ever, many events at a time. I/O: a watch.

use std::fmt::Debug;

use crate::watcher;
use futures::StreamExt;
use kube::runtime::WatchStreamExt;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use crate::clusters::said;
use crate::listing::{Listing, Step};
use crate::pause::Tries;

/// How many events are taken in together: what is known is replaced once for all of them.
const TOGETHER: usize = 512;

/// What is heard of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News<T> {
    /// A step of its watch.
    Step(Step<T>),
    /// There is no such kind, so there is none of it. Only one that need not be there is told of like this.
    NotInstalled,
    /// It could not be listed, and this is why.
    Unlisted(String),
}

/// Follows what is selected of a kind for ever. While it does not exist, and while an `optional` one cannot be listed, `again` says when to look again;
/// it hears whether there is no such kind.
pub async fn each<K, T, F>(
    api: Api<K>,
    selected: watcher::Config,
    optional: bool,
    again: impl Fn(bool) -> F,
    read: impl Fn(&K) -> T,
    take: impl Fn(Vec<News<T>>),
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    F: Future<Output = ()>,
{
    loop {
        let mut listing = Listing::default();
        let mut events =
            watcher(api.clone(), selected.clone()).backoff(Tries::default()).ready_chunks(TOGETHER).boxed();
        let mut absent = false;
        while let Some(chunk) = events.next().await {
            let mut later = false;
            let mut news = Vec::new();
            for event in chunk {
                match event.map(|event| listing.take(&event, &read)) {
                    Ok(Ok(step)) => news.extend(step.map(News::Step)),
                    Ok(Err(error)) => {
                        tracing::warn!(
                            path = api.resource_url(),
                            error,
                            "a watch on the supervisor is given up for now"
                        );
                        news.push(News::Unlisted(error));
                        later = true;
                        break;
                    }
                    Err(why) => {
                        let (path, error) = (api.resource_url(), said(&why));
                        let unlisted = matches!(why, watcher::Error::InitialListFailed(_));
                        absent = no_such_kind(&why);
                        later = absent || optional && unlisted;
                        if absent && optional {
                            tracing::debug!(path, "this kind is not installed");
                            news.push(News::NotInstalled);
                        } else {
                            tracing::warn!(path, error, "a watch on the supervisor failed; it is tried again");
                            news.extend(unlisted.then_some(News::Unlisted(error)));
                        }
                    }
                }
            }
            if !news.is_empty() {
                take(news);
            }
            if later {
                break;
            }
        }
        again(absent).await;
    }
}

fn no_such_kind(why: &watcher::Error) -> bool {
    matches!(why, watcher::Error::InitialListFailed(kube::Error::Api(status)) if status.code == 404)
}
