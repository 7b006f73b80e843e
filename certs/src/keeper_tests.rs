use axum::Router;
use kube::{Client, Config};

use super::*;
use crate::issue::Lives;
use crate::plan::Pace;

#[path = "kill_sweep_tests.rs"]
mod kill_sweep;

/// A keeper whose API server is away.
fn alone(now: OffsetDateTime) -> Keeper {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = Config::new("http://127.0.0.1:1".parse().expect("an address"));
    keeper(Client::try_from(config).expect("a client"), Pace::default(), now)
}

fn keeper(client: Client, pace: Pace, now: OffsetDateTime) -> Keeper {
    let mut keeper = Keeper {
        store: Store::new(client.clone(), "ns", "ca".to_owned()),
        targets: [Target::mutating(client.clone(), "hook"), Target::validating(client, "hook")],
        names: vec!["127.0.0.1".to_owned()],
        pace,
        clock: Arc::new(OffsetDateTime::now_utc),
        resolver: Arc::default(),
        metrics: Metrics::default(),
        held: None,
        serving: None,
        live: None,
    };
    keeper.serve(Arc::new(Ca::new(pace.lives, now).expect("a CA")), now).expect("a leaf");
    keeper
}

#[tokio::test]
async fn cert6_a_clock_that_jumps_forward_renews_the_leaf_at_once_whatever_else_is_away() {
    let now = OffsetDateTime::from_unix_timestamp(1_800_000_000).expect("a time");
    let mut keeper = alone(now);
    let ends = |keeper: &Keeper| keeper.serving.as_ref().expect("a leaf").1.not_after;
    let hours = time::Duration::hours;
    for (at, until) in [(0, 24), (11, 24), (30, 54), (31, 54), (20, 44), (-3, 21)] {
        let fault = keeper.pass(now + hours(at)).await.expect_err("the API server is away");
        assert_eq!(fault.at(), "webhook-configuration", "{fault}");
        assert_eq!(ends(&keeper), now + hours(until), "after {at} h");
    }
}

#[tokio::test(start_paused = true)]
async fn cert4_an_api_server_that_says_nothing_does_not_hold_up_the_next_leaf() {
    let begun = OffsetDateTime::from_unix_timestamp(1_800_000_000).expect("a time");
    let silent = Client::new(Router::new().fallback(async || std::future::pending::<()>().await), "default");
    let lives = Lives { leaf: time::Duration::seconds(8), ..Lives::default() };
    let mut keeper = keeper(silent, Pace { lives, ..Pace::default() }, begun);
    let from = Instant::now();
    keeper.clock = Arc::new(move || begun + from.elapsed());
    let resolver = keeper.resolver.clone();
    let leaf = || resolver.0.load_full().expect("a leaf").cert[0].clone();
    let mut leaves = vec![(0, leaf())];
    let kept = tokio::spawn(keep(keeper, watch::channel(false).0));
    while from.elapsed() < Duration::from_secs(13) {
        sleep(Duration::from_millis(100)).await;
        if leaves.last().is_some_and(|(_, last)| *last != leaf()) {
            leaves.push((from.elapsed().as_secs(), leaf()));
        }
    }
    kept.abort();
    assert_eq!(leaves.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 4, 8, 12]);
}

#[tokio::test(start_paused = true)]
async fn cert6_a_jump_of_the_wall_clock_ends_a_rest() {
    let begun = OffsetDateTime::from_unix_timestamp(1_800_000_000).expect("a time");
    let minute = Duration::from_secs(60);
    // How far the wall clock is off three seconds after the start, and how long the rest lasts then.
    for (jump, lasts) in [(0, 60), (7200, 5), (-7200, 5), (57, 5), (30, 30)] {
        let from = Instant::now();
        let clock: Clock = Arc::new(move || {
            let gone = from.elapsed();
            begun + gone + time::Duration::seconds(if gone.as_secs() < 3 { 0 } else { jump })
        });
        rest(minute, begun, &clock, &mut stream::pending().boxed()).await;
        assert_eq!(from.elapsed().as_secs(), lasts, "after a jump of {jump} s");
    }
    let from = Instant::now();
    let clock: Clock = Arc::new(move || begun + from.elapsed());
    let changes = stream::iter([(), (), ()]).chain(stream::pending());
    rest(minute, begun, &clock, &mut changes.boxed()).await;
    assert_eq!(from.elapsed().as_millis(), 1000, "changes that come together are one");
}

#[tokio::test]
async fn cert10_metrics_tell_how_long_each_is_valid_what_was_done_and_what_failed_last() {
    let now = OffsetDateTime::from_unix_timestamp(1_800_000_000).expect("a time");
    let mut keeper = alone(now);
    let mut registry = prometheus_client::registry::Registry::default();
    keeper.metrics = Metrics::register(&mut registry);
    let shown = || {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("text");
        let mut lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).map(ToOwned::to_owned).collect();
        lines.sort();
        lines
    };
    let ca = |days: i64| Arc::new(Ca::new(keeper.pace.lives, now + time::Duration::days(days)).expect("a CA"));
    let (one, two) = (ca(0), ca(60));
    let mut authorities = Authorities { next: Some(two), ..Authorities::only(one.clone(), now) };
    keeper.metrics.stored(&authorities);
    keeper.serve(one, now).expect("a leaf");
    keeper.metrics.done("announce");
    keeper.metrics.failed("secret", now);
    keeper.metrics.in_order(now);
    let expiry = "kubevirt_operator_certificate_expiry_timestamp_seconds";
    #[rustfmt::skip]
    assert_eq!(shown(), [
        format!("{expiry}{{certificate=\"authority\"}} 1807776000"),
        format!("{expiry}{{certificate=\"next-authority\"}} 1812960000"),
        format!("{expiry}{{certificate=\"serving\"}} 1800086400"),
        "kubevirt_operator_certificate_failure_timestamp_seconds{at=\"secret\"} 1800000000".to_owned(),
        "kubevirt_operator_certificate_in_order_timestamp_seconds 1800000000".to_owned(),
        "kubevirt_operator_certificate_steps_total{step=\"announce\"} 1".to_owned(),
        "kubevirt_operator_certificate_steps_total{step=\"sign\"} 1".to_owned(),
    ]);
    authorities.next = None;
    keeper.metrics.stored(&authorities);
    assert!(!shown().iter().any(|line| line.contains("next-authority")), "{:?}", shown());
}
