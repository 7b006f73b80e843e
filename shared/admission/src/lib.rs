//! Admission: what is written onto a Machine, or why it is refused. No I/O, no clock, no randomness.
//!
//! [`decide`] is the only entry, for both webhook routes. The validating route runs the same decision over the result of the
//! mutating one and demands that nothing is left to change, so admission is a fixed point by construction.
//!
//! The controller does not depend on this crate: what it needs to know of a decision is [`model::message`].

pub mod changes;
pub mod findings;
pub mod json;
pub mod needs;
pub mod placement;
pub mod review;
pub mod rules;
pub mod sizing;
#[cfg(test)]
#[path = "../../../tests/table.rs"]
mod table;
pub mod world;

use model::message::Sizing;
use model::names::{self, MachineKey};
use model::reason::{Reason, Violation};

use self::changes::Change;
use self::findings::Findings;
pub use self::needs::{Answers, Needs};
use self::placement::{Placement, Rule};
use self::review::{Object, Request, Undecodable, decode};
use self::rules::Ask;
use self::rules::surroundings::{self, Decided};
use self::sizing::Before;
pub use self::world::{Config, Policy, World};
use self::world::{Held, Size, Stored};

/// The answer to a review.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The Machine is accepted with these changes.
    Admit(Admission),
    /// The Machine is refused for all these reasons, sorted by field path.
    Refuse(Vec<Violation>),
    /// This has to be asked first: decide again on a World that knows the answers ([`World::knowing`]).
    Ask(Needs),
}

/// An accepted Machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Admission {
    /// What is still to be written onto it; nothing when it was decided before.
    pub changes: Vec<Change>,
    /// What its author should know.
    pub warnings: Vec<String>,
    /// Where it goes, unless it is none of ours.
    pub placement: Option<Placement>,
    /// What it takes of its cluster.
    pub size: Option<Size>,
}

/// Decides about one review. A function of its arguments alone: same review and world, same verdict. A World that knows
/// answers is never asked again.
pub fn decide(request: &Request<'_>, world: &World) -> Verdict {
    match &*request.operation {
        "CREATE" | "UPDATE" => {}
        // Our configuration never asks about these. If another one does, nothing stands in the way of a deletion.
        operation if review::UNJUDGED.contains(&operation) => return Verdict::Admit(Admission::default()),
        other => {
            return Verdict::Refuse(vec![Reason::FieldNotSupported.at("request.operation").says(format!(
                "Unsupported value: {:?}: this webhook judges CREATE and UPDATE, and admits DELETE and CONNECT",
                rules::form::shown(other)
            ))]);
        }
    }
    let Some(object) = &request.object else {
        return Verdict::Refuse(vec![
            Reason::FieldRequired.at("request.object").says("Required value: the review carries no object"),
        ]);
    };
    if request.kind.group.0 != names::GROUP || request.kind.kind.0 != "Machine" {
        let found = format!("{}/{}", rules::form::shown(&request.kind.group), rules::form::shown(&request.kind.kind));
        return Verdict::Refuse(vec![Reason::FieldNotSupported.at("request.kind").says(format!(
            "Unsupported value: {found:?}: this webhook judges Machines of {} only; correct the rules of its configuration",
            names::GROUP
        ))]);
    }
    let old = request.old_object.as_ref().filter(|old| old.is_ours());
    if !object.is_ours() {
        return match old.and_then(Object::assigned) {
            None => Verdict::Admit(Admission::default()),
            Some(_) => Verdict::Refuse(vec![rules::provider::changed(object)]),
        };
    }
    judge(request, object, old, world)
}

fn judge(request: &Request<'_>, object: &Object<'_>, old: Option<&Object<'_>>, world: &World) -> Verdict {
    if let Some(oversized) = rules::oversized(request, object) {
        return Verdict::Refuse(vec![oversized]);
    }
    let mut found = Findings::default();
    rules::annotations::deletion_policy(object, old, &mut found);
    // A request may claim any deletionTimestamp; what is stored says whether the Machine is being deleted.
    let leaving = request.old_object.as_ref().filter(|old| old.is_leaving());
    found.wrong.extend(leaving.and_then(|old| rules::leaving::changed(object, old)));
    let mut resolved = None;
    let ask = Ask { request, object, old, policy: &world.policy };
    if leaving.is_none() {
        rules::check(&ask, &mut found.wrong);
        rules::annotations::check(object, old, &mut found);
        rules::warn(&ask, &mut found.warnings);
        resolved = resolve(object, old, world, &mut found);
    }
    let size = resolved.as_ref().and_then(|resolved| resolved.sizing.as_ref()).map(Size::of);
    let mut placement = None;
    // Nothing is decided about a Machine that goes: what it was assigned to stays, and if nothing, then nothing.
    if leaving.is_none_or(|old| old.cluster().is_some()) {
        match placement::place(request, object, old, size, world, &mut found) {
            Err(violations) => found.wrong.extend(violations),
            Ok(placed) => placement = Some(placed),
        }
    }
    if leaving.is_none() {
        let intended = || placement::intended(request, object, old, world);
        let cluster = placement.as_ref().map(|placement| placement.cluster.clone()).or_else(intended);
        let sizing = resolved.as_ref().and_then(|resolved| resolved.sizing.as_ref());
        let decided = Decided { cluster: cluster.as_ref(), sizing };
        surroundings::check(&ask, decided, world, &mut found);
        rules::patches::check(&ask, decided, world, &mut found);
    }
    if !found.needs.is_empty() && world.readable.is_none() {
        return Verdict::Ask(found.needs);
    }
    let Findings { mut wrong, warnings, .. } = found;
    if !wrong.is_empty() {
        wrong.sort_by(|a, b| a.path.cmp(&b.path));
        return Verdict::Refuse(wrong);
    }
    let text = resolved.as_ref().map(|resolved| resolved.text.as_str());
    let changes = changes::wanted(object, placement.as_ref(), text, leaving.is_some());
    let warnings = warnings.into_iter().flat_map(findings::lines).collect();
    Verdict::Admit(Admission { changes, warnings, placement, size })
}

/// The value for `vitistack.io/resolved`, and the size if it parses.
struct Resolved {
    text: String,
    sizing: Option<Sizing>,
}

/// While neither the sizing part of the spec nor `refresh-class` changed, the stored value is returned unchanged, even if
/// unreadable: the chart's policy forbids rewriting it (X60).
fn resolve(object: &Object<'_>, old: Option<&Object<'_>>, world: &World, found: &mut Findings) -> Option<Resolved> {
    let held = old.and_then(|old| Some((old, old.annotation(|all| &all.resolved)?)));
    let held = held.map(|(old, text)| (old, Sizing::read(text), text));
    if let Some((old, ref sizing, before)) = held
        && sizing::same_size(object, old)
        && object.annotation(|all| &all.refresh_class) == old.annotation(|all| &all.refresh_class)
    {
        if object.annotation(|all| &all.resolved).is_some_and(|now| now != before) {
            found.wrong.push(Reason::ResolvedImmutable.at(format!("metadata.annotations[{}]", names::RESOLVED)).says(
                "Forbidden: admission writes this annotation; change the spec, or set vitistack.io/refresh-class to a new value to read the MachineClass again",
            ));
        }
        if let Err(why) = sizing {
            found.warn(format!(
                "the annotation {} cannot be read: set {} to a new value and it is written anew: {why}",
                names::RESOLVED,
                names::REFRESH_CLASS
            ));
        }
        return Some(Resolved { text: before.to_owned(), sizing: sizing.as_ref().ok().cloned() });
    }
    let held = held.and_then(|(old, sizing, _)| Some((old, sizing.ok()?)));
    let before = held.as_ref().map(|(old, sizing)| Before { object: old, sizing });
    let mut sizing = sizing::resolve(object, before, world, found)?;
    if let Some((old, before)) = held.as_ref().filter(|(old, ..)| old.recorded_cluster().is_some()) {
        sizing::keep(before, &mut sizing, object, old, found);
    }
    Some(Resolved { text: sizing.write(), sizing: Some(sizing) })
}

/// What is wrong with a Machine of which something has a wrong type: that, and what is wrong with the rest of it. Nobody is
/// asked for its sake, so what would have to be asked is not judged.
pub fn judge_undecodable(wrong: Undecodable, world: &World) -> Vec<Violation> {
    let Undecodable { mut violations, rest, .. } = wrong;
    let typed: Vec<String> = violations.iter().map(|violation| violation.path.clone()).collect();
    let Some(Ok(review)) = rest.as_ref().map(|rest| decode(rest.as_bytes())) else { return violations };
    let mut verdict = decide(&review.request, world);
    let asked = matches!(verdict, Verdict::Ask(_));
    if asked {
        verdict = decide(&review.request, &world.knowing(Answers::default()));
    }
    let Verdict::Refuse(others) = verdict else { return violations };
    // What stands at, above or below a value that was taken out is no mistake of its own, and neither is that a size lacks it.
    let apart = |path: &str| !typed.iter().any(|typed| path.starts_with(typed) || typed.starts_with(path));
    let sizes = typed.iter().any(|path| SIZE.iter().any(|part| path.starts_with(part)));
    let follows = |other: &Violation| {
        (asked && matches!(other.reason, Reason::SecretNotReadable | Reason::ClusterSilent))
            || (sizes && other.reason == Reason::FieldRequired && SIZE.iter().any(|part| other.path.starts_with(part)))
    };
    violations.extend(others.into_iter().filter(|other| apart(&other.path) && !follows(other)));
    violations.sort_by(|a, b| a.path.cmp(&b.path));
    violations
}

/// The parts of a Machine that make its size.
const SIZE: [&str; 8] = [
    "spec.template",
    "spec.instanceType",
    "spec.machineClass",
    "spec.cpu",
    "spec.memory",
    "spec.resources",
    "spec.disks",
    "metadata.labels",
];

/// The share of the load that a new Machine is, once a cluster was drawn for it and unless somebody after us refuses it. The
/// mutating route says so at once: whoever draws before the validating route is asked would take that cluster for as empty as
/// it was. Under `generateName` nothing is known by which it could be told from another.
pub fn pledge(request: &Request<'_>, admission: &Admission, world: &World) -> Option<(MachineKey, Held)> {
    let drawn = admission.placement.as_ref().filter(|placement| placement.rule == Rule::Balanced)?;
    let object = request.object.as_ref().filter(|object| request.dry_run != Some(true) && !object.name().is_empty())?;
    let key = MachineKey { namespace: request.namespace.to_string(), name: object.name().to_owned() };
    let is_new = world.machines.get(&key).is_none_or(|held| held.names.is_empty() && held.macs.is_empty());
    let awaited = admission.size.map(Box::new);
    is_new.then(|| (key, Held { cluster: Some(drawn.cluster.clone()), awaited, ..Held::default() }))
}

/// What an admitted Machine holds from now on, unless somebody after us refuses it, when it is new, newly assigned or takes
/// more than before, and will be stored. The validating route is the last that is asked, and the one that knows its name under
/// `generateName` (X77).
pub fn hold(request: &Request<'_>, admission: &Admission, world: &World) -> Option<(MachineKey, Held)> {
    let cluster = admission.placement.as_ref()?.cluster.0.as_str();
    let object = request.object.as_ref().filter(|object| request.dry_run != Some(true) && !object.name().is_empty())?;
    let key = MachineKey { namespace: request.namespace.to_string(), name: object.name().to_owned() };
    let networks = object.spec.networks.as_deref().unwrap_or_default();
    let stored = Stored {
        cluster: Some(cluster.to_owned()),
        macs: networks.iter().filter_map(|network| Some(network.mac_address.as_deref()?.to_owned())).collect(),
        iso: rules::sources::iso(&object.spec).is_some(),
        ..Stored::sized(object.annotation(|all| &all.resolved))
    };
    let held = world.held(&key, &stored);
    // An edit that takes nothing new is not worth a note.
    let edit = request.old_object.as_ref().and_then(Object::assigned) == Some(cluster);
    (!edit || world.machines.get(&key).is_some_and(|before| !before.shows(&held))).then_some((key, held))
}
