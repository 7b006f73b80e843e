//! KubevirtConfigs in the World, each with what its link sees. I/O: the cluster registry and what it watches.
//!
//! One KubevirtConfig is built anew when it or its link changed; the others stay as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use admission::Config;
use admission::world::Inventory;
use kube::runtime::reflector::Store;
use kube::{Client, ResourceExt};
use model::api::KubevirtConfig;
use model::names::ClusterName;
use runtime::clusters::{ClusterMap, Entry, KeyOrder, Scope, Source};
use runtime::ready::Latch;
use tokio::sync::mpsc;

use super::{Current, convert};
use crate::link::{Index, Watches};

/// The connections of this process.
pub type Clusters = Arc<ClusterMap<Index>>;

/// A list of KubevirtConfigs that was read anew is not told of, and notes end by the clock: so both are looked at this often.
const TICK: Duration = Duration::from_secs(1);

/// Keeps the World's KubevirtConfigs true; returns only when that has become impossible. Opens the latch once they are known,
/// whether or not any cluster answers.
pub async fn follow(client: Client, namespace: &str, clusters: Clusters, current: Current, synced: Latch) {
    let (touch, mut touched) = mpsc::unbounded_channel();
    let (changed, mut links) = mpsc::channel(64);
    let tell = touch.clone();
    let source = Source::start(client, namespace, KeyOrder::ReadOnlyFirst, move |config| {
        // The receiver lives as long as the process.
        let _ = tell.send(ClusterName(config.name_any()));
    })
    .await;
    let beside = match source.scope() {
        Scope::Namespaced(namespace) => Some(namespace.clone()),
        Scope::Cluster => None,
    };
    current.change(|world| Arc::make_mut(&mut world.policy).configs_namespace = beside);
    let mut configs =
        Configs { store: source.configs.clone(), clusters, current, known: BTreeMap::new(), capable: None };
    let registry =
        runtime::clusters::run(source, Arc::new(Watches { touched: touch }), configs.clusters.clone(), changed);
    tokio::pin!(registry);
    let mut tick = tokio::time::interval(TICK);
    loop {
        let mut names = BTreeSet::new();
        tokio::select! {
            () = &mut registry => return,
            Some(name) = touched.recv() => drop(names.insert(name)),
            Some(name) = links.recv() => drop(names.insert(name)),
            now = tick.tick() => configs.current.expire(now.into_std()),
        }
        // What came together is taken in together.
        while let Ok(name) = touched.try_recv() {
            names.insert(name);
        }
        configs.take_in(&names);
        synced.open();
    }
}

struct Configs {
    store: Store<KubevirtConfig>,
    clusters: Clusters,
    current: Current,
    known: BTreeMap<ClusterName, Made>,
    /// How many have the capability `virtualmachines`, as last logged (E16).
    capable: Option<usize>,
}

/// What a [`Config`] of the World was made of.
struct Made {
    config: Arc<KubevirtConfig>,
    silent: Option<String>,
}

impl Configs {
    /// Takes in what changed; `touched` are the clusters whose index did.
    fn take_in(&mut self, touched: &BTreeSet<ClusterName>) {
        let entries = self.clusters.load();
        let mut gone: BTreeSet<ClusterName> = self.known.keys().cloned().collect();
        let mut made = Vec::new();
        for config in self.store.state() {
            let name = ClusterName(config.name_any());
            gone.remove(&name);
            let entry = entries.get(&name);
            let silent = convert::silence(entry);
            let same = |known: &Made| Arc::ptr_eq(&known.config, &config) && known.silent == silent;
            if touched.contains(&name) || !self.known.get(&name).is_some_and(same) {
                made.push((name.clone(), convert::config(&config, inventory(entry, silent.clone()))));
                self.known.insert(name, Made { config, silent });
            }
        }
        if gone.is_empty() && made.is_empty() {
            return;
        }
        self.known.retain(|name, _| !gone.contains(name));
        self.publish(made, &gone);
    }

    fn publish(&mut self, made: Vec<(ClusterName, Config)>, gone: &BTreeSet<ClusterName>) {
        let before = self.current.load().configs.clone();
        let namespace = |config: Option<&Arc<Config>>| config.and_then(|config| config.namespace.clone());
        let elsewhere = made.iter().filter(|(name, config)| namespace(before.get(name)) != config.namespace);
        let moved: Vec<_> = elsewhere.map(|(name, _)| name.clone()).chain(gone.iter().cloned()).collect();
        self.current.change(|world| {
            world.configs.retain(|name, _| !gone.contains(name));
            for (name, config) in made {
                world.machines.capacity_read(&name, config.capacity.and_then(|capacity| capacity.read));
                world.configs.insert(name, Arc::new(config));
            }
            world.find_duplicates();
        });
        if !moved.is_empty() {
            self.current.move_names(&moved);
        }
        let count = self.current.load().configs.values().filter(|config| config.virtual_machines).count();
        if self.capable != Some(count) {
            tracing::info!(capability = "virtualmachines", count, "Found hubs with capability");
            self.capable = Some(count);
        }
    }
}

fn inventory(entry: Option<&Entry<Index>>, silent: Option<String>) -> Inventory {
    let view = entry.and_then(|entry| entry.cluster.as_ref()).map(|cluster| cluster.index.view());
    Inventory { silent, ..view.unwrap_or_default() }
}

#[cfg(test)]
#[path = "configs_tests.rs"]
mod tests;
