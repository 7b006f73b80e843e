//! What is known of a cluster when the status of its KubevirtConfig is written. Pure.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::super::View;
use super::super::facts::Learnt;
use super::super::kubeconfig::Validity;
use crate::api::config::Capacity;
use crate::names::{ClusterName, MachineKey};
use crate::platform::status::Passed;

/// Names that are kept of the Machines of a namespace.
const NAMES: usize = 3;

/// What is known of a cluster beside our objects there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Offered {
    /// Facts.
    pub learnt: Learnt,
    /// Its room; `Some(None)` when we may not see its nodes and pods.
    pub room: Option<Option<Capacity>>,
}

/// What is left on a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// How many Machines of each namespace are recorded there, or assigned and not made yet, and the first of their names.
    pub(super) machines: BTreeMap<String, (usize, BTreeSet<String>)>,
    /// Objects of this supervisor that no Machine accounts for; absent while the cluster does not tell.
    pub orphans: Option<usize>,
}

impl Left {
    /// Counts a Machine that is there, or is to be.
    pub fn count(&mut self, key: &MachineKey) {
        if !self.machines.contains_key(&key.namespace) {
            self.machines.insert(key.namespace.clone(), (0, BTreeSet::new()));
        }
        if let Some((count, first)) = self.machines.get_mut(&key.namespace) {
            *count += 1;
            first.insert(key.name.clone());
            if first.len() > NAMES {
                first.pop_last();
            }
        }
    }
}

/// What is known of a cluster at one moment.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The connection.
    pub view: View,
    /// Why the webhook cannot use the kubeconfig that is meant for it alone.
    pub webhook: Option<String>,
    /// What was learnt through it.
    pub offered: Offered,
    /// When the cluster last answered this process.
    pub contact: Option<Time>,
    /// How long the credentials of the connection are good, if they say it.
    pub validity: Option<Validity>,
    /// The older KubevirtConfig of the same cluster, which is the one that counts.
    pub elder: Option<ClusterName>,
    /// How many Machines are recorded on it; absent until all are known.
    pub machines: Option<usize>,
    /// What is left on it, where that matters; absent until all Machines are known.
    pub left: Option<Left>,
    /// What was last done for its platform baseline; absent while nothing is known that is newer than what was said before.
    pub platform: Option<Passed>,
}
