//! Admission: what is written onto a Machine, or why it is refused. Pure.
//!
//! [`decide`] is the only entry, for both webhook routes. The validating route runs the same decision over the result of the
//! mutating one and demands that nothing is left to change, so admission is a fixed point by construction.

pub mod changes;
pub mod needs;
pub mod placement;
pub mod quantity;
pub mod review;
pub mod rules;
pub mod sizing;
pub mod world;

use self::changes::Change;
pub use self::needs::{Answers, Needs, needs};
use self::placement::Placement;
use self::review::{Annotations, Object, Request, Text};
use self::rules::Ask;
use self::rules::surroundings::{self, Decided};
use self::sizing::{Before, Sizing};
pub use self::world::{Config, Policy, World};
use crate::names;
use crate::reason::{Reason, Violation};

/// The answer to a review.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The Machine is accepted with these changes.
    Admit(Admission),
    /// The Machine is refused for all these reasons, sorted by field path.
    Refuse(Vec<Violation>),
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
}

/// Decides about one review. A function of its arguments alone: same review and world, same verdict.
pub fn decide(request: &Request<'_>, world: &World) -> Verdict {
    let Some(object) = &request.object else {
        return Verdict::Refuse(vec![
            Reason::FieldRequired.at("request.object").says("Required value: the review carries no object"),
        ]);
    };
    if request.kind.group.0 != names::GROUP || request.kind.kind.0 != "Machine" {
        let found = format!("{}/{}", &*request.kind.group, &*request.kind.kind);
        return Verdict::Refuse(vec![Reason::FieldNotSupported.at("request.kind").says(format!(
            "Unsupported value: {found:?}: this webhook judges Machines of {} only; correct the rules of its configuration",
            names::GROUP
        ))]);
    }
    let old = request.old_object.as_ref();
    if !ours(object) {
        return match old.filter(|old| ours(old)).and_then(assigned) {
            None => Verdict::Admit(Admission::default()),
            Some(_) => Verdict::Refuse(vec![rules::provider_changed(object)]),
        };
    }
    judge(request, object, old.filter(|old| ours(old)), world)
}

fn judge(request: &Request<'_>, object: &Object<'_>, old: Option<&Object<'_>>, world: &World) -> Verdict {
    if let Some(oversized) = rules::oversized(object) {
        return Verdict::Refuse(vec![oversized]);
    }
    let mut wrong = Vec::new();
    let mut admission = Admission::default();
    rules::deletion_policy(object, &mut wrong);
    // A request may claim any deletionTimestamp; what is stored says whether the Machine is being deleted.
    let leaving = old.filter(|old| old.metadata.deletion_timestamp.is_some());
    let mut resolved = None;
    let ask = Ask { request, object, old, policy: &world.policy };
    if leaving.is_none() {
        rules::check(&ask, &mut wrong);
        rules::warn(&ask, &mut admission.warnings);
        resolved = resolve(object, old, world, &mut wrong, &mut admission.warnings);
    }
    // Nothing is decided about a Machine that goes: what it was assigned to stays, and if nothing, then nothing.
    if leaving.is_none_or(|old| assigned(old).or(placement::recorded(old)).is_some()) {
        match placement::place(request, object, old, world, &mut admission.warnings) {
            Err(violations) => wrong.extend(violations),
            Ok(placement) => admission.placement = Some(placement),
        }
    }
    if leaving.is_none() {
        let cluster = admission.placement.as_ref().map(|placement| &placement.cluster);
        let decided = Decided { cluster, sizing: resolved.as_ref().and_then(|(_, sizing)| sizing.as_ref()) };
        surroundings::check(&ask, decided, world, &mut wrong, &mut admission.warnings);
        rules::overrides::check(&ask, decided, world, &mut wrong, &mut admission.warnings);
    }
    if !wrong.is_empty() {
        wrong.sort_by(|a, b| a.path.cmp(&b.path));
        return Verdict::Refuse(wrong);
    }
    admission.changes = changes::wanted(
        object,
        admission.placement.as_ref(),
        resolved.as_ref().map(|(text, _)| text.as_str()),
        leaving.is_some(),
    );
    Verdict::Admit(admission)
}

/// The text of `vitistack.io/resolved`, and the size where that can be read: the one that was decided before while nothing
/// asks for another (X60), even one that was spoilt, because the policy of the chart lets nobody rewrite it then.
fn resolve(
    object: &Object<'_>,
    old: Option<&Object<'_>>,
    world: &World,
    wrong: &mut Vec<Violation>,
    warnings: &mut Vec<String>,
) -> Option<(String, Option<Sizing>)> {
    let held = old.and_then(|old| Some((old, annotation(old, |all| &all.resolved)?)));
    let held = held.map(|(old, text)| (old, serde_json::from_str::<Sizing>(text), text));
    if let Some((old, ref sizing, before)) = held
        && sizing::same_size(object, old)
        && annotation(object, |all| &all.refresh_class) == annotation(old, |all| &all.refresh_class)
    {
        if annotation(object, |all| &all.resolved).is_some_and(|now| now != before) {
            wrong.push(Reason::ResolvedImmutable.at(format!("metadata.annotations[{}]", names::RESOLVED)).says(
                "Forbidden: admission writes this annotation; change the spec, or set vitistack.io/refresh-class to a new value to read the MachineClass again",
            ));
        }
        if let Err(why) = sizing {
            warnings.push(format!(
                "the annotation {} cannot be read: set {} to a new value and it is written anew: {why}",
                names::RESOLVED,
                names::REFRESH_CLASS
            ));
        }
        return Some((before.to_owned(), sizing.as_ref().ok().cloned()));
    }
    let held = held.and_then(|(old, sizing, _)| Some((old, sizing.ok()?)));
    let before = held.as_ref().map(|(old, sizing)| Before { object: old, sizing });
    let sizing = sizing::resolve(object, before, world, wrong, warnings)?;
    if let Some((_, before)) = held.as_ref().filter(|(old, ..)| placement::recorded(old).is_some()) {
        sizing::disks::compare(before, &sizing, wrong, warnings);
    }
    Some((sizing.json(), Some(sizing)))
}

/// Whether a Machine is for this operator.
fn ours(object: &Object<'_>) -> bool {
    matches!(object.spec.provider.as_deref(), None | Some("" | "kubevirt"))
}

/// An annotation of a Machine; an empty one says nothing.
fn annotation<'o, 'a>(
    object: &'o Object<'a>,
    which: impl Fn(&'o Annotations<'a>) -> &'o Option<Text<'a>>,
) -> Option<&'o str> {
    which(object.metadata.annotations.as_ref()?).as_deref().filter(|value| !value.is_empty())
}

/// The KubevirtConfig that a Machine is assigned to.
fn assigned<'o>(object: &'o Object<'_>) -> Option<&'o str> {
    annotation(object, |all| &all.kubevirt_config)
}
