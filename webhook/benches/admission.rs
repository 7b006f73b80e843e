//! PERF-A1: instructions from the body of a review to the body of the answer, counted by callgrind.
//!
//! A count is the difference of two runs with different numbers of repetitions, so start-up does not show. It does not
//! depend on the machine's load. Needs `valgrind`.

use std::process::{Command, ExitCode};
use std::sync::Arc;

use model::admission::{Config, Policy, World};
use model::names::{ClusterName, MachineKey};
use webhook::answer::{Route, answer};

/// File, how often it is answered in the shorter and in the longer run, and the most instructions it may take.
const BODIES: [(&str, &str, Option<u64>); 6] = [
    ("rev_min", include_str!("reviews/rev_min.json"), None),
    ("rev_typ_ssa", include_str!("reviews/rev_typ_ssa.json"), None),
    ("rev_typ", include_str!("reviews/rev_typ.json"), Some(80_000)),
    ("rev_update", include_str!("reviews/rev_update.json"), None),
    ("rev_ci4k", include_str!("reviews/rev_ci4k.json"), None),
    ("rev_ci16k", include_str!("reviews/rev_ci16k.json"), None),
];
const FEW: u64 = 50;
const MANY: u64 = 250;

fn world() -> World {
    let configs = ["east", "north", "west"].map(|name| (ClusterName(name.to_owned()), Arc::new(Config::default())));
    let policy = Policy { default_cluster: Some(ClusterName("east".to_owned())), ..Policy::default() };
    let mut world = World { configs: configs.into(), policy: Arc::new(policy), ..World::default() };
    let network = MachineKey { namespace: "team-platform-prod".to_owned(), name: "prod-net".to_owned() };
    world.networks.namespaces.insert_mut(network, ());
    world
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "--child") {
        return child(&args[at + 1], args[at + 2].parse().expect("a count"));
    }
    println!("{:12} {:>7} {:>13} {:>8} {:>8}", "body", "bytes", "instructions", "per byte", "at most");
    let mut passed = true;
    for (name, body, most) in BODIES {
        let (few, many) = (instructions(name, FEW), instructions(name, MANY));
        let each = (many - few) / (MANY - FEW);
        let limit = most.map(|most| most.to_string()).unwrap_or_default();
        println!("{name:12} {:>7} {each:>13} {:>8} {limit:>8}", body.len(), each / body.len() as u64);
        passed &= most.is_none_or(|most| each <= most);
    }
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn child(name: &str, times: u64) -> ExitCode {
    let world = world();
    let (_, body, _) = BODIES.into_iter().find(|(body, ..)| *body == name).expect("a body");
    for _ in 0..times {
        let answer = std::hint::black_box(answer(Route::Mutate, std::hint::black_box(body.as_bytes()), &world));
        assert_eq!(answer.outcome, "admitted", "{}", String::from_utf8_lossy(&answer.body));
    }
    ExitCode::SUCCESS
}

/// What callgrind counts for a run of this very program.
fn instructions(name: &str, times: u64) -> u64 {
    let program = std::env::current_exe().expect("this program");
    let mut callgrind = Command::new("valgrind");
    callgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
    let output = callgrind
        .args(["--child", name, &times.to_string()])
        .output()
        .expect("valgrind: install it, for example with `apt-get install valgrind`");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let collected = said.lines().find_map(|line| line.split_once("Collected :")).expect("a count");
    collected.1.trim().parse().expect("a number")
}
