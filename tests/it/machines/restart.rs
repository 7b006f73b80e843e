//! Many Machines of two clusters: worked on at the same time, looked at again and again, and after a restart of the controller.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tests::audit::{Kind, table};
use tests::fleet::{self, Component, Endpoint};
use tests::install::kubectl;
use tests::probe;
use tests::process::Stop;
use tests::wait::eventually;

use super::requests::{marks, requests};
use super::{Ground, machine, said};
use crate::fleet::fresh;

const CLUSTERS: [&str; 2] = ["east", "west"];

fn name(index: usize) -> String {
    format!("many-{index:02}")
}

/// Applies Machines together, in turn on the one cluster and on the other.
async fn apply(ground: &Ground<'_>, indices: std::ops::Range<usize>) {
    let of = |index: usize| machine(&name(index), Some(CLUSTERS[index % 2]), &json!({"template": "small"}));
    let all: Vec<Value> = indices.map(of).collect();
    ground.applied(&json!({"apiVersion": "v1", "kind": "List", "items": all})).await;
}

async fn stop(ground: &Ground<'_>) {
    ground.fleet.stop(&Component::Controller, Stop::Gracefully).await.unwrap_or_else(|error| panic!("{error}"));
}

/// Starts the controller, and waits until it knows all VMs and has looked at each Machine three times since.
async fn looked_at(ground: &Ground<'_>, machines: usize) {
    let often = [("RECONCILE_INTERVAL", "2s")];
    ground.fleet.start_with(&Component::Controller, &often).await.unwrap_or_else(|error| panic!("{error}"));
    let address = ground.fleet.address(Endpoint::ControllerMetrics).unwrap_or_else(|error| panic!("{error}"));
    let passes = async || {
        let text = probe::get(address, "/metrics").await?;
        let known = format!("kubevirt_operator_virtual_machines_total{{status=\"Running\"}} {machines}\n");
        let count = "kubevirt_operator_reconciliation_duration_seconds_count{controller=\"Machine\"} ";
        let count = text.lines().find_map(|line| line.strip_prefix(count)).and_then(|it| it.parse::<usize>().ok());
        count.filter(|_| text.contains(&known)).ok_or(text)
    };
    let first = eventually("all VMs are known", &passes).await;
    eventually("all Machines are looked at again although nothing happens", async || match passes().await {
        Ok(now) if now >= first + 3 * machines => Ok(()),
        Ok(now) => Err(format!("{now} passes after {first}")),
        Err(text) => Err(text),
    })
    .await;
}

/// What the controller asks for when it is started again, by who, verb and kind.
async fn restarted(ground: &Ground<'_>, machines: usize) -> BTreeMap<Kind, usize> {
    // What was still to be said of them is said before.
    stop(ground).await;
    looked_at(ground, machines).await;
    stop(ground).await;
    let before = marks(ground.fleet);
    looked_at(ground, machines).await;
    let mut asked = requests(ground.fleet, &before);
    asked.retain(|kind, _| kind.resource != "leases.coordination.k8s.io");
    println!("a restart with {machines} Machines:\n{}", table(&asked));
    asked
}

#[tokio::test]
async fn b20_kvo3_kvo17_x29_x35_a_restart_writes_nothing_and_lists_each_kind_once() {
    let fleet = fresh(&CLUSTERS).await;
    let ground = Ground::new(&fleet, "default").await;
    apply(&ground, 0..2).await;
    for index in 0..2 {
        ground.running(&name(index)).await;
    }
    let few = restarted(&ground, 2).await;
    // All of these are new to it at once.
    stop(&ground).await;
    apply(&ground, 2..20).await;
    fleet.start(&Component::Controller).await.unwrap_or_else(|error| panic!("{error}"));
    for index in 2..20 {
        ground.running(&name(index)).await;
    }
    each_is_on_its_own_cluster(&ground).await;
    let many = restarted(&ground, 20).await;

    let [here, there] = [fleet::CONTROLLER_ACCOUNT, fleet::REMOTE_CONTROLLER_ACCOUNT].map(fleet::user);
    #[rustfmt::skip]
    let wanted = [
        (&here,  "get",  "/apis/vitistack.io/v1alpha1"),
        (&here,  "get",  "/openapi/v3/apis/vitistack.io/v1alpha1"),
        (&here,  "get",  "namespaces"),
        (&here,  "list", "kubevirtconfigs.vitistack.io"),
        (&here,  "list", "machines.vitistack.io"),
        (&here,  "list", "namespaces"),
        (&here,  "list", "networkconfigurations.vitistack.io"),
        (&here,  "list", "networknamespaces.vitistack.io"),
        (&here,  "list", "secrets"),
        (&there, "get",  "/apis"),
        (&there, "get",  "namespaces"),
        (&there, "list", "datavolumes.cdi.kubevirt.io"),
        (&there, "list", "kubevirts.kubevirt.io"),
        (&there, "list", "network-attachment-definitions.k8s.cni.cncf.io"),
        (&there, "list", "nodes"),
        (&there, "list", "persistentvolumeclaims"),
        (&there, "list", "pods"),
        (&there, "list", "storageclasses.storage.k8s.io"),
        (&there, "list", "virtualmachineinstances.kubevirt.io"),
        (&there, "list", "virtualmachines.kubevirt.io"),
    ];
    // Once on the supervisor and once on each of two clusters, and no write at all.
    let kind = |(user, verb, resource): (&String, &str, &str)| Kind {
        user: user.clone(),
        verb: verb.to_owned(),
        resource: resource.to_owned(),
    };
    let wanted: BTreeMap<Kind, usize> = wanted.map(|it| (kind(it), if it.0 == &here { 1 } else { 2 })).into();
    assert_eq!(many, wanted, "by pages, and not by Machines:\n{}", table(&many));
    assert_eq!(few, wanted, "\n{}", table(&few));
}

/// X29: none was made with the connection of another.
async fn each_is_on_its_own_cluster(ground: &Ground<'_>) {
    for (at, cluster) in CLUSTERS.into_iter().enumerate() {
        let remote = ground.fleet.remote(cluster).unwrap_or_else(|error| panic!("{error}"));
        let args = [
            "get",
            "vm,pvc",
            "--all-namespaces",
            "--output",
            "jsonpath={range .items[*]}{.metadata.name}{\"\\n\"}{end}",
        ];
        let found = said(kubectl(remote, &args, "").await).expect("an answer");
        let found: BTreeSet<String> = found.lines().map(str::to_owned).collect();
        let own = (at..20).step_by(2).map(name);
        let wanted = own.flat_map(|name| [format!("vm-{name}"), format!("{name}-root")]).collect();
        assert_eq!(found, wanted, "{cluster}");
    }
}
