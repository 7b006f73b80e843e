//! PERF-A4: a connection for each request. kube-apiserver keeps 25 idle ones to a webhook, and makes a new one for each request beyond
//! that, with a whole handshake: CPU of the process that serves it, to that of a server that does nothing else; and many at once.

use futures::future::try_join_all;

use crate::arms::Arm;
use crate::children::{Identity, Served};
use crate::client::{Connections, request};
use crate::ratios::{Ratio, quantile};
use crate::{Fault, REVIEW};

/// The first is the floor: the same handshake, and a constant answer.
const ARMS: [Arm; 2] = [Arm::Constant, Arm::Ours];
const ROUNDS: usize = 15;
const EACH: usize = 200;
/// Ours adds what a review takes, which is about as much as a handshake's signature.
const MOST: f64 = 1.5;
/// So many at once; each must be answered.
const AT_ONCE: [usize; 3] = [26, 100, 200];

/// Measures, prints, and says whether all limits hold.
pub(crate) async fn measure() -> Result<bool, Fault> {
    let (identity, arms) = Served::apart(&ARMS)?;
    let request = request(REVIEW);
    println!("\na connection for each review, server and client on a core each; {ROUNDS} rounds of {EACH}");
    let mut rounds: [Vec<f64>; ARMS.len()] = Default::default();
    for round in 0..ROUNDS {
        for turn in 0..ARMS.len() {
            let at = (round + turn) % ARMS.len();
            rounds[at].push(cpu(&arms[at], &identity, &request).await?);
        }
    }
    for (arm, rounds) in ARMS.iter().zip(&rounds) {
        println!("{:12} {:>8.0} us of CPU each", arm.name(), quantile(&mut rounds.clone(), 0.5));
    }
    let ratios: Vec<f64> = rounds[1].iter().zip(&rounds[0]).map(|(ours, floor)| ours / floor).collect();
    let passed = Ratio::of(&ratios).within("ours, CPU to the floor", MOST);
    for count in AT_ONCE {
        let answers = try_join_all((0..count).map(|_| once(&arms[1], &identity, &request))).await?;
        println!("{count:>4} connections at once: {} answers", answers.len());
    }
    Ok(passed)
}

/// One review over a connection of its own.
async fn once(served: &Served, identity: &Identity, request: &[u8]) -> Result<(), Fault> {
    Connections::open(served.address, &identity.certificate, 1).await?.send(request, 1, 1).await?;
    Ok(())
}

/// Microseconds of CPU that a server takes for each of some reviews, one after the other.
#[expect(clippy::cast_precision_loss, reason = "a small count")]
async fn cpu(served: &Served, identity: &Identity, request: &[u8]) -> Result<f64, Fault> {
    let before = served.cpu()?;
    for _ in 0..EACH {
        once(served, identity, request).await?;
    }
    Ok((served.cpu()? - before) / 1e3 / EACH as f64)
}
