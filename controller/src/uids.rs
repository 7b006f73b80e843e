//! Where on the supervisor the Machine of a UID is. An object on a cluster says whose it is by UID; its namespace says nothing,
//! because a KubevirtConfig may map them all to one (X38). No I/O: the watch of Machines feeds it.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::{PoisonError, RwLock};

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::Event;
use model::api::Machine;
use model::message::is_ours;
use model::names::MachineKey;
use runtime::listing::{Listing, Step};

/// A Machine that may not decode.
pub type Guarded = DeserializeGuard<Machine>;

/// Every Machine by UID. Locked for moments only, never across an await.
#[derive(Debug, Default)]
pub struct Uids(RwLock<Machines>);

#[derive(Debug, Default)]
struct Machines {
    now: HashMap<String, Known>,
    /// Who asks for a MAC address: when each was made, and its UID. The first is the eldest.
    addresses: HashMap<String, BTreeSet<(Timestamp, String)>>,
    /// All were listed once.
    listed: bool,
    /// The list that is being read, which takes over as a whole.
    listing: Listing<(String, Known)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    key: MachineKey,
    made: Timestamp,
    /// MAC addresses of its interfaces, in lower case.
    addresses: Vec<String>,
}

impl Machines {
    fn put(&mut self, uid: String, known: Known) {
        if self.now.get(&uid) == Some(&known) {
            return;
        }
        self.remove(&uid);
        for address in &known.addresses {
            self.addresses.entry(address.clone()).or_default().insert((known.made, uid.clone()));
        }
        self.now.insert(uid, known);
    }

    fn remove(&mut self, uid: &str) {
        let Some(known) = self.now.remove(uid) else { return };
        for address in known.addresses {
            if let Entry::Occupied(mut held) = self.addresses.entry(address) {
                held.get_mut().remove(&(known.made, uid.to_owned()));
                if held.get().is_empty() {
                    held.remove();
                }
            }
        }
    }
}

impl Uids {
    /// Takes in an event of the watch of Machines, before anybody acts on it: a Machine that a remote object named too early
    /// is looked at because of its own event.
    pub(crate) fn take_in(&self, event: &Event<Guarded>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Event::InitApply(machine) = event {
            let (uid, machine) = of(machine);
            known.put(uid, machine);
        }
        match known.listing.take(event, of) {
            Ok(None) => {}
            Ok(Some(Step::Listed(all))) => {
                let listed: HashMap<_, _> = all.into_iter().collect();
                let gone: Vec<_> = known.now.keys().filter(|uid| !listed.contains_key(*uid)).cloned().collect();
                for uid in &gone {
                    known.remove(uid);
                }
                known.listed = true;
            }
            Ok(Some(Step::Seen((uid, machine)))) => known.put(uid, machine),
            Ok(Some(Step::Deleted((uid, _)))) => known.remove(&uid),
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
        known.now.get(uid).map(|known| ObjectRef::new(&known.key.name).within(&known.key.namespace))
    }

    /// A MAC address of a Machine that an older one has, too, and which: two replicas of the webhook may both have admitted it
    /// before either saw the other's (ATK10).
    pub(crate) fn elder(&self, uid: &str) -> Option<(String, MachineKey)> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.now.get(uid)?.addresses.iter().find_map(|address| {
            let (_, eldest) = known.addresses.get(address)?.first()?;
            (eldest != uid).then(|| Some((address.clone(), known.now.get(eldest)?.key.clone())))?
        })
    }
}

fn of(machine: &Guarded) -> (String, Known) {
    let spec = machine.0.as_ref().ok().map(|machine| &machine.spec);
    let networks = spec.filter(|spec| is_ours(spec.provider.as_deref())).map(|spec| spec.networks.as_slice());
    let addresses = networks.into_iter().flatten().filter_map(|it| Some(it.mac_address.as_ref()?.to_ascii_lowercase()));
    let known = Known {
        key: MachineKey { namespace: machine.namespace().unwrap_or_default(), name: machine.name_any() },
        made: machine.creation_timestamp().map(|made| made.0).unwrap_or_default(),
        addresses: addresses.collect(),
    };
    (machine.uid().unwrap_or_default(), known)
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

    #[test]
    fn atk10_of_two_machines_with_one_address_the_elder_has_it() {
        let uids = Uids::default();
        let machine = |uid: &str, made: &str, mac: &str| -> Guarded {
            let text = json!({"apiVersion": "vitistack.io/v1alpha1", "kind": "Machine",
                "metadata": {"namespace": "shop", "name": uid, "uid": uid, "creationTimestamp": made},
                "spec": {"networks": [{"name": "nic", "macAddress": mac}]}});
            serde_json::from_value(text).expect("a Machine")
        };
        let elder = |uid: &str| uids.elder(uid).map(|(mac, key)| format!("{mac} {key}"));
        let taken = Some("52:54:00:00:00:0a shop/first".to_owned());
        uids.take_in(&Event::Apply(machine("second", "2026-11-21T00:00:01Z", "52:54:00:00:00:0A")));
        assert_eq!(elder("second"), None);
        uids.take_in(&Event::Apply(machine("first", "2026-11-21T00:00:00Z", "52:54:00:00:00:0a")));
        assert_eq!((elder("first"), elder("second")), (None, taken), "the watch may show the younger one first");
        uids.take_in(&Event::Apply(machine("first", "2026-11-21T00:00:00Z", "52:54:00:00:00:0b")));
        assert_eq!(elder("second"), None, "it has another one now");
        uids.take_in(&Event::Delete(machine("first", "2026-11-21T00:00:00Z", "52:54:00:00:00:0b")));
        assert!(uids.0.read().expect("a lock").addresses.len() == 1, "what nobody asks for is forgotten");
    }
}
