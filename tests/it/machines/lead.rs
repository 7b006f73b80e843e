//! Two controllers: one works, and the other takes over, however the first one goes.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::audit::Record;
use tests::fleet::{self, Blueprint, Component, Endpoint, Fleet};
use tests::probe;
use tests::process::{Processes, Stop};
use tests::wait::eventually;

use super::requests::told;
use super::{Ground, machine};

const FIRST: (Component, Endpoint) = (Component::Controller, Endpoint::ControllerDebug);
const SECOND: (Component, Endpoint) = (Component::SecondController, Endpoint::SecondDebug);

/// The first line of a controller's `/debug/health`.
async fn lease(fleet: &Fleet, (_, debug): &(Component, Endpoint)) -> Result<String, String> {
    let address = fleet.address(*debug).map_err(|error| error.to_string())?;
    let page = probe::get(address, "/debug/health").await?;
    Ok(page.lines().next().unwrap_or_default().to_owned())
}

/// Waits until one of them leads, and says how long that took.
async fn leads(fleet: &Fleet, who: &(Component, Endpoint)) -> Duration {
    let begun = Instant::now();
    eventually(&format!("{} leads", who.0), async || {
        let line = lease(fleet, who).await?;
        if line.starts_with("Lease     held by this process") { Ok(()) } else { Err(line) }
    })
    .await;
    begun.elapsed()
}

async fn start(fleet: &Fleet, (component, _): &(Component, Endpoint), env: &[(&str, &str)]) {
    fleet.start_with(component, env).await.unwrap_or_else(|error| panic!("{error}"));
}

async fn stop(fleet: &Fleet, (component, _): &(Component, Endpoint), how: Stop) {
    fleet.stop(component, how).await.unwrap_or_else(|error| panic!("{error}"));
}

async fn up(ground: &Ground<'_>, name: &str) {
    ground.applied(&machine(name, Some("east"), &json!({"template": "small"}))).await;
    ground.running(name).await;
}

/// What a controller wrote about Machines since it was started first, as its log says.
fn created(fleet: &Fleet, component: &Component) -> usize {
    let log = std::fs::read_to_string(fleet.processes().log(&component.to_string())).unwrap_or_default();
    log.lines().filter(|line| line.contains("\"message\":\"created\"")).count()
}

/// Answered writes of either controller since the marks, but those of the Lease and of what clusters offer.
fn writes(fleet: &Fleet, marks: &[u64]) -> Vec<Record> {
    let ours = [fleet::user(fleet::CONTROLLER_ACCOUNT), fleet::user(fleet::REMOTE_CONTROLLER_ACCOUNT)];
    let planes = fleet.remotes().iter().chain([fleet.supervisor()]);
    let records = planes.zip(marks).flat_map(|(plane, mark)| plane.audit().since(*mark).expect("an audit log"));
    let by_us = records.filter(|it| ours.contains(&it.user) && it.is_answer());
    let reads = ["get", "list", "watch"];
    let about_machines = |it: &Record| !["leases", "kubevirtconfigs"].contains(&it.resource.as_str());
    by_us.filter(|it| !reads.contains(&it.verb.as_str()) && about_machines(it)).collect()
}

fn marks(fleet: &Fleet) -> Vec<u64> {
    fleet.remotes().iter().chain([fleet.supervisor()]).map(|plane| plane.audit().mark()).collect()
}

#[tokio::test]
async fn c57_r10_r11_one_of_two_controllers_works_and_the_other_takes_over() {
    let processes = Processes::kept().unwrap_or_else(|error| panic!("{error}"));
    let set = vec!["leaderElection=true".to_owned(), "replicaCount=2".to_owned()];
    let blueprint = Blueprint { set, ..Blueprint::of(&["east"]) };
    let fleet = Fleet::up(processes, blueprint).await.unwrap_or_else(|error| panic!("{error}"));
    let ground = Ground::new(&fleet, "default").await;
    one_works_and_the_other_is_ready(&ground).await;
    the_other_takes_over_from_one_that_is_killed(&ground).await;
    the_other_takes_over_at_once_from_one_that_ends(&ground).await;
    one_that_was_paused_writes_nothing_any_more(&ground).await;
    two_that_both_work_do_no_harm(&ground).await;
}

async fn one_works_and_the_other_is_ready(ground: &Ground<'_>) {
    let fleet = ground.fleet;
    leads(fleet, &FIRST).await;
    // It waits until `/readyz` says 200.
    start(fleet, &SECOND, &[]).await;
    let waits = lease(fleet, &SECOND).await.expect("a page");
    assert!(waits.starts_with("Lease     held by controller_") && waits.ends_with(" and waits"), "{waits}");
    up(ground, "first").await;
    let scraped = async |endpoint| probe::get(fleet.address(endpoint).map_err(|it| it.to_string())?, "/metrics").await;
    let counted = "kubevirt_operator_machines_total{phase=\"Running\",template=\"small\"} 1\n";
    // Its own watch shows the status a moment after ours does.
    eventually("the one that works counts its Machine", async || {
        let text = scraped(Endpoint::ControllerMetrics).await?;
        if text.contains(counted) && text.contains("kubevirt_operator_leader 1\n") { Ok(()) } else { Err(text) }
    })
    .await;
    let waits = scraped(Endpoint::SecondMetrics).await.expect("C45");
    assert!(waits.contains("kubevirt_operator_leader 0\n"), "{waits}");
    assert!(!waits.contains("kubevirt_operator_machines_total"), "{waits}");
    assert!(created(fleet, &FIRST.0) > 0 && created(fleet, &SECOND.0) == 0, "exactly one acts");
}

async fn the_other_takes_over_from_one_that_is_killed(ground: &Ground<'_>) {
    stop(ground.fleet, &FIRST, Stop::AtOnce).await;
    up(ground, "meanwhile").await;
    leads(ground.fleet, &SECOND).await;
    assert!(created(ground.fleet, &SECOND.0) > 0);
    start(ground.fleet, &FIRST, &[]).await;
}

async fn the_other_takes_over_at_once_from_one_that_ends(ground: &Ground<'_>) {
    stop(ground.fleet, &SECOND, Stop::Gracefully).await;
    let took = leads(ground.fleet, &FIRST).await;
    assert!(took < Duration::from_secs(10), "the Lease was given up, but it took {took:?}");
    up(ground, "after").await;
    start(ground.fleet, &SECOND, &[]).await;
}

async fn one_that_was_paused_writes_nothing_any_more(ground: &Ground<'_>) {
    let fleet = ground.fleet;
    let pause =
        |paused| fleet.processes().pause(&FIRST.0.to_string(), paused).unwrap_or_else(|error| panic!("{error}"));
    pause(true);
    leads(fleet, &SECOND).await;
    // When the first one goes on, it finds this Machine in its watches, and nothing of it on the cluster yet.
    up(ground, "unseen").await;
    told(ground, "unseen", "Running").await;
    let before = marks(fleet);
    pause(false);
    eventually(
        "the one that was paused ends",
        async || {
            if fleet.is_running(&FIRST.0) { Err("it runs") } else { Ok(()) }
        },
    )
    .await;
    let written = writes(fleet, &before);
    assert!(written.is_empty(), "{written:#?}");
    let log = std::fs::read_to_string(fleet.processes().log(&FIRST.0.to_string())).expect("a log");
    let end = log.lines().last().unwrap_or_default();
    assert!(end.contains("the Lease kubevirt-operator-controller"), "it says why: {end}");
    leads(fleet, &SECOND).await;
}

async fn two_that_both_work_do_no_harm(ground: &Ground<'_>) {
    let fleet = ground.fleet;
    stop(fleet, &SECOND, Stop::Gracefully).await;
    for both in [&FIRST, &SECOND] {
        start(fleet, both, &[("LEADER_ELECTION", "false")]).await;
    }
    let before = marks(fleet);
    let names: Vec<String> = (0..6).map(|number| format!("both-{number}")).collect();
    for name in &names {
        ground.applied(&machine(name, Some("east"), &json!({"template": "small"}))).await;
    }
    for name in &names {
        ground.running(name).await;
    }
    let made = writes(fleet, &before);
    let made = made
        .iter()
        .filter(|it| (it.verb.as_str(), it.resource.as_str(), it.code) == ("create", "virtualmachines", 201));
    assert_eq!(made.count(), names.len(), "one VM for each Machine");
    for name in &names {
        ground.delete(name).await;
    }
    for name in &names {
        ground.gone(name).await;
        assert_eq!(ground.remains("east", name).await, Vec::<String>::new(), "{name}");
    }
}
