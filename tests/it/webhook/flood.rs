//! The webhook's port while strangers keep every place of it.

use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use kube::api::PostParams;
use model::api::Machine;
use rustls::pki_types::ServerName;
use serde_json::json;
use tests::fleet::{Component, Endpoint, Fleet};
use tests::probe;
use tests::process::Stop;
use tests::wait::eventually;
use tokio::io::AsyncReadExt;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::trust::{bundle, connector};
use crate::fleet::fresh;
use crate::hostile::cost::{cost, is_given_back};
use crate::machines::Ground;

/// As many places as the port has.
const PLACES: usize = 1024;
const ADDRESSES: usize = 4;
const APPLIES: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn atk3_atk12_while_strangers_keep_every_place_all_applies_succeed() {
    let fleet = fresh(&["east"]).await;
    let ground = Ground::new(&fleet, "default").await;
    let address = fleet.address(Endpoint::Webhook).unwrap_or_else(|error| panic!("{error}"));
    let connector = connector(&bundle(&ground.supervisor).await, None);
    let before = cost(&fleet, "webhook");
    let mut strangers = JoinSet::new();
    for at in 0..PLACES {
        let last = u8::try_from(2 + at % ADDRESSES).expect("few addresses");
        strangers.spawn(stand([127, 0, 0, last], address, connector.clone()));
    }
    until_full(&fleet).await;
    assert_eq!(applied(&ground, "before").await, Vec::<String>::new(), "of {APPLIES}");

    fleet.stop(&Component::Webhook, Stop::AtOnce).await.unwrap_or_else(|error| panic!("{error}"));
    fleet.start(&Component::Webhook).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(applied(&ground, "restarted").await, Vec::<String>::new(), "of {APPLIES}");
    // Whatever connections the API server has by now: it gets new ones from a full house.
    until_full(&fleet).await;
    assert_eq!(applied(&ground, "full-again").await, Vec::<String>::new(), "of {APPLIES}");
    let metrics = metrics(&fleet).await.expect("metrics");
    assert!(metrics.contains("connections_ended_total{why=\"made-room\"}"), "{metrics}");
    let full = cost(&fleet, "webhook");
    strangers.shutdown().await;
    println!("webhook: {} KiB before, {} KiB while it is full", before.now >> 10, full.now >> 10);
    is_given_back(&fleet, "webhook", before).await;
}

/// A connection that finishes TLS and sends nothing, and another one whenever it was closed.
async fn stand(from: [u8; 4], address: SocketAddr, connector: TlsConnector) {
    loop {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((from, 0).into()).expect("an address of this machine");
        let Ok(stream) = socket.connect(address).await else {
            // Nobody listens: the webhook is being restarted.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let name = ServerName::from(address.ip());
        if let Ok(mut stream) = connector.connect(name, stream).await {
            let _ = stream.read_u8().await;
        }
    }
}

async fn metrics(fleet: &Fleet) -> Result<String, String> {
    probe::get(fleet.address(Endpoint::WebhookMetrics).unwrap_or_else(|error| panic!("{error}")), "/metrics").await
}

/// Some are always between two of their connections.
async fn until_full(fleet: &Fleet) {
    eventually("the strangers keep every place", async || {
        let metrics = metrics(fleet).await?;
        let taken = metrics.lines().find_map(|line| line.strip_prefix("kubevirt_operator_admission_connections "));
        let taken: usize = taken.and_then(|it| it.parse().ok()).ok_or("no such metric")?;
        if taken > PLACES * 9 / 10 { Ok(()) } else { Err(format!("{taken} connections")) }
    })
    .await;
}

/// What the API server says to those that fail.
async fn applied(ground: &Ground<'_>, name: &str) -> Vec<String> {
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let (machines, dry) = (ground.machines(), &dry);
    let apply = async |at: usize| {
        let spec = serde_json::from_value(json!({"template": "small"})).expect("a spec");
        machines.create(dry, &Machine::new(&format!("{name}-{at}"), spec)).await.err().map(|error| error.to_string())
    };
    // One after the other, on what connections there are, and then at the same time, which needs new ones.
    let mut failed = Vec::new();
    for at in 0..APPLIES / 2 {
        failed.extend(apply(at).await);
    }
    failed.extend(join_all((APPLIES / 2..APPLIES).map(apply)).await.into_iter().flatten());
    failed
}
