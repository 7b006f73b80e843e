use model::machine::owner::{Owner, Ownership};
use model::names::{VM, VmKey};

use super::*;
use crate::table::every_row;
use crate::world::{Config, Policy, World};

#[test]
fn a24_x16_x38_what_a_machine_holds_is_read_from_what_it_says() {
    let key = MachineKey { namespace: "shop".to_owned(), name: "web".to_owned() };
    let mapped = Config { namespace: Some("vms".to_owned()), ..Config::default() };
    let configs = [("east", Config::default()), ("west", mapped)];
    let configs = configs.map(|(name, config)| (ClusterName(name.to_owned()), Arc::new(config)));
    let world = World { configs: configs.into(), ..World::default() };
    let disks = || vec!["root".to_owned(), "data".to_owned()];
    let macs = || vec!["52-54-00-AB-00-01".to_owned(), String::new()];
    let on = |cluster: &str, disks: Vec<String>, vm_name: Option<&str>| Stored {
        cluster: Some(cluster.to_owned()),
        disks,
        vm_name: vm_name.map(str::to_owned),
        macs: macs(),
        ..Stored::default()
    };
    let tenants = Stored { namespace: Some("tenants".to_owned()), ..on("west", vec![], None) };
    #[rustfmt::skip]
    let cases = [
        ("assigned",           on("east", disks(), None),               vec!["east/shop VirtualMachine vm-web", "east/shop PersistentVolumeClaim web-root", "east/shop PersistentVolumeClaim web-data"]),
        ("X16: an ISO image",  Stored { iso: true, ..on("east", vec![], None) }, vec!["east/shop VirtualMachine vm-web", "east/shop PersistentVolumeClaim web-iso"]),
        ("a mapped namespace", on("west", disks(), None),               vec!["west/vms VirtualMachine vm-web", "west/vms PersistentVolumeClaim web-root", "west/vms PersistentVolumeClaim web-data"]),
        ("an unknown cluster", on("nord", vec![], None),                vec!["nord/shop VirtualMachine vm-web"]),
        ("a recorded VM name", on("east", vec![], Some("old-web")),     vec!["east/shop VirtualMachine old-web"]),
        ("an empty VM name",   on("east", vec![], Some("")),            vec!["east/shop VirtualMachine vm-web"]),
        ("a recorded namespace", tenants,                               vec!["west/tenants VirtualMachine vm-web"]),
        ("not assigned",       on("", disks(), Some("vm-web")),         vec![]),
    ];
    every_row(cases, |(case, stored, wanted)| {
        let held = world.held(&key, &stored);
        let names = held.names.iter().map(|it| format!("{}/{} {} {}", it.cluster, it.namespace, it.kind, it.name));
        assert_eq!(names.collect::<Vec<_>>(), wanted, "{case}");
        assert_eq!(held.cluster.is_some(), !wanted.is_empty(), "{case}");
        assert_eq!(held.macs, ["52:54:00:ab:00:01"], "{case}");
    });
}

#[test]
fn x38_names_follow_the_namespace_of_their_cluster() {
    let key = MachineKey { namespace: "shop".to_owned(), name: "web".to_owned() };
    let east = ClusterName("east".to_owned());
    let world = |namespace: Option<&str>| {
        let config = Config { namespace: namespace.map(str::to_owned), ..Config::default() };
        World { configs: [(east.clone(), Arc::new(config))].into(), ..World::default() }
    };
    let name = |namespace: &str| {
        let namespace = namespace.to_owned();
        Name { cluster: east.clone(), namespace, kind: VM, name: "vm-web".to_owned() }
    };
    let other = MachineKey { namespace: "shop".to_owned(), name: "other".to_owned() };
    let stored = Stored { cluster: Some("east".to_owned()), ..Stored::default() };
    let moved = |from: World, to: World| {
        let mut to = World { machines: from.machines, ..to };
        to.move_names(&east);
        to
    };
    let mut first = world(None);
    first.machines.put(&key, first.held(&key, &stored));
    let mut mapped = moved(first, world(Some("vms")));
    assert_eq!(mapped.machines.holder(&name("vms"), &other), Some(&key));
    assert_eq!((mapped.machines.holder(&name("shop"), &other), mapped.machines.load(&east).machines), (None, 1));
    let gone = moved(mapped.clone(), World::default());
    assert_eq!(gone.machines.holder(&name("shop"), &other), Some(&key), "its KubevirtConfig is gone");
    let recorded = Stored { namespace: Some("shop".to_owned()), ..stored };
    mapped.machines.put(&key, mapped.held(&key, &recorded));
    let tenants = moved(mapped, world(Some("tenants")));
    assert_eq!(tenants.machines.holder(&name("shop"), &other), Some(&key), "recorded: an edit moves no VM");
}

#[test]
fn atk4_a_namespace_that_a_status_names_counts_where_the_machine_is_sent_or_its_vm_is() {
    let key = MachineKey { namespace: "shop".to_owned(), name: "web".to_owned() };
    let other = MachineKey { namespace: "bank".to_owned(), name: "web".to_owned() };
    let east = ClusterName("east".to_owned());
    let name = Name { cluster: east.clone(), namespace: "bank".to_owned(), kind: VM, name: "vm-web".to_owned() };
    let owned = |supervisor: &str, uid: &str| Ownership {
        owner: Some(Owner::Machine { name: "web".to_owned(), supervisor: supervisor.to_owned(), uid: uid.to_owned() }),
        ..Ownership::default()
    };
    #[rustfmt::skip]
    let cases = [
        // KubevirtConfig, its own UID, the VM bank/vm-web,       whether it is the Machine's name
        (None,             "m-1",       None,                     false),
        (Some("bank"),     "m-1",       None,                     true),
        (None,             "m-1",       Some(owned("sup", "m-1")), true),
        (None,             "m-1",       Some(owned("sup", "m-2")), false),
        (None,             "m-1",       Some(owned("other", "m-1")), false),
        (None,             "",          Some(owned("sup", "")),   false),
        (None,             "m-1",       Some(Ownership::default()), false),
    ];
    every_row(cases, |(mapped, uid, vm, held)| {
        let mut config = Config { namespace: mapped.map(str::to_owned), ..Config::default() };
        if let Some(vm) = vm {
            config.inventory.vms.insert_mut(VmKey { namespace: "bank".to_owned(), name: "vm-web".to_owned() }, vm);
        }
        let policy = Policy { supervisor: "sup".to_owned(), ..Policy::default() };
        let configs = [(east.clone(), Arc::new(config))].into();
        let mut world = World { configs, policy: Arc::new(policy), ..World::default() };
        let stored = Stored {
            cluster: Some("east".to_owned()),
            namespace: Some("bank".to_owned()),
            uid: uid.to_owned(),
            ..Stored::default()
        };
        let said = world.held(&key, &stored);
        world.machines.put(&key, said);
        assert_eq!(world.holder(&name, &other), Some(&key).filter(|_| held), "{mapped:?} {uid}");
    });
}

#[test]
fn the_disks_are_those_of_the_size_that_admission_wrote() {
    let size = r#"{"source":"spec","cores":1,"threads":1,"sockets":1,"memory":"1Gi","disks":[{"name":"root","size":"1Gi","accessMode":"ReadWriteOnce"}]}"#;
    let sized = [Some(size), Some("{\"disks\":7}"), None].map(Stored::sized);
    let sized = sized.map(|stored| (stored.disks, stored.size));
    let whole = (vec!["root".to_owned()], Some(Size { cpu: 1000, memory: 1 << 30 }));
    assert_eq!(sized, [whole, (vec![], None), (vec![], None)], "one that cannot be read says nothing");
}

#[test]
fn a24_what_is_unseen_counts_once_for_each_replica() {
    let load = Load { machines: 7, unseen: 2 };
    every_row([(0, 7), (1, 7), (2, 9), (3, 11)], |(replicas, wanted)| {
        assert_eq!(load.expected(replicas), wanted, "{replicas} replicas");
    });
    assert_eq!(Load { machines: u32::MAX, unseen: 2 }.expected(u32::MAX), u32::MAX);
}

#[test]
fn x16_what_a_machine_holds_is_found_and_forgotten_again() {
    let key = |name: &str| MachineKey { namespace: "shop".to_owned(), name: name.to_owned() };
    let claim = |name: &str| Name {
        cluster: ClusterName("east".to_owned()),
        namespace: "shop".to_owned(),
        kind: "PersistentVolumeClaim",
        name: name.to_owned(),
    };
    let held = |names: &[&str], mac: &str| Held {
        cluster: Some(ClusterName("east".to_owned())),
        names: names.iter().map(|name| claim(name)).collect(),
        macs: vec![mac.to_owned()],
        home: Home::Unrecorded,
        ..Held::default()
    };
    let load = |machines: &Machines| machines.load(&ClusterName("east".to_owned())).machines;
    let mut machines = Machines::default();
    machines.put(&key("web"), held(&["web-root", "web-data"], "52:54:00:00:00:01"));
    machines.put(&key("web-data"), held(&["web-data-root", "web-data"], "52:54:00:00:00:02"));
    let before = machines.clone();
    assert_eq!(machines.holder(&claim("web-data"), &key("web")), Some(&key("web-data")));
    assert_eq!(machines.holder(&claim("web-root"), &key("web")), None, "its own");
    assert_eq!(load(&machines), 2);
    machines.put(&key("web"), held(&["web-root"], "52:54:00:00:00:03"));
    assert_eq!(machines.mac_holder("52:54:00:00:00:01", &key("other")), None);
    assert_eq!(load(&machines), 2, "an edit is no second Machine");
    machines.remove(&key("web-data"));
    assert_eq!(machines.holder(&claim("web-data"), &key("other")), None);
    assert_eq!((load(&machines), machines.len()), (1, 1));
    assert_eq!(before.holder(&claim("web-data"), &key("other")), Some(&key("web")), "a snapshot does not change");
}

/// What happens to one Machine of 2 CPUs, or to its cluster.
enum Step {
    /// This webhook decided it.
    Noted,
    /// The watch shows it on its way, in one more status.
    Seen,
    /// The watch shows its VM on a node since this second.
    Arrived(i64),
    /// The capacity of its cluster was read in this second; negative: nobody says when.
    Read(i64),
    /// It is gone, or was never stored.
    Gone,
}

#[test]
fn x68_a_machine_is_awaited_until_the_capacity_was_read_after_it_had_a_node() {
    use Step::{Arrived, Gone, Noted, Read, Seen};
    #[rustfmt::skip]
    let cases: [(&str, &[(Step, u64)]); 9] = [
        ("X68: its whole life",             &[(Read(10), 0), (Noted, 2), (Seen, 2), (Arrived(20), 2), (Read(30), 0), (Gone, 0)]),
        ("X68: read before it had a node",  &[(Read(10), 0), (Seen, 2), (Arrived(20), 2), (Read(15), 2), (Read(21), 0)]),
        ("X68: read within that second",    &[(Read(10), 0), (Seen, 2), (Arrived(20), 2), (Read(20), 2), (Read(21), 0)]),
        ("X68: told of the node too late",  &[(Read(30), 0), (Seen, 2), (Arrived(20), 0)]),
        ("X68: the first time counts",      &[(Seen, 2), (Read(10), 2), (Arrived(20), 2), (Arrived(40), 2), (Read(30), 0)]),
        ("X68: a VM that starts again",     &[(Read(10), 0), (Seen, 2), (Arrived(20), 2), (Read(30), 0), (Seen, 0), (Arrived(40), 0)]),
        ("X68: known with a node",          &[(Read(10), 0), (Arrived(20), 0), (Seen, 0)]),
        ("X68: nobody says when it was read", &[(Read(-1), 0), (Noted, 2), (Seen, 2), (Arrived(20), 0)]),
        ("X68: never stored",               &[(Noted, 2), (Gone, 0), (Seen, 2), (Gone, 0)]),
    ];
    let (east, key) =
        (ClusterName("east".to_owned()), MachineKey { namespace: "shop".to_owned(), name: "web".to_owned() });
    let two = Size { cpu: 2000, memory: 4 << 30 };
    let held = |awaited| Held { cluster: Some(east.clone()), awaited, ..Held::default() };
    every_row(cases, |(case, steps)| {
        let mut machines = Machines::default();
        for (at, (step, cpus)) in steps.iter().enumerate() {
            match step {
                Noted => machines.note(&key, held(Some(Box::new(two)))),
                Seen => machines.put(&key, Held { macs: vec![at.to_string()], ..held(Some(Box::new(two))) }),
                Arrived(time) => {
                    machines.put(&key, held(None));
                    machines.arrived(&key, *time);
                }
                Read(time) => machines.capacity_read(&east, Some(*time).filter(|time| *time >= 0)),
                Gone => machines.remove(&key),
            }
            let wanted = Size { cpu: cpus * 1000, memory: cpus << 31 };
            assert_eq!(machines.awaited(&east), wanted, "{case}: step {at}");
            assert_eq!(machines.awaited_of(&key), (*cpus > 0).then_some((&east, wanted)), "{case}: step {at}");
            let unseen = if matches!(step, Noted) { two } else { Size::default() };
            assert_eq!(machines.unseen(), unseen, "{case}: step {at}");
        }
    });
}

#[test]
fn x68_a_machine_that_changes_its_cluster_or_its_size_is_awaited_there_with_that() {
    let cluster = |name: &str| ClusterName(name.to_owned());
    let key = |name: &str| MachineKey { namespace: "shop".to_owned(), name: name.to_owned() };
    let on = |name: &str, cpu| Held {
        cluster: Some(cluster(name)),
        awaited: Some(Box::new(Size { cpu, memory: 0 })),
        ..Held::default()
    };
    let mut machines = Machines::default();
    machines.note(&key("a"), on("east", 2000));
    machines.note(&key("b"), on("east", 1000));
    machines.note(&key("a"), on("west", 4000));
    let sums = |machines: &Machines| {
        (machines.awaited(&cluster("east")).cpu, machines.awaited(&cluster("west")).cpu, machines.unseen().cpu)
    };
    assert_eq!(sums(&machines), (1000, 4000, 5000));
    machines.put(&key("a"), on("west", 3000));
    assert_eq!(sums(&machines), (1000, 3000, 1000));
    machines.retain(|kept| *kept == key("a"));
    assert_eq!(sums(&machines), (0, 3000, 0));
    // A load counts like a name where there is no name yet.
    let before = machines.clone();
    let pledged = on("west", 1000);
    assert!(pledged.is_held_alike(&key("c"), &machines, &before));
    machines.note(&key("d"), on("east", 1000));
    assert!(pledged.is_held_alike(&key("c"), &machines, &before), "another cluster's load");
    machines.note(&key("e"), on("west", 1000));
    assert!(!pledged.is_held_alike(&key("c"), &machines, &before));
}
