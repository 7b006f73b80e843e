//! Placement: which cluster a Machine belongs to. Pure. Implements seed 000 "Config Selection Logic" and DESIGN 5.4.
//!
//! The order of the `if`s is the specification; `placement_follows_the_documented_order` tests it as a whole.

mod choice;
pub mod draw;
mod explain;
mod refusals;
mod search;

use std::collections::BTreeMap;

pub(super) use self::explain::agrees;
use self::search::{Located, Subject};
use super::review::{Object, Request};
use super::world::{Config, World};
use super::{annotation, assigned};
use crate::names::{ClusterName, VmKey};
use crate::reason::{Reason, Violation};

/// Where a Machine goes, and which rule said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The KubevirtConfig.
    pub cluster: ClusterName,
    /// The rule.
    pub source: Source,
    /// The VM that is to be adopted, where one was found.
    pub vm: Option<String>,
    /// Whether the cluster was searched for it: one that does not answer was not. The controller looks then.
    pub searched: bool,
    /// The text of `vitistack.io/placement`: the rule, what was left out and why, and whom there was to choose from.
    pub why: String,
    /// The VM's cluster and name are recorded, so that the explanation is history: whoever drops it may.
    pub settled: bool,
}

/// The rule that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It was decided before, and nothing may move a VM.
    Kept,
    /// The author named it in the annotation or in `spec.kubevirtConfigRef`.
    Named,
    /// `DEFAULT_KUBEVIRT_CONFIG`.
    Default,
    /// There is no other.
    OnlyCluster,
    /// The Machine's VM is there already.
    Adopted,
    /// Drawn, by load.
    Balanced,
}

impl Source {
    /// The word in logs, metrics and annotations.
    pub const fn name(self) -> &'static str {
        match self {
            Source::Kept => "kept",
            Source::Named => "named",
            Source::Default => "default",
            Source::OnlyCluster => "only-cluster",
            Source::Adopted => "adopted",
            Source::Balanced => "balanced",
        }
    }

    /// Whether the operator chose, and not the author.
    pub const fn automatic(self) -> bool {
        !matches!(self, Source::Kept | Source::Named)
    }
}

const ANNOTATION: &str = "metadata.annotations[vitistack.io/kubevirt-config]";
const REFERENCE: &str = "spec.kubevirtConfigRef.name";
const SELECTOR: &str = "spec.clusterSelector";

/// Picks the cluster, or says why none can be picked.
///
/// Guarantees: same inputs, same answer; an assignment changes only while no cluster identity is recorded, which is before
/// the first write to the cluster (X60).
pub fn place(
    request: &Request<'_>,
    object: &Object<'_>,
    old: Option<&Object<'_>>,
    world: &World,
    warnings: &mut Vec<String>,
) -> Result<Placement, Vec<Violation>> {
    let named = named(object)?;
    let subject = Subject::new(request, object, world);
    let settled = old.and_then(recorded);
    if let Some((old, held)) = old.and_then(|old| Some((old, settled.or(assigned(old))?))) {
        match named.filter(|(_, name)| *name != held) {
            None if settled.is_some() || judged(old) => return kept(&subject, old, held, settled.is_some(), world),
            // It was stored while nobody judged it: what it names is as good as on a new one.
            None => return by_name(&subject, ANNOTATION, held, world, warnings),
            Some((path, name)) if settled.is_some() => {
                return Err(vec![Reason::AssignmentImmutable.at(path).says(format!(
                    "Forbidden: the Machine is on {held:?} and cannot move to {name:?}: nothing moves its disks; delete it and create it again"
                ))]);
            }
            Some(_) => {}
        }
    }
    if let Some((path, name)) = named {
        return by_name(&subject, path, name, world, warnings);
    }
    match default(&subject, world)? {
        Some((name, config)) => choice::default(&subject, name, config, world, warnings),
        None => choice::several(&subject, &search::set(&subject, world), world, warnings),
    }
}

impl Placement {
    /// On a cluster that was looked at as far as it answers.
    fn at(cluster: &ClusterName, source: Source, located: &Located, config: &Config) -> Self {
        let vm = if let Located::Found(vm) = located { Some(vm.clone()) } else { None };
        let searched = vm.is_some() || config.link.silent.is_none();
        let why = explain::plain(source, cluster, vm.as_deref(), searched);
        Placement { cluster: cluster.clone(), source, vm, searched, why, settled: false }
    }
}

/// Whether admission decided about a stored Machine, or knows at least that it goes. One that was stored while there was no
/// webhook is judged like a new one.
pub(super) fn judged(old: &Object<'_>) -> bool {
    old.metadata.deletion_timestamp.is_some()
        || recorded(old).is_some()
        || annotation(old, |all| &all.resolved).is_some()
}

/// 5.4a: the assignment stays, and so does its explanation, by which the controller knows where to look for a VM.
fn kept(
    subject: &Subject<'_, '_>,
    old: &Object<'_>,
    held: &str,
    settled: bool,
    world: &World,
) -> Result<Placement, Vec<Violation>> {
    let cluster = ClusterName(held.to_owned());
    let absent = Config::default();
    let config = world.configs.get(&cluster).map_or(&absent, |config| &**config);
    // Nothing is looked for once the VM has a name of its own.
    let located = if settled { Located::Absent } else { search::locate(subject, config, world) };
    let mut placement = Placement { settled, ..Placement::at(&cluster, Source::Kept, &located, config) };
    let before = annotation(old, |all| &all.placement).filter(|why| settled || explain::names_cluster(why, &cluster));
    if let Some(before) = before {
        before.clone_into(&mut placement.why);
    }
    let now = annotation(subject.object, |all| &all.placement);
    let leaving = old.metadata.deletion_timestamp.is_some();
    let expected = if settled { before } else { Some(placement.why.as_str()) };
    if now.is_some() && now != expected && !leaving {
        return Err(vec![Reason::FieldForbidden.at(format!("metadata.annotations[{}]", crate::names::PLACEMENT)).says(
            "Forbidden: admission writes this annotation, and the controller looks for a VM by it: leave it as it is, or take it out",
        )]);
    }
    Ok(placement)
}

/// VirtualMachines that must be looked for live, because a cluster that has to be searched is silent (X43).
pub fn doubts(request: &Request<'_>, world: &World) -> BTreeMap<ClusterName, Vec<VmKey>> {
    let mut doubts = BTreeMap::new();
    let Some(object) = &request.object else { return doubts };
    let old = request.old_object.as_ref();
    let decided = old.is_some_and(|old| judged(old) && recorded(old).or(assigned(old)).is_some());
    if decided || !super::ours(object) || !world.configs.values().any(|config| config.link.silent.is_some()) {
        return doubts;
    }
    let subject = Subject::new(request, object, world);
    let Ok(named) = named(object) else { return doubts };
    let held = old.and_then(assigned).or(named.map(|(_, name)| name)).map(|name| ClusterName(name.to_owned()));
    let members = match (held.as_ref().map(|name| world.configs.get_key_value(name)), default(&subject, world)) {
        (Some(one), _) => one.map(|(name, config)| (name, &**config)).into_iter().collect(),
        (None, Ok(Some(one))) => vec![one],
        (None, Ok(None)) => search::set(&subject, world).members,
        (None, Err(_)) => Vec::new(),
    };
    if !subject.name().is_empty() {
        let silent = members.into_iter().filter(|(_, config)| config.link.silent.is_some());
        doubts.extend(silent.map(|(name, config)| (name.clone(), subject.vms(config).into_owned())));
    }
    doubts
}

/// The cluster that the author names, and where. An assignment written by an earlier pass looks the same, and is kept (A1).
fn named<'o>(object: &'o Object<'_>) -> Result<Option<(&'static str, &'o str)>, Vec<Violation>> {
    let reference = object.spec.kubevirt_config_ref.as_ref().and_then(|reference| reference.name.as_deref());
    match (assigned(object), reference.filter(|name| !name.is_empty())) {
        (Some(annotation), Some(reference)) if annotation != reference => {
            Err(vec![Reason::AssignmentConflict.at(REFERENCE).says(format!(
                "is {reference:?}, but the annotation {} is {annotation:?}: keep one of them",
                crate::names::KUBEVIRT_CONFIG
            ))])
        }
        (Some(annotation), _) => Ok(Some((ANNOTATION, annotation))),
        (None, reference) => Ok(reference.map(|name| (REFERENCE, name))),
    }
}

/// The cluster that holds the Machine's VM, once that is certain: its identity was recorded before anything was made there.
pub(super) fn recorded<'o>(old: &'o Object<'_>) -> Option<&'o str> {
    let reference = old.status.as_ref()?.kubevirt_config_ref.as_ref()?;
    reference.cluster_id.as_deref().filter(|id| !id.is_empty())?;
    reference.name.as_deref().filter(|name| !name.is_empty()).or_else(|| assigned(old))
}

/// The default, where there is one and the author's selector does not pass it over (X51). A missing one is refused, never
/// fallen through (X39).
fn default<'w>(
    subject: &Subject<'_, '_>,
    world: &'w World,
) -> Result<Option<(&'w ClusterName, &'w Config)>, Vec<Violation>> {
    let Some(name) = &world.policy.default_cluster else { return Ok(None) };
    let Some(config) = world.configs.get(name) else {
        return Err(vec![refusals::missing(ANNOTATION, &name.0, true, world)]);
    };
    Ok(subject.selector().is_none_or(|selector| selector.matches(&config.labels)).then_some((name, config)))
}

/// 5.4b: what the author says is always honoured (A1), unless it cannot work.
fn by_name(
    subject: &Subject<'_, '_>,
    path: &str,
    name: &str,
    world: &World,
    warnings: &mut Vec<String>,
) -> Result<Placement, Vec<Violation>> {
    let cluster = ClusterName(name.to_owned());
    let Some(config) = world.configs.get(&cluster) else {
        return Err(vec![refusals::missing(path, name, false, world)]);
    };
    let mut wrong = Vec::new();
    refusals::unusable(subject, path, &cluster, config, world, &mut wrong);
    if let Some(selector) = subject.selector().filter(|selector| !selector.matches(&config.labels)) {
        let says = format!(
            "is {selector}, which KubevirtConfig {name:?} does not match, but {path} names it: keep one of them"
        );
        wrong.push(Reason::AssignmentConflict.at(SELECTOR).says(says));
    }
    let located = search::locate(subject, config, world);
    if let Located::Taken(whose) = &located {
        wrong.push(refusals::taken(&cluster, whose));
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    warn_unless_well(&cluster, config, warnings);
    // A set that is decided already is not searched again for the sake of a warning (X50).
    if annotation(subject.object, |all| &all.placement).is_none() {
        for (other, vm) in choice::elsewhere(subject, &cluster, world) {
            warnings.push(format!(
                "VirtualMachine {vm} is on cluster {:?} already, and the Machine goes to {name:?} because it says so",
                other.0
            ));
        }
    }
    Ok(Placement::at(&cluster, Source::Named, &located, config))
}

/// Says that the VM will wait, where that is known (A26).
fn warn_unless_well(cluster: &ClusterName, config: &Config, warnings: &mut Vec<String>) {
    if let Some(why) = config.unhealthy.as_ref().or(config.link.silent.as_ref()) {
        let why: String = why.chars().take(160).collect();
        warnings.push(format!("KubevirtConfig {:?} is not usable now, so the VM will wait: {why}", cluster.0));
    }
}
