//! How many Machines of one cluster are worked on at once: a cluster that is slow keeps none of another waiting. Whoever gets no turn
//! is told when there is one, and is not looked at until then. No I/O.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::names::ClusterName;
use tokio::sync::mpsc;

use crate::objects::MachineUid;

/// The turns of every cluster. Machines without one share turns, too.
#[derive(Clone, Debug)]
pub struct Turns {
    each: usize,
    clusters: Arc<Mutex<Clusters>>,
    touch: mpsc::UnboundedSender<MachineUid>,
}

type Clusters = BTreeMap<Option<ClusterName>, Line>;

/// Who has a turn of a cluster, and who waits for one.
#[derive(Debug, Default)]
struct Line {
    taken: usize,
    /// In the order in which they came, with some that had their turn meanwhile.
    order: VecDeque<MachineUid>,
    waiting: BTreeSet<MachineUid>,
    /// Those that were told, and did not come yet.
    called: BTreeSet<MachineUid>,
}

/// A turn. It ends when this is dropped.
#[derive(Debug)]
pub struct Turn {
    of: Turns,
    cluster: Option<ClusterName>,
}

impl Turns {
    /// So many for each cluster; `touch` hears whose turn it is.
    pub fn new(each: u16, touch: mpsc::UnboundedSender<MachineUid>) -> Self {
        Self { each: usize::from(each), clusters: Arc::default(), touch }
    }

    fn clusters(&self) -> MutexGuard<'_, Clusters> {
        self.clusters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A turn, or nothing: then the Machine is told when there is one, after all that wait already. It should ask again after a
    /// while all the same: one that was told, and is gone, uses up what it was told of.
    pub fn take(&self, cluster: Option<ClusterName>, machine: &MachineUid) -> Option<Turn> {
        let mut clusters = self.clusters();
        let line = clusters.entry(cluster.clone()).or_default();
        let called = line.called.remove(machine);
        if line.taken < self.each {
            line.taken += 1;
            line.waiting.remove(machine);
            drop(clusters);
            return Some(Turn { of: self.clone(), cluster });
        }
        if line.waiting.insert(machine.clone()) {
            // Somebody else was faster.
            if called { line.order.push_front(machine.clone()) } else { line.order.push_back(machine.clone()) }
        }
        None
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut clusters = self.of.clusters();
        let Some(line) = clusters.get_mut(&self.cluster) else { return };
        line.taken -= 1;
        while let Some(next) = line.order.pop_front() {
            if line.waiting.remove(&next) {
                // The receiver lives as long as the process.
                let _ = self.of.touch.send(next.clone());
                line.called.insert(next);
                return;
            }
        }
        if line.taken == 0 {
            clusters.remove(&self.cluster);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(name: &str) -> ClusterName {
        ClusterName(name.to_owned())
    }

    fn told(hear: &mut mpsc::UnboundedReceiver<MachineUid>) -> Vec<MachineUid> {
        std::iter::from_fn(|| hear.try_recv().ok()).collect()
    }

    #[test]
    fn r8_r9_atk8_a_cluster_whose_turns_are_all_taken_keeps_none_of_another_waiting() {
        let (touch, mut hear) = mpsc::unbounded_channel();
        let turns = Turns::new(2, touch);
        let take = |name: &str, machine: &str| turns.take(Some(cluster(name)), &machine.to_owned());
        let taken = [take("west", "a"), take("west", "b")];
        assert!(taken.iter().all(Option::is_some));
        assert!(take("west", "c").is_none(), "west is busy");
        assert!(take("east", "d").is_some(), "east is not");
        assert!(turns.take(None, &"e".to_owned()).is_some(), "nor are Machines without a cluster");
        assert_eq!(told(&mut hear), Vec::<String>::new(), "nobody waits for their turns");
        drop(taken);
        assert_eq!(told(&mut hear), ["c"]);
        assert!(take("west", "c").is_some());
    }

    #[test]
    fn r9_whoever_waits_is_told_once_and_in_order_also_when_somebody_else_is_faster() {
        let (touch, mut hear) = mpsc::unbounded_channel();
        let turns = Turns::new(1, touch);
        let take = |machine: &str| turns.take(Some(cluster("west")), &machine.to_owned());
        let first = take("a").expect("free");
        for waits in ["b", "c", "b", "d"] {
            assert!(take(waits).is_none(), "{waits}");
        }
        drop(first);
        assert_eq!(told(&mut hear), ["b"]);
        let faster = take("x").expect("b did not come yet");
        assert!(take("b").is_none());
        drop(faster);
        assert_eq!(told(&mut hear), ["b"], "b is the first again");
        drop(take("b").expect("its turn"));
        assert_eq!(told(&mut hear), ["c"]);
        // It comes by itself before it is told: what it waited for is done then.
        let by_itself = take("d").expect("c did not come yet");
        assert!(take("c").is_none());
        drop(by_itself);
        drop(take("c").expect("its turn"));
        assert_eq!(told(&mut hear), ["c"], "and not d");
        assert!(turns.clusters().is_empty(), "nothing is kept of a cluster that nobody waits for");
    }

    #[test]
    fn r9_one_that_was_told_and_is_gone_keeps_nobody_from_its_turn() {
        let (touch, mut hear) = mpsc::unbounded_channel();
        let turns = Turns::new(1, touch);
        let take = |machine: &str| turns.take(Some(cluster("west")), &machine.to_owned());
        let first = take("a").expect("free");
        assert!(take("gone").is_none() && take("b").is_none());
        drop(first);
        assert_eq!(told(&mut hear), ["gone"]);
        drop(take("b").expect("it asks again by itself"));
        assert!(turns.clusters().is_empty());
    }
}
