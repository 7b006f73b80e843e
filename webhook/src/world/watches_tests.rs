use std::sync::atomic::{AtomicUsize, Ordering};

use admission::Policy;
use admission::world::Networks;
use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
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
    let annotations = json!({"vitistack.io/kubevirt-config": cluster, "vitistack.io/resolved": "{\"source\":\"spec\",\"cores\":1,\"threads\":1,\"sockets\":1,\"memory\":\"1Gi\",\"disks\":[{\"name\":\"root\",\"size\":\"1Gi\",\"accessMode\":\"ReadWriteOnce\"}]}"});
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
            let load = |cluster: &str| world.machines.load(&ClusterName(cluster.to_owned())).machines;
            if ready.not_ready().is_empty()
                && world.namespaces.contains_key("new")
                && world.networks.unlisted.is_none()
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
    assert!(world.networks.namespaces.is_empty(), "X36: known to be none");
    assert_eq!(world.machines.len(), 2);
    let names: Vec<_> =
        world.machines.get(&key("moved")).expect("known").names.iter().map(|it| it.name.clone()).collect();
    assert_eq!(names, ["vm-moved", "moved-root"], "X16");
}

/// The kind is installed later, at first we may not list it, and then we may.
type Wanted = (&'static str, fn(&Networks) -> bool);

#[tokio::test(start_paused = true)]
async fn x36_network_namespaces_that_cannot_be_listed_are_unknown_and_not_none() {
    let current = Current::new(Policy::default());
    let latches = Latches::take(&Ready::new());
    assert!(current.load().networks.unlisted.is_some(), "before they were listed at all");
    let stage = Arc::new(AtomicUsize::new(0));
    let (at, listing) = (
        stage.clone(),
        json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": "7"}, "items": [object("shop", "lan", &json!({}))]}),
    );
    let answer = async move || match at.load(Ordering::Relaxed) {
        0 => (StatusCode::NOT_FOUND, "404 page not found").into_response(),
        1 => canned::failure(403, "Forbidden", "networknamespaces.vitistack.io is forbidden", &json!({})),
        _ => canned::json(200, &listing),
    };
    let routes = Router::new()
        .route("/apis/vitistack.io/v1alpha1/networknamespaces", get(answer))
        .fallback_service(supervisor());
    tokio::spawn(follow(canned::answering(routes), current.clone(), latches));
    let wanted: [Wanted; 3] = [
        ("none, where there is no such kind", |it| it.unlisted.is_none() && it.namespaces.is_empty()),
        ("unknown", |it| it.unlisted.as_ref().is_some_and(|why| why.contains("is forbidden"))),
        ("listed", |it| it.unlisted.is_none() && it.namespaces.size() == 1),
    ];
    for (number, (what, wanted)) in wanted.into_iter().enumerate() {
        stage.store(number, Ordering::Relaxed);
        let mut steps = 0;
        while !wanted(&current.load().networks) {
            tokio::time::advance(Duration::from_millis(10)).await;
            steps += 1;
            assert!(steps < 10_000, "{what}: {:?}", current.load().networks);
        }
    }
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
