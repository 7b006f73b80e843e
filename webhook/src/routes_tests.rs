//! Many requests at once, decided by one replica.

use std::collections::{BTreeMap, BTreeSet};

use admission::{Config, Policy, World};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use model::names::{ClusterName, KUBEVIRT_CONFIG, PLACEMENT, RESOLVED};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::*;
use crate::answer::answer;
use crate::{body, canned, metrics};

const ROUNDS: usize = 50;
const TOGETHER: usize = 220;

/// A webhook that knows one cluster, on which all namespaces share one.
async fn shared() -> Arc<Shared> {
    Arc::new(waiting(Ready::new()).await)
}

/// The same, as far as it is ready.
async fn waiting(ready: Ready) -> Shared {
    let world = Current::new(Policy::default());
    let config = Config { namespace: Some("tenants".to_owned()), ..Config::default() };
    world.change(|world| world.configs = [(ClusterName("east".to_owned()), Arc::new(config))].into());
    let asking = Arc::new(Asking::new(canned::silent().await, |_| None));
    let metrics = metrics::Metrics::register(&mut Registry::default());
    Shared { world, asking, metrics, memory: body::Memory::new(body::BUDGET), ready }
}

fn create(object: &Value) -> Vec<u8> {
    let kind = json!({"group": "vitistack.io", "version": "v1alpha1", "kind": "Machine"});
    let (name, namespace) = (&object["metadata"]["name"], &object["metadata"]["namespace"]);
    let request = json!({"uid": "u-1", "operation": "CREATE", "name": name, "namespace": namespace, "object": object, "kind": kind});
    json!({"request": request}).to_string().into_bytes()
}

/// The Machine as the validating route sees it, once the mutating one has decided.
fn decided_on(world: &World, mut object: Value) -> Value {
    let body = answer(Route::Mutate, &create(&object), world).body;
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    let patch = body["response"]["patch"].as_str().unwrap_or_else(|| panic!("{body}"));
    let operations: Value = serde_json::from_slice(&BASE64.decode(patch).expect("base64")).expect("a patch");
    for operation in operations.as_array().expect("operations") {
        let path = operation["path"].as_str().expect("a path").replace("~1", "/");
        if path == "/metadata/finalizers" {
            object["metadata"]["finalizers"] = operation["value"].clone();
        }
        for key in [KUBEVIRT_CONFIG, PLACEMENT, RESOLVED] {
            if path.ends_with(key) {
                object["metadata"]["annotations"][key] = operation["value"].clone();
            }
        }
    }
    object
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn atk10_of_many_creates_at_once_no_two_hold_one_name_or_address() {
    for round in 0..ROUNDS {
        let shared = shared().await;
        let before = shared.world.load_full();
        let mut answers = JoinSet::new();
        for number in 0..TOGETHER {
            // Names that meet in the shared namespace, disks whose claims have one name, and few addresses.
            let (name, disk) = [("web", "a-b"), ("web-a", "b"), ("db", "root"), ("db", "data")][number % 4];
            let object = json!({
                "metadata": {"name": format!("{name}{}", if number % 8 < 4 { "" } else { "-x" }), "namespace": format!("team-{}", number % 7)},
                "spec": {"template": "small", "disks": [{"name": disk, "size": "1Gi"}],
                    "networks": [{"name": "nic", "macAddress": format!("52:54:00:00:00:{:02x}", (number + round) % 40)}]},
            });
            let (shared, object) = (shared.clone(), decided_on(&before, object));
            answers.spawn(async move {
                let body = create(&object);
                let review = decode(&body).expect("a review");
                let answer = judge(Route::Validate, &review.request, &shared).await;
                (answer.outcome == "admitted").then_some(object)
            });
        }
        let admitted: Vec<Value> = answers.join_all().await.into_iter().flatten().collect();
        // The same Machine twice is the API server's to refuse: here it is one Machine.
        let by_key: BTreeMap<String, &Value> = admitted
            .iter()
            .map(|it| (format!("{}/{}", it["metadata"]["namespace"], it["metadata"]["name"]), it))
            .collect();
        let mut held = BTreeSet::new();
        for machine in by_key.values() {
            let name = machine["metadata"]["name"].as_str().expect("a name");
            assert!(held.insert(format!("vm {name}")), "round {round}: two VMs called {name}");
            let mac = &machine["spec"]["networks"][0]["macAddress"];
            assert!(held.insert(format!("mac {mac}")), "round {round}: two interfaces with {mac}");
            let sizing: Value =
                serde_json::from_str(machine["metadata"]["annotations"][RESOLVED].as_str().expect("a size"))
                    .expect("JSON");
            for disk in sizing["disks"].as_array().expect("disks") {
                let claim = format!("claim {name}-{}", disk["name"].as_str().expect("a name"));
                assert!(held.insert(claim.clone()), "round {round}: two of {claim}");
            }
        }
        assert!(!by_key.is_empty(), "round {round}: nothing was admitted");
    }
}

#[tokio::test]
async fn c44_before_everything_is_listed_an_api_server_is_asked_to_come_back() {
    let ready = Ready::new();
    let machines = ready.latch("list of Machines");
    let client = canned::answering(routes(waiting(ready.clone()).await));
    let ask = async |path: &str| {
        let body = create(&json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": {"template": "small"}}));
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json").body(body.into());
        let answer = client.send(request.expect("a request")).await.expect("an answer");
        (answer.status().as_u16(), answer.headers().get(header::RETRY_AFTER).cloned())
    };
    let later = Some(HeaderValue::from_static("1"));
    assert_eq!(ask("/mutate/machines").await, (503, later.clone()), "it does not know which names are taken");
    assert_eq!(ask("/validate/machines").await, (503, later));
    machines.open();
    assert_eq!(ask("/mutate/machines").await, (200, None));
}
