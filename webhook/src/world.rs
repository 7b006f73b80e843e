//! The World that decisions are made on, rebuilt whenever something in it changes. I/O: watches on the supervisor.

use std::sync::Arc;

use arc_swap::ArcSwap;
use futures::StreamExt;
use kube::runtime::reflector::{self, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use model::admission::sizing::Class;
use model::admission::{Config, Policy, World, quantity};
use model::api::{KubevirtConfig, MachineClass};
use model::names::ClusterName;
use runtime::clusters::said;
use runtime::ready::Latch;
use serde::de::DeserializeOwned;

/// The newest World, for any number of readers.
pub type Current = Arc<ArcSwap<World>>;

/// A World without anything in it: no request is served with it, because readiness waits for the first real one.
pub fn empty(policy: Policy) -> Current {
    Arc::new(ArcSwap::from_pointee(World { policy: Arc::new(policy), ..World::default() }))
}

/// Keeps the World true until the process ends; opens the latch once both kinds were listed.
pub async fn follow(client: Client, namespace: &str, current: Current, synced: Latch) {
    let (configs, config_events) = watched(Api::<KubevirtConfig>::namespaced(client.clone(), namespace));
    let (classes, class_events) = watched(Api::<MachineClass>::all(client));
    let mut events = futures::stream::select(config_events, class_events);
    while let Some(()) = events.next().await {
        if !is_synced(&configs) || !is_synced(&classes) {
            continue;
        }
        let policy = current.load().policy.clone();
        let world = World {
            configs: configs.state().iter().map(|one| (ClusterName(one.name_any()), Arc::new(config(one)))).collect(),
            classes: Arc::new(classes.state().iter().filter_map(|one| Some((one.name_any(), class(one)?))).collect()),
            policy,
            ..World::default()
        };
        current.store(Arc::new(world));
        synced.open();
    }
}

fn watched<K>(api: Api<K>) -> (Store<K>, impl futures::Stream<Item = ()> + Unpin)
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    let events = watcher(api, watcher::Config::default()).default_backoff().reflect(writer).map(|event| {
        if let Err(why) = event {
            tracing::warn!(kind = %K::kind(&()), error = said(&why), "a watch on the supervisor failed; it is tried again");
        }
    });
    (store, events.boxed())
}

fn is_synced<K: Resource<DynamicType = ()> + Clone + 'static>(store: &Store<K>) -> bool {
    futures::FutureExt::now_or_never(store.wait_until_ready()).is_some_and(|ready| ready.is_ok())
}

fn config(config: &KubevirtConfig) -> Config {
    let status = config.status.as_ref();
    let failed = status.filter(|status| status.phase.as_deref() == Some("Failed"));
    Config {
        schedulable: config.spec.schedulable,
        unhealthy: failed.map(|status| status.message.clone().unwrap_or_default()),
        ..Config::default()
    }
}

/// A class whose memory is no quantity is left out, which makes its name unknown; the schema lets none through.
fn class(class: &MachineClass) -> Option<Class> {
    let spec = &class.spec;
    let bound = |quantity: &Option<k8s_openapi::apimachinery::pkg::api::resource::Quantity>| {
        quantity.as_ref().and_then(|it| quantity::parse(&it.0).ok())
    };
    let count = |count: Option<i64>| count.filter(|count| *count > 0).unwrap_or(1);
    Some(Class {
        generation: class.metadata.generation.unwrap_or_default(),
        cores: spec.cpu.cores,
        threads: count(spec.cpu.threads),
        sockets: count(spec.cpu.sockets),
        memory: quantity::canonical(quantity::parse(&spec.memory.quantity.0).ok()?),
        memory_bounds: (bound(&spec.memory.min_quantity), bound(&spec.memory.max_quantity)),
        enabled: spec.enabled,
        default: spec.default,
    })
}
