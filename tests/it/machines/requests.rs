//! What one Machine's life costs, counted from the audit logs of real API servers, and that every right granted is used.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::events::v1::Event;
use kube::runtime::wait::await_condition;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use model::api::KubevirtConfig;
use serde_json::json;
use tests::audit::{Kind, Record, count, table};
use tests::fleet::{self, Fleet};
use tests::wait::eventually;

use super::{Ground, machine};
use crate::fleet::fresh;

/// Requests of the controller since the marks, on all planes.
pub(super) fn requests(fleet: &Fleet, marks: &[u64]) -> BTreeMap<Kind, usize> {
    let ours = [fleet::user(fleet::CONTROLLER_ACCOUNT), fleet::user(fleet::REMOTE_CONTROLLER_ACCOUNT)];
    let planes = fleet.remotes().iter().chain([fleet.supervisor()]);
    let records = planes.zip(marks).flat_map(|(plane, mark)| plane.audit().since(*mark).expect("an audit log"));
    count(&records.filter(|record| ours.contains(&record.user)).collect::<Vec<_>>())
}

pub(super) fn marks(fleet: &Fleet) -> Vec<u64> {
    fleet.remotes().iter().chain([fleet.supervisor()]).map(|plane| plane.audit().mark()).collect()
}

/// What was done to objects of the Machine since the marks, on all planes, in its order; a thing that is repeated counts once.
fn steps(fleet: &Fleet, marks: &[u64]) -> Vec<String> {
    let ours = [fleet::user(fleet::CONTROLLER_ACCOUNT), fleet::user(fleet::REMOTE_CONTROLLER_ACCOUNT)];
    let planes = fleet.remotes().iter().chain([fleet.supervisor()]);
    let mut records: Vec<_> = planes
        .zip(marks)
        .flat_map(|(plane, mark)| {
            let of_plane = |record| (plane.name().to_owned(), record);
            plane.audit().since(*mark).expect("an audit log").into_iter().map(of_plane)
        })
        .collect();
    // All planes are on this machine, and have its clock.
    records.sort_by(|(_, a), (_, b)| a.time.cmp(&b.time));
    let others = ["leases", "events", "kubevirtconfigs"];
    let counts = |record: &Record| {
        ours.contains(&record.user)
            && record.is_answer()
            && record.verb != "list"
            && !others.contains(&record.resource.as_str())
    };
    let said = |(plane, it): (String, Record)| match (it.verb.as_str(), it.subresource.as_str()) {
        ("get", _) => format!("look on {plane}"),
        (verb, "") => format!("{verb} {} on {plane}", it.resource),
        (verb, part) => format!("{verb} {}/{part} on {plane}", it.resource),
    };
    let mut steps: Vec<_> = records.into_iter().filter(|(_, it)| counts(it)).map(said).collect();
    steps.dedup();
    steps
}

/// Waits for the Event that follows a transition: it is the last request of one.
pub(super) async fn told(ground: &Ground<'_>, name: &str, reason: &str) {
    let events: Api<Event> = Api::namespaced(ground.supervisor.clone(), &ground.namespace);
    let about = |event: &Event| {
        event.regarding.as_ref().and_then(|it| it.name.as_deref()) == Some(name)
            && event.reason.as_deref() == Some(reason)
    };
    let mut seen = std::pin::pin!(watcher(events, watcher::Config::default()).default_backoff().applied_objects());
    let told = async {
        while let Some(event) = seen.next().await {
            if event.is_ok_and(|event| about(&event)) {
                return;
            }
        }
    };
    tokio::time::timeout(super::LIMIT, told).await.unwrap_or_else(|_| panic!("no Event {reason} about {name}"));
}

/// How many Machines a cluster has is written once for many of them, at most every ten seconds.
fn of_machines(mut counts: BTreeMap<Kind, usize>) -> BTreeMap<Kind, usize> {
    counts.retain(|kind, _| !kind.resource.starts_with("kubevirtconfigs"));
    counts
}

/// Waits until the KubevirtConfig is held, and says how many Machines there are.
async fn counted(ground: &Ground<'_>, machines: i64) {
    let configs: Api<KubevirtConfig> = Api::namespaced(ground.supervisor.clone(), fleet::CONFIGS_NAMESPACE);
    let counted = await_condition(configs, "east", |config: Option<&KubevirtConfig>| {
        let held = config.filter(|config| !config.finalizers().is_empty());
        held.and_then(|config| config.status.as_ref()).is_some_and(|status| status.machines == Some(machines))
    });
    tokio::time::timeout(super::LIMIT, counted).await.expect("in time").expect("a watch");
}

#[tokio::test]
async fn b4_b6_b13_c20_c27_kvo33_x17_a_machines_life_costs_few_requests_and_an_idle_one_costs_none() {
    let fleet = fresh(&["east"]).await;
    let ground = Ground::new(&fleet, "default").await;
    // The first Machine of a namespace also makes the namespace; it stays, so that idle is measured with one there.
    ground.applied(&machine("first", None, &json!({"template": "small"}))).await;
    ground.running("first").await;
    counted(&ground, 1).await;

    let before = marks(&fleet);
    ground.applied(&machine("counted", None, &json!({"template": "small"}))).await;
    ground.running("counted").await;
    told(&ground, "counted", "Running").await;
    let (created, made) = (of_machines(requests(&fleet, &before)), steps(&fleet, &before));
    counted(&ground, 2).await;

    let before = marks(&fleet);
    // The one pause of the suites: what is measured is a minute in which nothing happens.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let idle = of_machines(requests(&fleet, &before));

    let before = marks(&fleet);
    ground.delete("counted").await;
    ground.gone("counted").await;
    // The watch may be faster than the record of the request that it tells of.
    let mut unmade = eventually("the record of the last request", async || {
        let steps = steps(&fleet, &before);
        if steps.iter().any(|step| step == "patch machines on supervisor") {
            Ok(steps)
        } else {
            Err(format!("{steps:?}"))
        }
    })
    .await;
    let deleted = of_machines(requests(&fleet, &before));

    let total = |counts: &BTreeMap<Kind, usize>| counts.values().sum::<usize>();
    println!(
        "create to Running:\n{}\nidle for a minute, 2 Machines:\n{}\ndelete:\n{}",
        table(&created),
        table(&idle),
        table(&deleted)
    );
    println!("requests of one Machine      ours   published operator");
    println!("create to Running (D=1)      {:>4}   22 (VM up after 3.2 s), 62 (22.3 s)", total(&created));
    println!("idle, per minute             {:>4}   127.5", total(&idle));
    println!("delete (D=1)                 {:>4}   8, and the VM still terminates", total(&deleted));
    assert_eq!(total(&idle), 0, "\n{}", table(&idle));
    assert!(total(&created) <= 9, "\n{}", table(&created));
    assert!(total(&deleted) <= 8, "\n{}", table(&deleted));
    let wanted = [
        "patch machines/status on supervisor",
        "create persistentvolumeclaims on east",
        "create virtualmachines on east",
        "create networkconfigurations on supervisor",
        "patch machines/status on supervisor",
    ];
    assert_eq!(made, wanted, "B6, C20: the cluster is recorded first, and what it then shows last");
    unmade.retain(|step| step != "patch machines/status on supervisor");
    let wanted = [
        "delete virtualmachines on east",
        "look on east",
        "delete persistentvolumeclaims on east",
        "delete networkconfigurations on supervisor",
        "patch machines on supervisor",
    ];
    assert_eq!(unmade, wanted, "B13, C27, X17: the finalizer comes last");
    assert!(ground.machines().get("first").await.expect("still there").finalizers().len() == 1);
}
