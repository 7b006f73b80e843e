//! What the Machines of this fleet hold: names on clusters, MAC addresses, and their share of the load. Pure.

use std::sync::Arc;

use model::message::Sizing;
use model::names::{CLAIM, ClusterName, MachineKey, Name};
use rpds::HashTrieMapSync;

use super::awaited::{Awaited, Waiting};
use super::size::Size;

/// What one Machine holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The cluster that it is assigned to.
    pub cluster: Option<ClusterName>,
    /// The names of its objects there.
    pub names: Vec<Name>,
    /// MAC addresses of its interfaces, in lower case with colons.
    pub macs: Vec<String>,
    /// What its status says of their namespace.
    pub home: Home,
    /// Its size, until its VM was seen on a node: until then no capacity can count it (X68).
    pub awaited: Option<Box<Size>>,
}

/// What the status of a Machine says of the namespace of its objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Home {
    /// Nothing: it is where the KubevirtConfig says.
    #[default]
    Unrecorded,
    /// It is the Machine's own: an edit of the KubevirtConfig moves none of them (X38).
    Own,
    /// It is another one, which counts where the KubevirtConfig says so, too, or a VM there with this UID of the Machine:
    /// whoever may write the status takes no names of others (ATK4).
    Another(Box<str>),
}

impl Held {
    /// Whether a decision on the second is as good on the first: each name and address of this has the same other holder in
    /// both, or none in either; and if it is no more than a share of the load, its cluster has the same load in both.
    pub fn is_held_alike(&self, by: &MachineKey, now: &Machines, before: &Machines) -> bool {
        let load = |machines: &Machines| self.cluster.as_ref().map(|cluster| machines.load(cluster));
        (!self.names.is_empty() || load(now) == load(before))
            && self.names.iter().all(|name| now.holder(name, by) == before.holder(name, by))
            && self.macs.iter().all(|mac| now.mac_holder(mac, by) == before.mac_holder(mac, by))
    }

    /// Whether an event of this shows a decision: what the Machine was to get, it has.
    pub fn shows(&self, decided: &Held) -> bool {
        let claims = decided.names.iter().filter(|name| name.kind == CLAIM);
        self.cluster == decided.cluster
            && claims.into_iter().all(|name| self.names.contains(name))
            && decided.macs.iter().all(|mac| self.macs.contains(mac))
    }
}

/// What a stored Machine says of what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// The cluster that it is assigned to, or else the one that its status records.
    pub cluster: Option<String>,
    /// The names of its disks, by the size that admission resolved.
    pub disks: Vec<String>,
    /// Namespace of its objects on the cluster, once the status records that: from then on it counts, whatever the
    /// KubevirtConfig says.
    pub namespace: Option<String>,
    /// `metadata.uid`.
    pub uid: String,
    /// `status.vmName`, which outlives a change of `VM_NAME_PREFIX`.
    pub vm_name: Option<String>,
    /// `spec.networks[].macAddress`, as written.
    pub macs: Vec<String>,
    /// Whether `spec.os.isoUri` says something: the CD-ROM has a claim, too.
    pub iso: bool,
    /// CPU and memory that admission resolved.
    pub size: Option<Size>,
    /// Its VM is on a node, or was and is stopped, since this time at the latest, in seconds.
    pub on_node: Option<i64>,
}

impl Stored {
    /// Disks and size from the text of `vitistack.io/resolved`; none where it cannot be read.
    pub fn sized(resolved: Option<&str>) -> Self {
        let Some(sizing) = resolved.and_then(|text| Sizing::read(text).ok()) else { return Self::default() };
        let size = Some(Size::of(&sizing));
        Self { disks: sizing.disks.into_iter().map(|disk| disk.name).collect(), size, ..Self::default() }
    }
}

/// Machines on one cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// All that are known.
    pub machines: u32,
    /// Those of them that this webhook decided and its watch has not shown yet.
    pub unseen: u32,
}

impl Load {
    /// What the draw takes the load to be, with so many replicas of the webhook: what one of them decided counts once for
    /// each, because the others saw the same fleet and decided alike.
    pub fn expected(self, replicas: u32) -> u32 {
        self.machines.saturating_add(self.unseen.saturating_mul(replicas.saturating_sub(1)))
    }
}

/// What all Machines hold; a persistent map, cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Machines {
    held: HashTrieMapSync<Arc<MachineKey>, (Arc<Held>, Evidence)>,
    names: HashTrieMapSync<Name, Holders>,
    macs: HashTrieMapSync<String, Holders>,
    loads: HashTrieMapSync<ClusterName, Load>,
    awaited: Awaited,
    /// The sizes of all that this webhook decided and its watch has not shown yet.
    unseen: Size,
}

/// Who holds one name: one, as long as admission has its way. A set would cost more than all else that is kept of a Machine.
type Holders = Vec<Arc<MachineKey>>;

/// How it is known what a Machine holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Evidence {
    /// The watch showed it.
    Seen,
    /// This webhook decided it, and the watch is behind.
    Decided,
}

impl Machines {
    /// Takes in what the watch shows that a Machine holds, in place of what it held before.
    pub fn put(&mut self, key: &MachineKey, held: Held) {
        self.keep(key, held, Evidence::Seen);
    }

    /// Takes in what this webhook just decided that a Machine holds.
    pub fn note(&mut self, key: &MachineKey, held: Held) {
        self.keep(key, held, Evidence::Decided);
    }

    fn keep(&mut self, key: &MachineKey, held: Held, evidence: Evidence) {
        if self.held.get(key).is_some_and(|(before, how)| **before == held && *how == evidence) {
            return;
        }
        let before = self.take_out(key);
        let key = Arc::new(key.clone());
        for name in &held.names {
            add(&mut self.names, name, &key);
        }
        for mac in &held.macs {
            add(&mut self.macs, mac, &key);
        }
        if let Some(cluster) = &held.cluster {
            self.change_load(cluster, |load| {
                load.machines += 1;
                load.unseen += u32::from(evidence == Evidence::Decided);
            });
            let size = held.awaited.as_deref().copied();
            let waiting = match before.filter(|(before, _)| before.cluster == held.cluster) {
                // It was counted there once.
                Some((_, waiting)) => waiting.map(|it| Waiting { size: size.unwrap_or(it.size), ..it }),
                None => size.map(|size| Waiting { size, on_node: None }),
            };
            if let Some(waiting) = waiting {
                self.awaited.put(cluster, &key, waiting);
            }
            if evidence == Evidence::Decided {
                self.unseen = self.unseen.plus(size.unwrap_or_default());
            }
        }
        self.held.insert_mut(key, (Arc::new(held), evidence));
    }

    /// Forgets a Machine.
    pub fn remove(&mut self, key: &MachineKey) {
        self.take_out(key);
    }

    /// Forgets all but these.
    pub fn retain(&mut self, stays: impl Fn(&MachineKey) -> bool) {
        let gone: Vec<_> = self.held.keys().filter(|key| !stays(key)).cloned().collect();
        for key in gone {
            self.remove(&key);
        }
    }

    /// The watch showed that the VM of a Machine is on a node, since this time at the latest, in seconds (X68).
    pub fn arrived(&mut self, key: &MachineKey, time: i64) {
        let Some((key, (held, Evidence::Seen))) = self.held.get_key_value(key) else { return };
        if let Some(cluster) = &held.cluster {
            self.awaited.arrived(cluster, key, time);
        }
    }

    /// The capacity of a cluster was read at this time, in seconds (X68).
    pub fn capacity_read(&mut self, cluster: &ClusterName, time: Option<i64>) {
        self.awaited.read(cluster, time);
    }

    fn take_out(&mut self, key: &MachineKey) -> Option<(Arc<Held>, Option<Waiting>)> {
        let (held, evidence) = self.held.get(key).cloned()?;
        let mut waiting = None;
        for name in &held.names {
            take(&mut self.names, name, key);
        }
        for mac in &held.macs {
            take(&mut self.macs, mac, key);
        }
        if let Some(cluster) = &held.cluster {
            self.change_load(cluster, |load| {
                load.machines -= 1;
                load.unseen -= u32::from(evidence == Evidence::Decided);
            });
            waiting = self.awaited.take(cluster, key);
            if evidence == Evidence::Decided {
                self.unseen = self.unseen.less(held.awaited.as_deref().copied().unwrap_or_default());
            }
        }
        self.held.remove_mut(key);
        Some((held, waiting))
    }

    /// Names of Machines on this cluster follow its namespace, unless theirs is recorded.
    pub(super) fn move_names(&mut self, cluster: &ClusterName, to: impl Fn(&str) -> String) {
        let there = |held: &Held| held.cluster.as_ref() == Some(cluster) && held.home == Home::Unrecorded;
        let moved: Vec<_> = self
            .held
            .iter()
            .filter(|(_, (held, _))| there(held))
            .map(|(key, held)| (MachineKey::clone(key), held.clone()))
            .collect();
        for (key, (held, evidence)) in moved {
            let namespace = to(&key.namespace);
            let mut held = Held::clone(&held);
            held.names.iter_mut().for_each(|name| namespace.clone_into(&mut name.namespace));
            self.keep(&key, held, evidence);
        }
    }

    fn change_load(&mut self, cluster: &ClusterName, change: impl FnOnce(&mut Load)) {
        let mut load = self.load(cluster);
        change(&mut load);
        self.loads.insert_mut(cluster.clone(), load);
    }

    /// What a Machine holds.
    pub fn get(&self, key: &MachineKey) -> Option<&Held> {
        self.held.get(key).map(|(held, _)| &**held)
    }

    /// Another Machine that holds a name, by its own word; of several, the first by name.
    pub fn holder(&self, name: &Name, but: &MachineKey) -> Option<&MachineKey> {
        self.holders(name, but).min()
    }

    /// Other Machines that hold a name, by their own word.
    pub(super) fn holders(&self, name: &Name, but: &MachineKey) -> impl Iterator<Item = &MachineKey> {
        self.names.get(name).into_iter().flat_map(move |holders| others(holders, but))
    }

    /// Another Machine that holds a MAC address, in lower case with colons; of several, the first by name.
    pub fn mac_holder(&self, mac: &str, but: &MachineKey) -> Option<&MachineKey> {
        others(self.macs.get(mac)?, but).min()
    }

    /// How many Machines are assigned to a cluster.
    pub fn load(&self, cluster: &ClusterName) -> Load {
        self.loads.get(cluster).copied().unwrap_or_default()
    }

    /// What was decided for a cluster and does not count in its capacity yet (X68).
    pub fn awaited(&self, cluster: &ClusterName) -> Size {
        self.awaited.sum(cluster)
    }

    /// What of that one Machine is, and where.
    pub fn awaited_of(&self, key: &MachineKey) -> Option<(&ClusterName, Size)> {
        let cluster = self.held.get(key)?.0.cluster.as_ref()?;
        Some((cluster, self.awaited.size(cluster, key)?))
    }

    /// The sizes of all that this webhook decided and its watch has not shown yet.
    pub fn unseen(&self) -> Size {
        self.unseen
    }

    /// How many Machines are known.
    pub fn len(&self) -> usize {
        self.held.size()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

fn others<'h>(holders: &'h Holders, but: &MachineKey) -> impl Iterator<Item = &'h MachineKey> {
    holders.iter().map(|key| &**key).filter(move |key| *key != but)
}

fn add<K: Clone + Eq + std::hash::Hash>(map: &mut HashTrieMapSync<K, Holders>, name: &K, key: &Arc<MachineKey>) {
    let mut holders = map.get(name).cloned().unwrap_or_else(|| Vec::with_capacity(1));
    // A Machine may say the same name twice.
    if !holders.contains(key) {
        holders.push(key.clone());
    }
    map.insert_mut(name.clone(), holders);
}

fn take<K: Clone + Eq + std::hash::Hash>(map: &mut HashTrieMapSync<K, Holders>, name: &K, key: &MachineKey) {
    let Some(holders) = map.get(name) else { return };
    let left: Holders = holders.iter().filter(|holder| ***holder != *key).cloned().collect();
    if left.is_empty() {
        map.remove_mut(name);
    } else {
        map.insert_mut(name.clone(), left);
    }
}

#[cfg(test)]
#[path = "machines_tests.rs"]
mod tests;
