//! A burst of Machines on three webhooks behind one address (PERF-E3).
//!
//! All KubevirtConfigs lead to the same cluster, which nobody finds out, because no controller runs: ten API servers more would
//! leave no room for the burst.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use model::api::{KubevirtConfig, Machine};
use model::names::{KUBEVIRT_CONFIG, PLACEMENT};
use serde_json::{Value, json};
use tests::fleet::{CONFIGS_NAMESPACE, Component, Fleet};
use tests::probe;
use tests::process::Stop;
use tests::wait::eventually;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::rotation::post;
use super::trust::{bundle, connect};
use crate::fleet::fresh;
use crate::machines::Ground;

const CLUSTERS: usize = 10;
const PER_SECOND: u64 = 200;
/// Creates on their way at most: an API server that is slower than the pace is not flooded.
const AT_ONCE: usize = 50;
/// CPUs that are free on each cluster in the second burst.
const ROOMS: [u64; CLUSTERS] = [20, 30, 40, 50, 60, 80, 100, 120, 200, 300];

/// Three webhooks under `balanced`, and nobody who makes VMs.
struct Scene {
    supervisor: Client,
    configs: Api<KubevirtConfig>,
    /// Where each webhook listens, and where it has its metrics.
    webhooks: Vec<[SocketAddr; 2]>,
}

impl Scene {
    async fn new(fleet: &Fleet) -> Self {
        for component in [Component::Controller, Component::Sim("east".to_owned())] {
            fleet.stop(&component, Stop::AtOnce).await.unwrap_or_else(|error| panic!("{error}"));
        }
        let env = [("PLACEMENT_STRATEGY", "balanced"), ("WEBHOOK_REPLICAS", "3")];
        let webhooks = fleet.replicate_webhook(3, &env).await.unwrap_or_else(|error| panic!("{error}"));
        let supervisor = fleet.supervisor().client().await.unwrap_or_else(|error| panic!("{error}"));
        Self { configs: Api::namespaced(supervisor.clone(), CONFIGS_NAMESPACE), supervisor, webhooks }
    }

    /// Ten clusters in the place of those that there are.
    async fn introduce(&self, prefix: &str) {
        let cordoned = Patch::Merge(json!({"spec": {"schedulable": false}}));
        for config in self.configs.list(&ListParams::default()).await.expect("a list") {
            self.configs.patch(&config.name_any(), &PatchParams::default(), &cordoned).await.expect("cordoned");
        }
        for at in 0..CLUSTERS {
            let name = format!("{prefix}-{at}");
            let config = json!({"apiVersion": "vitistack.io/v1alpha1", "kind": "KubevirtConfig", "metadata": {"name": name},
                "spec": {"name": name, "kubeconfigSecretRef": "east-kubeconfig"}});
            let config = serde_json::from_value(config).expect("a KubevirtConfig");
            self.configs.create(&PostParams::default(), &config).await.expect("created");
        }
    }

    /// Waits until every webhook would choose from so many clusters for a Machine of so many CPUs.
    async fn until_known(&self, cores: u64, candidates: usize) {
        let trusted = bundle(&self.supervisor).await;
        let object = json!({"metadata": {"name": "probe", "namespace": "burst"}, "spec": spec(cores)});
        let review = json!({"request": {"uid": "u", "operation": "CREATE", "name": "probe", "namespace": "burst", "dryRun": true,
            "kind": {"group": "vitistack.io", "version": "v1alpha1", "kind": "Machine"}, "object": object}});
        for [address, _] in &self.webhooks {
            eventually(&format!("{address} chooses from {candidates}"), async || {
                let mut stream = connect(*address, &trusted).await?;
                let (_, body) = post(&mut stream, &review.to_string()).await?;
                let why = serde_json::from_str::<Value>(&body).map_err(|error| error.to_string())?;
                let why = why["response"]["auditAnnotations"]["placement"].as_str().unwrap_or(&body).to_owned();
                if why.contains(&format!("\"candidates\":{candidates},")) { Ok(()) } else { Err(why) }
            })
            .await;
        }
    }

    /// Creates so many Machines at the pace. Answers with the cluster of each, as the API server said it at its creation, once
    /// every later read has said the same.
    async fn burst(&self, machines: Api<Machine>, count: usize, cores: u64) -> BTreeMap<String, String> {
        let seen: Arc<Mutex<BTreeMap<String, BTreeSet<String>>>> = Arc::default();
        let (events, noted) = (watcher(machines.clone(), watcher::Config::default()), seen.clone());
        let watching = tokio::spawn(async move {
            let events = events.default_backoff().applied_objects();
            let done = events.try_for_each(|machine| {
                let mut seen = noted.lock().expect("no panic");
                seen.entry(machine.name_any()).or_default().insert(cluster(&machine));
                std::future::ready(Ok(()))
            });
            done.await.expect("a watch");
        });
        let assigned = self.create(&machines, count, cores).await;
        eventually("the watch has shown all", async || {
            let known = seen.lock().expect("no panic").len();
            if known == count { Ok(()) } else { Err(known) }
        })
        .await;
        watching.abort();
        let listed = machines.list(&ListParams::default()).await.expect("a list");
        let listed: BTreeMap<_, _> = listed.iter().map(|machine| (machine.name_any(), cluster(machine))).collect();
        assert_eq!(assigned, listed, "what the API server answered is what is stored");
        let once: BTreeMap<_, _> = assigned.iter().map(|(name, to)| (name.clone(), [to.clone()].into())).collect();
        assert_eq!(*seen.lock().expect("no panic"), once, "no event ever said anything else");
        assigned
    }

    async fn create(&self, machines: &Api<Machine>, count: usize, cores: u64) -> BTreeMap<String, String> {
        let begun = Instant::now();
        let mut pace = tokio::time::interval(Duration::from_millis(1000 / PER_SECOND));
        let at_once = Arc::new(Semaphore::new(AT_ONCE));
        let mut creates = JoinSet::new();
        for number in 0..count {
            pace.tick().await;
            let place = at_once.clone().acquire_owned().await.expect("open");
            let (machines, spec) = (machines.clone(), serde_json::from_value(spec(cores)).expect("a spec"));
            creates.spawn(async move {
                let _place = place;
                let machine = Machine::new(&format!("m-{number}"), spec);
                let created =
                    machines.create(&PostParams::default(), &machine).await.map_err(|error| error.to_string())?;
                Ok((created.name_any(), cluster(&created)))
            });
        }
        let (created, failed): (Vec<_>, Vec<_>) = creates.join_all().await.into_iter().partition(Result::is_ok);
        println!("{count} creates in {:.1} s", begun.elapsed().as_secs_f64());
        for [_, metrics] in &self.webhooks {
            let text = probe::get(*metrics, "/metrics").await.expect("metrics");
            let count = |name: &str| text.lines().filter(|line| line.starts_with(name)).collect::<Vec<_>>().join(" ");
            println!(
                "{} {}",
                count("kubevirt_operator_placements_total"),
                count("kubevirt_operator_admission_connections")
            );
            assert!(
                text.contains("kubevirt_operator_placements_total{source=\"balanced\"}"),
                "each has its part: {text}"
            );
        }
        let failed: Vec<String> = failed.into_iter().filter_map(Result::err).collect();
        assert_eq!(failed, Vec::<String>::new());
        created.into_iter().flatten().collect()
    }
}

fn spec(cores: u64) -> Value {
    json!({"template": "small", "resources": {"cpu": {"cores": cores}}})
}

fn cluster(machine: &Machine) -> String {
    machine.annotations().get(KUBEVIRT_CONFIG).cloned().unwrap_or_default()
}

/// How many Machines each cluster got, in the order of their names.
fn loads(prefix: &str, assigned: &BTreeMap<String, String>) -> Vec<usize> {
    let load = |at| assigned.values().filter(|to| **to == format!("{prefix}-{at}")).count();
    (0..CLUSTERS).map(load).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn perf_e3_x68_a_burst_over_three_webhooks_is_even_and_fills_no_cluster_beyond_its_room() {
    let fleet = fresh(&["east"]).await;
    let scene = Scene::new(&fleet).await;
    scene.introduce("equal").await;
    scene.until_known(1, CLUSTERS).await;
    let ground = Ground::new(&fleet, "equal").await;
    let loads_of_equal = loads("equal", &scene.burst(ground.machines(), 1000, 1).await);
    println!("equal clusters: {loads_of_equal:?}");
    assert_eq!(loads_of_equal.iter().sum::<usize>(), 1000);
    let differ = loads_of_equal.iter().max().zip(loads_of_equal.iter().min()).map(|(most, least)| most - least);
    assert!(differ <= Some(10), "max - min: {loads_of_equal:?}");

    scene.introduce("room").await;
    for (at, cpus) in ROOMS.into_iter().enumerate() {
        let status = json!({"status": {"capacity": {
            "largestNode": {"cpu": "256", "memory": "1Ti"}, "allocatable": {"cpu": (cpus + 5).to_string(), "memory": "8Ti"},
            "requested": {"cpu": "5", "memory": "0"}, "observedAt": "2026-01-01T00:00:00Z",
        }}});
        let name = format!("room-{at}");
        scene.configs.patch_status(&name, &PatchParams::default(), &Patch::Merge(status)).await.expect("a capacity");
    }
    // One of ninety, with as much to spare for each of two other webhooks, fits on the largest alone.
    scene.until_known(90, 1).await;
    let ground = Ground::new(&fleet, "room").await;
    let loads = loads("room", &scene.burst(ground.machines(), 400, 2).await);
    let cpus: Vec<u64> = loads.iter().map(|count| 2 * *count as u64).collect();
    println!("CPUs: {cpus:?} of {ROOMS:?}");
    assert_eq!(cpus.iter().sum::<u64>(), 800);
    assert!(cpus.iter().zip(ROOMS).all(|(taken, room)| *taken <= room), "{cpus:?} of {ROOMS:?}");

    // What only the emptiest cluster holds: the others are passed over, and the first of them is said to have what the burst left.
    let left: Vec<u64> = ROOMS.into_iter().zip(&cpus).map(|(room, taken)| room - taken).collect();
    let most = left.iter().copied().max().unwrap_or_default();
    // One that the burst left empty has no such words.
    let first = left.iter().zip(&cpus).position(|(left, taken)| *left < most && *taken > 0).expect("rooms that differ");
    let says = format!(
        "room-{first}: needs {most} CPUs, and has {} CPUs left of {} CPUs, as {} CPUs are for Machines that do not count there yet",
        left[first], ROOMS[first], cpus[first]
    );
    let large = Machine::new("large", serde_json::from_value(spec(most)).expect("a spec"));
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    eventually("every webhook has seen the whole burst", async || {
        let large = ground.machines().create(&dry, &large).await.map_err(|error| error.to_string())?;
        let why = large.annotations()[PLACEMENT].clone();
        if why.contains(&says) && why.contains("\"noRoom\":") { Ok(()) } else { Err(format!("{why} without {says}")) }
    })
    .await;
}
