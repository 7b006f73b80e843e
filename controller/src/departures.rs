//! What is remembered of Machines on their way out, so that nothing is asked or written twice. No I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So long after a deletion was answered, what a watch shows of its object counts as old. An API server is behind by less.
const BEHIND: Duration = Duration::from_secs(30);

/// By Machine UID.
#[derive(Debug, Default)]
pub struct Departures(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// VM and instance are proven gone by name.
    proven: BTreeSet<String>,
    /// The version that was let go. The watch may show it a moment longer.
    released: BTreeMap<String, Option<String>>,
    /// The objects whose deletion was answered, by their UIDs, and when.
    deleted: BTreeMap<String, BTreeMap<String, Instant>>,
}

impl Departures {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// VM and instance are gone.
    pub fn prove(&self, machine: &str) {
        self.known().proven.insert(machine.to_owned());
    }

    /// Whether they were seen to be gone.
    pub fn is_proven(&self, machine: &str) -> bool {
        self.known().proven.contains(machine)
    }

    /// They have to be looked for again.
    pub fn doubt(&self, machine: &str) {
        self.known().proven.remove(machine);
    }

    /// The deletion of this object was answered: it is gone, or goes.
    pub fn delete(&self, machine: &str, object: &str, now: Instant) {
        let mut known = self.known();
        let all = known.deleted.entry(machine.to_owned()).or_default();
        all.retain(|_, since| now.saturating_duration_since(*since) < BEHIND);
        all.insert(object.to_owned(), now);
    }

    /// Whether its deletion was answered a moment ago: a watch that shows it as it was is behind.
    pub fn is_deleted(&self, machine: &str, object: &str, now: Instant) -> bool {
        let known = self.known();
        let since = known.deleted.get(machine).and_then(|all| all.get(object));
        since.is_some_and(|since| now.saturating_duration_since(*since) < BEHIND)
    }

    /// Our finalizer was taken off this version of the Machine.
    pub fn release(&self, machine: &str, version: Option<&str>) {
        let mut known = self.known();
        known.proven.remove(machine);
        known.deleted.remove(machine);
        known.released.insert(machine.to_owned(), version.map(str::to_owned));
    }

    /// Whether this is the version that was let go: nothing is left to do for it.
    pub fn is_released(&self, machine: &str, version: Option<&str>) -> bool {
        self.known().released.get(machine).is_some_and(|released| released.as_deref() == version)
    }

    /// Forgets those that are not there any more.
    pub fn forget_gone(&self, is_there: impl Fn(&str) -> bool) {
        let mut known = self.known();
        known.proven.retain(|machine| is_there(machine));
        known.released.retain(|machine, _| is_there(machine));
        known.deleted.retain(|machine, _| is_there(machine));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x17_a_version_that_was_let_go_is_done_with_and_a_later_one_is_not() {
        let departures = Departures::default();
        departures.prove("m-1");
        assert!(departures.is_proven("m-1") && !departures.is_released("m-1", Some("7")));
        departures.release("m-1", Some("7"));
        assert!(departures.is_released("m-1", Some("7")), "the watch is behind");
        assert!(!departures.is_released("m-1", Some("8")), "somebody else's finalizer holds it, or put ours back");
        assert!(!departures.is_proven("m-1"), "what is there now is looked for again");
        assert!(!departures.is_released("m-2", Some("7")));
    }

    #[test]
    fn x17_with_stale_watches_a_deletion_that_was_answered_is_not_sent_again() {
        let (departures, now) = (Departures::default(), Instant::now());
        let is_deleted =
            |machine, object, seconds| departures.is_deleted(machine, object, now + Duration::from_secs(seconds));
        assert!(!is_deleted("m-1", "vm", 0));
        departures.delete("m-1", "vm", now);
        assert!(is_deleted("m-1", "vm", 29) && !is_deleted("m-1", "claim", 0) && !is_deleted("m-2", "vm", 0));
        assert!(!is_deleted("m-1", "vm", 30), "it is there after all");
        departures.delete("m-1", "claim", now + Duration::from_secs(30));
        assert_eq!(departures.known().deleted["m-1"].len(), 1, "what is over is not kept");
        departures.release("m-1", None);
        assert!(departures.known().deleted.is_empty());
    }

    #[test]
    fn x17_nothing_is_kept_of_a_machine_that_is_gone() {
        let departures = Departures::default();
        departures.prove("gone");
        departures.prove("there");
        departures.release("gone too", Some("7"));
        departures.delete("gone as well", "vm", Instant::now());
        departures.forget_gone(|machine| machine == "there");
        assert!(departures.is_proven("there") && !departures.is_proven("gone"));
        assert!(!departures.is_released("gone too", Some("7")));
        assert!(departures.known().deleted.is_empty());
    }
}
