//! The story of `north`, which has KubeVirt by itself, older operators, and nodes with hardware.

use serde_json::{Value, json};
use tests::platform_crds::Definition;

use super::objects::{DESCHEDULER, FORKLIFT, KUBELET, KUBEVIRT, Object, PASSTHROUGH};
use super::site::Site;
use super::{older, requests, shared};

const OWN: Object = Object(KUBELET.0, KUBELET.1, "", "tuned-by-hand");
const ALL: [Definition; 7] = [
    Definition::ForkliftController,
    Definition::OldKubeDescheduler,
    Definition::OldUiPlugin,
    Definition::Aaq,
    Definition::MachineConfig,
    Definition::KubeletConfig,
    Definition::MachineConfigPool,
];

#[tokio::test]
async fn d8_p7_p8_p14_p17_x89_x90_a_plain_kubevirt_gets_what_its_nodes_have_a_use_for() {
    let site = Site::of(shared().await, "north").await;
    site.install(&ALL).await;
    site.prepare(&[FORKLIFT, DESCHEDULER]).await;
    let gates = json!({"developerConfiguration": {"featureGates": ["CPUManager", "GPU"]}});
    site.edit(KUBEVIRT, &json!({"spec": {"configuration": gates}})).await;
    site.create(OWN, &json!({"spec": {"kubeletConfig": {"maxPods": 250}}})).await;
    for (word, text) in
        [("enable-loadaware", "true"), ("reserved-system-cpus", "0-1"), ("enable-pci-passthrough", "true")]
    {
        site.annotate(word, Some(text)).await;
    }
    site.ask(&json!({"mode": "Enforce", "nodeDisruption": "Allow"})).await;

    gates_of_others_stay(&site).await;
    one_kubelet_config_of_all_parts_yields(&site).await;
    only_devices_that_guests_may_have_count(&site).await;
    usb_devices_open_a_gate_beside_the_others(&site).await;
    older::what_an_older_kind_lacks_is_left_out(&site).await;
    older::a_kind_may_be_too_old(&site).await;
    older::quotas_have_an_object_of_their_own(&site).await;
    site.nothing_was_forbidden();
    let unused = site.unused().await;
    let left: Vec<_> = requests::OF_A_PLAIN_KUBEVIRT.iter().filter(|right| unused.contains(**right)).collect();
    assert!(left.is_empty(), "X94: no right is there for nothing: {left:?}");
    site.ask(&json!({"mode": "Off"})).await;
}

fn gates(kubevirt: &Value) -> &Value {
    &kubevirt["spec"]["configuration"]["developerConfiguration"]["featureGates"]
}

async fn gates_of_others_stay(site: &Site<'_>) {
    site.state("kubevirt-golden-config", "Applied").await;
    let kubevirt = site.get(KUBEVIRT).await;
    let wanted = json!({
        "allowAutoConverge": false, "allowPostCopy": false, "completionTimeoutPerGiB": 150,
        "parallelMigrationsPerCluster": 5, "parallelOutboundMigrationsPerNode": 2, "progressTimeout": 150,
    });
    assert_eq!(kubevirt["spec"]["configuration"]["migrations"], wanted, "X89");
    assert_eq!(gates(&kubevirt), &json!(["CPUManager", "GPU"]));
}

async fn one_kubelet_config_of_all_parts_yields(site: &Site<'_>) {
    let parts =
        [("kubelet-perf-settings", "Foreign"), ("kubelet-cpu-manager", "Foreign"), ("kubelet-numa", "ConditionNotMet")];
    site.states(&parts).await;
    assert_eq!(site.get(KUBELET).await, Value::Null, "P14");
    site.delete(OWN).await;
    site.states(&[("kubelet-perf-settings", "Applied"), ("kubelet-cpu-manager", "Applied")]).await;
    let spec = site.get(KUBELET).await["spec"].clone();
    let wanted = json!({
        "cpuManagerPolicy": "static", "maxPods": 500, "nodeStatusMaxImages": -1, "reservedSystemCPUs": "0-1",
    });
    assert_eq!((&spec["kubeletConfig"], &spec["autoSizingReserved"]), (&wanted, &json!(true)), "P7, P14");
    let label = "feature.node.kubernetes.io/memory-numa";
    site.node("node-3", &json!({"metadata": {"labels": {label: "true"}}})).await;
    site.state("kubelet-numa", "Applied").await;
    let spec = site.get(KUBELET).await["spec"]["kubeletConfig"].clone();
    assert_eq!((&spec["topologyManagerPolicy"], &spec["maxPods"]), (&json!("best-effort"), &json!(500)), "P14");
}

async fn only_devices_that_guests_may_have_count(site: &Site<'_>) {
    let devices = json!({"devices.kubevirt.io/kvm": "1k"});
    site.node("node-1", &json!({"status": {"allocatable": devices, "capacity": devices}})).await;
    site.goes_on("feature_validation").await;
    site.state("pci-passthrough", "ConditionNotMet").await;
    assert_eq!(site.get(PASSTHROUGH).await, Value::Null, "P8");
    let label = "feature.node.kubernetes.io/pci-0302_10de.present";
    site.node("node-1", &json!({"metadata": {"labels": {label: "true"}}})).await;
    site.state("pci-passthrough", "Applied").await;
    assert_ne!(site.get(PASSTHROUGH).await, Value::Null, "P8");
}

async fn usb_devices_open_a_gate_beside_the_others(site: &Site<'_>) {
    let label = "feature.node.kubernetes.io/usb-ff_0bda_8153.present";
    site.node("node-2", &json!({"metadata": {"labels": {label: "true"}}})).await;
    site.goes_on("feature_volume_populator").await;
    assert_eq!(gates(&site.get(KUBEVIRT).await).as_array().map(Vec::len), Some(2));
    site.annotate("enable-usb", Some("true")).await;
    let open = |it: &Value| gates(it).as_array().is_some_and(|all| all.contains(&json!("HostDevices")));
    let kubevirt = site.becomes(KUBEVIRT, "open for devices", open).await;
    let mut all: Vec<&str> = gates(&kubevirt).as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    all.sort_unstable();
    assert_eq!(all, ["CPUManager", "GPU", "HostDevices"], "the list is atomic, and nobody's gate is closed");
}
