//! The Secrets that hold kubeconfigs, by namespace. I/O: one watch for each namespace that a KubevirtConfig points at.
//!
//! A namespace that we may not read is known as such, and hurts only the KubevirtConfigs that point at it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::watcher;
use crate::watcher::Event;
use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::{Api, Client};
use tokio::sync::{Notify, mpsc};

use super::errors::{code, said};
use super::link::AbortOnDrop;
use crate::listing::watching;
use crate::pause::Tries;

/// News of one namespace.
pub(super) struct News {
    namespace: String,
    state: State,
}

/// What is known of the Secrets of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Not listed yet.
    Unknown,
    /// Listed; the store is right.
    Listed,
    /// We may not list them, in the API server's words.
    Forbidden(String),
}

/// What is known of one Secret.
#[derive(Debug)]
pub(super) enum Found {
    Unknown,
    Forbidden(String),
    Absent,
    There(Arc<Secret>),
}

struct Watch {
    store: Store<Secret>,
    state: State,
    again: Arc<Notify>,
    _task: AbortOnDrop,
}

/// The watches; who owns this hears `News` on the other end of the channel and gives it back to [`Secrets::hear`].
pub(super) struct Secrets {
    client: Client,
    watches: BTreeMap<String, Watch>,
    news: mpsc::UnboundedSender<News>,
}

impl Secrets {
    pub(super) fn new(client: Client) -> (Self, mpsc::UnboundedReceiver<News>) {
        let (news, heard) = mpsc::unbounded_channel();
        (Self { client, watches: BTreeMap::new(), news }, heard)
    }

    /// Watches these namespaces and no others.
    pub(super) fn keep(&mut self, namespaces: &BTreeSet<String>) {
        self.watches.retain(|namespace, _| namespaces.contains(namespace));
        for namespace in namespaces {
            if self.watches.contains_key(namespace) {
                continue;
            }
            let (store, writer) = reflector::store();
            let again = Arc::new(Notify::new());
            let api = Api::namespaced(self.client.clone(), namespace);
            let task = tokio::spawn(follow(api, namespace.clone(), writer, again.clone(), self.news.clone()));
            let watch = Watch { store, state: State::Unknown, again, _task: AbortOnDrop(task) };
            self.watches.insert(namespace.clone(), watch);
        }
    }

    /// Takes in news.
    pub(super) fn hear(&mut self, News { namespace, state }: News) {
        if let Some(watch) = self.watches.get_mut(&namespace) {
            watch.state = state;
        }
    }

    /// Lists a namespace again, at once: somebody has reason to believe that the watch is behind.
    pub(super) fn read_again(&self, namespace: &str) {
        if let Some(watch) = self.watches.get(namespace) {
            watch.again.notify_one();
        }
    }

    /// Whether every namespace was listed or refused.
    pub(super) fn all_known(&self) -> bool {
        self.watches.values().all(|watch| watch.state != State::Unknown)
    }

    pub(super) fn find(&self, namespace: &str, name: &str) -> Found {
        let Some(watch) = self.watches.get(namespace) else { return Found::Unknown };
        match &watch.state {
            State::Unknown => Found::Unknown,
            State::Forbidden(why) => Found::Forbidden(why.clone()),
            State::Listed => {
                watch.store.get(&ObjectRef::new(name).within(namespace)).map_or(Found::Absent, Found::There)
            }
        }
    }
}

async fn follow(
    api: Api<Secret>,
    namespace: String,
    mut writer: Writer<Secret>,
    again: Arc<Notify>,
    news: mpsc::UnboundedSender<News>,
) {
    loop {
        let mut events = watcher(api.clone(), watching()).backoff(Tries::default()).boxed();
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                () = again.notified() => break,
            };
            let state = match event {
                None => break,
                Some(Ok(event)) => {
                    writer.apply_watcher_event(&event);
                    match event {
                        Event::Init | Event::InitApply(_) => continue,
                        Event::InitDone | Event::Apply(_) | Event::Delete(_) => State::Listed,
                    }
                }
                Some(Err(why)) => {
                    tracing::warn!(namespace, error = said(&why), "the watch of Secrets failed; it is tried again");
                    if code(&why) != Some(403) {
                        continue;
                    }
                    State::Forbidden(said(&why))
                }
            };
            if news.send(News { namespace: namespace.clone(), state }).is_err() {
                return;
            }
        }
    }
}
