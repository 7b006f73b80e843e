//! What the gateway says while webhook or API server are away.

use serde_json::json;
use tests::fleet::Component;
use tests::process::Stop;
use tests::wait::eventually;
use tokio::time::{Duration, Instant};

use super::{VMS, tenant, up};

#[tokio::test]
async fn f9_while_admission_or_the_api_server_is_away_callers_are_asked_to_come_again() {
    let fleet = up().await.unwrap_or_else(|error| panic!("{error}"));
    let alice = tenant(&fleet, 0).await;
    let stop = async |component| fleet.stop(&component, Stop::AtOnce).await.unwrap_or_else(|error| panic!("{error}"));
    stop(Component::Webhook).await;
    let refused = alice.post(VMS, &json!({"id": "web", "spec": {"template": "small"}})).await;
    assert_eq!((refused.status, refused.said("retry-after")), (503, "5"), "F9: {refused:?}");
    assert_eq!(alice.get(VMS).await.body["size"], 0, "F9: what only reads works");
    assert_eq!(alice.delete(&format!("{VMS}/web")).await.status, 404);

    stop(Component::Supervisor).await;
    let began = Instant::now();
    let refused = alice.get(VMS).await;
    assert_eq!((refused.status, refused.said("retry-after")), (503, "5"), "F9: {refused:?}");
    assert!(began.elapsed() < Duration::from_secs(10), "F9: {:?}", began.elapsed());
    assert_eq!(alice.get("/openapi.json").await.status, 200);
    fleet.start(&Component::Supervisor).await.unwrap_or_else(|error| panic!("{error}"));
    eventually("F9: it is back", async || {
        let listed = alice.get(VMS).await;
        if listed.status == 200 { Ok(()) } else { Err(format!("{listed:?}")) }
    })
    .await;
}
