//! Where on the supervisor the Machine of a UID is. An object on a cluster says whose it is by UID; its namespace says nothing,
//! because a KubevirtConfig may map them all to one (X38). No I/O: the watch of Machines feeds it.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::Event;
use model::names::MachineKey;
use runtime::listing::{Listing, Step};

use crate::context::Guarded;

/// Every Machine by UID. Locked for moments only, never across an await.
#[derive(Debug, Default)]
pub(crate) struct Uids(RwLock<Machines>);

#[derive(Debug, Default)]
struct Machines {
    now: HashMap<String, MachineKey>,
    /// All were listed once.
    listed: bool,
    /// The list that is being read, which takes over as a whole.
    listing: Listing<(String, MachineKey)>,
}

impl Uids {
    /// Takes in an event of the watch of Machines, before anybody acts on it: a Machine that a remote object named too early
    /// is looked at because of its own event.
    pub(crate) fn take_in(&self, event: &Event<Guarded>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Event::InitApply(machine) = event {
            let (uid, key) = of(machine);
            known.now.insert(uid, key);
        }
        match known.listing.take(event, of) {
            Ok(None) => {}
            Ok(Some(Step::Listed(all))) => {
                known.now = all.into_iter().collect();
                known.listed = true;
            }
            Ok(Some(Step::Seen((uid, key)))) => drop(known.now.insert(uid, key)),
            Ok(Some(Step::Deleted((uid, _)))) => drop(known.now.remove(&uid)),
            Err(why) => tracing::error!(error = why, "Machines are not found by their UIDs any more"),
        }
    }

    /// Whether every Machine was listed, so that one which is not found is not there.
    pub(crate) fn are_listed(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).listed
    }

    /// The Machine of a UID, unless there is none or the watch has not shown it yet.
    pub(crate) fn find(&self, uid: &str) -> Option<ObjectRef<Guarded>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.now.get(uid).map(|key| ObjectRef::new(&key.name).within(&key.namespace))
    }
}

fn of(machine: &Guarded) -> (String, MachineKey) {
    let key = MachineKey { namespace: machine.namespace().unwrap_or_default(), name: machine.name_any() };
    (machine.uid().unwrap_or_default(), key)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn machine(uid: &str) -> Guarded {
        let text = json!({"apiVersion": "vitistack.io/v1alpha1", "kind": "Machine",
            "metadata": {"namespace": "shop", "name": "web", "uid": uid}, "spec": {}});
        serde_json::from_value(text).expect("a Machine")
    }

    #[test]
    fn x38_a_machine_is_found_by_its_uid_while_it_is_there() {
        let uids = Uids::default();
        let there = |uid: &str| uids.find(uid).map(|found| (found.namespace.unwrap_or_default(), found.name));
        let shop = Some(("shop".to_owned(), "web".to_owned()));
        #[rustfmt::skip]
        let steps = vec![
            (Event::Init,                       [false, false]),
            (Event::InitApply(machine("m-1")),  [true,  false]),
            (Event::InitDone,                   [true,  false]),
            (Event::Delete(machine("m-1")),     [false, false]),
            (Event::Apply(machine("m-2")),      [false, true]),
            // The watch lists anew: what is known counts until the list is complete.
            (Event::Init,                       [false, true]),
            (Event::InitApply(machine("m-1")),  [true,  true]),
            (Event::InitDone,                   [true,  false]),
        ];
        for (at, (event, wanted)) in steps.into_iter().enumerate() {
            uids.take_in(&event);
            for (uid, wanted) in ["m-1", "m-2"].into_iter().zip(wanted) {
                assert_eq!(there(uid), shop.clone().filter(|_| wanted), "step {at}: {uid}");
            }
        }
    }
}
