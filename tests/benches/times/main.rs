//! What admission takes beside instructions: time, CPU and memory of the process that serves it; and what connections to many
//! clusters and thousands of Machines take. `docs/performance.md` says what the figures mean.
//!
//! | Command | Line |
//! |---|---|
//! | `cargo bench -p times -- server` | PERF-A2, PERF-A3 |
//! | `cargo bench -p times -- handshakes` | PERF-A4 |
//! | `cargo bench -p times -- instructions` | PERF-A3 without the kernel, by count; needs valgrind |
//! | `cargo bench -p times -- memory` | PERF-A5 |
//! | `cargo bench -p times -- create` | PERF-B1 |
//! | `cargo bench -p times -- links` | PERF-C5, PERF-C6 |
//! | `cargo bench -p times -- machines` | PERF-C5 |
//! | `cargo bench -p times -- baseline` | PERF-C5 |
//! | `cargo bench -p times -- burst` | PERF-C4, PERF-C6, PERF-D |
//! | `cargo bench -p times -- freshness` | PERF-C3 |
//!
//! Time is only ever a ratio of two arms of one run, which take turns. A limit is missed when the whole interval is beyond
//! it. Every arm is a process of its own: this program again, with `--serve`.

mod arms;
mod children;
mod client;
mod create;
mod handshakes;
mod instructions;
mod links;
mod machines;
mod memory;
mod ratios;
mod server;

use std::process::ExitCode;

/// What goes wrong here ends the benchmark.
type Fault = Box<dyn std::error::Error + Send + Sync>;

/// The typical review (4.4 KB), as kube-apiserver would send it.
const REVIEW: &str = include_str!("../../../webhook/benches/reviews/rev_typ.json");

const MODES: [&str; 10] =
    ["memory", "create", "links", "machines", "baseline", "burst", "freshness", "instructions", "server", "handshakes"];

fn main() -> Result<ExitCode, Fault> {
    tests::install_crypto();
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let Some(("--links", rest)) = args.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        let (server, fleet, certificate) = links::arguments(rest)?;
        children::end_with_parent();
        // As many threads as the controller has.
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        return runtime.block_on(links::connect::run(server, fleet, certificate)).map(|()| ExitCode::SUCCESS);
    }
    if let Some(("--controller", rest)) = args.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        children::end_with_parent();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        return runtime.block_on(machines::work(rest)).map(|()| ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if let Some(("--serve", rest)) = args.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return runtime.block_on(children::serve(rest)).map(|()| ExitCode::SUCCESS);
    }
    let wanted = |name: &str| args.is_empty() || args.iter().any(|arg| arg == name);
    if let Some(unknown) = args.iter().find(|arg| !MODES.contains(&arg.as_str())) {
        return Err(format!("{unknown}: must be one of {MODES:?}").into());
    }
    let mut passed = true;
    if wanted("memory") {
        passed &= runtime.block_on(memory::measure())?;
    }
    // Before `server` and `handshakes`, which keep this process on one core.
    if wanted("create") {
        passed &= runtime.block_on(create::measure())?;
    }
    if wanted("links") {
        passed &= links::measure()?;
    }
    if wanted("machines") {
        passed &= runtime.block_on(machines::measure())?;
    }
    if wanted("baseline") {
        passed &= runtime.block_on(machines::baseline::measure())?;
    }
    if wanted("burst") {
        passed &= runtime.block_on(machines::burst::measure())?;
    }
    if wanted("freshness") {
        passed &= runtime.block_on(machines::freshness::measure())?;
    }
    if wanted("instructions") {
        runtime.block_on(instructions::measure())?;
    }
    if wanted("server") {
        passed &= runtime.block_on(server::measure())?;
    }
    if wanted("handshakes") {
        passed &= runtime.block_on(handshakes::measure())?;
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
