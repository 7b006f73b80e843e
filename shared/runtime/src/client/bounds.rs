//! How much of an API server is put up with. No I/O.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// Bytes of the largest object that an API server takes. etcd stores half as much, unless it is told to store more.
const OBJECT: usize = 3 << 20;

/// Beyond any of these a request fails, with a sentence that says which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Bytes of an answer, of which kube makes copies: a process grows by three times as much. kube's `gzip` is off: what comes
    /// is what is read.
    pub(super) answer: usize,
    /// Objects in the list of an answer; each takes hundreds of bytes in memory, and two in JSON.
    pub(super) objects: usize,
    /// JSON values in an answer, which take up to a hundred bytes each.
    pub(super) values: usize,
    /// JSON values in an answer with one object: a page of one, or no page at all.
    pub(super) values_of_one: usize,
    /// Bytes of a line of a watch.
    pub(super) line: usize,
    /// Of answers larger than this, one at a time is read from a server.
    pub(super) large: usize,
    /// Pages of a list.
    pub(super) pages: usize,
    /// Until a list is complete.
    pub(super) list: Duration,
    /// Until an answer is complete, unless it is a watch.
    pub(super) complete: Duration,
    /// Until a watch begins.
    pub(super) begin: Duration,
    /// While a server asks for patience, a request waits so long for its turn.
    pub(super) patience: Duration,
    /// A watch takes this long at least: the watcher opens one that ended again at once, and for ever.
    pub(super) shortest: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            answer: 8 << 20,
            objects: 1_000,
            values: 250_000,
            values_of_one: 250_000,
            line: 4 << 20,
            large: 1 << 20,
            pages: 4_000,
            list: Duration::from_secs(90),
            complete: Duration::from_secs(30),
            begin: Duration::from_secs(10),
            patience: Duration::from_secs(5),
            shortest: Duration::from_secs(1),
        }
    }
}

impl Bounds {
    /// Those of the supervisor, which is trusted, and its tenants are not: whatever it stores of one of them fits, so that no
    /// object hides the others. No JSON has more values for its bytes than `[],[],`: two in three.
    pub(super) fn of_supervisor() -> Self {
        Self { values_of_one: OBJECT / 3 * 2, ..Self::default() }
    }
}

/// When something has to be over, and what is said when it is not.
#[derive(Clone, Debug)]
pub(super) struct Deadline {
    at: Instant,
    late: String,
}

impl Deadline {
    /// So long after `began`; `late` goes before "within 10 s".
    pub(super) fn of(began: Instant, limit: Duration, late: &str) -> Self {
        Self { at: began + limit, late: format!("{late} within {} s", limit.as_secs_f32()) }
    }

    /// The one that comes first.
    pub(super) fn or(self, other: Option<Self>) -> Self {
        other.filter(|other| other.at < self.at).unwrap_or(self)
    }

    /// Waits for something, but no longer.
    pub(super) async fn wait<T>(&self, it: impl Future<Output = T>) -> Result<T, String> {
        timeout_at(self.at, it).await.map_err(|_| self.late.clone())
    }
}
