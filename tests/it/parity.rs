//! X55, Z12: the schema with its CEL and the rules in Rust say yes and no to the same Machines.
//!
//! Several hundred Machines are made by chance, from a fixed seed, most fields of most of them well. Each goes to a real API
//! server that has our CRDs and no webhook, as a create that is not stored, and through admission in a World in which
//! every name exists and every cluster has room, so that only static rules can refuse.
//!
//! Not compared, because a schema cannot say it, each with the reason where the rule is:
//! a disk without a size that is not its template's (`FieldValueRequired` at `spec.disks[].size`); base64 of a length that is
//! no multiple of four; the prefix in the length of a name; texts of more than 1Mi in bytes but not in characters;
//! a label that names another template than the spec.

mod machines;

use std::sync::Arc;

use admission::review::decode;
use admission::world::Capacity;
use admission::{Config, Policy, Verdict, World, decide, judge_undecodable};
use futures::StreamExt;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, PostParams};
use model::names::{ClusterName, MachineKey};
use model::reason::Reason;
use serde_json::{Value, json};
use tests::{generated, install};

use crate::planes;

const MACHINES: u64 = 600;
/// Requests under way at a time.
const AT_ONCE: usize = 8;

/// A World in which nothing is missing.
fn generous() -> World {
    let key = |name: &str| MachineKey { namespace: "default".to_owned(), name: name.to_owned() };
    let mut config = Config { emulated_machines: Some(vec!["*".to_owned()]), ..Config::default() };
    config.labels.insert("region".to_owned(), "eu".to_owned());
    config.capacity = Some(Capacity::default());
    for class in machines::CLASSES {
        config.inventory.storage_classes.insert_mut((*class).to_owned(), ());
    }
    let policy = Policy { vm_prefix: String::new(), ..Policy::default() };
    let mut world = World {
        configs: [(ClusterName("east".to_owned()), Arc::new(config))].into(),
        policy: Arc::new(policy),
        readable: Some(machines::SECRETS.iter().map(|name| ((*name).to_owned(), Ok(true))).collect()),
        ..World::default()
    };
    for network in machines::NETWORKS {
        world.networks.configurations.insert_mut(key(network), false);
        world.networks.namespaces.insert_mut(key(network), ());
    }
    world
}

/// Why admission refuses it.
fn judged(machine: &Value, world: &World) -> Vec<String> {
    let kind = json!({"group": "vitistack.io", "version": "v1alpha1", "kind": "Machine"});
    let name = &machine["metadata"]["name"];
    let body = json!({"request": {"uid": "u", "operation": "CREATE", "name": name, "namespace": "default", "kind": kind, "object": machine}});
    let body = body.to_string();
    let review = match decode(body.as_bytes()) {
        Ok(review) => review,
        Err(wrong) => {
            return judge_undecodable(wrong, world).iter().map(|it| format!("{}: {}", it.path, it.message)).collect();
        }
    };
    match decide(&review.request, world) {
        Verdict::Ask(needs) => panic!("everything is known already: {needs:?}"),
        Verdict::Admit(_) => Vec::new(),
        Verdict::Refuse(wrong) => {
            let of_the_template = |path: &str| path.starts_with("spec.disks[") && path.ends_with("].size");
            let wrong = wrong.iter().filter(|it| !(it.reason == Reason::FieldRequired && of_the_template(&it.path)));
            wrong.map(|it| format!("{}: {}", it.path, it.message)).collect()
        }
    }
}

/// Why the API server refuses it.
async fn stored(api: &Api<DynamicObject>, machine: &Value) -> Option<String> {
    let object: DynamicObject = serde_json::from_value(machine.clone()).expect("an object");
    match api.create(&PostParams { dry_run: true, ..PostParams::default() }, &object).await {
        Ok(_) => None,
        Err(kube::Error::Api(status)) if matches!(status.code, 400 | 422) => Some(status.message.clone()),
        Err(other) => panic!("{machine}: {other}"),
    }
}

#[tokio::test]
async fn x55_the_schema_and_the_rules_refuse_the_same_machines() {
    let plane = planes::bare().await;
    let definitions = generated::files().into_iter().filter(|file| file.path.ends_with("machines.vitistack.io.yaml"));
    let definitions: String = definitions.map(|file| file.text).collect();
    let printed = install::apply(plane, &definitions).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(!printed.contains("Warning"), "{printed}");
    let client = plane.client().await.unwrap_or_else(|error| panic!("{error}"));
    let resource = ApiResource::erase::<model::api::Machine>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(client, "default", &resource);
    let world = generous();

    let verdicts = futures::stream::iter((0..MACHINES).map(machines::machine)).map(|machine| {
        let (api, world) = (&api, &world);
        async move {
            let (there, here) = (stored(api, &machine).await, judged(&machine, world));
            (machine, there, here)
        }
    });
    let verdicts: Vec<_> = verdicts.buffered(AT_ONCE).collect().await;
    let apart = verdicts.iter().filter(|(_, there, here)| there.is_some() == here.is_empty());
    let apart: Vec<_> = apart.map(|(machine, there, here)| format!("{machine}: {there:?}, but {here:?}")).collect();
    assert!(apart.is_empty(), "the API server says one thing and admission another:\n{}", apart.join("\n"));
    let admitted = verdicts.iter().filter(|(_, there, _)| there.is_none()).count();
    assert!((100..500).contains(&admitted), "{admitted} of {MACHINES} are admitted: the generator proves little");
}
