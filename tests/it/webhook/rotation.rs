//! Rotations of the webhook's certificate authority, with two webhooks, short lives, and somebody who applies Machines all the time:
//! one in each of its phases, and twenty as `cargo rotations` makes them.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use model::api::Machine;
use serde_json::json;
use tests::fleet::{Component, Endpoint, Fleet, NAMESPACE, WEBHOOK_ACCOUNT, user};
use tests::probe;
use tests::process::Stop;
use tests::wait::eventually;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::trust::{bundle, connect};
use crate::fleet::with;
use crate::machines::Ground;

pub(super) const SECRET: &str = "kubevirt-operator-webhook-ca";
/// A leaf of six seconds is signed anew each three; a new CA is used after three; the former is retired after twelve.
pub(super) const PACE: [(&str, &str); 3] =
    [("WEBHOOK_CERTIFICATE_VALIDITY", "6s"), ("WEBHOOK_CA_ANNOUNCEMENT", "3s"), ("WEBHOOK_CA_VALIDITY", "1h")];
const ENDPOINTS: [Endpoint; 2] = [Endpoint::Webhook, Endpoint::SecondWebhook];

/// What is stored about authorities: the current one, and whether there is a next and a former one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Phase {
    pub(super) current: String,
    pub(super) has_next: bool,
    pub(super) has_former: bool,
}

impl Phase {
    pub(super) fn of(secret: &Secret) -> Self {
        let data = secret.data.as_ref().expect("data");
        let current = String::from_utf8(data["ca.crt"].0.clone()).expect("text");
        Self { current, has_next: data.contains_key("next.crt"), has_former: data.contains_key("former.crt") }
    }
}

pub(super) fn secrets(ground: &Ground<'_>) -> Api<Secret> {
    Api::namespaced(ground.supervisor.clone(), NAMESPACE)
}

async fn phase(ground: &Ground<'_>) -> Phase {
    Phase::of(&secrets(ground).get(SECRET).await.expect("a Secret"))
}

pub(super) async fn until(ground: &Ground<'_>, what: &str, wanted: impl Fn(&Phase) -> bool) -> Phase {
    eventually(what, async || {
        let phase = phase(ground).await;
        if wanted(&phase) { Ok(phase) } else { Err(format!("{phase:?}")) }
    })
    .await
}

/// Does something again and again until it is over; answers with how often, and with what failed.
async fn drive(over: &Cell<bool>, once: impl AsyncFn(usize) -> Result<(), String>) -> (usize, Vec<String>) {
    let (mut count, mut failed) = (0, Vec::new());
    while !over.get() {
        failed.extend(once(count).await.err());
        count += 1;
    }
    (count, failed)
}

pub(super) async fn apply(ground: &Ground<'_>, at: usize) -> Result<(), String> {
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let spec = serde_json::from_value(json!({"template": "small"})).expect("a spec");
    let applied = ground.machines().create(&dry, &Machine::new(&format!("rotated-{at}"), spec)).await;
    applied.map(drop).map_err(|error| error.to_string())
}

/// One request on a connection, and the first line of its answer.
pub(super) async fn ask(stream: &mut TlsStream<TcpStream>) -> Result<String, String> {
    let (head, _) = post(stream, "{}").await?;
    Ok(head.lines().next().unwrap_or_default().to_lowercase())
}

/// One request on a connection: the head of its answer, and the body.
pub(super) async fn post(stream: &mut TlsStream<TcpStream>, body: &str) -> Result<(String, String), String> {
    let length = body.len();
    let request = format!(
        "POST /mutate/machines HTTP/1.1\r\nHost: webhook\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&answer);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let small = head.to_lowercase();
            let length = small.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if Some(body.len()) == length {
                return Ok((head.to_owned(), body.to_owned()));
            }
        }
        match stream.read_buf(&mut answer).await {
            Ok(0) => return Err(format!("it was closed after {:?}", String::from_utf8_lossy(&answer))),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

fn address(fleet: &Fleet, endpoint: Endpoint) -> SocketAddr {
    fleet.address(endpoint).unwrap_or_else(|error| panic!("{error}"))
}

/// Whoever trusts this certificate alone takes both webhooks.
pub(super) async fn both_serve(fleet: &Fleet, authority: &str) -> Result<(), String> {
    for endpoint in ENDPOINTS {
        connect(address(fleet, endpoint), authority.as_bytes()).await.map_err(|why| format!("{endpoint:?}: {why}"))?;
    }
    Ok(())
}

/// A metric of both webhooks.
async fn metric(fleet: &Fleet, begins: &str) -> Vec<f64> {
    let mut found = Vec::new();
    for endpoint in [Endpoint::WebhookMetrics, Endpoint::SecondWebhookMetrics] {
        let text = probe::get(address(fleet, endpoint), "/metrics").await.expect("metrics");
        found.extend(text.lines().find_map(|line| line.strip_prefix(begins)?.trim().parse::<f64>().ok()));
    }
    found
}

async fn steps(fleet: &Fleet, step: &str) -> f64 {
    metric(fleet, &format!("kubevirt_operator_certificate_steps_total{{step=\"{step}\"}}")).await.iter().sum()
}

/// Both start at the same moment, and there is no Secret.
pub(super) async fn begin(ground: &Ground<'_>) {
    let fleet = ground.fleet;
    fleet.stop(&Component::Webhook, Stop::AtOnce).await.unwrap_or_else(|error| panic!("{error}"));
    secrets(ground).delete(SECRET, &DeleteParams::default()).await.expect("deleted");
    let started = tokio::try_join!(fleet.start(&Component::Webhook), fleet.start(&Component::SecondWebhook));
    started.unwrap_or_else(|error| panic!("{error}"));
    both_serve(fleet, &phase(ground).await.current).await.expect("CERT3: both sign with the one that is stored");
    assert_eq!(steps(fleet, "begin").await.to_string(), "1", "CERT3");
}

/// Each phase as it comes. In the first, one of the two is killed.
async fn rotate(ground: &Ground<'_>) {
    let fleet = ground.fleet;
    let before = until(ground, "the authority of the webhook before is retired", |phase| !phase.has_former).await;
    let mut kept = connect(address(fleet, Endpoint::Webhook), before.current.as_bytes()).await.expect("trusted");
    let answer = ask(&mut kept).await.expect("an answer");

    let asked = json!({"metadata": {"annotations": {"vitistack.io/rotate": "yes"}}});
    secrets(ground).patch(SECRET, &PatchParams::default(), &Patch::Merge(asked)).await.expect("patched");
    let announced = until(ground, "the next one is announced", |phase| phase.has_next).await;
    assert_eq!(announced, Phase { has_next: true, ..before.clone() });
    fleet.stop(&Component::SecondWebhook, Stop::AtOnce).await.unwrap_or_else(|error| panic!("{error}"));
    fleet.start(&Component::SecondWebhook).await.unwrap_or_else(|error| panic!("{error}"));

    let promoted = until(ground, "it is promoted", |phase| phase.current != before.current).await;
    assert!(!promoted.has_next && promoted.has_former, "{promoted:?}");
    let annotations = secrets(ground).get(SECRET).await.expect("a Secret").metadata.annotations;
    assert_eq!(annotations.unwrap_or_default().get("vitistack.io/rotate"), None, "nobody asks any more");
    eventually("both serve by it", async || both_serve(fleet, &promoted.current).await).await;

    let retired = until(ground, "the former one is retired", |phase| !phase.has_former).await;
    assert_eq!(retired, Phase { has_former: false, ..promoted.clone() });
    eventually("it is trusted alone", async || {
        let bundle = bundle(&ground.supervisor).await;
        if bundle == promoted.current.as_bytes() { Ok(()) } else { Err(String::from_utf8_lossy(&bundle).into_owned()) }
    })
    .await;
    assert_eq!(ask(&mut kept).await, Ok(answer), "CERT4: the connection of before goes on");
}

#[tokio::test]
async fn g5_cert1_cert3_cert4_cert10_no_apply_fails_through_a_whole_rotation() {
    let fleet = with(&["east"], &PACE).await;
    let ground = Ground::new(&fleet, "default").await;
    begin(&ground).await;
    let mark = fleet.supervisor().audit().mark();
    let over = Cell::new(false);
    let handshake = async |_| {
        let trusted = bundle(&ground.supervisor).await;
        let connected = connect(address(&fleet, Endpoint::Webhook), &trusted).await.map(drop);
        tokio::time::sleep(Duration::from_millis(50)).await;
        connected
    };
    let rotation = async {
        rotate(&ground).await;
        over.set(true);
    };
    let (applied, shaken, ()) =
        tokio::join!(drive(&over, async |at| apply(&ground, at).await), drive(&over, handshake), rotation);
    println!("{} applies and {} handshakes during a rotation", applied.0, shaken.0);
    assert_eq!((applied.1, shaken.1), (vec![], vec![]));
    assert!(applied.0 > 100 && shaken.0 > 100, "{} applies, {} handshakes", applied.0, shaken.0);

    assert_eq!(steps(&fleet, "promote").await.to_string(), "1", "CERT10");
    assert!(steps(&fleet, "sign").await >= 8.0, "CERT4: a leaf lives for six seconds");
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let ends = metric(&fleet, "kubevirt_operator_certificate_expiry_timestamp_seconds{certificate=\"serving\"}").await;
    let lasts: Vec<_> = ends.iter().map(|end| end - f64::from(u32::try_from(now).expect("a time"))).collect();
    assert!(lasts.len() == 2 && lasts.iter().all(|left| (0.0..=6.0).contains(left)), "CERT10: {lasts:?}");
    let records = fleet.supervisor().audit().since(mark).expect("an audit log");
    let refused: Vec<_> = records.iter().filter(|it| it.user == user(WEBHOOK_ACCOUNT) && it.code == 403).collect();
    assert!(refused.is_empty(), "CERT7: {refused:#?}");
}

#[tokio::test]
async fn g5_cert1_cert4_no_apply_fails_through_twenty_rotations() {
    let found = tests::rotations::run(20, |_| {}).await.unwrap_or_else(|error| panic!("{error}"));
    println!("{found}");
    assert!(found.is_well(20), "{found}");
    assert!(found.applies > 200 && found.handshakes > 200, "{found}");
}
