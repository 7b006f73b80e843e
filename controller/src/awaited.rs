//! What we sent to be created and have not seen in a watch yet: its absence from the index means nothing. No I/O.
//!
//! It is kept beside the connections, not in one of them: a connection may be replaced while a creation is on its way. Then
//! there are two, and what the watch of one has shown is awaited from the other all the same: neither is judged by what the
//! other knows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use model::machine::{Kind, Shown};
use model::names::{ClusterName, VmKey};

use crate::objects::ObjectKey;

/// What is not seen after this long is not waited for any longer: it is looked up instead.
pub const AWAITED_FOR: Duration = Duration::from_secs(30);

/// A create whose answer never came may still be carried out; after this long it is not any more.
const LATE: Duration = Duration::from_secs(60);

/// Creations by cluster, kind and key.
#[derive(Debug, Default)]
pub struct Awaited(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    entries: Entries,
    /// The connections that are watched, by number.
    watched: BTreeMap<ClusterName, BTreeSet<u64>>,
}

type Entries = BTreeMap<(ClusterName, Kind, ObjectKey), Creation>;

#[derive(Debug)]
struct Creation {
    machine: String,
    since: Instant,
    /// The API server said that it is stored.
    certain: bool,
    /// The connections whose watches have shown it.
    shown: BTreeSet<u64>,
}

impl Awaited {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to a cluster is watched, until what is returned is dropped.
    pub fn watched(self: &Arc<Self>, cluster: &ClusterName, number: u64) -> Watched {
        self.known().watched.entry(cluster.clone()).or_default().insert(number);
        Watched { awaited: self.clone(), cluster: cluster.clone(), number }
    }

    /// It is about to be sent.
    pub fn sent(&self, cluster: &ClusterName, kind: Kind, key: &ObjectKey, machine: &str) {
        let creation =
            Creation { machine: machine.to_owned(), since: Instant::now(), certain: false, shown: BTreeSet::new() };
        self.known().entries.insert((cluster.clone(), kind, key.clone()), creation);
    }

    /// It is stored, and no watch has shown it yet.
    pub fn created(&self, cluster: &ClusterName, kind: Kind, key: &ObjectKey) {
        if let Some(creation) = self.known().entries.get_mut(&(cluster.clone(), kind, key.clone())) {
            creation.certain = true;
        }
    }

    /// It was refused for certain.
    pub fn refused(&self, cluster: &ClusterName, kind: Kind, key: &ObjectKey) {
        self.known().entries.remove(&(cluster.clone(), kind, key.clone()));
    }

    /// The watch of that connection has shown it, there or gone.
    pub fn settled(&self, cluster: &ClusterName, number: u64, kind: Kind, key: &ObjectKey) {
        let Known { entries, watched } = &mut *self.known();
        let key = (cluster.clone(), kind, key.clone());
        let Some(creation) = entries.get_mut(&key) else { return };
        creation.shown.insert(number);
        if watched.get(cluster).is_none_or(|watched| watched.is_subset(&creation.shown)) {
            entries.remove(&key);
        }
    }

    /// Everything of a Machine was looked up and taken in by that connection. Only a creation that may still be carried out stays
    /// awaited from it.
    pub fn looked_up(&self, cluster: &ClusterName, number: u64, machine: &str) {
        let Known { entries, watched } = &mut *self.known();
        entries.retain(|(of, ..), creation| {
            if of != cluster || creation.machine != machine || (!creation.certain && creation.since.elapsed() < LATE) {
                return true;
            }
            creation.shown.insert(number);
            watched.get(cluster).is_some_and(|watched| !watched.is_subset(&creation.shown))
        });
    }

    /// Forgets what is awaited for Machines that are gone, once it cannot be carried out any more: nobody looks it up for them.
    pub fn forget_gone(&self, is_there: impl Fn(&str) -> bool, now: Instant) {
        let came = |creation: &Creation| now.saturating_duration_since(creation.since) > LATE;
        self.known().entries.retain(|_, creation| !came(creation) || is_there(&creation.machine));
    }

    /// Where that is which is awaited for a Machine, from whichever connection.
    pub fn shown(&self, cluster: &ClusterName, machine: &str) -> Shown {
        let known = self.known();
        let own = known.entries.iter().filter(|((of, ..), creation)| of == cluster && creation.machine == machine);
        let keys =
            own.map(|((_, kind, key), _)| (*kind, VmKey { namespace: key.namespace.clone(), name: key.name.clone() }));
        keys.collect()
    }

    /// Whether a VM of another Machine may be in a namespace that not every watch shows.
    pub fn has_other_vms(&self, cluster: &ClusterName, namespace: &str, machine: &str) -> bool {
        self.known().entries.iter().any(|((of, kind, key), creation)| {
            of == cluster && *kind == Kind::Vm && key.namespace == namespace && creation.machine != machine
        })
    }

    /// What is awaited for a Machine from that connection.
    pub fn of(&self, cluster: &ClusterName, number: u64, machine: &str) -> Waiting {
        let mut waiting = Waiting::default();
        for ((of, kind, key), creation) in &self.known().entries {
            if of == cluster && creation.machine == machine && !creation.shown.contains(&number) {
                let names = if creation.certain { &mut waiting.stored } else { &mut waiting.uncertain };
                names.insert((*kind, key.name.clone()));
                waiting.overdue |= creation.certain && creation.since.elapsed() > AWAITED_FOR;
            }
        }
        waiting
    }
}

/// A connection that is watched.
#[derive(Debug)]
pub struct Watched {
    awaited: Arc<Awaited>,
    cluster: ClusterName,
    number: u64,
}

impl Drop for Watched {
    fn drop(&mut self) {
        let Known { entries, watched } = &mut *self.awaited.known();
        let Some(left) = watched.get_mut(&self.cluster) else { return };
        left.remove(&self.number);
        if left.is_empty() {
            watched.remove(&self.cluster);
        } else {
            entries.retain(|(of, ..), creation| *of != self.cluster || !left.is_subset(&creation.shown));
        }
    }
}

/// What is awaited for one Machine.
#[derive(Debug, Default)]
pub struct Waiting {
    /// Stored, and not seen yet: not to be created again.
    pub stored: BTreeSet<(Kind, String)>,
    /// Perhaps stored: it may be created again, which meets what is there; but its absence proves nothing.
    pub uncertain: BTreeSet<(Kind, String)>,
    /// Something stored has not been seen for too long.
    pub overdue: bool,
}

impl Waiting {
    /// Whether nothing may be there that no watch shows.
    pub fn is_empty(&self) -> bool {
        self.stored.is_empty() && self.uncertain.is_empty()
    }

    /// Everything that may be there although no watch shows it.
    pub fn all(self) -> BTreeSet<(Kind, String)> {
        self.stored.into_iter().chain(self.uncertain).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_stored_stays_awaited_until_it_is_shown_or_refused() {
        let (awaited, east) = (Awaited::default(), ClusterName("east".to_owned()));
        let key = |name: &str| ObjectKey { namespace: "shop".to_owned(), name: name.to_owned() };
        let names = |set: &BTreeSet<(Kind, String)>| set.iter().map(|(_, name)| name.clone()).collect::<Vec<_>>();
        for name in ["answered", "silent", "refused", "shown"] {
            awaited.sent(&east, Kind::Claim, &key(name), "m-1");
        }
        awaited.sent(&east, Kind::Claim, &key("another"), "m-2");
        awaited.created(&east, Kind::Claim, &key("answered"));
        awaited.refused(&east, Kind::Claim, &key("refused"));
        awaited.settled(&east, 1, Kind::Claim, &key("shown"));
        let waiting = awaited.of(&east, 1, "m-1");
        assert_eq!(
            (names(&waiting.stored), names(&waiting.uncertain)),
            (vec!["answered".to_owned()], vec!["silent".to_owned()])
        );
        assert!(awaited.of(&ClusterName("west".to_owned()), 2, "m-1").all().is_empty());

        awaited.looked_up(&east, 1, "m-1");
        let left = awaited.of(&east, 1, "m-1");
        assert_eq!(names(&left.uncertain), ["silent"], "it may still be carried out, so nothing is released over it");
        assert!(left.stored.is_empty(), "a lookup has the last word about what was answered");
        assert_eq!(names(&awaited.of(&east, 1, "m-2").all()), ["another"], "and says nothing about other Machines");
    }

    #[test]
    fn what_nobody_answered_is_not_awaited_for_ever_for_a_machine_that_is_gone() {
        let (awaited, east) = (Awaited::default(), ClusterName("east".to_owned()));
        let key = |name: &str| ObjectKey { namespace: "shop".to_owned(), name: name.to_owned() };
        for (name, machine) in [("vm-web", "m-1"), ("vm-db", "m-2")] {
            awaited.sent(&east, Kind::Vm, &key(name), machine);
        }
        let left = |seconds| {
            awaited.forget_gone(|uid| uid == "m-2", Instant::now() + Duration::from_secs(seconds));
            (awaited.has_other_vms(&east, "shop", "m-2"), awaited.of(&east, 1, "m-2").is_empty())
        };
        assert_eq!(left(59), (true, false), "it may still be carried out");
        assert_eq!(left(61), (false, false), "a namesake is not held up by it, and what is there still waits");
        assert_eq!(awaited.known().entries.len(), 1);
    }

    #[test]
    fn kvo3_r6_of_two_connections_each_waits_for_its_own_watch() {
        let (awaited, east) = (Arc::new(Awaited::default()), ClusterName("east".to_owned()));
        let key = |name: &str| ObjectKey { namespace: "shop".to_owned(), name: name.to_owned() };
        let waits =
            |number| awaited.of(&east, number, "m-1").all().into_iter().map(|(_, name)| name).collect::<Vec<_>>();
        let old = awaited.watched(&east, 1);
        awaited.sent(&east, Kind::Claim, &key("before"), "m-1");
        awaited.settled(&east, 1, Kind::Claim, &key("before"));
        assert!(awaited.known().entries.is_empty(), "there is no other");
        let new = awaited.watched(&east, 2);
        for name in ["by-new", "by-old", "by-none"] {
            awaited.sent(&east, Kind::Claim, &key(name), "m-1");
            awaited.created(&east, Kind::Claim, &key(name));
        }
        awaited.settled(&east, 1, Kind::Claim, &key("by-old"));
        awaited.settled(&east, 2, Kind::Claim, &key("by-new"));
        assert_eq!(waits(1), ["by-new", "by-none"], "the old one does not show what only the new one does");
        assert_eq!(waits(2), ["by-none", "by-old"], "nor the other way round");
        awaited.looked_up(&east, 1, "m-1");
        assert!(waits(1).is_empty(), "it has looked");
        assert_eq!(waits(2), ["by-none", "by-old"], "the other one has not");
        drop(old);
        assert_eq!(waits(2), ["by-none", "by-old"], "the new one has taken over, and its watch is behind");
        assert_eq!(awaited.known().entries.len(), 2, "what it had shown is not kept for the one that went");
        awaited.settled(&east, 2, Kind::Claim, &key("by-old"));
        assert_eq!(waits(2), ["by-none"]);
        drop(new);
        assert_eq!(waits(3), ["by-none"], "a connection that is made again goes on waiting");
        awaited.settled(&east, 3, Kind::Claim, &key("by-none"));
        assert!(awaited.known().entries.is_empty());
    }
}
