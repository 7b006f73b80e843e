//! What connections to a hundred clusters take, in a process of their own: memory, the time until all are there, and what
//! clusters that never answer cost the others. PERF-C5, PERF-C6.

pub(crate) mod clusters;
pub(crate) mod connect;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::Fault;
use crate::children::{Identity, Served, resident};
use crate::ratios::{Ratio, quantile};

/// Clusters of a large fleet, and of a small one.
const MANY: usize = 100;
const FEW: usize = 10;
/// KiB for each connection, and rounds in which that is measured.
const MOST_EACH: f64 = 200.0;
const MEMORY_ROUNDS: usize = 3;
/// Milliseconds that a cluster takes for each answer, and how many times as long as one of them all together may take.
const DISTANCE: u64 = 200;
const MOST_START: f64 = 10.0;
const START_ROUNDS: usize = 5;
/// What the others do beside dead ones takes at most that many times as long.
const MOST_BESIDE: f64 = 1.05;
const BESIDE_ROUNDS: usize = 9;

/// A fleet, and what is asked of it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Fleet {
    /// Clusters that answer.
    pub(crate) alive: usize,
    /// Clusters that accept a connection, and never answer.
    pub(crate) dead: usize,
    /// How often each cluster that answers is asked for a VM, which its watch then tells of.
    pub(crate) asked: usize,
}

/// What was found.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Found {
    /// Milliseconds until all that answer were connected.
    pub(crate) connected: f64,
    /// Milliseconds until all answers were there, and had come by the watches.
    pub(crate) asked: f64,
    /// 99 of 100 took no longer than so many milliseconds each.
    pub(crate) p99: f64,
}

/// A process with connections; it ends when this is dropped.
struct Links {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Links {
    fn start(server: &Served, identity: &Identity, fleet: Fleet) -> Result<Self, Fault> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--links", &server.address.to_string(), &serde_json::to_string(&fleet)?]);
        command.arg(&identity.certificate).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let lines = BufReader::new(child.stdout.take().ok_or("no pipe")?);
        Ok(Self { child, lines })
    }

    /// What it found, once it has done all that it was asked for. It goes on.
    fn found(&mut self) -> Result<Found, Fault> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        Ok(serde_json::from_str(&line).map_err(|_| format!("the connections did not come about: {line:?}"))?)
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process with this fleet, to its end.
fn found(server: &Served, identity: &Identity, fleet: Fleet) -> Result<Found, Fault> {
    Links::start(server, identity, fleet)?.found()
}

/// Measures, prints, and says whether all limits hold.
pub(crate) fn measure() -> Result<bool, Fault> {
    let identity = Identity::new(&["127.0.0.1"])?;
    let (near, far) = (Served::start_clusters(&identity, 0)?, Served::start_clusters(&identity, DISTANCE)?);
    let mut passed = memory(&near, &identity)?;
    passed &= start(&far, &identity)?;
    passed &= beside(&near, &identity, "one dead cluster, for 99 others", (MANY - 1, 1, 60))?;
    passed &= beside(&near, &identity, "99 dead clusters, for the only other", (1, MANY - 1, 3_000))?;
    Ok(passed)
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn memory(server: &Served, identity: &Identity) -> Result<bool, Fault> {
    println!("\nresident memory of connections, of {MEMORY_ROUNDS} rounds");
    let mut rounds: [Vec<f64>; 2] = Default::default();
    for _ in 0..MEMORY_ROUNDS {
        for (rounds, alive) in rounds.iter_mut().zip([FEW, MANY]) {
            let mut links = Links::start(server, identity, Fleet { alive, asked: 20, ..Fleet::default() })?;
            links.found()?;
            rounds.push(resident(links.child.id())?);
        }
    }
    let [few, many] = rounds.map(|mut rounds| quantile(&mut rounds, 0.5));
    let each = (many - few) / (MANY - FEW) as f64;
    let verdict = if each <= MOST_EACH { "met" } else { "MISSED" };
    println!("{FEW:>4} clusters: {few:.0} KiB\n{MANY:>4} clusters: {many:.0} KiB");
    println!("each of them: {each:.0} KiB, at most {MOST_EACH:.0}: {verdict}");
    Ok(each <= MOST_EACH)
}

fn start(server: &Served, identity: &Identity) -> Result<bool, Fault> {
    println!("\nuntil all are connected, of clusters that take {DISTANCE} ms for each answer; {START_ROUNDS} rounds");
    let mut ratios = Vec::new();
    for _ in 0..START_ROUNDS {
        let [one, all] = [1, MANY].map(|alive| found(server, identity, Fleet { alive, ..Fleet::default() }));
        ratios.push(all?.connected / one?.connected);
    }
    Ok(Ratio::of(&ratios).within(&format!("{MANY} clusters, to one"), MOST_START))
}

/// With the dead ones, and without them; each round is two new processes.
fn beside(
    server: &Served,
    identity: &Identity,
    what: &str,
    (alive, dead, asked): (usize, usize, usize),
) -> Result<bool, Fault> {
    println!("\n{what}; {BESIDE_ROUNDS} rounds");
    let mut rounds = Vec::new();
    for round in 0..BESIDE_ROUNDS {
        let arm = |dead| found(server, identity, Fleet { alive, dead, asked });
        let (with, without) = if round % 2 == 0 {
            let with = arm(dead)?;
            (with, arm(0)?)
        } else {
            let without = arm(0)?;
            (arm(dead)?, without)
        };
        rounds.push((with, without));
    }
    let ratio = |of: fn(&Found) -> f64| {
        Ratio::of(&rounds.iter().map(|(with, without)| of(with) / of(without)).collect::<Vec<_>>())
    };
    println!("    p99 of {asked} lookups each: {}", ratio(|found| found.p99));
    Ok(ratio(|found| found.asked).within("    time that they take", MOST_BESIDE))
}

/// The address of the server and the fleet, as [`Links::start`] says them.
pub(crate) fn arguments(args: &[String]) -> Result<(SocketAddr, Fleet, &str), Fault> {
    let [server, fleet, certificate] = args else { return Err("too few arguments".into()) };
    Ok((server.parse()?, serde_json::from_str(fleet)?, certificate))
}
