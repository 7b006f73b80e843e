//! What admission refuses, and is stored all the same: while the webhook and its policies are away, or by whoever may write to etcd.

use std::collections::BTreeMap;
use std::fs;

use futures::{StreamExt, stream};
use k8s_openapi::jiff::{Timestamp, ToSpan};
use kube::api::{DeleteParams, ListParams, PostParams};
use model::api::Machine;
use model::names::RESOLVED;
use serde_json::{Value, json};
use tests::audit::Record;
use tests::fleet::{self, Blueprint, Component, Fleet};
use tests::install::kubectl;
use tests::process::Processes;

use super::REMOTE;
use super::draw::Draw;
use crate::machines::{Ground, machine, phase, said};

/// Machines that admission refused and that are stored; each seed draws the same.
const WANTED: usize = 40;
const SEED: u64 = 7;
/// No write that was refused comes again sooner.
const PATIENCE_MILLIS: i64 = 900;

#[tokio::test]
async fn what_admission_refuses_and_is_stored_past_it_is_met_with_patience() {
    let blueprint = Blueprint { real_kubevirt: true, ..Blueprint::of(&[REMOTE]) };
    let up = async || Fleet::up(Processes::kept()?, blueprint).await;
    let fleet = up().await.unwrap_or_else(|error| panic!("{error}"));
    let ground = Ground::new(&fleet, "past").await;
    let wrong = refused(&ground).await;
    let resolved = resolved(&ground).await;
    let kinds = "mutatingwebhookconfigurations,validatingwebhookconfigurations,validatingadmissionpolicybindings";
    said(kubectl(fleet.supervisor(), &["delete", kinds, "--all"], "").await).expect("nothing is judged any more");

    let mut stored = Vec::new();
    for mut manifest in wrong {
        manifest["metadata"]["annotations"][RESOLVED] = json!(resolved);
        let drawn: Machine = serde_json::from_value(manifest).expect("a Machine");
        // The schema of the CRD is the API server's own.
        if let Ok(machine) = ground.machines().create(&PostParams::default(), &drawn).await {
            stored.extend(machine.metadata.name);
        }
    }
    assert!(stored.len() * 2 > WANTED, "only {} of {WANTED} are stored", stored.len());
    let mut phases: BTreeMap<String, usize> = BTreeMap::new();
    for name in &stored {
        let said = ground.until(name, "told of", |machine| {
            let seen = machine.status.as_ref().and_then(|status| status.observed_generation);
            seen == machine.metadata.generation && !["", "Creating", "Pending"].contains(&phase(machine))
        });
        *phases.entry(phase(&said.await).to_owned()).or_default() += 1;
    }
    eprintln!("seed {SEED}: {} stored past admission: {phases:?}", stored.len());

    ground.machines().delete_collection(&DeleteParams::default(), &ListParams::default()).await.expect("deleted");
    for name in &stored {
        ground.gone(name).await;
    }
    for name in &stored {
        assert_eq!(ground.remains(REMOTE, name).await, Vec::<String>::new(), "{name}");
    }
    let log = fs::read_to_string(fleet.processes().log("controller")).expect("a log");
    assert!(fleet.is_running(&Component::Controller) && !log.contains("panicked"), "{log}");
    let remote = fleet.remote(REMOTE).expect("the remote");
    let hasty = hasty(&remote.audit().since(0).expect("an audit log"));
    assert_eq!(hasty, Vec::<String>::new(), "writes that come again as they were refused");
}

/// Machines that admission refuses.
async fn refused(ground: &Ground<'_>) -> Vec<Value> {
    let mut draw = Draw::new(SEED);
    let machines = ground.machines();
    let drawn = (0..).map(|at| draw.machine(&format!("m{at}"), REMOTE));
    let tried = stream::iter(drawn).map(async |manifest| {
        let only_tried = PostParams { dry_run: true, ..PostParams::default() };
        let machine: Machine = serde_json::from_value(manifest.clone()).expect("a Machine");
        match machines.create(&only_tried, &machine).await {
            Ok(_) => None,
            Err(kube::Error::Api(status)) if status.code == 422 => Some(manifest),
            Err(other) => panic!("{other}"),
        }
    });
    tried.buffered(4).filter_map(async |it| it).take(WANTED).collect().await
}

/// What admission writes onto a Machine that it takes.
async fn resolved(ground: &Ground<'_>) -> String {
    let plain = machine("plain", Some(REMOTE), &json!({"template": "small", "runStrategy": "Halted"}));
    let plain: Machine = serde_json::from_value(plain).expect("a Machine");
    let only_tried = PostParams { dry_run: true, ..PostParams::default() };
    let plain = ground.machines().create(&only_tried, &plain).await.expect("it is taken");
    plain.metadata.annotations.expect("annotations")[RESOLVED].clone()
}

/// Writes of the controller that were refused, and came again at once.
fn hasty(records: &[Record]) -> Vec<String> {
    let mut last: BTreeMap<(String, String), Timestamp> = BTreeMap::new();
    let writes = ["create", "update", "patch", "delete"];
    let refused = records.iter().filter(|it| {
        it.user == fleet::user(fleet::REMOTE_CONTROLLER_ACCOUNT)
            && it.is_answer()
            && writes.contains(&it.verb.as_str())
            && [400, 403, 422].contains(&it.code)
    });
    let hasty = refused.filter_map(|record| {
        let at: Timestamp = record.time.parse().expect("a time");
        let before = last.insert((record.verb.clone(), format!("{} {}", record.uri, record.name)), at)?;
        let patient = before + PATIENCE_MILLIS.milliseconds();
        (at < patient).then(|| format!("{} {} {} at {at} after {before}", record.verb, record.uri, record.name))
    });
    hasty.collect()
}
