//! What came through the proxies, by namespace, and what is to happen there. No I/O.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot, watch};

use super::fault::{Harm, Lapse, Way};
use super::lags::Lags;

/// Where harm is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The number of the request, event or review, from 1.
    pub at: usize,
    /// What happens there.
    pub harm: Harm,
}

/// Something that was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The API server, or `webhook`.
    pub plane: String,
    /// HTTP method, or kind of the event.
    pub method: String,
    /// Path without query; of an event, with the object's name.
    pub path: String,
    /// HTTP status that was told; 0 for none.
    pub status: u16,
}

impl Seen {
    /// Whether it may have changed something that matters; an Event is only told.
    pub fn is_write(&self) -> bool {
        self.method != "GET" && !self.path.contains("/events")
    }
}

/// The controller is to be killed; it is dead once this is answered.
pub type Crash = oneshot::Sender<()>;

#[derive(Debug)]
pub(super) struct Lines {
    /// By namespace; only those that are expected are counted.
    expected: Mutex<HashMap<String, Line>>,
    /// Watches whose past is forgotten, by API server and path: up to which version, and how that is said.
    forgotten: Mutex<HashMap<(String, String), (u64, Lapse)>>,
    /// Namespaces for whose sake a watch tells no bookmark.
    unmarked: watch::Sender<BTreeSet<String>>,
    /// API servers that are behind.
    pub(super) lags: Lags,
    crashes: mpsc::UnboundedSender<Crash>,
}

/// A watch that tells no bookmark, for the sake of a namespace, while this is kept.
#[derive(Debug)]
pub(super) struct Unmarked<'l> {
    lines: &'l Lines,
    namespace: String,
}

impl Drop for Unmarked<'_> {
    fn drop(&mut self) {
        self.lines.unmarked.send_if_modified(|all| all.remove(&self.namespace));
    }
}

#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) seen: BTreeMap<Way, Vec<Seen>>,
    point: Option<Point>,
    /// The controller is about to be killed: nothing more comes through.
    dying: bool,
    /// Nothing comes through.
    pub(super) cut: bool,
    /// What the proxy noticed and must not be.
    pub(super) wrong: Vec<String>,
}

impl Line {
    pub(super) fn new(point: Option<Point>) -> Self {
        Self { point, ..Self::default() }
    }
}

impl Lines {
    pub(super) fn new(crashes: mpsc::UnboundedSender<Crash>) -> Self {
        let unmarked = watch::Sender::default();
        Self { expected: Mutex::default(), forgotten: Mutex::default(), unmarked, lags: Lags::default(), crashes }
    }

    /// From now on a watch tells no bookmark.
    pub(super) fn unmark(&self, namespace: &str) -> Unmarked<'_> {
        self.unmarked.send_if_modified(|all| all.insert(namespace.to_owned()));
        Unmarked { lines: self, namespace: namespace.to_owned() }
    }

    /// Returns once no watch withholds bookmarks for the sake of this namespace.
    pub(super) async fn marked(&self, namespace: &str) {
        // What is waited on is part of what is asked, so it is there.
        let _ = self.unmarked.subscribe().wait_for(|all| !all.contains(namespace)).await;
    }

    pub(super) fn with<T>(&self, look: impl FnOnce(&mut HashMap<String, Line>) -> T) -> T {
        look(&mut self.expected.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts what has come: its index, and what happens to it. `None` while no requests come through.
    pub(super) fn arrive(&self, way: Way, namespace: &str, seen: Seen) -> Option<(usize, Option<Harm>)> {
        self.with(|all| {
            let Some(line) = all.get_mut(namespace) else { return Some((usize::MAX, None)) };
            if way == Way::Requests && (line.dying || line.cut) {
                return None;
            }
            let known = line.seen.entry(way).or_default();
            known.push(seen);
            let at = known.len();
            let harm = line.point.filter(|point| point.at == at && point.harm.way() == way).map(|point| point.harm);
            line.dying |= harm.is_some_and(Harm::kills);
            Some((at - 1, harm))
        })
    }

    pub(super) fn told(&self, way: Way, namespace: &str, index: usize, status: u16) {
        self.with(|all| {
            let line = all.get_mut(namespace).and_then(|line| line.seen.get_mut(&way));
            if let Some(seen) = line.and_then(|seen| seen.get_mut(index)) {
                seen.status = status;
            }
        });
    }

    pub(super) fn accuse(&self, namespace: &str, what: String) {
        self.with(|all| all.get_mut(namespace).map(|line| line.wrong.push(what)));
    }

    /// From now on a watch cannot go on from before that version.
    pub(super) fn forget(&self, plane: &str, path: &str, version: u64, lapse: Lapse) {
        let mut forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        forgotten.insert((plane.to_owned(), path.to_owned()), (version, lapse));
    }

    /// How a watch is refused that wants to go on from that version, if it is.
    pub(super) fn forgot(&self, plane: &str, path: &str, version: u64) -> Option<Lapse> {
        let forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        let known = forgotten.get(&(plane.to_owned(), path.to_owned()));
        known.filter(|(newest, _)| version < *newest).map(|(_, lapse)| *lapse)
    }

    /// Has the controller killed, and lets the next one pass.
    pub(super) async fn crash(&self, namespace: &str) {
        let (dead, killed) = oneshot::channel();
        // The receiver lives as long as the sweep.
        let _ = self.crashes.send(dead);
        let _ = killed.await;
        self.with(|all| all.get_mut(namespace).map(|line| line.dying = false));
    }
}
