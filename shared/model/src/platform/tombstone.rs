//! Objects that an earlier catalogue had, and that are to go. Pure. D6, X92.

use std::time::Duration;

use serde_json::Value;

use super::catalogue::Tombstone;
use super::engine::Due;
use super::exclusion::Rule;
use super::memory::Memory;
use super::snapshot::{Disruption, Live, MANAGED_BY, Mode, Snapshot, texts};
use super::state::{ITSELF, Outcome, Said, State, Step, say};
use crate::baseline::war::Turn;
use crate::names::{OPERATOR, SUPERVISOR};
use crate::patch::of_asset;
use k8s_openapi::jiff::Timestamp;

/// How long a deletion waits that was done too often.
const THROTTLED: Duration = Duration::from_secs(6);

/// How a tombstone stands: `Applied` once its object is gone.
///
/// Guarantees: only what carries our label and this supervisor's is deleted, and exactly the object that was judged.
pub(super) fn judge(
    tombstone: &Tombstone,
    snapshot: &Snapshot,
    exclusions: &[Rule],
    memory: &mut Memory,
    now: Timestamp,
) -> (Outcome, Due) {
    let (said, step) = decide(tombstone, snapshot, exclusions, memory, now);
    let wait = match said.0 {
        State::Failed | State::Forbidden => memory.again(now),
        State::Throttled | State::Paused => memory.war.rests(now).or(Some(THROTTLED)),
        _ => None,
    };
    let outcome =
        Outcome { asset: tombstone.path.clone(), key: Some(tombstone.key.clone()), state: said.0, message: said.1 };
    (outcome, Due { step, wait })
}

fn decide(
    tombstone: &Tombstone,
    snapshot: &Snapshot,
    exclusions: &[Rule],
    memory: &mut Memory,
    now: Timestamp,
) -> (Said, Option<Step>) {
    let gone = || (say(State::Applied, "is gone"), None);
    let key = &tombstone.key;
    match snapshot.crd(&key.crd) {
        Err(why) => return (say(State::Unknown, why), None),
        Ok(None) => return gone(),
        Ok(Some(_)) => {}
    }
    let live = match snapshot.object(key) {
        Err(why) => return (say(State::Unknown, why), None),
        Ok(Live::Absent) => return gone(),
        Ok(Live::Metadata(object) | Live::Whole(object)) => object,
    };
    let metadata = &live["metadata"];
    let (user, _) = of_asset(&[], &snapshot.asked.annotations, &texts(live, "annotations"));
    let says = format!("{key} is obsolete, and is deleted");
    if exclusions.iter().any(|rule| rule.excludes(key)) {
        return (say(State::Excluded, "disabled-resources names it"), None);
    }
    if user.unmanaged {
        return (say(State::Unmanaged, "its annotation says so"), None);
    }
    if !metadata["deletionTimestamp"].is_null() {
        return (say(State::Differs, format!("{key} is being deleted")), None);
    }
    if metadata["labels"][MANAGED_BY] != OPERATOR || metadata["labels"][SUPERVISOR] != snapshot.supervisor.as_str() {
        return (say(State::Foreign, format!("{key} is obsolete, but not ours: delete it yourself")), None);
    }
    if snapshot.asked.mode != Mode::Enforce {
        return (say(State::Differs, format!("{key} is obsolete, and would be deleted")), None);
    }
    if tombstone.disruptive && snapshot.asked.disruption == Disruption::Withhold {
        return (
            say(State::Withheld, format!("{says}, which restarts nodes: allow that with nodeDisruption: Allow")),
            None,
        );
    }
    if let (true, Err(why)) = (tombstone.disruptive, &snapshot.turn) {
        return (say(State::Withheld, format!("{says}, which restarts nodes, and not now: {why}")), None);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (uid, resource_version) = (text(&metadata["uid"]), text(&metadata["resourceVersion"]));
    if let Some((said, _)) = memory.holds_back(&uid, now) {
        return (said, None);
    }
    match memory.war.turn(&[ITSELF.to_owned()], None, now) {
        Turn::Now => {}
        Turn::In(_) => {
            return (say(State::Throttled, format!("{says}, but somebody made it again: it waits a little")), None);
        }
        Turn::Pause(_) | Turn::Paused => {
            return (
                say(State::Paused, format!("{key} is made again each time that it is deleted: find out who does it")),
                None,
            );
        }
    }
    memory.tried.clone_from(&uid);
    (say(State::Differs, says), Some(Step::Delete { uid, resource_version }))
}
