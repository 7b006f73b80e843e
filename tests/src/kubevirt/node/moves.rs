//! A guest that moves: virt-handler of the node that it leaves and of the one that it comes to, from the moment when
//! virt-controller hands the move over until the guest has what waited for it. Pure.
//! Facts: KubeVirt 1.8.2, pkg/virt-handler/migration-{source,target}.go.

use super::super::objects::{Object, label, stamp, text};
use super::super::progress::Progress;
use super::interfaces;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

/// On the VMI: the node that is to take it; virt-controller puts it on, and that node takes it off.
const TARGET: &str = "kubevirt.io/migrationTargetNodeName";
const NODE: &str = "kubevirt.io/nodeName";
/// On the VMI: what the new launcher pod may use. Without it no memory is added.
const MEMORY: &str = "kubevirt.io/vmi-pod-memory-resource-requests";
const LABELS: [&str; 3] =
    [MEMORY, "kubevirt.io/vmi-pod-cpu-resource-limits", "kubevirt.io/memory-hotplug-overhead-ratio"];

/// The next step of the move that is under way, if there is one.
pub(super) fn next(vmi: &Object, now: Timestamp) -> Option<(&'static str, Progress<'_>)> {
    let state = |field: &str| vmi.data.pointer(&format!("/status/migrationState/{field}")).filter(|it| !it.is_null());
    let target = state("targetNode")?.as_str()?;
    if label(vmi, TARGET) != Some(target) {
        return None;
    }
    let progress = Progress::of(vmi, now);
    let set = |more: Value| Progress::of(vmi, now).field("migrationState", more);
    let now = stamp(now);
    let is = |field: &str| state(field) == Some(&json!(true));
    Some(if is("completed") || is("failed") {
        ("forget", progress.without_label(TARGET))
    } else if state("targetNodeAddress").is_none() {
        ("prepare", set(json!({"targetNodeAddress": "192.0.2.2", "targetDirectMigrationNodePorts": {"49152": 0}})))
    } else if state("startTimestamp").is_none() {
        ("send", set(json!({"startTimestamp": now, "mode": "PreCopy"})))
    } else if state("targetNodeDomainReadyTimestamp").is_none() {
        let received = set(json!({"targetNodeDomainDetected": true, "targetNodeDomainReadyTimestamp": now}));
        ("receive", received.without("MigrationRequired"))
    } else if state("endTimestamp").is_none() {
        let ended = set(json!({"endTimestamp": now})).field("nodeName", json!(target)).label(NODE, target);
        let ended = ended.field("launcherContainerImageVersion", Value::Null).field("evacuationNodeName", Value::Null);
        ("hand-over", ended.field("migrationTransport", json!("Unix")))
    } else {
        ("complete", completed(vmi, set(json!({"completed": true}))))
    })
}

/// What waited for the move is given to the guest, and it has the addresses of its new pod.
fn completed<'a>(vmi: &'a Object, mut progress: Progress<'a>) -> Progress<'a> {
    let waited = |kind: &str| super::list(vmi, "/status/conditions").iter().any(|it| it["type"] == kind);
    if waited("HotVCPUChange") {
        let asked = vmi.data.pointer("/spec/domain/cpu").cloned().unwrap_or_default();
        let has = ["sockets", "cores", "threads"].map(|field| (field.to_owned(), asked[field].clone()));
        progress = progress.field("currentCPUTopology", Value::Object(has.into_iter().collect()));
    }
    if waited("HotMemoryChange") && label(vmi, MEMORY).is_some() {
        let asked = text(vmi, "/spec/domain/memory/guest");
        progress = progress.field("memory", json!({"guestRequested": asked, "guestCurrent": asked}));
    }
    let pod = text(vmi, "/status/migrationState/targetPod");
    let progress = progress.field("interfaces", json!(interfaces(vmi, pod)));
    let progress = LABELS.iter().fold(progress, |progress, key| progress.without_label(key));
    progress.without("HotVCPUChange").without("HotMemoryChange")
}

#[cfg(test)]
mod tests {
    use super::super::super::writes::Verb;
    use super::*;
    use crate::table::every_row;

    fn vmi(state: Value) -> Object {
        let value = json!({
            "metadata": {"name": "web", "namespace": "a", "uid": "u1", "labels": {TARGET: "node-2", NODE: "node-1", MEMORY: "5Gi"}},
            "spec": {"domain": {"cpu": {"sockets": 2, "cores": 1, "threads": 1}, "memory": {"guest": "4Gi"},
                "devices": {"interfaces": [{"name": "default", "masquerade": {}}, {"name": "lan", "bridge": {}}]}}},
            "status": {"phase": "Running", "nodeName": "node-1", "migrationState": state, "conditions":
                [{"type": "HotVCPUChange", "status": "True"}, {"type": "HotMemoryChange", "status": "True"}]},
        });
        serde_json::from_value(value).unwrap()
    }

    fn patch(vmi: &Object) -> Value {
        let (_, progress) = next(vmi, Timestamp::UNIX_EPOCH).unwrap();
        match progress.write("t").unwrap().verb {
            Verb::Merge(patch) => patch,
            other => panic!("{other:?}"),
        }
    }

    const BEGUN: &str = "1970-01-01T00:00:00Z";

    #[test]
    fn a_move_goes_step_by_step() {
        let after = |fields: &[&str]| {
            let mut state = json!({"targetNode": "node-2", "targetPod": "p2", "sourceNode": "node-1"});
            for field in fields {
                state[*field] = if *field == "completed" || *field == "failed" { json!(true) } else { json!(BEGUN) };
            }
            vmi(state)
        };
        let (ready, sent, received) = ("targetNodeAddress", "startTimestamp", "targetNodeDomainReadyTimestamp");
        let mut foreign = after(&[]);
        foreign.metadata.labels = None;
        #[rustfmt::skip]
        let cases = [
            ("none",              vmi(json!({})),                                             None),
            ("not handed over",   foreign,                                                    None),
            ("handed over",       after(&[]),                                                 Some("prepare")),
            ("prepared",          after(&[ready]),                                            Some("send")),
            ("sent",              after(&[ready, sent]),                                      Some("receive")),
            ("received",          after(&[ready, sent, received]),                            Some("hand-over")),
            ("handed over there", after(&[ready, sent, received, "endTimestamp"]),            Some("complete")),
            ("complete",          after(&[ready, sent, received, "endTimestamp", "completed"]), Some("forget")),
            ("failed early",      after(&["failed"]),                                         Some("forget")),
        ];
        every_row(cases, |(name, vmi, want)| {
            assert_eq!(next(&vmi, Timestamp::UNIX_EPOCH).map(|(step, _)| step), want, "{name}");
        });
    }

    #[test]
    fn the_guest_gets_what_waited_and_the_address_of_its_new_pod() {
        let ended = json!({"targetNode": "node-2", "targetPod": "p2", "targetNodeAddress": "x", "startTimestamp": BEGUN,
            "targetNodeDomainReadyTimestamp": BEGUN, "endTimestamp": BEGUN});
        let moved = patch(&vmi(ended.clone()));
        let status = &moved["status"];
        assert_eq!(status["currentCPUTopology"], json!({"sockets": 2, "cores": 1, "threads": 1}));
        assert_eq!(status["memory"], json!({"guestRequested": "4Gi", "guestCurrent": "4Gi"}));
        assert_eq!((&status["conditions"], &moved["metadata"]["labels"][MEMORY]), (&json!([]), &Value::Null));
        let before = interfaces(&vmi(ended.clone()), "");
        assert_ne!(status["interfaces"][0]["ipAddress"], before[0]["ipAddress"], "of the pod");
        assert_eq!(status["interfaces"][1], before[1], "of its own");

        let mut without = vmi(ended);
        without.metadata.labels.as_mut().unwrap().remove(MEMORY);
        assert_eq!(patch(&without)["status"].get("memory"), None, "the pod has no room for it");
    }
}
