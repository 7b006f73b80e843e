//! PERF-A5: resident memory of the serving process after 10,000 reviews.

use std::net::{IpAddr, Ipv4Addr};

use crate::arms::Arm;
use crate::children::{Identity, Served};
use crate::client::{Connections, NAME, request};
use crate::{Fault, REVIEW};

const REQUESTS: usize = 10_000;
const CONCURRENTLY: usize = 8;
/// KiB without any cluster.
const MOST: f64 = 10.0 * 1024.0;
/// KiB for each cluster, its class included.
const MOST_EACH: f64 = 2.0;

/// Measures, prints, and says whether the limit holds.
pub(crate) async fn measure() -> Result<bool, Fault> {
    println!("\nresident memory after {REQUESTS} reviews");
    let identity = Identity::new(&[NAME])?;
    let mut passed = true;
    for configs in [3_u16, 1_000] {
        let served = Served::start(Arm::Ours, &identity, IpAddr::V4(Ipv4Addr::LOCALHOST), configs.into(), None)?;
        let mut connections = Connections::open(served.address, &identity.certificate, CONCURRENTLY).await?;
        connections.send(&request(REVIEW), REQUESTS, CONCURRENTLY).await?;
        let (found, most) = (served.memory()?, MOST + MOST_EACH * f64::from(configs));
        let verdict = if found <= most { "met" } else { "MISSED" };
        println!("{configs:>5} clusters and classes: {found:.0} KiB, at most {most:.0}: {verdict}");
        passed &= found <= most;
    }
    Ok(passed)
}
