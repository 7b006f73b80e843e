//! The process with the connections: the product's own registry and the controller's own watches. I/O: the clusters.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::http::Uri;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use controller::args::PlatformArgs;
use controller::awaited::Awaited;
use controller::lead::{Lead, Standing};
use controller::metrics::Metrics;
use controller::objects::resource_of;
use controller::platform::Platform;
use controller::session::{ClusterIndex, Watches};
use futures::future::{join_all, try_join_all};
use futures::stream;
use kube::api::DynamicObject;
use kube::{Api, Client};
use model::names::{ClusterName, VERSION};
use runtime::clusters::{Cluster, ClusterMap, DEADLINE, KeyOrder, Source, State};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::clusters::{ALIVE, DEAD};
use super::{Fleet, Found};
use crate::Fault;
use crate::ratios::quantile;

const NAMESPACE: &str = "kubevirt-configs";

type Clusters = Vec<Arc<Cluster<ClusterIndex>>>;

/// Connects, asks, prints what was found, and stays until the pipe of its input is closed.
pub(crate) async fn run(server: SocketAddr, fleet: Fleet, certificate: &str) -> Result<(), Fault> {
    let supervisor = supervisor(server, fleet, certificate);
    let source = Source::start(supervisor, NAMESPACE, KeyOrder::ReadWrite, |_| {}).await;
    let (map, awaited) = (Arc::new(ClusterMap::default()), Arc::new(Awaited::default()));
    let (touched, heard) = mpsc::unbounded_channel();
    // Nobody listens to what the clusters offer.
    let (offers, _) = mpsc::unbounded_channel();
    let (lead, metrics) = (Lead::new(Standing::Alone), Metrics::register(&mut Default::default()));
    let off = PlatformArgs { platform_assets: None, platform_disrupted_clusters: 1 };
    let platform = Arc::new(Platform::of(&off, "supervisor".to_owned()));
    let watches = Watches { supervisor: "supervisor".to_owned(), awaited, touched, offers, lead, metrics, platform };
    let (changed, mut changes) = mpsc::channel(64);
    let began = Instant::now();
    tokio::spawn(runtime::clusters::run(source, Arc::new(watches), map.clone(), changed));
    let connected = |cluster: &Cluster<_>| matches!(*cluster.state.borrow(), State::Connected { .. });
    let given_up = |cluster: &Cluster<_>| matches!(*cluster.state.borrow(), State::Unreachable(_));
    let mut took = None;
    let (alive, dead) = loop {
        changes.recv().await.ok_or("the registry ended")?;
        let all = map.load();
        let named = |prefix: &str| -> Clusters {
            all.iter().filter(|(name, _)| name.0.starts_with(prefix)).filter_map(|(_, it)| it.cluster.clone()).collect()
        };
        let (alive, dead) = (named(ALIVE), named(DEAD));
        let ready = alive.iter().filter(|it| connected(it)).count();
        if ready == fleet.alive {
            took.get_or_insert_with(|| milliseconds(began));
        }
        // Dead ones are at their usual work once each was given up for the first time.
        if ready == fleet.alive && dead.iter().filter(|it| given_up(it)).count() == fleet.dead {
            break (alive, dead);
        }
    };
    tokio::spawn(drain(changes));
    for cluster in dead {
        tokio::spawn(insist(cluster));
    }
    let began = Instant::now();
    let mut each = ask_all(&alive, fleet.asked, heard).await?;
    let asked = milliseconds(began);
    let p99 = if each.is_empty() { 0.0 } else { quantile(&mut each, 0.99) };
    println!("{}", serde_json::to_string(&Found { connected: took.unwrap_or_default(), asked, p99 })?);
    std::io::stdout().flush()?;
    std::future::pending().await
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

async fn drain(mut changes: mpsc::Receiver<ClusterName>) {
    while changes.recv().await.is_some() {}
}

/// As a pass that was caught by it: there is always somebody who waits for an answer.
async fn insist(cluster: Arc<Cluster<ClusterIndex>>) {
    let vms: Api<DynamicObject> =
        Api::namespaced_with(cluster.client.clone(), "default", &resource_of("VirtualMachine"));
    loop {
        // It does not answer.
        let _ = tokio::time::timeout(DEADLINE, vms.get("any")).await;
        cluster.suspect.notify_one();
    }
}

/// Asks each cluster so many times for a VM, one at a time, and waits until its watch has told of it, too. Answers with the
/// milliseconds that each took.
async fn ask_all(
    alive: &Clusters,
    times: usize,
    mut heard: mpsc::UnboundedReceiver<String>,
) -> Result<Vec<f64>, Fault> {
    let mut told = BTreeMap::new();
    let askers: Vec<_> = alive
        .iter()
        .map(|cluster| {
            let (tell, hear) = mpsc::unbounded_channel::<()>();
            told.insert(cluster.name.0.clone(), tell);
            (cluster.clone(), hear)
        })
        .collect();
    let telling = tokio::spawn(async move {
        while let Some(machine) = heard.recv().await {
            // Whoever has all answers does not listen any more.
            let _ = told.get(&machine).map(|tell| tell.send(()));
        }
    });
    let asking = askers.into_iter().map(|(cluster, mut hear)| {
        tokio::spawn(async move {
            let resource = resource_of("VirtualMachine");
            let vms: Api<DynamicObject> = Api::namespaced_with(cluster.client.clone(), "default", &resource);
            let mut each = Vec::with_capacity(times);
            for _ in 0..times {
                let began = Instant::now();
                vms.get(&cluster.name.0).await?;
                hear.recv().await.ok_or("nobody tells")?;
                each.push(milliseconds(began));
            }
            Ok::<_, Fault>(each)
        })
    });
    let each = try_join_all(join_all(asking).await.into_iter().map(async |ended| ended.map_err(Fault::from)?)).await?;
    telling.abort();
    Ok(each.concat())
}

/// A supervisor with a KubevirtConfig and a Secret for each cluster, which never change.
fn supervisor(server: SocketAddr, fleet: Fleet, certificate: &str) -> Client {
    let named = |prefix: &'static str, count| (0..count).map(move |at| format!("{prefix}{at}"));
    let names: Vec<String> = named(ALIVE, fleet.alive).chain(named(DEAD, fleet.dead)).collect();
    let metadata = |name: &str| json!({"name": name, "namespace": NAMESPACE, "uid": name, "resourceVersion": "1"});
    let list = |items: Vec<Value>| json!({"metadata": {"resourceVersion": "1"}, "items": items}).to_string();
    let config =
        |name: &String| json!({"metadata": metadata(name), "spec": {"name": name, "kubeconfigSecretRef": name}});
    let authority = STANDARD.encode(certificate);
    let secret = |name: &String| {
        let kubeconfig = json!({
            "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
            "clusters": [{"name": "c", "cluster": {"server": format!("https://{server}/{name}"), "certificate-authority-data": authority}}],
            "users": [{"name": "c", "user": {"token": "none-that-matters"}}],
        });
        json!({"metadata": metadata(name), "data": {"kubeconfig": STANDARD.encode(kubeconfig.to_string())}})
    };
    let (configs, secrets) = (list(names.iter().map(config).collect()), list(names.iter().map(secret).collect()));
    let scope = json!({"groupVersion": "vitistack.io/v1alpha1", "resources": [
        {"name": "kubevirtconfigs", "singularName": "kubevirtconfig", "kind": "KubevirtConfig", "namespaced": true, "verbs": ["list"]}]});
    let answer = async move |uri: Uri| match uri.path().rsplit('/').next().unwrap_or_default() {
        _ if uri.query().is_some_and(|query| query.contains("watch=true")) => {
            Body::from_stream(stream::pending::<Result<&'static [u8], Fault>>())
        }
        "kubevirtconfigs" => Body::from(configs.clone()),
        "secrets" => Body::from(secrets.clone()),
        VERSION => Body::from(scope.to_string()),
        _ => Body::empty(),
    };
    Client::new(Router::new().fallback(answer), NAMESPACE)
}
