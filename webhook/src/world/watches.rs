//! The parts of the World that live on the supervisor: classes, namespaces, networks, Machines. I/O: one watch each.
//!
//! Only metadata travels where that is enough, and everything is pruned on arrival.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use admission::World;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ApiResource, DynamicObject};
use kube::core::{DeserializeGuard, GroupVersionKind, PartialObjectMeta};
use kube::{Api, Client, Resource, ResourceExt};
use model::api::{MachineClass, NetworkConfiguration};
use model::machine::configuration::is_record;
use model::names::{GROUP, MachineKey, VERSION};
use rpds::HashTrieMapSync;
use runtime::follow::{News, each};
use runtime::listing::{Step, watching};
use runtime::ready::{Latch, Ready};
use runtime::watcher::Config;
use serde::de::DeserializeOwned;

use super::{Current, convert};

/// A kind that must be there is looked for this often while it is not.
const MISSING: Duration = Duration::from_secs(5);
/// A kind that need not be there is looked for this often, also while it cannot be listed.
const OPTIONAL: Duration = Duration::from_secs(10);

/// One latch for each part without which nothing can be decided.
pub struct Latches {
    classes: Latch,
    namespaces: Latch,
    networks: Latch,
    machines: Latch,
}

impl Latches {
    /// Takes them, closed.
    pub fn take(ready: &Ready) -> Self {
        Self {
            classes: ready.latch("list of MachineClasses"),
            namespaces: ready.latch("list of namespaces, kube-system among them"),
            networks: ready.latch("list of NetworkConfigurations"),
            machines: ready.latch("list of Machines"),
        }
    }
}

/// Keeps these parts true until the process ends.
pub async fn follow(client: Client, current: Current, latches: Latches) {
    let Latches { classes, namespaces, networks, machines } = latches;
    let uid = current.clone();
    let namespace = move |namespace: &PartialObjectMeta<Namespace>| {
        if namespace.name_any() == "kube-system" {
            // This supervisor's identity.
            uid.change(|world| Arc::make_mut(&mut world.policy).supervisor = namespace.uid().unwrap_or_default());
        }
        (namespace.name_any(), Some(Arc::new(namespace.labels().clone())))
    };
    // One that does not decode is as if it were not there: it must not hide the others.
    let class =
        |class: &DeserializeGuard<MachineClass>| (class.name_any(), class.0.as_ref().ok().and_then(convert::class));
    let network =
        |network: &PartialObjectMeta<NetworkConfiguration>| (key(network), Some(is_record(Some(network.labels()))));
    let network_namespace = |network: &PartialObjectMeta<DynamicObject>| (key(network), Some(()));
    let all = &client;
    tokio::join!(
        part(
            (Api::all(all.clone()), watching()),
            &current,
            MISSING,
            class,
            |world| &mut world.classes,
            |_| classes.open(),
            |_, _| {}
        ),
        part(
            (Api::all(all.clone()), watching().metadata()),
            &current,
            MISSING,
            namespace,
            |world| &mut world.namespaces,
            |world| {
                if !world.policy.supervisor.is_empty() {
                    namespaces.open();
                }
            },
            |_, _| {},
        ),
        part(
            (Api::all(all.clone()), watching().metadata()),
            &current,
            MISSING,
            network,
            |world| &mut world.networks.configurations,
            |_| networks.open(),
            |_, _| {},
        ),
        part(
            (Api::all_with(all.clone(), &ours("NetworkNamespace")), watching().metadata()),
            &current,
            OPTIONAL,
            network_namespace,
            |world| &mut world.networks.namespaces,
            |_| {},
            |world, why| world.networks.unlisted = why,
        ),
        machines_of(Api::all_with(all.clone(), &ours("Machine")), &current, &machines),
    );
}

fn ours(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(GROUP, VERSION, kind))
}

fn key(object: &impl ResourceExt) -> MachineKey {
    MachineKey { namespace: object.namespace().unwrap_or_default(), name: object.name_any() }
}

/// A map of the World that one watch keeps true.
trait Part<N, V>: Default {
    fn set(&mut self, name: N, value: V);
    fn unset(&mut self, name: &N);
}

impl<N: Eq + Hash, V> Part<N, V> for HashTrieMapSync<N, V> {
    fn set(&mut self, name: N, value: V) {
        self.insert_mut(name, value);
    }
    fn unset(&mut self, name: &N) {
        self.remove_mut(name);
    }
}

impl<N: Ord + Clone, V: Clone> Part<N, V> for Arc<BTreeMap<N, V>> {
    fn set(&mut self, name: N, value: V) {
        Arc::make_mut(self).insert(name, value);
    }
    fn unset(&mut self, name: &N) {
        Arc::make_mut(self).remove(name);
    }
}

/// Keeps one map true. `read` says name and value, or that the object counts as absent; `listed` hears of each list;
/// `unlisted` hears why there is none, or that there is one now.
async fn part<K, N, V, M>(
    asked: (Api<K>, Config),
    current: &Current,
    absent: Duration,
    read: impl Fn(&K) -> (N, Option<V>),
    of: fn(&mut World) -> &mut M,
    listed: impl Fn(&World),
    unlisted: fn(&mut World, Option<String>),
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    M: Part<N, V>,
{
    let put = |map: &mut M, (name, value): (N, Option<V>)| match value {
        Some(value) => map.set(name, value),
        None => map.unset(&name),
    };
    let take = |steps: Vec<News<(N, Option<V>)>>| {
        let complete = steps.iter().any(|step| matches!(step, News::Step(Step::Listed(_)) | News::NotInstalled));
        current.change(|world| {
            for step in steps {
                match step {
                    News::NotInstalled => {
                        *of(world) = M::default();
                        unlisted(world, None);
                    }
                    News::Step(Step::Listed(all)) => {
                        let mut map = M::default();
                        for one in all {
                            put(&mut map, one);
                        }
                        *of(world) = map;
                        unlisted(world, None);
                    }
                    News::Step(Step::Seen(one)) => put(of(world), one),
                    News::Step(Step::Deleted((name, _))) => of(world).unset(&name),
                    News::Unlisted(why) => unlisted(world, Some(why)),
                }
            }
        });
        if complete {
            listed(&current.load());
        }
    };
    let (api, selected) = asked;
    each(api, selected, absent == OPTIONAL, |_| tokio::time::sleep(absent), read, take).await;
}

async fn machines_of(api: Api<DynamicObject>, current: &Current, latch: &Latch) {
    let take = |steps: Vec<News<_>>| {
        let mut changed = Vec::new();
        for step in steps {
            match step {
                News::Step(Step::Seen(one)) => changed.push(one),
                News::Step(Step::Deleted((key, _))) => changed.push((key, None)),
                // Nothing is decided before the first list, and what is known then stays.
                News::Unlisted(_) | News::NotInstalled => {}
                News::Step(Step::Listed(all)) => {
                    changed.clear();
                    current.listed(all.into_iter().filter_map(|(key, seen)| Some((key, seen?))).collect());
                    latch.open();
                }
            }
        }
        if !changed.is_empty() {
            current.seen(changed);
        }
    };
    each(api, watching(), false, |_| tokio::time::sleep(MISSING), convert::machine, take).await;
}

#[cfg(test)]
#[path = "watches_tests.rs"]
mod tests;
