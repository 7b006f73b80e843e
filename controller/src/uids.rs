//! Where on the supervisor the Machine of a UID is. An object on a cluster says whose it is by UID; its namespace says nothing,
//! because a KubevirtConfig may map them all to one (X38). No I/O: the watch of Machines feeds it.

use std::collections::btree_map;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{PoisonError, RwLock};

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use model::machine::{Identity, recorded_home, recorded_on};
use model::message::is_ours;
use model::names::{ClusterName, MachineKey, TAKE_OVER, say_machine};
use model::text::line;
use runtime::listing::{Listing, Step};
use runtime::watcher::Event;

use crate::packed::{Guarded, Packed};

/// Every Machine by UID. Locked for moments only, never across an await.
#[derive(Debug, Default)]
pub struct Uids(RwLock<Machines>);

#[derive(Debug, Default)]
struct Machines {
    now: HashMap<String, Known>,
    /// Who asks for a MAC address: when each was made, and its UID. The first is the eldest.
    addresses: HashMap<String, BTreeSet<(Timestamp, String)>>,
    /// How many are recorded on each cluster that has any.
    recorded: BTreeMap<ClusterName, usize>,
    /// How many are recorded in a namespace of a cluster, of each namespace here.
    homes: BTreeMap<Home, BTreeMap<String, usize>>,
    /// All were listed once.
    listed: bool,
    /// The list that is being read, which takes over as a whole.
    listing: Listing<(String, Known)>,
}

/// A namespace of a cluster.
type Home = (ClusterName, String);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    key: MachineKey,
    made: Timestamp,
    /// MAC addresses of its interfaces, in lower case.
    addresses: Vec<String>,
    /// The cluster that it is recorded on.
    cluster: Option<ClusterName>,
    /// Its namespace there, as its status has it.
    home: Option<String>,
}

impl Known {
    fn home(&self) -> Option<Home> {
        self.cluster.clone().zip(self.home.clone())
    }
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
        if let Some(cluster) = &known.cluster {
            *self.recorded.entry(cluster.clone()).or_default() += 1;
        }
        if let Some(home) = known.home() {
            *self.homes.entry(home).or_default().entry(known.key.namespace.clone()).or_default() += 1;
        }
        self.now.insert(uid, known);
    }

    fn remove(&mut self, uid: &str) {
        let Some(known) = self.now.remove(uid) else { return };
        if let Some(home) = known.home()
            && let Some(from) = self.homes.get_mut(&home)
        {
            from.entry(known.key.namespace.clone()).and_modify(|count| *count -= 1);
            from.retain(|_, count| *count > 0);
            self.homes.retain(|at, from| *at != home || !from.is_empty());
        }
        if let Some(cluster) = known.cluster
            && let btree_map::Entry::Occupied(mut count) = self.recorded.entry(cluster)
        {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
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

/// The earlier self that a Machine takes over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Past {
    /// It names none.
    Unnamed,
    /// Whether it is gone is not known; the sentence says why.
    Unknown(String),
    /// A Machine of that UID is there; what that means, in words that follow "it".
    Present(String),
    /// It is gone.
    Gone,
}

impl Past {
    /// The UID of an earlier self that is gone.
    pub(crate) fn gone<'i>(&self, identity: &'i Identity) -> Option<&'i str> {
        identity.take_over.as_deref().filter(|_| *self == Past::Gone)
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

    /// How many Machines are recorded on a cluster; `None` until all were listed, because unknown is not none.
    pub(crate) fn recorded_on(&self, cluster: &ClusterName) -> Option<usize> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.listed.then(|| known.recorded.get(cluster).copied().unwrap_or_default())
    }

    /// Whether Machines of other namespaces are recorded where the VM of this one is.
    pub(crate) fn share(&self, cluster: &ClusterName, identity: &Identity) -> bool {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let here = known.homes.get(&(cluster.clone(), identity.vm.namespace.clone()));
        here.into_iter().flatten().any(|(namespace, _)| *namespace != identity.key.namespace)
    }

    /// The Machine of a UID, unless there is none or the watch has not shown it yet.
    pub(crate) fn find(&self, uid: &str) -> Option<ObjectRef<Packed>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.now.get(uid).map(|known| ObjectRef::new(&known.key.name).within(&known.key.namespace))
    }

    /// The earlier self that a Machine takes over: only of one that is gone.
    pub(crate) fn past(&self, identity: &Identity) -> Past {
        let Some(uid) = &identity.take_over else { return Past::Unnamed };
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let cut = line(uid, 64);
        match known.now.get(uid) {
            Some(other) => Past::Present(format!(
                "belongs by its UID to {}, which is there: nothing is taken from a Machine that is there, so take the annotation {TAKE_OVER}: {cut} off",
                say_machine(&other.key.to_string(), &identity.key.namespace)
            )),
            None if !known.listed => {
                Past::Unknown(format!("whether there is a Machine of UID {cut} is not known: they are not listed yet"))
            }
            None => Past::Gone,
        }
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
        cluster: recorded_on(machine.0.as_ref().map_err(|invalid| &invalid.metadata)),
        home: machine.0.as_ref().ok().and_then(recorded_home),
    };
    (machine.uid().unwrap_or_default(), known)
}

#[cfg(test)]
mod tests {
    use model::api::{KubevirtConfigSpec, Machine};
    use model::machine::{Intent, Shown};
    use serde_json::{Value, json};

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
    fn x99_an_earlier_self_is_gone_only_if_every_machine_was_listed_and_none_is_it() {
        let uids = Uids::default();
        let past = |annotation: &str| {
            let text = json!({"apiVersion": "vitistack.io/v1alpha1", "kind": "Machine",
                "metadata": {"namespace": "shop", "name": "web", "uid": "m-9", "annotations": {TAKE_OVER: annotation}}, "spec": {}});
            let machine: Machine = serde_json::from_value(text).expect("a Machine");
            let intent = model::machine::Intent::of(&machine, "vm-", None, &model::machine::Shown::new());
            let identity = intent.identity().expect("an identity");
            let past = uids.past(identity);
            (past.gone(identity).map(str::to_owned), past)
        };
        uids.take_in(&Event::Init);
        let unlisted = "whether there is a Machine of UID m-0 is not known: they are not listed yet";
        assert_eq!(past("m-0"), (None, Past::Unknown(unlisted.to_owned())));
        uids.take_in(&Event::InitApply(machine("m-1")));
        uids.take_in(&Event::InitDone);
        assert_eq!(past("m-0"), (Some("m-0".to_owned()), Past::Gone));
        assert_eq!(past(""), (None, Past::Unnamed));
        assert_eq!(past("m-9"), (None, Past::Unnamed), "its own");
        let there = "belongs by its UID to Machine shop/web, which is there: nothing is taken from a Machine that is there, so take the annotation vitistack.io/take-over: m-1 off";
        assert_eq!(past("m-1"), (None, Past::Present(there.to_owned())));
    }

    #[test]
    fn r5_machines_are_counted_where_they_are_recorded_while_they_are_there() {
        let uids = Uids::default();
        let machine = |uid: &str, finalizers: &[&str], spec: Value, cluster: Option<&str>| -> Guarded {
            let text = json!({"apiVersion": "vitistack.io/v1alpha1", "kind": "Machine", "spec": spec,
                "metadata": {"namespace": "shop", "name": uid, "uid": uid, "finalizers": finalizers, "annotations": {"vitistack.io/kubevirt-config": "east"}},
                "status": cluster.map(|name| json!({"kubevirtConfigRef": {"name": name, "clusterId": "one"}}))});
            serde_json::from_value(text).expect("a Machine")
        };
        let on = |uid: &str, cluster: &str| machine(uid, &[], json!({}), Some(cluster));
        let unreadable = |uid: &str, finalizers: &[&str]| machine(uid, finalizers, json!({"networks": "none"}), None);
        #[rustfmt::skip]
        let steps = vec![
            ("not listed",                   Event::Init,                                           [None, None]),
            ("one of the list",              Event::InitApply(on("a", "east")),            [None, None]),
            ("all of them",                  Event::InitDone,                                       [Some(1), Some(0)]),
            ("assigned, and never made",     Event::Apply(machine("b", &[], json!({}), None)),                 [Some(1), Some(0)]),
            ("recorded",                     Event::Apply(on("b", "east")),                [Some(2), Some(0)]),
            ("seen again",                   Event::Apply(on("b", "east")),                [Some(2), Some(0)]),
            ("recorded elsewhere than said", Event::Apply(on("c", "west")),                [Some(2), Some(1)]),
            ("another provider's",           Event::Apply(machine("d", &[], json!({"provider": "proxmox"}), Some("east"))),                   [Some(2), Some(1)]),
            ("one that does not read",       Event::Apply(unreadable("e", &["machine.vitistack.io/cleanup"])), [Some(3), Some(1)]),
            ("nothing to clean up",          Event::Apply(unreadable("f", &[])),           [Some(3), Some(1)]),
            ("gone",                         Event::Delete(on("a", "east")),               [Some(2), Some(1)]),
            ("listed anew",                  Event::Init,                                           [Some(2), Some(1)]),
            ("only this one is left",        Event::InitApply(on("b", "east")),            [Some(2), Some(1)]),
            ("all of them",                  Event::InitDone,                                       [Some(1), Some(0)]),
        ];
        for (name, event, want) in steps {
            uids.take_in(&event);
            let counts = ["east", "west"].map(|cluster| uids.recorded_on(&ClusterName(cluster.to_owned())));
            assert_eq!(counts, want, "{name}");
        }
    }

    #[test]
    fn x38_atk6_a_namespace_is_shared_while_machines_of_another_one_are_recorded_there() {
        let uids = Uids::default();
        let machine = |namespace: &str, uid: &str, home: Option<&str>| -> Machine {
            let text = json!({"apiVersion": "vitistack.io/v1alpha1", "kind": "Machine", "spec": {},
                "metadata": {"namespace": namespace, "name": uid, "uid": uid, "annotations": {"vitistack.io/kubevirt-config": "east"}},
                "status": home.map(|home| json!({"kubevirtConfigRef": {"name": "east", "clusterId": "one", "namespace": home}}))});
            serde_json::from_value(text).expect("a Machine")
        };
        let guarded = |machine: Machine| Guarded(Ok(machine));
        let east = ClusterName("east".to_owned());
        let shares = |namespace: &str| {
            // The mapping was vmaas-shop for all, and is a template now.
            let config = KubevirtConfigSpec { namespace: Some("vmaas-{namespace}".to_owned()), ..Default::default() };
            let new = machine(namespace, "new", None);
            let intent = Intent::of(&new, "vm-", Some(&config), &Shown::new());
            let identity = intent.identity().expect("an identity");
            assert!(identity.alone, "by the template alone");
            uids.share(&east, identity)
        };
        uids.take_in(&Event::Apply(guarded(machine("shop", "m-1", Some("vmaas-shop")))));
        assert!(!shares("shop"), "its own Machines");
        for uid in ["m-2", "m-3"] {
            uids.take_in(&Event::Apply(guarded(machine("bank", uid, Some("vmaas-shop")))));
        }
        assert!(shares("shop"), "those of bank stay where they are");
        assert!(!shares("bank"), "nobody else is in vmaas-bank");
        uids.take_in(&Event::Delete(guarded(machine("bank", "m-2", None))));
        assert!(shares("shop"), "one is left");
        uids.take_in(&Event::Delete(guarded(machine("bank", "m-3", None))));
        assert!(!shares("shop"));
        uids.take_in(&Event::Delete(guarded(machine("shop", "m-1", None))));
        assert!(uids.0.read().expect("a lock").homes.is_empty(), "nothing is kept of what is gone");
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
