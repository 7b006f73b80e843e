//! PERF-B1: what admission adds to the creation of a Machine through a real kube-apiserver.
//!
//! A label on each Machine selects its arm, so that all arms run in one API server, and every request goes to the next one.

mod objects;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Request;
use kube::Client;
use serde_json::Value;
use tests::etcd::Etcd;
use tests::install::apply;
use tests::plane::Plane;
use tests::process::{Processes, Stop};

use crate::Fault;
use crate::arms::Arm;
use crate::children::{Identity, Served};
use crate::ratios::{Ratio, quantile};
use objects::Webhook;

const ROUNDS: usize = 15;
/// Creates of each arm in each round.
const CREATES: usize = 60;
/// Most that ours adds, as a multiple of what the constant pair adds.
const MOST: f64 = 1.15;
const ACTIVE_WITHIN: Duration = Duration::from_secs(60);

/// Values of the label: no webhook, a policy that makes the same changes, a webhook that says yes, a pair that always gives
/// the same patch and says yes to it, and the product's pair.
const ARMS: [&str; 5] = ["none", "policy", "null", "constant", "ours"];
const CONSTANT: usize = 3;
const OURS: usize = 4;

/// Measures, prints, and says whether the limit holds.
pub(crate) async fn measure() -> Result<bool, Fault> {
    let processes = Arc::new(Processes::kept()?);
    let etcd = Etcd::new(&processes)?;
    etcd.start().await?;
    let plane = Plane::new(&processes, &etcd, "bench")?;
    plane.start_apiserver().await?;
    let client = plane.client().await?;

    let (host, ip) = host()?;
    let identity = Identity::new(&[&host])?;
    let start = |arm: Arm| Served::start(arm, &identity, ip, 3, None);
    let servers =
        [(Arm::Null, start(Arm::Null)?), (Arm::Constant, start(Arm::Constant)?), (Arm::Ours, start(Arm::Ours)?)];
    let webhooks: Vec<Webhook> = (servers.iter())
        .map(|(arm, served)| Webhook { arm: *arm, url: format!("https://{}", authority(&host, served.address)) })
        .collect();
    apply(&plane, &objects::definition()?).await?;
    apply(&plane, &objects::admission(&webhooks, &identity.certificate).to_string()).await?;
    let bodies = ARMS.map(objects::machine);
    until_active(&client, &bodies).await?;

    println!(
        "\ncreation of a Machine of {} bytes, webhooks at https://{host}; {ROUNDS} rounds of {CREATES}",
        bodies[0].len()
    );
    round(&client, &bodies).await?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(round(&client, &bodies).await?);
    }
    drop(servers);
    plane.stop(Stop::AtOnce).await?;
    etcd.stop(Stop::AtOnce).await?;
    Ok(report(&rounds))
}

/// A name of this machine that kube-apiserver does not take for loopback: there it would speak HTTP/2, unlike anywhere else.
/// Without such a name, an address of this machine does the same.
fn host() -> Result<(String, IpAddr), Fault> {
    let named = std::fs::read_to_string("/proc/sys/kernel/hostname")?.trim().to_owned();
    let found = (named.as_str(), 443).to_socket_addrs().ok().and_then(|mut all| all.next());
    if let Some(found) = found.filter(|_| named != "localhost") {
        return Ok((named, found.ip()));
    }
    // Nothing is sent: to connect a UDP socket only chooses the address that would be used.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
    let ip = socket.local_addr()?.ip();
    if ip.is_loopback() || ip == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        return Err("this machine has neither a name that resolves nor an address that is not loopback".into());
    }
    Ok((ip.to_string(), ip))
}

fn authority(host: &str, served: SocketAddr) -> String {
    if host.contains(':') { format!("[{host}]:{}", served.port()) } else { format!("{host}:{}", served.port()) }
}

/// Creates one Machine; answers with it and the milliseconds that it took.
async fn create(client: &Client, body: &str) -> Result<(String, f64), Fault> {
    let request = Request::post("/apis/vitistack.io/v1alpha1/namespaces/default/machines")
        .header("content-type", "application/json")
        .body(body.as_bytes().to_vec())?;
    let begun = Instant::now();
    let created = client.request_text(request).await?;
    Ok((created, begun.elapsed().as_secs_f64() * 1e3))
}

/// Waits until every arm does what it is there for. The API server reads its configuration from watches, in its own time.
async fn until_active(client: &Client, bodies: &[String; ARMS.len()]) -> Result<(), Fault> {
    let begun = Instant::now();
    loop {
        let mut missing = None;
        for (arm, body) in ARMS.iter().zip(bodies) {
            let made: Value = serde_json::from_str(&create(client, body).await?.0)?;
            let changed = made["metadata"]["annotations"].get(model::names::KUBEVIRT_CONFIG).is_some()
                && made["metadata"]["annotations"].get(model::names::RESOLVED).is_some()
                && made["metadata"]["finalizers"][0] == model::names::CLEANUP;
            if changed != ["policy", "constant", "ours"].contains(arm) {
                missing = Some(format!("the changes of {arm}"));
            }
        }
        let metrics = client.request_text(Request::get("/metrics").body(Vec::new())?).await?;
        missing = missing.or_else(|| objects::names().into_iter().find(|name| !metrics.contains(name.as_str())));
        let Some(missing) = missing else { return Ok(()) };
        if begun.elapsed() > ACTIVE_WITHIN {
            return Err(format!("no sign of {missing} within {ACTIVE_WITHIN:?}").into());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// One round: the median of each arm, in milliseconds.
async fn round(client: &Client, bodies: &[String; ARMS.len()]) -> Result<[f64; ARMS.len()], Fault> {
    let mut took: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for turn in 0..CREATES {
        for step in 0..ARMS.len() {
            let at = (turn + step) % ARMS.len();
            took.entry(at).or_default().push(create(client, &bodies[at]).await?.1);
        }
    }
    Ok(std::array::from_fn(|at| took.get_mut(&at).map_or(f64::NAN, |all| quantile(all, 0.5))))
}

fn report(rounds: &[[f64; ARMS.len()]]) -> bool {
    println!("{:10} {:>8} {:>10} {:>28}", "arm", "p50 ms", "added ms", "added, to the constant pair");
    let added = |round: &[f64; ARMS.len()], at: usize| round[at] - round[0];
    let ratio =
        |at: usize, to: usize| Ratio::of(&rounds.iter().map(|it| added(it, at) / added(it, to)).collect::<Vec<_>>());
    for (at, arm) in ARMS.iter().enumerate() {
        let p50 = quantile(&mut rounds.iter().map(|round| round[at]).collect::<Vec<_>>(), 0.5);
        let more = Ratio::of(&rounds.iter().map(|round| added(round, at)).collect::<Vec<_>>());
        let to = if at == 0 { String::new() } else { ratio(at, CONSTANT).to_string() };
        println!("{arm:10} {p50:>8.2} {:>22} {to:>22}", if at == 0 { String::new() } else { more.to_string() });
    }
    println!("ours, added to that of the policy: {}", ratio(OURS, 1));
    ratio(OURS, CONSTANT).within("ours, added to that of the constant pair", MOST)
}
