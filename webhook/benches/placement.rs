//! PERF-E1: instructions of one draw of `balanced`, in fleets of 10 to 100,000 clusters.
//!
//! `cargo bench -p webhook --bench placement`. The loads come from a plain slice, which is the draw by itself, and from a
//! World, which is what admission has.

mod callgrind;

use std::process::ExitCode;

use model::admission::placement::draw::Draw;
use model::admission::world::{Held, Machines};
use model::names::{ClusterName, MachineKey};

const CLUSTERS: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];
const LOADS: [&str; 2] = ["slice", "World"];
const FEW: u64 = 20_000;
const MANY: u64 = 120_000;
/// At most so many instructions with `CLUSTERS_OF_LIMIT` clusters.
const LIMIT: u64 = 400;
const CLUSTERS_OF_LIMIT: usize = 10_000;
/// At most so many times the instructions of the smallest fleet in the largest.
const GROWTH: f64 = 2.0;

fn main() -> ExitCode {
    if let Some((what, times)) = callgrind::child() {
        return draw_often(&what[0], what[1].parse().expect("a number of clusters"), times);
    }
    println!("instructions of one draw, loads from a slice and from a World");
    println!("{:>9} {:>7} {:>7}", "clusters", LOADS[0], LOADS[1]);
    let mut passed = true;
    let mut smallest = [0; 2];
    for clusters in CLUSTERS {
        let counts = LOADS.map(|load| callgrind::each(&[load, &clusters.to_string()], FEW, MANY));
        println!("{clusters:>9} {:>7} {:>7}", counts[0], counts[1]);
        if clusters == CLUSTERS[0] {
            smallest = counts;
        }
        for (at, load) in LOADS.iter().enumerate() {
            if clusters == CLUSTERS_OF_LIMIT {
                passed &= within(&format!("{load}: instructions"), ratio(counts[at], 1), ratio(LIMIT, 1));
            }
            if clusters == CLUSTERS[CLUSTERS.len() - 1] {
                passed &= within(&format!("{load}: growth"), ratio(counts[at], smallest[at]), GROWTH);
            }
        }
    }
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn ratio(count: u64, to: u64) -> f64 {
    count as f64 / to as f64
}

fn within(what: &str, found: f64, limit: f64) -> bool {
    println!("{what} {found:.2}, at most {limit}{}", if found <= limit { "" } else { "  MISSED" });
    found <= limit
}

/// Loads and weights differ, as they do in a fleet; equal weights would spare the draw its second table.
fn draw_often(load: &str, clusters: usize, times: u64) -> ExitCode {
    let draw = Draw::new((0..clusters).map(|at| u32::try_from(at % 4).expect("less than 4") + 1).collect());
    let loads: Vec<u32> = (0..clusters).map(|at| u32::try_from(at * 7 % 3).expect("less than 3")).collect();
    if load == "slice" {
        return draw_from(&draw, times, |at| loads[at]);
    }
    let names: Vec<ClusterName> = (0..clusters).map(|at| ClusterName(format!("prod-region-{at:06}"))).collect();
    let mut machines = Machines::default();
    for (at, load) in loads.iter().enumerate() {
        for number in 0..*load {
            let key = MachineKey { namespace: "shop".to_owned(), name: format!("web-{at}-{number}") };
            machines.put(&key, Held { cluster: Some(names[at].clone()), ..Held::default() });
        }
    }
    let slots: Vec<_> = names.iter().map(|name| Some(machines.slot(name))).collect();
    draw_from(&draw, times, |at| machines.load(&names[at], slots[at]).expected(3))
}

fn draw_from(draw: &Draw, times: u64, load: impl Fn(usize) -> u32) -> ExitCode {
    for seed in 0..times {
        assert!(std::hint::black_box(draw.draw(std::hint::black_box(seed), &load)).is_some());
    }
    ExitCode::SUCCESS
}
