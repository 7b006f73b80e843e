//! What to do about one Machine on the cluster it is assigned to. Pure; `controller/src/machine.rs` does it.
//!
//! [`Intent::of`] reads the Machine, [`plan`] compares it with what was [`Observed`], [`status()`] says what the Machine shows.

pub mod adoption;
pub mod cleanup;
mod intent;
mod observed;
pub mod owner;
pub mod status;
pub mod storage;
pub mod vm;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::Value;

use crate::api::MachineStatus;
use crate::names::ClusterName;
use crate::reason::Reason;
pub use adoption::{Found, Stray};
pub use intent::{Admitted, DELETION_POLICIES, DeletionPolicy, Identity, Intent, Leaving};
pub use observed::{Claim, Nic, Observed, Remote, Vm, Vmi};
pub use status::status;

/// Kinds that are written on a remote cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `Namespace`.
    Namespace,
    /// `PersistentVolumeClaim`.
    Claim,
    /// `VirtualMachine`.
    Vm,
}

/// One thing to do. The order of a plan is the order of effects.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Supervisor: record the identity of the cluster in the Machine's status before anything is made there.
    Record {
        /// The KubevirtConfig.
        cluster: ClusterName,
        /// UID of its `kube-system` namespace.
        id: String,
        /// Name of the Machine's VM there. It is never changed again.
        vm: String,
    },
    /// Supervisor: put our finalizer on, before anything is made that it protects.
    Guard,
    /// Supervisor: an empty patch, so that admission decides about a Machine that is older than the webhook.
    AskAdmission,
    /// Supervisor: take these finalizers off.
    Release(Vec<String>),
    /// Remote: create this object; one of ours by that name is as good.
    Create(Kind, String, Value),
    /// Remote: merge this into the VM of this name, which is nobody's and becomes the Machine's, if it is still that version.
    Adopt(String, Value),
    /// Nothing more can be written: this is shown, and looked at again with backoff.
    Refuse(Failure),
    /// Remote: merge this into the object, if it is still that version.
    Merge(Kind, String, Value),
    /// Remote: delete the object of this name, if it still has this UID.
    Delete(Kind, String, String),
}

/// What to do, in order.
pub type Plan = Vec<Write>;

/// Why a write did not happen.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The reason it shows as.
    pub reason: Reason,
    /// The answer, for people.
    pub message: String,
}

/// What makes the Machine true. Empty when nothing is left to do; the rest is waiting for the cluster.
///
/// Guarantees: nothing is written before the cluster's identity is recorded, and nothing at all on a cluster with another
/// identity; the VM comes after its disks; what was created and not yet seen is not created again.
pub fn plan(intent: &Intent, seen: &Observed) -> Plan {
    match intent {
        Intent::Foreign | Intent::Undecided(_, Reason::InvalidAssignment, _) => Vec::new(),
        Intent::Undecided(..) => vec![Write::AskAdmission],
        Intent::Leave(leaving) => cleanup::plan(leaving, seen),
        Intent::Run(admitted) => run(admitted, seen),
    }
}

fn run(admitted: &Admitted, seen: &Observed) -> Plan {
    let identity = &admitted.identity;
    // A write to the supervisor, so it does not wait for the cluster: a delete may come before that answers.
    if !admitted.guarded {
        return vec![Write::Guard];
    }
    let Remote::Connected { id } = &seen.remote else { return Vec::new() };
    if let Some(refused) = adoption::unknown(seen) {
        return refused;
    }
    match &identity.cluster_id {
        Some(recorded) if recorded != id => return Vec::new(),
        Some(_) => {}
        None => {
            let vm = adoption::vm_name(admitted, seen);
            return vec![Write::Record { cluster: admitted.cluster.clone(), id: id.clone(), vm }];
        }
    }
    // The finalizer of the published operator guards a VM that is ours now.
    if admitted.legacy && seen.vm.is_some() {
        return vec![Write::Release(vec![crate::names::LEGACY_FINALIZER.to_owned()])];
    }
    if let Some(plan) = adoption::plan(admitted, seen) {
        return plan;
    }
    // What was adopted is not seen yet, and needs none of what a new VM needs; a new one comes after all of that.
    if seen.vm.is_none() && seen.awaited.contains(&(Kind::Vm, identity.vm.name.clone())) {
        return Vec::new();
    }
    let mut plan = Vec::new();
    if !seen.namespace_known {
        let namespace = &identity.vm.namespace;
        plan.push(Write::Create(Kind::Namespace, namespace.clone(), vm::namespace(namespace)));
    }
    plan.extend(storage::plan(admitted, seen));
    plan.extend(vm::plan(admitted, seen));
    plan
}

/// The status that goes with [`Write::Record`]: the one shown so far, the cluster and the name of the VM.
pub fn record(
    previous: &MachineStatus,
    intent: &Intent,
    cluster: &ClusterName,
    id: &str,
    vm: &str,
    now: Time,
) -> MachineStatus {
    let mut next = status::begun(previous, intent, now);
    next.vm_name = Some(vm.to_owned());
    next.phase = Some("Creating".to_owned());
    next.kubevirt_config_ref = Some(crate::api::AssignedConfig {
        name: Some(cluster.0.clone()),
        cluster_id: Some(id.to_owned()),
        namespace: intent.identity().and_then(intent::Identity::mapped),
    });
    next
}
