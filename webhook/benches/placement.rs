//! PERF-E1: instructions that one request pays for its placement under `balanced`, in fleets of 10 to 10,000 clusters, with a
//! selector and the filters of capabilities and of room.
//!
//! `cargo bench -p webhook --bench placement`. Counted is the whole decision of a request with a selector that half of the
//! clusters match, less that of the same request in a fleet of one cluster, so that reading it is not counted.

mod callgrind;

use std::process::ExitCode;
use std::sync::Arc;

use admission::review::decode;
use admission::world::{Capacity, Held, Room, Size, Strategy};
use admission::{Config, Policy, Verdict, World, decide};
use model::names::{ClusterName, MachineKey};
use serde_json::json;

const CLUSTERS: [u32; 4] = [10, 100, 1_000, 10_000];
const FEW: u64 = 20;
const MANY: u64 = 60;
/// At most so many instructions for each cluster of the largest fleet: every one is looked at once.
const LIMIT: u64 = 1_500;

fn main() -> ExitCode {
    if let Some((what, times)) = callgrind::child() {
        return decide_often(what[0].parse().expect("a number of clusters"), times);
    }
    let one = callgrind::each(&["1"], FEW, MANY);
    println!("{:>9} {:>13} {:>12}", "clusters", "instructions", "per cluster");
    let mut per_cluster = 0;
    for clusters in CLUSTERS {
        let each = callgrind::each(&[&clusters.to_string()], FEW, MANY).saturating_sub(one);
        per_cluster = each / u64::from(clusters);
        println!("{clusters:>9} {each:>13} {per_cluster:>12}");
    }
    let within = per_cluster <= LIMIT;
    println!("at most {LIMIT} per cluster{}", if within { "" } else { "  MISSED" });
    if within { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Every second cluster has the label, every tenth lacks the capability, every eighth has no room; loads and weights differ, as
/// they do in a fleet.
fn world(clusters: u32) -> World {
    let mut world = World {
        policy: Arc::new(Policy { strategy: Strategy::Balanced, replicas: 3, ..Policy::default() }),
        ..World::default()
    };
    for at in 0..clusters {
        let name = ClusterName(format!("prod-region-{at:06}"));
        let labels = [("zone".to_owned(), if at % 2 == 0 { "a" } else { "b" }.to_owned())].into();
        let room = |cpu, gib: u64| Room { cpu: Some(cpu), memory: Some(gib << 30) };
        let free = if at % 8 == 6 { room(500, 1) } else { room(64_000, 512) };
        let capacity = Some(Capacity { largest: room(32_000, 256), free, read: Some(1) });
        let config =
            Config { weight: at % 4 + 1, virtual_machines: at % 10 != 9, labels, capacity, ..Config::default() };
        world.configs.insert(name.clone(), Arc::new(config));
        for number in 0..at * 7 % 3 {
            let key = MachineKey { namespace: "shop".to_owned(), name: format!("web-{at}-{number}") };
            let awaited = Some(Box::new(Size { cpu: 1000, memory: 2 << 30 }));
            world.machines.put(&key, Held { cluster: Some(name.clone()), awaited, ..Held::default() });
        }
    }
    world
}

fn decide_often(clusters: u32, times: u64) -> ExitCode {
    let world = world(clusters);
    for number in 0..times {
        let body = json!({"request": {
            "uid": format!("u-{number}"), "operation": "CREATE", "namespace": "shop", "name": "web",
            "kind": {"group": "vitistack.io", "version": "v1alpha1", "kind": "Machine"},
            "object": {"metadata": {"name": "web"}, "spec": {"template": "small", "clusterSelector": {"matchLabels": {"zone": "a"}}}},
        }})
        .to_string();
        let review = decode(body.as_bytes()).expect("a review");
        let verdict = decide(std::hint::black_box(&review.request), &world);
        assert!(matches!(verdict, Verdict::Admit(_)), "{verdict:?}");
    }
    ExitCode::SUCCESS
}
