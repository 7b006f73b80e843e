//! PERF-E2: how evenly `balanced` spreads Machines, simulated with several replicas that each know an old state.
//!
//! `cargo bench -p webhook --bench balanced`. Pure and seeded: every run prints the same figures but for the seconds.

mod simulation;

use std::process::ExitCode;

use simulation::{Found, Policy, Scene, simulate};

/// Most Machines by which any cluster may ever exceed its share.
const EXCESS: f64 = 25.0;
/// Most that any cluster may have, as a multiple of its share, once shares are large enough for that to mean something.
const MAX_TO_MEAN: f64 = 1.05;
/// Least of Jain's index of fairness.
const JAIN: f64 = 0.999;
/// Most CPU time for all of it together.
const SECONDS: f64 = 10.0;

#[rustfmt::skip]
const SCENES: [Scene; 13] = [
    Scene { clusters: 10,     machines: 100_000,   replicas: 3,  stale: 1,     churn: 0,   lopsided: 0 },
    Scene { clusters: 10,     machines: 100_000,   replicas: 3,  stale: 300,   churn: 0,   lopsided: 0 },
    Scene { clusters: 10,     machines: 100_000,   replicas: 3,  stale: 3_000, churn: 0,   lopsided: 0 },
    Scene { clusters: 10,     machines: 100_000,   replicas: 3,  stale: 3_000, churn: 0,   lopsided: 8 },
    Scene { clusters: 10,     machines: 100_000,   replicas: 10, stale: 3_000, churn: 0,   lopsided: 0 },
    Scene { clusters: 100,    machines: 200_000,   replicas: 3,  stale: 300,   churn: 0,   lopsided: 0 },
    Scene { clusters: 100,    machines: 200_000,   replicas: 3,  stale: 3_000, churn: 0,   lopsided: 0 },
    Scene { clusters: 100,    machines: 200_000,   replicas: 10, stale: 3_000, churn: 10,  lopsided: 0 },
    Scene { clusters: 1_000,  machines: 1_000_000, replicas: 3,  stale: 3_000, churn: 0,   lopsided: 0 },
    Scene { clusters: 1_000,  machines: 1_000_000, replicas: 10, stale: 3_000, churn: 10,  lopsided: 0 },
    Scene { clusters: 10_000, machines: 1_000_000, replicas: 3,  stale: 30,    churn: 0,   lopsided: 0 },
    Scene { clusters: 10_000, machines: 1_000_000, replicas: 3,  stale: 3_000, churn: 100, lopsided: 0 },
    Scene { clusters: 10_000, machines: 1_000_000, replicas: 10, stale: 3_000, churn: 100, lopsided: 8 },
];

fn main() -> ExitCode {
    println!(
        "excess: most Machines that a cluster ever had beyond its share; max: its multiple of a share of at least 500"
    );
    println!("{:61} | {:^21} | {:>8} | {:>6} | {:>6}", "", "balanced", "own once", "random", "argmin");
    println!(
        "{:>8} {:>9} {:>8} {:>11} {:>11} {:>9} | {:>6} {:>6} {:>7} | {:>8} | {:>6} | {:>6}",
        "clusters",
        "machines",
        "replicas",
        "stale after",
        "come and go",
        "lopsided",
        "excess",
        "max",
        "Jain",
        "excess",
        "excess",
        "excess"
    );
    let mut passed = true;
    for scene in &SCENES {
        let Found { excess, max, jain } = simulate(scene, Policy::Balanced);
        let others = [Policy::OwnCountedOnce, Policy::Random, Policy::ArgminOfOldView];
        let [once, random, argmin] = others.map(|policy| simulate(scene, policy).excess);
        let within = excess <= EXCESS && max <= MAX_TO_MEAN && jain >= JAIN;
        let Scene { clusters, machines, replicas, stale, churn, lopsided } = scene;
        let max = if max > 0.0 { format!("{max:.3}") } else { "-".to_owned() };
        println!(
            "{clusters:>8} {machines:>9} {replicas:>8} {stale:>11} {churn:>11} {lopsided:>9} | {excess:>6.1} {max:>6} {jain:>7.5} | {once:>8.1} | {random:>6.1} | {argmin:>6.1}{}",
            if within { "" } else { "  MISSED" }
        );
        passed &= within;
    }
    let seconds = cpu_seconds();
    println!(
        "at most: excess {EXCESS}, max {MAX_TO_MEAN}; at least: Jain {JAIN}; {seconds:.1} s of CPU, at most {SECONDS}"
    );
    if passed && seconds <= SECONDS { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// CPU time of this process: how long it took does not depend on who else runs.
fn cpu_seconds() -> f64 {
    let spent = std::fs::read_to_string("/proc/self/schedstat").expect("Linux");
    spent.split(' ').next().and_then(|spent| spent.parse::<f64>().ok()).expect("nanoseconds") / 1e9
}
