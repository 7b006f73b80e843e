//! What admission refuses, and is stored all the same: while the webhook and its policies are away, or by whoever may write to etcd.

use std::collections::BTreeMap;
use std::fs;

use futures::{StreamExt, stream};
use kube::api::{DeleteParams, ListParams, PostParams};
use model::api::Machine;
use model::names::RESOLVED;
use serde_json::{Value, json};
use tests::audit::Record;
use tests::fleet::{self, Blueprint, Component, Fleet};
use tests::install::kubectl;
use tests::process::Processes;
use tests::wait::eventually;

use super::REMOTE;
use super::draw::Draw;
use crate::machines::{Ground, condition, machine, said};

/// Machines that admission refuses; of about a third of them, the schema of the CRD does not. Each seed draws the same.
const WANTED: usize = 80;
const SEED: u64 = 7;
/// As often KubeVirt refuses one object: at what happens to the Machine meanwhile, such as a disk that is bound, and with growing
/// pauses in between.
const MOST: usize = 12;

#[tokio::test]
async fn what_admission_refuses_and_is_stored_past_it_is_told_of_and_makes_no_loop() {
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
        stored.extend(store(&ground, manifest).await);
    }
    assert!(stored.len() >= 20, "{} of {WANTED} are stored", stored.len());
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for name in &stored {
        let settled = ground.until(name, "told of", |machine| {
            let seen = machine.status.as_ref().and_then(|status| status.observed_generation);
            let ready = condition(machine, "Ready");
            seen == machine.metadata.generation
                && !ready.is_empty()
                && !["Creating", "Pending"].iter().any(|it| ready.ends_with(it))
        });
        *told.entry(condition(&settled.await, "Ready")).or_default() += 1;
    }
    eprintln!("seed {SEED}: {} stored past admission: {told:?}", stored.len());

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
    let refusals = refusals(&remote.audit().since(0).expect("an audit log"));
    eprintln!("refused: {refusals:?}");
    assert!(!refusals.is_empty() && refusals.values().all(|count| *count <= MOST), "{refusals:#?}");
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

/// Its name; `None` where the schema of the CRD refuses it. An API server acts on what is deleted a moment after.
async fn store(ground: &Ground<'_>, manifest: Value) -> Option<String> {
    let machine: Machine = serde_json::from_value(manifest).expect("a Machine");
    let judged =
        |why: &kube::Error| ["admission webhook", "ValidatingAdmissionPolicy"].map(|it| why.to_string().contains(it));
    eventually("webhook and policies are gone", async || {
        match ground.machines().create(&PostParams::default(), &machine).await {
            Ok(stored) => Ok(stored.metadata.name),
            Err(why) if judged(&why).contains(&true) => Err(why),
            Err(_) => Ok(None),
        }
    })
    .await
}

/// What admission writes onto a Machine that it takes.
async fn resolved(ground: &Ground<'_>) -> String {
    let plain = machine("plain", Some(REMOTE), &json!({"template": "small", "runStrategy": "Halted"}));
    let plain: Machine = serde_json::from_value(plain).expect("a Machine");
    let only_tried = PostParams { dry_run: true, ..PostParams::default() };
    let plain = ground.machines().create(&only_tried, &plain).await.expect("it is taken");
    plain.metadata.annotations.expect("annotations")[RESOLVED].clone()
}

/// How often each write of the controller was refused.
fn refusals(records: &[Record]) -> BTreeMap<String, usize> {
    let writes = ["create", "update", "patch", "delete"];
    let refused = records.iter().filter(|it| {
        it.user == fleet::user(fleet::REMOTE_CONTROLLER_ACCOUNT)
            && it.is_answer()
            && writes.contains(&it.verb.as_str())
            && [400, 403, 422].contains(&it.code)
    });
    refused.fold(BTreeMap::new(), |mut all, record| {
        *all.entry(format!("{} {} {}", record.verb, record.full_resource(), record.name)).or_default() += 1;
        all
    })
}
