//! The record of a Machine's interfaces, and the addresses that come back in it.

use model::machine::configuration::Configuration;
use model::machine::networks::{Networks, Record};
use model::names::{MachineKey, record_name};

use super::networks::{joining, networks};
use super::*;

fn object(metadata: Value, spec: Value, status: Value) -> Configuration {
    let metadata = serde_json::from_value(metadata).expect("metadata");
    Configuration::read(&metadata, &json!({"spec": spec, "status": status}))
}

pub(crate) fn own(spec: Value, status: Value) -> Record {
    let owner = json!([{"apiVersion": "vitistack.io/v1alpha1", "kind": "Machine", "name": "web", "uid": "m-1", "controller": true}]);
    let found = object(json!({"uid": "nc-1", "ownerReferences": owner}), spec, status);
    Record::of(Some(&found), &key(), ("m-1", None), "sup")
}

fn key() -> MachineKey {
    MachineKey { namespace: "shop".to_owned(), name: "web".to_owned() }
}

fn on(record: Record) -> Networks {
    Networks { record, ..networks() }
}

pub(crate) const MAC: &str = "be:11:ea:59:c1:1f";

#[test]
fn b5_b11_x36_x59_the_record_is_made_once_kept_true_and_never_a_strangers() {
    let of_namespace = || joining(json!([{"name": "eth0", "networkName": "dhcp"}, {"name": "pod"}]));
    let named = json!({"networkNamespaceName": "dhcp", "networkInterfaces": [{"name": "eth0", "macAddress": MAC.to_uppercase(), "vlan": "2101", "dhcpReserved": true}]});
    let other = json!({"networkNamespaceName": "dhcp", "networkInterfaces": [{"name": "eth0", "macAddress": "52:54:00:00:00:01", "vlan": "2101"}]});
    let bare = json!({"networkInterfaces": [{"name": "default", "macAddress": "52:54:00:00:00:01"}]});
    let foreign = |deleting| Record::Foreign { deleting };
    let whole = |networks| Observed { networks, claims: claims("Bound"), ..seen() };
    let up = |networks| Observed { networks, ..running() };
    let left = || Record::Left("nc-1".to_owned());
    let made = || whole(on(Record::Absent));
    #[rustfmt::skip]
    let cases: Vec<(&str, Intent, Observed, Vec<&str>)> = vec![
        ("B11: every Machine has one",             intent(|_| ()),        made(), vec!["create Vm vm-web", "create record"]),
        ("before the VM, where addresses depend on it", intent(of_namespace()), made(), vec!["create record", "create Attachment vlan2101", "create Vm vm-web"]),
        ("also where the VM is there already",     intent(|_| ()),        up(on(Record::Absent)), vec!["create record"]),
        ("where the kind is missing, none is",     intent(|_| ()),        whole(on(Record::Unknown)), vec!["create Vm vm-web"]),
        ("none while a network is missing",        intent(joining(json!([{"name": "eth0", "networkName": "gone"}]))), made(), vec!["refuse NetworkFailed"]),
        ("what others filled in stays",            intent(|_| ()),        up(on(own(bare.clone(), Value::Null))), vec![]),
        ("it says what it should",                 intent(of_namespace()), whole(on(own(named, Value::Null))), vec!["create Attachment vlan2101", "create Vm vm-web"]),
        ("another address",                        intent(of_namespace()), whole(on(own(other, Value::Null))), vec!["change record", "create Attachment vlan2101", "create Vm vm-web"]),
        ("X59: a stranger's is a conflict",        intent(|_| ()),        whole(on(foreign(false))), vec!["refuse Conflict"]),
        ("X59: and is said while the VM runs",     intent(|_| ()),        up(on(foreign(false))), vec!["refuse Conflict"]),
        ("X59: an earlier one is waited for",      intent(|_| ()),        whole(on(foreign(true))), vec!["refuse NetworkPending"]),
        ("X57: one that was left is taken back",   intent(|_| ()),        whole(on(left())), vec!["change record"]),
        ("X17: it goes before the finalizer",      intent(leaving),       Observed { networks: on(own(bare.clone(), Value::Null)), ..seen() }, vec!["delete record nc-1", "release"]),
        ("X17: and after the VM",                  intent(leaving),       up(on(own(bare.clone(), Value::Null))), vec!["delete Vm vm-web v-1"]),
        ("KVO11: a stranger's holds nothing up",   intent(leaving),       Observed { networks: on(foreign(false)), ..seen() }, vec!["release"]),
        ("X58: also where no cluster is recorded", intent(|m| { leaving(m); m["status"] = json!({}); }), Observed { networks: on(own(bare.clone(), Value::Null)), ..Observed::nothing("sup", Remote::Missing) }, vec!["delete record nc-1", "release"]),
        ("X57: with an orphan it stays",           intent(policy("Orphan")), Observed { networks: on(own(bare, Value::Null)), ..seen() }, vec!["change record", "release"]),
    ];
    every_row(cases, |(name, intent, seen, want)| assert_eq!(brief(&plan(&intent, &seen)), want, "{name}"));
}

#[test]
fn x36_x79_the_record_is_the_published_object_and_has_the_machine_as_its_owner() {
    let intent = intent(joining(json!([
        {"name": "pod"}, {"name": "eth0", "networkName": "fixed"}, {"name": "eth1", "networkName": "fixed", "macAddress": "52:54:00:aa:bb:01"},
    ])));
    let writes = plan(&intent, &Observed { networks: on(Record::Absent), ..seen() }).writes;
    let Some(Write::Here(Here::CreateRecord(record))) = writes.first() else { panic!("{writes:?}") };
    let wanted = json!({
        "apiVersion": "vitistack.io/v1alpha1", "kind": "NetworkConfiguration",
        "metadata": {
            "name": "web", "namespace": "shop",
            "labels": {
                "vitistack.io/managed-by": "kubevirt-operator", "vitistack.io/machine": "web", "vitistack.io/source-machine": "web",
                "vitistack.io/machine-uid": "m-1", "vitistack.io/supervisor": "sup",
            },
            "ownerReferences": [{
                "apiVersion": "vitistack.io/v1alpha1", "kind": "Machine", "name": "web", "uid": "m-1", "controller": true, "blockOwnerDeletion": false,
            }],
        },
        "spec": {
            "name": "web", "description": "interfaces of Machine web", "networkNamespaceName": "fixed",
            "datacenterIdentifier": "no-1", "supervisorIdentifier": "sup_1", "provider": "static-ip",
            "networkInterfaces": [
                {"name": "eth0", "macAddress": MAC, "vlan": "2102"}, {"name": "eth1", "macAddress": "52:54:00:aa:bb:01", "vlan": "2102"},
            ],
        },
    });
    assert_eq!(record, &wanted);
}

#[test]
fn x57_x59_whose_a_record_is() {
    let owner = |uid: &str| json!([{"apiVersion": "vitistack.io/v1", "kind": "Machine", "name": "web", "uid": uid}]);
    let left = |machine: &str, supervisor: &str| json!({"uid": "nc-1", "annotations": {"vitistack.io/retained-from": machine, "vitistack.io/retained-supervisor": supervisor}});
    #[rustfmt::skip]
    let cases = [
        ("the published operator's",   json!({"ownerReferences": owner("m-1"), "labels": {"vitistack.io/managed-by": "kubevirt-operator"}}), "own"),
        ("by its label",               json!({"labels": {"vitistack.io/machine-uid": "m-1"}}),   "own"),
        ("an earlier self's",          json!({"ownerReferences": owner("m-0")}),                 "foreign"),
        ("nobody's",                   json!({}),                                                "foreign"),
        ("another kind's",             json!({"ownerReferences": [{"apiVersion": "example.org/v1", "kind": "Machine", "name": "web", "uid": "m-1"}]}), "foreign"),
        ("left with a VM",             left("shop/web", "sup"),                                  "left"),
        ("left by another Machine",    left("shop/db", "sup"),                                   "foreign"),
        ("left by another supervisor", left("shop/web", "other"),                                "foreign"),
    ];
    every_row(cases, |(name, metadata, want)| {
        let found = object(metadata, Value::Null, Value::Null);
        let is = match Record::of(Some(&found), &key(), ("m-1", None), "sup") {
            Record::Own(_) => "own",
            Record::Left(_) => "left",
            Record::Foreign { deleting: false } => "foreign",
            other => panic!("{other:?}"),
        };
        assert_eq!(is, want, "{name}");
    });
    assert_eq!(Record::of(None, &key(), ("m-1", None), "sup"), Record::Absent);
}

#[test]
fn x99_the_record_of_an_earlier_self_is_taken_over_with_its_vm() {
    let owner = json!([{"apiVersion": "vitistack.io/v1alpha1", "kind": "Machine", "name": "web", "uid": "m-0", "controller": true}]);
    let labels = json!({"vitistack.io/managed-by": "kubevirt-operator", "vitistack.io/machine-uid": "m-0"});
    let bare = || json!({"uid": "nc-1", "ownerReferences": owner, "labels": labels});
    let mut going = bare();
    going["deletionTimestamp"] = json!("2026-11-27T00:00:00Z");
    #[rustfmt::skip]
    let cases = [
        ("it is named",           bare(), Some("m-0"), Record::Left("nc-1".to_owned())),
        ("another one is",        bare(), Some("m-2"), Record::Foreign { deleting: false }),
        ("none is",               bare(), None,        Record::Foreign { deleting: false }),
        ("it goes with its owner", going, Some("m-0"), Record::Foreign { deleting: true }),
    ];
    every_row(cases, |(name, metadata, earlier, want)| {
        let found = object(metadata, Value::Null, Value::Null);
        assert_eq!(Record::of(Some(&found), &key(), ("m-1", earlier), "sup"), want, "{name}");
    });
    let writes = plan(&intent(|_| ()), &Observed { networks: on(Record::Left("nc-1".to_owned())), ..seen() }).writes;
    let [Write::Here(Here::ChangeRecord(change))] = writes.as_slice() else { panic!("{writes:?}") };
    assert_eq!(change["metadata"]["ownerReferences"][0]["uid"], "m-1");
    assert_eq!(change["metadata"]["labels"]["vitistack.io/machine-uid"], "m-1");
}

#[test]
fn x57_what_an_orphan_leaves_is_nobodys_and_is_taken_back_whole() {
    let seen = |record| Observed { networks: on(record), ..seen() };
    let first = |plan: Plan| match plan.writes.into_iter().next() {
        Some(Write::Here(Here::ChangeRecord(change))) => change["metadata"].clone(),
        other => panic!("{other:?}"),
    };
    let left = first(plan(&intent(policy("Orphan")), &seen(own(json!({}), Value::Null))));
    assert_eq!(
        (&left["uid"], &left["ownerReferences"]),
        (&json!("nc-1"), &json!([])),
        "the garbage collector would delete it"
    );
    assert!(left["labels"].get("vitistack.io/machine-uid").is_some_and(Value::is_null));
    assert_eq!(left["labels"].get("vitistack.io/managed-by"), None, "X36: it is no network to join");
    assert_eq!(left["annotations"]["vitistack.io/retained-from"], "shop/web");
    let back = first(plan(&intent(|_| ()), &seen(Record::Left("nc-1".to_owned()))));
    assert_eq!(
        (&back["labels"]["vitistack.io/machine-uid"], &back["ownerReferences"][0]["uid"]),
        (&json!("m-1"), &json!("m-1"))
    );
    assert!(back["annotations"].get("vitistack.io/retained-from").is_some_and(Value::is_null));
}

#[test]
fn x75_addresses_are_those_of_the_instance_and_else_those_of_the_record() {
    let status_of = |allotted: Value| {
        let mut seen = Observed { networks: on(own(json!({}), json!({"networkInterfaces": allotted}))), ..running() };
        let agent = Nic {
            mac: Some("52:54:00:00:00:01".to_owned()),
            ips: vec!["10.0.0.5".to_owned(), "fd00::5".to_owned()],
            state: Some("up".to_owned()),
            source: Some("domain, guest-agent".to_owned()),
            name: Some("default".to_owned()),
        };
        let silent = Nic { mac: Some("52:54:00:00:00:0a".to_owned()), name: Some("eth1".to_owned()), ..Nic::default() };
        seen.vmi = seen.vmi.map(|vmi| Vmi { interfaces: vec![agent, silent], ..vmi });
        status(&MachineStatus::default(), &intent(|_| ()), &seen, None, now(1))
    };
    let by_mac = json!([{"macAddress": "52:54:00:00:00:0A", "ipv4Addresses": ["10.20.0.7", "nonsense"], "ipv6Addresses": ["fd00::7"]}, {"macAddress": "52:54:00:00:00:01", "ipv4Addresses": ["10.20.0.9"]}]);
    let shown = status_of(by_mac);
    let nics: Vec<_> =
        shown.network_interfaces.iter().map(|nic| (nic.ip_addresses.join(" "), nic.ipv6_addresses.join(" "))).collect();
    assert_eq!(nics, [("10.0.0.5".to_owned(), "fd00::5".to_owned()), ("10.20.0.7".to_owned(), "fd00::7".to_owned())]);
    assert_eq!(shown.ip_addresses, ["10.0.0.5", "10.20.0.7", "fd00::5", "fd00::7"]);
    let first = &shown.network_interfaces[0];
    assert_eq!((first.state.as_deref(), first.type_.as_deref()), (Some("up"), Some("domain, guest-agent")));
    let by_name = status_of(json!([{"name": "eth1", "ipv4Addresses": ["10.20.0.8"]}]));
    assert_eq!(by_name.network_interfaces[1].ip_addresses, ["10.20.0.8"]);
    assert_eq!(status_of(Value::Null).network_interfaces[1].ip_addresses, Vec::<String>::new());
}

#[test]
fn x79_the_name_in_a_record_is_one_that_the_published_type_takes() {
    #[rustfmt::skip]
    let cases = [
        ("web",                                "web"),
        ("w",                                  "w-50e721e4"),
        ("a.b",                                "a-b-2e7336dc"),
        ("simple-cluster-control-plane-00",    "simple-cluster-control-plane-00"),
        ("simple-cluster-worker-default-worker-pool-0", "simple-cluster-worker-d-aca53a45"),
    ];
    every_row(cases, |(machine, want)| assert_eq!(record_name(machine), want, "X79"));
}
