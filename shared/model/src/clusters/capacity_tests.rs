//! Rooms of nodes and pods by hand.

use serde_json::{Value, json};

use super::*;
use crate::table::every_row;

const GIB: u64 = 1 << 30;

fn room(cpu: u64, memory: u64) -> Room {
    Room { cpu, memory }
}

fn now() -> Time {
    Time(k8s_openapi::jiff::Timestamp::UNIX_EPOCH)
}

#[test]
fn x68_cpus_are_read_in_thousandths() {
    #[rustfmt::skip]
    let cases = [
        ("2", Some(2000)), ("1500m", Some(1500)), ("1.5", Some(1500)), ("63.999", Some(63_999)), ("0", Some(0)), ("1k", Some(1_000_000)),
        ("1e3", Some(1_000_000)), ("0.1", Some(100)), ("0.5m", Some(1)), ("", None), ("many", None), ("-1", None),
    ];
    every_row(cases, |(text, want)| assert_eq!(quantity::thousandths(text).ok(), want, "{text}"));
}

#[test]
fn x68_a_node_offers_what_it_can_allocate_while_it_takes_instances() {
    let ready =
        |status: &str| json!([{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": status}]);
    let allocatable = json!({"cpu": "63500m", "memory": "262144Mi", "pods": "110"});
    let node = |label: &str, unschedulable: bool, conditions: Value| {
        let labels = if label.is_empty() { json!({}) } else { json!({SCHEDULABLE: label}) };
        json!({"labels": labels, "spec": {"unschedulable": unschedulable}, "status": {"allocatable": allocatable, "conditions": conditions}})
    };
    let all = Some(room(63_500, 256 * GIB));
    #[rustfmt::skip]
    let cases = [
        ("X68: ready",                           node("", false, ready("True")),       all),
        ("X68: virt-handler runs there",         node("true", false, ready("True")),   all),
        ("X68: KubeVirt puts nothing there",     node("false", false, ready("True")),  None),
        ("X68: cordoned",                        node("true", true, ready("True")),    None),
        ("X68: not ready",                       node("true", false, ready("False")),  None),
        ("X68: silent",                          node("true", false, ready("Unknown")), None),
        ("X68: new",                             node("", false, json!([])),           None),
        ("X68: nothing said of its room",        json!({"labels": {}, "spec": {}, "status": {"conditions": ready("True")}}), Some(room(0, 0))),
    ];
    every_row(cases, |(name, node, want)| {
        let read = |part: &str| node[part].clone();
        let labels: BTreeMap<String, String> = serde_json::from_value(read("labels")).expect("labels");
        let spec = serde_json::from_value(read("spec")).expect("a spec");
        let status = serde_json::from_value(read("status")).expect("a status");
        assert_eq!(offered(&labels, &spec, &status), want, "{name}");
    });
}

#[test]
fn x68_a_pod_requests_what_the_scheduler_counts() {
    let asks = |cpu: &str, memory: &str| json!({"resources": {"requests": {"cpu": cpu, "memory": memory}}});
    let sidecar = |cpu: &str, memory: &str| json!({"restartPolicy": "Always", "resources": {"requests": {"cpu": cpu, "memory": memory}}});
    #[rustfmt::skip]
    let cases = [
        ("X68: nothing requested",   json!({"containers": [{}, {"resources": {}}]}), room(0, 0)),
        ("X68: containers together", json!({"containers": [asks("1", "1Gi"), asks("500m", "1Gi")]}), room(1500, 2 * GIB)),
        ("X68: a small start",       json!({"containers": [asks("1", "1Gi")], "initContainers": [asks("100m", "1Gi")]}), room(1000, GIB)),
        ("X68: a large start",       json!({"containers": [asks("1", "1Gi")], "initContainers": [asks("2", "512Mi")]}), room(2000, GIB)),
        ("X68: a sidecar stays",     json!({"containers": [asks("1", "1Gi")], "initContainers": [sidecar("1", "1Gi"), asks("500m", "3Gi")]}), room(2000, 4 * GIB)),
        ("X68: the pod as a whole",  json!({"containers": [asks("1", "1Gi")], "resources": {"requests": {"cpu": "4"}}}), room(4000, GIB)),
        ("X68: overhead",            json!({"containers": [asks("1", "1Gi")], "overhead": {"cpu": "250m", "memory": "1Gi"}}), room(1250, 2 * GIB)),
    ];
    every_row(cases, |(name, pod, want)| {
        assert_eq!(requested(&serde_json::from_value(pod).expect("a pod")), want, "{name}");
    });
}

#[test]
fn x68_capacity_sums_up_what_takes_instances() {
    let nodes = |list: &[(&str, u64, u64)]| -> BTreeMap<String, Room> {
        list.iter().map(|(name, cpu, memory)| ((*name).to_owned(), room(*cpu, *memory))).collect()
    };
    let seen = |nodes: &BTreeMap<String, Room>, pods: &[(&'static str, Room)]| {
        let mut seen = serde_json::to_value(capacity(nodes, pods.iter().copied(), now())).expect("JSON");
        assert_eq!(seen.as_object_mut().expect("an object").remove("observedAt"), Some(json!("1970-01-01T00:00:00Z")));
        seen
    };
    let three = nodes(&[("a", 8000, 64 * GIB), ("b", 15_500, 32 * GIB), ("c", 8000, 32 * GIB)]);
    let pods = [("a", room(1000, GIB)), ("b", room(250, 2 * GIB)), ("cordoned", room(4000, 8 * GIB)), ("", room(1, 1))];
    assert_eq!(
        seen(&three, &pods),
        json!({
            "largestNode": {"cpu": "15500m", "memory": "64Gi"},
            "allocatable": {"cpu": "31500m", "memory": "128Gi"},
            "requested": {"cpu": "1250m", "memory": "3Gi"},
        })
    );
    let nothing = json!({"cpu": "0", "memory": "0"});
    assert_eq!(
        seen(&nodes(&[]), &pods),
        json!({"allocatable": nothing, "requested": nothing}),
        "no node that is large"
    );
}

#[test]
fn x68_only_what_matters_is_published_again() {
    let of = |nodes: &[(u64, u64)], cpu, memory| {
        let name = |(at, (cpu, memory)): (usize, &(u64, u64))| (at.to_string(), room(*cpu, *memory));
        capacity(&nodes.iter().enumerate().map(name).collect(), [("0", room(cpu, memory))], now())
    };
    let two = [(10_000, 100 * GIB), (10_000, 100 * GIB)];
    let published = of(&two, 5000, 50 * GIB);
    #[rustfmt::skip]
    let cases = [
        ("X68: the same",                       of(&two, 5000, 50 * GIB),                                   false),
        ("X68: a hundredth",                    of(&two, 5200, 52 * GIB),                                   false),
        ("X68: more CPU requested",             of(&two, 5201, 50 * GIB),                                   true),
        ("X68: memory given back",              of(&two, 5000, 47 * GIB),                                   true),
        ("X68: the largest node grew a little", of(&[two[0], (10_001, 100 * GIB)], 5000, 50 * GIB),         true),
        ("X68: a node more",                    of(&[two[0], two[1], (5000, 10 * GIB)], 5000, 50 * GIB),    true),
        ("X68: a tiny node more",               of(&[two[0], two[1], (10, GIB)], 5000, 50 * GIB),           false),
        ("X68: no node left",                   of(&[], 0, 0),                                              true),
    ];
    assert!(differs(None, &published));
    every_row(cases, |(name, seen, want)| assert_eq!(differs(Some(&published), &seen), want, "{name}"));
    let after = |seconds| {
        let time = k8s_openapi::jiff::Timestamp::from_second(seconds).expect("a time");
        differs(Some(&published), &Capacity { observed_at: Some(Time(time)), ..published.clone() })
    };
    assert_eq!((after(599), after(600)), (false, true), "what is ten minutes old is renewed");
}
