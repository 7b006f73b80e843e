//! One Machine as admission leaves it, and what KubeVirt makes of its VM, with as many managedFields as such objects have. Pure.

use serde_json::{Map, Value, json};

/// Where they are.
pub(super) const NAMESPACE: &str = "team-shop-prod";
/// Before the word of a Machine in its name, and in the names of all that is made of it.
const PREFIX: &str = "web-";

/// The word of a Machine: in its name and in every UID of what is its, and nowhere else.
pub(super) fn word(at: usize) -> String {
    format!("a{at:05}")
}

/// The name of the Machine with a word.
pub(super) fn name(word: &str) -> String {
    format!("{PREFIX}{word}")
}

/// The word of the Machine that something is made of.
pub(super) fn word_of(name: &str) -> &str {
    let rest = name.split_once(PREFIX).map_or("", |(_, rest)| rest);
    rest.get(..6).unwrap_or(rest)
}

/// A cluster of the fleet.
pub(super) fn cluster(at: usize) -> String {
    format!("east-{at}")
}

/// A UID of the usual length.
pub(super) fn uid(kind: &str, word: &str) -> String {
    let drawn = kind.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    format!("{drawn:08x}-2fa1-4d3c-8e5b-000000{word:0>6}")
}

/// A Machine on a cluster.
pub(super) fn machine(word: &str, cluster: &str) -> Value {
    let name = name(word);
    let resolved = json!({"template": "small", "source": "built-in", "cores": 1, "threads": 1, "sockets": 1,
        "memory": "2Gi", "disks": [{"name": "root", "size": "20Gi", "storageClass": "fast-ssd", "accessMode": "ReadWriteOnce"}]});
    let spec = json!({"template": "small", "provider": "kubevirt", "os": {"family": "linux", "distribution": "ubuntu", "version": "24.04"},
        "tags": {"env": "prod", "team": "platform", "cost-center": "4711"}});
    let applied = json!({"apiVersion": "vitistack.io/v1alpha1", "kind": "Machine",
        "metadata": {"name": name, "namespace": NAMESPACE, "annotations": {}}, "spec": spec});
    json!({
        "apiVersion": "vitistack.io/v1alpha1", "kind": "Machine",
        "metadata": {
            "name": name, "namespace": NAMESPACE, "uid": uid("machines", word), "generation": 1,
            "creationTimestamp": "2026-11-20T10:00:00Z", "finalizers": ["machine.vitistack.io/cleanup"],
            "labels": {"cluster.vitistack.io/cluster-name": "prod-west-1", "app.kubernetes.io/part-of": "shop"},
            "annotations": {
                "vitistack.io/kubevirt-config": cluster, "vitistack.io/resolved": resolved.to_string(),
                "vitistack.io/placement": "balanced: 1 of 1 clusters may take it, and it has 0 of its share of 1",
                "kubectl.kubernetes.io/last-applied-configuration": applied.to_string(),
            },
        },
        "spec": spec,
    })
}

/// Whether the controller has said all that there is to say of it.
pub(super) fn is_settled(machine: &Value) -> bool {
    let mut conditions = machine["status"]["conditions"].as_array().into_iter().flatten();
    conditions.any(|it| it["type"] == "Ready" && it["status"] == "True") && machine["status"]["ipAddresses"].is_array()
}

/// What KubeVirt writes into a VM that is to run.
pub(super) fn start(vm: &mut Value) {
    vm["status"] = json!({"printableStatus": "Starting", "created": true, "runStrategy": "Always",
        "conditions": [condition("Ready", "False")], "observedGeneration": 1, "desiredGeneration": 1});
}

/// What it writes once the VM runs.
pub(super) fn run(vm: &mut Value) {
    vm["status"] = json!({"printableStatus": "Running", "ready": true, "created": true, "runStrategy": "Always",
        "conditions": [condition("Ready", "True"), condition("LiveMigratable", "False"), condition("StorageLiveMigratable", "False")],
        "volumeSnapshotStatuses": [{"enabled": true, "name": "root"}], "observedGeneration": 1, "desiredGeneration": 1});
}

/// The phases of an instance, of which the last has an address.
pub(super) const PHASES: [&str; 4] = ["Pending", "Scheduling", "Scheduled", "Running"];

/// The instance of a VM, in the phase to which it has come.
pub(super) fn instance(vm: &Value, at: usize) -> Value {
    let metadata = &vm["metadata"];
    let (phase, runs) = (PHASES[at], at + 1 == PHASES.len());
    let owner = json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "name": metadata["name"],
        "uid": metadata["uid"], "controller": true, "blockOwnerDeletion": true});
    let nic = json!({"name": "default", "mac": "52:54:00:0a:0b:0c", "ipAddress": "10.20.30.40", "ipAddresses": ["10.20.30.40"],
        "interfaceName": "eth0", "infoSource": "domain, guest-agent", "queueCount": 1, "linkState": "up"});
    let times: Vec<Value> = PHASES[..=at]
        .iter()
        .map(|phase| json!({"phase": phase, "phaseTransitionTimestamp": "2026-11-20T10:00:20Z"}))
        .collect();
    json!({
        "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance",
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"], "uid": uid("virtualmachineinstances", word_of(metadata["name"].as_str().unwrap_or_default())),
            "labels": metadata["labels"], "generation": 9, "creationTimestamp": "2026-11-20T10:00:10Z",
            "annotations": {"kubevirt.io/latest-observed-api-version": "v1", "kubevirt.io/vm-generation": "1"},
            "finalizers": ["kubevirt.io/virtualMachineControllerFinalize", "foregroundDeleteVirtualMachine"],
            "ownerReferences": [owner]},
        "spec": vm["spec"]["template"]["spec"],
        "status": {"phase": phase, "nodeName": "node-17", "qosClass": "Burstable", "interfaces": if runs { json!([nic]) } else { json!([]) },
            "conditions": [condition("Ready", if runs { "True" } else { "False" }), condition("LiveMigratable", "False"), condition("AgentConnected", "True")],
            "guestOSInfo": {"id": "ubuntu", "kernelRelease": "6.8.0-49-generic", "name": "Ubuntu", "prettyName": "Ubuntu 24.04.1 LTS"},
            "phaseTransitionTimestamps": times, "migrationMethod": "BlockMigration", "launcherContainerImageVersion": "quay.io/kubevirt/virt-launcher:v1.8.0",
            "volumeStatus": [{"name": "root", "target": "vda", "persistentVolumeClaimInfo": {"claimName": "root", "capacity": {"storage": "20Gi"}}}]},
    })
}

/// What Kubernetes writes into a claim that has its volume.
pub(super) fn bind(claim: &mut Value, word: &str) {
    claim["status"] = json!({"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "20Gi"}});
    claim["spec"]["volumeName"] = json!(format!("pvc-{}", uid("persistentvolumes", word)));
}

fn condition(kind: &str, status: &str) -> Value {
    json!({"type": kind, "status": status, "lastProbeTime": null, "lastTransitionTime": "2026-11-20T10:00:30Z"})
}

/// Who wrote which field: as an API server keeps it of an object.
pub(super) fn manage(object: &mut Value) {
    object["metadata"].as_object_mut().map(|fields| fields.remove("managedFields"));
    let fields = fields_of(object);
    let entry = |manager: &str, fields: Value| {
        json!({"manager": manager, "operation": "Update", "apiVersion": "v1", "time": "2026-11-20T10:00:30Z",
            "fieldsType": "FieldsV1", "fieldsV1": fields})
    };
    let spec = json!({"f:metadata": fields["f:metadata"], "f:spec": fields["f:spec"]});
    let entries = [entry("kubevirt-operator", spec), entry("virt-controller", json!({"f:status": fields["f:status"]}))];
    object["metadata"]["managedFields"] = json!(entries);
}

fn fields_of(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let all = fields.iter().map(|(name, value)| (format!("f:{name}"), fields_of(value)));
            Value::Object(all.collect::<Map<_, _>>())
        }
        Value::Array(items) => {
            let all = items.iter().map(|item| match item.get("name").or_else(|| item.get("type")) {
                Some(name) => (format!("k:{}", json!({"name": name})), fields_of(item)),
                None => (format!("v:{item}"), json!({})),
            });
            Value::Object(all.collect::<Map<_, _>>())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => json!({}),
    }
}
