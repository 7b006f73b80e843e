//! What is known of a cluster when the status of its KubevirtConfig is written. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::super::View;
use super::super::facts::Learnt;
use super::super::kubeconfig::Validity;
use crate::api::config::Capacity;

/// What is known of a cluster beside our objects there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Offered {
    /// Facts.
    pub learnt: Learnt,
    /// Its room; `Some(None)` when we may not see its nodes and pods.
    pub room: Option<Option<Capacity>>,
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
    /// How many Machines are recorded on it; absent until all are known.
    pub machines: Option<usize>,
}
