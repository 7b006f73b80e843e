//! What every reconcile needs, and why one may not come to its end. No I/O.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kube::api::ApiResource;
use kube::runtime::reflector::Store;
use kube::{Api, Client};
use model::api::{KubevirtConfig, Machine};
use model::machine::owner::Adoption;
use model::names::ClusterName;
use runtime::clusters::{ClusterMap, Scope, explain, said};
use tokio::time::error::Elapsed;

use crate::awaited::Awaited;
use crate::carriers::Carriers;
use crate::departures::Departures;
use crate::event_budget::EventBudget;
use crate::events::Events;
use crate::instances::Instances;
use crate::metrics::Metrics;
use crate::networks::NetworkIndex;
use crate::packed::Packed;
use crate::platform::Platform;
use crate::remote_object::Named;
use crate::retries::Retries;
use crate::session::ClusterIndex;
use crate::sources::{self, Sources};
use crate::terminating::Terminating;
use crate::turns::Turns;
use crate::uids::Uids;
use crate::wars::Wars;

/// A pass that takes longer than this is given up and tried again: it must not hold its place in the queue.
pub const LONGEST_PASS: Duration = Duration::from_secs(30);

/// What the log says where a cluster did not tell what it has (B33).
pub const UNREAD: &str = "Failed to get VirtualMachine from remote cluster";

/// The phase that a Machine shows, for the log (C33).
pub fn phase_of(machine: &Machine) -> &str {
    machine.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Pending")
}

/// What every reconcile needs. Nothing in it is changed by one.
pub struct Context {
    /// The supervisor.
    pub client: Client,
    /// UID of its `kube-system` namespace.
    pub supervisor: String,
    /// The remote clusters.
    pub clusters: Arc<ClusterMap<ClusterIndex>>,
    /// What was created and is not seen yet.
    pub awaited: Arc<Awaited>,
    /// Every KubevirtConfig.
    pub configs: Store<KubevirtConfig>,
    /// Where they are.
    pub scope: Scope,
    /// `ADOPTION`.
    pub adoption: Adoption,
    /// `VM_NAME_PREFIX`.
    pub vm_prefix: String,
    /// `MACHINE_LABELS`.
    pub machine_labels: Vec<String>,
    /// `RECONCILE_INTERVAL`: the safety net under the watches.
    pub interval: Duration,
    /// Events on Machines.
    pub events: Events,
    /// How many of them each may still have.
    pub event_budget: EventBudget,
    /// What is counted.
    pub metrics: Metrics,
    /// Failures in a row.
    pub retries: Retries,
    /// Networks of the supervisor.
    pub networks: Arc<NetworkIndex>,
    /// Its namespaces that are being deleted.
    pub terminating: Arc<Terminating>,
    /// Every Machine by UID.
    pub uids: Arc<Uids>,
    /// Instances of adopted VMs.
    pub instances: Instances,
    /// `MAX_CONCURRENT_RECONCILES`, of each cluster.
    pub turns: Turns,
    /// How often each VM was corrected.
    pub wars: Wars,
    /// Where Machines take cloud-init data from.
    pub sources: Sources,
    /// What tells of changes there.
    pub source_watches: sources::Watches,
    /// Secrets with such data of Machines on their way out.
    pub carriers: Carriers,
    /// Machines on their way out.
    pub departures: Arc<Departures>,
    /// How the clusters should be.
    pub platform: Arc<Platform>,
}

/// What there is to tell of this process: nothing before it leads.
pub struct Known {
    /// What every reconcile knows.
    pub ctx: Arc<Context>,
    /// Every Machine.
    pub machines: Store<Packed>,
}

impl Context {
    /// To write to Machines: of the answers nothing but metadata is read.
    pub(crate) fn machines(&self, namespace: &str) -> Api<Named> {
        Api::namespaced_with(self.client.clone(), namespace, &ApiResource::erase::<Machine>(&()))
    }
}

/// Filled once, when the work begins.
pub type AtWork = Arc<OnceLock<Known>>;

/// Why a pass did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The supervisor refused or did not answer.
    #[error("supervisor: {}", said(.0))]
    Supervisor(#[source] kube::Error),
    /// It took longer than [`LONGEST_PASS`].
    #[error("not done after {} s; what was done stays, and the rest is tried again", LONGEST_PASS.as_secs())]
    Late(#[source] Elapsed),
    /// A remote cluster did not answer a lookup.
    #[error("cluster {cluster}: {source}")]
    Cluster {
        /// Its KubevirtConfig.
        cluster: ClusterName,
        /// What it did instead.
        source: Unanswered,
    },
}

/// Why a lookup on a cluster says nothing.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// There was no answer in time.
    #[error("no answer")]
    Late(#[from] Elapsed),
    /// It was refused, or the connection failed. In our words: the cluster's may hold anything (ATK12).
    #[error("{}", explain(.0, "read the objects of Machines"))]
    Failed(#[from] kube::Error),
    /// The answer is about another object than the one that was asked for.
    #[error("the answer is about another object")]
    Other,
}

impl Fault {
    /// A static word for metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Fault::Supervisor(_) => "SupervisorApiError",
            Fault::Late(_) => "Timeout",
            Fault::Cluster { .. } => "KubeVirtApiError",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use kube::core::Status;

    use super::*;
    use crate::table::every_row;

    #[test]
    fn a_fault_is_one_line_and_keeps_its_source() {
        let refused = || kube::Error::Api(Box::new(Status::failure("pods is\nforbidden", "Forbidden").with_code(403)));
        let cluster = ClusterName("east".to_owned());
        let cases = [
            (Fault::Supervisor(refused()), "supervisor: pods isforbidden"),
            (
                Fault::Cluster { cluster, source: refused().into() },
                "cluster east: the credentials lack a right there: read the objects of Machines",
            ),
        ];
        every_row(cases, |(fault, says)| {
            assert_eq!(fault.to_string(), says);
            assert_eq!(runtime::clusters::code(&fault), Some(403), "{:?}", fault.source());
        });
    }
}
