//! What we sent to be created and have not seen in a watch yet: its absence from the index means nothing. No I/O.
//!
//! It is kept beside the connections, not in one of them: a connection may be replaced while a creation is on its way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
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
pub struct Awaited(Mutex<Entries>);

type Entries = BTreeMap<(ClusterName, Kind, ObjectKey), Creation>;

#[derive(Debug)]
struct Creation {
    machine: String,
    since: Instant,
    /// The API server said that it is stored.
    certain: bool,
}

impl Awaited {
    fn all(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is about to be sent.
    pub fn sent(&self, cluster: &ClusterName, kind: Kind, key: &ObjectKey, machine: &str) {
        let creation = Creation { machine: machine.to_owned(), since: Instant::now(), certain: false };
        self.all().insert((cluster.clone(), kind, key.clone()), creation);
    }

    /// It is stored, and no watch has shown it yet.
    pub fn created(&self, cluster: &ClusterName, kind: Kind, key: &ObjectKey) {
        if let Some(creation) = self.all().get_mut(&(cluster.clone(), kind, key.clone())) {
            creation.certain = true;
        }
    }

    /// A watch or a lookup has shown it, or it was refused for certain.
    pub fn settled(&self, cluster: &ClusterName, kind: Kind, key: &ObjectKey) {
        self.all().remove(&(cluster.clone(), kind, key.clone()));
    }

    /// Everything of a Machine was looked up and taken in. Only a creation that may still be carried out stays awaited.
    pub fn looked_up(&self, cluster: &ClusterName, machine: &str) {
        self.all().retain(|(of, ..), creation| {
            of != cluster || creation.machine != machine || (!creation.certain && creation.since.elapsed() < LATE)
        });
    }

    /// Where that is which is awaited for a Machine.
    pub fn shown(&self, cluster: &ClusterName, machine: &str) -> Shown {
        let all = self.all();
        let own = all.iter().filter(|((of, ..), creation)| of == cluster && creation.machine == machine);
        let keys =
            own.map(|((_, kind, key), _)| (*kind, VmKey { namespace: key.namespace.clone(), name: key.name.clone() }));
        keys.collect()
    }

    /// Whether a VM of another Machine may be in a namespace that no watch shows.
    pub fn has_other_vms(&self, cluster: &ClusterName, namespace: &str, machine: &str) -> bool {
        self.all().iter().any(|((of, kind, key), creation)| {
            of == cluster && *kind == Kind::Vm && key.namespace == namespace && creation.machine != machine
        })
    }

    /// What is awaited for a Machine.
    pub fn of(&self, cluster: &ClusterName, machine: &str) -> Waiting {
        let mut waiting = Waiting::default();
        for ((of, kind, key), creation) in self.all().iter() {
            if of == cluster && creation.machine == machine {
                let names = if creation.certain { &mut waiting.stored } else { &mut waiting.uncertain };
                names.insert((*kind, key.name.clone()));
                waiting.overdue |= creation.certain && creation.since.elapsed() > AWAITED_FOR;
            }
        }
        waiting
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
        awaited.settled(&east, Kind::Claim, &key("refused"));
        awaited.settled(&east, Kind::Claim, &key("shown"));
        let waiting = awaited.of(&east, "m-1");
        assert_eq!(
            (names(&waiting.stored), names(&waiting.uncertain)),
            (vec!["answered".to_owned()], vec!["silent".to_owned()])
        );
        assert!(awaited.of(&ClusterName("west".to_owned()), "m-1").all().is_empty());

        awaited.looked_up(&east, "m-1");
        let left = awaited.of(&east, "m-1");
        assert_eq!(names(&left.uncertain), ["silent"], "it may still be carried out, so nothing is released over it");
        assert!(left.stored.is_empty(), "a lookup has the last word about what was answered");
        assert_eq!(names(&awaited.of(&east, "m-2").all()), ["another"], "and says nothing about other Machines");
    }
}
