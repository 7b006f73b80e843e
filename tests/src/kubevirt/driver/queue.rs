//! The work queue: which keys to look at now, later, or once the watch has caught up with our own writes. No I/O.
//! One key is never in work twice, so that what a decision was made on can only be changed by others.

use super::super::objects::{Kind, Name};
use super::super::writes::Fault;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;
use tokio::time::Instant;

/// How long to wait for the watch to show our own write. Longer than this, the watch is broken, or the object gone.
const PATIENCE: Duration = Duration::from_secs(3);
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(3);

/// What is looked at as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Key {
    /// A VM and the VMI of its name.
    Instance(Name),
    Claim(Name),
    Volume(Name),
    DataVolume(Name),
    /// A launcher pod.
    Pod(Name),
}

/// See the module.
#[derive(Default)]
pub(super) struct Queue {
    ready: BTreeSet<Key>,
    wakes: BTreeSet<(Instant, Key)>,
    busy: HashSet<Key>,
    awaiting: HashMap<Key, (Vec<(Kind, u64)>, Instant)>,
    failed: HashMap<Key, u32>,
}

impl Queue {
    pub(super) fn touch(&mut self, key: Key) {
        self.ready.insert(key);
    }

    pub(super) fn later(&mut self, key: Key, at: Instant) {
        self.wakes.insert((at, key));
    }

    pub(super) fn next_wake(&self) -> Instant {
        let far = || Instant::now() + Duration::from_secs(3600);
        self.wakes.first().map_or_else(far, |(at, _)| *at)
    }

    pub(super) fn wake(&mut self, now: Instant) {
        while self.wakes.first().is_some_and(|(at, _)| *at <= now) {
            self.ready.extend(self.wakes.pop_first().map(|(_, key)| key));
        }
    }

    /// A key to look at. Keys in work come back when their work is done; keys whose own write has not been seen yet
    /// come back when it is, or when patience ends.
    pub(super) fn pop(&mut self, now: Instant, has_reached: impl Fn(Kind, u64) -> bool) -> Option<Key> {
        loop {
            let key = self.ready.iter().find(|key| !self.busy.contains(*key))?.clone();
            self.ready.remove(&key);
            match self.awaiting.get(&key) {
                Some((writes, until)) if *until > now && !writes.iter().all(|&(kind, at)| has_reached(kind, at)) => {}
                Some(_) | None => {
                    self.awaiting.remove(&key);
                    return Some(key);
                }
            }
        }
    }

    pub(super) fn start(&mut self, key: Key) {
        self.busy.insert(key);
    }

    /// The work on a key is done: look again, at once or after a wait that grows with every failure.
    pub(super) fn sent(&mut self, key: Key, result: Result<Vec<(Kind, u64)>, Fault>, now: Instant) {
        self.busy.remove(&key);
        match result {
            Ok(writes) => {
                self.failed.remove(&key);
                self.later(key.clone(), now + PATIENCE);
                self.awaiting.insert(key.clone(), (writes, now + PATIENCE));
                self.touch(key);
            }
            Err(fault) => {
                let failed = self.failed.entry(key.clone()).or_default();
                let wait = FIRST_RETRY.saturating_mul(1 << (*failed).min(10)).min(LAST_RETRY);
                *failed = if fault.is_stale() { 0 } else { *failed + 1 };
                self.later(key, now + wait);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: fn(Kind, u64) -> bool = |_, _| true;
    const UNSEEN: fn(Kind, u64) -> bool = |_, _| false;

    fn key() -> Key {
        Key::Claim(Name::new("a", "root"))
    }

    #[test]
    fn a_key_is_never_in_work_twice() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.touch(key());
        assert_eq!(queue.pop(now, SEEN), Some(key()));
        queue.start(key());
        queue.touch(key());
        assert_eq!(queue.pop(now, SEEN), None, "in work");
        queue.sent(key(), Ok(vec![(Kind::Claim, 7)]), now);
        assert_eq!(queue.pop(now, SEEN), Some(key()));
    }

    #[test]
    fn our_own_write_is_awaited_but_not_for_ever() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.sent(key(), Ok(vec![(Kind::Claim, 7)]), now);
        assert_eq!(queue.pop(now, UNSEEN), None);
        queue.touch(key());
        assert_eq!(queue.pop(now, UNSEEN), None);
        queue.touch(key());
        assert_eq!(queue.pop(now, SEEN), Some(key()), "the watch caught up");

        queue.sent(key(), Ok(vec![(Kind::Claim, 8)]), now);
        assert_eq!(queue.pop(now, UNSEEN), None);
        queue.wake(now + PATIENCE);
        assert_eq!(queue.pop(now + PATIENCE, UNSEEN), Some(key()));
    }

    #[test]
    fn failures_wait_longer_and_longer() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..7 {
            queue.sent(key(), Err(Fault::Silence), now);
            waits.push(queue.next_wake() - now);
            queue.wake(now + LAST_RETRY);
        }
        assert_eq!(waits[..3], [FIRST_RETRY, FIRST_RETRY * 2, FIRST_RETRY * 4]);
        assert_eq!(waits[6], LAST_RETRY);
    }
}
