//! The interfaces of a Machine's VM: what they are attached to, which networks are made for them, and why one cannot be had.

use model::machine::configuration::{Configuration, NetworkNamespace};
use model::machine::networks::{Attachment, Attachments, Named, Networks, Record};
use model::names::attachment_name;

use super::*;

type Change = Box<dyn Fn(&mut Value)>;

pub(crate) fn configuration(spec: &Value) -> Configuration {
    Configuration::read(&serde_json::from_value(json!({"uid": "nc-1"})).expect("metadata"), &json!({"spec": spec}))
}

pub(crate) fn namespace(allocation: &Value, status: &Value) -> NetworkNamespace {
    let spec = json!({"datacenterIdentifier": "no-1", "supervisorIdentifier": "sup_1", "ipAllocation": allocation});
    NetworkNamespace::read(&json!({"spec": spec, "status": status}))
}

fn fixed(vlan: &Value) -> Value {
    let range =
        json!({"ipv4CIDR": "10.20.0.0/24", "ipv4Gateway": "10.20.0.1", "dns": ["10.20.0.2", "bad"], "vlanId": vlan});
    json!({"type": "static", "provider": "static-ip", "static": range})
}

/// Networks of every kind, and a cluster with Multus that has none yet.
pub(crate) fn networks() -> Networks {
    let shared = |spec: Value| Named { configuration: Some(configuration(&spec)), namespace: None };
    let own = |allocation: Value, status: Value| Named {
        configuration: None,
        namespace: Some(namespace(&allocation, &status)),
    };
    let record = Configuration { is_record: true, ..configuration(&json!({"vlan": 9})) };
    let both = Named { configuration: Some(record), ..own(json!({"type": "dhcp"}), json!({"vlanId": 30})) };
    #[rustfmt::skip]
    let named = [
        ("frontend",  shared(json!({"vlan": 100}))),
        ("backend",   shared(json!({"vlan": 5, "bridge": "br1"}))),
        ("flat",      shared(json!({"vlan": 0, "bridge": "br2"}))),
        ("plain",     shared(json!({}))),
        ("too-high",  shared(json!({"vlan": 4095}))),
        ("odd",       shared(json!({"bridge": "br1; reboot"}))),
        ("dhcp",      own(json!({"type": "dhcp"}), json!({"vlanId": 2101, "phase": "Ready"}))),
        ("pod-like",  own(json!({"type": "dhcp"}), json!({"phase": "Ready"}))),
        ("new",       own(json!({"type": "dhcp"}), json!({}))),
        ("fixed",     own(fixed(&json!(2102)), json!({}))),
        ("untagged",  own(fixed(&json!(null)), json!({"vlanId": 0}))),
        ("both",      both),
    ];
    let named = named.into_iter().map(|(name, it)| (name.to_owned(), it)).collect();
    let attachments = Attachments::Listed(BTreeMap::new());
    Networks { named, attachments, record: Record::Unknown, ..Networks::default() }
}

pub(crate) fn joining(spec: Value) -> impl Fn(&mut Value) {
    move |machine| machine["spec"]["networks"] = spec.clone()
}

/// What is made: the interfaces, each with what it is attached to, and the NetworkAttachmentDefinitions with bridge and VLAN. Or
/// why nothing is.
fn made(change: impl Fn(&mut Value), networks: Networks) -> Vec<String> {
    let plan = plan(&intent(change), &Observed { networks, claims: claims("Bound"), ..seen() });
    let mut made = Vec::new();
    for write in &plan.writes {
        match write {
            Write::There(There::Create(Kind::Attachment, name, object)) => {
                assert_eq!(object["metadata"]["namespace"], "shop");
                let config: Value =
                    serde_json::from_str(object["spec"]["config"].as_str().expect("text")).expect("JSON");
                let plugin = &config["plugins"][0];
                assert_eq!((&plugin["type"], &config["name"]), (&json!("bridge"), &json!(name)));
                made.push(format!("{name}: {} {}", plugin["bridge"].as_str().unwrap_or_default(), plugin["vlan"]));
            }
            Write::There(There::Create(Kind::Vm, _, object)) => {
                let guest = &object["spec"]["template"]["spec"];
                let nics = guest["domain"]["devices"]["interfaces"].as_array().expect("interfaces");
                let attached = guest["networks"].as_array().expect("networks");
                assert_eq!(nics.len(), attached.len());
                for (nic, network) in nics.iter().zip(attached) {
                    assert_eq!(nic["name"], network["name"]);
                    let binding = if network["pod"].is_object() { "masquerade" } else { "bridge" };
                    assert!(nic[binding].is_object(), "{nic}");
                    let to = network["multus"]["networkName"].as_str().unwrap_or("pod");
                    let mac = nic["macAddress"].as_str().map(|mac| format!(" {mac}")).unwrap_or_default();
                    made.push(format!(
                        "{} {} > {to}{mac}",
                        nic["name"].as_str().expect("a name"),
                        nic["model"].as_str().expect("a model")
                    ));
                }
            }
            _ => {}
        }
    }
    made.extend(plan.refused.map(|failure| format!("{}: {}", failure.reason.code(), failure.message)));
    made
}

#[test]
fn c6_c23_x36_x37_x64_x65_kvo13_each_interface_is_attached_to_its_network_in_the_order_of_the_spec() {
    let one = |network: &str| joining(json!([{"name": "eth0", "networkName": network}]));
    let several = json!([
        {"name": "eth1", "networkName": "backend", "model": "e1000", "macAddress": "52:54:00:aa:bb:01"},
        {"name": "eth0"}, {"name": "eth2", "networkName": "frontend", "model": ""}, {"name": "again", "networkName": "frontend"},
    ]);
    let published = |name: &'static str| {
        move |machine: &mut Value| machine["spec"]["network"] = json!({"networkNamespaceName": name})
    };
    let beside = |machine: &mut Value| {
        joining(json!([{"name": "eth0"}]))(machine);
        machine["spec"]["network"] = json!({"networkNamespaceName": "gone"});
    };
    #[rustfmt::skip]
    let cases: Vec<(&str, Change, Vec<&str>)> = vec![
        ("X64: none given",                         Box::new(|_| ()),                    vec!["default virtio > pod"]),
        ("C6 X37: several, in their order",         Box::new(joining(several)),          vec!["br1-vlan5: br1 5", "vlan100: br0 100",
            "eth1 e1000 > br1-vlan5 52:54:00:aa:bb:01", "eth0 virtio > pod", "eth2 virtio > vlan100", "again virtio > vlan100"]),
        ("C23: a VLAN on the default bridge",       Box::new(one("frontend")),           vec!["vlan100: br0 100", "eth0 virtio > vlan100"]),
        ("X65: 0 is untagged",                      Box::new(one("flat")),               vec!["br2: br2 null", "eth0 virtio > br2"]),
        ("X65: nothing said is untagged",           Box::new(one("plain")),              vec!["br0: br0 null", "eth0 virtio > br0"]),
        ("X36: the VLAN of a NetworkNamespace",     Box::new(one("dhcp")),               vec!["vlan2101: br0 2101", "eth0 virtio > vlan2101 be:11:ea:59:c1:1f"]),
        ("X36: a record is no network",             Box::new(one("both")),               vec!["vlan30: br0 30", "eth0 virtio > vlan30 be:11:ea:59:c1:1f"]),
        ("KVO13: the VLAN of the range",            Box::new(one("fixed")),              vec!["vlan2102: br0 2102", "eth0 virtio > vlan2102 be:11:ea:59:c1:1f"]),
        ("KVO13: an untagged range is no vlan0",    Box::new(one("untagged")),           vec!["br0: br0 null", "eth0 virtio > br0 be:11:ea:59:c1:1f"]),
        ("DHCP without a VLAN",                     Box::new(one("pod-like")),           vec!["eth0 virtio > pod"]),
        ("the published field",                     Box::new(published("dhcp")),         vec!["vlan2101: br0 2101", "vlan2101 virtio > vlan2101 ae:43:af:e5:23:fe"]),
        ("the published field, without a VLAN",     Box::new(published("pod-like")),     vec!["default virtio > pod"]),
        ("the published field, beside a list",      Box::new(beside),                    vec!["eth0 virtio > pod"]),
        ("an empty name is the pod network",        Box::new(one("")),                   vec!["eth0 virtio > pod"]),
    ];
    every_row(cases, |(name, change, want)| assert_eq!(made(change, networks()), want, "{name}"));
}

#[test]
fn c53_d8_a_network_that_cannot_be_joined_is_said_with_what_to_do() {
    let one = |network: &str| joining(json!([{"name": "eth0", "networkName": network}]));
    let published = |machine: &mut Value| machine["spec"]["network"] = json!({"networkNamespaceName": "frontend"});
    let two = joining(json!([{"name": "a"}, {"name": "b", "networkName": "pod-like"}]));
    let without = |attachments: Attachments| Networks { attachments, ..networks() };
    let silent = Networks { unlisted: Some("it is forbidden".to_owned()), ..networks() };
    let unseen = || Attachments::Unknown("the credentials lack a right there".to_owned());
    #[rustfmt::skip]
    let cases: Vec<(&str, Change, Networks, &str)> = vec![
        ("missing",         Box::new(one("gone")), networks(), "NetworkFailed: spec.networks: interface \"eth0\" joins \"gone\", and there is no NetworkConfiguration or NetworkNamespace of that name in namespace shop: create it"),
        ("not known",       Box::new(one("gone")), silent,     "NetworkFailed: spec.networks: interface \"eth0\" joins \"gone\", and whether there is such a NetworkConfiguration or NetworkNamespace is not known: it is forbidden"),
        ("of another kind", Box::new(published),   networks(), "NetworkFailed: spec.network joins \"frontend\", and there is no NetworkNamespace of that name in namespace shop: create it"),
        ("not ready",       Box::new(one("new")),  networks(), "NetworkPending: NetworkNamespace \"new\" has no status yet, so its VLAN is not known: wait for the operator that fills it in, or correct that"),
        ("X65: too high",   Box::new(one("too-high")), networks(), "NetworkFailed: NetworkConfiguration \"too-high\" says VLAN 4095, which is not 0 to 4094: correct it"),
        ("X65: no bridge",  Box::new(one("odd")),  networks(), "NetworkFailed: NetworkConfiguration \"odd\" says bridge \"br1; reboot\", which is no name of one: correct it"),
        ("two on the pod network", Box::new(two),  networks(), "NetworkFailed: spec.networks: KubeVirt puts one interface on the pod network, and \"a\" and \"b\" (NetworkNamespace \"pod-like\" has no VLAN) would both be: take one out"),
        ("D8: no Multus",   Box::new(one("frontend")), without(Attachments::NotInstalled), "NetworkFailed: interface \"eth0\" needs the NetworkAttachmentDefinition \"vlan100\", and cluster \"east\" has no Multus: install Multus there (https://github.com/k8snetworkplumbingwg/multus-cni), or take the interface out of the spec"),
        ("D8: unknown is not absent", Box::new(one("frontend")), without(unseen()), "NetworkFailed: interface \"eth0\" needs the NetworkAttachmentDefinition \"vlan100\", and whether cluster \"east\" has Multus is not known: the credentials lack a right there"),
    ];
    every_row(cases, |(name, change, networks, want)| {
        let intent = intent(&change);
        assert_eq!(made(&change, networks.clone()), [want], "{name}");
        let seen = Observed { networks, ..running() };
        let (reason, why) = want.split_once(": ").expect("reason and sentence");
        let shown = status(&MachineStatus::default(), &intent, &seen, None, now(1));
        assert_eq!(condition(&shown, "NetworkReady"), format!("False/{reason}"), "{name}: C53");
        let said = shown.conditions.iter().find(|it| it.type_ == "NetworkReady").map(|it| it.message.as_str());
        assert_eq!(said, Some(why), "{name}: C53");
        assert_eq!(condition(&shown, "Ready"), "True/Running", "{name}: a VM that runs goes on");
    });
    assert_eq!(
        made(|_| (), without(Attachments::NotInstalled)),
        ["default virtio > pod"],
        "D8: nobody else needs Multus"
    );
}

#[test]
fn x65_kvo13_names_of_networks_tell_bridges_and_vlans_apart() {
    #[rustfmt::skip]
    let cases = [
        (None,               2101, "vlan2101"),
        (None,               0,    "br0"),
        (Some("br0"),        5,    "br0-vlan5"),
        (Some("br1"),        5,    "br1-vlan5"),
        (Some("br1"),        0,    "br1"),
        (Some("vlan5"),      0,    "vlan5-cf08508b"),
        (Some("br1-vlan5"),  0,    "br1-vlan5-91594ee9"),
        (Some("Br_0.5"),     5,    "br-0-5-d752b8ad-vlan5"),
        (Some("vlans"),      0,    "vlans"),
        (Some("---"),        0,    "cb3f91d5"),
    ];
    every_row(cases, |(bridge, vlan, want)| {
        assert_eq!(attachment_name(bridge, vlan, "br0"), want, "{bridge:?} {vlan}");
    });
    assert_eq!(attachment_name(None, 0, "br7"), "br7");
}

#[test]
fn kvo12_x17_a_network_goes_with_its_last_vm_and_only_if_we_made_it() {
    let attachment = |ours: bool, in_use: bool| Attachment { uid: "nad-1".to_owned(), ours, in_use };
    let listed = |attachment| Attachments::Listed(BTreeMap::from([("vlan100".to_owned(), attachment)]));
    let gone = Observed { vm: None, vmi: None, ..running() };
    let released = Observed { claims: BTreeMap::new(), ..gone.clone() };
    let using = |mut seen: Observed| {
        seen.vm = seen.vm.map(|vm| Vm { attachments: vec!["vlan100".to_owned()], ..vm });
        seen
    };
    #[rustfmt::skip]
    let cases = [
        ("the VM is there",           intent(leaving),          running(),        attachment(true, false),  vec!["delete Vm vm-web v-1"]),
        ("its disks come first",      intent(leaving),          gone,             attachment(true, false),  vec!["delete Claim web-data uid-web-data", "delete Claim web-root uid-web-root"]),
        ("then what nobody uses",     intent(leaving),          released.clone(), attachment(true, false),  vec!["delete Attachment vlan100 nad-1", "release"]),
        ("not what another VM uses",  intent(leaving),          released.clone(), attachment(true, true),   vec!["release"]),
        ("nor what we did not make",  intent(leaving),          released.clone(), attachment(false, false), vec!["release"]),
        ("Retain keeps disks only",   intent(policy("Retain")), released,         attachment(true, false),  vec!["delete Attachment vlan100 nad-1", "release"]),
        ("Orphan lets it go",         intent(policy("Orphan")), using(running()), attachment(true, false),  vec!["merge Attachment vlan100", "merge Vm vm-web", "merge Claim web-data", "merge Claim web-root"]),
    ];
    every_row(cases, |(name, intent, seen, attachment, want)| {
        let networks = Networks { attachments: listed(attachment), ..networks() };
        assert_eq!(brief(&plan(&intent, &Observed { networks, ..seen })), want, "{name}");
    });
    let change = joining(json!([{"name": "eth0", "networkName": "frontend"}]));
    let theirs = Networks { attachments: listed(attachment(false, false)), ..networks() };
    assert_eq!(made(change, theirs), ["eth0 virtio > vlan100"], "an admin's own is used as it is");
}

#[test]
fn c53_the_condition_says_whether_the_instance_has_its_interfaces() {
    let two = intent(joining(json!([{"name": "default"}, {"name": "eth1", "networkName": "frontend"}])));
    let nic = |name: &str, ips: &[&str]| Nic {
        name: Some(name.to_owned()),
        ips: ips.iter().map(|ip| (*ip).to_owned()).collect(),
        ..Nic::default()
    };
    #[rustfmt::skip]
    let cases = [
        ("both",                               vec![nic("default", &["10.0.0.5"]), nic("eth1", &[])], "True/NetworkConfigured"),
        ("the second is missing",              vec![nic("default", &["10.0.0.5"])],                    "False/NetworkPending"),
        ("the pod network gives an address",   vec![nic("default", &[]), nic("eth1", &["10.1.0.5"])],  "False/NetworkPending"),
        ("none",                               vec![],                                                 "False/NetworkPending"),
    ];
    every_row(cases, |(name, interfaces, want)| {
        let mut seen = Observed { networks: networks(), ..running() };
        seen.vmi = seen.vmi.map(|vmi| Vmi { interfaces, ..vmi });
        let shown = status(&MachineStatus::default(), &two, &seen, None, now(1));
        assert_eq!(condition(&shown, "NetworkReady"), want, "{name}");
    });
}
