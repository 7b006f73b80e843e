//! Whether nodes of a cluster may be restarted now, over all clusters. Pure. X87, P6.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::snapshot::{Disruption, Known};
use crate::names::ClusterName;

/// How long it takes until the pools of a cluster show that something was written.
const UNSEEN: Duration = Duration::from_secs(120);

/// What is known of the pools of nodes of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pools {
    /// Whether we may restart its nodes.
    pub disruption: Disruption,
    /// Whether one of them is being updated.
    pub updating: Known<bool>,
    /// When we wrote something there that restarts nodes.
    pub written: Option<Timestamp>,
}

/// Whether it is the turn of `mine`: at most `most` clusters have nodes that restart. The error says what it waits for. Whoever
/// writes on several clusters at once notes `written` before the next one is asked about.
///
/// Guarantees: a cluster whose pools cannot be seen counts as one that restarts, if we may restart its nodes.
pub fn turn(
    mine: &ClusterName,
    clusters: &BTreeMap<ClusterName, Pools>,
    most: usize,
    now: Timestamp,
) -> Result<(), String> {
    let why = |pools: &Pools| {
        let unseen = pools.written.is_some_and(|at| at.checked_add(UNSEEN).is_ok_and(|until| until > now));
        match &pools.updating {
            Ok(true) => Some("whose nodes are being updated"),
            _ if unseen => Some("which was just written to"),
            Err(_) if pools.disruption == Disruption::Allow => Some("whose nodes cannot be seen"),
            _ => None,
        }
    };
    let others = clusters.iter().filter(|(name, _)| *name != mine);
    let busy: Vec<String> = others.filter_map(|(name, pools)| Some(format!("{name}, {}", why(pools)?))).collect();
    match busy.first() {
        _ if busy.len() < most => Ok(()),
        Some(first) => Err(format!("waits for the cluster {first}")),
        None => Err("no cluster may have nodes that restart: PLATFORM_DISRUPTED_CLUSTERS is 0".to_owned()),
    }
}
