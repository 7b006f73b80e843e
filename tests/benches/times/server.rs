//! PERF-A2 and PERF-A3: latency and CPU of one review over TLS, as ratios to a server that does nothing with it.

use crate::arms::Arm;
use crate::children::Served;
use crate::client::{Connections, request};
use crate::ratios::{Ratio, quantile};
use crate::{Fault, REVIEW};

/// The first is the floor.
const ARMS: [Arm; 5] = [Arm::Constant, Arm::Listener, Arm::Ours, Arm::Unlogged, Arm::KubeTypes];
/// Concurrent requests, and how many of them in each round.
const LOADS: [(usize, usize); 4] = [(1, 1_000), (8, 2_000), (16, 2_000), (25, 2_000)];
const ROUNDS: usize = 15;
/// Limits: concurrency and most p50; concurrency and most CPU.
const MOST_P50: [(usize, f64); 1] = [(1, 1.10)];
const MOST_CPU: [(usize, f64); 2] = [(1, 1.3), (16, 2.0)];

/// One round of one arm.
#[derive(Clone, Copy, Debug, Default)]
struct Measured {
    p50: f64,
    p99: f64,
    cpu: f64,
}

/// Measures, prints, and says whether all limits hold.
pub(crate) async fn measure() -> Result<bool, Fault> {
    let (identity, arms) = Served::apart(&ARMS)?;
    let request = request(REVIEW);
    println!("\na review of {} bytes over TLS, server and client on a core each; {ROUNDS} rounds", REVIEW.len());
    println!("{:>3} {:12} {:>8} {:>8} {:>22} {:>22} {:>22}", "c", "arm", "p50 us", "CPU us", "p50", "p99", "CPU");
    let mut passed = true;
    for (concurrently, times) in LOADS {
        let mut rounds: [Vec<Measured>; ARMS.len()] = Default::default();
        // New ones each time: the product hangs up on those that are idle for long.
        let mut connections = Vec::new();
        for served in &arms {
            let mut opened = Connections::open(served.address, &identity.certificate, concurrently).await?;
            opened.send(&request, times, concurrently).await?;
            connections.push(opened);
        }
        for round in 0..ROUNDS {
            for turn in 0..ARMS.len() {
                let at = (round + turn) % ARMS.len();
                rounds[at].push(one_round(&arms[at], &mut connections[at], &request, times, concurrently).await?);
            }
        }
        passed &= report(concurrently, &rounds);
    }
    Ok(passed)
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
async fn one_round(
    served: &Served,
    connections: &mut Connections,
    request: &[u8],
    times: usize,
    concurrently: usize,
) -> Result<Measured, Fault> {
    let before = served.cpu()?;
    let mut took = connections.send(request, times, concurrently).await?;
    let cpu = (served.cpu()? - before) / 1e3 / took.len() as f64;
    Ok(Measured { p50: quantile(&mut took, 0.5), p99: quantile(&mut took, 0.99), cpu })
}

/// Prints the arms at one concurrency; the ratios are those to the first arm in the same round.
fn report(concurrently: usize, rounds: &[Vec<Measured>; ARMS.len()]) -> bool {
    let mut passed = true;
    let mut limits = Vec::new();
    for (arm, own) in ARMS.iter().zip(rounds) {
        let ratio = |of: fn(&Measured) -> f64| {
            Ratio::of(&own.iter().zip(&rounds[0]).map(|(one, floor)| of(one) / of(floor)).collect::<Vec<_>>())
        };
        let median = |of: fn(&Measured) -> f64| quantile(&mut own.iter().map(of).collect::<Vec<_>>(), 0.5);
        let (p50, p99, cpu) = (ratio(|it| it.p50), ratio(|it| it.p99), ratio(|it| it.cpu));
        let shown = [p50, p99, cpu].map(|ratio| ratio.to_string());
        let (name, us, cpu_us) = (arm.name(), median(|it| it.p50), median(|it| it.cpu));
        println!(
            "{concurrently:>3} {name:12} {us:>8.1} {cpu_us:>8.1} {:>22} {:>22} {:>22}",
            shown[0], shown[1], shown[2]
        );
        if *arm == Arm::Ours {
            limits.extend(MOST_P50.iter().filter(|(at, _)| *at == concurrently).map(|(_, most)| ("p50", p50, *most)));
            limits.extend(MOST_CPU.iter().filter(|(at, _)| *at == concurrently).map(|(_, most)| ("CPU", cpu, *most)));
        }
    }
    for (what, ratio, most) in limits {
        passed &= ratio.within(&format!("    ours, {what} to the floor at c={concurrently}"), most);
    }
    passed
}
