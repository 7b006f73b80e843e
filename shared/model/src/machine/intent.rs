//! What a Machine asks for, read once into types that cannot be wrong. Pure.

use kube::ResourceExt;

use super::adoption;
use crate::admission::sizing::Sizing;
use crate::api::Machine;
use crate::names::{self, ClusterName, MachineKey, VmKey};
use crate::reason::Reason;

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
    /// It carries our finalizer. Admission sets it, but a PUT without it may have passed by.
    pub guarded: bool,
    /// It carries the finalizer of the published operator (X12).
    pub legacy: bool,
    /// Names under which a VM is looked for before one is made: it may be adopted if it is what it is taken for.
    pub adopt: Vec<String>,
}

/// A Machine that is being deleted.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaving {
    /// What its remote objects are named and labelled after.
    pub identity: Identity,
    /// The cluster that its status records; `None` means that nothing was ever made (X58).
    pub cluster: Option<ClusterName>,
    /// What becomes of the VM and its disks (X57); an error is the unknown word, and nothing is deleted then.
    pub policy: Result<DeletionPolicy, String>,
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

impl Identity {
    /// The namespace on the cluster, where it is not the Machine's own.
    pub fn mapped(&self) -> Option<String> {
        (self.vm.namespace != self.key.namespace).then(|| self.vm.namespace.clone())
    }
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

/// The words of `vitistack.io/deletion-policy`.
pub const DELETION_POLICIES: [&str; 3] = ["Delete", "Retain", "Orphan"];

impl Intent {
    /// Reads a Machine. `vm_prefix` names VMs that have no name yet; `mapped` is the namespace that its KubevirtConfig asks
    /// for, which counts until one is recorded: an edit there moves no VM (X38).
    pub fn of(machine: &Machine, vm_prefix: &str, mapped: Option<&str>) -> Intent {
        // A provider that was changed while the webhook was away must not keep what we guard from being taken away.
        let guarded = machine.finalizers().iter().any(|name| name == names::CLEANUP);
        let leaving = machine.metadata.deletion_timestamp.is_some();
        let ours = matches!(machine.spec.provider.as_deref(), None | Some("" | "kubevirt"));
        if !(ours || leaving && guarded) {
            return Intent::Foreign;
        }
        let status = machine.status.clone().unwrap_or_default();
        let recorded = status.kubevirt_config_ref.unwrap_or_default();
        let cluster_id = recorded.cluster_id.filter(|id| !id.is_empty());
        let namespace = machine.namespace().unwrap_or_default();
        let name = machine.name_any();
        let remote = if cluster_id.is_some() { recorded.namespace } else { mapped.map(str::to_owned) };
        let remote = remote.filter(|remote| !remote.is_empty());
        let identity = Identity {
            vm: VmKey {
                namespace: remote.unwrap_or_else(|| namespace.clone()),
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
        if leaving {
            let finalizers = machine
                .finalizers()
                .iter()
                .filter(|name| [names::CLEANUP, names::LEGACY_FINALIZER].contains(&name.as_str()));
            return Intent::Leave(Leaving {
                cluster: identity.cluster_id.as_ref().and(recorded.name).map(ClusterName),
                finalizers: finalizers.cloned().collect(),
                policy: match annotation(names::DELETION_POLICY) {
                    None | Some("Delete") => Ok(DeletionPolicy::Delete),
                    Some("Retain") => Ok(DeletionPolicy::Retain),
                    Some("Orphan") => Ok(DeletionPolicy::Orphan),
                    Some(unknown) => Err(unknown.to_owned()),
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
        let cluster = ClusterName(cluster.to_owned());
        match serde_json::from_str(resolved) {
            Err(why) => Intent::Undecided(
                identity,
                Reason::InvalidAssignment,
                format!(
                    "the annotation {} cannot be read: {why}: set {} to a new value and admission writes it anew",
                    names::RESOLVED,
                    names::REFRESH_CLASS
                ),
            ),
            Ok(sizing) => Intent::Run(Box::new(Admitted {
                guarded,
                legacy: machine.finalizers().iter().any(|name| name == names::LEGACY_FINALIZER),
                adopt: adoption::names_to_look_under(
                    annotation(names::PLACEMENT),
                    &cluster,
                    adoption::vm_names(&identity.key.name, vm_prefix),
                )
                .into_iter()
                .filter(|vm| identity.cluster_id.is_none() || *vm == identity.vm.name)
                .collect(),
                identity,
                cluster,
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
