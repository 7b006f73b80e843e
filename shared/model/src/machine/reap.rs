//! What is done about what deleted Machines left on a cluster that was said to be gone for good, and that answers again (R4). Pure.
//!
//! Only by the word of somebody who may edit the KubevirtConfig, and then as the deletion of that Machine would have gone.

use std::collections::BTreeSet;

use super::cleanup;
use super::identity::Identity;
use super::intent::{DeletionPolicy, Intent, Leaving};
use super::observed::{Observed, Remote};
use super::write::{Failure, Here, There, Write};
use crate::api::KubevirtConfig;
use crate::api::config::Orphan;
use crate::names::{CLEANUP, ClusterName, MachineKey, VmKey};

/// The word that lets orphans be deleted.
const DELETE: &str = "Delete";

/// What is left to do about one orphan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// Writes on the cluster, in their order.
    pub writes: Vec<There>,
    /// Why nothing more can be done now.
    pub refused: Option<Failure>,
    /// Nothing is left of it once these writes are done, and it may be forgotten.
    pub done: bool,
}

/// The orphans of a KubevirtConfig that are to be deleted.
pub fn wanted(config: &KubevirtConfig) -> &[Orphan] {
    let asked = config.spec.orphan_policy.as_deref() == Some(DELETE);
    config.status.as_ref().filter(|_| asked).map_or(&[], |status| &status.orphans)
}

/// The Machine that left an orphan, as it was on its way out. `None` where too little was recorded to know what is whose:
/// another supervisor's, one without a cluster, or one whose deletion policy is not known.
pub fn leaving(orphan: &Orphan, cluster: &ClusterName, supervisor: &str) -> Option<Intent> {
    let (namespace, name) = orphan.machine.split_once('/')?;
    let (vm_namespace, vm) = orphan.virtual_machine.split_once('/')?;
    let policy = DeletionPolicy::read(Some(orphan.deletion_policy.as_deref()?)).ok()?;
    let known = !orphan.uid.is_empty() && orphan.cluster_id.is_some();
    if !known || orphan.supervisor.as_deref() != Some(supervisor) {
        return None;
    }
    let identity = Identity {
        key: MachineKey { namespace: namespace.to_owned(), name: name.to_owned() },
        uid: orphan.uid.clone(),
        generation: 0,
        resource_version: None,
        vm: VmKey { namespace: vm_namespace.to_owned(), name: vm.to_owned() },
        alone: false,
        cluster_id: orphan.cluster_id.clone(),
        take_over: None,
        lost: Vec::new(),
    };
    Some(Intent::Leave(Leaving {
        identity,
        cluster: Some(cluster.clone()),
        policy: Ok(policy),
        finalizers: vec![CLEANUP.to_owned()],
        may_have_secret: true,
        claims: BTreeSet::new(),
        forsakes_cluster: false,
    }))
}

/// The next step; nothing while the cluster does not answer, or is another one.
pub fn step(intent: &Intent, seen: &Observed) -> Step {
    let Intent::Leave(leaving) = intent else { return Step::default() };
    match &seen.remote {
        Remote::Connected { id } if leaving.identity.cluster_id.as_ref() == Some(id) => {}
        Remote::Connected { .. } | Remote::Missing | Remote::Connecting | Remote::Unreachable(_) => {
            return Step::default();
        }
    }
    let plan = cleanup::plan(leaving, seen);
    let done = plan.writes.iter().any(|write| matches!(write, Write::Here(Here::Release(_))));
    // Its record on the supervisor went with the Machine; one of that name is another Machine's.
    let there = plan.writes.into_iter().filter_map(|write| match write {
        Write::There(write) => Some(write),
        Write::Here(_) => None,
    });
    Step { writes: there.collect(), refused: plan.refused, done }
}
