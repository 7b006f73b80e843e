//! The driver of one Machine: reads, asks `model::machine`, writes, reports. `model/src/machine.rs` says what; this does it.

mod adopt;
mod execute;
mod gather;
mod remote;
mod report;

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;
use kube::runtime::events::Recorder;
use kube::runtime::reflector::Store;
use model::api::{KubevirtConfig, Machine};
use model::machine::owner::Adoption;
use model::machine::{Intent, plan, status};
use runtime::clusters::ClusterMap;

use crate::awaited::Awaited;
use crate::index::Index;
use crate::metrics::Metrics;
use crate::retries::Retries;
pub use adopt::Instances;

/// A Machine that may not decode.
pub type Guarded = DeserializeGuard<Machine>;

/// What every reconcile needs. Nothing in it is changed by one.
pub struct Context {
    /// The supervisor.
    pub client: Client,
    /// UID of its `kube-system` namespace.
    pub supervisor: String,
    /// The remote clusters.
    pub clusters: Arc<ClusterMap<Index>>,
    /// What was created and is not seen yet.
    pub awaited: Arc<Awaited>,
    /// Every KubevirtConfig.
    pub configs: Store<KubevirtConfig>,
    /// `ADOPTION`.
    pub adoption: Adoption,
    /// `VM_NAME_PREFIX`.
    pub vm_prefix: String,
    /// `RECONCILE_INTERVAL`: the safety net under the watches.
    pub interval: Duration,
    /// Events on Machines.
    pub events: Recorder,
    /// What is counted.
    pub metrics: Metrics,
    /// Failures in a row.
    pub retries: Retries,
    /// Instances of adopted VMs.
    pub instances: Instances,
}

/// Why a pass did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The supervisor refused or did not answer.
    #[error("supervisor: {0}")]
    Supervisor(String),
    /// It took longer than [`LONGEST_PASS`].
    #[error("not done after {} s; what was done stays, and the rest is tried again", LONGEST_PASS.as_secs())]
    Late,
    /// A remote cluster did not answer a lookup.
    #[error("cluster {0}: {1}")]
    Cluster(String, String),
}

impl Fault {
    /// A static word for metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Fault::Supervisor(_) => "SupervisorApiError",
            Fault::Late => "Timeout",
            Fault::Cluster(..) => "KubeVirtApiError",
        }
    }
}

/// A pass that takes longer than this is given up and tried again: it must not hold its place in the queue.
const LONGEST_PASS: Duration = Duration::from_secs(30);

/// Makes one Machine true, as far as its cluster allows now.
pub async fn reconcile(machine: Arc<Guarded>, ctx: Arc<Context>) -> Result<Action, Fault> {
    tokio::time::timeout(LONGEST_PASS, pass(machine, ctx)).await.map_err(|_| Fault::Late)?
}

async fn pass(machine: Arc<Guarded>, ctx: Arc<Context>) -> Result<Action, Fault> {
    let started = Instant::now();
    let machine = match &machine.0 {
        Ok(machine) => machine,
        Err(broken) => {
            tracing::error!(
                machine = broken.metadata.name,
                namespace = broken.metadata.namespace,
                error = broken.error,
                "the Machine cannot be read"
            );
            return Ok(Action::await_change());
        }
    };
    let assigned = machine.metadata.annotations.as_ref().and_then(|all| all.get(model::names::KUBEVIRT_CONFIG));
    let config = assigned.and_then(|name| ctx.configs.find(|config| config.metadata.name.as_ref() == Some(name)));
    let mapped = config.as_ref().and_then(|config| config.spec.namespace.as_deref());
    let intent = Intent::of(machine, &ctx.vm_prefix, mapped);
    let Some(identity) = intent.identity() else { return Ok(Action::await_change()) };
    let (seen, cluster) = gather::gather(&intent, &ctx).await?; // I/O in: a snapshot of the indexes, and a lookup only on doubt
    let writes = plan(&intent, &seen); // pure
    let done = execute::execute(machine, &intent, &writes, cluster.as_deref(), &ctx).await?; // I/O out: stops at the first failure
    let previous = machine.status.clone().unwrap_or_default();
    let next = status(&previous, &intent, &seen, done.failure.as_ref(), Time(Timestamp::now())); // pure
    let later = report::report(machine, &previous, &next, &done, &ctx).await?; // I/O out: /status and an Event
    ctx.metrics.took(started.elapsed().as_secs_f64());
    let next_look = if done.failure.is_some() {
        ctx.retries.failed(&identity.uid)
    } else {
        ctx.retries.settled(&identity.uid);
        gather::next_look(&identity.uid, &seen, &ctx)
    };
    Ok(Action::requeue(later.map_or(next_look, |later| later.min(next_look))))
}
