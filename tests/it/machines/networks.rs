//! Networks that Machines join, and the records of their interfaces, on real API servers.

use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tests::fleet::{self, Component};
use tests::install;
use tests::process::Stop;

use super::records::{SOME_DAY, allot, install_network_namespaces, join, on_supervisor};
use super::{Ground, LIMIT, condition, machine};
use crate::fleet::{shared, with};

/// NetworkAttachmentDefinitions of the namespace on a cluster.
async fn attachments(ground: &Ground<'_>, cluster: &str) -> Api<DynamicObject> {
    let client = ground.fleet.remote(cluster).expect(cluster).client().await.expect("a client");
    let kind = GroupVersionKind::gvk("k8s.cni.cncf.io", "v1", "NetworkAttachmentDefinition");
    let kind = kube::api::ApiResource::from_gvk_with_plural(&kind, "network-attachment-definitions");
    Api::namespaced_with(client, &ground.namespace, &kind)
}

fn network(name: &str, spec: Value) -> Value {
    let mut network = json!({"apiVersion": "vitistack.io/v1alpha1", "kind": "NetworkConfiguration", "metadata": {"name": name}, "spec": spec});
    network["spec"]["name"] = json!(name);
    network
}

async fn gone(api: Api<DynamicObject>, name: &str) {
    let gone = tokio::time::timeout(LIMIT, await_condition(api, name, |it: Option<&DynamicObject>| it.is_none())).await;
    assert!(matches!(gone, Ok(Ok(_))), "{name} is still there: {gone:?}");
}

/// How often the controller wrote to NetworkAttachmentDefinitions of the namespace, by verb.
fn writes(ground: &Ground<'_>, cluster: &str) -> Vec<(String, String, u16)> {
    let audit = ground.fleet.remote(cluster).expect(cluster).audit();
    let user = fleet::user(fleet::REMOTE_CONTROLLER_ACCOUNT);
    let ours = audit.since(0).expect("an audit log").into_iter().filter(|it| it.is_answer() && it.user == user);
    let ours = ours.filter(|it| it.resource == "network-attachment-definitions" && it.namespace == ground.namespace);
    ours.map(|it| (it.verb, it.name, it.code)).collect()
}

#[tokio::test]
async fn kvo12_c6_c23_b5_b11_x17_x36_machines_share_a_network_and_an_admins_own_is_never_touched() {
    let ground = Ground::new(shared().await, "nets").await;
    ground.fleet.remote("west").expect("west").ensure_namespace("nets").await.expect("a namespace");
    ground.applied(&network("lan", json!({"vlan": 2101}))).await;
    ground.applied(&network("theirs", json!({"vlan": 2102, "bridge": "br7"}))).await;
    let nads = attachments(&ground, "west").await;
    let config = r#"{"cniVersion":"0.3.1","name":"mine","type":"bridge","bridge":"br7"}"#;
    let nad = json!({
        "apiVersion": "k8s.cni.cncf.io/v1", "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": "br7-vlan2102"}, "spec": {"config": config},
    });
    let nad: DynamicObject = serde_json::from_value(nad).expect("an object");
    let admins = nads.create(&PostParams::default(), &nad).await.expect("an admin's own");

    let mac = "52:54:00:aa:bb:01";
    let first = json!({"template": "small", "networks": [
        {"name": "default"}, {"name": "eth1", "networkName": "lan", "model": "e1000", "macAddress": mac},
    ]});
    join(&ground, &machine("first", Some("west"), &first)).await;
    let running = ground.running("first").await;
    assert_eq!(condition(&running, "NetworkReady"), "True/NetworkConfigured", "C53");
    let shown = &running.status.as_ref().expect("a status").network_interfaces;
    assert_eq!((shown.len(), shown[1].mac_address.as_deref()), (2, Some(mac)), "X75");
    let vms = ground.remote("west", "VirtualMachine", "kubevirt.io").await;
    let guest = vms.get("vm-first").await.expect("the VM").data["spec"]["template"]["spec"].clone();
    let interfaces = json!([
        {"name": "default", "model": "virtio", "masquerade": {}},
        {"name": "eth1", "model": "e1000", "macAddress": mac, "bridge": {}},
    ]);
    let networks = json!([{"name": "default", "pod": {}}, {"name": "eth1", "multus": {"networkName": "vlan2101"}}]);
    assert_eq!((&guest["domain"]["devices"]["interfaces"], &guest["networks"]), (&interfaces, &networks), "C6");
    let made = nads.get("vlan2101").await.expect("made");
    let config: Value = serde_json::from_str(made.data["spec"]["config"].as_str().expect("text")).expect("JSON");
    assert_eq!(config["plugins"], json!([{"type": "bridge", "bridge": "br0", "ipam": {}, "vlan": 2101}]), "C23");
    assert_eq!(made.labels()["vitistack.io/managed-by"], "kubevirt-operator");
    assert_eq!(made.labels().get("vitistack.io/machine-uid"), None, "it is no Machine's");
    let record = on_supervisor(&ground, "NetworkConfiguration").get("first").await.expect("B11: the record");
    let recorded = json!([{"name": "default"}, {"name": "eth1", "macAddress": mac, "vlan": "2101"}]);
    assert_eq!(record.data["spec"]["networkInterfaces"], recorded, "X36");
    assert_eq!(record.owner_references()[0].uid, running.uid().expect("a UID"));

    let second = json!({"template": "small", "networks": [
        {"name": "eth0", "networkName": "lan"}, {"name": "eth1", "networkName": "theirs"},
    ]});
    join(&ground, &machine("second", Some("west"), &second)).await;
    ground.running("second").await;
    let created = |name: &str| ("create".to_owned(), name.to_owned(), 201);
    assert_eq!(writes(&ground, "west"), [created("vlan2101")], "one request for both, and none for the admin's own");

    ground.delete("first").await;
    ground.gone("first").await;
    assert_eq!(nads.get("vlan2101").await.expect("in use").uid(), made.uid(), "KVO12");
    let records = on_supervisor(&ground, "NetworkConfiguration");
    assert!(records.get_opt("first").await.expect("an answer").is_none(), "X17: it goes before the finalizer");
    ground.delete("second").await;
    ground.gone("second").await;
    assert!(nads.get_opt("vlan2101").await.expect("an answer").is_none(), "X17: with its last VM");
    let after = nads.get("br7-vlan2102").await.expect("KVO12: the admin's own stays");
    assert_eq!((after.uid(), after.resource_version()), (admins.uid(), admins.resource_version()), "KVO12");
    assert_eq!(writes(&ground, "west"), [created("vlan2101"), ("delete".to_owned(), "vlan2101".to_owned(), 200)]);
}

#[tokio::test]
async fn kvo11_kvo13_c53_d8_x36_x59_networks_and_records_come_late_go_and_belong_to_others() {
    // Only what the watches tell is acted on in time.
    let fleet = with(&["north"], &[("RECONCILE_INTERVAL", "1h")]).await;
    let ground = Ground::new(&fleet, "late").await;
    a_record_that_is_somebody_elses(&ground).await;
    a_network_namespace(&ground).await;
    a_cluster_without_multus(&ground).await;
}

/// X59, KVO11: it was made while nobody looked.
async fn a_record_that_is_somebody_elses(ground: &Ground<'_>) {
    let records = on_supervisor(ground, "NetworkConfiguration");
    ground.fleet.stop(&Component::Controller, Stop::Gracefully).await.expect("stopped");
    for name in ["waits", "goes"] {
        ground.applied(&machine(name, Some("north"), &json!({"template": "small"}))).await;
        ground.applied(&network(name, json!({}))).await;
    }
    ground.fleet.start(&Component::Controller).await.expect("started");
    for name in ["waits", "goes"] {
        let conflict = ground.until(name, "in conflict", |it| condition(it, "Ready") == "False/Conflict").await;
        let message = conflict.status.and_then(|status| status.message).expect("a message");
        let says = format!("NetworkConfiguration late/{name} exists and is not this Machine's");
        assert!(message.contains(&says), "X59: {message}");
        assert_eq!(ground.remains("north", name).await, Vec::<String>::new());
    }
    let theirs = records.get("goes").await.expect("theirs");
    ground.delete("goes").await;
    ground.gone("goes").await;
    let after = records.get("goes").await.expect("KVO11: it stays, and holds no Machine");
    assert_eq!((after.uid(), after.resource_version()), (theirs.uid(), theirs.resource_version()));
    records.delete("waits", &DeleteParams::default()).await.expect("deleted");
    ground.running("waits").await;
    let own = records.get("waits").await.expect("B11");
    assert_eq!(own.labels()["vitistack.io/machine"], "waits");
    // One that somebody deletes comes back.
    records.delete("waits", &DeleteParams::default()).await.expect("deleted");
    let anew =
        await_condition(records, "waits", |it: Option<&DynamicObject>| it.is_some_and(|it| it.uid() != own.uid()));
    assert!(matches!(tokio::time::timeout(LIMIT, anew).await, Ok(Ok(_))));
}

async fn a_network_namespace(ground: &Ground<'_>) {
    install_network_namespaces(ground).await;
    let namespaces = on_supervisor(ground, "NetworkNamespace");
    let range = json!({"ipv4CIDR": "10.20.0.0/24", "ipv4Gateway": "10.20.0.1", "vlanId": 2103});
    let own = json!({
        "apiVersion": "vitistack.io/v1alpha1", "kind": "NetworkNamespace", "metadata": {"name": "tenant"},
        "spec": {"datacenterIdentifier": "no-1", "supervisorIdentifier": "sup-1", "ipAllocation": {"type": "static", "static": range}},
    });
    ground.applied(&own).await;
    let spec = json!({"template": "small", "network": {"networkNamespaceName": "tenant"}});
    join(ground, &machine("member", Some("north"), &spec)).await;
    allot(ground, "member", "2103", "10.20.0.7", SOME_DAY).await;
    ground.running("member").await;
    let vms = ground.remote("north", "VirtualMachine", "kubevirt.io").await;
    let guest = async || vms.get("vm-member").await.expect("the VM").data["spec"]["template"]["spec"].clone();
    let before = guest().await;
    assert_eq!(before["networks"], json!([{"name": "vlan2103", "multus": {"networkName": "vlan2103"}}]), "KVO13");
    let records = on_supervisor(ground, "NetworkConfiguration");
    let record = records.get("member").await.expect("the record").data["spec"].clone();
    let mac = &before["domain"]["devices"]["interfaces"][0]["macAddress"];
    assert!(mac.is_string(), "{before}");
    assert_eq!(record["networkInterfaces"], json!([{"name": "vlan2103", "macAddress": mac, "vlan": "2103"}]), "X36");
    assert_eq!((&record["networkNamespaceName"], &record["datacenterIdentifier"]), (&json!("tenant"), &json!("no-1")));

    namespaces.delete("tenant", &DeleteParams::default()).await.expect("deleted");
    let lost = ground
        .until("member", "without its network", |it| condition(it, "NetworkReady") == "False/NetworkFailed")
        .await;
    assert_eq!(condition(&lost, "Ready"), "True/Running", "C53: what runs goes on");
    assert_eq!(guest().await, before);
    ground.applied(&own).await;
    let back = |it: &model::api::Machine| condition(it, "NetworkReady") == "True/NetworkConfigured";
    ground.until("member", "on its network again", back).await;
    // The VLAN of the status comes first.
    let status = Patch::Merge(json!({"status": {"vlanId": 2104}}));
    namespaces.patch_status("tenant", &PatchParams::default(), &status).await.expect("patched");
    allot(ground, "member", "2104", "10.20.0.7", SOME_DAY).await;
    let moved = await_condition(vms.clone(), "vm-member", |vm: Option<&DynamicObject>| {
        vm.is_some_and(|vm| vm.data["spec"]["template"]["spec"]["networks"][0]["multus"]["networkName"] == "vlan2104")
    });
    assert!(matches!(tokio::time::timeout(LIMIT, moved).await, Ok(Ok(_))), "X36");
    ground.delete("member").await;
    ground.gone("member").await;
    gone(records, "member").await;
    let left = attachments(ground, "north").await.list(&kube::api::ListParams::default()).await.expect("a list");
    assert_eq!(left.items.len(), 0, "KVO12: those of both VLANs went with it");
}

/// D8: the kind is taken away, and comes back.
async fn a_cluster_without_multus(ground: &Ground<'_>) {
    let north = ground.fleet.remote("north").expect("north");
    let definition = "network-attachment-definitions.k8s.cni.cncf.io";
    install::kubectl(north, &["delete", "crd", definition], "").await.unwrap_or_else(|error| panic!("{error}"));
    ground.applied(&network("lan", json!({"vlan": 5}))).await;
    let spec = json!({"template": "small", "networks": [{"name": "eth0", "networkName": "lan"}]});
    join(ground, &machine("early", Some("north"), &spec)).await;
    let stuck =
        ground.until("early", "without Multus", |it| condition(it, "NetworkReady") == "False/NetworkFailed").await;
    let message = stuck.status.and_then(|status| status.message).expect("a message");
    assert!(message.contains("install Multus"), "D8: {message}");
    ground.running("waits").await;
    let manifests = tests::remote_crds::manifests().expect("manifests");
    install::apply(north, &manifests).await.unwrap_or_else(|error| panic!("{error}"));
    ground.running("early").await;
}
