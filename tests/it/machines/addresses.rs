//! Static addresses of a Machine's record on their way to the guest and to the Machine's status, on real API servers.

use kube::api::{DeleteParams, DynamicObject};
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tests::fleet;

use super::records::{SOME_DAY, allot, install_network_namespaces, join, on_supervisor};
use super::{Ground, LIMIT, condition, machine};
use crate::fleet::with;

const RENEWED: &str = "2031-01-01T00:00:00Z";

/// The volume with cloud-init data.
fn volume(vm: &DynamicObject) -> Value {
    let volumes = vm.data["spec"]["template"]["spec"]["volumes"].as_array().cloned().unwrap_or_default();
    volumes.into_iter().find(|volume| volume["name"] == "cloudinitdisk").unwrap_or_default()
}

/// The network data that tells the guest of `web` an address.
fn told(vm: &DynamicObject, address: &str) -> String {
    let macs = vm.data["spec"]["template"]["spec"]["domain"]["devices"]["interfaces"].as_array().expect("interfaces");
    let [first, second] = [0, 1].map(|at| macs[at]["macAddress"].as_str().expect("a MAC address"));
    format!(
        "version: 2\nethernets:\n  eth0:\n    match: {{macaddress: \"{first}\"}}\n    set-name: eth0\n    addresses: [\"{address}/24\"]\n    \
         routes: [{{to: \"0.0.0.0/0\", via: \"10.20.0.1\"}}]\n    nameservers: {{addresses: [\"10.20.0.2\"]}}\n  \
         eth1:\n    match: {{macaddress: \"{second}\"}}\n    set-name: eth1\n    dhcp4: true\n"
    )
}

async fn until_told(vms: &Api<DynamicObject>, address: &'static str) -> DynamicObject {
    let is_told = move |vm: &DynamicObject| {
        volume(vm)["cloudInitNoCloud"] == json!({"userData": "#cloud-config\n", "networkData": told(vm, address)})
    };
    let told = await_condition(vms.clone(), "vm-web", move |vm: Option<&DynamicObject>| vm.is_some_and(is_told));
    match tokio::time::timeout(LIMIT, told).await {
        Ok(Ok(Some(vm))) => vm,
        other => panic!("{address}: {other:?}: {:?}", vms.get("vm-web").await),
    }
}

#[tokio::test]
async fn c24_x36_x75_static_addresses_of_the_record_reach_guest_and_status() {
    // Only what the watches tell is acted on in time.
    let env = [("RECONCILE_INTERVAL", "1h"), ("IP_SOURCE", "networkconfiguration")];
    let fleet = with(&["north"], &env).await;
    let ground = Ground::new(&fleet, "static").await;
    install_network_namespaces(&ground).await;
    let range = json!({"ipv4CIDR": "10.20.0.0/24", "ipv4Gateway": "10.20.0.1", "dns": ["10.20.0.2"], "vlanId": 2103});
    let tenant = json!({
        "apiVersion": "vitistack.io/v1alpha1", "kind": "NetworkNamespace", "metadata": {"name": "tenant"},
        "spec": {"datacenterIdentifier": "no-1", "supervisorIdentifier": "sup-1", "ipAllocation": {"type": "static", "static": range}},
    });
    ground.applied(&tenant).await;
    let vms = ground.remote("north", "VirtualMachine", "kubevirt.io").await;
    let networks = json!([{"name": "lan", "networkName": "tenant"}, {"name": "pod"}]);
    let spec = json!({"template": "small", "networks": networks, "cloudInit": {"userData": "#cloud-config\n"}});
    join(&ground, &machine("web", Some("north"), &spec)).await;
    let waits =
        ground.until("web", "waiting for its address", |it| condition(it, "Ready") == "False/NetworkPending").await;
    let message = waits.status.and_then(|status| status.message).expect("a message");
    assert!(message.contains("has none for interface \"lan\" yet"), "{message}");
    assert!(vms.get_opt("vm-web").await.expect("an answer").is_none(), "cloud-init would not ask for it again");

    allot(&ground, "web", "2103", "10.20.0.7", SOME_DAY).await;
    let running = ground.running("web").await;
    until_told(&vms, "10.20.0.7").await;
    let status = running.status.as_ref().expect("a status");
    let of = |name: &str| status.network_interfaces.iter().find(|nic| nic.name.as_deref() == Some(name));
    assert_eq!(
        of("lan").map(|nic| nic.ip_addresses.as_slice()),
        Some(["10.20.0.7".to_owned()].as_slice()),
        "{status:?}"
    );
    assert!(of("pod").is_some_and(|nic| nic.ip_addresses.len() == 1), "the instance's own, where there is no other");

    another_address(&ground, &vms).await;
    a_record_that_is_lost(&ground, &vms).await;
    own_network_data(&ground, &networks).await;
    for name in ["web", "own"] {
        ground.delete(name).await;
        ground.gone(name).await;
    }
}

/// A renewal is nothing to the VM, and another address is one write, which waits for a restart.
async fn another_address(ground: &Ground<'_>, vms: &Api<DynamicObject>) {
    let north = ground.fleet.remote("north").expect("north");
    let before = north.audit().mark();
    allot(ground, "web", "2103", "10.20.0.7", RENEWED).await;
    allot(ground, "web", "2103", "10.20.0.8", RENEWED).await;
    until_told(vms, "10.20.0.8").await;
    let flagged = |it: &model::api::Machine| condition(it, "RestartRequired") == "True/RestartRequired";
    ground.until("web", "to be restarted", flagged).await;
    let user = fleet::user(fleet::REMOTE_CONTROLLER_ACCOUNT);
    let writes = north.audit().since(before).expect("an audit log").into_iter().filter(|it| it.user == user);
    let writes = writes.filter(|it| it.is_answer() && it.resource == "virtualmachines" && it.verb != "get");
    let writes: Vec<_> = writes.map(|it| format!("{} {} {}", it.verb, it.name, it.code)).collect();
    assert_eq!(writes[0], "patch vm-web 200", "{writes:?}");
    // The second one notes which field waits for the restart.
    assert!(writes.len() <= 2, "{writes:?}");
}

/// Somebody deletes the record: the guest keeps what it was told until there is an address again.
async fn a_record_that_is_lost(ground: &Ground<'_>, vms: &Api<DynamicObject>) {
    on_supervisor(ground, "NetworkConfiguration").delete("web", &DeleteParams::default()).await.expect("deleted");
    let lost = |it: &model::api::Machine| condition(it, "NetworkReady") == "False/NetworkPending";
    let lost = ground.until("web", "without its address", lost).await;
    assert_eq!(condition(&lost, "Ready"), "True/Running", "C53: what runs goes on");
    let kept = vms.get("vm-web").await.expect("the VM");
    assert_eq!(volume(&kept)["cloudInitNoCloud"]["networkData"], told(&kept, "10.20.0.8"));
    allot(ground, "web", "2103", "10.20.0.8", SOME_DAY).await;
    let back = |it: &model::api::Machine| condition(it, "NetworkReady") == "True/NetworkConfigured";
    ground.until("web", "with its address again", back).await;
    let after = vms.get("vm-web").await.expect("the VM");
    assert_eq!(after.metadata.generation, kept.metadata.generation, "nothing of it changed");
    assert_eq!(after.uid(), kept.uid());
}

/// It is waited for by nobody, counts, and the record's address is said to be unused.
async fn own_network_data(ground: &Ground<'_>, networks: &Value) {
    let own = "version: 2\nethernets: {}\n";
    let spec = json!({"template": "small", "networks": networks, "cloudInit": {"networkData": own}});
    join(ground, &machine("own", Some("north"), &spec)).await;
    ground.running("own").await;
    allot(ground, "own", "2103", "10.20.0.9", SOME_DAY).await;
    let says = |it: &model::api::Machine| {
        let conditions = it.status.iter().flat_map(|status| &status.conditions);
        let mut messages = conditions.filter(|it| it.type_ == "NetworkReady").map(|it| it.message.as_str());
        messages.any(|it| it.contains("10.20.0.9") && it.ends_with("spec.cloudInit has network data of its own"))
    };
    ground.until("own", "said to have an address of its own", says).await;
    let vm = ground.remote("north", "VirtualMachine", "kubevirt.io").await.get("vm-own").await.expect("the VM");
    assert_eq!(volume(&vm)["cloudInitNoCloud"], json!({"networkData": own}));
}
