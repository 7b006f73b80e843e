//! What one reconcile sees. I/O: none while the watches are fresh; three LISTs when a creation stayed unseen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::{DynamicObject, ListParams};
use kube::{Api, Client, ResourceExt};
use model::api::KubevirtConfig;
use model::machine::{Intent, Observed, Remote};
use model::names::{ClusterName, MACHINE_UID};
use runtime::clusters::{Cluster, DEADLINE, Entry, State, said};

use super::{Context, Fault};
use crate::index::{self, AWAITED_FOR, Index, Objects};
use crate::retries::spread;
use crate::session::resource;

/// Takes the snapshot that this pass decides on.
pub(super) async fn gather(intent: &Intent, ctx: &Context) -> Result<Observed, Fault> {
    let nothing = |remote| Observed {
        supervisor: ctx.supervisor.clone(),
        remote,
        vm: None,
        vmi: None,
        claims: BTreeMap::new(),
        namespace_known: false,
        storage_classes: BTreeSet::new(),
        awaited: BTreeSet::new(),
    };
    let (Some(name), Some(identity)) = (intent.cluster(), intent.identity()) else {
        return Ok(nothing(Remote::Missing));
    };
    let clusters = ctx.clusters.load();
    let entry = clusters.get(name);
    let remote = remote(name, entry, ctx);
    let Some(cluster) = entry.and_then(|entry| entry.cluster.as_ref()) else { return Ok(nothing(remote)) };
    let mut objects = cluster.index.of(&identity.uid);
    if matches!(remote, Remote::Connected { .. }) && doubtful(intent, &objects) {
        objects = look_up(cluster, &identity.vm.namespace, &identity.uid).await?;
    }
    let (namespace_known, storage_classes) = cluster.index.surroundings(&identity.vm.namespace);
    let Objects { vm, vmi, claims, awaited, overdue: _ } = objects;
    Ok(Observed { vm, vmi, claims, namespace_known, storage_classes, awaited, ..nothing(remote) })
}

/// A creation that no watch has shown yet: too long ago, or of a Machine that is to go and must leave nothing behind.
fn doubtful(intent: &Intent, objects: &Objects) -> bool {
    objects.overdue || (matches!(intent, Intent::Leave(_)) && !objects.awaited.is_empty())
}

fn remote(name: &ClusterName, entry: Option<&Entry<Index>>, ctx: &Context) -> Remote {
    let config = config(ctx, name);
    let Some(entry) = entry else {
        // The registry follows the KubevirtConfigs: one that it has not taken up yet is on its way.
        return if config.is_some() { Remote::Connecting } else { Remote::Missing };
    };
    let Some(cluster) = &entry.cluster else {
        return entry.rejected.clone().map_or(Remote::Connecting, Remote::Unreachable);
    };
    match &*cluster.state.borrow() {
        State::Connecting => Remote::Connecting,
        State::Unreachable(why) => Remote::Unreachable(why.clone()),
        State::Connected { id } => match config.and_then(|config| config.status.as_ref()?.cluster_id.clone()) {
            Some(recorded) if recorded != *id => Remote::Unreachable(format!(
                "it is cluster {id}, but {recorded} is recorded: the kubeconfig leads elsewhere"
            )),
            _ => Remote::Connected { id: id.clone() },
        },
    }
}

fn config(ctx: &Context, name: &ClusterName) -> Option<Arc<KubevirtConfig>> {
    ctx.configs.state().into_iter().find(|config| config.name_any() == name.0)
}

/// The Machine's objects, straight from the API server.
async fn look_up(cluster: &Cluster<Index>, namespace: &str, uid: &str) -> Result<Objects, Fault> {
    let fault = |why: String| Fault::Cluster(cluster.name.to_string(), why);
    let found = tokio::time::timeout(DEADLINE, list(&cluster.client, namespace, uid)).await;
    let found = found.map_err(|_| fault("no answer".to_owned()))?.map_err(|why| fault(said(&why)))?;
    cluster.index.stop_awaiting(uid);
    Ok(found)
}

async fn list(client: &Client, namespace: &str, uid: &str) -> Result<Objects, kube::Error> {
    let ours = ListParams::default().labels(&format!("{MACHINE_UID}={uid}"));
    let dynamic = |kind: &str| Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &resource(kind));
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), namespace).list(&ours).await?;
    Ok(Objects {
        vm: dynamic("VirtualMachine").list(&ours).await?.items.first().map(index::vm),
        vmi: dynamic("VirtualMachineInstance").list(&ours).await?.items.first().map(index::vmi),
        claims: claims.items.iter().map(|claim| (claim.name_any(), index::claim(claim))).collect(),
        ..Objects::default()
    })
}

/// When to look again although nothing happened: soon while a creation is unseen, else after the jittered interval.
pub(super) fn next_look(uid: &str, seen: &Observed, ctx: &Context) -> Duration {
    if !seen.awaited.is_empty() {
        return AWAITED_FOR;
    }
    ctx.interval + ctx.interval * spread(uid) / 400
}
