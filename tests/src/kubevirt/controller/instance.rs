//! The VMI part of virt-controller: how a VMI is made from its VM, its phases up to Scheduled, and its release. Pure.
//! Scheduler and launcher pod are played here, too; from Scheduled on the VMI is the node's.

use super::super::conditions::Condition;
use super::super::failures::Failure;
use super::super::node;
use super::super::objects::{
    Kind, Name, Object, VM_FINALIZER, VMI_FINALIZER, annotation, claim_name, deleting, has_finalizer, is_final, list,
    text, uid,
};
use super::super::pace::draw;
use super::super::progress::Progress;
use super::super::writes::{Move, Write};
use super::{ACTOR, Disks};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

/// On the VMI: the generation of the VM that it was made from, or that makes no difference to it.
pub(super) const GENERATION: &str = "kubevirt.io/vm-generation";
/// On the VMI: what the template was. KubeVirt keeps a ControllerRevision for this.
const TEMPLATE: &str = "sim.kubevirt.io/template";

/// On the VMI: what the instance in the template was.
const SPEC: &str = "sim.kubevirt.io/spec";

/// The VMI of a VM.
pub(super) fn of(vm: &Object) -> Value {
    let template = vm.data.pointer("/spec/template").cloned().unwrap_or_default();
    let mut annotations = template.pointer("/metadata/annotations").cloned().unwrap_or_else(|| json!({}));
    annotations[GENERATION] = json!(vm.metadata.generation.unwrap_or_default().to_string());
    annotations[TEMPLATE] = json!(id_of(vm, "/spec/template"));
    annotations[SPEC] = json!(id_of(vm, "/spec/template/spec"));
    let name = Name::of(vm);
    json!({
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "metadata": {
            "namespace": name.namespace,
            "name": name.name,
            "labels": template.pointer("/metadata/labels").cloned().unwrap_or_else(|| json!({})),
            "annotations": annotations,
            "finalizers": [VM_FINALIZER, VMI_FINALIZER],
            "ownerReferences": [{
                "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "name": name.name, "uid": uid(vm),
                "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": defaulted(template["spec"].clone(), &name.name),
    })
}

/// What virt-controller and virt-api's mutator add to a VMI, as far as users see it.
fn defaulted(mut spec: Value, name: &str) -> Value {
    let fill = |place: &mut Value, default: Value| {
        if place.is_null() {
            *place = default;
        }
    };
    let (a, b) = (draw(name), draw(&format!("{name}/uuid")));
    let uuid = format!(
        "{:08x}-{:04x}-5{:03x}-8{:03x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xfff,
        b >> 52,
        b & 0xffff_ffff_ffff
    );
    fill(&mut spec["architecture"], json!("amd64"));
    fill(&mut spec["domain"]["firmware"]["uuid"], json!(uuid));
    fill(&mut spec["domain"]["machine"]["type"], json!("q35"));
    let pod_network = spec["domain"]["devices"]["autoattachPodInterface"] != json!(false);
    let none = |nics: &Value| nics.as_array().is_none_or(Vec::is_empty);
    if pod_network && none(&spec["domain"]["devices"]["interfaces"]) {
        spec["domain"]["devices"]["interfaces"] = json!([{"name": "default", "bridge": {}}]);
        spec["networks"] = json!([{"name": "default", "pod": {}}]);
    }
    without_nulls(spec)
}

/// Looking at a missing field through `IndexMut` leaves a null behind.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            Value::Object(map.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k, without_nulls(v))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => value,
    }
}

fn id_of(vm: &Object, part: &str) -> String {
    let part = vm.data.pointer(part).map(Value::to_string).unwrap_or_default();
    format!("{:016x}", draw(&part))
}

/// The template says something else than the instance that runs was made from. KubeVirt carries some of that out live, where
/// the guest can move to another node; no guest moves here.
pub(super) fn is_outdated(vm: &Object, vmi: &Object) -> bool {
    annotation(vmi, SPEC).is_some_and(|spec| spec != id_of(vm, "/spec/template/spec"))
}

/// A new generation of the VM that leaves the template alone counts as observed; any other waits for a restart.
pub(super) fn follow(vm: &Object, vmi: &Object) -> Option<Move> {
    let generation = vm.metadata.generation.unwrap_or_default().to_string();
    let unchanged = annotation(vmi, TEMPLATE) == Some(id_of(vm, "/spec/template").as_str());
    if !unchanged || annotation(vmi, GENERATION) == Some(generation.as_str()) || is_final(vmi) {
        return None;
    }
    let patch = json!({"metadata": {"annotations": {GENERATION: generation}}});
    Some(Write::merge(ACTOR, Kind::Vmi, vmi, patch).now("follow", vmi))
}

/// The next step of a VMI that is not the node's. `recorded`: its VM's status is up to date, or it has none.
pub(super) fn next(
    vmi: &Object,
    disks: &Disks,
    claims: &[&Object],
    failures: &[Failure],
    recorded: bool,
    now: Timestamp,
) -> Option<Move> {
    let progress = Progress::of(vmi, now);
    let write = |progress: Progress<'_>| progress.write(ACTOR);
    match (text(vmi, "/status/phase"), disks) {
        ("Failed" | "Succeeded", _) => (recorded && held(vmi)).then(|| release(vmi)),
        ("Scheduled" | "Running", _) => None,
        (_, _) if deleting(vmi) => {
            let gone = Condition::no("Ready", "PodTerminating", "virt-launcher pod is terminating");
            Some(write(progress.phase("Failed").with(&gone))?.seeded("cancel", vmi))
        }
        ("", _) => Some(write(progress.phase("Pending").with(&NO_POD))?.now("accept", vmi)),
        ("Pending", Disks::Missing { claim, .. }) => {
            let message = format!("PVC {}/{claim} does not exist, waiting for it to appear", Name::of(vmi).namespace);
            let missing = Condition::no("Synchronized", "FailedPvcNotFound", &message);
            let unplaced = Condition::no("PodScheduled", "Unschedulable", &message);
            Some(write(progress.with(&missing).with(&unplaced))?.now("miss", vmi))
        }
        ("Pending", Disks::Unbound | Disks::Filling) => {
            Some(write(progress.without("Synchronized").without("PodScheduled"))?.now("await-binding", vmi))
        }
        ("Pending", Disks::Bound) => {
            let progress = progress.without("Synchronized").without("PodScheduled");
            Some(write(progress.phase("Scheduling").with(&NO_GUEST))?.seeded("create-pod", vmi))
        }
        (_, _) if failures.contains(&Failure::Unschedulable) => {
            Some(write(progress.with(&NO_NODE))?.now("refuse", vmi))
        }
        (_, _) => Some(write(scheduled(progress, vmi, claims))?.seeded("schedule", vmi)),
    }
}

const NO_POD: Condition<'_> = Condition {
    kind: "Ready",
    status: "False",
    reason: "PodNotExists",
    message: "virt-launcher pod has not yet been scheduled",
};
const NO_GUEST: Condition<'_> = Condition {
    kind: "Ready",
    status: "False",
    reason: "GuestNotRunning",
    message: "Guest VM is not reported as running",
};
const NO_NODE: Condition<'_> = Condition {
    kind: "PodScheduled",
    status: "False",
    reason: "Unschedulable",
    message: "0/3 nodes are available: 3 Insufficient memory.",
};

fn scheduled<'a>(progress: Progress<'a>, vmi: &Object, claims: &[&Object]) -> Progress<'a> {
    let node = node::name_for(vmi);
    let volumes: Vec<Value> = list(vmi, "/spec/volumes").iter().map(|volume| volume_status(volume, claims)).collect();
    progress
        .phase("Scheduled")
        .without("PodScheduled")
        .field("nodeName", json!(node))
        .field("volumeStatus", json!(volumes))
        .label("kubevirt.io/nodeName", &node)
}

/// What the node must know about a volume's claim, so that it need not ask.
fn volume_status(volume: &Value, claims: &[&Object]) -> Value {
    let mut status = json!({"name": volume["name"], "target": ""});
    let named = claim_name(volume);
    if let Some(claim) = claims.iter().find(|claim| named.is_some() && claim.metadata.name.as_deref() == named) {
        let mut info = json!({"claimName": named});
        for (key, path) in [
            ("accessModes", "/spec/accessModes"),
            ("volumeMode", "/spec/volumeMode"),
            ("requests", "/spec/resources/requests"),
            ("capacity", "/status/capacity"),
        ] {
            if let Some(value) = claim.data.pointer(path) {
                info[key] = value.clone();
            }
        }
        status["persistentVolumeClaimInfo"] = info;
    }
    status
}

fn held(vmi: &Object) -> bool {
    has_finalizer(vmi, VM_FINALIZER) || has_finalizer(vmi, VMI_FINALIZER)
}

fn release(vmi: &Object) -> Move {
    let ours = [VM_FINALIZER, VMI_FINALIZER];
    Write::finalizers(ACTOR, Kind::Vmi, vmi, |f| !ours.contains(&f)).now("let-go", vmi)
}
