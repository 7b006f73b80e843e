//! What was decided for each cluster and does not count in its published capacity yet (X68): one sum for each, kept with every
//! change, so that no request walks over Machines. Pure.
//!
//! A Machine is awaited from its decision until its VM was seen on a node and the capacity was read after that. It is awaited
//! once: a VM that starts again has its room already, by and large, and to count it twice would make its cluster look full.

use std::sync::Arc;

use model::names::{ClusterName, MachineKey};
use rpds::HashTrieMapSync;

use super::size::Size;

/// Sums for each cluster; a persistent map, cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Awaited(HashTrieMapSync<ClusterName, Cluster>);

#[derive(Clone, Debug, Default)]
struct Cluster {
    sum: Size,
    /// When its capacity was read; unknown where nobody says so.
    read: Option<i64>,
    machines: HashTrieMapSync<Arc<MachineKey>, Waiting>,
}

/// A Machine that is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) size: Size,
    /// When its VM was on a node at the latest; absent while it was not seen there.
    pub(super) on_node: Option<i64>,
}

impl Awaited {
    pub(super) fn put(&mut self, cluster: &ClusterName, key: &Arc<MachineKey>, waiting: Waiting) {
        self.change(cluster, |it| {
            it.sum = it.sum.plus(waiting.size);
            it.machines.insert_mut(key.clone(), waiting);
        });
    }

    pub(super) fn take(&mut self, cluster: &ClusterName, key: &MachineKey) -> Option<Waiting> {
        let waiting = *self.0.get(cluster)?.machines.get(key)?;
        self.change(cluster, |it| {
            it.sum = it.sum.less(waiting.size);
            it.machines.remove_mut(key);
        });
        Some(waiting)
    }

    /// The VM of a Machine is on a node since this time at the latest, in seconds.
    pub(super) fn arrived(&mut self, cluster: &ClusterName, key: &Arc<MachineKey>, time: i64) {
        let Some(it) = self.0.get(cluster) else { return };
        let Some(waiting) = it.machines.get(key).copied().filter(|it| it.on_node.is_none()) else { return };
        let counts = it.read.is_none_or(|read| time < read);
        self.take(cluster, key);
        if !counts {
            self.put(cluster, key, Waiting { on_node: Some(time), ..waiting });
        }
    }

    /// The capacity of a cluster was read at this time: what was on a node before is counted there. A second is not divided,
    /// so that what came within it may be missing, and is awaited still.
    pub(super) fn read(&mut self, cluster: &ClusterName, time: Option<i64>) {
        let known = self.0.get(cluster);
        if known.map_or(time.is_none(), |known| known.read == time) {
            return;
        }
        let arrived = known.into_iter().flat_map(|known| known.machines.iter());
        let counted = |waiting: &Waiting| waiting.on_node.is_some_and(|on| time.is_none_or(|time| on < time));
        let counted: Vec<_> = arrived.filter(|(_, it)| counted(it)).map(|(key, _)| key.clone()).collect();
        for key in counted {
            self.take(cluster, &key);
        }
        self.change(cluster, |it| it.read = time);
    }

    /// The size of a Machine, if it is awaited on this cluster.
    pub(super) fn size(&self, cluster: &ClusterName, key: &MachineKey) -> Option<Size> {
        Some(self.0.get(cluster)?.machines.get(key)?.size)
    }

    /// What is awaited on a cluster.
    pub(super) fn sum(&self, cluster: &ClusterName) -> Size {
        self.0.get(cluster).map(|it| it.sum).unwrap_or_default()
    }

    fn change(&mut self, cluster: &ClusterName, change: impl FnOnce(&mut Cluster)) {
        let mut it = self.0.get(cluster).cloned().unwrap_or_default();
        change(&mut it);
        self.0.insert_mut(cluster.clone(), it);
    }
}
