//! What becomes of each pod, step by step.

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

fn vmi(phase: &str, node: &str, moved: &Value) -> Object {
    let value = json!({
        "metadata": {"name": "web", "namespace": "a", "uid": "u1"},
        "status": {"phase": phase, "nodeName": node, "migrationState": moved},
    });
    serde_json::from_value(value).unwrap()
}

#[test]
fn a_launcher_pod_is_bound_run_and_let_go_with_its_guest() {
    let at = |phase: &str, node: &str| Some(vmi(phase, node, &Value::Null));
    let state = json!({"completed": true, "sourceNode": "node-1", "targetNode": "node-2"});
    let moved = |node: &str| Some(vmi("Running", node, &state));
    #[rustfmt::skip]
    let cases = [
        ("its claim is not bound",       pod("", "Pending", false),       at("Scheduling", ""),       false, vec![],                       Some("wait")),
        ("no node takes it",             pod("", "Pending", false),       at("Scheduling", ""),       true,  vec![Failure::Unschedulable], Some("wait")),
        ("free to go",                   pod("", "Pending", false),       at("Scheduling", ""),       true,  vec![],                       Some("bind")),
        ("on a node",                    pod("node-1", "Pending", false), at("Scheduling", ""),       true,  vec![],                       Some("run")),
        ("it runs",                      pod("node-1", "Running", false), at("Running", "node-1"),    true,  vec![],                       None),
        ("the guest has ended",          pod("node-1", "Running", false), at("Succeeded", "node-1"),  true,  vec![],                       Some("end")),
        ("the guest has moved away",     pod("node-1", "Running", false), moved("node-2"),            true,  vec![],                       Some("end")),
        ("the guest has moved here",     pod("node-2", "Running", false), moved("node-2"),            true,  vec![],                       None),
        ("the guest moves here next",    pod("node-3", "Running", false), moved("node-2"),            true,  vec![],                       None),
        ("the guest is shutting down",   pod("node-1", "Running", true),  at("Running", "node-1"),    true,  vec![],                       None),
        ("deleted, and without a guest", pod("node-3", "Running", true),  at("Running", "node-1"),    true,  vec![],                       Some("kill")),
        ("to be deleted, and ended",     pod("node-1", "Running", true),  at("Succeeded", "node-1"),  true,  vec![],                       Some("kill")),
        ("its instance is gone",         pod("node-1", "Running", true),  None,                       true,  vec![],                       Some("kill")),
    ];
    every_row(cases, |(name, pod, vmi, bound, failures, want)| {
        let bound = |claim: &str| claim == "web-root" && bound;
        let around = Around { vmi: vmi.as_ref(), others: Vec::new(), bound, failures };
        assert_eq!(launcher(&pod, &around, Timestamp::UNIX_EPOCH).map(|it| it.step), want, "{name}");
    });
    assert_eq!(owner_of(&pod("", "Pending", false)), Some(Owner::Instance(Name::new("a", "web"))));
}

fn node_of(pod: &Object, others: Vec<&Object>, vmi: Option<&Object>) -> Option<String> {
    let around = Around { vmi, others, bound: |_: &str| true, failures: Vec::new() };
    match launcher(pod, &around, Timestamp::UNIX_EPOCH)?.write.verb {
        Verb::Bind { node } => Some(node),
        _ => None,
    }
}

#[test]
fn a_guest_moves_to_a_node_that_has_none_of_its_pods() {
    let vmi = Some(vmi("Running", "node-1", &Value::Null));
    let sources: Vec<Object> = ["node-1", "node-2", "node-3"].map(|node| pod(node, "Running", false)).into();
    for uid in (0..20).map(|number| format!("p{number}")) {
        let mut target = pod("", "Pending", false);
        target.metadata.uid = Some(uid);
        target.metadata.labels = Some([(MOVE.to_owned(), "m1".to_owned())].into());
        let others = |nodes: &[usize]| nodes.iter().map(|at| &sources[*at]).collect::<Vec<_>>();
        assert_eq!(node_of(&target, others(&[0, 2]), vmi.as_ref()).as_deref(), Some("node-2"));
        assert_eq!(node_of(&target, others(&[0, 1, 2]), vmi.as_ref()), None, "no node is left");
        let ended = pod("node-2", "Succeeded", false);
        assert_eq!(node_of(&target, vec![&sources[0], &sources[2], &ended], vmi.as_ref()).as_deref(), Some("node-2"));
    }
}

#[test]
fn a_pod_with_volumes_runs_beside_its_launcher_pod() {
    let volumes = |node: &str, phase: &str, deleted: bool| {
        let mut pod = pod(node, phase, deleted);
        let owner = &mut pod.metadata.owner_references.as_mut().unwrap()[0];
        (owner.kind, owner.name) = ("Pod".to_owned(), "virt-launcher-web-1".to_owned());
        pod
    };
    #[rustfmt::skip]
    let cases = [
        ("its claim is not bound", volumes("", "Pending", false),       false, Some("wait")),
        ("free to go",             volumes("", "Pending", false),       true,  Some("bind")),
        ("on a node",              volumes("node-2", "Pending", false), true,  Some("run")),
        ("it runs",                volumes("node-2", "Running", false), true,  None),
        ("deleted",                volumes("node-2", "Running", true),  true,  Some("kill")),
    ];
    every_row(cases, |(name, pod, bound, want)| {
        let around = Around { vmi: None, others: Vec::new(), bound: |_: &str| bound, failures: Vec::new() };
        let launcher = self::pod("node-2", "Running", false);
        let next = attachment(&pod, &launcher, &around, Timestamp::UNIX_EPOCH);
        assert_eq!(next.as_ref().map(|it| it.step), want, "{name}");
        if let Some(Verb::Bind { node }) = next.map(|it| it.write.verb) {
            assert_eq!(node, "node-2");
        }
    });
    assert_eq!(owner_of(&volumes("", "Pending", false)), Some(Owner::Launcher(Name::new("a", "virt-launcher-web-1"))));
}
