//! All that admission may know: one immutable snapshot serves one decision. Pure.
//!
//! The large parts are persistent maps (`rpds`): a snapshot shares them with the one before it, so that a change costs the
//! same in a fleet of ten Machines and of a hundred thousand.

mod loads;
pub mod machines;
pub mod vms;

use std::collections::BTreeMap;
use std::sync::Arc;

use rpds::HashTrieMapSync;

pub use self::loads::{Load, Slot};
pub use self::machines::{Held, Machines, Name, Said};
pub use self::vms::{Owner, Vm};
use super::sizing::Class;
use crate::api::Selector;
pub use crate::machine::owner::Adoption;
use crate::names::{ClusterName, MachineKey, VmKey};

/// The labels of an object.
pub type Labels = BTreeMap<String, String>;

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
    /// Whether the author of the request may read these Secrets of the Machine's namespace; empty but in the World of a
    /// request for which that was asked (T9).
    pub readable: BTreeMap<String, Result<bool, String>>,
    /// The settings of this webhook.
    pub policy: Arc<Policy>,
}

/// What admission knows of a KubevirtConfig and its cluster.
#[derive(Clone, Debug)]
pub struct Config {
    /// `spec.schedulable`: may be chosen without being named.
    pub schedulable: bool,
    /// It has the capability `virtualmachines` (X53).
    pub virtual_machines: bool,
    /// Its labels, which `clusterSelector` matches.
    pub labels: Labels,
    /// Which namespaces may use it, by their labels; absent: all.
    pub allowed_namespaces: Option<Selector>,
    /// Remote namespace of everything; absent: the Machine's own (X38).
    pub namespace: Option<String>,
    /// Share of the load under `balanced`, at least 1.
    pub weight: u32,
    /// Where [`World::machines`] keep its load; absent: by its name.
    pub slot: Option<Slot>,
    /// User patches may touch scheduling (X46).
    pub allow_scheduling_patches: bool,
    /// Why the controller cannot use it, from its status.
    pub unhealthy: Option<String>,
    /// Machine types that its KubeVirt takes, `*` as wildcard; absent: unknown (X45).
    pub emulated_machines: Option<Vec<String>>,
    /// Its room; absent: unknown (X68).
    pub capacity: Option<Capacity>,
    /// What the webhook's own connection sees there.
    pub link: Link,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            schedulable: true,
            virtual_machines: true,
            labels: Labels::new(),
            allowed_namespaces: None,
            namespace: None,
            weight: 1,
            slot: None,
            allow_scheduling_patches: false,
            unhealthy: None,
            emulated_machines: None,
            capacity: None,
            link: Link::default(),
        }
    }
}

impl Config {
    /// The namespace on its cluster for a Machine of that namespace (X38).
    pub fn remote_namespace<'s>(&'s self, namespace: &'s str) -> &'s str {
        self.namespace.as_deref().filter(|mapped| !mapped.is_empty()).unwrap_or(namespace)
    }
}

/// Room of a cluster, from `status.capacity`. CPU in thousandths, memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capacity {
    /// The largest schedulable node.
    pub largest: Room,
    /// What is not requested yet on all of them together.
    pub free: Room,
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
pub struct Link {
    /// Why the cluster counts as not answering; what the maps hold is then old. *Silent* is never *empty*.
    pub silent: Option<String>,
    /// Why its StorageClasses are not known although it answered about VirtualMachines, which alone are asked live (X69).
    pub classes_silent: Option<String>,
    /// Every VirtualMachine there.
    pub vms: HashTrieMapSync<VmKey, Vm>,
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

/// Settings that decisions depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `DEFAULT_KUBEVIRT_CONFIG`.
    pub default_cluster: Option<ClusterName>,
    /// Where KubevirtConfigs live; `None` where the CRD is cluster-scoped (X8, X9).
    pub configs_namespace: Option<String>,
    /// `VM_NAME_PREFIX`.
    pub vm_prefix: String,
    /// `PVC_ACCESS_MODE`.
    pub access_mode: String,
    /// `PVC_VOLUME_MODE`.
    pub volume_mode: Option<String>,
    /// `PLACEMENT_STRATEGY`.
    pub strategy: Strategy,
    /// `WEBHOOK_REPLICAS`: how many webhooks decide at the same time.
    pub replicas: u32,
    /// `PLACEMENT_WHEN_UNREACHABLE`; absent: refuse under `strict`, skip under `balanced` (X48).
    pub when_unreachable: Option<WhenUnreachable>,
    /// `ADOPTION`.
    pub adoption: Adoption,
    /// `ADOPT_BEFORE_DEFAULT`: a VM that is known on one cluster outranks the default (X4).
    pub adopt_before_default: bool,
    /// UID of the supervisor's `kube-system`.
    pub supervisor: String,
    /// The operator's own namespace, whose Machines are refused (X67).
    pub own_namespace: String,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            default_cluster: None,
            configs_namespace: Some("default".to_owned()),
            vm_prefix: "vm-".to_owned(),
            access_mode: "ReadWriteOnce".to_owned(),
            volume_mode: None,
            strategy: Strategy::Strict,
            replicas: 1,
            when_unreachable: None,
            adoption: Adoption::Unowned,
            adopt_before_default: false,
            supervisor: String::new(),
            own_namespace: String::new(),
        }
    }
}

impl Policy {
    /// What a silent cluster means for a search (X48).
    pub fn when_unreachable(&self) -> WhenUnreachable {
        self.when_unreachable.unwrap_or(match self.strategy {
            Strategy::Strict => WhenUnreachable::Refuse,
            Strategy::Balanced => WhenUnreachable::Skip,
        })
    }
}

/// How one of several clusters is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Not at all: the author must choose.
    Strict,
    /// The less loaded of two drawn at random.
    Balanced,
}

/// What a cluster that does not answer means when it has to be searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenUnreachable {
    /// The Machine is refused.
    Refuse,
    /// The cluster is left out, with a warning.
    Skip,
}
