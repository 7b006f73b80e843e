//! Decisions of this webhook that the watch of Machines has not shown yet (A24): without them a burst of requests
//! would all see the fleet as it was before the first. No I/O.
//!
//! A note may be wrong, because somebody after us may still refuse the request. So it ends by itself, and what the watch
//! says meanwhile is kept beside it. And whoever reaches the endpoint may bring notes about (T15), so there are never more than
//! [`AT_MOST`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use admission::world::{Held, Machines};
use model::names::MachineKey;

/// How long a decision counts without having been seen.
pub const NOTED_FOR: Duration = Duration::from_secs(30);

/// Beyond this many the oldest are taken back before their time. The watch shows a decision in less than a second, so a fleet
/// that creates thousands of Machines in each is still within it.
const AT_MOST: usize = 10_000;

#[derive(Default)]
pub(super) struct Notes {
    notes: BTreeMap<MachineKey, Note>,
    /// When each of them ends: the first is the oldest.
    ends: BTreeSet<(Instant, MachineKey)>,
}

struct Note {
    until: Instant,
    decided: Held,
    /// What the watch last said.
    seen: Option<Held>,
}

impl Notes {
    pub(super) fn decided(&mut self, machines: &mut Machines, key: &MachineKey, held: Held, now: Instant) {
        let before = self.forget(key).map_or_else(|| machines.get(key).cloned(), |note| note.seen);
        if before.as_ref() == Some(&held) {
            machines.put(key, held);
        } else {
            machines.note(key, held.clone());
            let until = now + NOTED_FOR;
            self.ends.insert((until, key.clone()));
            self.notes.insert(key.clone(), Note { until, decided: held, seen: before });
        }
        if self.notes.len() > AT_MOST {
            self.take_back_oldest(machines);
        }
    }

    fn forget(&mut self, key: &MachineKey) -> Option<Note> {
        let (key, note) = self.notes.remove_entry(key)?;
        self.ends.remove(&(note.until, key));
        Some(note)
    }

    fn take_back_oldest(&mut self, machines: &mut Machines) {
        let Some((_, key)) = self.ends.pop_first() else { return };
        if let Some(note) = self.notes.remove(&key) {
            restore(machines, &key, note.seen);
        }
    }

    /// An older event, or that of a predecessor of the same name, does not end the note: only the decision itself does.
    pub(super) fn seen(&mut self, machines: &mut Machines, key: &MachineKey, held: Option<Held>) {
        match self.notes.get_mut(key) {
            Some(note) if held.as_ref().is_none_or(|held| !held.shows(&note.decided)) => note.seen = held,
            _ => {
                self.forget(key);
                restore(machines, key, held);
            }
        }
    }

    /// All Machines were listed anew: what is noted still counts.
    pub(super) fn listed(&mut self, machines: &mut Machines) {
        let ends = &mut self.ends;
        self.notes.retain(|key, note| {
            note.seen = machines.get(key).cloned();
            let open = note.seen.as_ref().is_none_or(|seen| !seen.shows(&note.decided));
            if open {
                machines.note(key, note.decided.clone());
            } else {
                ends.remove(&(note.until, key.clone()));
            }
            open
        });
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.ends.first().is_some_and(|(until, _)| *until <= now)
    }

    pub(super) fn expire(&mut self, machines: &mut Machines, now: Instant) {
        while self.is_due(now) {
            self.take_back_oldest(machines);
        }
    }
}

fn restore(machines: &mut Machines, key: &MachineKey, held: Option<Held>) {
    match held {
        Some(held) => machines.put(key, held),
        None => machines.remove(key),
    }
}

#[cfg(test)]
mod tests {
    use model::names::ClusterName;

    use super::*;
    use crate::table::every_row;

    fn on(cluster: &str) -> Held {
        Held { cluster: Some(ClusterName(cluster.to_owned())), ..Held::default() }
    }

    fn key() -> MachineKey {
        MachineKey { namespace: "shop".to_owned(), name: "web".to_owned() }
    }

    /// Where a Machine is after each of these: decided, seen (an empty name: deleted), listed, expired.
    enum Step {
        Decided(&'static str),
        Seen(&'static str),
        Listed(&'static str),
        Expired,
    }
    use Step::{Decided, Expired, Listed, Seen};

    #[test]
    fn t15_there_are_never_more_notes_than_this() {
        let (mut notes, mut machines, now) = (Notes::default(), Machines::default(), Instant::now());
        let key = |number: usize| MachineKey { namespace: "shop".to_owned(), name: format!("web-{number}") };
        let at = |number: usize| now + Duration::from_micros(number as u64);
        notes.seen(&mut machines, &key(1), Some(on("west")));
        for number in 0..AT_MOST {
            notes.decided(&mut machines, &key(number), on("east"), at(number));
        }
        // The first is decided anew, and so is the newest of them.
        notes.decided(&mut machines, &key(0), on("west"), at(AT_MOST));
        assert_eq!((notes.notes.len(), notes.ends.len()), (AT_MOST, AT_MOST));
        for number in AT_MOST..AT_MOST + 2 {
            notes.decided(&mut machines, &key(number), on("east"), at(number + 1));
        }
        assert_eq!((notes.notes.len(), notes.ends.len()), (AT_MOST, AT_MOST));
        let cluster =
            |number| machines.get(&key(number)).and_then(|held| held.cluster.as_ref()).map(|it| it.0.as_str());
        assert_eq!(cluster(1), Some("west"), "the oldest is taken back to what the watch said");
        assert_eq!(cluster(2), None, "or to nothing");
        assert_eq!((cluster(0), cluster(3), cluster(AT_MOST + 1)), (Some("west"), Some("east"), Some("east")));
    }

    #[test]
    fn a24_r24_a_decision_counts_until_it_is_seen_or_was_never_stored() {
        #[rustfmt::skip]
        let cases: [(&str, &[(Step, &str)]); 9] = [
            ("seen in time",              &[(Decided("east"), "east"), (Seen("east"), "east"), (Expired, "east")]),
            ("never stored",              &[(Decided("east"), "east"), (Expired, "")]),
            ("refused after us",          &[(Seen("west"), "west"), (Decided("east"), "east"), (Expired, "west")]),
            ("back where it was",         &[(Seen("west"), "west"), (Decided("east"), "east"), (Decided("west"), "west"), (Expired, "west")]),
            ("an older event",            &[(Decided("east"), "east"), (Seen(""), "east"), (Seen("east"), "east"), (Expired, "east")]),
            ("a predecessor's deletion",  &[(Seen("west"), "west"), (Decided("east"), "east"), (Seen(""), "east"), (Expired, "")]),
            ("deleted after it was seen", &[(Decided("east"), "east"), (Seen("east"), "east"), (Seen(""), "")]),
            ("a list without it",         &[(Decided("east"), "east"), (Listed(""), "east"), (Expired, "")]),
            ("a list with it",            &[(Decided("east"), "east"), (Listed("east"), "east"), (Expired, "east")]),
        ];
        every_row(cases, |(case, steps)| {
            let (mut notes, mut machines, now) = (Notes::default(), Machines::default(), Instant::now());
            for (at, (step, wanted)) in steps.iter().enumerate() {
                let shown = |cluster: &str| (!cluster.is_empty()).then(|| on(cluster));
                match step {
                    Decided(cluster) => notes.decided(&mut machines, &key(), on(cluster), now),
                    Seen(cluster) => notes.seen(&mut machines, &key(), shown(cluster)),
                    Listed(cluster) => {
                        machines = Machines::default();
                        restore(&mut machines, &key(), shown(cluster));
                        notes.listed(&mut machines);
                    }
                    Expired => {
                        notes.expire(&mut machines, now + NOTED_FOR);
                        assert!(!notes.is_due(now + NOTED_FOR * 2), "{case}: nothing is noted any more");
                    }
                }
                let cluster = machines.get(&key()).and_then(|held| held.cluster.as_ref());
                assert_eq!(cluster.map(|it| it.0.as_str()).unwrap_or_default(), *wanted, "{case}: step {at}");
                let unseen = |cluster: &str| machines.load(&ClusterName(cluster.to_owned())).unseen;
                let noted = |cluster: &str| notes.notes.values().filter(|note| note.decided == on(cluster)).count();
                for cluster in ["east", "west"] {
                    assert_eq!(unseen(cluster) as usize, noted(cluster), "{case}: step {at}: {cluster}");
                }
            }
        });
        let (mut notes, mut machines, now) = (Notes::default(), Machines::default(), Instant::now());
        notes.decided(&mut machines, &key(), on("east"), now);
        assert!(!notes.is_due(now + NOTED_FOR / 2) && notes.is_due(now + NOTED_FOR));
    }
}
