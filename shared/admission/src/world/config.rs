//! What admission knows of a KubevirtConfig, its cluster, and the networks of the supervisor. Pure.

use std::borrow::Cow;

use model::api::Selector;
use model::machine::owner::{Owner, Ownership};
use model::names::{ClusterName, MachineKey, VmKey, is_alone, namespace_on_cluster};
use rpds::HashTrieMapSync;

use super::Labels;

/// What admission knows of a KubevirtConfig and its cluster.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools)] // reason: each is a word of the KubevirtConfig
pub struct Config {
    /// `spec.schedulable`: may be chosen without being named.
    pub schedulable: bool,
    /// It is being deleted: it takes no new Machines (R5).
    pub leaving: bool,
    /// It has the capability `virtualmachines` (X53).
    pub virtual_machines: bool,
    /// The identity of its cluster, from its status, and when the KubevirtConfig was made.
    pub identity: Option<(String, String)>,
    /// An older KubevirtConfig leads to the same cluster, and is the one that counts (X98).
    pub duplicate_of: Option<ClusterName>,
    /// Its labels, which `clusterSelector` matches.
    pub labels: Labels,
    /// Which namespaces may use it, by their labels; absent: all.
    pub allowed_namespaces: Option<Selector>,
    /// Remote namespace of everything, or a template of it; absent: the Machine's own (X38).
    pub namespace: Option<String>,
    /// Share of the load under `balanced`, at least 1.
    pub weight: u32,
    /// User patches may touch scheduling (X46).
    pub allow_scheduling_patches: bool,
    /// Supervisors that are lost, whose Machines' VMs may be taken over (X99).
    pub take_over_from: Vec<String>,
    /// Why the controller cannot use it, from its status.
    pub unhealthy: Option<String>,
    /// Machine types that its KubeVirt takes, `*` as wildcard; absent: unknown (X45).
    pub emulated_machines: Option<Vec<String>>,
    /// Its room; absent: unknown (X68).
    pub capacity: Option<Capacity>,
    /// What the webhook's own connection sees there.
    pub inventory: Inventory,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            schedulable: true,
            leaving: false,
            virtual_machines: true,
            identity: None,
            duplicate_of: None,
            labels: Labels::new(),
            allowed_namespaces: None,
            namespace: None,
            weight: 1,
            allow_scheduling_patches: false,
            take_over_from: Vec::new(),
            unhealthy: None,
            emulated_machines: None,
            capacity: None,
            inventory: Inventory::default(),
        }
    }
}

impl Config {
    /// The namespace on its cluster for a Machine of that namespace (X38).
    pub fn remote_namespace<'s>(&'s self, namespace: &'s str) -> Cow<'s, str> {
        namespace_on_cluster(self.namespace.as_deref(), namespace)
    }

    /// Whether a namespace on its cluster is for Machines of that one namespace only.
    pub fn is_alone(&self, namespace: &str, remote: &str) -> bool {
        is_alone(self.namespace.as_deref(), namespace, remote)
    }

    /// Whether the objects of a Machine may be in a namespace that its status names: it is sent there, or one of these VMs
    /// there is its own (ATK4). The controller asks the same.
    pub fn is_home<'n>(
        &self,
        namespace: &str,
        machine: &MachineKey,
        mut vms: impl Iterator<Item = &'n str>,
        (uid, supervisor): (&str, &str),
    ) -> bool {
        let is_its_own = |vm: &Ownership| matches!(&vm.owner, Some(Owner::Machine { supervisor: theirs, uid: owner, .. }) if theirs == supervisor && owner == uid);
        let key = |name: &str| VmKey { namespace: namespace.to_owned(), name: name.to_owned() };
        self.remote_namespace(&machine.namespace) == namespace
            || !uid.is_empty() && vms.any(|vm| self.inventory.vms.get(&key(vm)).is_some_and(is_its_own))
    }
}

/// Room of a cluster, from `status.capacity`. CPU in thousandths, memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capacity {
    /// The largest schedulable node.
    pub largest: Room,
    /// What is not requested yet on all of them together.
    pub free: Room,
    /// When that was read, in seconds.
    pub read: Option<i64>,
}

/// CPU and memory; absent: unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Thousandths of a CPU.
    pub cpu: Option<u64>,
    /// Bytes.
    pub memory: Option<u64>,
}

/// What the webhook's watches of one cluster hold. By default it is fresh and empty.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// Why the cluster counts as not answering; what the maps hold is then old. *Silent* is never *empty*.
    pub silent: Option<String>,
    /// Why its StorageClasses are not known although it answered about VirtualMachines, which alone are asked live (X69).
    pub classes_silent: Option<String>,
    /// Every VirtualMachine there.
    pub vms: HashTrieMapSync<VmKey, Ownership>,
    /// The names of its StorageClasses.
    pub storage_classes: HashTrieMapSync<String, ()>,
}

/// NetworkConfigurations and NetworkNamespaces of the supervisor, by namespace and name (X36).
#[derive(Clone, Debug, Default)]
pub struct Networks {
    /// Every NetworkConfiguration; whether it carries our label, as the record of a Machine does (X59).
    pub configurations: HashTrieMapSync<MachineKey, bool>,
    /// Every NetworkNamespace.
    pub namespaces: HashTrieMapSync<MachineKey, ()>,
    /// Why NetworkNamespaces are not known: one that is missing here may exist. Where the kind is not installed, there is none.
    pub unlisted: Option<String>,
}
