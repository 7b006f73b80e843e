//! Placement: which cluster a Machine belongs to. Pure. A1 to A6, A10, A11; `docs/placement.md` is for users.
//!
//! The order of the `if`s is the specification; `placement_follows_the_documented_order` tests it as a whole.

mod choice;
pub mod draw;
mod outcome;
mod refusals;
pub(crate) mod room;
mod search;

use model::message::Explanation;
use model::names::{self, ClusterName};
use model::reason::{Reason, Violation};

use self::outcome::{ANNOTATION, REFERENCE, SELECTOR};
pub use self::outcome::{Placement, Rule};
use self::search::{Located, Subject};
use crate::findings::Findings;
use crate::review::{Object, Request};
use crate::world::{Config, Size, World};

/// Picks the cluster, or says why none can be picked.
///
/// `size` is absent where it could not be found out: the Machine is refused then, wherever it would go.
///
/// Guarantees: same inputs, same answer; an assignment changes only while no cluster identity is recorded, which is before
/// the first write to the cluster (X60).
pub fn place(
    request: &Request<'_>,
    object: &Object<'_>,
    old: Option<&Object<'_>>,
    size: Option<Size>,
    world: &World,
    found: &mut Findings,
) -> Result<Placement, Vec<Violation>> {
    let subject = Subject::new(request, object, size, world);
    let placement = choose(&subject, object, old, world, found)?;
    if let Some(config) = world.configs.get(&placement.cluster).filter(|_| !old.is_some_and(Object::is_leaving)) {
        search::warn_unless_left(&subject, old, (&placement.cluster, config), world, found);
    }
    Ok(placement)
}

fn choose(
    subject: &Subject<'_, '_>,
    object: &Object<'_>,
    old: Option<&Object<'_>>,
    world: &World,
    found: &mut Findings,
) -> Result<Placement, Vec<Violation>> {
    let named = named(object)?;
    let settled = old.and_then(Object::recorded_cluster);
    if let Some((old, held)) = old.and_then(|old| Some((old, old.cluster()?))) {
        match named.filter(|(_, name)| *name != held) {
            None if settled.is_some() || old.is_judged() => {
                return keep(subject, old, held, settled.is_some(), world, found);
            }
            // It was stored while nobody judged it: what it names is as good as on a new one.
            None => return take_named(subject, ANNOTATION, held, world, found),
            Some((path, name)) if settled.is_some() => {
                return Err(vec![Reason::AssignmentImmutable.at(path).says(format!(
                    "Forbidden: the Machine is on {held:?} and cannot move to {name:?}: nothing moves its disks; delete it and create it again"
                ))]);
            }
            Some(_) => {}
        }
    }
    if let Some((path, name)) = named {
        return take_named(subject, path, name, world, found);
    }
    match default(subject, world)? {
        Some((name, config)) => choice::default(subject, name, config, world, found),
        None => choice::several(subject, &search::set(subject, world), world, found),
    }
}

/// The cluster whose properties a Machine that could not be placed is judged by all the same: the one that it is on, else the
/// one that its author names, unless what it has is no business of this namespace (T10).
pub fn intended(
    request: &Request<'_>,
    object: &Object<'_>,
    old: Option<&Object<'_>>,
    world: &World,
) -> Option<ClusterName> {
    let named = || named(object).ok().flatten().map(|(_, name)| name);
    let name = ClusterName(old.and_then(Object::cluster).or_else(named)?.to_owned());
    let config = world.configs.get(&name)?;
    search::allowed(config, &request.namespace, world).then_some(name)
}

/// The assignment stays (A18), and so does its explanation, by which the controller knows where to look for a VM.
fn keep(
    subject: &Subject<'_, '_>,
    old: &Object<'_>,
    held: &str,
    settled: bool,
    world: &World,
    found: &mut Findings,
) -> Result<Placement, Vec<Violation>> {
    let cluster = ClusterName(held.to_owned());
    let absent = Config::default();
    let known = world.configs.get(&cluster).map(|config| &**config);
    let config = known.unwrap_or(&absent);
    // Nothing is looked for once the VM has a name of its own.
    let located = if settled { Located::Absent } else { search::locate(subject, (&cluster, config), world) };
    let mut placement = Placement { settled, ..Placement::at(&cluster, Rule::Kept, &located, config) };
    let about = |why: &&str| settled || Explanation::read(why).is_some_and(|it| *it.cluster == *cluster.0);
    let before = old.annotation(|all| &all.placement).filter(about);
    placement.why = match before {
        Some(before) => before.to_owned(),
        None if settled => String::new(),
        None => placement.why,
    };
    if old.is_leaving() {
        return Ok(placement);
    }
    // A record of a cluster that admission did not choose is as good as its author's word for it (ATK4).
    let chosen = old.assigned().is_some_and(|assigned| assigned == held);
    if !chosen && known.is_some_and(|config| !search::allowed(config, &subject.request.namespace, world)) {
        return Err(vec![Reason::KubevirtConfigNotAllowed.at(ANNOTATION).says(format!(
            "Forbidden: the status says that the Machine is on {held:?}, which is not for namespace {:?}, and admission did not place it there: status.kubevirtConfigRef has to be put right by whoever changed it",
            &*subject.request.namespace
        ))]);
    }
    match known {
        None => found
            .warn(format!("KubevirtConfig {held:?} is gone: the VM of the Machine is not cared for until it is back")),
        Some(config) => choice::warn_unless_well(&cluster, config, "this change", found),
    }
    let now = subject.object.annotation(|all| &all.placement);
    if now.is_some_and(|now| now != placement.why) {
        return Err(vec![Reason::FieldForbidden.at(format!("metadata.annotations[{}]", names::PLACEMENT)).says(
            "Forbidden: admission writes this annotation, and the controller looks for a VM by it: leave it as it is, or take it out",
        )]);
    }
    let selector = subject.selector().filter(|_| subject.object.spec.cluster_selector != old.spec.cluster_selector);
    if let (Some(selector), Some(config)) = (selector, known)
        && !selector.matches(&config.labels)
    {
        return Err(vec![Reason::AssignmentConflict.at(SELECTOR).says(format!(
            "is {selector}, which KubevirtConfig {held:?} does not match, and the Machine is there already: nothing moves its disks; take the change back"
        ))]);
    }
    Ok(placement)
}

/// The cluster that the author names, and where. An assignment written by an earlier pass looks the same, and is kept (A1).
fn named<'o>(object: &'o Object<'_>) -> Result<Option<(&'static str, &'o str)>, Vec<Violation>> {
    let reference = object.spec.kubevirt_config_ref.as_ref().and_then(|reference| reference.name.as_deref());
    match (object.assigned(), reference.filter(|name| !name.is_empty())) {
        (Some(annotation), Some(reference)) if annotation != reference => {
            Err(vec![Reason::AssignmentConflict.at(REFERENCE).says(format!(
                "is {reference:?}, but the annotation {} is {annotation:?}: keep one of them",
                names::KUBEVIRT_CONFIG
            ))])
        }
        (Some(annotation), _) => Ok(Some((ANNOTATION, annotation))),
        (None, reference) => Ok(reference.map(|name| (REFERENCE, name))),
    }
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

/// What the author says is always honoured (A1), unless it cannot work.
fn take_named(
    subject: &Subject<'_, '_>,
    path: &str,
    name: &str,
    world: &World,
    found: &mut Findings,
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
    let located = search::search(subject, (&cluster, config), world, found);
    if let Located::Taken(whose) = &located {
        wrong.push(refusals::taken(&cluster, whose));
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    choice::warn_unless_well(&cluster, config, "the VM", found);
    // A set that is decided already is not searched again for the sake of a warning (X50).
    if subject.object.annotation(|all| &all.placement).is_none() {
        for (other, vm) in choice::elsewhere(subject, &cluster, world) {
            found.warn(format!(
                "VirtualMachine {vm} is on cluster {:?} already, and the Machine goes to {name:?} because it says so",
                other.0
            ));
        }
    }
    Ok(Placement::at(&cluster, Rule::Named, &located, config))
}
