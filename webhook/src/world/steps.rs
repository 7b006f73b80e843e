//! One kind of the supervisor, followed for ever, many events at a time. I/O: a watch.

use std::fmt::Debug;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use kube::runtime::WatchStreamExt;
use runtime::watcher;
use kube::{Api, Resource};
use runtime::clusters::said;
use runtime::listing::{Listing, Step, watching};
use runtime::pause::Tries;
use serde::de::DeserializeOwned;

/// How many events are taken in together: the World is replaced once for all of them.
const TOGETHER: usize = 512;
/// A kind that need not be there is looked for this often, also while it cannot be listed.
pub(super) const OPTIONAL: Duration = Duration::from_secs(10);

/// Steps of a watch; or a list failed, and this is why.
pub(super) type Steps<T> = Vec<Result<Step<T>, String>>;

/// Follows a kind for ever. While it does not exist it is looked for every so often; one that is optional has no objects then.
pub(super) async fn each<K, T>(api: Api<K>, absent: Duration, read: impl Fn(&K) -> T, take: impl Fn(Steps<T>))
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    loop {
        let mut listing = Listing::default();
        let events = watcher(api.clone(), watching()).backoff(Tries::default());
        // What is kept of an object is little, and so many whole ones may be much.
        let steps = events.map(|event| event.map(|event| listing.take(&event, &read)));
        let mut chunks = pin!(steps.ready_chunks(TOGETHER));
        while let Some(chunk) = chunks.next().await {
            let mut later = false;
            let mut steps = Vec::new();
            for step in chunk {
                match step {
                    Ok(Ok(step)) => steps.extend(step.map(Ok)),
                    Ok(Err(error)) => {
                        tracing::warn!(
                            path = api.resource_url(),
                            error,
                            "a watch on the supervisor is given up for now"
                        );
                        steps.push(Err(error));
                        later = true;
                        break;
                    }
                    Err(why) => {
                        let optional = absent == OPTIONAL;
                        let (path, error) = (api.resource_url(), said(&why));
                        let is_absent = no_such_kind(&why);
                        let unlisted = matches!(why, watcher::Error::InitialListFailed(_));
                        later = is_absent || optional && unlisted;
                        if is_absent && optional {
                            tracing::debug!(path, "this kind is not installed");
                            steps.push(Ok(Step::Listed(Vec::new())));
                        } else {
                            tracing::warn!(path, error, "a watch on the supervisor failed; it is tried again");
                            steps.extend(unlisted.then_some(Err(error)));
                        }
                    }
                }
            }
            if !steps.is_empty() {
                take(steps);
            }
            if later {
                break;
            }
        }
        tokio::time::sleep(absent).await;
    }
}

fn no_such_kind(why: &watcher::Error) -> bool {
    matches!(why, watcher::Error::InitialListFailed(kube::Error::Api(status)) if status.code == 404)
}
