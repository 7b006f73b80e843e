//! What a cluster keeps of a baseline that is not kept true any more: nothing is deleted when it is turned off. Pure. P18.

use std::collections::BTreeSet;

use super::passed::Passed;
use crate::api::PlatformStatus;
use crate::api::platform::{ENTRIES, OBJECT};
use crate::platform::snapshot::Mode;
use crate::platform::state::{Key, State};
use crate::text::line;

/// The objects that were written, and of which this pass cannot say that they are kept true, or gone.
pub(super) fn left(passed: &Passed, before: &PlatformStatus) -> Vec<String> {
    let mut names: BTreeSet<&String> = before.left.iter().collect();
    if Mode::of(before.mode.as_deref()) == Mode::Enforce {
        let written = before.assets.iter().filter(|asset| State::of(&asset.state).is_some_and(stands));
        names.extend(written.filter_map(|asset| asset.object.as_ref()));
    }
    names.into_iter().filter(|name| stays(passed, name)).take(ENTRIES).cloned().collect()
}

/// Whether an object in this state was made or changed by us.
fn stands(state: State) -> bool {
    match state {
        State::Applied
        | State::Differs
        | State::Throttled
        | State::Paused
        | State::Refused
        | State::Forbidden
        | State::Failed => true,
        State::Missing
        | State::Unmanaged
        | State::Excluded
        | State::NotSelected
        | State::ConditionNotMet
        | State::DependencyMissing
        | State::Withheld
        | State::Foreign
        | State::Unknown => false,
    }
}

/// Whether an object that was left before still is.
fn stays(passed: &Passed, object: &str) -> bool {
    let mode = passed.reach();
    if mode == Mode::Off || passed.pass.held.is_some() {
        return true;
    }
    let mut parts =
        passed.pass.outcomes.iter().filter(|outcome| outcome.key.as_ref().is_some_and(|key| called(key) == object));
    parts.any(|outcome| match outcome.state {
        State::Unknown => true,
        State::Missing | State::Foreign => false,
        _ => mode == Mode::Audit && !outcome.is_gone(),
    })
}

/// What an object is called in a status.
pub(super) fn called(key: &Key) -> String {
    line(&key.to_string(), OBJECT)
}
