//! How long a Machine takes to show what happened to its instance. PERF-C3.

use super::ground::Ground;
use super::judge;
use super::server::READDRESSED;
use super::world::Fleet;
use crate::Fault;
use crate::ratios::quantile;

/// Machines of the fleet, and its clusters.
const FLEETS: [usize; 2] = [1_000, 10_000];
const CLUSTERS: usize = 10;
/// Milliseconds of 99 of 100.
const MOST: f64 = 250.0;
/// So many looks, each half a second, are awaited.
const LOOKS: usize = 600;

/// Measures, prints, and says whether all limits hold.
pub(crate) async fn measure() -> Result<bool, Fault> {
    println!(
        "\nms until a Machine shows the address of its instance; {READDRESSED} of them, 100 in a second, {CLUSTERS} clusters"
    );
    let mut passed = true;
    for machines in FLEETS {
        let mut lags = lags(machines).await?;
        let [half, nine, most] = [0.5, 0.9, 1.0].map(|part| quantile(&mut lags, part));
        println!("{machines} Machines: p50 {half:.1}, p90 {nine:.1}, most {most:.1}");
        passed &= judge(&format!("p99 of {machines} Machines"), quantile(&mut lags, 0.99), MOST);
    }
    Ok(passed)
}

async fn lags(machines: usize) -> Result<Vec<f64>, Fault> {
    let ground = Ground::new(Fleet { clusters: CLUSTERS, ..Fleet::default() }).await?;
    let controller = ground.controller()?;
    ground.say("arrive", machines).await?;
    ground.settled(machines).await?;
    controller.settle(machines).await?;
    ground.say("readdress", machines).await?;
    for _ in 0..LOOKS {
        let lags = ground.lags().await?;
        if lags.len() == READDRESSED {
            return Ok(lags);
        }
        ground.pause().await;
    }
    Err(format!("of {READDRESSED} addresses, Machines show {}", ground.lags().await?.len()).into())
}
