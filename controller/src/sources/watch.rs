//! What tells of changes of Secrets and ConfigMaps that Machines name. I/O: on the supervisor, a watch of metadata for each of
//! the two kinds, or for each in every namespace of the setting; begun when the first Machine names such an object.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::{Api, Client, Resource, ResourceExt};
use model::machine::carried::SourceKind;
use runtime::clusters::{code, said};
use runtime::listing::watching;
use runtime::pause::Tries;
use runtime::watcher;
use runtime::watcher::Event;
use serde::de::DeserializeOwned;
use tokio::sync::watch::{Receiver, Sender, channel};

use super::{Key, Sources, Version};

/// How long a pass waits for the first list.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a watch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unknown,
    /// What is not told of has not changed.
    Listed,
    /// We may not list.
    Refused,
}

/// How each is, by kind and namespace; one of all namespaces has none.
type Running = BTreeMap<(SourceKind, Option<String>), Receiver<State>>;

/// The watches that run.
pub struct Watches {
    client: Client,
    sources: Sources,
    /// `CLOUD_INIT_NAMESPACES`; empty means all.
    namespaces: Vec<String>,
    running: Mutex<Running>,
}

impl Watches {
    /// None runs yet.
    pub fn new(client: Client, sources: Sources, namespaces: Vec<String>) -> Self {
        Self { client, sources, namespaces, running: Mutex::default() }
    }

    /// Whether data may be taken from a namespace, by the settings.
    pub fn cover(&self, namespace: &str) -> bool {
        self.namespaces.is_empty() || self.namespaces.iter().any(|covered| covered == namespace)
    }

    /// Whether every change of an object of this kind and namespace is told. Starts the watch that does it.
    pub async fn tell(&self, kind: SourceKind, namespace: &str) -> bool {
        let scope = (!self.namespaces.is_empty()).then(|| namespace.to_owned());
        let mut state = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.entry((kind, scope.clone())).or_insert_with(|| self.start(kind, scope)).clone()
        };
        let known = tokio::time::timeout(PATIENCE, state.wait_for(|state| *state != State::Unknown)).await;
        known.is_ok_and(|state| state.is_ok_and(|state| *state == State::Listed))
    }

    fn start(&self, kind: SourceKind, scope: Option<String>) -> Receiver<State> {
        let (state, watched) = channel(State::Unknown);
        let (client, sources) = (self.client.clone(), self.sources.clone());
        match kind {
            SourceKind::Secret => tokio::spawn(follow::<Secret>(client, kind, scope, sources, state)),
            SourceKind::ConfigMap => tokio::spawn(follow::<ConfigMap>(client, kind, scope, sources, state)),
        };
        watched
    }
}

async fn follow<K>(client: Client, kind: SourceKind, scope: Option<String>, sources: Sources, state: Sender<State>)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let api: Api<PartialObjectMeta<K>> = match &scope {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    tracing::info!(kind = kind.name(), namespace = scope, "watching the sources of cloud-init data");
    let mut events = watcher(api, watching().metadata()).backoff(Tries::default()).boxed();
    let mut listed = BTreeSet::new();
    while let Some(event) = events.next().await {
        let key = |object: &PartialObjectMeta<K>| Key {
            kind,
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
        };
        let seen = |object: &PartialObjectMeta<K>| Version::Seen(object.resource_version().unwrap_or_default());
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(object)) => {
                let key = key(&object);
                if sources.is_named(&key) {
                    sources.heard(&key, seen(&object));
                    listed.insert(key);
                }
            }
            Ok(Event::InitDone) => {
                sources.listed(kind, scope.as_deref(), &listed);
                listed.clear();
                state.send_replace(State::Listed);
            }
            Ok(Event::Apply(object)) => sources.heard(&key(&object), seen(&object)),
            Ok(Event::Delete(object)) => sources.heard(&key(&object), Version::Absent),
            Err(why) => {
                tracing::warn!(
                    kind = kind.name(),
                    namespace = scope,
                    error = said(&why),
                    "the watch of the sources of cloud-init data failed; it is tried again"
                );
                if code(&why) == Some(403) {
                    state.send_replace(State::Refused);
                }
            }
        }
    }
}
