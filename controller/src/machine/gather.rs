//! What one reconcile sees. I/O: none while the watches are fresh; three LISTs when a creation stayed unseen; one GET of a VM
//! that is to be adopted, and of the instance of one that was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::{DynamicObject, ListParams};
use kube::{Api, Client, ResourceExt};
use model::api::KubevirtConfig;
use model::machine::{Found, Identity, Intent, Kind, Observed, Remote, Vmi};
use model::names::{ClusterName, MACHINE_UID};
use runtime::clusters::{Cluster, DEADLINE, Entry, State, said};
use runtime::pause::spread;

use super::{Context, Fault, adopt};
use crate::awaited::AWAITED_FOR;
use crate::index::{self, Index, Objects, Record};
use crate::session::resource;

/// Takes the snapshot that this pass decides on.
pub(super) async fn gather(intent: &Intent, ctx: &Context) -> Result<(Observed, Option<Arc<Cluster<Index>>>), Fault> {
    let nothing = |remote| Observed {
        supervisor: ctx.supervisor.clone(),
        remote,
        vm: None,
        vmi: None,
        claims: BTreeMap::new(),
        namespace_known: false,
        storage_classes: BTreeSet::new(),
        awaited: BTreeSet::new(),
        found: Found::Unasked,
    };
    let (Some(name), Some(identity)) = (intent.cluster(), intent.identity()) else {
        return Ok((nothing(Remote::Missing), None));
    };
    let clusters = ctx.clusters.load();
    let entry = clusters.get(name);
    let remote = remote(name, entry, identity, ctx);
    let Some(cluster) = entry.and_then(|entry| entry.cluster.clone()) else { return Ok((nothing(remote), None)) };
    // What is awaited is read before what is seen: an object that arrives in between is then in both, and never in neither.
    let mut waiting = ctx.awaited.of(name, &identity.uid);
    let mut objects = cluster.index.of(identity);
    // A creation that no watch has shown: too long ago, or of a Machine that is to go and must leave nothing behind.
    let leaving = matches!(intent, Intent::Leave(_));
    let doubtful = waiting.overdue || (leaving && !(waiting.stored.is_empty() && waiting.uncertain.is_empty()));
    if doubtful && matches!(remote, Remote::Connected { .. }) {
        let vmi = look_up(&cluster, identity, &waiting.all()).await?;
        ctx.awaited.looked_up(name, &identity.uid);
        waiting = ctx.awaited.of(name, &identity.uid);
        objects = cluster.index.of(identity);
        objects.vmi = objects.vmi.or(vmi);
    }
    let found = match intent {
        Intent::Run(admitted) if is_its_own(&remote, identity) => {
            adopt::look(admitted, &mut objects, &waiting.stored, &cluster, ctx).await?
        }
        Intent::Run(_) | Intent::Leave(_) | Intent::Undecided(..) | Intent::Foreign => Found::Unasked,
    };
    let awaited = if leaving { waiting.all() } else { waiting.stored };
    let (namespace_known, storage_classes) = cluster.index.surroundings(&identity.vm.namespace);
    let Objects { vm, vmi, claims } = objects;
    let seen = Observed { vm, vmi, claims, namespace_known, storage_classes, awaited, found, ..nothing(remote) };
    Ok((seen, Some(cluster)))
}

/// It answers, and is the one that is recorded, if one is.
fn is_its_own(remote: &Remote, identity: &Identity) -> bool {
    let recorded = identity.cluster_id.as_ref();
    matches!(remote, Remote::Connected { id } if recorded.is_none_or(|recorded| recorded == id))
}

fn remote(name: &ClusterName, entry: Option<&Entry<Index>>, identity: &Identity, ctx: &Context) -> Remote {
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
            // A Machine that was made on a cluster compares it with its own record.
            Some(recorded) if recorded != *id && identity.cluster_id.is_none() => Remote::Unreachable(format!(
                "it is cluster {id}, but {recorded} is recorded: the kubeconfig leads elsewhere"
            )),
            _ => Remote::Connected { id: id.clone() },
        },
    }
}

fn config(ctx: &Context, name: &ClusterName) -> Option<Arc<KubevirtConfig>> {
    ctx.configs.state().into_iter().find(|config| config.name_any() == name.0)
}

/// Asks the API server itself. What was awaited is taken into the index, where no watch may have brought it yet; an
/// instance is only told of, because a watch may have seen it go in the meantime, and nothing would take it out again.
async fn look_up(
    cluster: &Cluster<Index>,
    identity: &Identity,
    awaited: &BTreeSet<(Kind, String)>,
) -> Result<Option<Vmi>, Fault> {
    let fault = |why: String| Fault::Cluster(cluster.name.to_string(), why);
    let listed = tokio::time::timeout(DEADLINE, list(&cluster.client, &identity.vm.namespace, &identity.uid)).await;
    let listed = listed.map_err(|_| {
        cluster.suspect.notify_one();
        fault("no answer".to_owned())
    })?;
    let (claims, vms, vmis) = listed.map_err(|why| fault(said(&why)))?;
    for claim in claims.iter().filter(|claim| awaited.contains(&(Kind::Claim, claim.name_any()))) {
        cluster.index.take_in(claim, Record::Claim(index::claim(claim)));
    }
    for vm in vms.iter().filter(|vm| awaited.contains(&(Kind::Vm, vm.name_any()))) {
        cluster.index.take_in(vm, Record::Vm(index::vm(vm)));
    }
    Ok(vmis.iter().find(|vmi| vmi.name_any() == identity.vm.name).map(index::vmi))
}

type Listed = (Vec<PersistentVolumeClaim>, Vec<DynamicObject>, Vec<DynamicObject>);

async fn list(client: &Client, namespace: &str, uid: &str) -> Result<Listed, kube::Error> {
    let ours = ListParams::default().labels(&format!("{MACHINE_UID}={uid}"));
    let dynamic = |kind: &str| Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &resource(kind));
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), namespace).list(&ours).await?.items;
    let vms = dynamic("VirtualMachine").list(&ours).await?.items;
    Ok((claims, vms, dynamic("VirtualMachineInstance").list(&ours).await?.items))
}

/// When to look again although nothing happened: soon while a creation is unseen, else after the jittered interval.
pub(super) fn next_look(uid: &str, seen: &Observed, ctx: &Context) -> Duration {
    if !seen.awaited.is_empty() {
        return AWAITED_FOR;
    }
    spread(ctx.interval, uid)
}
