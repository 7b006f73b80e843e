//! PERF-A1: instructions from the body of a review to the body of the answer.
//!
//! `cargo bench -p webhook --bench admission` counts them and compares with the limits; with `-- --profile` it says which
//! functions take them.

mod callgrind;

use std::process::{Command, ExitCode};
use std::sync::Arc;

use admission::{Config, Policy, World};
use model::names::{ClusterName, MachineKey};
use webhook::answer::{Route, answer};

/// What a review may take.
enum Limit {
    /// No limit: shown for comparison.
    None,
    /// At most so many instructions; fewer than `aim` is what we want.
    Total { limit: u64, aim: u64 },
    /// At most so many for each byte of the body.
    PerByte(u64),
}

const BODIES: [(&str, &str, Limit); 6] = [
    ("rev_min", include_str!("reviews/rev_min.json"), Limit::None),
    ("rev_typ_ssa", include_str!("reviews/rev_typ_ssa.json"), Limit::None),
    ("rev_typ", include_str!("reviews/rev_typ.json"), Limit::Total { limit: 100_000, aim: 80_000 }),
    ("rev_update", include_str!("reviews/rev_update.json"), Limit::None),
    ("rev_ci4k", include_str!("reviews/rev_ci4k.json"), Limit::None),
    ("rev_ci16k", include_str!("reviews/rev_ci16k.json"), Limit::PerByte(20)),
];
const FEW: u64 = 50;
const MANY: u64 = 250;

fn main() -> ExitCode {
    if let Some((body, times)) = callgrind::child() {
        return answer_often(&body[0], times);
    }
    if std::env::args().any(|arg| arg == "--profile") {
        return profile("rev_typ");
    }
    println!("{:12} {:>7} {:>13} {:>8}  limit", "body", "bytes", "instructions", "per byte");
    let mut passed = true;
    for (name, body, limit) in &BODIES {
        let each = callgrind::each(&[name], FEW, MANY);
        let bytes = body.len() as u64;
        let (within, said) = match limit {
            Limit::None => (true, String::new()),
            Limit::Total { limit, aim } => {
                let aimed = if each <= *aim { "reached" } else { "missed" };
                (each <= *limit, format!("at most {limit}; aim {aim}: {aimed}"))
            }
            Limit::PerByte(limit) => (each <= limit * bytes, format!("at most {limit} per byte")),
        };
        let verdict = if within { "" } else { "  MISSED" };
        println!("{name:12} {bytes:>7} {each:>13} {:>8}  {said}{verdict}", each / bytes);
        passed &= within;
    }
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn world() -> World {
    let configs = ["east", "north", "west"].map(|name| (ClusterName(name.to_owned()), Arc::new(Config::default())));
    let policy = Policy { default_cluster: Some(ClusterName("east".to_owned())), ..Policy::default() };
    let mut world = World { configs: configs.into(), policy: Arc::new(policy), ..World::default() };
    let network = MachineKey { namespace: "team-platform-prod".to_owned(), name: "prod-net".to_owned() };
    world.networks.namespaces.insert_mut(network, ());
    world
}

fn answer_often(name: &str, times: u64) -> ExitCode {
    let world = world();
    let (_, body, _) = BODIES.into_iter().find(|(body, ..)| *body == name).expect("a body");
    for _ in 0..times {
        let answer = std::hint::black_box(answer(Route::Mutate, std::hint::black_box(body.as_bytes()), &world));
        assert_eq!(answer.outcome, "admitted", "{}", String::from_utf8_lossy(&answer.body));
    }
    ExitCode::SUCCESS
}

/// Prints what one review spends in which function, with all that it calls, and then by itself.
fn profile(name: &str) -> ExitCode {
    const TIMES: u64 = 2_000;
    const SHOWN: usize = 40;
    let file = std::env::temp_dir().join(format!("callgrind.{}", std::process::id()));
    callgrind::run(&[name], TIMES, &file.to_string_lossy());
    for (inclusive, title) in [("yes", "with what it calls"), ("no", "by itself")] {
        let mut annotate = Command::new("callgrind_annotate");
        annotate.args([&format!("--inclusive={inclusive}"), "--auto=no", "--threshold=99"]).arg(&file);
        let output = annotate.output().expect("callgrind_annotate, which comes with valgrind");
        println!("\n{name}: instructions per review in a function, {title}");
        let said = String::from_utf8_lossy(&output.stdout);
        for (count, function) in said.lines().filter_map(counted).take(SHOWN) {
            println!("{:>9}  {function}", count / TIMES);
        }
    }
    let _ = std::fs::remove_file(&file);
    ExitCode::SUCCESS
}

/// Count and name in a line of callgrind_annotate, such as `1,234 (0.5%)  ???:core::fmt::write [/path/of/the/binary]`.
fn counted(line: &str) -> Option<(u64, &str)> {
    let (count, rest) = line.trim_start().split_once(' ')?;
    let count = count.replace(',', "").parse().ok()?;
    let function = rest.split_once(")  ")?.1.trim();
    let function = function.rsplit_once(" [").map_or(function, |(function, _)| function);
    (!function.starts_with("PROGRAM TOTALS")).then_some((count, function))
}
