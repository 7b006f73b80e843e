//! Static addresses: what of a Machine's record is handed to the guest, what is waited for, and what is said of the rest.

use model::machine::addresses::network_data;
use model::machine::carried::carry;
use model::machine::networks::{IpSource, Networks, Record};

use super::networks::{joining, networks};
use super::records::{MAC, own};
use super::*;

type Told<'t> = (&'t str, Box<dyn Fn(&mut Value)>, Networks, Option<&'t str>);
type Planned<'t> = (&'t str, &'t dyn Fn(&mut Value), Networks, Observed, Vec<&'t str>);
type Said<'t> = (&'t str, &'t dyn Fn(&mut Value), Networks, String);

/// Networks with a record of the Machine's that gives out these addresses.
fn giving(allotted: Value) -> Networks {
    Networks { record: own(json!({}), json!({"networkInterfaces": allotted})), ..networks() }
}

/// What address management of the range of `fixed` writes.
fn allotted(mac: &str, address: &str) -> Value {
    json!({
        "name": "eth0", "macAddress": mac, "ipv4Addresses": [address], "ipv4Subnet": "10.20.0.0/24", "ipv4Gateway": "10.20.0.1",
        "dns": ["10.20.0.2"], "ipAllocated": true, "allocationMethod": "static", "allocationExpiry": "2026-11-27T00:00:00Z",
    })
}

fn on(network: &'static str, cloud: Value) -> impl Fn(&mut Value) {
    move |machine| {
        joining(json!([{"name": "eth0", "networkName": network}]))(machine);
        if !cloud.is_null() {
            machine["spec"]["cloudInit"] = cloud.clone();
        }
    }
}

fn data(change: impl Fn(&mut Value), networks: &Networks) -> Option<String> {
    match intent(change) {
        Intent::Run(admitted) => network_data(&admitted, networks),
        other => panic!("{other:?}"),
    }
}

/// What is seen of a Machine, with what follows from it for its cloud-init data.
fn with_data(change: &impl Fn(&mut Value), networks: Networks, seen: Observed) -> Observed {
    let found = data(change, &networks);
    let machine = machine(change);
    let cloud_init = carry(&machine.spec, "m-1", found.as_deref(), |_| Ok(b"from a Secret".to_vec()));
    Observed { networks, cloud_init, ..seen }
}

#[test]
fn x36_the_guest_is_told_the_addresses_of_its_record_and_no_more() {
    let here = |more: Value| {
        let mut entry = allotted(MAC, "10.20.0.7");
        entry.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
        giving(json!([entry]))
    };
    let bare = json!([{"macAddress": MAC.to_uppercase(), "ipv4Addresses": ["10.20.0.7"]}]);
    let two = json!([{"name": "eth0", "networkName": "fixed"}, {"name": "pod"}, {"name": "eth2", "networkName": "fixed", "macAddress": "52:54:00:AA:BB:01"}]);
    let of_two = json!([allotted(MAC, "10.20.0.7"), allotted("52:54:00:aa:bb:01", "10.20.0.8")]);
    let lan = json!([{"name": "eth0", "networkName": "frontend", "macAddress": MAC}]);
    let both = json!({"ipv6Addresses": ["fd00:20::7"], "ipv6Subnet": "fd00:20::/64", "ipv6Gateway": "fd00:20::1", "dns": ["10.20.0.2", "fd00:20::2", "10.20.0.3", "10.20.0.4"]});
    let in_spec = Networks { record: own(json!({"networkInterfaces": bare}), Value::Null), ..networks() };
    let first = "version: 2\nethernets:\n  eth0:\n    match: {macaddress: \"be:11:ea:59:c1:1f\"}\n    set-name: eth0\n";
    let plain = format!(
        "{first}    addresses: [\"10.20.0.7/24\"]\n    routes: [{{to: \"0.0.0.0/0\", via: \"10.20.0.1\"}}]\n    nameservers: {{addresses: [\"10.20.0.2\"]}}\n"
    );
    let with_others = format!(
        "{plain}  eth1:\n    match: {{macaddress: \"2e:6a:01:20:6a:36\"}}\n    set-name: eth1\n    dhcp4: true\n  eth2:\n    match: {{macaddress: \"52:54:00:aa:bb:01\"}}\n    set-name: eth2\n    addresses: [\"10.20.0.8/24\"]\n    nameservers: {{addresses: [\"10.20.0.2\"]}}\n"
    );
    let of_both = format!(
        "{first}    addresses: [\"10.20.0.7/24\", \"fd00:20::7/64\"]\n    routes: [{{to: \"0.0.0.0/0\", via: \"10.20.0.1\"}}, {{to: \"::/0\", via: \"fd00:20::1\"}}]\n    nameservers: {{addresses: [\"10.20.0.2\", \"fd00:20::2\", \"10.20.0.3\"]}}\n"
    );
    let small = format!("{first}    addresses: [\"10.30.0.7/16\"]\n");
    let other = json!([{"name": "eth0", "ipv4Addresses": ["10.30.0.7"], "ipv4Subnet": "10.30.0.0/16", "allocationMethod": "static"}]);
    #[rustfmt::skip]
    let cases: Vec<Told<'_>> = vec![
        ("as it is written there",             Box::new(on("fixed", Value::Null)), here(json!({})), Some(&plain)),
        ("when an allocation ends is nothing", Box::new(on("fixed", Value::Null)), here(json!({"allocationExpiry": "2030-01-01T00:00:00Z"})), Some(&plain)),
        ("what the record leaves out is that of the NetworkNamespace", Box::new(on("fixed", Value::Null)), giving(bare.clone()), Some(&plain)),
        ("also where it stands in its spec",   Box::new(on("fixed", Value::Null)), in_spec, Some(&plain)),
        ("with cloud-init data of another kind", Box::new(on("fixed", json!({"userData": "#cloud-config"}))), here(json!({})), Some(&plain)),
        ("others by DHCP, one default route",  Box::new(joining(two)), giving(of_two), Some(&with_others)),
        ("both families, three name servers",  Box::new(on("fixed", Value::Null)), here(both), Some(&of_both)),
        ("a network without a range",          Box::new(joining(lan)), giving(other), Some(&small)),
        ("by DHCP",                            Box::new(on("dhcp", Value::Null)), giving(bare.clone()), None),
        ("reserved by DHCP in a range",        Box::new(on("fixed", Value::Null)), here(json!({"allocationMethod": "dhcp"})), None),
        ("another interface's",                Box::new(on("fixed", Value::Null)), giving(json!([allotted("52:54:00:00:00:01", "10.20.0.7")])), None),
        ("no address",                         Box::new(on("fixed", Value::Null)), here(json!({"ipv4Addresses": []})), None),
        ("in no subnet",                       Box::new(on("fixed", Value::Null)), here(json!({"ipv4Addresses": ["10.21.0.7"]})), None),
        ("hostile words",                      Box::new(on("fixed", Value::Null)), here(json!({"ipv4Gateway": "1.2.3.4\"}]\n  evil: true", "dns": ["x\ny"], "ipv4Subnet": "10.20.0.0/24\n"})), Some(&plain)),
        ("a stranger's record",                Box::new(on("fixed", Value::Null)), Networks { record: Record::Foreign { deleting: false }, ..networks() }, None),
        ("own network data",                   Box::new(on("fixed", json!({"networkData": "version: 2"}))), here(json!({})), None),
        ("a ConfigDrive",                      Box::new(on("fixed", json!({"type": "configDrive"}))), here(json!({})), None),
    ];
    every_row(cases, |(name, change, networks, want)| assert_eq!(data(change, &networks).as_deref(), want, "{name}"));
}

#[test]
fn c24_x36_a_vm_gets_its_address_with_its_first_start_and_keeps_its_data_while_that_is_missing() {
    let change = on("fixed", Value::Null);
    let own_data = on("fixed", json!({"networkData": "version: 2"}));
    let pod = joining(json!([{"name": "eth0"}]));
    let here = || giving(json!([allotted(MAC, "10.20.0.7")]));
    let none = || giving(json!([]));
    let on_record = |record| Networks { record, ..networks() };
    let new = || Observed { claims: claims("Bound"), ..seen() };
    let up = |network_data: bool| Observed { vm: vm("Running").map(|vm| Vm { network_data, ..vm }), ..running() };
    let nad = "create Attachment vlan2102";
    #[rustfmt::skip]
    let cases: Vec<Planned<'_>> = vec![
        ("it is there",                        &change,   here(), new(),            vec![nad, "create Vm vm-web"]),
        ("it is waited for",                   &change,   none(), new(),            vec!["change record", nad, "refuse NetworkPending"]),
        ("before there is a record, too",      &change,   on_record(Record::Absent), new(), vec!["create record", nad, "refuse NetworkPending"]),
        ("not where records are not kept",     &change,   on_record(Record::Unknown), new(), vec![nad, "create Vm vm-web"]),
        ("not with network data of its own",   &own_data, none(), new(),            vec!["change record", nad, "create Vm vm-web"]),
        ("nor on other networks",              &pod,      none(), new(),            vec!["create Vm vm-web", "change record"]),
        ("what a guest has it keeps",          &change,   none(), up(true),         vec!["change record", nad, "refuse NetworkPending"]),
        ("also while nothing is known",        &change,   on_record(Record::Unknown), up(true), vec![nad, "refuse NetworkPending"]),
        ("one without waits for nothing",      &change,   none(), up(false),        vec!["change record", nad, "update Vm vm-web"]),
    ];
    every_row(cases, |(name, change, networks, seen, want)| {
        let mut networks = networks;
        // The record of these tests says nothing of the interfaces, where it need not be changed.
        if want[0] == nad
            && let Record::Own(own) = &mut networks.record
        {
            let interfaces = json!({"spec": {"networkNamespaceName": "fixed", "networkInterfaces": [{"name": "eth0", "macAddress": MAC, "vlan": "2102"}]}});
            let whole = model::machine::configuration::Configuration::read(&Default::default(), &interfaces);
            (own.interfaces, own.namespace) = (whole.interfaces, whole.namespace);
        }
        let seen = with_data(&change, networks, seen);
        assert_eq!(brief(&plan(&intent(change), &seen)), want, "{name}");
    });
    let waits = with_data(&change, none(), new());
    let failure = plan(&intent(&change), &waits).refused.expect("it waits");
    let says = "NetworkNamespace \"fixed\" gives out static addresses, and NetworkConfiguration shop/web has none for interface \"eth0\" yet: wait for the operator that gives them out, or write network data of your own into spec.cloudInit";
    assert_eq!(failure.message, says);
    let shown = status(&MachineStatus::default(), &intent(&change), &waits, Some(&failure), now(1));
    assert_eq!(
        ["Ready", "NetworkReady"].map(|kind| condition(&shown, kind)),
        ["False/NetworkPending", "False/NetworkPending"].map(str::to_owned)
    );
}

#[test]
fn c53_an_address_that_the_guest_is_not_told_is_said() {
    let here = || giving(json!([allotted(MAC, "10.20.0.7")]));
    let outside = giving(json!([allotted(MAC, "10.21.0.7")]));
    let lan = joining(json!([{"name": "eth0", "networkName": "frontend"}]));
    let static_on_lan = giving(
        json!([{"name": "eth0", "ipv4Addresses": ["10.20.0.7"], "ipv4Subnet": "10.20.0.0/24", "allocationMethod": "static"}]),
    );
    let not = |why: &str| {
        format!(
            "; the address 10.20.0.7 that NetworkConfiguration shop/web gives interface \"eth0\" is not handed to the guest: {why}"
        )
    };
    let own = on("fixed", json!({"networkDataSecretRef": {"name": "net"}}));
    let drive = on("fixed", json!({"type": "configDrive"}));
    let plain = on("fixed", Value::Null);
    #[rustfmt::skip]
    let cases: Vec<Said<'_>> = vec![
        ("handed",           &plain, here(), String::new()),
        ("own network data", &own,   here(), not("spec.cloudInit has network data of its own")),
        ("a ConfigDrive",    &drive, here(), not("a ConfigDrive has another form of network data: set spec.cloudInit.type to noCloud, or write it there yourself")),
        ("no MAC address",   &lan,   static_on_lan, not("network data names interfaces by MAC address: give interface \"eth0\" a macAddress")),
        ("in no subnet",     &plain, outside, not("neither NetworkConfiguration shop/web nor its NetworkNamespace names a subnet with 10.21.0.7").replace("10.20.0.7", "10.21.0.7")),
    ];
    every_row(cases, |(name, change, networks, more)| {
        let mut seen = with_data(&change, networks, running());
        let nic = Nic { name: Some("eth0".to_owned()), ..Nic::default() };
        seen.vmi = seen.vmi.map(|vmi| Vmi { interfaces: vec![nic], ..vmi });
        let shown = status(&MachineStatus::default(), &intent(change), &seen, None, now(1));
        let said = shown.conditions.iter().find(|it| it.type_ == "NetworkReady").map(|it| it.message.clone());
        assert_eq!(said, Some(format!("the instance has its interfaces{more}")), "{name}");
    });
}

#[test]
fn x75_the_setting_says_whose_word_counts_about_addresses() {
    let nic = |name: &str, ips: &[&str]| Nic {
        name: Some(name.to_owned()),
        ips: ips.iter().map(|ip| (*ip).to_owned()).collect(),
        ..Nic::default()
    };
    let interfaces = vec![nic("eth0", &["10.0.0.5", "fd00::5"]), nic("eth1", &[]), nic("eth2", &["10.0.0.6"])];
    let recorded =
        json!([{"name": "eth0", "ipv4Addresses": ["10.20.0.7"]}, {"name": "eth1", "ipv4Addresses": ["8.8.4.4"]}]);
    #[rustfmt::skip]
    let cases = [
        ("vmi",                  IpSource::Vmi,                  vec!["10.0.0.5", "8.8.4.4", "10.0.0.6", "fd00::5"]),
        ("networkconfiguration", IpSource::NetworkConfiguration, vec!["10.20.0.7", "8.8.4.4", "10.0.0.6"]),
    ];
    every_row(cases, |(word, ip_source, want)| {
        assert_eq!(IpSource::of(word), ip_source);
        let mut seen = Observed { networks: Networks { ip_source, ..giving(recorded.clone()) }, ..running() };
        seen.vmi = seen.vmi.map(|vmi| Vmi { interfaces: interfaces.clone(), ..vmi });
        let shown = status(&MachineStatus::default(), &intent(|_| ()), &seen, None, now(1));
        assert_eq!(shown.ip_addresses, want, "{word}");
        assert_eq!(shown.public_ip_addresses, ["8.8.4.4"], "{word}");
        let stopped = Observed { vm: vm("Stopped"), ..seen };
        let shown = status(&MachineStatus::default(), &intent(|_| ()), &stopped, None, now(1));
        assert_eq!(shown.ip_addresses, [""; 0], "{word}: of a VM that does not run nobody can reach any");
    });
}

#[test]
fn c24_x70_so_much_that_no_vm_takes_it_goes_into_the_secret() {
    let interfaces: Vec<Value> = (0..16)
        .map(|at| json!({"name": format!("eth{at}"), "networkName": "fixed", "macAddress": format!("52:54:00:00:00:{at:02x}")}))
        .collect();
    let many: Vec<Value> =
        (0..16).map(|at| allotted(&format!("52:54:00:00:00:{at:02x}"), &format!("10.20.0.{}", at + 10))).collect();
    let change = joining(json!(interfaces));
    let seen = with_data(&change, giving(json!(many)), Observed { claims: claims("Bound"), ..seen() });
    let plan = plan(&intent(&change), &seen);
    let carried = plan.writes.iter().any(|write| matches!(write, Write::There(There::Carry(_))));
    assert!(carried, "{:?}", brief(&plan));
    let going = Intent::of(
        &machine(|machine| {
            change(machine);
            leaving(machine);
        }),
        "vm-",
        None,
        &Shown::new(),
    );
    let Intent::Leave(going) = going else { panic!("{going:?}") };
    assert!(going.may_have_secret, "it is looked for when the Machine goes");
}
