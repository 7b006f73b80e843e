//! What the watches of one cluster say about our objects there, as compact records by Machine UID. No I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use kube::ResourceExt;
use model::machine::{Claim, Identity, Import, Kind, Shown, StorageClass, Vm, Vmi};
use model::names::VmKey;

use crate::objects::{MachineUid, ObjectKey, Record, WatchedKind, key_of, owner_of};

/// The objects of one cluster that carry our labels. Locked for moments only, never across an await.
#[derive(Debug, Default)]
pub struct ObjectIndex(RwLock<Records>);

#[derive(Debug, Default)]
struct Records {
    objects: BTreeMap<WatchedKind, BTreeMap<ObjectKey, (MachineUid, Record)>>,
    /// Of all objects.
    bytes: usize,
    /// In order.
    by_machine: BTreeMap<String, Vec<(WatchedKind, ObjectKey)>>,
    storage_classes: BTreeMap<String, StorageClass>,
    namespaces: BTreeSet<String>,
}

/// All that is known of one Machine on one cluster.
#[derive(Debug, Default, PartialEq)]
pub struct OwnObjects {
    /// Its VirtualMachine.
    pub vm: Option<Vm>,
    /// Its VirtualMachineInstance.
    pub vmi: Option<Vmi>,
    /// Its claims by name.
    pub claims: BTreeMap<String, Claim>,
    /// Its DataVolumes by name.
    pub imports: BTreeMap<String, Import>,
}

/// Objects of a Machine for which no room is kept in advance.
const USUAL: usize = 8;

/// Where an object is among those of its Machine, or where it belongs.
fn find(keys: &[(WatchedKind, ObjectKey)], watched: WatchedKind, key: &ObjectKey) -> Result<usize, usize> {
    keys.binary_search_by(|(kind, of)| (*kind, of).cmp(&(watched, key)))
}

/// How many bytes are kept of an object.
pub fn weigh(key: &ObjectKey, owner: &str, record: &Record) -> usize {
    size_of::<(ObjectKey, MachineUid, Record)>() + key.bytes() + owner.len() + record.bytes()
}

impl ObjectIndex {
    fn write(&self) -> RwLockWriteGuard<'_, Records> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> RwLockReadGuard<'_, Records> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in an object that was added or changed.
    pub fn put(&self, key: ObjectKey, owner: MachineUid, record: Record) {
        let watched = record.kind();
        let mut all = self.write();
        all.link(&owner, watched, &key);
        all.bytes += weigh(&key, &owner, &record);
        let before = all.objects.entry(watched).or_default().insert(key.clone(), (owner.clone(), record));
        if let Some((before, record)) = before {
            all.bytes -= weigh(&key, &before, &record);
            if before != owner {
                all.unlink(&before, watched, &key);
            }
        }
    }

    /// Takes in an object that carries our labels.
    pub fn take_in(&self, object: &impl ResourceExt, record: Record) {
        if let Some(owner) = owner_of(object) {
            self.put(key_of(object), owner, record);
        }
    }

    /// Forgets an object that is gone, and says whose it was.
    pub fn remove(&self, watched: WatchedKind, key: &ObjectKey) -> Option<MachineUid> {
        let mut all = self.write();
        let (owner, record) = all.objects.get_mut(&watched)?.remove(key)?;
        all.bytes -= weigh(key, &owner, &record);
        all.unlink(&owner, watched, key);
        Some(owner)
    }

    /// After a complete list of one kind: forgets what it did not hold, and says whose that was.
    pub fn keep_only(&self, watched: WatchedKind, listed: &BTreeSet<ObjectKey>) -> Vec<MachineUid> {
        let gone: Vec<ObjectKey> = self.read().of_kind(watched).filter(|key| !listed.contains(key)).cloned().collect();
        gone.iter().filter_map(|key| self.remove(watched, key)).collect()
    }

    /// Every Machine that has something there.
    pub fn owners(&self) -> Vec<MachineUid> {
        self.read().by_machine.keys().cloned().collect()
    }

    /// Everything whose Machine is none of the known ones. An instance counts with its VM alone: that of one which was left to
    /// run on keeps the labels that it was started with.
    pub fn of_nobody(&self, known: impl Fn(&str) -> bool) -> Vec<(WatchedKind, ObjectKey, MachineUid)> {
        let all = self.read();
        let machines = all.by_machine.iter().filter(|(uid, _)| !known(uid));
        let objects = machines.flat_map(|(uid, keys)| {
            let stands =
                |at: &&(WatchedKind, ObjectKey)| at.0 != WatchedKind::Vmi || find(keys, WatchedKind::Vm, &at.1).is_ok();
            keys.iter().filter(stands).map(move |(watched, key)| (*watched, key.clone(), uid.clone()))
        });
        objects.collect()
    }

    /// What each VirtualMachine shows, in no order.
    pub fn printable(&self) -> Vec<String> {
        let all = self.read();
        let records = all.objects.get(&WatchedKind::Vm).into_iter().flat_map(BTreeMap::values);
        let printable = records.filter_map(|(_, record)| match record {
            Record::Vm(vm) => Some(vm.printable.clone()),
            Record::Vmi(_) | Record::Claim(_) | Record::DataVolume(_) => None,
        });
        printable.collect()
    }

    /// How many objects are kept.
    pub fn count(&self) -> usize {
        self.read().objects.values().map(BTreeMap::len).sum()
    }

    /// How many bytes are kept of all objects.
    pub fn bytes(&self) -> usize {
        self.read().bytes
    }

    /// The StorageClasses are these.
    pub fn keep_storage_classes(&self, all: Vec<(String, StorageClass)>) {
        self.write().storage_classes = all.into_iter().collect();
    }

    /// A StorageClass came, or changed.
    pub fn saw_storage_class(&self, name: String, class: StorageClass) {
        self.write().storage_classes.insert(name, class);
    }

    /// A StorageClass went.
    pub fn forget_storage_class(&self, name: &str) {
        self.write().storage_classes.remove(name);
    }

    /// The namespace exists.
    pub fn saw_namespace(&self, name: &str) {
        self.write().namespaces.insert(name.to_owned());
    }

    /// The namespace may be gone.
    pub fn forget_namespace(&self, name: &str) {
        self.write().namespaces.remove(name);
    }

    /// Whether a namespace is known to exist, as one with objects of ours does, and the StorageClasses.
    pub fn surroundings(&self, namespace: &str) -> (bool, BTreeMap<String, StorageClass>) {
        let all = self.read();
        (all.namespaces.contains(namespace) || all.is_used(namespace), all.storage_classes.clone())
    }

    /// The NetworkAttachmentDefinitions of a namespace that VMs of other Machines are attached to.
    pub fn attached(&self, namespace: &str, but: &str) -> BTreeSet<String> {
        let all = self.read();
        let others = all.vms_of(namespace).filter(|(owner, _)| owner.as_str() != but);
        others.flat_map(|(_, vm)| vm.attachments.iter().cloned()).collect()
    }

    /// The Machines whose VM is attached to a NetworkAttachmentDefinition.
    pub fn users(&self, attachment: &ObjectKey) -> Vec<MachineUid> {
        let all = self.read();
        let users = all.vms_of(&attachment.namespace).filter(|(_, vm)| vm.attachments.contains(&attachment.name));
        users.map(|(owner, _)| owner.clone()).collect()
    }

    /// What carries a Machine's UID, under whatever name.
    pub fn shown(&self, uid: &str) -> Shown {
        let all = self.read();
        let keys = all.by_machine.get(uid).into_iter().flatten().map(|(watched, key)| {
            let kind = watched.written().unwrap_or(Kind::Vm);
            (kind, VmKey { namespace: key.namespace.clone(), name: key.name.clone() })
        });
        keys.collect()
    }

    /// Kind and name of what carries a UID in a namespace.
    pub fn beside(&self, uid: &str, namespace: &str) -> BTreeSet<(Kind, String)> {
        let shown = self.shown(uid).into_iter().filter(|(_, key)| key.namespace == namespace);
        shown.map(|(kind, key)| (kind, key.name)).collect()
    }

    /// The Machine whose VM an instance is by its name. A VM that was taken over hands its labels to its next instance only.
    pub fn owner_of_vm(&self, instance: &ObjectKey) -> Option<MachineUid> {
        Some(self.read().objects.get(&WatchedKind::Vm)?.get(instance)?.0.clone())
    }

    /// What is known of a Machine: the VM and instance of its name, and the claims beside them. What else carries its
    /// labels, such as a clone that took them along, is not its own. An instance that its VM controls is, whatever its labels say.
    pub fn of(&self, machine: &Identity) -> OwnObjects {
        let all = self.read();
        let mut found = OwnObjects::default();
        let VmKey { namespace, name } = &machine.vm;
        let own = |at: &&(WatchedKind, ObjectKey)| {
            let by_name = matches!(at.0, WatchedKind::Vm | WatchedKind::Vmi);
            at.1.namespace == *namespace && (!by_name || at.1.name == *name)
        };
        for at in all.by_machine.get(&machine.uid).into_iter().flatten().filter(own) {
            match all.objects.get(&at.0).and_then(|all| all.get(&at.1)).map(|(_, record)| record.clone()) {
                Some(Record::Vm(vm)) => found.vm = Some(*vm),
                Some(Record::Vmi(vmi)) => found.vmi = Some(*vmi),
                Some(Record::Claim(claim)) => drop(found.claims.insert(at.1.name.clone(), *claim)),
                Some(Record::DataVolume(import)) => drop(found.imports.insert(at.1.name.clone(), *import)),
                None => {}
            }
        }
        if let (Some(vm), None) = (&found.vm, &found.vmi) {
            let at = ObjectKey { namespace: namespace.clone(), name: name.clone() };
            let instance = all.objects.get(&WatchedKind::Vmi).and_then(|all| all.get(&at));
            if let Some((_, Record::Vmi(vmi))) = instance
                && vmi.controller.as_ref() == Some(&vm.uid)
            {
                found.vmi = Some(Vmi::clone(vmi));
            }
        }
        found
    }
}

impl Records {
    fn of_kind(&self, watched: WatchedKind) -> impl Iterator<Item = &ObjectKey> {
        static NONE: BTreeMap<ObjectKey, (MachineUid, Record)> = BTreeMap::new();
        self.objects.get(&watched).unwrap_or(&NONE).keys()
    }

    fn is_used(&self, namespace: &str) -> bool {
        let first = ObjectKey { namespace: namespace.to_owned(), name: String::new() };
        let mut nearest = self.objects.values().filter_map(|all| all.range(first.clone()..).next());
        nearest.any(|(key, _)| key.namespace == namespace)
    }

    fn vms_of(&self, namespace: &str) -> impl Iterator<Item = (&MachineUid, &Vm)> {
        let first = ObjectKey { namespace: namespace.to_owned(), name: String::new() };
        let all = self.objects.get(&WatchedKind::Vm).map(|all| all.range(first.clone()..));
        let here = all.into_iter().flatten().take_while(move |(key, _)| key.namespace == first.namespace);
        here.filter_map(|(_, (owner, record))| match record {
            Record::Vm(vm) => Some((owner, &**vm)),
            Record::Vmi(_) | Record::Claim(_) | Record::DataVolume(_) => None,
        })
    }

    fn link(&mut self, machine: &str, watched: WatchedKind, key: &ObjectKey) {
        let keys = self.by_machine.entry(machine.to_owned()).or_default();
        if let Err(place) = find(keys, watched, key) {
            // There are many Machines, and nearly all have no more objects than this.
            if keys.len() < USUAL {
                keys.reserve_exact(1);
            }
            keys.insert(place, (watched, key.clone()));
        }
    }

    fn unlink(&mut self, machine: &str, watched: WatchedKind, key: &ObjectKey) {
        if let Some(keys) = self.by_machine.get_mut(machine) {
            if let Ok(place) = find(keys, watched, key) {
                keys.remove(place);
            }
            if keys.is_empty() {
                self.by_machine.remove(machine);
            }
        }
    }
}

#[cfg(test)]
#[path = "index_tests.rs"]
pub(crate) mod tests;
