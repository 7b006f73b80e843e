use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use model::admission::Policy;
use model::names::ClusterName;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::*;
use crate::canned;

const LIMIT: Duration = Duration::from_secs(10);

fn object(namespace: &str, name: &str, more: &Value) -> Value {
    let mut object = json!({"metadata": {"namespace": namespace, "name": name, "uid": format!("{name}-uid"), "resourceVersion": "3"}});
    let metadata = object["metadata"].as_object_mut().expect("an object");
    metadata.extend(more["metadata"].as_object().cloned().unwrap_or_default());
    for part in ["spec", "status"] {
        if more[part].is_object() {
            object[part] = more[part].clone();
        }
    }
    object
}

/// A Machine on a cluster, with a VM of the usual name.
fn machine(name: &str, cluster: &str) -> Value {
    let annotations =
        json!({"vitistack.io/kubevirt-config": cluster, "vitistack.io/resolved": "{\"disks\":[{\"name\":\"root\"}]}"});
    object("shop", name, &json!({"metadata": {"annotations": annotations}, "spec": {}}))
}

fn event(kind: &str, object: &Value) -> Value {
    json!({"type": kind, "object": object})
}

/// A supervisor with something of everything, but without the kind NetworkNamespace.
fn supervisor() -> Router {
    let vitistack = "/apis/vitistack.io/v1alpha1";
    let class = object(
        "",
        "gpu",
        &json!({"spec": {"cpu": {"cores": 8}, "memory": {"quantity": "64Gi"}, "machineProviders": []}}),
    );
    let spoilt = object("", "spoilt", &json!({"spec": {"cpu": "many"}}));
    let shop = object("", "shop", &json!({"metadata": {"labels": {"team": "web"}}}));
    let system = object("", "kube-system", &json!({}));
    let record =
        object("shop", "record", &json!({"metadata": {"labels": {"vitistack.io/managed-by": "kubevirt-operator"}}}));
    let changes = vec![
        event("ADDED", &machine("late", "west")),
        event("MODIFIED", &machine("moved", "west")),
        event("DELETED", &machine("gone", "east")),
    ];
    Router::new()
        .route(&format!("{vitistack}/machineclasses"), canned::kind(vec![class, spoilt], Vec::new()))
        .route(
            "/api/v1/namespaces",
            canned::kind(vec![shop, system], vec![event("ADDED", &object("", "new", &json!({})))]),
        )
        .route(
            &format!("{vitistack}/networkconfigurations"),
            canned::kind(vec![record, object("shop", "lan", &json!({}))], Vec::new()),
        )
        .route(
            &format!("{vitistack}/machines"),
            canned::kind(vec![machine("moved", "east"), machine("gone", "east")], changes),
        )
        .fallback(async || (StatusCode::NOT_FOUND, "404 page not found"))
}

#[tokio::test]
async fn a24_x16_x36_the_supervisor_is_followed_and_a_kind_that_is_not_installed_blocks_nothing() {
    let (ready, current) = (Ready::new(), Current::new(Policy::default()));
    let latches = Latches::take(&ready);
    assert_eq!(ready.not_ready().len(), 4);
    tokio::spawn(follow(canned::answering(supervisor()), current.clone(), latches));
    let done = async {
        loop {
            tokio::task::yield_now().await;
            let world = Arc::clone(&current.load());
            let load = |cluster: &str| world.machines.load(&ClusterName(cluster.to_owned()), None).machines;
            if ready.not_ready().is_empty()
                && world.namespaces.contains_key("new")
                && (load("east"), load("west")) == (0, 2)
            {
                return world.clone();
            }
        }
    };
    let world = timeout(LIMIT, done).await.expect("all of it is known");
    let key = |name: &str| MachineKey { namespace: "shop".to_owned(), name: name.to_owned() };
    assert_eq!(world.policy.supervisor, "kube-system-uid", "T9 X54: without a request of its own");
    assert_eq!((world.classes["gpu"].cores, world.classes.len()), (8, 1), "what does not decode hides nothing");
    assert_eq!(world.namespaces.get("shop").expect("known")["team"], "web");
    let networks = &world.networks.configurations;
    assert_eq!(
        (networks.get(&key("record")), networks.get(&key("lan"))),
        (Some(&true), Some(&false)),
        "X36: whose it is"
    );
    assert!(world.networks.namespaces.is_empty());
    assert_eq!(world.machines.len(), 2);
    let names: Vec<_> =
        world.machines.get(&key("moved")).expect("known").names.iter().map(|it| it.name.clone()).collect();
    assert_eq!(names, ["vm-moved", "moved-root"], "X16");
}

#[tokio::test]
async fn readiness_waits_for_what_decides_and_nothing_else() {
    let (ready, current) = (Ready::new(), Current::new(Policy::default()));
    let latches = Latches::take(&ready);
    let machines = "/apis/vitistack.io/v1alpha1/machines";
    let missing = Router::new()
        .route(
            machines,
            get(async || canned::failure(403, "Forbidden", "machines.vitistack.io is forbidden", &json!({}))),
        )
        .route("/api/v1/namespaces", canned::kind(vec![object("", "shop", &json!({}))], Vec::new()))
        .fallback_service(supervisor());
    tokio::spawn(follow(canned::answering(missing), current, latches));
    let open = async {
        while ready.not_ready().len() > 2 {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, open).await.expect("classes and networks");
    assert_eq!(ready.not_ready(), ["list of namespaces, kube-system among them", "list of Machines"]);
}
