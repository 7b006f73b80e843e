//! The Secrets and ConfigMaps on the supervisor that Machines take cloud-init data from: which Machine names which, in which
//! version each was seen last, and what came of it. No I/O: `watch` looks, and `machine/data.rs` reads.
//!
//! Contents are never kept: of a Secret a hash is, and of the others what stands in a VM.

mod watch;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::machine::Failure;
use model::machine::carried::{Carried, SourceKind};
use tokio::sync::mpsc;

use crate::objects::MachineUid;
pub use watch::Watches;

/// An object that data is taken from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Its kind.
    pub kind: SourceKind,
    /// Its namespace, which is the Machine's.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What is known of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// Nothing: it has to be read.
    #[default]
    Unknown,
    /// There is none.
    Absent,
    /// Its `metadata.resourceVersion`.
    Seen(String),
}

/// Everything that some Machine names, and nothing else. Clones are the same one; locked for moments only.
#[derive(Clone, Debug)]
pub struct Sources {
    known: Arc<Mutex<Known>>,
    touched: mpsc::UnboundedSender<MachineUid>,
}

#[derive(Debug, Default)]
struct Known {
    objects: BTreeMap<Key, Object>,
    machines: HashMap<MachineUid, Machine>,
}

#[derive(Debug, Default)]
struct Object {
    machines: BTreeSet<MachineUid>,
    version: Version,
    /// Counts what was heard of it.
    turn: u64,
}

#[derive(Debug, Default)]
struct Machine {
    keys: BTreeSet<Key>,
    kept: Option<Kept>,
}

/// What came of a Machine's sources.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// What the Machine said, as a hash.
    pub inputs: String,
    /// The versions that were read.
    pub versions: Vec<Version>,
    /// What came of it.
    pub result: Result<Carried, Failure>,
}

impl Sources {
    /// Tells Machines of changes through `touched`.
    pub fn new(touched: mpsc::UnboundedSender<MachineUid>) -> Self {
        Self { known: Arc::default(), touched }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A Machine names these objects, and no others any more.
    pub fn refer(&self, machine: &str, keys: &[Key]) {
        let mut known = self.known();
        let now: BTreeSet<Key> = keys.iter().cloned().collect();
        let before = known.machines.get(machine).map(|it| it.keys.clone()).unwrap_or_default();
        if before == now {
            return;
        }
        for gone in before.difference(&now) {
            if let Some(object) = known.objects.get_mut(gone) {
                object.machines.remove(machine);
                if object.machines.is_empty() {
                    known.objects.remove(gone);
                }
            }
        }
        for new in now.difference(&before) {
            known.objects.entry(new.clone()).or_default().machines.insert(machine.to_owned());
        }
        if now.is_empty() {
            known.machines.remove(machine);
        } else {
            known.machines.insert(machine.to_owned(), Machine { keys: now, kept: None });
        }
    }

    /// What came of a Machine's sources when they were read last.
    pub fn kept(&self, machine: &str) -> Option<Kept> {
        self.known().machines.get(machine)?.kept.clone()
    }

    /// Something came of a Machine's sources.
    pub fn keep(&self, machine: &str, kept: Kept) {
        if let Some(machine) = self.known().machines.get_mut(machine) {
            machine.kept = Some(kept);
        }
    }

    /// In which version an object was seen last, and how often something was heard of it until now.
    pub fn version(&self, key: &Key) -> (Version, u64) {
        let known = self.known();
        known.objects.get(key).map(|object| (object.version.clone(), object.turn)).unwrap_or_default()
    }

    /// An object was read, which began when this much had been heard of it. What a watch has told meanwhile counts more.
    pub fn read(&self, key: &Key, turn: u64, version: &Version) {
        if let Some(object) = self.known().objects.get_mut(key).filter(|object| object.turn == turn) {
            object.version = version.clone();
        }
    }

    /// A watch tells of an object. Who names it is told, if it is not as it was.
    fn heard(&self, key: &Key, version: Version) {
        if let Some(object) = self.known().objects.get_mut(key).filter(|object| object.version != version) {
            object.version = version;
            object.turn += 1;
            for machine in &object.machines {
                // The receiver lives as long as the process.
                let _ = self.touched.send(machine.clone());
            }
        }
    }

    /// A list of a kind, of one namespace or of all, held these and no others: what else was there is read again.
    fn listed(&self, kind: SourceKind, namespace: Option<&str>, listed: &BTreeSet<Key>) {
        let missed: Vec<Key> = {
            let known = self.known();
            let there = known.objects.iter().filter(|(_, object)| matches!(object.version, Version::Seen(_)));
            let of_list = there.map(|(key, _)| key).filter(|key| {
                key.kind == kind
                    && namespace.is_none_or(|namespace| key.namespace == namespace)
                    && !listed.contains(key)
            });
            of_list.cloned().collect()
        };
        for key in missed {
            self.heard(&key, Version::Unknown);
        }
    }

    fn is_named(&self, key: &Key) -> bool {
        self.known().objects.contains_key(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key { kind: SourceKind::Secret, namespace: "shop".to_owned(), name: name.to_owned() }
    }

    fn seen(version: &str) -> Version {
        Version::Seen(version.to_owned())
    }

    fn told(touched: &mut mpsc::UnboundedReceiver<MachineUid>) -> Vec<String> {
        let mut told: Vec<String> = std::iter::from_fn(|| touched.try_recv().ok()).collect();
        told.sort();
        told
    }

    #[test]
    fn who_names_an_object_is_told_of_its_changes_and_nobody_else() {
        let (touch, mut touched) = mpsc::unbounded_channel();
        let sources = Sources::new(touch);
        sources.heard(&key("keys"), seen("1"));
        assert_eq!(sources.version(&key("keys")), (Version::Unknown, 0), "nobody names it, so it is not kept");
        sources.refer("m-1", &[key("keys"), key("net")]);
        sources.refer("m-2", &[key("keys")]);
        sources.read(&key("keys"), 0, &seen("1"));
        sources.heard(&key("keys"), seen("1"));
        assert_eq!(told(&mut touched), [""; 0], "it was read in that version");
        sources.heard(&key("keys"), seen("2"));
        assert_eq!(told(&mut touched), ["m-1", "m-2"]);
        sources.heard(&key("net"), Version::Absent);
        assert_eq!(told(&mut touched), ["m-1"]);
        sources.refer("m-1", &[]);
        sources.heard(&key("keys"), seen("3"));
        assert_eq!(told(&mut touched), ["m-2"]);
        sources.refer("m-2", &[]);
        assert!(sources.known().objects.is_empty() && sources.known().machines.is_empty());
    }

    #[test]
    fn what_a_watch_tells_while_an_object_is_read_counts_more() {
        let (touch, mut touched) = mpsc::unbounded_channel();
        let sources = Sources::new(touch);
        sources.refer("m-1", &[key("keys")]);
        let (_, turn) = sources.version(&key("keys"));
        sources.heard(&key("keys"), seen("1"));
        sources.read(&key("keys"), turn, &Version::Absent);
        assert_eq!(sources.version(&key("keys")).0, seen("1"));
        assert_eq!(told(&mut touched), ["m-1"]);
    }

    #[test]
    fn what_a_list_does_not_hold_any_more_is_read_again() {
        let (touch, mut touched) = mpsc::unbounded_channel();
        let sources = Sources::new(touch);
        sources.refer("m-1", &[key("keys")]);
        sources.refer("m-2", &[key("net")]);
        for name in ["keys", "net"] {
            sources.read(&key(name), 0, &seen("1"));
        }
        sources.listed(SourceKind::Secret, Some("other"), &BTreeSet::new());
        sources.listed(SourceKind::ConfigMap, None, &BTreeSet::new());
        assert_eq!(told(&mut touched), [""; 0], "these lists say nothing of it");
        sources.listed(SourceKind::Secret, Some("shop"), &[key("net")].into());
        assert_eq!((told(&mut touched), sources.version(&key("keys")).0), (vec!["m-1".to_owned()], Version::Unknown));
    }
}
