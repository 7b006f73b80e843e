//! A fleet without anything but numbers: Machines arrive one by one at replicas of the webhook in turn, each of which
//! knows what the others decided up to its last look, and all that it decided itself. Pure.

mod shares;

use admission::placement::draw::draw;
use admission::world::Load;

use shares::Shares;

/// One simulation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene {
    /// Clusters at the beginning.
    pub(crate) clusters: usize,
    /// Machines that arrive.
    pub(crate) machines: usize,
    /// Replicas of the webhook.
    pub(crate) replicas: usize,
    /// Arrivals between two looks of a replica at what is.
    pub(crate) stale: usize,
    /// Clusters that leave in the course of it, Machines and all, and as many that come, empty.
    pub(crate) churn: usize,
    /// Of ten arrivals, how many go to the first replica whatever happens: API servers keep their connections.
    pub(crate) lopsided: u64,
}

impl Scene {
    /// Where an arrival goes.
    fn replica(&self, random: u64) -> usize {
        if mixed(!random) % 10 < self.lopsided {
            return 0;
        }
        usize::try_from(random % self.replicas as u64).expect("fewer than replicas")
    }
}

/// How a cluster is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// The draw of the product. What a replica decided since its last look counts once for each replica: the others see
    /// what it sees, and decide alike. Counted once, all of them together correct the same difference several times over.
    Balanced,
    /// The same draw, where that counts once.
    OwnCountedOnce,
    /// One at random, by weight.
    Random,
    /// The least loaded of all by the last look; what was decided since does not count.
    ArgminOfOldView,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    /// Most Machines that a cluster ever had beyond its share.
    pub(crate) excess: f64,
    /// The largest multiple of its share that a cluster ever had while that was at least 500.
    pub(crate) max: f64,
    /// Jain's index of Machines per weight, at the end, of the clusters that were there all the time.
    pub(crate) jain: f64,
}

/// Of so many Machines one is refused by somebody else after admission, and never seen.
const ONE_REFUSED_OF: u64 = 20;
/// Arrivals until a decision that was never seen is forgotten.
const FORGOTTEN_AFTER: usize = 3_000;

/// One arrival.
#[derive(Clone, Copy)]
struct Arrival {
    cluster: usize,
    replica: usize,
    refused: bool,
}

/// What one replica takes the loads to be.
struct Replica {
    loads: Vec<Load>,
    /// Up to here it has seen all arrivals, and up to there it has forgotten its own that were refused.
    seen: usize,
    forgotten: usize,
    /// Where the least loaded by the last look stands among those to choose from.
    least: usize,
}

impl Replica {
    /// Reads what happened since the last look, as a watch tells it.
    fn look(&mut self, me: usize, log: &[Arrival]) {
        for arrival in log[self.seen..].iter().filter(|arrival| !arrival.refused) {
            let load = &mut self.loads[arrival.cluster];
            if arrival.replica == me {
                load.unseen -= 1;
            } else {
                load.machines += 1;
            }
        }
        self.seen = log.len();
        let due = log.len().saturating_sub(FORGOTTEN_AFTER).max(self.forgotten);
        for arrival in log[self.forgotten..due].iter().filter(|arrival| arrival.refused && arrival.replica == me) {
            let load = &mut self.loads[arrival.cluster];
            load.machines -= 1;
            load.unseen -= 1;
        }
        self.forgotten = due;
    }
}

/// Runs one simulation; the same arguments give the same figures.
pub(crate) fn simulate(scene: &Scene, policy: Policy) -> Found {
    let mut shares = Shares::new(scene.clusters, scene.churn);
    let replicas = match policy {
        Policy::Balanced => u32::try_from(scene.replicas).expect("few replicas"),
        Policy::OwnCountedOnce | Policy::Random | Policy::ArgminOfOldView => 1,
    };
    let replica = || Replica { loads: shares.nothing(), seen: 0, forgotten: 0, least: 0 };
    let mut all: Vec<Replica> = (0..scene.replicas).map(|_| replica()).collect();
    let mut log: Vec<Arrival> = Vec::with_capacity(scene.machines);
    let mut weights = shares.weights();
    let between = scene.machines / (scene.churn + 1);
    for number in 0..scene.machines {
        if number > 0 && number.is_multiple_of(between) && shares.exchange() {
            weights = shares.weights();
            for it in &mut all {
                it.least = shares.least(&it.loads);
            }
        }
        let random = mixed(number as u64);
        let me = scene.replica(random);
        let it = &mut all[me];
        if number >= it.seen + scene.stale {
            it.look(me, &log);
            if policy == Policy::ArgminOfOldView {
                it.least = shares.least(&it.loads);
            }
        }
        let drawn = match policy {
            Policy::Balanced | Policy::OwnCountedOnce => {
                draw(random, &weights, |at| it.loads[shares.eligible()[at]].expected(replicas))
            }
            // With the same load for its weight everywhere, the draw takes the first that it draws.
            Policy::Random => draw(random, &weights, |at| shares.weight(at) - 1),
            Policy::ArgminOfOldView => Some(it.least),
        };
        let cluster = shares.eligible()[drawn.expect("there are clusters")];
        it.loads[cluster].machines += 1;
        it.loads[cluster].unseen += 1;
        let refused = mixed(random).is_multiple_of(ONE_REFUSED_OF);
        if !refused {
            shares.put(cluster);
        }
        log.push(Arrival { cluster, replica: me, refused });
    }
    shares.found()
}

/// The output function of SplitMix64, over numbers: evenly spread, and the same on every machine.
fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
