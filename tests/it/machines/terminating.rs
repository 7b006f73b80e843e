//! Namespaces that are deleted while there are Machines in them, or while there are to be some: on the supervisor, and on a
//! cluster.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};
use tests::fleet::{self, Fleet};
use tests::wait::eventually;

use super::requests::told;
use super::{Ground, LIMIT, condition, machine};
use crate::fleet::shared;

async fn namespaces(fleet: &Fleet, cluster: &str) -> Api<Namespace> {
    Api::all(fleet.remote(cluster).expect(cluster).client().await.expect("a client"))
}

#[tokio::test]
async fn fr17_in_a_namespace_that_is_deleted_nothing_is_written_but_what_the_deletion_needs() {
    let ground = Ground::new(shared().await, "ending").await;
    let names: Vec<String> = (0..20).map(|at| format!("m-{at}")).collect();
    let all: Vec<Value> = names.iter().map(|name| machine(name, Some("east"), &json!({"template": "small"}))).collect();
    ground.applied(&json!({"apiVersion": "v1", "kind": "List", "items": all})).await;
    for name in &names {
        ground.running(name).await;
        told(&ground, name, "Running").await;
    }
    let audit = ground.fleet.supervisor().audit();
    let before = audit.mark();
    let namespaces: Api<Namespace> = Api::all(ground.supervisor.clone());
    namespaces.delete("ending", &DeleteParams::default()).await.expect("deleted");
    let gone = await_condition(namespaces, "ending", |it: Option<&Namespace>| it.is_none());
    assert!(
        tokio::time::timeout(LIMIT, gone).await.is_ok_and(|it| it.is_ok()),
        "{:?}",
        ground.machines().list(&ListParams::default()).await
    );

    let user = fleet::user(fleet::CONTROLLER_ACCOUNT);
    let written = audit.since(before).expect("an audit log").into_iter();
    let written: Vec<_> = written.filter(|it| it.is_answer() && it.user == user && it.namespace == "ending").collect();
    let kinds: BTreeSet<String> = written.iter().map(|it| format!("{} {}", it.verb, it.full_resource())).collect();
    let needed = [
        "delete networkconfigurations.vitistack.io",
        "patch machines.vitistack.io",
        "patch machines.vitistack.io/status",
    ];
    assert!(kinds.iter().all(|kind| needed.contains(&kind.as_str())), "{kinds:?}");
    let refused: Vec<_> = written.iter().filter(|it| it.code == 403).collect();
    assert!(refused.is_empty(), "{refused:?}");
    for kind in ["VirtualMachine", "VirtualMachineInstance"] {
        let left = ground.remote("east", kind, "kubevirt.io").await.list(&ListParams::default()).await.expect("a list");
        assert_eq!(left.items.len(), 0, "{kind}");
    }
}

#[tokio::test]
async fn r15_a_namespace_of_a_cluster_that_is_being_deleted_is_said_and_not_asked_in_a_loop() {
    let ground = Ground::new(shared().await, "closing").await;
    let west = ground.fleet.remote("west").expect("west");
    west.ensure_namespace("closing").await.expect("a namespace");
    let maps: Api<ConfigMap> = Api::namespaced(west.client().await.expect("a client"), "closing");
    let keeps: ConfigMap =
        serde_json::from_value(json!({"metadata": {"name": "keeps", "finalizers": ["example.org/keeps"]}}))
            .expect("a map");
    maps.create(&PostParams::default(), &keeps).await.expect("created");
    let namespaces = namespaces(ground.fleet, "west").await;
    namespaces.delete("closing", &DeleteParams::default()).await.expect("deleted");

    let before = west.audit().mark();
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let all = names.map(|name| machine(name, Some("west"), &json!({"template": "small"})));
    ground.applied(&json!({"apiVersion": "v1", "kind": "List", "items": all})).await;
    for name in names {
        let says = |it: &model::api::Machine| condition(it, "VirtualMachineReady") == "False/NamespaceTerminating";
        let stuck = ground.until(name, "kept from its namespace", says).await;
        assert_eq!(condition(&stuck, "Ready"), "False/NamespaceTerminating", "{name}");
        let message = stuck.status.and_then(|status| status.message).unwrap_or_default();
        assert!(message.starts_with("namespace \"closing\" on \"west\" is being deleted"), "{message}");
    }
    let user = fleet::user(fleet::REMOTE_CONTROLLER_ACCOUNT);
    let asked = || {
        let all = west.audit().since(before).expect("an audit log").into_iter();
        let all =
            all.filter(|it| it.is_answer() && it.user == user && (it.namespace == "closing" || it.name == "closing"));
        let all: Vec<_> = all.map(|it| (format!("{} {}", it.verb, it.full_resource()), it.code)).collect();
        let count = |what: &str, code: u16| all.iter().filter(|it| **it == (what.to_owned(), code)).count();
        (count("create persistentvolumeclaims", 403), count("get namespaces", 200), all)
    };
    eventually("it is asked whether the namespace is gone", async || match asked() {
        (_, 10.., _) => Ok(()),
        (_, few, _) => Err(few.to_string()),
    })
    .await;
    let (refused, _, all) = asked();
    // As many as are worked on at once.
    assert!((1..=5).contains(&refused), "{all:?}");
    let others: BTreeSet<_> = all.iter().filter(|(_, code)| *code == 403).map(|(what, _)| what).collect();
    assert_eq!(others.len(), 1, "{others:?}");

    let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    maps.patch("keeps", &PatchParams::default(), &free).await.expect("patched");
    for name in names {
        ground.running(name).await;
    }
    for name in names {
        ground.delete(name).await;
        ground.gone(name).await;
    }
}
