//! Clusters that lie or are broken, beside one that works: what they cost both processes, what is shown of them, and whether
//! anybody else notices.

pub(crate) mod cost;
mod requests;

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::future::join_all;
use kube::Api;
use kube::api::DynamicObject;
use model::api::KubevirtConfig;
use model::text::is_hidden;
use serde_json::{Value, json};
use tests::fleet::{CONFIGS_NAMESPACE, Component, Fleet};
use tests::hostile::{CANARY, Mode};
use tests::pki::Pki;
use tests::ports;
use tests::process::Program;
use tests::wait::eventually;
use tokio::net::TcpStream;

use self::cost::{Cost, cost, forget_peak};
use crate::configs::{create, keep, says};
use crate::fleet::fresh;
use crate::machines::{Ground, machine, resource};

/// What the process that is attacked may grow by.
const GROWTH: u64 = 64 << 20;
const OURS: [&str; 2] = ["controller", "webhook"];

/// What the status of a KubevirtConfig says in the end. The rest is said when nothing else is asked.
const SAYS: [(&str, &str); 13] = [
    ("endless-body", "the answer is larger than 8 MiB"),
    ("endless-line", "a line of the watch is larger than 4 MiB"),
    ("endless-pages", "more than 20 MiB would be kept of the objects of a kind"),
    ("garbage", "the answer is larger than 8 MiB"),
    ("noise", "the answer is not the Kubernetes object that was asked for"),
    ("gzip", "the answer is compressed, which was not asked for"),
    ("redirect", "the answer is a redirect (302), which is not followed"),
    ("drip", "no answer within 10 s"),
    ("html", "the credentials lack a right there: get the Namespace kube-system"),
    ("refusal", "the credentials lack a right there: get the Namespace kube-system"),
    ("busy", "the cluster is too busy (HTTP 429)"),
    ("stall", "the cluster answers"),
    ("lies", "the cluster answers"),
];
/// Those that send much; the others are there all the time.
const LARGE: [&str; 6] = ["endless-body", "endless-line", "endless-pages", "garbage", "noise", "gzip"];

#[tokio::test]
async fn kvo4_r20_atk1_atk5_atk7_t5_t21_a_hostile_cluster_costs_its_share_and_nobody_else_notices() {
    assert_eq!(SAYS.map(|(name, _)| name), Mode::ALL.map(|(_, name)| name));
    let fleet = fresh(&["east"]).await;
    let ground = Ground::new(&fleet, "default").await;
    let configs: Api<KubevirtConfig> = Api::namespaced(ground.supervisor.clone(), CONFIGS_NAMESPACE);
    says(&configs, "east", "the cluster answers").await;
    comes_and_goes(&ground, "before").await;
    let before: BTreeMap<&str, Cost> = OURS.map(|name| (name, cost(&fleet, name))).into();

    start(&fleet, &ground, &SAYS.map(|(name, _)| name)).await;
    let begun = Instant::now();
    let small = SAYS.iter().filter(|(name, _)| !LARGE.contains(name));
    join_all(small.map(async |(name, sentence)| {
        introduce(&configs, name).await;
        says(&configs, name, sentence).await;
    }))
    .await;
    many_wait_for_a_slow_one(&ground).await;
    tokio::join!(comes_and_goes(&ground, "beside"), large_ones_in_turn(&fleet, &configs, &before));
    a_machine_there_shows_nothing_unfit(&ground).await;
    for (name, sentence) in SAYS.iter().filter(|(name, _)| !LARGE.contains(name)) {
        let status = serde_json::to_value(says(&configs, name, sentence).await).expect("plain data");
        is_fit_to_be_shown(name, &status);
    }
    comes_and_goes(&ground, "after").await;
    the_log_is_short_and_tells_no_body(&fleet);
    let sent = attacks(&fleet).lines().filter(|line| line.starts_with("busy ")).count() as u64;
    let most = 2 * (begun.elapsed().as_secs() + 1);
    assert!(sent <= most, "R20: two processes have sent {sent} requests, and one each second is {most}");
    for (name, before) in &before {
        let now = cost(&fleet, name);
        println!(
            "{name} at the end: {} MiB, was {} MiB; {} ticks of CPU",
            now.now >> 20,
            before.now >> 20,
            now.ticks - before.ticks
        );
        assert!(now.now <= before.now + GROWTH, "{name}: {} bytes, was {}", now.now, before.now);
    }
}

/// The attacks that there were: lines of folder, method and path.
fn attacks(fleet: &Fleet) -> String {
    fs::read_to_string(fleet.processes().log("hostile-cluster")).expect("a log in UTF-8")
}

/// Starts the server, and keeps a kubeconfig for each of these folders.
async fn start(fleet: &Fleet, ground: &Ground<'_>, folders: &[&str]) {
    let pki = fleet.dir().join("hostile-pki");
    let keys = Pki::ensure(&pki).unwrap_or_else(|error| panic!("{error}"));
    let address = ports::claim(fleet.dir(), "hostile-cluster").unwrap_or_else(|error| panic!("{error}"));
    let args = ["--address", &address.to_string(), "--pki", &pki.display().to_string()].map(str::to_owned).to_vec();
    let program =
        Program { name: "hostile-cluster".to_owned(), path: fleet.binary("hostile-cluster"), args, env: Vec::new() };
    fleet.processes().start(&program).unwrap_or_else(|error| panic!("{error}"));
    eventually("the hostile cluster listens", async || TcpStream::connect(address).await.map(drop)).await;
    let authority = STANDARD.encode(keys.read("ca.crt").unwrap_or_else(|error| panic!("{error}")));
    for name in folders {
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": format!("https://{address}/{name}"), "certificate-authority-data": authority}}],
            "users": [{"name": "c", "user": {"token": "none-that-matters"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        });
        keep(&ground.supervisor, CONFIGS_NAMESPACE, name, "kubeconfig", &kubeconfig.to_string()).await;
    }
}

async fn introduce(configs: &Api<KubevirtConfig>, name: &str) {
    create(configs, name, &json!({"name": name, "kubeconfigSecretRef": name})).await;
}

/// A Machine on the cluster that works, from its creation to its end.
async fn comes_and_goes(ground: &Ground<'_>, name: &str) {
    ground.applied(&machine(name, Some("east"), &json!({"template": "small"}))).await;
    ground.running(name).await;
    ground.delete(name).await;
    ground.gone(name).await;
}

/// ATK8: so many Machines on a cluster that takes 9 s for each write that those on another would wait for minutes behind them.
async fn many_wait_for_a_slow_one(ground: &Ground<'_>) {
    const MANY: usize = 60;
    let machines = ground.machines();
    join_all((0..MANY).map(async |at| {
        let slow = machine(&format!("slow-{at}"), Some("stall"), &json!({"template": "small"}));
        let slow = serde_json::from_value(slow).expect("a Machine");
        machines.create(&Default::default(), &slow).await.expect("admitted");
    }))
    .await;
}

/// ATK1: each of them is met by both processes, which grow by no more than is allowed for all of them.
async fn large_ones_in_turn(fleet: &Fleet, configs: &Api<KubevirtConfig>, before: &BTreeMap<&str, Cost>) {
    for (name, sentence) in SAYS.iter().filter(|(name, _)| LARGE.contains(name)) {
        let begun: BTreeMap<&str, (Cost, usize)> =
            OURS.map(|ours| (ours, (cost(fleet, ours), log(fleet, ours).len()))).into();
        for ours in OURS {
            forget_peak(fleet, ours);
        }
        introduce(configs, name).await;
        is_fit_to_be_shown(name, &serde_json::to_value(says(configs, name, sentence).await).expect("plain data"));
        for ours in OURS {
            eventually(&format!("{ours} meets {name}"), async || {
                let log = log(fleet, ours);
                let met = |line: &&str| line.contains(&format!("\"{name}\"")) && line.contains(sentence);
                log.lines().find(met).map(drop).ok_or("no line in the log")
            })
            .await;
        }
        configs.delete(name, &Default::default()).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        for ours in OURS {
            let (was, now) = (before[ours], cost(fleet, ours));
            let (begun, lines) = begun[ours];
            let (grown, ticks, bytes) =
                (now.peak.saturating_sub(was.now), now.ticks - begun.ticks, log(fleet, ours).len() - lines);
            let (from, to) = (begun.now.saturating_sub(was.now) >> 20, grown >> 20);
            println!("{name}: {ours} grew from +{from} to +{to} MiB, {ticks} ticks of CPU, {bytes} bytes of log");
            assert!(grown <= GROWTH, "{name}: {ours} grew from {} to {} bytes", was.now, now.peak);
        }
    }
}

/// ATK7, ATK8: a Machine runs on a cluster that says unfit things of it.
async fn a_machine_there_shows_nothing_unfit(ground: &Ground<'_>) {
    ground.applied(&machine("lied-to", Some("lies"), &json!({"template": "small"}))).await;
    let shown = ground.until("lied-to", "Running, with a node", |machine| {
        let status = machine.status.as_ref();
        status.is_some_and(|it| it.phase.as_deref() == Some("Running") && it.node_name.is_some())
    });
    let status = shown.await.status.expect("a status");
    let state = status.state.clone().expect("a state");
    assert!(state.starts_with("Running[2J{\"level\":\"error\"}zz") && state.len() == 256, "{state}");
    assert_eq!((status.ip_addresses.len(), status.ip_addresses[0].as_str()), (64, "10.0.0.0"));
    is_fit_to_be_shown("lied-to", &serde_json::to_value(status).expect("plain data"));
    let events: Api<DynamicObject> =
        Api::namespaced_with(ground.supervisor.clone(), &ground.namespace, &resource("Event", "events.k8s.io"));
    for event in events.list(&Default::default()).await.expect("events") {
        is_fit_to_be_shown("an Event", &event.data);
    }
}

fn is_fit_to_be_shown(what: &str, object: &Value) {
    fn texts<'v>(value: &'v Value, all: &mut Vec<&'v str>) {
        match value {
            Value::String(text) => all.push(text),
            Value::Array(list) => list.iter().for_each(|value| texts(value, all)),
            Value::Object(map) => map.values().for_each(|value| texts(value, all)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut all = Vec::new();
    texts(object, &mut all);
    for text in all {
        assert!(!text.contains(CANARY) && !text.chars().any(is_hidden) && text.len() <= 1100, "{what}: {text}");
    }
    let size = object.to_string().len();
    assert!(size < 64 << 10, "{what}: {size} bytes");
}

/// ATK5, T19.
fn the_log_is_short_and_tells_no_body(fleet: &Fleet) {
    for ours in OURS {
        let log = log(fleet, ours);
        assert!(log.len() < 1 << 20, "{ours}: {} bytes", log.len());
        assert!(!log.contains(CANARY), "{ours}");
        for line in log.lines() {
            assert!(
                line.len() <= 8192 && !line.contains("xxxxxxxx") && !line.chars().any(is_hidden),
                "{ours}: {line:.300}"
            );
        }
    }
}

fn log(fleet: &Fleet, name: &str) -> String {
    let component = fleet.component(name).unwrap_or_else(|error| panic!("{error}"));
    assert!(matches!(component, Component::Controller | Component::Webhook), "{component}");
    fs::read_to_string(fleet.processes().log(name)).expect("a log in UTF-8")
}
