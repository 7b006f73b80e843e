//! What the Machines of this fleet hold: names on clusters, MAC addresses, and their share of the load. Pure.

use std::sync::Arc;

use rpds::HashTrieMapSync;
use serde::Deserialize;

use super::World;
use super::loads::{Load, Loads, Slot};
use crate::admission::rules::name::derived;
use crate::names::{ClusterName, ISO_DISK, MachineKey};

/// The kind of a VM's [`Name`].
pub const VM: &str = "VirtualMachine";
/// The kind of a disk's [`Name`].
pub const CLAIM: &str = "PersistentVolumeClaim";

/// A name on a cluster that one object only can have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The cluster.
    pub cluster: ClusterName,
    /// Namespace on the cluster.
    pub namespace: String,
    /// [`VM`] or [`CLAIM`].
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
    /// The namespace of its objects is recorded: an edit of the KubevirtConfig moves none of them (X38).
    pub settled: bool,
}

/// The words of a Machine that say what it holds; empty ones say nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said<'a> {
    /// The annotation [`crate::names::KUBEVIRT_CONFIG`].
    pub cluster: Option<&'a str>,
    /// The annotation [`crate::names::RESOLVED`].
    pub resolved: Option<&'a str>,
    /// Namespace of its objects on the cluster, once the status records that: from then on it counts, whatever the
    /// KubevirtConfig says.
    pub namespace: Option<&'a str>,
    /// `status.vmName`, which outlives a change of `VM_NAME_PREFIX`.
    pub vm_name: Option<&'a str>,
    /// `spec.networks[].macAddress`, as written.
    pub macs: &'a [String],
    /// Whether `spec.os.isoUri` says something: the CD-ROM has a claim, too.
    pub iso: bool,
}

impl Held {
    /// What a Machine holds. Without an assignment that is its MAC addresses; without a readable sizing, no disks.
    pub fn of(key: &MachineKey, said: Said<'_>, world: &World) -> Held {
        let macs = said.macs.iter().filter(|mac| !mac.is_empty()).map(|mac| mac.to_ascii_lowercase().replace('-', ":"));
        let macs = macs.collect();
        let Some(cluster) = said.cluster.filter(|name| !name.is_empty()).map(|name| ClusterName(name.to_owned()))
        else {
            return Held { macs, ..Held::default() };
        };
        let mapped = || world.configs.get(&cluster).map_or(&*key.namespace, |it| it.remote_namespace(&key.namespace));
        let namespace = said.namespace.unwrap_or_else(mapped);
        let vm = said.vm_name.filter(|name| !name.is_empty()).map(str::to_owned);
        let vm = vm.unwrap_or_else(|| format!("{}{}", world.policy.vm_prefix, key.name));
        let disks = said.resolved.map(disks).unwrap_or_default();
        let iso = said.iso.then_some(ISO_DISK);
        let names = derived(&cluster, namespace, &key.name, &vm, disks.iter().map(String::as_str).chain(iso));
        Held { cluster: Some(cluster), names, macs, settled: said.namespace.is_some() }
    }
}

/// The names of the disks in the text of [`crate::names::RESOLVED`].
fn disks(resolved: &str) -> Vec<String> {
    #[derive(Deserialize)]
    struct Sizing {
        disks: Vec<Disk>,
    }
    #[derive(Deserialize)]
    struct Disk {
        name: String,
    }
    let sizing = serde_json::from_str::<Sizing>(resolved);
    sizing.map(|sizing| sizing.disks.into_iter().map(|disk| disk.name).collect()).unwrap_or_default()
}

/// What all Machines hold; a persistent map, cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Machines {
    held: HashTrieMapSync<Arc<MachineKey>, (Arc<Held>, Known)>,
    names: HashTrieMapSync<Name, Holders>,
    macs: HashTrieMapSync<String, Holders>,
    loads: Loads,
}

/// Who holds one name: one, as long as admission has its way. A set would cost more than all else that is kept of a Machine.
type Holders = Vec<Arc<MachineKey>>;

/// How it is known what a Machine holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// The watch showed it.
    Seen,
    /// This webhook decided it, and the watch is behind.
    Decided,
}

impl Machines {
    /// Takes in what the watch shows that a Machine holds, in place of what it held before.
    pub fn put(&mut self, key: &MachineKey, held: Held) {
        self.keep(key, held, Known::Seen);
    }

    /// Takes in what this webhook just decided that a Machine holds.
    pub fn note(&mut self, key: &MachineKey, held: Held) {
        self.keep(key, held, Known::Decided);
    }

    fn keep(&mut self, key: &MachineKey, held: Held, known: Known) {
        if self.held.get(key).is_some_and(|(before, how)| **before == held && *how == known) {
            return;
        }
        self.remove(key);
        let key = Arc::new(key.clone());
        for name in &held.names {
            add(&mut self.names, name, &key);
        }
        for mac in &held.macs {
            add(&mut self.macs, mac, &key);
        }
        if let Some(cluster) = &held.cluster {
            self.loads.change(cluster, |load| {
                load.machines += 1;
                load.unseen += u32::from(known == Known::Decided);
            });
        }
        self.held.insert_mut(key, (Arc::new(held), known));
    }

    /// Forgets a Machine.
    pub fn remove(&mut self, key: &MachineKey) {
        let Some((held, known)) = self.held.get(key).cloned() else { return };
        for name in &held.names {
            take(&mut self.names, name, key);
        }
        for mac in &held.macs {
            take(&mut self.macs, mac, key);
        }
        if let Some(cluster) = &held.cluster {
            self.loads.change(cluster, |load| {
                load.machines -= 1;
                load.unseen -= u32::from(known == Known::Decided);
            });
        }
        self.held.remove_mut(key);
    }

    /// Follows a KubevirtConfig whose `spec.namespace` changed: the names of the Machines on it are elsewhere now, unless
    /// theirs is recorded. A step for every Machine of the fleet.
    pub fn moved(&mut self, cluster: &ClusterName, world: &World) {
        let config = world.configs.get(cluster);
        let there = |held: &Held| held.cluster.as_ref() == Some(cluster) && !held.settled;
        let moved: Vec<_> = self
            .held
            .iter()
            .filter(|(_, (held, _))| there(held))
            .map(|(key, held)| (MachineKey::clone(key), held.clone()))
            .collect();
        for (key, (held, known)) in moved {
            let namespace = config.map_or(&*key.namespace, |it| it.remote_namespace(&key.namespace));
            let mut held = Held::clone(&held);
            held.names.iter_mut().for_each(|name| namespace.clone_into(&mut name.namespace));
            self.keep(&key, held, known);
        }
    }

    /// What a Machine holds.
    pub fn get(&self, key: &MachineKey) -> Option<&Held> {
        self.held.get(key).map(|(held, _)| &**held)
    }

    /// Another Machine that holds a name; of several, the first by name.
    pub fn holder(&self, name: &Name, but: &MachineKey) -> Option<&MachineKey> {
        others(self.names.get(name)?, but)
    }

    /// Another Machine that holds a MAC address, in lower case with colons; of several, the first by name.
    pub fn mac_holder(&self, mac: &str, but: &MachineKey) -> Option<&MachineKey> {
        others(self.macs.get(mac)?, but)
    }

    /// How many Machines are assigned to a cluster; quickly so with its [`Slot`].
    pub fn load(&self, cluster: &ClusterName, slot: Option<Slot>) -> Load {
        self.loads.get(cluster, slot)
    }

    /// The slot of a cluster, for its [`super::Config`].
    pub fn slot(&mut self, cluster: &ClusterName) -> Slot {
        self.loads.slot(cluster)
    }

    /// No Machine, and every cluster in the slot that it has here.
    #[must_use]
    pub fn emptied(&self) -> Machines {
        Machines { loads: self.loads.emptied(), ..Machines::default() }
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

fn others<'h>(holders: &'h Holders, but: &MachineKey) -> Option<&'h MachineKey> {
    holders.iter().map(|key| &**key).filter(|key| *key != but).min()
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
mod tests {
    use super::*;
    use crate::admission::Config;

    #[test]
    fn a24_x16_x38_what_a_machine_holds_is_read_from_what_it_says() {
        let key = MachineKey { namespace: "shop".to_owned(), name: "web".to_owned() };
        let mapped = Config { namespace: Some("vms".to_owned()), ..Config::default() };
        let configs = [("east", Config::default()), ("west", mapped)];
        let configs = configs.map(|(name, config)| (ClusterName(name.to_owned()), Arc::new(config)));
        let world = World { configs: configs.into(), ..World::default() };
        let resolved = r#"{"cores":1,"disks":[{"name":"root","size":"20Gi"},{"name":"data","size":"1Gi"}]}"#;
        let macs = ["52-54-00-AB-00-01".to_owned(), String::new()];
        let said = |cluster, resolved, vm_name| Said { cluster, resolved, vm_name, macs: &macs, ..Said::default() };
        let with_iso = |said: Said<'static>| Said { iso: true, macs: &macs, ..said };
        #[rustfmt::skip]
        let cases = [
            ("assigned",          said(Some("east"), Some(resolved), None),        vec!["east/shop VirtualMachine vm-web", "east/shop PersistentVolumeClaim web-root", "east/shop PersistentVolumeClaim web-data"]),
            ("X16: an ISO image", with_iso(Said { cluster: Some("east"), ..Said::default() }), vec!["east/shop VirtualMachine vm-web", "east/shop PersistentVolumeClaim web-iso"]),
            ("a mapped namespace", said(Some("west"), Some(resolved), None),       vec!["west/vms VirtualMachine vm-web", "west/vms PersistentVolumeClaim web-root", "west/vms PersistentVolumeClaim web-data"]),
            ("an unknown cluster", said(Some("nord"), None, None),                 vec!["nord/shop VirtualMachine vm-web"]),
            ("a recorded VM name", said(Some("east"), None, Some("old-web")),      vec!["east/shop VirtualMachine old-web"]),
            ("spoilt sizing",     said(Some("east"), Some("{\"disks\":7}"), Some("")), vec!["east/shop VirtualMachine vm-web"]),
            ("a recorded namespace", Said { namespace: Some("tenants"), ..said(Some("west"), None, None) }, vec!["west/tenants VirtualMachine vm-web"]),
            ("not assigned",      said(Some(""), Some(resolved), Some("vm-web")),  vec![]),
        ];
        for (case, said, wanted) in cases {
            let held = Held::of(&key, said, &world);
            let names = held.names.iter().map(|it| format!("{}/{} {} {}", it.cluster, it.namespace, it.kind, it.name));
            assert_eq!(names.collect::<Vec<_>>(), wanted, "{case}");
            assert_eq!(held.cluster.is_some(), !wanted.is_empty(), "{case}");
            assert_eq!(held.macs, ["52:54:00:ab:00:01"], "{case}");
        }
    }

    #[test]
    fn x38_names_follow_the_namespace_of_their_cluster() {
        let key = MachineKey { namespace: "shop".to_owned(), name: "web".to_owned() };
        let east = ClusterName("east".to_owned());
        let world = |namespace: Option<&str>| {
            let config = Config { namespace: namespace.map(str::to_owned), ..Config::default() };
            World { configs: [(east.clone(), Arc::new(config))].into(), ..World::default() }
        };
        let name = |namespace: &str| {
            let namespace = namespace.to_owned();
            Name { cluster: east.clone(), namespace, kind: VM, name: "vm-web".to_owned() }
        };
        let other = MachineKey { namespace: "shop".to_owned(), name: "other".to_owned() };
        let mut machines = Machines::default();
        machines.put(&key, Held::of(&key, Said { cluster: Some("east"), ..Said::default() }, &world(None)));
        machines.moved(&east, &world(Some("vms")));
        assert_eq!(machines.holder(&name("vms"), &other), Some(&key));
        assert_eq!((machines.holder(&name("shop"), &other), machines.load(&east, None).machines), (None, 1));
        machines.moved(&east, &World::default());
        assert_eq!(machines.holder(&name("shop"), &other), Some(&key), "its KubevirtConfig is gone");
        let recorded = Said { cluster: Some("east"), namespace: Some("shop"), ..Said::default() };
        machines.put(&key, Held::of(&key, recorded, &world(Some("vms"))));
        machines.moved(&east, &world(Some("tenants")));
        assert_eq!(machines.holder(&name("shop"), &other), Some(&key), "recorded: an edit moves no VM");
    }

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
            settled: false,
        };
        let load = |machines: &Machines| machines.load(&ClusterName("east".to_owned()), None).machines;
        let mut machines = Machines::default();
        machines.put(&key("web"), held(&["web-root", "web-data"], "52:54:00:00:00:01"));
        machines.put(&key("web-data"), held(&["web-data-root", "web-data"], "52:54:00:00:00:02"));
        let before = machines.clone();
        assert_eq!(machines.holder(&claim("web-data"), &key("web")), Some(&key("web-data")));
        assert_eq!(machines.holder(&claim("web-root"), &key("web")), None, "its own");
        assert_eq!(load(&machines), 2);
        machines.put(&key("web"), held(&["web-root"], "52:54:00:00:00:03"));
        assert_eq!(machines.mac_holder("52:54:00:00:00:01", &key("other")), None);
        assert_eq!(load(&machines), 2, "an edit is no second Machine");
        machines.remove(&key("web-data"));
        assert_eq!(machines.holder(&claim("web-data"), &key("other")), None);
        assert_eq!((load(&machines), machines.len()), (1, 1));
        assert_eq!(before.holder(&claim("web-data"), &key("other")), Some(&key("web")), "a snapshot does not change");
    }
}
