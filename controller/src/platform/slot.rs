//! What is kept of the platform of one cluster: what is wanted, what was heard, and what was done. No I/O.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::names::ClusterName;
use model::platform::memory::Memory;
use model::platform::snapshot::{Asked, Mode, Snapshot};
use model::platform::state::{Held, Key, Pass};
use model::platform::status::Passed;
use model::reason::Reason;
use tokio::sync::watch as channel;

use super::facts::Facts;

/// Why nothing is seen of a cluster.
pub(super) const AWAY: &str = "it is not connected";

/// What a KubevirtConfig wants of its cluster.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wish {
    pub(super) asked: Asked,
    /// UID that is recorded of the cluster.
    pub(super) recorded: Option<String>,
    /// The older KubevirtConfig of the same cluster, which is the one that counts.
    pub(super) elder: Option<ClusterName>,
}

/// The platform of one cluster: what is wanted, what was heard, and what was done.
#[derive(Debug)]
pub struct Slot {
    pub(super) wish: channel::Sender<Option<Wish>>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) facts: Facts,
    pub(super) memory: BTreeMap<Key, Memory>,
    pub(super) passed: Option<Passed>,
    /// What the last pass was judged with: whether this is the cluster that is meant, and whether it is its turn.
    pub(super) stands: Option<(Result<(), String>, Result<(), String>)>,
    /// What was written to which object, and nobody was told of yet.
    pub(super) wrote: Vec<(String, Reason, String)>,
}

impl Default for Slot {
    fn default() -> Self {
        Self { wish: channel::Sender::new(None), kept: Mutex::default() }
    }
}

impl Slot {
    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what is wanted; `remembered` is what an earlier process knew.
    pub(super) fn wants(&self, wish: Wish, remembered: impl FnOnce() -> BTreeMap<Key, Memory>) {
        let off = wish.asked.mode == Mode::Off;
        if !off && self.wish.borrow().is_none() {
            self.kept().memory = remembered();
        }
        self.wish.send_if_modified(|known| {
            let news = known.as_ref() != Some(&wish);
            *known = Some(wish);
            news
        });
        // After that, so that a pass that still runs does not tell of itself any more.
        if off {
            let pass = Pass { held: Some(Held::Off), ..Pass::default() };
            *self.kept() = Kept { passed: Some(Passed { mode: Mode::Off, pass }), ..Kept::default() };
        }
    }

    /// Whether this is what is wanted now.
    pub(super) fn is_wanted(&self, wish: &Wish) -> bool {
        self.wish.borrow().as_ref() == Some(wish)
    }

    /// Nothing is known of the cluster any more.
    pub(super) fn lost(&self) {
        let mut kept = self.kept();
        kept.facts.forget();
        if let Some(passed) = kept.passed.as_mut().filter(|passed| passed.mode != Mode::Off) {
            passed.pass = Pass { held: Some(Held::Unknown(AWAY.to_owned())), ..Pass::default() };
        }
    }

    /// What the last pass came to; none before the first one.
    pub(crate) fn passed(&self) -> Option<Passed> {
        self.kept().passed.clone()
    }

    /// What was written since this was asked the last time, for Events.
    pub(crate) fn wrote(&self) -> Vec<(String, Reason, String)> {
        std::mem::take(&mut self.kept().wrote)
    }

    /// What a pass would be judged from now; none while there is no baseline, or nothing was heard of the cluster.
    pub(crate) fn look(&self, supervisor: &str) -> Option<(Snapshot, BTreeMap<Key, Memory>)> {
        let asked = self.wish.borrow().as_ref()?.asked.clone();
        let kept = self.kept();
        if asked.mode == Mode::Off || kept.facts.is_empty() {
            return None;
        }
        let (identity, turn) = kept.stands.clone().unwrap_or((Ok(()), Ok(())));
        let snapshot = kept.facts.snapshot(asked, supervisor, identity);
        Some((Snapshot { turn, ..snapshot }, kept.memory.clone()))
    }
}

/// How many clusters there are with each asset in each state.
pub(crate) fn count<'s>(slots: impl Iterator<Item = &'s Slot>) -> BTreeMap<(String, String), usize> {
    let mut counts = BTreeMap::new();
    for slot in slots {
        let kept = slot.kept();
        let outcomes = kept.passed.iter().flat_map(|passed| &passed.pass.outcomes);
        for outcome in outcomes.filter(|outcome| !outcome.is_tombstone()) {
            *counts.entry((outcome.asset.clone(), outcome.state.name().to_owned())).or_default() += 1;
        }
    }
    counts
}
