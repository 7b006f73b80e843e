//! Processes killed in the middle of a rotation: whatever it was, the rotation comes to its end without anybody's help. Each single
//! request is cut in `certs/src/kill_sweep_tests.rs`; here it is processes, and the moments are those that the Secret shows.

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use kube::runtime::wait::await_condition;
use serde_json::json;
use tests::fleet::Component;
use tests::process::Stop;
use tests::wait::eventually;

use super::rotation::{PACE, Phase, SECRET, apply, begin, both_serve, secrets, until};
use super::trust::bundle;
use crate::fleet::with;
use crate::machines::{Ground, LIMIT};

use Component::{SecondWebhook, Supervisor, Webhook};

/// Who is killed when a rotation was asked for, when the next authority is announced, when it is promoted, and when the former one is
/// retired.
type Round = [&'static [Component]; 4];
const ROUNDS: [Round; 2] = [
    [&[Webhook], &[Webhook, SecondWebhook], &[SecondWebhook], &[Webhook, SecondWebhook]],
    [&[Supervisor], &[Supervisor], &[Supervisor, Webhook], &[Supervisor, SecondWebhook]],
];

/// Waits for a moment by a watch, so that it is met as it comes.
async fn moment(ground: &Ground<'_>, what: &str, wanted: impl Fn(&Phase) -> bool) -> Phase {
    let is_so = move |secret: Option<&Secret>| secret.is_some_and(|secret| wanted(&Phase::of(secret)));
    let seen = tokio::time::timeout(LIMIT, await_condition(secrets(ground), SECRET, is_so)).await;
    let secret = seen.unwrap_or_else(|_| panic!("not {what}")).unwrap_or_else(|error| panic!("{what}: {error}"));
    Phase::of(&secret.expect("a Secret"))
}

/// Kills them at once, and starts them again as a kubelet does; then Machines are taken again.
async fn kill(ground: &Ground<'_>, when: &str, components: &[Component]) {
    for component in components {
        ground.fleet.stop(component, Stop::AtOnce).await.unwrap_or_else(|error| panic!("{when}: {error}"));
    }
    for component in components {
        ground.fleet.start(component).await.unwrap_or_else(|error| panic!("{when}: {error}"));
    }
    eventually(&format!("Machines are taken after {components:?} were killed {when}"), async || apply(ground, 0).await)
        .await;
}

async fn rotate(ground: &Ground<'_>, killed: &Round) {
    let before = until(ground, "at rest", |phase| !phase.has_next && !phase.has_former).await;
    let asked = json!({"metadata": {"annotations": {"vitistack.io/rotate": "yes"}}});
    secrets(ground).patch(SECRET, &PatchParams::default(), &Patch::Merge(asked)).await.expect("patched");
    kill(ground, "when it was asked for", killed[0]).await;
    moment(ground, "announced", |phase| phase.has_next).await;
    kill(ground, "when it was announced", killed[1]).await;
    let current = before.current.clone();
    let promoted = moment(ground, "promoted", move |phase| phase.current != current).await;
    kill(ground, "when it was promoted", killed[2]).await;
    moment(ground, "retired", |phase| !phase.has_former).await;
    kill(ground, "when the former one was retired", killed[3]).await;

    let rests = until(ground, "at rest again", |phase| !phase.has_next && !phase.has_former).await;
    assert_eq!(rests.current, promoted.current, "it rotated once");
    eventually("the authority is trusted alone, and both serve by it", async || {
        both_serve(ground.fleet, &rests.current).await?;
        let bundle = bundle(&ground.supervisor).await;
        if bundle == rests.current.as_bytes() { Ok(()) } else { Err(String::from_utf8_lossy(&bundle).into_owned()) }
    })
    .await;
    for at in 0..10 {
        apply(ground, at).await.unwrap_or_else(|why| panic!("{why}"));
    }
}

#[tokio::test]
async fn cert1_cert3_cert4_whoever_is_killed_in_a_rotation_it_ends_without_help() {
    let fleet = with(&["east"], &PACE).await;
    let ground = Ground::new(&fleet, "default").await;
    begin(&ground).await;
    for killed in &ROUNDS {
        rotate(&ground, killed).await;
    }
}
