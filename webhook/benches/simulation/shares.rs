//! What each cluster has, and what it should have. Pure.

use admission::world::Load;

use super::Found;

/// Shares smaller than this say nothing about a multiple of them.
const LARGE: f64 = 500.0;

/// The clusters of a simulation, some of which are gone and some of which are still to come.
#[derive(Debug)]
pub(crate) struct Shares {
    clusters: Vec<Cluster>,
    /// Those to choose from.
    eligible: Vec<usize>,
    /// The next one to come.
    next: usize,
    /// Machines and weights of those that are settled.
    machines: f64,
    weights: f64,
    excess: f64,
    max: f64,
    /// How many were there at the beginning.
    first: usize,
}

#[derive(Clone, Debug)]
struct Cluster {
    weight: u32,
    load: u32,
    /// It has had its share. Nothing moves Machines to a new cluster: until then, to fill it first is what it is for.
    settled: bool,
}

impl Shares {
    /// So many clusters with weights from 1 to 4, and so many that come later.
    pub(crate) fn new(clusters: usize, later: usize) -> Self {
        let weight = |at: usize| u32::try_from(at % 4).expect("less than 4") + 1;
        let all: Vec<Cluster> =
            (0..clusters + later).map(|at| Cluster { weight: weight(at), load: 0, settled: at < clusters }).collect();
        let weights = all[..clusters].iter().map(|cluster| f64::from(cluster.weight)).sum();
        let eligible = (0..clusters).collect();
        Self { clusters: all, eligible, next: clusters, machines: 0.0, weights, excess: 0.0, max: 0.0, first: clusters }
    }

    /// No Machine on any cluster, now or later.
    pub(crate) fn nothing(&self) -> Vec<Load> {
        vec![Load::default(); self.clusters.len()]
    }

    /// The clusters to choose from.
    pub(crate) fn eligible(&self) -> &[usize] {
        &self.eligible
    }

    /// Their weights.
    pub(crate) fn weights(&self) -> Vec<u32> {
        (0..self.eligible.len()).map(|at| self.weight(at)).collect()
    }

    /// The weight of one of those to choose from.
    pub(crate) fn weight(&self, at: usize) -> u32 {
        self.clusters[self.eligible[at]].weight
    }

    /// Which of those to choose from has the least for its weight, of what is seen.
    pub(crate) fn least(&self, loads: &[Load]) -> usize {
        let seen = |at: usize| loads[self.eligible[at]].machines - loads[self.eligible[at]].unseen;
        let share = |at: &usize| f64::from(seen(*at) + 1) / f64::from(self.weight(*at));
        (0..self.eligible.len()).min_by(|a, b| share(a).total_cmp(&share(b))).expect("there are clusters")
    }

    /// One cluster goes with all its Machines, and another comes without any; false when none is left to come.
    pub(crate) fn exchange(&mut self) -> bool {
        if self.next == self.clusters.len() {
            return false;
        }
        let at = self.next * 7 % self.eligible.len();
        let gone = &self.clusters[std::mem::replace(&mut self.eligible[at], self.next)];
        if gone.settled {
            self.machines -= f64::from(gone.load);
            self.weights -= f64::from(gone.weight);
        }
        self.next += 1;
        true
    }

    /// A Machine more on a cluster. Its share is its part, by weight, of all that is on settled clusters.
    pub(crate) fn put(&mut self, cluster: usize) {
        let it = &mut self.clusters[cluster];
        it.load += 1;
        let (weight, load) = (f64::from(it.weight), f64::from(it.load));
        if it.settled {
            self.machines += 1.0;
        } else if load >= weight * self.machines / self.weights {
            it.settled = true;
            self.machines += load;
            self.weights += weight;
        } else {
            return;
        }
        let share = weight * self.machines / self.weights;
        self.excess = self.excess.max(load - share);
        if share >= LARGE {
            self.max = self.max.max(load / share);
        }
    }

    /// What came of it all.
    pub(crate) fn found(&self) -> Found {
        let always = self.eligible.iter().filter(|at| **at < self.first).map(|at| &self.clusters[*at]);
        let each = always.map(|it| f64::from(it.load) / f64::from(it.weight));
        let (count, sum, squares) =
            each.fold((0.0, 0.0, 0.0), |(n, sum, squares), one| (n + 1.0, sum + one, squares + one * one));
        Found { excess: self.excess, max: self.max, jain: sum * sum / (count * squares) }
    }
}
