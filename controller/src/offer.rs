//! What a cluster offers, for the status of its KubevirtConfig: its KubeVirt, CDI, Multus (X45) and room (X68).
//! I/O: three watches on the cluster, and its list of API groups every ten minutes.
//!
//! None of it is needed to make a Machine true, so none of it ends the connection: what may not be read stays unknown.

mod room;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use kube::Api;
use kube::api::DynamicObject;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use model::api::config::Capacity;
use model::clusters::facts::{KubeVirt, Learnt};
use model::names::ClusterName;
use runtime::clusters::{Cluster, DEADLINE, code, said};
use runtime::pause::spread;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::index::{Index, Key, key_of};
use crate::session::resource;

/// How long what was refused or is rarely changed waits before it is asked again.
const LATER: Duration = Duration::from_secs(600);
/// How long discovery waits after a failure.
const SOON: Duration = Duration::from_secs(60);

/// What is known of one cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// Facts.
    pub learnt: Learnt,
    /// Its room; `Some(None)` when we may not see its nodes and pods.
    pub room: Option<Option<Capacity>>,
}

/// The newest knowledge of one cluster. Locked for moments only, never across an await.
#[derive(Debug, Default)]
pub struct Offer(Mutex<Known>);

impl Offer {
    /// What is known now.
    pub fn known(&self) -> Known {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes what is known; whether that was news.
    fn learn(&self, change: impl FnOnce(&mut Known)) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.clone();
        change(&mut known);
        *known != before
    }
}

/// Who follows a cluster: where knowledge goes, and who hears that there is some.
struct Follower {
    cluster: Arc<Cluster<Index>>,
    news: mpsc::UnboundedSender<ClusterName>,
}

impl Follower {
    /// Takes in something; whether it was news.
    fn learn(&self, change: impl FnOnce(&mut Known)) -> bool {
        let news = self.cluster.index.offer.learn(change);
        if news {
            // The receiver lives as long as the process.
            let _ = self.news.send(self.cluster.name.clone());
        }
        news
    }
}

/// Keeps the offer of a cluster true for as long as it is awaited, which never ends; `news` hears when it changed.
pub(crate) async fn follow(cluster: Arc<Cluster<Index>>, news: mpsc::UnboundedSender<ClusterName>) {
    let follower = Follower { cluster, news };
    futures::join!(groups(&follower), kubevirt(&follower), room::follow(&follower));
}

/// A pause that differs between clusters by up to a quarter, so that a fleet does not ask all at once.
async fn wait(pause: Duration, name: &ClusterName) {
    tokio::time::sleep(spread(pause, &name.0)).await;
}

async fn groups(follower: &Follower) {
    let Cluster { client, name, .. } = &*follower.cluster;
    loop {
        let pause = match tokio::time::timeout(DEADLINE, client.list_api_groups()).await {
            Ok(Ok(list)) => {
                let groups: Vec<_> = list.groups.into_iter().map(|group| group.name).collect();
                follower.learn(|known| known.learnt.groups = Some(groups));
                LATER
            }
            // The connection says by itself that a cluster is away.
            Ok(Err(_)) | Err(_) => SOON,
        };
        wait(pause, name).await;
    }
}

async fn kubevirt(follower: &Follower) {
    let Cluster { client, name, .. } = &*follower.cluster;
    loop {
        let objects: Api<DynamicObject> = Api::all_with(client.clone(), &resource("KubeVirt"));
        let mut events = watch(objects, watcher::Config::default()).default_backoff().boxed();
        let mut all = Listing::<Key, KubeVirt>::default();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    if all.take(event, |object| (key_of(&object), Some(read(&object)))) {
                        let first = all.complete.values().next().cloned();
                        follower.learn(|known| known.learnt.kubevirt = Some(first));
                    }
                }
                Err(why) if refused(&why) => {
                    tracing::warn!(kubevirtConfig = %name, reason = said(&why), "the KubeVirt of the cluster is not known");
                    if code(&why) == Some(404) {
                        follower.learn(|known| known.learnt.kubevirt = Some(None));
                    }
                    break;
                }
                Err(_) => {}
            }
        }
        wait(LATER, name).await;
    }
}

/// Whether asking again soon is of no use: we may not, or there is no such kind.
fn refused(why: &watcher::Error) -> bool {
    matches!(code(why), Some(403 | 404))
}

fn read(object: &DynamicObject) -> KubeVirt {
    let part = |name: &str| object.data.get(name).cloned().unwrap_or(Value::Null);
    let spec = serde_json::from_value(part("spec")).unwrap_or_default();
    KubeVirt::of(&spec, serde_json::from_value(part("status")).ok().as_ref())
}

/// Compact records of a watched kind. A new list replaces the old one when it is complete.
#[derive(Debug)]
struct Listing<K, V> {
    complete: BTreeMap<K, V>,
    next: BTreeMap<K, V>,
    listed: bool,
}

impl<K, V> Default for Listing<K, V> {
    fn default() -> Self {
        Self { complete: BTreeMap::new(), next: BTreeMap::new(), listed: false }
    }
}

impl<K: Ord, V> Listing<K, V> {
    /// Takes in an event, of which `read` makes a record, or `None` for one that does not count. Answers whether there is
    /// something new to look at.
    fn take<T>(&mut self, event: Event<T>, read: impl Fn(T) -> (K, Option<V>)) -> bool {
        match event {
            Event::Init => self.next.clear(),
            Event::InitApply(object) => {
                let (key, record) = read(object);
                self.next.extend(record.map(|record| (key, record)));
            }
            Event::InitDone => {
                self.complete = std::mem::take(&mut self.next);
                self.listed = true;
            }
            Event::Apply(object) => match read(object) {
                (key, Some(record)) => drop(self.complete.insert(key, record)),
                (key, None) => drop(self.complete.remove(&key)),
            },
            Event::Delete(object) => drop(self.complete.remove(&read(object).0)),
        }
        self.listed && self.next.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_replaces_what_was_known_only_when_it_is_complete() {
        let mut all = Listing::default();
        // An even number counts, an odd one does not.
        let read = |number: u32| (number / 10, number.is_multiple_of(2).then_some(number));
        #[rustfmt::skip]
        let steps = [
            (Event::Init,          false, vec![]),
            (Event::InitApply(12), false, vec![]),
            (Event::InitApply(23), false, vec![]),
            (Event::InitDone,      true,  vec![12]),
            (Event::Apply(22),     true,  vec![12, 22]),
            (Event::Apply(13),     true,  vec![22]),
            (Event::Init,          true,  vec![22]),
            (Event::InitApply(34), false, vec![22]),
            (Event::InitDone,      true,  vec![34]),
            (Event::Delete(35),    true,  vec![]),
        ];
        for (at, (event, news, want)) in steps.into_iter().enumerate() {
            assert_eq!(all.take(event, read), news, "step {at}");
            assert_eq!(all.complete.values().copied().collect::<Vec<_>>(), want, "step {at}");
        }
    }
}
