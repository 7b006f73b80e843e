//! The scheduler and the kubelet, for the pods of KubeVirt's own virt-controller: binds a pod once its claims are bound, says
//! that it runs, and lets it go when its guest has ended or moved away. Pure. Looks at no resources: every node has room.

use super::failures::Failure;
use super::node;
use super::objects::{
    Kind, Name, Object, claim_names, controlled_by, deleting, is_final, label, list, stamp, text, uid,
};
use super::pace::draw;
use super::writes::{Move, Verb, Write};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

const SCHEDULER: &str = "kube-scheduler";
const KUBELET: &str = "kubelet";

/// On the pod that a guest is to move to; never on the node of another one.
const MOVE: &str = "kubevirt.io/migrationJobUID";

/// What a pod is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// It runs the guest of this instance.
    Instance(Name),
    /// It holds volumes on the node of this launcher pod, to be plugged into a guest that runs.
    Launcher(Name),
}

/// What a pod is for; `None` for a pod that is not KubeVirt's.
pub(super) fn owner_of(pod: &Object) -> Option<Owner> {
    let owners = pod.metadata.owner_references.iter().flatten().filter(|it| it.controller == Some(true));
    let name = |owner: &str| Name::new(pod.metadata.namespace.as_deref().unwrap_or_default(), owner);
    owners.into_iter().find_map(|owner| match owner.kind.as_str() {
        "VirtualMachineInstance" => Some(Owner::Instance(name(&owner.name))),
        "Pod" => Some(Owner::Launcher(name(&owner.name))),
        _ => None,
    })
}

/// What is known around a pod.
pub(super) struct Around<'a, B> {
    /// Its instance, for a launcher pod.
    pub(super) vmi: Option<&'a Object>,
    /// The other pods of its namespace.
    pub(super) others: Vec<&'a Object>,
    /// Tells whether a claim of its namespace is bound.
    pub(super) bound: B,
    pub(super) failures: Vec<Failure>,
}

/// What happens next to a launcher pod.
pub(super) fn launcher<B: Fn(&str) -> bool>(pod: &Object, around: &Around<'_, B>, now: Timestamp) -> Option<Move> {
    let ended = around.vmi.is_none_or(is_final);
    if deleting(pod) {
        let empty = ended || around.vmi.is_some_and(|vmi| is_elsewhere(pod, vmi));
        return empty.then(|| Write::delete(KUBELET, Kind::Pod, pod).now("kill", pod));
    }
    if text(pod, "/spec/nodeName").is_empty() {
        return bind(pod, around, &free(pod, around), now);
    }
    match text(pod, "/status/phase") {
        "Pending" | "" => Some(status(KUBELET, pod, &running(pod, now)).seeded("run", pod)),
        "Running" if ended || around.vmi.is_some_and(|vmi| has_left(pod, vmi)) => {
            Some(status(KUBELET, pod, &json!({"phase": "Succeeded"})).seeded("end", pod))
        }
        _ => None,
    }
}

/// What happens next to a pod that holds volumes; it goes with its launcher pod.
pub(super) fn attachment<B: Fn(&str) -> bool>(
    pod: &Object,
    launcher: &Object,
    around: &Around<'_, B>,
    now: Timestamp,
) -> Option<Move> {
    match (deleting(pod), text(pod, "/spec/nodeName"), text(pod, "/status/phase")) {
        (true, _, _) => Some(Write::delete(KUBELET, Kind::Pod, pod).now("kill", pod)),
        (false, "", _) => bind(pod, around, &[text(launcher, "/spec/nodeName").to_owned()], now),
        (false, _, "Pending" | "") => Some(status(KUBELET, pod, &running(pod, now)).seeded("run", pod)),
        _ => None,
    }
}

/// The guest of this pod runs in another one.
fn is_elsewhere(pod: &Object, vmi: &Object) -> bool {
    let node = text(vmi, "/status/nodeName");
    !node.is_empty() && node != text(pod, "/spec/nodeName")
}

/// The guest has moved away from this pod.
fn has_left(pod: &Object, vmi: &Object) -> bool {
    let state = |field: &str| vmi.data.pointer(&format!("/status/migrationState/{field}")).unwrap_or(&Value::Null);
    let moved = *state("completed") == true && *state("failed") != true;
    moved && is_elsewhere(pod, vmi) && state("sourceNode") == text(pod, "/spec/nodeName")
}

/// The nodes that may take a launcher pod.
fn free<B>(pod: &Object, around: &Around<'_, B>) -> Vec<String> {
    let all = (1..=node::NODES).map(|number| format!("node-{number}"));
    let (true, Some(vmi)) = (label(pod, MOVE).is_some(), around.vmi) else { return all.collect() };
    let live = |other: &&&Object| !matches!(text(other, "/status/phase"), "Succeeded" | "Failed");
    let same = around.others.iter().filter(|other| controlled_by(other, uid(vmi))).filter(live);
    let taken: Vec<&str> = same.map(|other| text(other, "/spec/nodeName")).collect();
    all.filter(|node| !taken.contains(&node.as_str())).collect()
}

fn bind<B: Fn(&str) -> bool>(pod: &Object, around: &Around<'_, B>, nodes: &[String], now: Timestamp) -> Option<Move> {
    let says = |message: &str| {
        let waits = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message, "lastTransitionTime": stamp(now)});
        let said = list(pod, "/status/conditions").iter().any(|it| it["message"] == message);
        (!said).then(|| status(SCHEDULER, pod, &json!({"conditions": [waits]})).now("wait", pod))
    };
    let claims = pod.data.get("spec").into_iter().flat_map(claim_names);
    if nodes.is_empty() || around.failures.contains(&Failure::Unschedulable) {
        return says("0/3 nodes are available");
    }
    if !claims.into_iter().all(&around.bound) {
        return says("pod has unbound immediate PersistentVolumeClaims");
    }
    let drawn = draw(uid(pod)) % u64::try_from(nodes.len()).ok()?;
    let node = nodes[usize::try_from(drawn).ok()?].clone();
    let write = Write { actor: SCHEDULER, kind: Kind::Pod, name: Name::of(pod), verb: Verb::Bind { node } };
    Some(write.seeded("bind", pod))
}

fn status(actor: &'static str, pod: &Object, status: &Value) -> Write {
    Write::merge_status(actor, Kind::Pod, pod, status)
}

fn running(pod: &Object, now: Timestamp) -> Value {
    let now = stamp(now);
    let container = |container: &Value| {
        json!({
            "name": container["name"], "image": container["image"], "imageID": "simulated", "containerID": "sim://1",
            "ready": true, "started": true, "restartCount": 0, "state": {"running": {"startedAt": now}},
        })
    };
    let drawn = draw(uid(pod)).to_be_bytes();
    let ip = format!("10.{}.{}.{}", drawn[0], drawn[1], 1 + drawn[2] % 254);
    let yes = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": now});
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(yes);
    json!({
        "phase": "Running", "startTime": now, "hostIP": "192.0.2.1", "podIP": ip, "podIPs": [{"ip": ip}],
        "conditions": conditions,
        "containerStatuses": list(pod, "/spec/containers").iter().map(container).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests;
