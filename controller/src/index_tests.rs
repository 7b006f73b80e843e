//! What the index of a cluster keeps, and of whom.

use model::names::MachineKey;

use super::*;

fn key(namespace: &str, name: &str) -> ObjectKey {
    ObjectKey { namespace: namespace.to_owned(), name: name.to_owned() }
}

/// Machine `shop/web`, of UID `m-1`, whose VM is in a namespace that no other has.
pub(crate) fn machine() -> Identity {
    Identity {
        vm: VmKey { namespace: "shop".to_owned(), name: "vm-web".to_owned() },
        key: MachineKey { namespace: "shop".to_owned(), name: "web".to_owned() },
        alone: true,
        uid: "m-1".to_owned(),
        generation: 1,
        resource_version: None,
        cluster_id: None,
        take_over: None,
        lost: Vec::new(),
    }
}

#[test]
fn a_clone_that_took_our_labels_along_is_not_the_machines_vm() {
    let (index, machine) = (ObjectIndex::default(), machine());
    let owner = machine.uid.clone();
    let vm = |name: &str| Record::Vm(Box::new(Vm { name: name.to_owned(), ..Vm::default() }));
    for (namespace, name) in [("shop", "vm-web"), ("shop", "vm-web-clone"), ("other", "vm-web")] {
        index.put(key(namespace, name), owner.clone(), vm(name));
    }
    index.put(key("other", "web-root"), owner.clone(), Record::Claim(Box::default()));
    let own = index.of(&machine);
    assert_eq!(own.vm.map(|vm| vm.name).as_deref(), Some("vm-web"));
    assert!(own.claims.is_empty());
    index.remove(WatchedKind::Vm, &key("shop", "vm-web"));
    assert_eq!(index.of(&machine), OwnObjects::default(), "a clone does not stand in for it either");
}

#[test]
fn x99_an_instance_that_still_has_the_labels_of_an_earlier_self_is_shown_with_its_vm() {
    let (index, machine) = (ObjectIndex::default(), machine());
    let vm = Record::Vm(Box::new(Vm { name: "vm-web".to_owned(), uid: "v-1".to_owned(), ..Vm::default() }));
    let run_by = |vm: &str| {
        Record::Vmi(Box::new(Vmi { name: "vm-web".to_owned(), controller: Some(vm.to_owned()), ..Vmi::default() }))
    };
    index.put(key("shop", "vm-web"), "m-0".to_owned(), run_by("v-1"));
    index.put(key("shop", "web-root"), "m-0".to_owned(), Record::Claim(Box::default()));
    index.put(key("bank", "web-root"), "m-0".to_owned(), Record::Claim(Box::default()));
    assert_eq!((index.of(&machine).vmi, index.owner_of_vm(&key("shop", "vm-web"))), (None, None));
    let left = [(Kind::Claim, "web-root".to_owned()), (Kind::Vm, "vm-web".to_owned())];
    assert_eq!(index.beside("m-0", "shop"), BTreeSet::from(left), "of the other namespace it is nothing");
    index.put(key("shop", "vm-web"), "m-1".to_owned(), vm);
    assert_eq!(index.of(&machine).vmi.map(|vmi| vmi.name).as_deref(), Some("vm-web"));
    assert_eq!(index.owner_of_vm(&key("shop", "vm-web")).as_deref(), Some("m-1"));
    assert_eq!(index.of_nobody(|uid| uid == "m-1").len(), 2, "R23: the claims; the instance is its VM's");
    index.put(key("shop", "vm-web"), "m-0".to_owned(), run_by("v-0"));
    assert_eq!(index.of(&machine).vmi, None, "that of an earlier VM of the name");
}

#[test]
fn what_a_complete_list_does_not_hold_is_forgotten() {
    let (index, machine) = (ObjectIndex::default(), machine());
    let owner = machine.uid.clone();
    for name in ["web-root", "web-data"] {
        index.put(key("shop", name), owner.clone(), Record::Claim(Box::default()));
    }
    assert_eq!(index.keep_only(WatchedKind::Claim, &[key("shop", "web-data")].into()), [owner]);
    assert_eq!(index.of(&machine).claims.into_keys().collect::<Vec<_>>(), ["web-data"]);
    let one = weigh(&key("shop", "web-data"), "m-1", &Record::Claim(Box::default()));
    assert_eq!(index.bytes(), one, "ATK1: and does not count any more");
    index.put(
        key("shop", "web-data"),
        "m-22".to_owned(),
        Record::Claim(Box::new(Claim { phase: "Bound".to_owned(), ..Claim::default() })),
    );
    assert_eq!(index.bytes(), one + "Bound".len() + 1);
    index.remove(WatchedKind::Claim, &key("shop", "web-data"));
    assert_eq!(index.bytes(), 0);
}

#[test]
fn a_namespace_with_objects_of_ours_is_there() {
    let index = ObjectIndex::default();
    let known = |namespace: &str| index.surroundings(namespace).0;
    index.put(key("shop", "web-root"), "m-1".to_owned(), Record::Claim(Box::default()));
    index.put(key("shops", "vm-web"), "m-2".to_owned(), Record::Vm(Box::default()));
    assert_eq!([known("sho"), known("shop"), known("shops"), known("zoo")], [false, true, true, false]);
    index.remove(WatchedKind::Claim, &key("shop", "web-root"));
    assert!(!known("shop"), "nobody says so any more");
    index.saw_namespace("shop");
    assert!(known("shop"));
}

#[test]
fn kvo12_a_network_is_in_use_by_the_vms_of_its_namespace() {
    let index = ObjectIndex::default();
    let attached = |names: &[&str]| {
        Record::Vm(Box::new(Vm { attachments: names.iter().map(|name| (*name).to_owned()).collect(), ..Vm::default() }))
    };
    index.put(key("shop", "vm-web"), "m-1".to_owned(), attached(&["vlan5", "br1"]));
    index.put(key("shop", "vm-db"), "m-2".to_owned(), attached(&["vlan5"]));
    index.put(key("shops", "vm-other"), "m-3".to_owned(), attached(&["vlan7"]));
    let used = |but: &str| index.attached("shop", but).into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!((used("m-1").as_str(), used("m-2").as_str()), ("vlan5", "br1 vlan5"));
    assert_eq!(index.users(&key("shop", "vlan5")), ["m-2", "m-1"]);
    assert_eq!(index.users(&key("shop", "vlan7")), Vec::<MachineUid>::new(), "that is of another namespace");
}
