//! What is remembered of one object between passes. Pure. X88. One for each cluster and [`super::state::Key`]; at most a few KB.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::catalogue::Catalogue;
use super::state::{Key, Said, State, say};
use crate::api::PlatformStatus;
use crate::baseline::war::War;

/// How long a write that is not allowed is not tried again.
const FORBIDDEN: Duration = Duration::from_secs(600);
/// The same of one that failed, twice as long after each failure in a row, up to the longest. That is more than a cluster whose
/// nodes may restart keeps others waiting, so that one which fails for ever does not keep them for ever.
const FAILED: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(600);

/// Why a step did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// We may not; the verb that is missing.
    Forbidden(String),
    /// The API server does not take it, and will not take it again; the sentence says why.
    Refused(String),
    /// No answer, or one that says to come again.
    Failed(String),
}

/// What is remembered of one object.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// How often it was set right.
    pub(super) war: War,
    /// What was compared last: of what, the fields that differ, and these in words.
    pub(super) compared: Option<(String, Vec<String>, String)>,
    /// What the step that was due last was made of.
    pub(super) tried: String,
    failed: Option<(Answer, String, Timestamp)>,
    /// How often it failed in a row.
    row: u32,
}

impl Memory {
    /// What is known of a pause that the status tells of.
    pub fn paused_since(since: Timestamp) -> Self {
        Self { war: War::paused_since(since), ..Self::default() }
    }

    /// The step that was due last went well; these fields were changed.
    pub fn wrote(&mut self, fields: &[String], now: Timestamp) {
        self.war.corrected(fields, now);
        (self.failed, self.row) = (None, 0);
    }

    /// The step that was due last did not happen.
    pub fn failed(&mut self, answer: Answer, now: Timestamp) {
        self.row = if matches!(answer, Answer::Failed(_)) { self.row.saturating_add(1) } else { 0 };
        self.failed = Some((answer, self.tried.clone(), now));
    }

    /// Why a step that is made of `tried` is not to be tried now, and for how long.
    pub(super) fn holds_back(&self, tried: &str, now: Timestamp) -> Option<(Said, Option<Duration>)> {
        let (answer, of, at) = self.failed.as_ref()?;
        let left = |pause: Duration| {
            let until = at.checked_add(pause).ok()?;
            Duration::try_from(until.duration_since(now)).ok().filter(|left| !left.is_zero())
        };
        match answer {
            Answer::Forbidden(verb) => {
                let says =
                    format!("we may not {verb} it: grant the rights of the chart's mode remote with platform.enabled");
                Some((say(State::Forbidden, says), Some(left(FORBIDDEN)?)))
            }
            Answer::Refused(why) => {
                (of == tried).then(|| (say(State::Refused, format!("the cluster refuses it: {why}")), None))
            }
            Answer::Failed(why) => {
                let pause = FAILED.saturating_mul(1 << self.row.saturating_sub(1).min(16)).min(LONGEST);
                Some((say(State::Failed, format!("tried again later: {why}")), Some(left(pause)?)))
            }
        }
    }

    /// After how long what was held back is tried again.
    pub(super) fn again(&self, now: Timestamp) -> Option<Duration> {
        self.holds_back(&self.tried, now)?.1
    }

    /// Nothing of it is worth remembering.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.compared.is_none() && self.failed.is_none() && self.war.is_over(now)
    }
}

/// What the last status tells of pauses, for a process that begins: whoever fought then may still do.
pub fn remembered(catalogue: &Catalogue, status: Option<&PlatformStatus>) -> BTreeMap<Key, Memory> {
    let Some(status) = status else { return BTreeMap::new() };
    let root = status.root.as_ref();
    let paused = status.assets.iter().filter(|it| it.state == State::Paused.name());
    let found = paused.filter_map(|told| {
        let since = told.since.as_ref()?.0;
        let asset = catalogue.assets.iter().find(|asset| asset.row.name == told.name)?;
        let mut key = asset.key.clone();
        if asset.row.root {
            (key.namespace, key.name) = (root?.namespace.clone(), root?.name.clone()?);
        }
        Some((key, Memory::paused_since(since)))
    });
    found.collect()
}
