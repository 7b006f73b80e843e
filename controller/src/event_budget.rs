//! What an Event is, and how many of them a Machine may still have (T22). No I/O.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use kube::runtime::events::{Event, EventType};
use model::baseline::hash;
use model::text::line;

use crate::lately::Lately;

/// Events that come one after the other at most.
const MOST: u32 = 10;
/// After this long there may be one more, so that there are about twenty in the worst five minutes, and then ten in each.
const EACH: Duration = Duration::from_secs(30);

/// What was spent: by UID of a Machine; by UID of a KubevirtConfig, and what of it.
#[derive(Debug, Default)]
pub struct EventBudget(Mutex<Lately<Bucket>>);

/// A token bucket, as when it will be full again.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    full_at: Instant,
}

impl Bucket {
    /// Takes one out; whether there was one.
    fn take(&mut self, now: Instant) -> bool {
        let full_at = self.full_at.max(now) + EACH;
        let enough = full_at <= now + EACH * MOST;
        if enough {
            self.full_at = full_at;
        }
        enough
    }
}

impl EventBudget {
    /// Whether a Machine may have one more Event, which is counted then.
    pub fn spend(&self, uid: &str, now: Instant) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.of(uid, |bucket| bucket.full_at <= now, || Bucket { full_at: now }).take(now)
    }
}

/// An Event. Those of one action are one series, which keeps the first note: what is said otherwise is an action of its own.
pub fn event(action: &str, type_: EventType, reason: &str, note: &str) -> Event {
    Event {
        type_,
        reason: reason.to_owned(),
        note: Some(line(note, 1000)),
        action: format!("{action}-{:.8}", hash(note)),
        secondary: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t22_a_machine_that_comes_and_goes_has_few_events_and_others_have_theirs() {
        let (budget, start) = (EventBudget::default(), Instant::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        // One change a second, for five minutes.
        let first = (0..300).filter(|second| budget.spend("flapping", at(*second))).count();
        assert_eq!(first, 19, "ten at once, and one more each 30 s");
        let next = (300..600).filter(|second| budget.spend("flapping", at(*second))).count();
        assert_eq!(next, 10, "in each five minutes after that");
        assert!(budget.spend("quiet", at(599)), "another Machine has its own");
        let again = (0..20).filter(|_| budget.spend("flapping", at(2000))).count();
        assert_eq!(again, 10, "after a quiet time all are there again");
    }
}
