//! What the watches of one cluster say about our objects there, as compact records by Machine UID. No I/O.
//!
//! The records are a few hundred bytes each; whole objects and managedFields are never kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::DynamicObject;
use kube::{Resource, ResourceExt};
use model::machine::vm::DESIRED;
use model::machine::{Claim, Identity, Nic, Vm, Vmi};
use model::names::{ADOPTED, MACHINE, MACHINE_UID, VmKey};
use serde_json::Value;

use crate::offer::Offer;

/// The objects of one cluster that carry our labels. Locked for moments only, never across an await.
#[derive(Debug, Default)]
pub struct Index {
    records: RwLock<Records>,
    /// What the cluster offers beside them.
    pub offer: Offer,
}

/// Namespace and name on the remote cluster.
pub type Key = (String, String);

/// UID of the Machine that a remote object says it belongs to. Where that is on the supervisor, its namespace does not say:
/// it may be mapped (X38).
pub type Owner = String;

/// Kinds that are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Watched {
    /// VirtualMachines.
    Vm,
    /// VirtualMachineInstances.
    Vmi,
    /// PersistentVolumeClaims.
    Claim,
}

/// One watched object.
#[derive(Clone, Debug)]
pub enum Record {
    /// A VirtualMachine.
    Vm(Vm),
    /// An instance.
    Vmi(Vmi),
    /// A claim.
    Claim(Claim),
}

impl Record {
    const fn watched(&self) -> Watched {
        match self {
            Record::Vm(_) => Watched::Vm,
            Record::Vmi(_) => Watched::Vmi,
            Record::Claim(_) => Watched::Claim,
        }
    }
}

#[derive(Debug, Default)]
struct Records {
    objects: BTreeMap<(Watched, Key), (Owner, Record)>,
    by_machine: BTreeMap<String, BTreeSet<(Watched, Key)>>,
    storage_classes: BTreeSet<String>,
    namespaces: BTreeSet<String>,
}

/// All that is known of one Machine on one cluster.
#[derive(Debug, Default, PartialEq)]
pub struct Objects {
    /// Its VirtualMachine.
    pub vm: Option<Vm>,
    /// Its VirtualMachineInstance.
    pub vmi: Option<Vmi>,
    /// Its claims by name.
    pub claims: BTreeMap<String, Claim>,
}

impl Index {
    fn write(&self) -> RwLockWriteGuard<'_, Records> {
        self.records.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> RwLockReadGuard<'_, Records> {
        self.records.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in an object that was added or changed.
    pub fn put(&self, key: Key, owner: Owner, record: Record) {
        let watched = record.watched();
        let mut all = self.write();
        all.by_machine.entry(owner.clone()).or_default().insert((watched, key.clone()));
        if let Some((before, _)) = all.objects.insert((watched, key.clone()), (owner.clone(), record))
            && before != owner
        {
            all.unlink(&before, watched, &key);
        }
    }

    /// Takes in an object that carries our labels.
    pub fn take_in(&self, object: &impl ResourceExt, record: Record) {
        if let Some(owner) = owner_of(object) {
            self.put(key_of(object), owner, record);
        }
    }

    /// Forgets an object that is gone, and says whose it was.
    pub fn remove(&self, watched: Watched, key: &Key) -> Option<Owner> {
        let mut all = self.write();
        let (owner, _) = all.objects.remove(&(watched, key.clone()))?;
        all.unlink(&owner, watched, key);
        Some(owner)
    }

    /// After a complete list of one kind: forgets what it did not hold, and says whose that was.
    pub fn keep_only(&self, watched: Watched, listed: &BTreeSet<Key>) -> Vec<Owner> {
        let gone: Vec<Key> = self
            .read()
            .objects
            .keys()
            .filter(|(kind, key)| *kind == watched && !listed.contains(key))
            .map(|(_, key)| key.clone())
            .collect();
        gone.iter().filter_map(|key| self.remove(watched, key)).collect()
    }

    /// A StorageClass came or went.
    pub fn storage_class(&self, name: String, there: bool) {
        let mut all = self.write();
        if there {
            all.storage_classes.insert(name)
        } else {
            all.storage_classes.remove(&name)
        };
    }

    /// The namespace exists.
    pub fn saw_namespace(&self, name: &str) {
        self.write().namespaces.insert(name.to_owned());
    }

    /// The namespace may be gone.
    pub fn forget_namespace(&self, name: &str) {
        self.write().namespaces.remove(name);
    }

    /// Whether a namespace is known to exist, and the StorageClasses.
    pub fn surroundings(&self, namespace: &str) -> (bool, BTreeSet<String>) {
        let all = self.read();
        (all.namespaces.contains(namespace), all.storage_classes.clone())
    }

    /// What is known of a Machine: the VM and instance of its name, and the claims beside them. What else carries its
    /// labels, such as a clone that took them along, is not its own.
    pub fn of(&self, machine: &Identity) -> Objects {
        let all = self.read();
        let mut found = Objects::default();
        let VmKey { namespace, name } = &machine.vm;
        let own = |at: &&(Watched, Key)| at.1.0 == *namespace && (at.0 == Watched::Claim || at.1.1 == *name);
        for at in all.by_machine.get(&machine.uid).into_iter().flatten().filter(own) {
            match all.objects.get(at).map(|(_, record)| record.clone()) {
                Some(Record::Vm(vm)) => found.vm = Some(vm),
                Some(Record::Vmi(vmi)) => found.vmi = Some(vmi),
                Some(Record::Claim(claim)) => drop(found.claims.insert(at.1.1.clone(), claim)),
                None => {}
            }
        }
        found
    }
}

impl Records {
    fn unlink(&mut self, machine: &str, watched: Watched, key: &Key) {
        if let Some(keys) = self.by_machine.get_mut(machine) {
            keys.remove(&(watched, key.clone()));
            if keys.is_empty() {
                self.by_machine.remove(machine);
            }
        }
    }
}

/// The Machine that an object belongs to by its labels.
pub fn owner_of(object: &impl ResourceExt) -> Option<Owner> {
    let labels = object.labels();
    labels.get(MACHINE_UID).filter(|_| labels.contains_key(MACHINE)).cloned()
}

/// Namespace and name of an object.
pub fn key_of(object: &impl ResourceExt) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

fn text(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

fn condition<'v>(object: &'v Value, kind: &str, status: &str) -> Option<&'v Value> {
    let all = object.pointer("/status/conditions")?.as_array()?;
    all.iter().find(|condition| condition["type"] == kind && condition["status"] == status)
}

fn message(condition: &Value) -> String {
    let said = condition["message"].as_str().filter(|said| !said.is_empty()).or(condition["reason"].as_str());
    said.unwrap_or_default().chars().filter(|c| !c.is_control()).take(512).collect()
}

/// Reads a VirtualMachine.
pub fn vm(object: &DynamicObject) -> Vm {
    let data = &object.data;
    Vm {
        name: object.name_any(),
        uid: object.uid().unwrap_or_default(),
        resource_version: object.resource_version().unwrap_or_default(),
        deleting: object.metadata.deletion_timestamp.is_some(),
        hash: object.annotations().get(DESIRED).cloned(),
        adopted: object.annotations().get(ADOPTED).cloned(),
        printable: text(data, "/status/printableStatus").unwrap_or_default(),
        failure: condition(data, "Failure", "True").map(message),
        restart_required: condition(data, "RestartRequired", "True").map(message),
    }
}

/// Reads a VirtualMachineInstance. What is no IP address is left out: a remote cluster's word is checked.
pub fn vmi(object: &DynamicObject) -> Vmi {
    let data = &object.data;
    let interfaces = data.pointer("/status/interfaces").and_then(Value::as_array);
    let nic = |nic: &Value| {
        let several = nic["ipAddresses"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut ips: Vec<String> = Vec::new();
        for ip in nic["ipAddress"].as_str().into_iter().chain(several) {
            if ip.parse::<std::net::IpAddr>().is_ok() && !ips.iter().any(|known| known == ip) {
                ips.push(ip.to_owned());
            }
        }
        Nic { name: text(nic, "/name"), mac: text(nic, "/mac"), ips }
    };
    Vmi {
        name: object.name_any(),
        phase: text(data, "/status/phase").unwrap_or_default(),
        ready: condition(data, "Ready", "True").is_some(),
        node: text(data, "/status/nodeName").filter(|node| !node.is_empty()),
        interfaces: interfaces.into_iter().flatten().take(256).map(nic).collect(),
        unschedulable: condition(data, "PodScheduled", "False").map(message),
    }
}

/// Reads a claim.
pub fn claim(object: &PersistentVolumeClaim) -> Claim {
    Claim {
        uid: object.uid().unwrap_or_default(),
        phase: object.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_default(),
        deleting: object.meta().deletion_timestamp.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use model::names::MachineKey;

    use super::*;

    fn machine() -> Identity {
        let named = |name: &str| ("shop".to_owned(), name.to_owned());
        let ((namespace, name), (_, vm)) = (named("web"), named("vm-web"));
        Identity {
            vm: VmKey { namespace: namespace.clone(), name: vm },
            key: MachineKey { namespace, name },
            uid: "m-1".to_owned(),
            generation: 1,
            resource_version: None,
            cluster_id: None,
        }
    }

    #[test]
    fn a_clone_that_took_our_labels_along_is_not_the_machines_vm() {
        let (index, machine) = (Index::default(), machine());
        let owner = machine.uid.clone();
        let vm = |name: &str| Record::Vm(Vm { name: name.to_owned(), ..Vm::default() });
        for (namespace, name) in [("shop", "vm-web"), ("shop", "vm-web-clone"), ("other", "vm-web")] {
            index.put((namespace.to_owned(), name.to_owned()), owner.clone(), vm(name));
        }
        index.put(("other".to_owned(), "web-root".to_owned()), owner.clone(), Record::Claim(Claim::default()));
        let own = index.of(&machine);
        assert_eq!(own.vm.map(|vm| vm.name).as_deref(), Some("vm-web"));
        assert!(own.claims.is_empty());
        index.remove(Watched::Vm, &("shop".to_owned(), "vm-web".to_owned()));
        assert_eq!(index.of(&machine), Objects::default(), "a clone does not stand in for it either");
    }

    #[test]
    fn what_a_complete_list_does_not_hold_is_forgotten() {
        let (index, machine) = (Index::default(), machine());
        let owner = machine.uid.clone();
        let key = |name: &str| ("shop".to_owned(), name.to_owned());
        for name in ["web-root", "web-data"] {
            index.put(key(name), owner.clone(), Record::Claim(Claim::default()));
        }
        assert_eq!(index.keep_only(Watched::Claim, &[key("web-data")].into()), [owner]);
        assert_eq!(index.of(&machine).claims.into_keys().collect::<Vec<_>>(), ["web-data"]);
    }
}
