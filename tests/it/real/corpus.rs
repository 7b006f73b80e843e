//! Whatever admission lets through, KubeVirt takes: a corpus drawn over the whole schema, patches included.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use kube::api::{DeleteParams, ListParams, PostParams};
use model::api::Machine;
use serde_json::json;
use tests::install::apply;
use tests::wait::eventually;

use super::draw::Draw;
use super::{REMOTE, judged};
use crate::machines::{Ground, condition, phase};

/// Machines that admission has to let through, and where the drawing begins, unless the environment says otherwise.
const DEFAULTS: [(&str, u64); 2] = [("CORPUS", 100), ("CORPUS_SEED", 1)];

fn settings() -> [u64; 2] {
    DEFAULTS.map(|(name, default)| match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")),
        Err(_) => default,
    })
}

#[tokio::test]
async fn x28_x72_kubevirt_takes_every_virtual_machine_of_an_admitted_machine() {
    let ground = Ground::new(judged().await, "corpus").await;
    let high = json!({
        "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}, "value": 1000,
    });
    let remote = ground.fleet.remote(REMOTE).unwrap_or_else(|error| panic!("{error}"));
    apply(remote, &high.to_string()).await.unwrap_or_else(|error| panic!("{error}"));
    let [wanted, seed] = settings();
    let mut draw = Draw::new(seed);
    let machines = ground.machines();
    let drawn = (0..).map(|at| draw.machine(&format!("m{at}"), REMOTE));
    let asked = stream::iter(drawn).map(async |machine| {
        let machine: Machine = serde_json::from_value(machine).expect("a Machine");
        machines.create(&PostParams::default(), &machine).await
    });
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    let mut admitted = Vec::new();
    let mut answers = asked.buffered(4);
    while (admitted.len() as u64) < wanted {
        match answers.next().await.expect("there is always another one") {
            Ok(machine) => admitted.extend(machine.metadata.name),
            Err(kube::Error::Api(status)) if status.code == 422 => *refused.entry(status.message).or_default() += 1,
            Err(other) => panic!("{other}"),
        }
    }
    drop(answers);

    let mut settled = Vec::new();
    for name in &admitted {
        settled.push(ground.until(name, "settled", is_settled).await);
    }
    let failed = settled.iter().filter(|machine| phase(machine) == "Failed");
    let failed: BTreeSet<_> = failed.map(told).collect();
    assert!(failed.is_empty(), "with CORPUS_SEED={seed} KubeVirt refuses what admission took: {failed:#?}");
    let running = settled.iter().filter(|machine| phase(machine) == "Running").count();
    assert!(running > 0 && !refused.is_empty(), "{running} run, and admission refused: {refused:#?}");
    let count: usize = refused.values().sum();
    eprintln!("seed {seed}: {wanted} admitted, {running} run, {count} refused by admission, 0 by KubeVirt");

    machines.delete_collection(&DeleteParams::default(), &ListParams::default()).await.expect("they may be deleted");
    for name in &admitted {
        ground.gone(name).await;
    }
    for (kind, group) in [("VirtualMachine", "kubevirt.io"), ("PersistentVolumeClaim", "")] {
        let api = ground.remote(REMOTE, kind, group).await;
        eventually(&format!("no {kind} is left"), async || {
            let left = api.list_metadata(&ListParams::default()).await.map_err(|error| error.to_string())?;
            if left.items.is_empty() { Ok(()) } else { Err(left.items.len().to_string()) }
        })
        .await;
    }
}

/// Whether it is as its author wants it, or will never be.
fn is_settled(machine: &Machine) -> bool {
    match phase(machine) {
        "Running" | "Failed" => true,
        "Stopped" => condition(machine, "Ready") == "True/Stopped",
        _ => false,
    }
}

/// What a Machine says of itself.
fn told(machine: &Machine) -> String {
    let conditions = machine.status.iter().flat_map(|status| &status.conditions);
    let troubles = conditions.filter(|it| it.status != "True").map(|it| format!("{}: {}", it.type_, it.message));
    troubles.collect::<Vec<_>>().join("; ")
}
