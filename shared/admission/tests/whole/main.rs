//! The whole as a simulation: two Machines, two clusters, two controllers and two replicas of the webhook over the real decisions,
//! `model::machine::plan` and `status` and `admission::decide`. Watches are slow, answers are lost, requests come twice, processes
//! end between any two writes, one that lost its lease works on, a cluster is replaced by another, and people do what they like.
//! After every step the laws of `laws.rs` must hold; when faults stop, everything comes to rest as it should.

mod cluster;
mod controller;
mod dice;
mod gather;
mod laws;
mod people;
mod run;
mod seen;
mod store;
mod webhook;
mod world;
mod writes;

use std::collections::BTreeMap;
use std::ops::Range;

use self::run::Run;
use self::world::{TROUBLES, Trouble};

const FIRST: Range<u64> = 0..40;

/// So many lines are shown of what went before a violation.
const LAST: usize = 700;

/// Runs a seed, and says how to see it again.
fn check(seed: u64) -> Result<usize, String> {
    let mut run = Run::drawn(seed);
    run.go().map(|()| run.steps).map_err(|broken| {
        let from = run.world.trace.len().saturating_sub(LAST);
        let last = run.world.trace[from..].join("\n");
        format!(
            "{last}\nseed {seed}: {broken}\nto see it again: WHOLE_SEEDS={seed} cargo test -p admission --test whole -- --nocapture sweep"
        )
    })
}

#[test]
fn i1_i2_i3_i4_i5_i6_hold_whatever_is_slow_lost_or_gone() {
    let steps: usize = FIRST.map(|seed| check(seed).unwrap_or_else(|broken| panic!("{broken}"))).sum();
    println!("{} seeds, {steps} steps", FIRST.count());
}

/// A word from outside: how far to go is no setting of the product.
#[allow(clippy::disallowed_methods)] // reason: a test may be told how long to run
fn said(variable: &str) -> Option<String> {
    std::env::var(variable).ok()
}

/// `WHOLE_SEEDS=7` is one seed, `WHOLE_SEEDS=0..100000` many.
#[test]
fn sweep() {
    let Some(text) = said("WHOLE_SEEDS") else { return };
    let number = |text: &str| text.trim().parse::<u64>().expect("WHOLE_SEEDS is a number, or two with .. between");
    let seeds = match text.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => Range { start: number(&text), end: number(&text) + 1 },
    };
    let (mut steps, mut broken) = (0, 0);
    for seed in seeds.clone() {
        match check(seed) {
            Ok(more) => steps += more,
            Err(why) => {
                println!("{why}");
                broken += 1;
            }
        }
    }
    println!("seeds {seeds:?}, {steps} steps, violations: {broken}");
    assert_eq!(broken, 0, "see above");
}

type Script = BTreeMap<usize, Trouble>;

/// What a life is like: the word of its deletion policy, and how many events a watch brings at once.
const LIVES: [(&str, usize); 6] = [
    ("Delete", usize::MAX >> 1),
    ("Retain", usize::MAX >> 1),
    ("Orphan", usize::MAX >> 1),
    ("Delete", 1),
    ("Retain", 1),
    ("Orphan", 1),
];

/// The life of a Machine with a Secret, in which these writes go wrong: made, halted, run again, deleted, made again under its
/// name, and deleted.
fn live(script: Script, (policy, at_once): (&str, usize)) -> Run {
    let said = format!("{script:?}, {policy}, {at_once} at once");
    let mut run = Run::new(0, script, false);
    (run.alike, run.at_once) = (false, at_once);
    let lived = run.live(policy);
    lived.unwrap_or_else(|broken| panic!("{}\n{said}: {broken}", run.world.trace.join("\n")));
    run
}

/// All that can go wrong with one write, for each write of a life.
fn troubles(life: (&str, usize)) -> Vec<(usize, Trouble)> {
    let writes = live(Script::new(), life).world.writes;
    assert!(writes > 20, "it does nothing");
    (0..writes).flat_map(|at| TROUBLES.map(|trouble| (at, trouble))).collect()
}

/// A part of them here; `WHOLE_LIVES=one` is all, `WHOLE_LIVES=two` any two in one life.
#[test]
fn every_write_of_a_life_may_fail_in_every_way() {
    let (mut lives, mut steps) = (0, 0);
    let mut try_out = |script: Script, life| {
        steps += live(script, life).steps;
        lives += 1;
    };
    match said("WHOLE_LIVES").as_deref() {
        None => {
            for (at, first) in troubles(LIVES[0]).into_iter().enumerate().filter(|(at, _)| at % 4 == 0) {
                try_out(Script::from([first]), LIVES[at / 4 % LIVES.len()]);
            }
        }
        Some("one") => {
            for life in LIVES {
                for first in troubles(life) {
                    try_out(Script::from([first]), life);
                }
            }
        }
        Some("two") => {
            let all = troubles(LIVES[0]);
            for (at, first) in all.iter().enumerate() {
                for second in &all[..at] {
                    try_out(Script::from([*first, *second]), LIVES[0]);
                }
            }
        }
        Some(other) => panic!("WHOLE_LIVES is one or two, and not {other}"),
    }
    println!("{lives} lives, {steps} steps");
}
