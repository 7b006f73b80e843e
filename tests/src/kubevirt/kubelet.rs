//! The scheduler and the kubelet, for the launcher pods of KubeVirt's own virt-controller: binds a pod once its claims are
//! bound, says that it runs, and lets it go when its instance has ended. Pure. Looks at no resources: every node has room.

use super::failures::Failure;
use super::node;
use super::objects::{Kind, Name, Object, claim_names, deleting, is_final, list, stamp, text, uid};
use super::pace::draw;
use super::writes::{Move, Verb, Write};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

const SCHEDULER: &str = "kube-scheduler";
const KUBELET: &str = "kubelet";

/// The instance that a launcher pod is for; `None` for any other pod.
pub(super) fn instance_of(pod: &Object) -> Option<Name> {
    let owner = pod.metadata.owner_references.iter().flatten().find(|it| it.kind == "VirtualMachineInstance")?;
    Some(Name::new(pod.metadata.namespace.as_deref().unwrap_or_default(), &owner.name))
}

/// What happens next to a launcher pod. `bound` tells whether a claim of its namespace is.
pub(super) fn next(
    pod: &Object,
    vmi: Option<&Object>,
    bound: impl Fn(&str) -> bool,
    failures: &[Failure],
    now: Timestamp,
) -> Option<Move> {
    let ended = vmi.is_none_or(is_final);
    let phase = text(pod, "/status/phase");
    if deleting(pod) {
        return ended.then(|| Write::delete(KUBELET, Kind::Pod, pod).now("kill", pod));
    }
    if text(pod, "/spec/nodeName").is_empty() {
        let says = |message: &str| {
            let waits = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message, "lastTransitionTime": stamp(now)});
            let said = list(pod, "/status/conditions").iter().any(|it| it["message"] == message);
            (!said).then(|| status(SCHEDULER, pod, &json!({"conditions": [waits]})).now("wait", pod))
        };
        let claims = pod.data.get("spec").into_iter().flat_map(claim_names);
        if failures.contains(&Failure::Unschedulable) {
            return says("0/3 nodes are available");
        }
        if !claims.into_iter().all(bound) {
            return says("pod has unbound immediate PersistentVolumeClaims");
        }
        let node = format!("node-{}", 1 + draw(uid(pod)) % node::NODES);
        let write = Write { actor: SCHEDULER, kind: Kind::Pod, name: Name::of(pod), verb: Verb::Bind { node } };
        return Some(write.seeded("bind", pod));
    }
    match phase {
        "Pending" | "" => Some(status(KUBELET, pod, &running(pod, now)).seeded("run", pod)),
        "Running" if ended => Some(status(KUBELET, pod, &json!({"phase": "Succeeded"})).seeded("end", pod)),
        _ => None,
    }
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
mod tests {
    use super::*;
    use crate::table::every_row;

    fn pod(node: &str, phase: &str, deleted: bool) -> Object {
        let mut value = json!({
            "metadata": {"name": "virt-launcher-web-1", "namespace": "a", "uid": "p1", "ownerReferences":
                [{"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance", "name": "web", "uid": "u1", "controller": true}]},
            "spec": {"nodeName": node, "containers": [{"name": "compute", "image": "x"}],
                "volumes": [{"name": "root", "persistentVolumeClaim": {"claimName": "web-root"}}]},
            "status": {"phase": phase},
        });
        if deleted {
            value["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        }
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_launcher_pod_is_bound_run_and_let_go_with_its_instance() {
        let vmi = |phase: &str| {
            let value = json!({"metadata": {"name": "web", "namespace": "a"}, "status": {"phase": phase}});
            Some(serde_json::from_value::<Object>(value).unwrap())
        };
        #[rustfmt::skip]
        let cases = [
            ("its claim is not bound",      pod("", "Pending", false),       vmi("Scheduling"), false, vec![],                       Some("wait")),
            ("no node takes it",            pod("", "Pending", false),       vmi("Scheduling"), true,  vec![Failure::Unschedulable], Some("wait")),
            ("free to go",                  pod("", "Pending", false),       vmi("Scheduling"), true,  vec![],                       Some("bind")),
            ("on a node",                   pod("node-1", "Pending", false), vmi("Scheduling"), true,  vec![],                       Some("run")),
            ("it runs",                     pod("node-1", "Running", false), vmi("Running"),    true,  vec![],                       None),
            ("the guest has ended",         pod("node-1", "Running", false), vmi("Succeeded"),  true,  vec![],                       Some("end")),
            ("the guest is shutting down",  pod("node-1", "Running", true),  vmi("Running"),    true,  vec![],                       None),
            ("to be deleted, and ended",    pod("node-1", "Running", true),  vmi("Succeeded"),  true,  vec![],                       Some("kill")),
            ("its instance is gone",        pod("node-1", "Running", true),  None,              true,  vec![],                       Some("kill")),
        ];
        every_row(cases, |(name, pod, vmi, bound, failures, want)| {
            let got = next(&pod, vmi.as_ref(), |claim| claim == "web-root" && bound, &failures, Timestamp::UNIX_EPOCH);
            assert_eq!(got.map(|it| it.step), want, "{name}");
        });
        assert_eq!(instance_of(&pod("", "Pending", false)), Some(Name::new("a", "web")));
    }
}
