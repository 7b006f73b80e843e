//! What the registry should be: KubevirtConfigs and the kubeconfigs in their Secrets, watched on the supervisor.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::reflector::{self, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use model::api::KubevirtConfig;
use model::clusters::kubeconfig;
use model::names::{ClusterName, KUBECONFIG_KEY, KUBECONFIG_READONLY_KEY};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::Wanted;

/// Which key of the Secret is used first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOrder {
    /// `kubeconfig` only: the controller, which writes.
    ReadWrite,
    /// `kubeconfig-readonly`, else `kubeconfig`: the webhook.
    ReadOnlyFirst,
}

/// Where KubevirtConfigs come from.
#[derive(Clone)]
pub struct Source {
    /// Every KubevirtConfig of the namespace.
    pub configs: Store<KubevirtConfig>,
    secrets: Store<Secret>,
    keys: KeyOrder,
    /// `None` until both kinds were listed: unknown is not empty.
    wanted: watch::Receiver<Option<Wanted>>,
}

impl Source {
    /// Starts watching; returns once both kinds are synced.
    pub async fn start(
        client: Client,
        namespace: &str,
        keys: KeyOrder,
        touched: impl Fn(KubevirtConfig) + Send + 'static,
    ) -> Self {
        let (configs, config_writer) = reflector::store();
        let (secrets, secret_writer) = reflector::store();
        let (publish, wanted) = watch::channel(None);
        let mut first = wanted.clone();
        let source = Self { configs, secrets, keys, wanted };
        let config_watch =
            watcher(Api::<KubevirtConfig>::namespaced(client.clone(), namespace), watcher::Config::default());
        let secret_watch = watcher(Api::<Secret>::namespaced(client, namespace), watcher::Config::default());
        let config_events = config_watch.default_backoff().reflect(config_writer).map(move |event| {
            if let Ok(watcher::Event::Apply(config)) = &event {
                touched(config.clone());
            }
            progress(event).map(|listed| (listed, false))
        });
        let secret_events = secret_watch
            .default_backoff()
            .reflect(secret_writer)
            .map(|event| progress(event).map(|listed| (false, listed)));
        let publisher = source.clone();
        tokio::spawn(async move {
            let mut events = stream::select(config_events.boxed(), secret_events.boxed());
            let mut listed = (false, false);
            while let Some(event) = events.next().await {
                let Some((configs, secrets)) = event else { continue };
                listed = (listed.0 || configs, listed.1 || secrets);
                if listed == (true, true) {
                    publisher.publish(&publish);
                }
            }
        });
        // The sender lives in the task above, which does not end.
        let _ = first.wait_for(Option::is_some).await;
        source
    }

    pub(super) fn watch(&self) -> watch::Receiver<Option<Wanted>> {
        let mut receiver = self.wanted.clone();
        receiver.mark_changed();
        receiver
    }

    /// Publishes what both stores say together.
    fn publish(&self, publish: &watch::Sender<Option<Wanted>>) {
        let wanted = self
            .configs
            .state()
            .iter()
            .map(|config| (ClusterName(config.name_any()), self.kubeconfig(config)))
            .collect();
        publish.send_if_modified(|known| {
            let news = known.as_ref() != Some(&wanted);
            *known = Some(wanted);
            news
        });
    }

    fn kubeconfig(&self, config: &KubevirtConfig) -> Result<(String, kubeconfig::Remote), String> {
        let namespace = config.namespace().unwrap_or_default();
        let name = &config.spec.kubeconfig_secret_ref;
        if let Some(other) =
            config.spec.secret_namespace.as_ref().filter(|other| !other.is_empty() && **other != namespace)
        {
            return Err(format!(
                "spec.secretNamespace is {other:?}: the Secret must be in {namespace:?}, beside the KubevirtConfig"
            ));
        }
        let Some(secret) = self.secrets.get(&reflector::ObjectRef::new(name).within(&namespace)) else {
            return Err(format!("Secret {namespace}/{name} does not exist: create it with the key {KUBECONFIG_KEY:?}"));
        };
        let empty = BTreeMap::new();
        let data = secret.data.as_ref().unwrap_or(&empty);
        let keys: &[&str] = match self.keys {
            KeyOrder::ReadWrite => &[KUBECONFIG_KEY],
            KeyOrder::ReadOnlyFirst => &[KUBECONFIG_READONLY_KEY, KUBECONFIG_KEY],
        };
        let Some((key, document)) = keys.iter().find_map(|key| Some((key, data.get(*key)?))) else {
            return Err(format!("Secret {namespace}/{name} has no key {KUBECONFIG_KEY:?}"));
        };
        let remote =
            kubeconfig::parse(&document.0).map_err(|why| format!("Secret {namespace}/{name}, key {key:?}: {why}"))?;
        let fingerprint = format!("{:x}", Sha256::digest(&document.0));
        Ok((fingerprint, remote))
    }
}

/// Whether a watch just completed its list; `None` for a failure, which it mends itself.
fn progress<K>(event: Result<watcher::Event<K>, watcher::Error>) -> Option<bool> {
    match event {
        Ok(event) => Some(matches!(event, watcher::Event::InitDone)),
        Err(error) => {
            tracing::warn!(error = super::link::said(&error), "a watch on the supervisor failed; it is tried again");
            None
        }
    }
}
