//! Readiness as named latches (the shape of ztunnel's). No I/O.
//!
//! Whoever must be ready before traffic takes a latch before the probe is served, and opens it when it is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The process's readiness: ready when every latch is open. Clones share the latches.
#[derive(Clone, Debug, Default)]
pub struct Ready(Arc<Mutex<Latches>>);

#[derive(Debug, Default)]
struct Latches {
    next: u64,
    closed: BTreeMap<u64, &'static str>,
    gone: Vec<&'static str>,
}

/// One reason not to be ready yet. Dropped, it stays closed for good: the task that would have opened it is gone.
#[derive(Debug)]
pub struct Latch {
    ready: Ready,
    id: u64,
    name: &'static str,
}

impl Ready {
    /// Ready until a latch is taken.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new latch, closed. The name says what is waited for, in the words of a person who reads `/readyz`.
    pub fn latch(&self, name: &'static str) -> Latch {
        let id = {
            let mut latches = self.lock();
            latches.next += 1;
            latches.next
        };
        let latch = Latch { ready: self.clone(), id, name };
        latch.close();
        latch
    }

    /// Names of the closed latches, in the order they were taken. Empty means ready.
    pub fn not_ready(&self) -> Vec<&'static str> {
        self.lock().closed.values().copied().collect()
    }

    /// Names of the latches whose task is gone: only a new process can open them. Empty means healthy.
    pub fn gone(&self) -> Vec<&'static str> {
        self.lock().gone.clone()
    }

    /// Whether no latch is closed.
    pub fn is_ready(&self) -> bool {
        self.lock().closed.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Latches> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Latch {
    /// What this latch stands for is there.
    pub fn open(&self) {
        self.ready.lock().closed.remove(&self.id);
    }

    /// What this latch stands for is gone, or not yet there.
    pub fn close(&self) {
        self.ready.lock().closed.insert(self.id, self.name);
    }
}

impl Drop for Latch {
    fn drop(&mut self) {
        self.close();
        self.ready.lock().gone.push(self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_every_latch_is_open() {
        let ready = Ready::new();
        assert!(ready.not_ready().is_empty());
        let (certificate, watches) = (ready.latch("serving certificate"), ready.latch("watches"));
        assert_eq!(ready.not_ready(), ["serving certificate", "watches"]);
        certificate.open();
        certificate.open();
        assert_eq!(ready.clone().not_ready(), ["watches"]);
        watches.open();
        assert!(ready.not_ready().is_empty() && ready.is_ready());
        certificate.close();
        assert!(!ready.is_ready());
        assert_eq!(ready.not_ready(), ["serving certificate"]);
        assert!(ready.gone().is_empty(), "somebody may open it again");
        certificate.open();
        drop(watches);
        assert_eq!((ready.not_ready(), ready.gone()), (vec!["watches"], vec!["watches"]), "its task is gone");
    }

    #[test]
    fn latches_of_one_name_are_two() {
        let ready = Ready::new();
        let (a, _b) = (ready.latch("watch"), ready.latch("watch"));
        a.open();
        assert_eq!(ready.not_ready(), ["watch"]);
    }
}
