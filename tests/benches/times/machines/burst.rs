//! Machines that arrive all at once, until all of them run: how many in a second, with how much CPU, how this grows with their
//! number and with that of clusters, what a cluster that says nothing costs the others, and how a poller does. PERF-C4, PERF-C6,
//! PERF-D.

use super::ground::Ground;
use super::poller;
use super::world::Fleet;
use super::{judge, judge_least};
use crate::Fault;
use crate::children::resident;
use crate::ratios::Ratio;

/// Milliseconds that a cluster takes for each answer, and of a VM in each of its four phases.
const DISTANCE: u64 = 5;
const BOOT: u64 = 50;
/// A fleet, and the Machines that arrive in it.
const CLUSTERS: usize = 10;
const MACHINES: usize = 2_000;
/// Machines in a second, and milliseconds of CPU for each.
const LEAST_RATE: f64 = 200.0;
const MOST_CPU: f64 = 2.0;
/// Numbers of Machines and of clusters; how whatever is measured may grow with the former.
const GROWING: [usize; 5] = [100, 300, 1_000, 3_000, 10_000];
const SPREAD: [usize; 5] = [1, 3, 10, 30, 100];
const MOST_EXPONENT: f64 = 1.05;
/// Rounds with a silent cluster and without, and what the nine others keep of what they do.
const ROUNDS: usize = 5;
const MOST_BESIDE: f64 = 1.05;
/// Machines of the poller, which would take an hour for more, and how many times as many of ours run in a second.
const POLLED: usize = 40;
const LEAST_AHEAD: [(usize, f64); 2] = [(1, 80.0), (CLUSTERS, 8.0)];

/// What a burst took.
#[derive(Clone, Copy, Debug)]
struct Burst {
    machines: usize,
    clusters: usize,
    seconds: f64,
    /// Seconds of it.
    cpu: f64,
    requests: usize,
    /// KiB more than before.
    memory: f64,
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
impl Burst {
    fn rate(&self) -> f64 {
        self.machines as f64 / self.seconds
    }

    /// Milliseconds of CPU for each Machine.
    fn cpu_each(&self) -> f64 {
        self.cpu * 1e3 / self.machines as f64
    }

    fn print(&self) {
        let Self { machines, clusters, seconds, memory, requests, .. } = self;
        let (rate, cpu, each) = (self.rate(), self.cpu_each(), *requests as f64 / *machines as f64);
        println!("{machines:>8} {clusters:>8} {seconds:>8.2} {rate:>8.0} {cpu:>8.2} {each:>8.2} {memory:>9.0}");
    }
}

fn heading() {
    let names = ["Machines", "clusters", "s", "each s", "CPU ms", "requests", "KiB more"];
    println!(
        "{:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9}",
        names[0], names[1], names[2], names[3], names[4], names[5], names[6]
    );
}

/// Measures, prints, and says whether all limits hold.
pub(crate) async fn measure() -> Result<bool, Fault> {
    println!(
        "\nMachines that arrive at once, until all run; answers of clusters take {DISTANCE} ms, a VM {} ms",
        4 * BOOT
    );
    heading();
    let burst = of(MACHINES, CLUSTERS, false).await?;
    burst.print();
    let mut passed = judge_least("Machines in a second", burst.rate(), LEAST_RATE);
    passed &= judge("ms of CPU for each", burst.cpu_each(), MOST_CPU);
    passed &= grow().await?;
    passed &= beside().await?;
    passed &= ahead().await?;
    Ok(passed)
}

/// A burst in a fleet of its own. With `silent`, the first cluster says nothing from before it, and has as many Machines more.
async fn of(machines: usize, clusters: usize, silent: bool) -> Result<Burst, Fault> {
    let ground = Ground::new(Fleet { clusters, distance: DISTANCE, boot: BOOT, baseline: false }).await?;
    let controller = ground.controller()?;
    // One for each cluster, so that all connections are there.
    ground.say("arrive", clusters).await?;
    ground.settled(clusters).await?;
    controller.settle(clusters).await?;
    if silent {
        ground.say("silence", 0).await?;
    }
    let all = if silent { machines + machines / (clusters - 1) } else { machines };
    let (cpu, memory) = (controller.cpu()?, resident(controller.id())?);
    ground.say("arrive", all).await?;
    let seen = ground.settled(clusters + machines).await?;
    let (cpu, memory) = (controller.cpu()? - cpu, resident(controller.id())? - memory);
    Ok(Burst { machines, clusters, seconds: seen.seconds, cpu, requests: seen.reads + seen.writes, memory })
}

/// With their number, and with that of the clusters.
#[expect(clippy::cast_precision_loss, reason = "small counts")]
async fn grow() -> Result<bool, Fault> {
    println!("\nas their number grows");
    heading();
    let (mut bursts, mut spread) = (Vec::new(), Vec::new());
    for machines in GROWING {
        let burst = of(machines, CLUSTERS, false).await?;
        burst.print();
        bursts.push(burst);
    }
    println!("\nas the number of clusters grows");
    heading();
    for clusters in SPREAD {
        let burst = of(MACHINES, clusters, false).await?;
        burst.print();
        spread.push(burst);
    }
    let exponent = |of: fn(&Burst) -> f64| slope(bursts.iter().map(|it| (it.machines as f64, of(it))));
    let mut passed = judge("exponent of CPU in Machines", exponent(|it| it.cpu), MOST_EXPONENT);
    passed &= judge("exponent of requests in Machines", exponent(|it| it.requests as f64), MOST_EXPONENT);
    passed &= judge("exponent of memory in Machines", exponent(|it| it.memory), MOST_EXPONENT);
    let exponent = |of: fn(&Burst) -> f64| slope(spread.iter().map(|it| (it.clusters as f64, of(it))));
    println!("exponent of CPU in clusters: {:.2}", exponent(|it| it.cpu));
    println!("exponent of requests in clusters: {:.2}", exponent(|it| it.requests as f64));
    Ok(passed)
}

/// By how much the logarithm of the second grows with that of the first: least squares.
#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn slope(points: impl Iterator<Item = (f64, f64)>) -> f64 {
    let points: Vec<(f64, f64)> = points.map(|(x, y)| (x.ln(), y.max(f64::MIN_POSITIVE).ln())).collect();
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
    let (x, y) = (mean(|it| it.0), mean(|it| it.1));
    let both: f64 = points.iter().map(|it| (it.0 - x) * (it.1 - y)).sum();
    both / points.iter().map(|it| (it.0 - x).powi(2)).sum::<f64>()
}

/// A cluster that says nothing any more, and what the others do meanwhile.
async fn beside() -> Result<bool, Fault> {
    println!("\none of {CLUSTERS} clusters says nothing, for the others; {ROUNDS} rounds");
    let machines = MACHINES - MACHINES / CLUSTERS;
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let first = of(machines, CLUSTERS, round % 2 == 0).await?;
        let second = of(machines, CLUSTERS, round % 2 == 1).await?;
        let (with, without) = if round % 2 == 0 { (first, second) } else { (second, first) };
        rounds.push(with.seconds / without.seconds);
    }
    Ok(Ratio::of(&rounds).within("    time that they take", MOST_BESIDE))
}

/// Of a poller with the requests of the operator that is published.
#[expect(clippy::cast_precision_loss, reason = "small counts")]
async fn ahead() -> Result<bool, Fault> {
    println!("\nof one that polls, with {POLLED} Machines for each cluster");
    let idle = poller::idle().await?;
    println!("    requests a minute with 5 Machines that run: {idle:.0}; of that operator 600 were counted");
    let mut passed = true;
    for (clusters, least) in LEAST_AHEAD {
        let machines = POLLED * clusters;
        let seconds =
            poller::burst(machines, Fleet { clusters, distance: DISTANCE, boot: BOOT, baseline: false }).await?;
        let (theirs, ours) = (machines as f64 / seconds, of(MACHINES, clusters, false).await?.rate());
        println!("    {clusters:>3} clusters: {theirs:.2} Machines in a second, ours {ours:.0}");
        passed &= judge_least("    ours to theirs", ours / theirs, least);
    }
    Ok(passed)
}
