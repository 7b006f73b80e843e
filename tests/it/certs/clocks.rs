//! Clocks that differ, and clocks that jump.

use std::time::Instant;

use tests::wait::eventually;

use super::*;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

#[tokio::test]
async fn cert6_clocks_an_hour_apart_cause_no_failure() {
    let ground = Ground::new("certs-skew").await;
    // The one that runs ahead makes the CA.
    let mut replicas = vec![ground.started(HOUR - 60).await];
    replicas.push(ground.started(0).await);
    replicas.push(ground.started(60 - HOUR).await);
    let bundle = ground.bundle().await.expect("one bundle");
    assert_eq!(certificates(&bundle), 1);
    for replica in &replicas {
        replica.shown(&bundle, 0).await.expect("whoever runs right trusts it");
    }
    // One API server is behind, and one ahead.
    replicas[1].shown(&bundle, 60 - HOUR).await.expect("trusted");
    replicas[1].shown(&bundle, HOUR - 60).await.expect("trusted");
    let steps = |step: &str| replicas.iter().filter_map(|replica| replica.steps().get(step).copied()).sum::<u32>();
    assert_eq!((steps("begin"), steps("sign"), steps("announce")), (1, 3, 0), "nobody renews for it");
}

#[tokio::test]
async fn cert6_a_clock_that_jumps_forward_renews_at_once() {
    let ground = Ground::new("certs-jump").await;
    let replica = ground.started(0).await;
    let bundle = ground.bundle().await.expect("one bundle");
    let first = replica.shown(&bundle, 0).await.expect("trusted");

    // Beyond the end of the leaf.
    replica.offset.store(30 * HOUR, Ordering::Relaxed);
    let since = Instant::now();
    eventually("another leaf is served", async || match replica.shown(&bundle, 30 * HOUR).await {
        Ok(leaf) if leaf != first => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    assert!(since.elapsed() < AT_ONCE, "{:?}", since.elapsed());

    // Beyond the end of the CA.
    replica.offset.store(100 * DAY, Ordering::Relaxed);
    let since = Instant::now();
    eventually("another CA is published, and serves", async || match ground.bundle().await {
        Ok(newer) if newer != bundle => replica.shown(&newer, 100 * DAY).await.map(drop),
        Ok(other) | Err(other) => Err(other),
    })
    .await;
    assert!(since.elapsed() < AT_ONCE, "{:?}", since.elapsed());
    assert_eq!(replica.steps().get("replace"), Some(&1));
}
