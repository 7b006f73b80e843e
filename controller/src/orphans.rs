//! What this supervisor made on its clusters and no Machine accounts for: counted by a metric, listed by `/debug/orphans`. It is
//! never deleted by itself, because a supervisor that was restored from a backup knows of too few Machines (R23). I/O: a timer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::names::ClusterName;
use runtime::clusters::ClusterMap;

use crate::awaited::Awaited;
use crate::context::Context;
use crate::departures::Departures;
use crate::metrics::Metrics;
use crate::objects::{MachineUid, ObjectKey, WatchedKind};
use crate::session::ClusterIndex;
use crate::uids::Uids;

/// How often they are counted.
const EVERY: Duration = Duration::from_secs(30);

/// Looks for what nobody accounts for. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Orphans {
    clusters: Arc<ClusterMap<ClusterIndex>>,
    uids: Arc<Uids>,
    awaited: Arc<Awaited>,
    departures: Arc<Departures>,
}

/// One object whose labels name a Machine that is not there.
type Orphan = (ClusterName, WatchedKind, ObjectKey, MachineUid);

impl Orphans {
    /// What a controller knows of them.
    pub(crate) fn of(ctx: &Context) -> Self {
        let (clusters, uids) = (ctx.clusters.clone(), ctx.uids.clone());
        Self { clusters, uids, awaited: ctx.awaited.clone(), departures: ctx.departures.clone() }
    }

    /// All of them; nothing is said before every Machine was listed.
    fn find(&self) -> Option<Vec<Orphan>> {
        if !self.uids.are_listed() {
            return None;
        }
        let clusters = self.clusters.load();
        let named = clusters.iter().filter_map(|(name, entry)| Some((name, entry.cluster.as_ref()?)));
        let orphans = named.flat_map(|(name, cluster)| {
            let of_nobody = cluster.index.objects.of_nobody(|uid| self.uids.find(uid).is_some());
            of_nobody.into_iter().map(|(watched, key, uid)| (name.clone(), watched, key, uid))
        });
        Some(orphans.collect())
    }

    /// A line for each, for people.
    pub(crate) fn said(&self) -> String {
        let Some(mut orphans) = self.find() else { return "the Machines are not listed yet: ask again\n".to_owned() };
        orphans.sort();
        if orphans.is_empty() {
            return "no orphans: every object of this supervisor has its Machine\n".to_owned();
        }
        let line = |(cluster, watched, key, uid): &Orphan| {
            format!("{cluster}  {}  {}/{}  of Machine UID {uid}\n", watched.name(), key.namespace, key.name)
        };
        orphans.iter().map(line).collect()
    }

    /// Counts them for ever, and forgets what is remembered of Machines that are gone.
    pub(crate) async fn count(self, metrics: Metrics) {
        let mut turns = tokio::time::interval(EVERY);
        loop {
            turns.tick().await;
            if let Some(orphans) = self.find() {
                metrics.orphaned(orphans.len());
                let is_there = |uid: &str| self.uids.find(uid).is_some();
                self.awaited.forget_gone(is_there, Instant::now());
                self.departures.forget_gone(is_there);
            }
        }
    }
}
