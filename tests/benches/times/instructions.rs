//! The counterpart of PERF-A3 that does not depend on the machine's load: instructions of the whole serving process for one
//! review, TLS and HTTP included, by callgrind. Without limits of its own; the kernel's work is not in it.

use std::net::{IpAddr, Ipv4Addr};

use crate::arms::Arm;
use crate::children::{Identity, Served};
use crate::client::{Connections, NAME, request};
use crate::{Fault, REVIEW};

/// The first is the floor.
const ARMS: [Arm; 5] = [Arm::Constant, Arm::Listener, Arm::Ours, Arm::Unlogged, Arm::KubeTypes];
const FEW: u32 = 100;
const MANY: u32 = 600;

/// Counts and prints.
pub(crate) async fn measure() -> Result<(), Fault> {
    println!("\ninstructions of the serving process for a review of {} bytes, in user space", REVIEW.len());
    let identity = Identity::new(&[NAME])?;
    let mut floor = None;
    for arm in ARMS {
        let each = (count(arm, &identity, MANY).await? - count(arm, &identity, FEW).await?) / f64::from(MANY - FEW);
        println!("{:12} {each:>9.0} {:>6.2}", arm.name(), each / *floor.get_or_insert(each));
    }
    Ok(())
}

/// Instructions from start to end, with so many reviews in between.
async fn count(arm: Arm, identity: &Identity, reviews: u32) -> Result<f64, Fault> {
    let said = tempfile::NamedTempFile::new()?;
    let served = Served::start_counted(arm, identity, IpAddr::V4(Ipv4Addr::LOCALHOST), said.path())?;
    let mut connections = Connections::open(served.address, &identity.certificate, 1).await?;
    connections.send(&request(REVIEW), usize::try_from(reviews)?, 1).await?;
    served.end()?;
    let said = std::fs::read_to_string(said.path())?;
    let collected = said.lines().find_map(|line| line.split_once("Collected :"));
    Ok(collected.ok_or(said.as_str())?.1.trim().parse()?)
}
