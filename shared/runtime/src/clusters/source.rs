//! What the registry should be: KubevirtConfigs and the kubeconfigs in their Secrets, watched on the supervisor.

use std::collections::{BTreeMap, BTreeSet};

use crate::watcher;
use futures::StreamExt;
use k8s_openapi::ByteString;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::{self, Store};
use kube::{Client, ResourceExt};
use model::api::KubevirtConfig;
use model::clusters::Fingerprint;
use model::clusters::kubeconfig::{self, Remote};
use model::names::{ClusterName, KUBECONFIG_KEY, KUBECONFIG_READONLY_KEY};
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, watch};

use super::Scope;
use super::secrets::{Found, Secrets};
use crate::listing::watching;
use crate::pause::Tries;

/// What every KubevirtConfig says: a usable kubeconfig, or why it is none.
pub type Wanted = BTreeMap<ClusterName, Result<Usable, String>>;

/// A kubeconfig that a connection can be made with.
#[derive(Clone, Debug, PartialEq)]
pub struct Usable {
    /// Another one means another connection.
    pub fingerprint: Fingerprint,
    /// What it says.
    pub remote: Remote,
    /// Why the webhook cannot use the one beside it, which is meant for the webhook alone. It has nobody else to say so.
    pub webhook: Option<String>,
}

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
    /// Every KubevirtConfig there is, or in the namespace.
    pub configs: Store<KubevirtConfig>,
    scope: Scope,
    keys: KeyOrder,
    /// `None` until both kinds were listed: unknown is not empty.
    wanted: watch::Receiver<Option<Wanted>>,
    again: mpsc::UnboundedSender<ClusterName>,
}

impl Source {
    /// Starts watching; returns once both kinds are synced. `namespace` is the one of the KubevirtConfigs, if the installed
    /// CRD is namespaced.
    pub async fn start(
        client: Client,
        namespace: &str,
        keys: KeyOrder,
        touched: impl Fn(KubevirtConfig) + Send + 'static,
    ) -> Self {
        let scope = Scope::discover(&client, namespace).await;
        tracing::info!(?scope, "watching KubevirtConfigs");
        let (configs, writer) = reflector::store();
        let (publish, wanted) = watch::channel(None);
        let (again, asked) = mpsc::unbounded_channel();
        let mut first = wanted.clone();
        let config_watch = watcher(scope.configs(client.clone()), watching());
        let events = config_watch.backoff(Tries::default()).reflect(writer).filter_map(move |event| {
            if let Ok(watcher::Event::Apply(config)) = &event {
                touched(config.clone());
            }
            std::future::ready(progress(event))
        });
        let source = Self { configs, scope, keys, wanted, again };
        tokio::spawn(source.clone().follow(Box::pin(events), Secrets::new(client), asked, publish));
        // The sender lives in the task above, which does not end.
        let _ = first.wait_for(Option::is_some).await;
        source
    }

    /// Where KubevirtConfigs are.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(super) fn watch(&self) -> watch::Receiver<Option<Wanted>> {
        let mut receiver = self.wanted.clone();
        receiver.mark_changed();
        receiver
    }

    /// Reads the Secret of a KubevirtConfig again, at once: its cluster says that it does not know us.
    pub(super) fn read_again(&self, name: ClusterName) {
        // The receiver lives in the task that follows.
        let _ = self.again.send(name);
    }

    async fn follow(
        self,
        mut events: impl futures::Stream<Item = bool> + Unpin + Send,
        (mut secrets, mut news): (Secrets, mpsc::UnboundedReceiver<super::secrets::News>),
        mut again: mpsc::UnboundedReceiver<ClusterName>,
        publish: watch::Sender<Option<Wanted>>,
    ) {
        let mut listed = false;
        loop {
            tokio::select! {
                Some(complete) = events.next() => listed = listed || complete,
                Some(news) = news.recv() => secrets.hear(news),
                Some(name) = again.recv() => {
                    if let Some(config) = self.configs.get(&self.scope.key(&name))
                        && let Ok(namespace) = self.scope.secret_namespace(&config)
                    {
                        secrets.read_again(namespace);
                    }
                    continue;
                }
                else => return,
            }
            if !listed {
                continue;
            }
            secrets.keep(&self.namespaces());
            let before = publish.borrow().clone();
            if before.is_none() && !secrets.all_known() {
                continue;
            }
            let wanted = self.wanted(&secrets, &before.unwrap_or_default());
            publish.send_if_modified(|known| {
                let news = known.as_ref() != Some(&wanted);
                *known = Some(wanted);
                news
            });
        }
    }

    /// The namespaces that hold Secrets. Beside namespaced KubevirtConfigs there is always one, also before the first of them.
    fn namespaces(&self) -> BTreeSet<String> {
        match &self.scope {
            Scope::Namespaced(beside) => [beside.clone()].into(),
            Scope::Cluster => {
                let all = self.configs.state();
                all.iter().filter_map(|config| self.scope.secret_namespace(config).ok().map(str::to_owned)).collect()
            }
        }
    }

    /// What both kinds say together. A KubevirtConfig whose Secret is not known yet stays as it was.
    fn wanted(&self, secrets: &Secrets, before: &Wanted) -> Wanted {
        let all = self.configs.state();
        let each = all.iter().filter_map(|config| {
            let name = ClusterName(config.name_any());
            let kubeconfig = match self.kubeconfig(config, secrets) {
                Ok(None) => before.get(&name)?.clone(),
                Ok(Some(usable)) => Ok(usable),
                Err(why) => Err(why),
            };
            Some((name, kubeconfig))
        });
        each.collect()
    }

    fn kubeconfig(&self, config: &KubevirtConfig, secrets: &Secrets) -> Result<Option<Usable>, String> {
        let namespace = self.scope.secret_namespace(config)?;
        let name = &config.spec.kubeconfig_secret_ref;
        match secrets.find(namespace, name) {
            Found::Unknown => Ok(None),
            Found::Forbidden(why) => {
                let next = match self.scope {
                    Scope::Namespaced(_) => "install the Roles of the chart again".to_owned(),
                    Scope::Cluster => format!("add {namespace:?} to kubevirtConfigs.secretNamespaces of the chart"),
                };
                Err(format!("Secret {namespace}/{name} cannot be read: {next} ({why})"))
            }
            Found::Absent => {
                Err(format!("Secret {namespace}/{name} does not exist: create it with the key {KUBECONFIG_KEY:?}"))
            }
            Found::There(secret) => {
                let of_secret = |why: String| format!("Secret {namespace}/{name}{why}");
                let usable = read(secret.data.as_ref().unwrap_or(&BTreeMap::new()), self.keys).map_err(of_secret)?;
                Ok(Some(Usable { webhook: usable.webhook.map(of_secret), ..usable }))
            }
        }
    }
}

/// The kubeconfig in the data of a Secret, with its fingerprint; or what is wrong, in words that follow the Secret's name.
fn read(data: &BTreeMap<String, ByteString>, keys: KeyOrder) -> Result<Usable, String> {
    let parse = |key: &str, document: &ByteString| {
        kubeconfig::parse(&document.0).map_err(|why| format!(", key {key:?}: {why}"))
    };
    let webhook = data.get(KUBECONFIG_READONLY_KEY).filter(|_| keys == KeyOrder::ReadWrite);
    let webhook = webhook.and_then(|document| parse(KUBECONFIG_READONLY_KEY, document).err());
    let keys: &[&str] = match keys {
        KeyOrder::ReadWrite => &[KUBECONFIG_KEY],
        KeyOrder::ReadOnlyFirst => &[KUBECONFIG_READONLY_KEY, KUBECONFIG_KEY],
    };
    let Some((key, document)) = keys.iter().find_map(|key| Some((key, data.get(*key)?))) else {
        let others = if data.is_empty() { String::new() } else { format!(", only {}", listed(data)) };
        return Err(format!(" has no key {KUBECONFIG_KEY:?}{others}: put the kubeconfig of the cluster there"));
    };
    let remote = parse(key, document)?;
    Ok(Usable { fingerprint: format!("{:x}", Sha256::digest(&document.0)), remote, webhook })
}

/// The first few keys: names only, never values.
fn listed(data: &BTreeMap<String, ByteString>) -> String {
    data.keys().take(4).map(|key| format!("{key:?}")).collect::<Vec<_>>().join(", ")
}

/// Whether a watch just completed its list; `None` for a failure, which it mends itself.
fn progress<K>(event: Result<watcher::Event<K>, watcher::Error>) -> Option<bool> {
    match event {
        Ok(event) => Some(matches!(event, watcher::Event::InitDone)),
        Err(error) => {
            tracing::warn!(
                error = super::errors::said(&error),
                "the watch of KubevirtConfigs failed; it is tried again"
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::every_row;

    const GOOD: &str = "{current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],
        clusters: [{name: c, cluster: {server: 'https://127.0.0.1:6443', certificate-authority-data:
            LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCmFHVnNiRzg9Ci0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K}}],
        users: [{name: u, user: {token: secret-token}}]}";

    #[test]
    fn b9_b27_the_controller_tells_what_is_wrong_with_the_key_of_the_webhook() {
        let data = |webhooks: &str| {
            let keys = [("kubeconfig", GOOD), ("kubeconfig-readonly", webhooks)];
            keys.map(|(key, text)| (key.to_owned(), ByteString(text.as_bytes().to_vec()))).into()
        };
        let usable = |webhooks, order| read(&data(webhooks), order).expect("our own is as it should be");
        assert_eq!(usable(GOOD, KeyOrder::ReadWrite).webhook, None);
        let fault = usable("secret text", KeyOrder::ReadWrite).webhook.expect("a fault");
        assert!(fault.starts_with(", key \"kubeconfig-readonly\": ") && !fault.contains("secret text"), "{fault}");
        assert_eq!(usable(GOOD, KeyOrder::ReadOnlyFirst).webhook, None, "what is wrong there, it meets itself");
    }

    #[test]
    fn b9_a_secret_without_the_key_is_refused_by_name() {
        use KeyOrder::{ReadOnlyFirst, ReadWrite};
        let no_key = " has no key \"kubeconfig\"";
        #[rustfmt::skip]
        let cases = [
            ("B9: no data",                   vec![],                                ReadWrite,     format!("{no_key}: put the kubeconfig")),
            ("B9: another key",               vec!["config"],                        ReadWrite,     format!("{no_key}, only \"config\": put")),
            ("B9: the webhook's key only",    vec!["kubeconfig-readonly"],           ReadWrite,     format!("{no_key}, only \"kubeconfig-readonly\": put")),
            ("B9: many keys",                 vec!["a", "b", "c", "d", "e"],         ReadOnlyFirst, format!("{no_key}, only \"a\", \"b\", \"c\", \"d\": put")),
            ("B9: the webhook reads its own", vec!["kubeconfig", "kubeconfig-readonly"], ReadOnlyFirst, ", key \"kubeconfig-readonly\": ".to_owned()),
            ("B9: the webhook reads ours",    vec!["kubeconfig"],                    ReadOnlyFirst, ", key \"kubeconfig\": ".to_owned()),
            ("B9: the controller reads ours", vec!["kubeconfig", "kubeconfig-readonly"], ReadWrite,  ", key \"kubeconfig\": ".to_owned()),
        ];
        every_row(cases, |(name, keys, order, says)| {
            let data = keys.into_iter().map(|key| (key.to_owned(), ByteString(b"secret text".to_vec()))).collect();
            let refused = read(&data, order).expect_err(name);
            assert!(refused.starts_with(&says), "{name}: {refused}");
            assert!(!refused.contains("secret text"), "{name}: {refused}");
        });
    }
}
