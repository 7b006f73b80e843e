//! What is heard of one watch of the platform baseline, step by step and for ever. I/O: the cluster. What may not be asked is not known,
//! and is asked again later.

use futures::StreamExt;
use futures::stream::BoxStream;
use kube::runtime::WatchStreamExt;
use kube::{Api, Resource, ResourceExt};
use model::names::ClusterName;
use model::platform::snapshot::Known;
use runtime::clusters::{code, explain};
use runtime::listing::{Listing, Step};
use runtime::pause::{APART, Tries, spread};
use runtime::watcher::{Config, Error, Event, watcher};
use serde::de::DeserializeOwned;
use tokio::time::{Duration, Instant, sleep_until};

use super::failing::{Failing, STALE};
use crate::offer::listing::{LATER, Record, is_refused};

/// What is not served is asked for again this soon: its CRD is there, or was a moment ago.
pub(super) const SOON: Duration = Duration::from_secs(5);

/// A watch, and what becomes of it.
pub(super) struct Hearing<K, T> {
    api: Api<K>,
    selected: Config,
    cluster: ClusterName,
    events: Option<BoxStream<'static, Result<Event<K>, Error>>>,
    listing: Listing<Record<String, T>>,
    weigh: fn(&Record<String, T>) -> usize,
    failing: Failing,
    /// When it begins anew.
    again: Option<Instant>,
}

impl<K, T> Hearing<K, T>
where
    K: Resource + Clone + DeserializeOwned + Send + 'static,
{
    /// `weigh` says how many bytes are kept of an object.
    pub(super) fn new(
        api: Api<K>,
        selected: Config,
        cluster: ClusterName,
        weigh: fn(&Record<String, T>) -> usize,
    ) -> Self {
        let (listing, failing) = (Listing::weighing(weigh), Failing::default());
        Self { api, selected, cluster, events: None, listing, weigh, failing, again: None }
    }

    /// What it says next, of what `read` makes of an object, if it counts; by name, after its namespace if it has one. An error says why nothing is known any more; the step
    /// after it is a list. Nothing is lost when this is dropped while it waits.
    pub(super) async fn next(&mut self, read: impl Fn(&K) -> Option<T>) -> Known<Step<Record<String, T>>> {
        if let Some(at) = self.again {
            sleep_until(at).await;
            self.again = None;
        }
        loop {
            let (api, selected) = (&self.api, &self.selected);
            let begin = || watcher(api.clone(), selected.clone()).backoff(Tries::default()).boxed();
            let (why, pause) = match self.events.get_or_insert_with(begin).next().await {
                Some(Ok(event)) => match self.listing.take(&event, |object| (name_of(object), read(object))) {
                    Ok(Some(step)) => return Ok(step),
                    Ok(None) => continue,
                    Err(why) => (why, LATER),
                },
                Some(Err(why)) if is_refused(&why) => {
                    (refused(&why, &self.asked()), if code(&why) == Some(404) { SOON } else { LATER })
                }
                // A watch that merely broke mends itself. One that fails for long knows nothing any more, and begins anew.
                Some(Err(why)) => match self.failing.since(Instant::now()) {
                    long if long > STALE => (explain(&why, &self.asked()), APART),
                    _ => continue,
                },
                None => (format!("{} ended", self.asked()), APART),
            };
            self.begin_anew(pause);
            return Err(why);
        }
    }

    /// Whatever was heard does not count any more: after the pause, it is listed.
    pub(super) fn begin_anew(&mut self, pause: Duration) {
        self.events = None;
        (self.listing, self.failing) = (Listing::weighing(self.weigh), Failing::default());
        self.again = Some(Instant::now() + spread(pause, &self.cluster.0));
    }

    fn asked(&self) -> String {
        format!("list and watch {}", self.api.resource_url())
    }
}

/// Why something is not known.
pub(super) fn refused(why: &(dyn std::error::Error + 'static), asked: &str) -> String {
    let says = explain(why, asked);
    match code(why) {
        Some(403) => format!("{says}: grant it with platform.enabled of the chart's mode remote"),
        _ => says,
    }
}

/// What an object is called by its watch.
pub(super) fn name_of(object: &impl ResourceExt) -> String {
    match object.namespace().filter(|namespace| !namespace.is_empty()) {
        Some(namespace) => format!("{namespace}/{}", object.name_any()),
        None => object.name_any(),
    }
}
