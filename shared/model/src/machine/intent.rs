//! What a Machine asks for, read once into types that cannot be wrong. Pure.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;

use super::carried::may_need_secret;
use super::identity::{Identity, Shown, astray, identity, may_have_claims, recorded};
use crate::api::machine::status::DiskStatus;
use crate::api::{KubevirtConfigSpec, Machine, MachineSpec};
use crate::message::{Sizing, is_ours, names_to_look_under, said};
use crate::names::{self, ClusterName, vm_names};
use crate::patch::UserPatches;
use crate::reason::{Reason, Violation};

/// A Machine that provably carries an assignment and a sizing.
#[derive(Clone, Debug, PartialEq)]
pub struct Admitted {
    /// What every remote object of it is named and labelled after.
    pub identity: Identity,
    /// The cluster it is assigned to.
    pub cluster: ClusterName,
    /// The size that admission resolved.
    pub sizing: Sizing,
    /// What its author asks for. Its size counts as resolved in `sizing`.
    pub spec: MachineSpec,
    /// The disks that its status shows.
    pub disks: Vec<DiskStatus>,
    /// Its namespace on the cluster, where that may be other namespaces' Machines', too (X38).
    pub shared: Option<String>,
    /// Its annotations in our two domains, by their full keys.
    pub words: BTreeMap<String, String>,
    /// What those say about the objects that are written. Admission has judged it, unless it is older than the webhook.
    pub patches: Result<UserPatches, Vec<Violation>>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// KubeVirt's `runStrategy`.
    pub run_strategy: String,
    /// The author says so. Else it counts when the VM is made, and from then on power is the cluster's own tools' (X96).
    pub power_declared: bool,
    /// It carries our finalizer. Admission sets it, but a PUT without it may have passed by.
    pub guarded: bool,
    /// It carries the finalizer of the published operator (X12).
    pub legacy: bool,
    /// Names under which a VM is looked for before one is made: it may be adopted if it is what it is taken for.
    pub adopt: Vec<String>,
    /// Which VM under these names counts.
    pub sought: Sought,
}

/// Which VM a Machine looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    /// Any that it may adopt.
    Any,
    /// One that an earlier self left: there was none when admission looked, and one was met since.
    Left,
}

/// A Machine that is being deleted.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaving {
    /// What its remote objects are named and labelled after.
    pub identity: Identity,
    /// The cluster that its status records, else the one that it is assigned to.
    pub cluster: Option<ClusterName>,
    /// What becomes of the VM and its disks (X57); an error is the unknown word, and nothing is deleted then.
    pub policy: Result<DeletionPolicy, String>,
    /// Our finalizers that it still carries.
    pub finalizers: Vec<String>,
    /// A Secret may have been made for its cloud-init data, by its spec.
    pub may_have_secret: bool,
    /// The claims that it may have, by its status, size and spec: they are asked for by name where no watch shows them.
    pub claims: BTreeSet<String>,
    /// It names its cluster as gone for good (R4): whoever may say that is judged when it is said.
    pub forsakes_cluster: bool,
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

impl DeletionPolicy {
    /// The policy of a word, which is `Delete` unless one is said; an error is a word that nobody knows.
    pub fn read(word: Option<&str>) -> Result<Self, String> {
        match word {
            None | Some("Delete") => Ok(Self::Delete),
            Some("Retain") => Ok(Self::Retain),
            Some("Orphan") => Ok(Self::Orphan),
            Some(unknown) => Err(unknown.to_owned()),
        }
    }

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Delete => DELETION_POLICIES[0],
            Self::Retain => DELETION_POLICIES[1],
            Self::Orphan => DELETION_POLICIES[2],
        }
    }
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

fn read_patches(machine: &Machine) -> Result<UserPatches, Vec<Violation>> {
    UserPatches::read(machine.annotations().iter().map(|(key, value)| (key.as_str(), value.as_str())))
}

fn words(machine: &Machine) -> BTreeMap<String, String> {
    let ours = |key: &&String| names::PATCH_PREFIXES.iter().any(|prefix| key.starts_with(prefix));
    let words = machine.annotations().iter().filter(|(key, _)| ours(key));
    words.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The names to look for a VM under, and whether only what an earlier self left counts there. That of one that is taken over is
/// where it was, whatever was found or recorded meanwhile.
fn to_look_under(
    machine: &Machine,
    identity: &Identity,
    placement: Option<&str>,
    cluster: &ClusterName,
    vm_prefix: &str,
) -> (Vec<String>, Sought) {
    let all = vm_names(vm_prefix, &identity.key.name);
    if identity.take_over.is_some() {
        return (all, Sought::Any);
    }
    let hinted = names_to_look_under(placement, cluster, all).into_iter();
    let hinted: Vec<String> = hinted.filter(|vm| identity.cluster_id.is_none() || *vm == identity.vm.name).collect();
    let said = machine.status.iter().flat_map(|status| &status.conditions);
    let met = hinted.is_empty() && said.into_iter().any(|it| it.reason == Reason::Conflict.code());
    if met { (vec![identity.vm.name.clone()], Sought::Left) } else { (hinted, Sought::Any) }
}

impl Intent {
    /// Reads a Machine. `vm_prefix` names VMs that have no name yet; `config` is what its KubevirtConfig says;
    /// `shown` is what carries the Machine's UID on its cluster.
    ///
    /// A recorded namespace counts where it is that one, or where there is something of the Machine: an edit of the
    /// KubevirtConfig moves no VM (X38), and whoever may write the status leads us nowhere (ATK4).
    pub fn of(machine: &Machine, vm_prefix: &str, config: Option<&KubevirtConfigSpec>, shown: &Shown) -> Intent {
        // A provider that was changed while the webhook was away must not keep what we guard from being taken away.
        let guarded = machine.finalizers().iter().any(|name| name == names::CLEANUP);
        let leaving = machine.metadata.deletion_timestamp.is_some();
        if !(is_ours(machine.spec.provider.as_deref()) || leaving && guarded) {
            return Intent::Foreign;
        }
        let annotation = |key: &str| said(machine.annotations().get(key).map(String::as_str));
        let assigned = annotation(names::KUBEVIRT_CONFIG);
        let recorded = recorded(machine, assigned);
        let identity = identity(machine, recorded, vm_prefix, config, shown);
        let was = recorded.and_then(|recorded| recorded.cluster);
        if let (Some(cluster), Some(was)) = (assigned, was.filter(|was| Some(*was) != assigned)) {
            let key = names::KUBEVIRT_CONFIG;
            let why = format!("the annotation {key} says {cluster:?}, but the VM is on {was:?}: set it back");
            return Intent::Undecided(identity, Reason::InvalidAssignment, why);
        }
        if leaving {
            let finalizers = machine
                .finalizers()
                .iter()
                .filter(|name| [names::CLEANUP, names::LEGACY_FINALIZER].contains(&name.as_str()));
            return Intent::Leave(Leaving {
                cluster: was.or(assigned).map(|name| ClusterName(name.to_owned())),
                finalizers: finalizers.cloned().collect(),
                policy: DeletionPolicy::read(machine.annotations().get(names::DELETION_POLICY).map(String::as_str)),
                may_have_secret: may_need_secret(&machine.spec),
                claims: may_have_claims(machine, annotation(names::RESOLVED)),
                forsakes_cluster: annotation(names::RELEASE_FROM).is_some_and(|name| was.or(assigned) == Some(name)),
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
        if let Some(why) = astray(&identity, recorded, shown) {
            return Intent::Undecided(identity, Reason::InvalidAssignment, why);
        }
        let cluster = ClusterName(cluster.to_owned());
        let (adopt, sought) = to_look_under(machine, &identity, annotation(names::PLACEMENT), &cluster, vm_prefix);
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
                adopt,
                sought,
                shared: (!identity.alone).then(|| identity.vm.namespace.clone()),
                disks: machine.status.as_ref().map(|status| status.disks.clone()).unwrap_or_default(),
                identity,
                cluster,
                sizing,
                spec: machine.spec.clone(),
                words: words(machine),
                patches: read_patches(machine),
                labels: machine.labels().clone(),
                run_strategy: said(machine.spec.run_strategy.as_deref()).unwrap_or("Always").to_owned(),
                power_declared: said(machine.spec.run_strategy.as_deref()).is_some(),
            })),
        }
    }

    /// Machines of other namespaces are recorded where its VM is: whatever its KubevirtConfig says now, it is not alone there.
    pub fn share(&mut self) {
        let identity = match self {
            Intent::Run(admitted) => {
                admitted.shared = Some(admitted.identity.vm.namespace.clone());
                &mut admitted.identity
            }
            Intent::Leave(leaving) => &mut leaving.identity,
            Intent::Undecided(identity, ..) => identity,
            Intent::Foreign => return,
        };
        identity.alone = false;
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
