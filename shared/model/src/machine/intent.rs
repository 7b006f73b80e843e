//! What a Machine asks for, read once into types that cannot be wrong. Pure.

use kube::ResourceExt;

use crate::api::Machine;
use crate::message::{Recorded, Reference, Sizing, is_ours, names_to_look_under, said};
use crate::names::{self, ClusterName, MachineKey, VmKey, vm_name, vm_names};
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
        if !(is_ours(machine.spec.provider.as_deref()) || leaving && guarded) {
            return Intent::Foreign;
        }
        let annotation = |key: &str| said(machine.annotations().get(key).map(String::as_str));
        let assigned = annotation(names::KUBEVIRT_CONFIG);
        let recorded = recorded(machine, assigned);
        let identity = identity(machine, recorded, vm_prefix, mapped);
        if leaving {
            let finalizers = machine
                .finalizers()
                .iter()
                .filter(|name| [names::CLEANUP, names::LEGACY_FINALIZER].contains(&name.as_str()));
            return Intent::Leave(Leaving {
                cluster: recorded.and_then(|recorded| recorded.cluster).map(|name| ClusterName(name.to_owned())),
                finalizers: finalizers.cloned().collect(),
                policy: match machine.annotations().get(names::DELETION_POLICY).map(String::as_str) {
                    None | Some("Delete") => Ok(DeletionPolicy::Delete),
                    Some("Retain") => Ok(DeletionPolicy::Retain),
                    Some("Orphan") => Ok(DeletionPolicy::Orphan),
                    Some(unknown) => Err(unknown.to_owned()),
                },
                identity,
            });
        }
        let (Some(cluster), Some(resolved)) = (assigned, annotation(names::RESOLVED)) else {
            return Intent::Undecided(
                identity,
                Reason::NotAdmitted,
                "admission has not decided about this Machine yet".to_owned(),
            );
        };
        if let Some(was) = recorded.and_then(|recorded| recorded.cluster).filter(|name| *name != cluster) {
            let why = format!(
                "the annotation {} says {cluster:?}, but the VM is on {was:?}: set it back",
                names::KUBEVIRT_CONFIG
            );
            return Intent::Undecided(identity, Reason::InvalidAssignment, why);
        }
        let cluster = ClusterName(cluster.to_owned());
        match Sizing::read(resolved) {
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
                adopt: names_to_look_under(
                    annotation(names::PLACEMENT),
                    &cluster,
                    vm_names(vm_prefix, &identity.key.name),
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

/// The cluster that a Machine concerns: the one that is recorded, else the one that it is assigned to.
pub fn cluster_of(machine: &Machine) -> Option<ClusterName> {
    let assigned = said(machine.annotations().get(names::KUBEVIRT_CONFIG).map(String::as_str));
    let name = recorded(machine, assigned).and_then(|recorded| recorded.cluster).or(assigned);
    name.map(|name| ClusterName(name.to_owned()))
}

/// The cluster that the status records.
fn recorded<'m>(machine: &'m Machine, assigned: Option<&'m str>) -> Option<Recorded<'m>> {
    let reference = machine.status.as_ref()?.kubevirt_config_ref.as_ref()?;
    let reference = Reference {
        name: reference.name.as_deref(),
        cluster_id: reference.cluster_id.as_deref(),
        namespace: reference.namespace.as_deref(),
    };
    Recorded::read(reference, assigned)
}

fn identity(machine: &Machine, recorded: Option<Recorded<'_>>, vm_prefix: &str, mapped: Option<&str>) -> Identity {
    let namespace = machine.namespace().unwrap_or_default();
    let name = machine.name_any();
    let remote = recorded.map_or(said(mapped), |recorded| recorded.namespace);
    let vm = machine.status.as_ref().and_then(|status| said(status.vm_name.as_deref()));
    Identity {
        vm: VmKey {
            namespace: remote.map_or_else(|| namespace.clone(), str::to_owned),
            name: vm.map_or_else(|| vm_name(vm_prefix, &name), str::to_owned),
        },
        key: MachineKey { namespace, name },
        uid: machine.uid().unwrap_or_default(),
        generation: machine.metadata.generation.unwrap_or_default(),
        resource_version: machine.resource_version(),
        cluster_id: recorded.map(|recorded| recorded.id.to_owned()),
    }
}
