//! All that admission may know: one immutable snapshot serves one decision. Pure.
//!
//! The large parts are persistent maps (`rpds`): a snapshot shares them with the one before it, so that a change costs the
//! same in a fleet of ten Machines and of a hundred thousand.

mod awaited;
mod class;
mod config;
mod labels;
pub mod machines;
mod policy;
mod size;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use model::clusters::elders;
use model::message::said;
use model::names::{ClusterName, ISO_DISK, MachineKey, Name, VM, names_on_cluster, vm_name};
use rpds::HashTrieMapSync;

pub use self::class::Class;
pub use self::config::{Capacity, Config, Inventory, Networks, Room};
pub use self::labels::Labels;
pub use self::machines::{Held, Home, Load, Machines, Stored};
pub use self::policy::{Policy, Strategy, WhenUnreachable};
pub use self::size::Size;
pub(crate) use self::size::{say_cpus, say_memory};
use crate::needs::Answers;

/// All that admission may know. To clone it costs a few reference counts and one for each cluster.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// Every KubevirtConfig.
    pub configs: BTreeMap<ClusterName, Arc<Config>>,
    /// Every MachineClass.
    pub classes: Arc<BTreeMap<String, Class>>,
    /// The labels of every namespace of the supervisor.
    pub namespaces: HashTrieMapSync<String, Arc<Labels>>,
    /// Networks that Machines may be attached to, and the records of Machines.
    pub networks: Networks,
    /// What the Machines of this fleet hold.
    pub machines: Machines,
    /// Whether the author of the request may read these Secrets of the Machine's namespace (T9); absent unless that was
    /// asked for this one request. What was not answered is not asked again.
    pub readable: Option<BTreeMap<String, Result<bool, String>>>,
    /// The settings of this webhook.
    pub policy: Arc<Policy>,
}

impl World {
    /// This World together with the answers, for the one request that they were asked for.
    #[must_use]
    pub fn knowing(&self, answers: Answers) -> World {
        let mut world = self.clone();
        for (cluster, asked) in answers.vms {
            let Some(config) = world.configs.get_mut(&cluster) else { continue };
            let inventory = &mut Arc::make_mut(config).inventory;
            // It was asked for VirtualMachines alone: what else its watches hold is as old as before.
            inventory.classes_silent = inventory.silent.take().or(inventory.classes_silent.take());
            for (key, vm) in asked {
                match vm {
                    Some(vm) => inventory.vms.insert_mut(key, vm),
                    // It was deleted while nobody watched.
                    None => drop(inventory.vms.remove_mut(&key)),
                }
            }
        }
        world.readable = Some(answers.readable);
        world
    }

    /// What a Machine holds. Without an assignment that is its MAC addresses; without a readable size, no disks.
    pub fn held(&self, key: &MachineKey, stored: &Stored) -> Held {
        let macs = stored.macs.iter().filter(|mac| !mac.is_empty());
        let macs = macs.map(|mac| mac.to_ascii_lowercase().replace('-', ":")).collect();
        let Some(cluster) = said(stored.cluster.as_deref()).map(|name| ClusterName(name.to_owned())) else {
            return Held { macs, ..Held::default() };
        };
        let namespace = stored.namespace.as_deref().map(Cow::Borrowed);
        let namespace = namespace.unwrap_or_else(|| self.remote_namespace(&cluster, &key.namespace));
        let vm = said(stored.vm_name.as_deref()).map(str::to_owned);
        let vm = vm.unwrap_or_else(|| vm_name(&self.policy.vm_prefix, &key.name));
        let disks = stored.disks.iter().map(String::as_str).chain(stored.iso.then_some(ISO_DISK));
        let names = names_on_cluster(&cluster, &namespace, &key.name, vm, disks);
        let home = match &stored.namespace {
            None => Home::Unrecorded,
            Some(namespace) if *namespace == key.namespace => Home::Own,
            Some(_) => Home::Another(stored.uid.as_str().into()),
        };
        let awaited = stored.size.filter(|_| stored.on_node.is_none()).map(Box::new);
        Held { cluster: Some(cluster), names, macs, home, awaited }
    }

    /// Another Machine that holds a name; of several, the first by name.
    pub fn holder(&self, name: &Name, but: &MachineKey) -> Option<&MachineKey> {
        let is_there = |key: &&MachineKey| match self.machines.get(key) {
            Some(Held { home: Home::Another(uid), names, .. }) => {
                let vms = names.iter().filter(|held| held.kind == VM).map(|held| held.name.as_str());
                let config = self.configs.get(&name.cluster);
                config.is_some_and(|it| it.is_home(&name.namespace, key, vms, (uid, &self.policy.supervisor)))
            }
            _ => true,
        };
        self.machines.holders(name, but).filter(is_there).min()
    }

    /// Follows a KubevirtConfig whose `spec.namespace` changed: the names of the Machines on it are elsewhere now, unless
    /// theirs is recorded. A step for every Machine of the fleet.
    pub fn move_names(&mut self, cluster: &ClusterName) {
        let mut machines = std::mem::take(&mut self.machines);
        machines.move_names(cluster, |namespace| self.remote_namespace(cluster, namespace).into_owned());
        self.machines = machines;
    }

    /// Finds KubevirtConfigs that lead to one cluster. To be called when one came, went, or was connected.
    pub fn find_duplicates(&mut self) {
        let elders =
            elders(self.configs.iter().map(|(name, config)| {
                (name, config.identity.as_ref().map(|(id, since)| (id.as_str(), since.as_str())))
            }));
        let elder = |(name, config): (&ClusterName, &Arc<Config>)| {
            let elder = elders.get(name).copied();
            (config.duplicate_of.as_ref() != elder).then(|| (name.clone(), elder.cloned()))
        };
        let changed: Vec<_> = self.configs.iter().filter_map(elder).collect();
        for (name, elder) in changed {
            if let Some(config) = self.configs.get_mut(&name) {
                Arc::make_mut(config).duplicate_of = elder;
            }
        }
    }

    fn remote_namespace<'s>(&'s self, cluster: &ClusterName, namespace: &'s str) -> Cow<'s, str> {
        let config = self.configs.get(cluster);
        config.map_or(Cow::Borrowed(namespace), |config| config.remote_namespace(namespace))
    }
}
