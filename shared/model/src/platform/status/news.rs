//! The Events of a baseline: one for each asset whose state changed, and one for each write. Pure. X88, P13.

use serde_json::Value;

use crate::api::{PlatformAsset, PlatformStatus};
use crate::baseline::drift;
use crate::baseline::war::PAUSED;
use crate::platform::snapshot::Mode;
use crate::platform::state::{Key, State, Step};
use crate::platform::words::told;
use crate::reason::{Reason, Severity};
use crate::text::line;

/// Most Events of one change of a status.
const EVENTS: usize = 6;
/// Most bytes of one.
const SENTENCE: usize = 900;
/// Objects that are named of those that are left.
const NAMED: usize = 8;

/// What changed of the assets between two statuses, what is wrong first. Of an asset that was not told of before, only what is
/// wrong is news. What a write changed is not told again: [`wrote`] has its own words.
pub fn news(previous: Option<&PlatformStatus>, next: Option<&PlatformStatus>) -> Vec<(Reason, String)> {
    let Some(next) = next else { return Vec::new() };
    let mode = Mode::of(next.mode.as_deref());
    if mode == Mode::Off {
        let news = previous.is_some_and(|it| Mode::of(it.mode.as_deref()) != Mode::Off);
        return if news { vec![(Reason::PlatformOff, off(&next.left))] } else { Vec::new() };
    }
    let of = |name: &str| previous.into_iter().flat_map(|it| &it.assets).find(|asset| asset.name == name);
    let mut found: Vec<_> = next.assets.iter().filter_map(|asset| change(of(&asset.name), asset, mode)).collect();
    found.sort_by_key(|(reason, _)| reason.severity() == Severity::Normal);
    let more = found.len().saturating_sub(EVENTS);
    found.truncate(EVENTS);
    if let Some((_, last)) = found.last_mut().filter(|_| more > 0) {
        *last = format!("{last}; {more} more changed: see status.platform.assets");
    }
    found
}

/// Whether a condition of this reason is only what assets are told of already.
pub fn is_told_by_assets(reason: Reason) -> bool {
    [Reason::PlatformDiffers, Reason::PlatformIncomplete, Reason::PlatformForbidden].contains(&reason)
}

fn change(before: Option<&PlatformAsset>, now: &PlatformAsset, mode: Mode) -> Option<(Reason, String)> {
    if before.is_some_and(|before| before.state == now.state) {
        return None;
    }
    let was = before.and_then(|before| State::of(&before.state));
    let reason = reason(State::of(&now.state)?, was, mode)?;
    let object = now.object.as_ref().map(|object| format!(" ({object})")).unwrap_or_default();
    let earlier = was.map(|was| format!(", was {}", was.name())).unwrap_or_default();
    let message = now.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
    Some((reason, line(&format!("{}{object} is {}{earlier}{message}", now.name, now.state), SENTENCE)))
}

/// As what a state is told; `None` where it is no news.
fn reason(state: State, was: Option<State>, mode: Mode) -> Option<Reason> {
    let enforced = mode == Mode::Enforce;
    match state {
        State::Throttled | State::Foreign | State::Refused | State::Forbidden | State::Failed => {
            Some(Reason::AssetIncomplete)
        }
        State::Missing | State::Differs => (!enforced).then_some(Reason::AssetDiffers),
        State::Paused => (!enforced).then_some(Reason::AssetPaused),
        State::Unknown => None,
        State::Applied
        | State::Unmanaged
        | State::Excluded
        | State::NotSelected
        | State::ConditionNotMet
        | State::DependencyMissing
        | State::Withheld => {
            let written = enforced
                && state == State::Applied
                && matches!(was, Some(State::Missing | State::Differs | State::Throttled));
            (!written && was.is_some_and(|was| was != State::Unknown)).then_some(Reason::AssetChanged)
        }
    }
}

fn off(left: &[String]) -> String {
    let first = left.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = left.len().saturating_sub(NAMED);
    let says = match (left.len(), more) {
        (0, _) => "the platform baseline is off".to_owned(),
        (_, 0) => format!("the platform baseline is off, and nothing is deleted: the cluster keeps {first}"),
        _ => format!("the platform baseline is off, and nothing is deleted: the cluster keeps {first} and {more} more"),
    };
    line(&says, SENTENCE)
}

/// What a step did that went well, for an Event: the object, each field with its old and its new value, and who wrote it last.
/// `of` is the name of the asset, or of several; `live` is the object as it was before.
pub fn wrote(key: &Key, step: &Step, live: Option<&Value>, of: &str) -> (Reason, String) {
    let live = live.unwrap_or(&Value::Null);
    let (reason, says) = match step {
        Step::Read => (Reason::AssetChanged, format!("read {key}")),
        Step::Create(_) => (Reason::AssetWritten, format!("created {key}, which was not there")),
        Step::Delete { .. } => (Reason::AssetDeleted, format!("deleted {key}, which is obsolete")),
        Step::Pause(_) => (Reason::AssetPaused, paused(key, live)),
        Step::Change { fields, .. } if fields.is_empty() => {
            (Reason::AssetWritten, format!("noted on {key} what it was written from"))
        }
        Step::Change { patch, .. } => {
            let changes = told(patch, live, |it| {
                let by = it.by.as_ref().map(|by| format!(", set by {by}")).unwrap_or_default();
                format!("{} was {}{by}, is {} now", it.field, it.old, it.new)
            });
            (Reason::AssetWritten, format!("corrected {key}: {changes}"))
        }
    };
    (reason, line(&format!("{of}: {says}"), SENTENCE))
}

/// Why nothing of an object is set back any more: the same words as for a VM.
fn paused(key: &Key, live: &Value) -> String {
    let drift = drift(live);
    let by = drift.first().and_then(|it| it.by.as_ref()).map(|by| format!(" by {by}")).unwrap_or_default();
    let field = drift.first().map_or("it", |it| it.field.as_str());
    format!(
        "paused {key}: {field} is changed again{by} each time that it is set back: find out why, then set its annotation {PAUSED} to \"false\""
    )
}
