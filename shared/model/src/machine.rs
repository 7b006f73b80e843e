//! What to do about one Machine on the cluster it is assigned to. Pure; `controller/src/machine.rs` does it.
//!
//! [`Intent::of`] reads the Machine, [`plan`] compares it with what was [`Observed`], [`status()`] says what the Machine shows.

pub mod cleanup;
pub mod status;
pub mod storage;
pub mod vm;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use serde_json::Value;

use crate::admission::sizing::Sizing;
use crate::api::{Machine, MachineStatus};
use crate::names::{self, ClusterName, MachineKey, VmKey};
use crate::reason::Reason;
pub use status::status;

/// A Machine that provably carries an assignment and a sizing.
#[derive(Clone, Debug, PartialEq)]
pub struct Admitted {
    /// What every remote object of it is named and labelled after.
    pub identity: Identity,
    /// The cluster it is assigned to.
    pub cluster: ClusterName,
    /// The size that admission resolved.
    pub sizing: Sizing,
    /// KubeVirt's `runStrategy`.
    pub run_strategy: String,
}

/// A Machine that is being deleted.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaving {
    /// What its remote objects are named and labelled after.
    pub identity: Identity,
    /// The cluster that its status records; `None` means that nothing was ever made (X58).
    pub cluster: Option<ClusterName>,
    /// What becomes of the VM and its disks (X57).
    pub policy: DeletionPolicy,
    /// Our finalizers that it still carries.
    pub finalizers: Vec<String>,
}

/// Who a Machine is.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// Where it is on the supervisor.
    pub key: MachineKey,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.generation`.
    pub generation: i64,
    /// `metadata.resourceVersion`.
    pub resource_version: Option<String>,
    /// Its VM on the remote cluster.
    pub vm: VmKey,
    /// The identity of its cluster, once recorded.
    pub cluster_id: Option<String>,
}

/// What becomes of a VM and its disks when the Machine is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionPolicy {
    /// Everything goes.
    Delete,
    /// The VM goes, the disks stay.
    Retain,
    /// Everything stays and runs.
    Orphan,
}

/// What a Machine asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Intent {
    /// A VM.
    Run(Box<Admitted>),
    /// Nothing of it any more.
    Leave(Leaving),
    /// It passed no admission, or its annotations were spoilt; the sentence says how.
    Undecided(Identity, Reason, String),
    /// Another operator's.
    Foreign,
}

impl Intent {
    /// Reads a Machine. `vm_prefix` names VMs that have no name yet.
    pub fn of(machine: &Machine, vm_prefix: &str) -> Intent {
        if !matches!(machine.spec.provider.as_deref(), None | Some("" | "kubevirt")) {
            return Intent::Foreign;
        }
        let status = machine.status.clone().unwrap_or_default();
        let recorded = status.kubevirt_config_ref.unwrap_or_default();
        let cluster_id = recorded.cluster_id.filter(|id| !id.is_empty());
        let namespace = machine.namespace().unwrap_or_default();
        let name = machine.name_any();
        let identity = Identity {
            vm: VmKey {
                namespace: namespace.clone(),
                name: status.vm_name.unwrap_or_else(|| format!("{vm_prefix}{name}")),
            },
            key: MachineKey { namespace, name },
            uid: machine.uid().unwrap_or_default(),
            generation: machine.metadata.generation.unwrap_or_default(),
            resource_version: machine.resource_version(),
            cluster_id,
        };
        let annotation =
            |key: &str| machine.annotations().get(key).map(String::as_str).filter(|value| !value.is_empty());
        if machine.metadata.deletion_timestamp.is_some() {
            let finalizers = machine
                .finalizers()
                .iter()
                .filter(|name| [names::CLEANUP, names::LEGACY_FINALIZER].contains(&name.as_str()));
            return Intent::Leave(Leaving {
                cluster: identity.cluster_id.as_ref().and(recorded.name).map(ClusterName),
                finalizers: finalizers.cloned().collect(),
                policy: match annotation(names::DELETION_POLICY) {
                    Some("Retain") => DeletionPolicy::Retain,
                    Some("Orphan") => DeletionPolicy::Orphan,
                    _ => DeletionPolicy::Delete,
                },
                identity,
            });
        }
        let (Some(cluster), Some(resolved)) = (annotation(names::KUBEVIRT_CONFIG), annotation(names::RESOLVED)) else {
            return Intent::Undecided(
                identity,
                Reason::NotAdmitted,
                "admission has not decided about this Machine yet".to_owned(),
            );
        };
        if identity.cluster_id.is_some() && recorded.name.as_deref().is_some_and(|name| name != cluster) {
            let was = recorded.name.unwrap_or_default();
            let why = format!(
                "the annotation {} says {cluster:?}, but the VM is on {was:?}: set it back",
                names::KUBEVIRT_CONFIG
            );
            return Intent::Undecided(identity, Reason::InvalidAssignment, why);
        }
        match serde_json::from_str(resolved) {
            Err(why) => Intent::Undecided(
                identity,
                Reason::InvalidAssignment,
                format!("the annotation {} cannot be read: {why}", names::RESOLVED),
            ),
            Ok(sizing) => Intent::Run(Box::new(Admitted {
                identity,
                cluster: ClusterName(cluster.to_owned()),
                sizing,
                run_strategy: machine
                    .spec
                    .run_strategy
                    .clone()
                    .filter(|strategy| !strategy.is_empty())
                    .unwrap_or_else(|| "Always".to_owned()),
            })),
        }
    }

    /// The cluster that the Machine concerns.
    pub fn cluster(&self) -> Option<&ClusterName> {
        match self {
            Intent::Run(admitted) => Some(&admitted.cluster),
            Intent::Leave(leaving) => leaving.cluster.as_ref(),
            Intent::Undecided(..) | Intent::Foreign => None,
        }
    }

    /// Who it is, unless it is another operator's.
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Intent::Run(admitted) => Some(&admitted.identity),
            Intent::Leave(leaving) => Some(&leaving.identity),
            Intent::Undecided(identity, ..) => Some(identity),
            Intent::Foreign => None,
        }
    }
}

/// What one reconcile saw of one Machine's cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// UID of the supervisor's `kube-system` namespace.
    pub supervisor: String,
    /// The cluster.
    pub remote: Remote,
    /// Its VirtualMachine, by UID label.
    pub vm: Option<Vm>,
    /// Its VirtualMachineInstance.
    pub vmi: Option<Vmi>,
    /// Its claims by name.
    pub claims: BTreeMap<String, Claim>,
    /// The remote namespace is known to exist.
    pub namespace_known: bool,
    /// StorageClasses of the cluster.
    pub storage_classes: BTreeSet<String>,
    /// Names that we have created and whose watch event has not come yet.
    pub awaited: BTreeSet<(Kind, String)>,
}

/// Whether a cluster can be worked on. Unknown is never absent: only `Connected` says anything about its objects.
#[derive(Clone, Debug, PartialEq)]
pub enum Remote {
    /// There is no KubevirtConfig of that name.
    Missing,
    /// It is configured and was not asked to the end yet: nothing is known, not even that it is away.
    Connecting,
    /// It is configured, and does not answer or cannot be used; the sentence says why.
    Unreachable(String),
    /// It answers, and its watches are fresh.
    Connected {
        /// UID of its `kube-system` namespace.
        id: String,
    },
}

/// Kinds that are written on a remote cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `Namespace`.
    Namespace,
    /// `PersistentVolumeClaim`.
    Claim,
    /// `VirtualMachine`.
    Vm,
}

/// A VirtualMachine, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vm {
    /// Its name.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// Deletion was asked for.
    pub deleting: bool,
    /// Hash of the desired state it was last written from.
    pub hash: Option<String>,
    /// `status.printableStatus`.
    pub printable: String,
    /// Message of KubeVirt's condition `Failure`.
    pub failure: Option<String>,
    /// Message of KubeVirt's condition `RestartRequired`.
    pub restart_required: Option<String>,
}

/// A VirtualMachineInstance, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vmi {
    /// Its name.
    pub name: String,
    /// `status.phase`.
    pub phase: String,
    /// Condition `Ready` is true.
    pub ready: bool,
    /// `status.nodeName`.
    pub node: Option<String>,
    /// `status.interfaces`.
    pub interfaces: Vec<Nic>,
    /// Why it cannot be scheduled.
    pub unschedulable: Option<String>,
}

/// An interface that an instance reports.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Nic {
    /// Its name.
    pub name: Option<String>,
    /// Its MAC address.
    pub mac: Option<String>,
    /// Its addresses, the main one first.
    pub ips: Vec<String>,
}

/// A PersistentVolumeClaim, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claim {
    /// `metadata.uid`.
    pub uid: String,
    /// `status.phase`.
    pub phase: String,
    /// Deletion was asked for.
    pub deleting: bool,
}

/// One thing to do. The order of a plan is the order of effects.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Supervisor: record the identity of the cluster in the Machine's status before anything is made there.
    Record {
        /// The KubevirtConfig.
        cluster: ClusterName,
        /// UID of its `kube-system` namespace.
        id: String,
    },
    /// Supervisor: an empty patch, so that admission decides about a Machine that is older than the webhook.
    AskAdmission,
    /// Supervisor: take these finalizers off.
    Release(Vec<String>),
    /// Remote: create this object; one of ours by that name is as good.
    Create(Kind, String, Value),
    /// Remote: merge this into the object, if it is still that version.
    Merge(Kind, String, Value),
    /// Remote: delete the object of this name, if it still has this UID.
    Delete(Kind, String, String),
}

/// What to do, in order.
pub type Plan = Vec<Write>;

/// Why a write did not happen.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The reason it shows as.
    pub reason: Reason,
    /// The answer, for people.
    pub message: String,
}

/// What makes the Machine true. Empty when nothing is left to do; the rest is waiting for the cluster.
///
/// Guarantees: nothing is written before the cluster's identity is recorded, and nothing at all on a cluster with another
/// identity; the VM comes after its disks; what was created and not yet seen is not created again.
pub fn plan(intent: &Intent, seen: &Observed) -> Plan {
    match intent {
        Intent::Foreign | Intent::Undecided(_, Reason::InvalidAssignment, _) => Vec::new(),
        Intent::Undecided(..) => vec![Write::AskAdmission],
        Intent::Leave(leaving) => cleanup::plan(leaving, seen),
        Intent::Run(admitted) => run(admitted, seen),
    }
}

fn run(admitted: &Admitted, seen: &Observed) -> Plan {
    let Remote::Connected { id } = &seen.remote else { return Vec::new() };
    let identity = &admitted.identity;
    match &identity.cluster_id {
        Some(recorded) if recorded != id => return Vec::new(),
        Some(_) => {}
        None => return vec![Write::Record { cluster: admitted.cluster.clone(), id: id.clone() }],
    }
    let mut plan = Vec::new();
    if !seen.namespace_known {
        let namespace = &identity.vm.namespace;
        plan.push(Write::Create(Kind::Namespace, namespace.clone(), vm::namespace(namespace)));
    }
    plan.extend(storage::plan(admitted, seen));
    plan.extend(vm::plan(admitted, seen));
    plan
}

/// The status that goes with [`Write::Record`]: the one shown so far, and the cluster.
pub fn record(previous: &MachineStatus, intent: &Intent, cluster: &ClusterName, id: &str, now: Time) -> MachineStatus {
    let mut next = status::begun(previous, intent, now);
    next.phase = Some("Creating".to_owned());
    next.kubevirt_config_ref =
        Some(crate::api::AssignedConfig { name: Some(cluster.0.clone()), cluster_id: Some(id.to_owned()) });
    next
}
