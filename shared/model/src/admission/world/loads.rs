//! How many Machines each cluster has, for the draw of `balanced`. Pure.

use rpds::{HashTrieMapSync, VectorSync};

use crate::names::ClusterName;

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

/// Where [`Loads`] keep a cluster. To read there is a sixth of looking for a name among ten thousand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(usize);

/// The load of every cluster; persistent, cheap to clone. A cluster keeps its slot for ever.
#[derive(Clone, Debug, Default)]
pub(super) struct Loads {
    slots: HashTrieMapSync<ClusterName, Slot>,
    loads: VectorSync<(ClusterName, Load)>,
}

impl Loads {
    /// The slot of a cluster, a new one if it has none.
    pub(super) fn slot(&mut self, cluster: &ClusterName) -> Slot {
        if let Some(slot) = self.slots.get(cluster) {
            return *slot;
        }
        let slot = Slot(self.loads.len());
        self.slots.insert_mut(cluster.clone(), slot);
        self.loads.push_back_mut((cluster.clone(), Load::default()));
        slot
    }

    /// The load of a cluster. A slot that is not its own does no harm: its name is looked for then.
    pub(super) fn get(&self, cluster: &ClusterName, slot: Option<Slot>) -> Load {
        let at = |slot: Slot| self.loads.get(slot.0).filter(|(name, _)| name == cluster);
        let found = slot.and_then(at).or_else(|| at(*self.slots.get(cluster)?));
        found.map(|(_, load)| *load).unwrap_or_default()
    }

    pub(super) fn change(&mut self, cluster: &ClusterName, change: impl FnOnce(&mut Load)) {
        let slot = self.slot(cluster);
        let mut load = self.get(cluster, Some(slot));
        change(&mut load);
        self.loads.set_mut(slot.0, (cluster.clone(), load));
    }

    /// The same clusters in the same slots, without any Machine.
    pub(super) fn emptied(&self) -> Loads {
        let loads = self.loads.iter().map(|(name, _)| (name.clone(), Load::default())).collect();
        Loads { slots: self.slots.clone(), loads }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a24_what_is_unseen_counts_once_for_each_replica() {
        let load = Load { machines: 7, unseen: 2 };
        for (replicas, wanted) in [(0, 7), (1, 7), (2, 9), (3, 11)] {
            assert_eq!(load.expected(replicas), wanted, "{replicas} replicas");
        }
        assert_eq!(Load { machines: u32::MAX, unseen: 2 }.expected(u32::MAX), u32::MAX);
    }

    #[test]
    fn a24_a_load_is_found_with_its_slot_and_without() {
        let name = |name: &str| ClusterName(name.to_owned());
        let mut loads = Loads::default();
        let (east, west) = (loads.slot(&name("east")), loads.slot(&name("west")));
        loads.change(&name("west"), |load| load.machines += 3);
        let three = Load { machines: 3, unseen: 0 };
        for slot in [Some(west), Some(east), Some(Slot(9)), None] {
            assert_eq!(loads.get(&name("west"), slot), three, "{slot:?}");
        }
        assert_eq!(loads.get(&name("north"), Some(west)), Load::default(), "the slot of another");
        let emptied = loads.emptied();
        assert_eq!(emptied.get(&name("west"), Some(west)), Load::default());
        assert_eq!(loads.slot(&name("west")), west, "it keeps its slot");
    }
}
