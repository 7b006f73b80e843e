//! What Machines take of the controller: memory of ten thousand of them, and while it lists them, first and again (PERF-C5, FR18). The
//! whole controller runs; only the API servers are imitated. [`burst`], [`freshness`] and [`baseline`] have the rest.

pub(crate) mod baseline;
pub(crate) mod burst;
pub(crate) mod freshness;
mod ground;
mod objects;
mod poller;
pub(crate) mod server;
mod store;
pub(crate) mod world;

pub(crate) use ground::work;

use crate::Fault;
use crate::children::{forget_peak, peak, resident};
use ground::Ground;
use world::Fleet;

/// Machines of a large fleet, and of a small one.
const MANY: usize = 10_000;
const FEW: usize = 1_000;
/// KiB for each Machine, and how many times what it holds a controller may have while it lists.
const MOST_EACH: f64 = 4.0;
const MOST_PEAK: f64 = 1.5;

/// KiB of a controller.
struct Found {
    settled: f64,
    first: f64,
    relisted: f64,
    again: f64,
}

/// Measures, prints, and says whether all limits hold.
#[expect(clippy::cast_precision_loss, reason = "small counts")]
pub(crate) async fn measure() -> Result<bool, Fault> {
    println!("\nresident memory of the controller, KiB");
    println!("{:>8} {:>9} {:>10} {:>9} {:>9}", "Machines", "settled", "first list", "relist", "after it");
    let [few, many] = [found(FEW).await?, found(MANY).await?];
    for (count, found) in [(FEW, &few), (MANY, &many)] {
        let Found { settled, first, relisted, again } = found;
        println!("{count:>8} {settled:>9.0} {first:>10.0} {relisted:>9.0} {again:>9.0}");
    }
    let each = (many.settled - few.settled) / (MANY - FEW) as f64;
    let after = (many.again - few.again) / (MANY - FEW) as f64;
    let mut passed = judge("KiB of each Machine", each, MOST_EACH);
    passed &= judge("KiB of each Machine after it was listed again", after, MOST_EACH);
    passed &= judge("most during the first list, to settled", many.first / many.settled, MOST_PEAK);
    passed &= judge("most during a relist, to settled", many.relisted / many.settled, MOST_PEAK);
    Ok(passed)
}

/// Prints what was found beside the most that it may be; false when it is more.
fn judge(what: &str, found: f64, most: f64) -> bool {
    let verdict = if found <= most { "met" } else { "MISSED" };
    println!("{what}: {found:.2}, at most {most}: {verdict}");
    found <= most
}

/// The same with the least that it may be.
fn judge_least(what: &str, found: f64, least: f64) -> bool {
    let verdict = if found >= least { "met" } else { "MISSED" };
    println!("{what}: {found:.2}, at least {least}: {verdict}");
    found >= least
}

async fn found(machines: usize) -> Result<Found, Fault> {
    let ground = Ground::new(Fleet { clusters: 1, ..Fleet::default() }).await?;
    // One Machine is made by the controller itself. All others are like it.
    let first = ground.controller()?;
    ground.say("arrive", 1).await?;
    ground.settled(1).await?;
    first.settle(1).await?;
    drop(first);
    ground.say("multiply", machines).await?;
    let controller = ground.controller()?;
    let passes = controller.settle(machines).await?;
    let (settled, first) = (resident(controller.id())?, peak(controller.id())?);
    forget_peak(controller.id())?;
    ground.say("forget", 0).await?;
    controller.settle(passes + machines).await?;
    let found = Found { settled, first, relisted: peak(controller.id())?, again: resident(controller.id())? };
    match ground.say("seen", 0).await?.writes {
        0 => Ok(found),
        writes => Err(format!("there is nothing to write, and there were {writes} writes").into()),
    }
}
