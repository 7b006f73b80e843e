//! Which clusters a Machine may be on, and where its VM is already. Pure. A4, X6, X7, X48, X51 to X54.

use std::borrow::Cow;

use model::api::Selector;
use model::machine::owner::{self, Asking, Owner};
use model::names::{self, ClusterName, MachineKey, VmKey, vm_names};

use crate::findings::Findings;
use crate::review::{Object, Request};
use crate::rules::form::shown;
use crate::world::{Config, Labels, Size, Strategy, World};

/// The Machine that is to be placed.
pub(super) struct Subject<'r, 'a> {
    pub(super) request: &'r Request<'a>,
    pub(super) object: &'r Object<'a>,
    /// The names that its VM may have in its own namespace: the one that we give, and the one that the published operator
    /// gave (X2). None while the Machine has no name.
    vms: Vec<VmKey>,
    key: MachineKey,
    /// What it takes of its cluster.
    pub(super) size: Option<Size>,
}

/// A KubevirtConfig and its name.
pub(super) type Member<'w> = (&'w ClusterName, &'w Config);

impl<'r, 'a> Subject<'r, 'a> {
    pub(super) fn new(request: &'r Request<'a>, object: &'r Object<'a>, size: Option<Size>, world: &World) -> Self {
        let names = match object.name() {
            "" => Vec::new(),
            name => vm_names(&world.policy.vm_prefix, name),
        };
        let key = |name| VmKey { namespace: (*request.namespace).to_owned(), name };
        let vms = names.into_iter().map(key).collect();
        let key = MachineKey { namespace: (*request.namespace).to_owned(), name: object.name().to_owned() };
        Self { request, object, vms, key, size }
    }

    /// Namespace and name; the latter is empty where it is not known.
    pub(super) fn key(&self) -> &MachineKey {
        &self.key
    }

    /// Its name; empty under `generateName` in the mutating call (X77).
    pub(super) fn name(&self) -> &str {
        self.object.name()
    }

    /// As a person would call it; under `generateName` only the prefix is known.
    pub(super) fn called(&self) -> String {
        let name = self.request.called();
        format!("{}/{name}", &*self.request.namespace)
    }

    /// Its constraint on clusters; an empty one is none.
    pub(super) fn selector(&self) -> Option<&Selector> {
        let selector = self.object.spec.cluster_selector.as_deref();
        selector.filter(|selector| !(selector.match_labels.is_empty() && selector.match_expressions.is_empty()))
    }

    /// How one of several clusters is chosen for it: as it says itself, else as for all.
    pub(super) fn strategy(&self, world: &World) -> Strategy {
        let word = self.object.annotation(|all| &all.placement_strategy);
        word.and_then(Strategy::of).unwrap_or(world.policy.strategy)
    }

    /// What it asks for a VM as, on the cluster of this KubevirtConfig. It is alone where no other namespace has its VMs there.
    pub(super) fn asking<'s>(&'s self, config: &'s Config, world: &'s World) -> Asking<'s> {
        let uid = self.object.metadata.uid.as_deref().unwrap_or_default();
        let take_over = self.object.annotation(|all| &all.take_over);
        let (supervisor, lost) = (&world.policy.supervisor, &config.take_over_from);
        let own = &*self.request.namespace;
        let alone = config.is_alone(own, &config.remote_namespace(own));
        Asking { machine: &self.key, uid, supervisor, lost, alone, take_over }
    }

    /// The names that its VM may have on a cluster (X38).
    pub(super) fn vms(&self, config: &Config) -> Cow<'_, [VmKey]> {
        let namespace = config.remote_namespace(&self.request.namespace);
        if self.vms.iter().all(|key| key.namespace == namespace) {
            return Cow::Borrowed(&self.vms);
        }
        self.vms.iter().map(|key| VmKey { namespace: namespace.clone().into_owned(), name: key.name.clone() }).collect()
    }
}

/// Why a KubevirtConfig is not chosen from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dropped {
    NotAllowed,
    NotSelected,
    NotCapable,
    Duplicate,
    Leaving,
    Unschedulable,
    Taken,
    Silent,
    Unhealthy,
    NoRoom,
}

impl Dropped {
    /// The word in the explanation.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Dropped::NotAllowed => "notAllowed",
            Dropped::NotSelected => "notSelected",
            Dropped::NotCapable => "notCapable",
            Dropped::Duplicate => "duplicate",
            Dropped::Leaving => "leaving",
            Dropped::Unschedulable => "unschedulable",
            Dropped::Taken => "nameTaken",
            Dropped::Silent => "silent",
            Dropped::Unhealthy => "unhealthy",
            Dropped::NoRoom => "noRoom",
        }
    }
}

/// The clusters that the Machine may be on, and why each of the others is not among them.
pub(super) struct Set<'w> {
    /// Where the Machine may be.
    pub(super) members: Vec<Member<'w>>,
    /// Where it may not be, and why.
    pub(super) dropped: Vec<(&'w ClusterName, Dropped)>,
}

/// Every KubevirtConfig that the Machine may be on.
pub(super) fn set<'w>(subject: &Subject<'_, '_>, world: &'w World) -> Set<'w> {
    let mut set = Set { members: Vec::new(), dropped: Vec::new() };
    let selector = subject.selector();
    for (name, config) in &world.configs {
        let why = if !allowed(config, &subject.request.namespace, world) {
            Dropped::NotAllowed
        } else if selector.is_some_and(|selector| !selector.matches(&config.labels)) {
            Dropped::NotSelected
        } else if !config.virtual_machines {
            Dropped::NotCapable
        } else if config.duplicate_of.is_some() {
            Dropped::Duplicate
        } else {
            set.members.push((name, config));
            continue;
        };
        set.dropped.push((name, why));
    }
    set
}

/// The label that every namespace carries.
const NAME: &str = "kubernetes.io/metadata.name";

/// Whether Machines of a namespace may be placed by this KubevirtConfig (T10). Of a namespace that no watch has shown yet
/// only the label that every namespace carries is known.
pub(super) fn allowed(config: &Config, namespace: &str, world: &World) -> bool {
    let Some(selector) = &config.allowed_namespaces else { return true };
    if let Some(labels) = world.namespaces.get(namespace) {
        return selector.matches(labels);
    }
    // That another label is absent is not known.
    let expressions = selector.match_expressions.iter().map(|expression| &expression.key);
    selector.match_labels.keys().chain(expressions).all(|key| key == NAME)
        && selector.matches(&Labels::from([(NAME.to_owned(), namespace.to_owned())]))
}

/// What a cluster holds under the names of a Machine's VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Located {
    /// Nothing that matters.
    Absent,
    /// The Machine's VM, or one that it may adopt.
    Found(String),
    /// A VM that is somebody else's holds the name that the Machine's VM would get; whose, in words.
    Taken(String),
}

/// Looks for a Machine's VM on a cluster that has to be searched. One that does not answer is to be asked (X43).
pub(super) fn search(
    subject: &Subject<'_, '_>,
    (name, config): Member<'_>,
    world: &World,
    found: &mut Findings,
) -> Located {
    if config.inventory.silent.is_some() && !subject.name().is_empty() {
        found.needs.vms.insert(name.clone(), subject.vms(config).into_owned());
    }
    locate(subject, (name, config), world)
}

/// Looks for a Machine's VM on one cluster, as far as its watch knows.
pub(super) fn locate(subject: &Subject<'_, '_>, (cluster, config): Member<'_>, world: &World) -> Located {
    let mut located = Located::Absent;
    if config.inventory.vms.is_empty() {
        return located;
    }
    for (index, key) in subject.vms(config).iter().enumerate() {
        let Some(vm) = config.inventory.vms.get(key) else { continue };
        let asking = subject.asking(config, world);
        let stranger = || owner::stranger(vm, asking, world.policy.adoption);
        let whose = if is_held(subject, cluster, key, world) { None } else { stranger() };
        match whose {
            None => return Located::Found(key.name.clone()),
            // A VM that is being deleted frees its name before the controller needs it; and nothing new is created under the
            // legacy name, but one that an earlier self has there has its disks, too.
            Some(_) if vm.deleting || index > 0 && !asking.is_earlier_selfs(vm) => {}
            Some(whose) => located = Located::Taken(format!("VirtualMachine {key} {whose}")),
        }
    }
    located
}

/// Warns of a wish to take over what is not there. Disks may be, which no watch of admission shows.
pub(super) fn warn_unless_left(
    subject: &Subject<'_, '_>,
    old: Option<&Object<'_>>,
    (name, config): Member<'_>,
    world: &World,
    found: &mut Findings,
) {
    let said = |object: &'_ Object<'_>| object.annotation(|all| &all.take_over).map(str::to_owned);
    let Some(earlier) = said(subject.object).filter(|earlier| old.and_then(said).as_ref() != Some(earlier)) else {
        return;
    };
    let vms = subject.vms(config);
    let mut there = vms.iter().filter_map(|key| config.inventory.vms.get(key)?.owner.as_ref());
    let asking = subject.asking(config, world);
    let is_its =
        |owner: &Owner| matches!(owner, Owner::Machine { uid, supervisor, .. } if asking.is_left(uid, supervisor));
    if config.inventory.silent.is_none() && !subject.name().is_empty() && !there.any(is_its) {
        found.warn(format!(
            "metadata.annotations[{}]: cluster {:?} has no VirtualMachine of an earlier self of UID {:?}, so that at most disks are taken over: check the UID, and that the Machine goes to the cluster and namespace where it was",
            names::TAKE_OVER,
            name.0,
            shown(&earlier)
        ));
    }
}

/// Whether a VM is that of the Machine which is stored under this very name: to make it once more is refused by storage, with
/// the answer that everybody knows, and what that Machine has is no stranger's (FR3).
pub(super) fn is_held(subject: &Subject<'_, '_>, cluster: &ClusterName, vm: &VmKey, world: &World) -> bool {
    // Whether a UID is there says nothing: the API server gives a new Machine one before it asks the validating route.
    if subject.request.old_object.is_some() || world.machines.is_empty() {
        return false;
    }
    let held = world.machines.get(&subject.key).map(|held| held.names.as_slice()).unwrap_or_default();
    held.iter()
        .any(|it| (it.kind, &it.cluster, &it.namespace, &it.name) == (names::VM, cluster, &vm.namespace, &vm.name))
}
