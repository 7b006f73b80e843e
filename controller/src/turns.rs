//! How many Machines of one cluster are worked on at once: a cluster that is slow keeps none of another waiting. No I/O.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use model::names::ClusterName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The turns of every cluster. Machines without one share turns, too.
#[derive(Debug)]
pub struct Turns {
    each: usize,
    clusters: Mutex<BTreeMap<Option<ClusterName>, Arc<Semaphore>>>,
}

impl Turns {
    /// So many for each cluster.
    pub fn new(each: u16) -> Self {
        Self { each: usize::from(each), clusters: Mutex::default() }
    }

    /// Waits for a turn, first come first served. It ends when the permit is dropped.
    ///
    /// # Panics
    ///
    /// Never: the turns are not closed.
    pub async fn take(&self, cluster: Option<ClusterName>) -> OwnedSemaphorePermit {
        let turns = {
            let mut clusters = self.clusters.lock().unwrap_or_else(PoisonError::into_inner);
            // Names come from annotations: those of clusters that nobody waits for are forgotten.
            if clusters.len() > 256 {
                clusters.retain(|_, turns| Arc::strong_count(turns) > 1);
            }
            clusters.entry(cluster).or_insert_with(|| Arc::new(Semaphore::new(self.each))).clone()
        };
        turns.acquire_owned().await.expect("invariant: the turns are never closed")
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn r8_r9_atk8_a_cluster_whose_turns_are_all_taken_keeps_none_of_another_waiting() {
        let turns = Turns::new(2);
        let cluster = |name: &str| Some(ClusterName(name.to_owned()));
        let taken: Vec<_> = (0..2).filter_map(|_| turns.take(cluster("west")).now_or_never()).collect();
        assert_eq!(taken.len(), 2);
        assert!(turns.take(cluster("west")).now_or_never().is_none(), "west is busy");
        assert!(turns.take(cluster("east")).now_or_never().is_some(), "east is not");
        assert!(turns.take(None).now_or_never().is_some(), "nor are Machines without a cluster");
        drop(taken);
        assert!(turns.take(cluster("west")).now_or_never().is_some(), "and west has turns again");
    }
}
