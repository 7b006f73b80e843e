//! Simulated time: how long each step takes, and which of the wanted moves are due. Pure; the clock is passed in.
//! What is remembered is only since when a step has been wanted. After a restart the steps wait once more.

use super::writes::{Move, Pace};
use k8s_openapi::jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;
use tokio::time::Instant;

/// Seeded delays: the same seed, object and step always take the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delays {
    /// Another seed gives another, equally repeatable run.
    pub seed: u64,
    /// Shortest time that a step takes.
    pub min: Duration,
    /// Longest time that a step takes.
    pub max: Duration,
}

impl Default for Delays {
    fn default() -> Self {
        Self { seed: 1, min: Duration::from_millis(50), max: Duration::from_millis(200) }
    }
}

impl Delays {
    fn of(&self, about: &str, step: &str) -> Duration {
        let span = u64::try_from(self.max.saturating_sub(self.min).as_millis()).unwrap_or(u64::MAX);
        self.min + Duration::from_millis(draw(&format!("{}/{about}/{step}", self.seed)) % span.saturating_add(1))
    }
}

/// A number that only the text decides.
pub(super) fn draw(text: &str) -> u64 {
    let digest = Sha256::digest(text);
    digest.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

/// Since when each step has been wanted, per key of the work queue.
pub(super) struct Timers<K> {
    delays: Delays,
    wanted: HashMap<K, HashMap<(String, &'static str), Instant>>,
}

impl<K: Hash + Eq> Timers<K> {
    pub(super) fn new(delays: Delays) -> Self {
        Self { delays, wanted: HashMap::new() }
    }

    /// Splits what is wanted into what is due and how long to wait for the next of the rest.
    /// A step that is no longer wanted starts anew when it is wanted again.
    pub(super) fn due(
        &mut self,
        key: K,
        moves: Vec<Move>,
        at: Instant,
        now: Timestamp,
    ) -> (Vec<Move>, Option<Duration>) {
        let mut before = self.wanted.remove(&key).unwrap_or_default();
        let mut since = HashMap::new();
        let (mut due, mut next) = (Vec::new(), None::<Duration>);
        for wanted in moves {
            let left = match wanted.pace {
                Pace::AtOnce => Duration::ZERO,
                Pace::After(then) => Duration::try_from(then.duration_since(now)).unwrap_or_default(),
                Pace::Seeded => {
                    let step = (wanted.about.clone(), wanted.step);
                    let start = before.remove(&step).unwrap_or(at);
                    since.insert(step, start);
                    (start + self.delays.of(&wanted.about, wanted.step)).saturating_duration_since(at)
                }
            };
            if left.is_zero() {
                due.push(wanted);
            } else {
                next = Some(next.map_or(left, |next| next.min(left)));
            }
        }
        if !since.is_empty() {
            self.wanted.insert(key, since);
        }
        (due, next)
    }
}

#[cfg(test)]
mod tests {
    use super::super::objects::{Kind, Name};
    use super::super::writes::{Verb, Write};
    use super::*;

    const DELAYS: Delays = Delays { seed: 7, min: Duration::from_millis(50), max: Duration::from_millis(200) };

    fn wanted(step: &'static str, pace: Pace) -> Move {
        let verb = Verb::Delete { uid: "u".into() };
        Move {
            step,
            about: "u".into(),
            pace,
            write: Write { actor: "t", kind: Kind::Vm, name: Name::new("a", "b"), verb },
        }
    }

    #[test]
    fn delays_are_repeatable_and_within_bounds() {
        let all: Vec<_> = (0..200).map(|n| DELAYS.of(&n.to_string(), "boot")).collect();
        assert!(all.iter().all(|d| (DELAYS.min..=DELAYS.max).contains(d)));
        assert!(
            all.iter().any(|d| *d < DELAYS.min * 2) && all.iter().any(|d| *d > DELAYS.min * 3),
            "spread over the range"
        );
        assert_eq!(all[0], DELAYS.of("0", "boot"));
        assert_ne!(DELAYS.of("0", "boot"), Delays { seed: 8, ..DELAYS }.of("0", "boot"));
        assert_eq!(Delays { min: DELAYS.max, ..DELAYS }.of("0", "boot"), DELAYS.max);
    }

    #[test]
    fn a_step_is_due_when_it_has_been_wanted_for_its_delay() {
        let (start, now) = (Instant::now(), Timestamp::UNIX_EPOCH);
        let mut timers = Timers::new(DELAYS);
        let delay = DELAYS.of("u", "boot");
        let boot = || vec![wanted("boot", Pace::Seeded)];
        assert_eq!(timers.due("k", boot(), start, now), (vec![], Some(delay)));
        assert_eq!(timers.due("k", boot(), start + delay / 2, now), (vec![], Some(delay.saturating_sub(delay / 2))));
        assert_eq!(timers.due("k", boot(), start + delay, now), (boot(), None));
        assert_eq!(timers.due("k", vec![], start + delay, now), (vec![], None), "no longer wanted");
        assert_eq!(timers.due("k", boot(), start + delay, now), (vec![], Some(delay)), "wanted again: waits again");
    }

    #[test]
    fn other_paces_do_not_wait_for_the_seed() {
        let (start, now) = (Instant::now(), Timestamp::UNIX_EPOCH);
        let mut timers = Timers::new(DELAYS);
        let later = now + Duration::from_secs(3);
        let both = || vec![wanted("status", Pace::AtOnce), wanted("create-instance", Pace::After(later))];
        let (due, next) = timers.due("k", both(), start, now);
        assert_eq!((due.len(), next), (1, Some(Duration::from_secs(3))));
        assert_eq!(timers.due("k", both(), start, later), (both(), None));
    }
}
