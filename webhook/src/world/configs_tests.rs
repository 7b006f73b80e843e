use admission::world::Stored;
use admission::{Policy, World};
use axum::Router;
use model::names::MachineKey;
use runtime::ready::Ready;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::*;
use crate::canned;

const LIMIT: Duration = Duration::from_secs(10);

fn config(name: &str, spec: &Value) -> Value {
    let mut all = json!({"name": name, "kubeconfigSecretRef": name});
    all.as_object_mut().expect("an object").extend(spec.as_object().expect("an object").clone());
    json!({"apiVersion": "vitistack.io/v1alpha1", "kind": "KubevirtConfig",
        "metadata": {"namespace": "configs", "name": name, "resourceVersion": "3", "labels": {"region": "eu"}}, "spec": all})
}

fn event(kind: &str, object: &Value) -> Value {
    json!({"type": kind, "object": object})
}

#[tokio::test]
async fn x43_x48_e16_configs_are_followed_and_without_a_kubeconfig_they_are_silent() {
    let changes = vec![
        event("MODIFIED", &config("east", &json!({"namespace": "vms", "schedulable": false}))),
        event("ADDED", &config("north", &json!({"hubType": "cluster"}))),
        event("DELETED", &config("west", &json!({}))),
    ];
    let secret = json!({"metadata": {"namespace": "configs", "name": "east", "resourceVersion": "3"}, "data": {"kubeconfig": "e30="}});
    let routes = Router::new()
        .route(
            "/apis/vitistack.io/v1alpha1/namespaces/configs/kubevirtconfigs",
            canned::kind(vec![config("east", &json!({})), config("west", &json!({}))], changes),
        )
        .route(
            "/apis/vitistack.io/v1alpha1",
            canned::kinds("vitistack.io/v1alpha1", "KubevirtConfig", "kubevirtconfigs"),
        )
        .route("/api/v1/namespaces/configs/secrets", canned::kind(vec![secret], Vec::new()));
    let (ready, current) = (Ready::new(), Current::new(Policy::default()));
    let latch = ready.latch("configs");
    // A Machine of the name space `shop`, whose VM is known to be where `east` has its VMs.
    let key = MachineKey { namespace: "shop".to_owned(), name: "web".to_owned() };
    let east = ClusterName("east".to_owned());
    let stored = Stored { cluster: Some("east".to_owned()), ..Stored::default() };
    let held = World::default().held(&key, &stored);
    current.change(|world| world.machines.put(&key, held));
    // Another, whose VM was made before somebody mapped the namespace.
    let settled = MachineKey { name: "old".to_owned(), ..key.clone() };
    let seen = Stored { cluster: Some("east".to_owned()), namespace: Some("shop".to_owned()), ..Stored::default() };
    current.seen(vec![(settled.clone(), Some(seen))]);
    let following = current.clone();
    tokio::spawn(async move {
        follow(canned::answering(routes), "configs", Clusters::default(), following, latch).await;
    });
    let done = async {
        loop {
            tokio::task::yield_now().await;
            let world = Arc::clone(&current.load());
            let names: Vec<_> = world.configs.keys().map(|name| name.0.as_str()).collect();
            if names == ["east", "north"]
                && world.configs[&east].inventory.silent.as_ref().is_some_and(|why| why.contains("Secret"))
            {
                return world.clone();
            }
        }
    };
    let world = timeout(LIMIT, done).await.expect("all of it is known");
    assert!(ready.not_ready().is_empty(), "no cluster answers, and none is waited for");
    let config = &world.configs[&east];
    assert_eq!((config.schedulable, config.labels["region"].as_str()), (false, "eu"));
    let why = config.inventory.silent.as_deref().expect("silent");
    assert!(why.starts_with("its kubeconfig cannot be used: Secret configs/east, key \"kubeconfig\": "), "{why}");
    let north = &world.configs[&ClusterName("north".to_owned())];
    assert!(!north.virtual_machines, "X53");
    assert_eq!(
        north.inventory.silent.as_deref(),
        Some(
            "its kubeconfig cannot be used: Secret configs/north does not exist: create it with the key \"kubeconfig\""
        )
    );
    let namespaces = |key: &MachineKey| -> Vec<&str> {
        world.machines.get(key).expect("known").names.iter().map(|it| it.namespace.as_str()).collect()
    };
    assert_eq!(namespaces(&key), ["vms"], "X38: its names moved with the namespace of its cluster");
    assert_eq!(namespaces(&settled), ["shop"], "X38: what is recorded does not move");
}
