//! One connection to one remote cluster: learns who it is, runs a session on it, and starts again after a failure.
//! I/O: the remote API server, through the client it is given.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::jiff::Timestamp;
use kube::{Api, Client, ResourceExt};
use model::clusters::kubeconfig::Validity;
use model::names::ClusterName;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::errors::{code, explain, is_unserved};
use crate::client::MayWrite;
use crate::pause::{APART, Pause, spread};

/// Every single request to a remote cluster ends after this long.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// One that was connected answers within this, or is away: with the signs of life of a connection, that is told within ten seconds.
const MOMENT: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Bytes of the UID of a cluster; they have 36.
const LONGEST_ID: usize = 64;

static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// A connection and what its session learnt.
pub struct Cluster<I> {
    /// Name of the KubevirtConfig.
    pub name: ClusterName,
    /// Which connection it is: while a kubeconfig is replaced there are two to one cluster, and each knows its own.
    pub number: u64,
    /// The client; its rights are those of the kubeconfig.
    pub client: Client,
    /// What the session keeps of the cluster's objects.
    pub index: I,
    /// How the connection is.
    pub state: watch::Sender<State>,
    /// Whoever waited for an answer in vain says so here, and the cluster is asked at once: a watch may stay silent for
    /// minutes before it notices.
    pub suspect: Notify,
    /// How long the credentials of the client are good, if they say it.
    pub validity: Option<Validity>,
    /// When the cluster last answered, in seconds since 1970; 0 if it never did.
    heard: AtomicI64,
}

impl<I: Default> Cluster<I> {
    /// A connection that was not tried yet.
    pub fn new(name: ClusterName, client: Client, validity: Option<Validity>) -> Self {
        Self {
            name,
            number: CONNECTIONS.fetch_add(1, Ordering::Relaxed),
            client,
            index: I::default(),
            state: watch::Sender::new(State::Connecting),
            suspect: Notify::new(),
            validity,
            heard: AtomicI64::new(0),
        }
    }
}

impl<I> Cluster<I> {
    /// When the cluster last answered, as far as that was noticed: at a question of ours, and until the watches broke.
    pub fn heard(&self) -> Option<Timestamp> {
        let second = self.heard.load(Ordering::Relaxed);
        Timestamp::from_second(second).ok().filter(|_| second != 0)
    }

    fn hear(&self) {
        self.heard.store(Timestamp::now().as_second(), Ordering::Relaxed);
    }
}

/// How a connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Not tried to the end yet.
    Connecting,
    /// Its watches are synced and have not failed since.
    Connected {
        /// UID of the remote `kube-system` namespace.
        id: String,
    },
    /// The last attempt failed; the sentence says how. What the index holds is old.
    Unreachable(String),
    /// It answered, and does not serve an API that the session needs; the sentence says which (R17, R18).
    Unserved(String),
}

/// What is done on a connection: usually, watches.
pub trait Session: Send + Sync + 'static {
    /// What it keeps.
    type Index: Default + Send + Sync + 'static;

    /// Whether who works on the connection may write.
    fn may_write(&self) -> MayWrite {
        MayWrite::default()
    }

    /// A connection was tried: whether it came about. E19.
    fn tried(&self, _connected: bool) {}

    /// Fills the index, calls `synced` once it is complete, keeps it true, and returns only to say why it cannot any more.
    fn run(&self, cluster: Arc<Cluster<Self::Index>>, synced: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, String>;
}

/// What a connection tells the registry.
pub(super) enum Heard {
    /// Its state is another one.
    Changed(ClusterName),
    /// The cluster does not know us: the Secret may hold something newer.
    Unauthorized(ClusterName),
}

pub(super) fn start<S: Session>(
    (name, client, validity): (ClusterName, Client, Option<Validity>),
    session: &Arc<S>,
    events: &mpsc::Sender<Heard>,
) -> (Arc<Cluster<S::Index>>, JoinHandle<()>) {
    let cluster = Arc::new(Cluster::new(name, client, validity));
    let task = tokio::spawn(keep(cluster.clone(), session.clone(), events.clone()));
    (cluster, task)
}

async fn keep<S: Session>(cluster: Arc<Cluster<S::Index>>, session: Arc<S>, events: mpsc::Sender<Heard>) {
    let mut state = cluster.state.subscribe();
    let (name, changes) = (cluster.name.clone(), events.clone());
    // A session says "synced" from inside a callback, which cannot wait for a place in the channel.
    let told = tokio::spawn(async move {
        while state.changed().await.is_ok() {
            if changes.send(Heard::Changed(name.clone())).await.is_err() {
                return;
            }
        }
    });
    let _ends_with_us = AbortOnDrop(told);
    let _says_so = UnreachableOnDrop(cluster.clone());
    let mut pause = Pause::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        let (began, mut listed) = (Instant::now(), None);
        let (why, next) = match ask_again(&cluster).await {
            Err(Unanswered { why, code }) => {
                if code == Some(401) && events.send(Heard::Unauthorized(cluster.name.clone())).await.is_err() {
                    return;
                }
                (why.clone(), State::Unreachable(why))
            }
            Ok(id) => {
                cluster.hear();
                listed = Some(Instant::now());
                let (synced, trying) = (cluster.clone(), session.clone());
                let connected = Box::new(move || {
                    trying.tried(true);
                    tracing::info!(kubevirtConfig = %synced.name, clusterId = id, "connected to cluster");
                    synced.state.send_replace(State::Connected { id });
                });
                let why = tokio::select! {
                    why = session.run(cluster.clone(), connected) => why,
                    why = silence(&cluster) => why,
                };
                // A connection that lasted and broke is not away before it was asked again.
                let was_connected = matches!(*cluster.state.borrow(), State::Connected { .. });
                if was_connected {
                    cluster.hear();
                }
                let was = was_connected && began.elapsed() > LONGEST_PAUSE;
                let next = match why.clone() {
                    _ if was => State::Connecting,
                    why if is_unserved(&why) => State::Unserved(why),
                    why => State::Unreachable(why),
                };
                (why, next)
            }
        };
        session.tried(false);
        tracing::warn!(kubevirtConfig = %cluster.name, reason = why, "the connection to the cluster ended");
        cluster.state.send_if_modified(|state| {
            let news = *state != next;
            *state = next;
            news
        });
        if began.elapsed() > LONGEST_PAUSE {
            pause.reset();
        }
        // A session lists everything.
        let apart = listed.map_or(Duration::ZERO, |listed| APART.saturating_sub(listed.elapsed()));
        tokio::time::sleep(spread(pause.lengthen().max(apart), &cluster.name.0)).await;
    }
}

/// Returns when somebody suspects the cluster and it does not answer.
async fn silence<I>(cluster: &Cluster<I>) -> String {
    loop {
        cluster.suspect.notified().await;
        match ask(&cluster.client).await {
            // It answers, though it has no time (R20).
            Ok(_) | Err(Unanswered { code: Some(429), .. }) => cluster.hear(),
            Err(Unanswered { why, .. }) => return why,
        }
    }
}

/// The UID of `kube-system`: it lives as long as the cluster, and no two clusters share one.
pub async fn identify(client: &Client) -> Result<String, String> {
    ask(client).await.map_err(|unanswered| unanswered.why)
}

/// A UID is shown and recorded, so it is nothing that a cluster could hide something in (ATK7).
fn is_plain(uid: &str) -> bool {
    uid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Why a cluster did not say who it is.
struct Unanswered {
    why: String,
    /// The status code of its answer. With 401, the credentials are not, or no longer, good.
    code: Option<u16>,
}

/// Asks a cluster who it is. One that was connected, and takes longer than a moment now, counts as away until it answers.
async fn ask_again<I>(cluster: &Cluster<I>) -> Result<String, Unanswered> {
    let mut asked = std::pin::pin!(ask(&cluster.client));
    if let Ok(answer) = tokio::time::timeout(MOMENT, &mut asked).await {
        return answer;
    }
    cluster.state.send_if_modified(|state| {
        let was_connected = *state == State::Connecting && cluster.heard().is_some();
        if was_connected {
            *state = State::Unreachable(format!("no answer within {} s", MOMENT.as_secs()));
        }
        was_connected
    });
    asked.await
}

async fn ask(client: &Client) -> Result<String, Unanswered> {
    let because = |why: String| Unanswered { why, code: None };
    let namespaces = Api::<Namespace>::all(client.clone());
    match tokio::time::timeout(DEADLINE, namespaces.get("kube-system")).await {
        Err(_) => Err(because(format!("no answer within {} s", DEADLINE.as_secs()))),
        Ok(Err(why)) => Err(Unanswered { why: explain(&why, "get the Namespace kube-system"), code: code(&why) }),
        Ok(Ok(namespace)) => {
            let uid = namespace.uid().filter(|uid| (1..=LONGEST_ID).contains(&uid.len()) && is_plain(uid));
            uid.ok_or_else(|| because("its Namespace kube-system has no UID".to_owned()))
        }
    }
}

/// However the task of a connection ends, nobody goes on believing what it last said.
struct UnreachableOnDrop<I>(Arc<Cluster<I>>);

impl<I> Drop for UnreachableOnDrop<I> {
    fn drop(&mut self) {
        self.0.state.send_replace(State::Unreachable("the connection is not kept any more".to_owned()));
    }
}

/// Ends a task with its owner.
pub(super) struct AbortOnDrop(pub(super) JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
