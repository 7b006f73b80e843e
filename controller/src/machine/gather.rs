//! What one reconcile sees. I/O: none while the watches are fresh; three LISTs, or four, when a creation stayed unseen, and where a Machine
//! takes over what another supervisor made; one GET of a VM that is to be adopted, and of the instance of one that was; two before a
//! Machine leaves nothing behind, and one for each of its disks that no watch shows; those of `data`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use model::api::{KubevirtConfig, Machine};
use model::baseline::Drift;
use model::baseline::war::Turn;
use model::clusters::View;
use model::machine::addresses::network_data;
use model::machine::carried::Carried;
use model::machine::networks::Networks;
use model::machine::{
    Claim, DataSecret, Identity, Import, Imports, Intent, Kind, Lookup, Observed, Remote, Shown, Terms, Vm, cluster_of,
    drift, storage,
};
use runtime::clusters::{Cluster, Entry};
use runtime::pause::spread;

use super::{adopt, data, lookup, remains};
use crate::awaited::AWAITED_FOR;
use crate::context::{Context, Fault};
use crate::imports::Served;
use crate::index::OwnObjects;
use crate::session::ClusterIndex;
use crate::uids::Past;

/// The connection of a pass, and how it was when the pass began.
pub(super) type Connection = (Option<View>, Option<Arc<Cluster<ClusterIndex>>>);

/// A Machine, and what it is about, at the moment when a pass begins.
pub(super) struct Read {
    /// The KubevirtConfig of its cluster.
    pub(super) config: Option<Arc<KubevirtConfig>>,
    /// The connection to it.
    pub(super) connection: Connection,
    /// What the Machine asks for.
    pub(super) intent: Intent,
}

/// Whether a cluster is asked for what no watch shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asking<'t> {
    /// As a pass does, at this time.
    Clusters(&'t Time),
    /// What the watches show has to do: nothing is waited for.
    Nobody,
}

/// Reads a Machine.
pub(super) fn read(machine: &Machine, ctx: &Context) -> Read {
    let config = cluster_of(machine).and_then(|name| ctx.configs.get(&ctx.scope.key(&name)));
    let (connection, shown) = connect(machine, ctx);
    let mut intent = Intent::of(machine, &ctx.vm_prefix, config.as_ref().map(|config| &config.spec), &shown); // pure
    if intent.cluster().zip(intent.identity()).is_some_and(|(cluster, identity)| ctx.uids.share(cluster, identity)) {
        intent.share();
    }
    Read { config, connection, intent }
}

/// The connection to the Machine's cluster, and what that shows of it. How the connection is comes first: what a fresh one does
/// not show is not there.
fn connect(machine: &Machine, ctx: &Context) -> (Connection, Shown) {
    let (Some(name), Some(uid)) = (cluster_of(machine), machine.uid()) else { return Default::default() };
    let clusters = ctx.clusters.load();
    let entry = clusters.get(&name);
    let (view, cluster) = (entry.map(Entry::view), entry.and_then(|entry| entry.cluster.clone()));
    let mut shown = ctx.awaited.shown(&name, &uid);
    shown.extend(cluster.iter().flat_map(|cluster| cluster.index.objects.shown(&uid)));
    ((view, cluster), shown)
}

/// Takes the snapshot that this pass decides on, and the connection that it was taken through. `config` is the KubevirtConfig
/// of the intent's cluster.
pub(super) async fn gather(
    intent: &Intent,
    config: Option<&KubevirtConfig>,
    (view, cluster): Connection,
    asking: Asking<'_>,
    ctx: &Context,
) -> Result<(Observed, Option<Arc<Cluster<ClusterIndex>>>), Fault> {
    let nothing = |remote| Observed { terms: Terms::of(config), ..Observed::nothing(&ctx.supervisor, remote) };
    let (Some(name), Some(identity)) = (intent.cluster(), intent.identity()) else {
        return Ok((nothing(Remote::Missing), None));
    };
    let remote = Remote::of(view, config, identity.cluster_id.as_deref());
    let Some(cluster) = cluster else { return Ok((nothing(remote), None)) };
    // What is awaited is read before what is seen: an object that arrives in between is then in both, and never in neither.
    let mut waiting = ctx.awaited.of(name, cluster.number, &identity.uid);
    let mut objects = cluster.index.objects.of(identity);
    // A creation that no watch has shown: too long ago, or of a Machine that is to go and must leave nothing behind.
    let leaving = matches!(intent, Intent::Leave(_));
    let doubtful = waiting.overdue || (leaving && !waiting.is_empty());
    if asking != Asking::Nobody && doubtful && matches!(remote, Remote::Connected { .. }) {
        let vmi = lookup::look_up(&cluster, identity, &ctx.supervisor, &waiting.all()).await?;
        ctx.awaited.looked_up(name, cluster.number, &identity.uid);
        waiting = ctx.awaited.of(name, cluster.number, &identity.uid);
        objects = cluster.index.objects.of(identity);
        objects.vmi = objects.vmi.or(vmi);
    }
    let past = ctx.uids.past(identity);
    let found = match intent {
        _ if asking == Asking::Nobody => Lookup::Unasked,
        Intent::Run(admitted) if is_its_own(&remote, identity) => {
            adopt::look(admitted, &mut objects, &waiting.stored, &past, &cluster, ctx).await?
        }
        Intent::Leave(leaving) if is_its_own(&remote, identity) && waiting.is_empty() => {
            remains::look(leaving, &mut objects, &cluster, ctx).await
        }
        Intent::Run(_) | Intent::Leave(_) | Intent::Undecided(..) | Intent::Foreign => Lookup::Unasked,
    };
    let earlier = match past.gone(identity) {
        Some(uid) if asking != Asking::Nobody && matches!(found, Lookup::Earlier(_) | Lookup::Absent) => {
            lookup::find_earlier(&cluster, identity, uid).await?
        }
        Some(uid) => cluster.index.objects.beside(uid, &identity.vm.namespace),
        None => BTreeSet::new(),
    };
    let mut networks = see_networks(intent, identity, &past, &cluster, ctx).await;
    networks.macs_of = objects.vm.as_ref().and_then(|vm| vm.macs_of.clone());
    let (cloud_init, data_secret) = match intent {
        // What was adopted keeps its own data.
        Intent::Run(admitted) if is_its_own(&remote, identity) && is_made(&objects, &found, identity) => {
            ctx.carriers.forget(&identity.uid);
            let awaited = waiting.stored.contains(&(Kind::Vm, identity.vm.name.clone()));
            let addresses = network_data(admitted, &networks);
            let prepared = data::prepare(admitted, objects.vm.as_ref(), awaited, addresses.as_deref(), ctx).await;
            let unneeded = data::find_unneeded(admitted, &prepared, &objects, &cluster, ctx).await;
            (prepared, unneeded)
        }
        Intent::Leave(leaving) if is_its_own(&remote, identity) && waiting.is_empty() => {
            ctx.sources.refer(&identity.uid, &[]);
            (Ok(Carried::default()), data::find_left(leaving, &objects, &found, &cluster, ctx).await)
        }
        Intent::Run(_) | Intent::Leave(_) | Intent::Undecided(..) | Intent::Foreign => {
            (Ok(Carried::default()), DataSecret::Unasked)
        }
    };
    let awaited = if leaving { waiting.all() } else { waiting.stored };
    let namespace_terminating = matches!(intent, Intent::Run(_))
        && lookup::is_terminating(&cluster, &identity.vm.namespace, asking != Asking::Nobody).await;
    let (namespace_known, storage_classes) = cluster.index.objects.surroundings(&identity.vm.namespace);
    let OwnObjects { vm, vmi, claims, imports } = objects;
    let imports = known_imports(&cluster, imports);
    let (turn_of_vm, claim_turns) = turns(intent, vm.as_ref(), &claims, asking, ctx);
    let seen = Observed {
        turn: turn_of_vm,
        claim_turns,
        vm,
        vmi,
        claims,
        imports,
        namespace_known,
        namespace_terminating,
        storage_classes,
        awaited,
        found,
        earlier,
        address_of: ctx.uids.elder(&identity.uid),
        copied_labels: ctx.machine_labels.clone(),
        cloud_init,
        data_secret,
        networks,
        ..nothing(remote)
    };
    if matches!(intent, Intent::Run(admitted) if storage::needs_import(admitted, &seen)) {
        cluster.index.cdi.want();
    }
    Ok((seen, Some(cluster)))
}

/// Whether what others changed may be taken back now: of the VM, and of each claim.
fn turns(
    intent: &Intent,
    vm: Option<&Vm>,
    claims: &BTreeMap<String, Claim>,
    asking: Asking<'_>,
    ctx: &Context,
) -> (Turn, BTreeMap<String, Turn>) {
    let (Intent::Run(admitted), Asking::Clusters(now)) = (intent, asking) else { return (Turn::Now, BTreeMap::new()) };
    let turn = |kind, name: &String, drift: &[Drift], paused| {
        let contested = (admitted.identity.uid.clone(), kind, name.clone());
        (!drift.is_empty()).then(|| ctx.wars.turn(contested, drift, drift::mark(admitted, paused), now))
    };
    let claims = claims
        .iter()
        .filter_map(|(name, claim)| Some((name.clone(), turn(Kind::Claim, name, &claim.drift, claim.paused)?)));
    let of_vm = vm.and_then(|vm| turn(Kind::Vm, &vm.name, &vm.drift, vm.paused));
    (of_vm.unwrap_or(Turn::Now), claims.collect())
}

/// The Machine's DataVolumes, if those of its cluster are known.
fn known_imports(cluster: &Cluster<ClusterIndex>, own: BTreeMap<String, Import>) -> Imports {
    match cluster.index.cdi.known() {
        Served::Unasked => Imports::Unknown("they were not listed yet".to_owned()),
        Served::Unknown(why) => Imports::Unknown(why),
        Served::Refused(why) => Imports::Refused(why),
        Served::Missing => Imports::Missing,
        Served::Listed => Imports::Known(own),
    }
}

/// A VM is made for it, or was.
fn is_made(objects: &OwnObjects, found: &Lookup, identity: &Identity) -> bool {
    let adopted = objects.vm.as_ref().is_some_and(|vm| vm.adopted.is_some());
    identity.cluster_id.is_some() && !adopted && matches!(found, Lookup::Unasked | Lookup::Absent | Lookup::Ours)
}

/// The networks that a Machine may join, once the supervisor was asked for them, and those of its cluster.
async fn see_networks(
    intent: &Intent,
    identity: &Identity,
    past: &Past,
    cluster: &Cluster<ClusterIndex>,
    ctx: &Context,
) -> Networks {
    ctx.networks.answered().await;
    let namespace = &identity.vm.namespace;
    // Nobody knows what a VM is attached to that no watch has shown yet.
    let used = || {
        let unseen = ctx.awaited.has_other_vms(&cluster.name, namespace, &identity.uid);
        (!unseen).then(|| cluster.index.objects.attached(namespace, &identity.uid))
    };
    let attachments = cluster.index.attachments.of(namespace, used);
    let spec = match intent {
        Intent::Run(admitted) => Some(&admitted.spec),
        Intent::Leave(_) | Intent::Undecided(..) | Intent::Foreign => None,
    };
    ctx.networks.of(identity, past.gone(identity), spec, attachments, &ctx.supervisor)
}

/// It answers, and is the one that is recorded, if one is.
fn is_its_own(remote: &Remote, identity: &Identity) -> bool {
    let recorded = identity.cluster_id.as_ref();
    matches!(remote, Remote::Connected { id } if recorded.is_none_or(|recorded| recorded == id))
}

/// When to look again although nothing happened: soon while a creation is unseen, else after the jittered interval.
pub(super) fn next_look(uid: &str, seen: &Observed, ctx: &Context) -> Duration {
    let waits = std::iter::once(&seen.turn).chain(seen.claim_turns.values());
    if let Some(wait) = waits.filter_map(|turn| if let Turn::In(wait) = turn { Some(*wait) } else { None }).min() {
        return wait;
    }
    if !seen.awaited.is_empty() {
        return AWAITED_FOR;
    }
    spread(ctx.interval, uid)
}
