//! One that polls: the requests of the operator that is published, in their order, with its one worker, its pause of five
//! seconds, its second pass after each write of its own, and the limit of its client for each kind and cluster. It decides nothing.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use kube::Client;
use serde_json::{Value, json};
use tokio::time::{sleep, sleep_until};

use super::ground::Ground;
use super::objects::{NAMESPACE, cluster, name, word};
use super::world::{Fleet, SUPERVISOR};
use crate::Fault;

/// Until it looks at a Machine again.
const PAUSE: Duration = Duration::from_secs(5);
/// Of requests of one kind to one cluster, between two of them, and how many may come at once.
const BETWEEN: Duration = Duration::from_millis(200);
const AT_ONCE: u32 = 10;
/// For so long it is watched while nothing happens, with so many Machines.
const WATCHED: Duration = Duration::from_secs(30);
const FEW: usize = 5;

struct Poller {
    supervisor: Client,
    clusters: Vec<Client>,
    /// When the next request of a kind to a cluster would be due, if there were no more than those between which there is a pause.
    due: HashMap<(usize, &'static str), Instant>,
    /// Machines that have their VM.
    made: BTreeSet<usize>,
}

impl Poller {
    async fn new(ground: &Ground, clusters: usize) -> Result<Self, Fault> {
        let mut all = Vec::new();
        for at in 0..clusters {
            all.push(ground.client(&cluster(at)).await?);
        }
        let supervisor = ground.client(SUPERVISOR).await?;
        Ok(Self { supervisor, clusters: all, due: HashMap::new(), made: BTreeSet::new() })
    }

    /// Works on so many Machines, and never ends.
    async fn run(mut self, machines: usize) {
        let now = Instant::now();
        let mut queue: BTreeSet<(Instant, usize, bool)> = (0..machines).map(|at| (now, at, false)).collect();
        while let Some((when, at, again)) = queue.pop_first() {
            sleep_until(when.into()).await;
            self.pass(at).await;
            let next = if again { Instant::now() + PAUSE } else { Instant::now() };
            queue.insert((next, at, !again));
        }
    }

    async fn pass(&mut self, at: usize) {
        let machine = name(&word(at));
        let vm = format!("vm-{machine}");
        let vms = format!("/apis/kubevirt.io/v1/namespaces/{NAMESPACE}/virtualmachines");
        let vmi = format!("/apis/kubevirt.io/v1/namespaces/{NAMESPACE}/virtualmachineinstances/{vm}");
        let core = format!("/api/v1/namespaces/{NAMESPACE}");
        let made = self.made.insert(at);
        if made {
            for _ in ["finalizer", "annotation"] {
                self.change(&machine, &json!({})).await;
            }
        }
        self.read(at, "namespaces", &format!("/api/v1/namespaces/{NAMESPACE}")).await;
        self.read(at, "virtualmachines", &format!("{vms}/{vm}")).await;
        if made {
            let (claims, claim) = (format!("{core}/persistentvolumeclaims"), format!("{vm}-root"));
            self.read(at, "persistentvolumeclaims", &format!("{claims}/{claim}")).await;
            self.read(at, "storageprofiles", "/apis/cdi.kubevirt.io/v1beta1/storageprofiles/fast-ssd").await;
            self.create(at, "persistentvolumeclaims", &claims, &claim).await;
            let records = format!("/apis/vitistack.io/v1alpha1/namespaces/{NAMESPACE}/networkconfigurations");
            send(&self.supervisor, http::Method::POST, &records, &json!({"metadata": {"name": machine}})).await;
            self.create(at, "virtualmachines", &vms, &vm).await;
        }
        let instance = self.read(at, "virtualmachineinstances", &vmi).await.unwrap_or_default();
        let address = &instance["status"]["interfaces"][0]["ipAddress"];
        let waits = if address.is_null() { "events" } else { "pods" };
        self.read(at, waits, &format!("{core}/{waits}")).await;
        let status = if address.is_null() {
            json!({"phase": "Creating"})
        } else {
            json!({"ipAddresses": [address], "conditions": [{"type": "Ready", "status": "True"}]})
        };
        self.change(&machine, &json!({"status": status})).await;
    }

    async fn read(&mut self, at: usize, kind: &'static str, path: &str) -> Option<Value> {
        let client = self.turn(at, kind).await;
        send(&client, http::Method::GET, path, &Value::Null).await
    }

    async fn create(&mut self, at: usize, kind: &'static str, path: &str, name: &str) {
        let client = self.turn(at, kind).await;
        let object = json!({"metadata": {"name": name}, "spec": {"template": {"spec": {}}}});
        send(&client, http::Method::POST, path, &object).await;
    }

    async fn change(&self, machine: &str, change: &Value) {
        let path = format!("/apis/vitistack.io/v1alpha1/namespaces/{NAMESPACE}/machines/{machine}/status");
        send(&self.supervisor, http::Method::PUT, &path, change).await;
    }

    /// Waits until the client's limit lets a request through.
    async fn turn(&mut self, at: usize, kind: &'static str) -> Client {
        let cluster = at % self.clusters.len();
        let now = Instant::now();
        let due = self.due.entry((cluster, kind)).or_insert(now);
        let wait = due.checked_sub(BETWEEN * (AT_ONCE - 1)).map_or(Duration::ZERO, |from| from.duration_since(now));
        *due = now.max(*due) + BETWEEN;
        sleep(wait).await;
        self.clusters[cluster].clone()
    }
}

/// What is answered, unless that is a refusal.
async fn send(client: &Client, method: http::Method, path: &str, body: &Value) -> Option<Value> {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let request = http::Request::builder().method(method).uri(path).body(body).ok()?;
    serde_json::from_str(&client.request_text(request).await.ok()?).ok()
}

/// Seconds until so many Machines that arrive at once run.
pub(super) async fn burst(machines: usize, fleet: Fleet) -> Result<f64, Fault> {
    let ground = Ground::new(fleet).await?;
    let poller = Poller::new(&ground, fleet.clusters).await?;
    ground.say("arrive", machines).await?;
    tokio::select! {
        () = poller.run(machines) => Err("it ended".into()),
        seen = ground.settled(machines) => Ok(seen?.seconds),
    }
}

/// Requests in a minute while nothing happens.
#[expect(clippy::cast_precision_loss, reason = "small counts")]
pub(super) async fn idle() -> Result<f64, Fault> {
    let ground = Ground::new(Fleet { clusters: 1, ..Fleet::default() }).await?;
    let poller = Poller::new(&ground, 1).await?;
    ground.say("arrive", FEW).await?;
    let watch = async {
        ground.settled(FEW).await?;
        sleep(PAUSE).await;
        let before = ground.say("seen", 0).await?;
        sleep(WATCHED).await;
        let after = ground.say("seen", 0).await?;
        let requests = after.reads + after.writes - before.reads - before.writes;
        Ok::<_, Fault>(requests as f64 * 60.0 / WATCHED.as_secs_f64())
    };
    tokio::select! {
        () = poller.run(FEW) => Err("it ended".into()),
        found = watch => found,
    }
}
