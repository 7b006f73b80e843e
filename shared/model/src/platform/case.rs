//! One object of the catalogue on one cluster, and whether it is left alone. Pure. P5, X83.

use serde_json::Value;

use super::fit::Schema;
use super::snapshot::{Live, MANAGED_BY, Snapshot, texts, word};
use super::state::{Key, Said, State, say};
use crate::baseline::war::PAUSED;
use crate::names::{OPERATOR, RECONCILE_PAUSED, SUPERVISOR};
use crate::patch::UserPatch;

/// One object, as its parts want it.
pub(super) struct Case<'c> {
    pub(super) snapshot: &'c Snapshot,
    pub(super) key: &'c Key,
    /// The parts that have a say.
    pub(super) parts: Vec<&'c str>,
    /// All of them together.
    pub(super) desired: Value,
    pub(super) schema: &'c Schema,
    /// Lists in which the entries of others stay, of all parts.
    pub(super) united: Vec<String>,
    pub(super) live: &'c Live,
    pub(super) is_root: bool,
    pub(super) yields: bool,
    pub(super) disruptive: bool,
}

impl Case<'_> {
    /// What comes before anything is compared.
    pub(super) fn left_alone(&self, live: &Value, user: &UserPatch) -> Option<Said> {
        let labels = &live["metadata"]["labels"];
        if self.yields {
            match self.snapshot.listed.get(&self.key.crd) {
                Some(Ok(names)) => {
                    if let Some(other) = names.iter().find(|name| **name != self.key.name) {
                        let kind = &self.key.kind;
                        let says = format!(
                            "{kind} {other} is there already, and two would undo each other: exclude {kind}/{} to say so",
                            self.key.name
                        );
                        return Some(say(State::Foreign, says));
                    }
                }
                Some(Err(why)) => {
                    return Some(say(
                        State::Unknown,
                        format!("whether there is another {} is not known: {why}", self.key.kind),
                    ));
                }
                None => {
                    return Some(say(
                        State::Unknown,
                        format!("whether there is another {} was not asked yet", self.key.kind),
                    ));
                }
            }
        }
        if user.unmanaged {
            return Some(say(State::Unmanaged, "its annotation says so"));
        }
        if !live.is_null() && !self.is_root {
            if labels[MANAGED_BY] != OPERATOR {
                let says = format!(
                    "somebody else made {}: hand it over with the label {MANAGED_BY}: {OPERATOR}, or exclude it",
                    self.key
                );
                return Some(say(State::Foreign, says));
            }
            if labels[SUPERVISOR].as_str().is_some_and(|other| other != self.snapshot.supervisor) {
                return Some(say(
                    State::Foreign,
                    format!("another supervisor keeps {}: see its label {SUPERVISOR}", self.key),
                ));
            }
        }
        (mark(live) == Some(true)).then(|| {
            say(State::Paused, format!("set {PAUSED}: \"false\" on {} to go on, once nobody changes it back", self.key))
        })
    }
}

/// What the object says about its pause.
pub(super) fn mark(live: &Value) -> Option<bool> {
    word(&texts(live, "annotations"), RECONCILE_PAUSED).and_then(|said| said.parse().ok())
}
