//! What the Machines of this fleet hold: names on clusters, MAC addresses, and their share of the load. Pure.

use std::sync::Arc;

use rpds::{HashTrieMapSync, HashTrieSetSync};

use crate::names::{ClusterName, MachineKey};

/// A name on a cluster that one object only can have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The cluster.
    pub cluster: ClusterName,
    /// Namespace on the cluster.
    pub namespace: String,
    /// `VirtualMachine` or `PersistentVolumeClaim`.
    pub kind: &'static str,
    /// The name.
    pub name: String,
}

/// What one Machine holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The cluster that it is assigned to.
    pub cluster: Option<ClusterName>,
    /// The names of its objects there.
    pub names: Vec<Name>,
    /// MAC addresses of its interfaces, in lower case with colons.
    pub macs: Vec<String>,
}

/// What all Machines hold; a persistent map, cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Machines {
    held: HashTrieMapSync<MachineKey, Arc<Held>>,
    names: HashTrieMapSync<Name, HashTrieSetSync<MachineKey>>,
    macs: HashTrieMapSync<String, HashTrieSetSync<MachineKey>>,
    load: HashTrieMapSync<ClusterName, u32>,
}

impl Machines {
    /// Notes what a Machine holds now, in place of what it held before.
    pub fn put(&mut self, key: &MachineKey, held: Held) {
        if self.held.get(key).is_some_and(|before| **before == held) {
            return;
        }
        self.remove(key);
        for name in &held.names {
            add(&mut self.names, name, key);
        }
        for mac in &held.macs {
            add(&mut self.macs, mac, key);
        }
        if let Some(cluster) = &held.cluster {
            self.load.insert_mut(cluster.clone(), self.load(cluster) + 1);
        }
        self.held.insert_mut(key.clone(), Arc::new(held));
    }

    /// Forgets a Machine.
    pub fn remove(&mut self, key: &MachineKey) {
        let Some(held) = self.held.get(key).cloned() else { return };
        for name in &held.names {
            take(&mut self.names, name, key);
        }
        for mac in &held.macs {
            take(&mut self.macs, mac, key);
        }
        if let Some(cluster) = &held.cluster {
            self.load.insert_mut(cluster.clone(), self.load(cluster).saturating_sub(1));
        }
        self.held.remove_mut(key);
    }

    /// What a Machine holds.
    pub fn get(&self, key: &MachineKey) -> Option<&Held> {
        self.held.get(key).map(|held| &**held)
    }

    /// Another Machine that holds a name; of several, the first by name.
    pub fn holder(&self, name: &Name, but: &MachineKey) -> Option<&MachineKey> {
        self.names.get(name)?.iter().filter(|key| *key != but).min()
    }

    /// Another Machine that holds a MAC address, in lower case with colons; of several, the first by name.
    pub fn mac_holder(&self, mac: &str, but: &MachineKey) -> Option<&MachineKey> {
        self.macs.get(mac)?.iter().filter(|key| *key != but).min()
    }

    /// How many Machines are assigned to a cluster.
    pub fn load(&self, cluster: &ClusterName) -> u32 {
        self.load.get(cluster).copied().unwrap_or_default()
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

fn add<K: Clone + Eq + std::hash::Hash>(
    map: &mut HashTrieMapSync<K, HashTrieSetSync<MachineKey>>,
    name: &K,
    key: &MachineKey,
) {
    let holders = map.get(name).cloned().unwrap_or_else(HashTrieSetSync::new_sync);
    map.insert_mut(name.clone(), holders.insert(key.clone()));
}

fn take<K: Clone + Eq + std::hash::Hash>(
    map: &mut HashTrieMapSync<K, HashTrieSetSync<MachineKey>>,
    name: &K,
    key: &MachineKey,
) {
    let Some(left) = map.get(name).map(|holders| holders.remove(key)) else { return };
    if left.is_empty() {
        map.remove_mut(name);
    } else {
        map.insert_mut(name.clone(), left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x16_what_a_machine_holds_is_found_and_forgotten_again() {
        let key = |name: &str| MachineKey { namespace: "shop".to_owned(), name: name.to_owned() };
        let claim = |name: &str| Name {
            cluster: ClusterName("east".to_owned()),
            namespace: "shop".to_owned(),
            kind: "PersistentVolumeClaim",
            name: name.to_owned(),
        };
        let held = |names: &[&str], mac: &str| Held {
            cluster: Some(ClusterName("east".to_owned())),
            names: names.iter().map(|name| claim(name)).collect(),
            macs: vec![mac.to_owned()],
        };
        let mut machines = Machines::default();
        machines.put(&key("web"), held(&["web-root", "web-data"], "52:54:00:00:00:01"));
        machines.put(&key("web-data"), held(&["web-data-root", "web-data"], "52:54:00:00:00:02"));
        let before = machines.clone();
        assert_eq!(machines.holder(&claim("web-data"), &key("web")), Some(&key("web-data")));
        assert_eq!(machines.holder(&claim("web-root"), &key("web")), None, "its own");
        assert_eq!(machines.load(&ClusterName("east".to_owned())), 2);
        machines.put(&key("web"), held(&["web-root"], "52:54:00:00:00:03"));
        assert_eq!(machines.mac_holder("52:54:00:00:00:01", &key("other")), None);
        assert_eq!(machines.load(&ClusterName("east".to_owned())), 2, "an edit is no second Machine");
        machines.remove(&key("web-data"));
        assert_eq!(machines.holder(&claim("web-data"), &key("other")), None);
        assert_eq!((machines.load(&ClusterName("east".to_owned())), machines.len()), (1, 1));
        assert_eq!(before.holder(&claim("web-data"), &key("other")), Some(&key("web")), "a snapshot does not change");
    }
}
