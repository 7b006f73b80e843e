//! Whether nodes of a cluster may be restarted now, over all clusters. Pure. X87, P6.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::snapshot::{Disruption, Known};
use crate::names::ClusterName;

/// How long it takes until the pools of a cluster show that something was written.
const UNSEEN: Duration = Duration::from_secs(120);

/// How long a cluster counts that was being updated when we were told to leave its nodes alone.
const AFTERWARDS: Duration = Duration::from_secs(1800);

/// What is known of the pools of nodes of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pools {
    /// Whether we may restart its nodes.
    pub disruption: Disruption,
    /// Whether one of them is being updated.
    pub updating: Known<bool>,
    /// Until when it counts as one whose nodes restart, whatever is seen.
    pub until: Option<Timestamp>,
}

/// When the pools of a cluster show what was written at this time.
pub fn shown_by(written: Timestamp) -> Option<Timestamp> {
    written.checked_add(UNSEEN).ok()
}

impl Pools {
    /// Something was written that restarts nodes.
    pub fn wrote(&mut self, now: Timestamp) {
        self.until = shown_by(now);
    }

    /// What is seen of the pools. Once an update has come to its end, what was written before is done.
    pub fn see(&mut self, updating: Known<bool>) {
        if (&self.updating, &updating) == (&Ok(true), &Ok(false)) {
            self.until = None;
        }
        self.updating = updating;
    }

    /// We may not restart its nodes any more, and do not look at them: an update that runs takes a while to its end.
    pub fn withdraw(&mut self, now: Timestamp) {
        let runs = self.updating == Ok(true) || self.until.is_some_and(|until| until > now);
        if self.disruption == Disruption::Allow && runs {
            self.until = now.checked_add(AFTERWARDS).ok();
        }
        self.disruption = Disruption::Withhold;
        self.updating = Err("its nodes are not looked at".to_owned());
    }
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
        let unseen = pools.until.is_some_and(|until| until > now);
        match &pools.updating {
            Ok(true) => Some("whose nodes are being updated"),
            _ if unseen => Some("whose nodes may still restart for what was written"),
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
