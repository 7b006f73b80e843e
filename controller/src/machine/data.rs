//! Cloud-init data of a Machine: reads its sources, and looks for the Secret that carried it. I/O: one GET on the supervisor
//! for each source that is not known in its present version; one GET of metadata on the cluster where a Secret may be left.
//!
//! What was read lives as long as the pass.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::core::PartialObjectMeta;
use kube::{Api, ResourceExt};
use model::machine::carried::{self, Carried, Source, SourceKind};
use model::machine::{Admitted, DataSecret, DeletionPolicy, Failure, Identity, Leaving, Lookup, Vm};
use model::names::{MACHINE_UID, SUPERVISOR, cloud_init_secret};
use model::reason::Reason;
use runtime::clusters::{Cluster, DEADLINE, code, said};

use super::remote::ask_in_time;
use crate::context::{Context, Unanswered};
use crate::index::OwnObjects;
use crate::session::ClusterIndex;
use crate::sources::{Kept, Key, Version};

/// The data, as it has to be carried; `addresses` is what the record of the interfaces gives. Nothing is read while the versions of all sources are those that the VM was made from;
/// `awaited` says that the VM is on its way.
pub(super) async fn prepare(
    admitted: &Admitted,
    vm: Option<&Vm>,
    awaited: bool,
    addresses: Option<&str>,
    ctx: &Context,
) -> Result<Carried, Failure> {
    let (spec, identity) = (&admitted.spec, &admitted.identity);
    let sources = carried::sources(spec);
    let namespace = &identity.key.namespace;
    if sources.is_empty() {
        ctx.sources.refer(&identity.uid, &[]);
        return carried::carry(spec, &identity.uid, addresses, |_| Ok(Vec::new()));
    }
    let key = |source: &Source| Key { kind: source.kind, namespace: namespace.clone(), name: source.name.clone() };
    let keys: Vec<Key> = sources.iter().map(key).collect();
    ctx.sources.refer(&identity.uid, &keys);
    if let Some(source) = sources.first().filter(|_| !ctx.source_watches.cover(namespace)) {
        return Err(unreadable(source, namespace, "its namespace is none of CLOUD_INIT_NAMESPACES"));
    }
    let mut told = true;
    for source in &sources {
        told &= ctx.source_watches.tell(source.kind, namespace).await;
    }
    let inputs = carried::fingerprint(spec, addresses);
    let known = keys.iter().map(|key| ctx.sources.version(key));
    let (versions, turns): (Vec<_>, Vec<_>) = known.unzip();
    let is_known = |kept: &Kept| told && kept.inputs == inputs && kept.versions == versions;
    if let Some(kept) = ctx.sources.kept(&identity.uid).filter(is_known) {
        let carries =
            |carried: &Carried| carried.hash.is_none() || awaited || vm.is_some_and(|vm| vm.cloud_init == carried.hash);
        if kept.result.as_ref().map_or(true, carries) {
            return kept.result;
        }
    }
    let (mut contents, mut versions) = (Vec::new(), Vec::new());
    for ((source, key), turn) in sources.iter().zip(&keys).zip(turns) {
        let (version, content) = read(source, namespace, ctx).await?;
        ctx.sources.read(key, turn, &version);
        versions.push(version);
        contents.push((source.clone(), content));
    }
    let result = carried::carry(spec, &identity.uid, addresses, |source| {
        let found = contents.iter().find(|(of, _)| of == source);
        found.map_or_else(|| Ok(Vec::new()), |(_, content)| content.clone())
    });
    let kept = result.clone().map(Carried::without_secrets);
    ctx.sources.keep(&identity.uid, Kept { inputs, versions, result: kept });
    result
}

/// The version of a source, and what stands under its key or why nothing does. An error is no answer: unknown is never absent.
async fn read(source: &Source, namespace: &str, ctx: &Context) -> Result<(Version, Result<Vec<u8>, Failure>), Failure> {
    let Source { kind, name, key } = source;
    let client = ctx.client.clone();
    let asking = async {
        Ok::<_, kube::Error>(match kind {
            SourceKind::Secret => Api::<Secret>::namespaced(client, namespace).get_opt(name).await?.map(|secret| {
                let version = secret.resource_version().unwrap_or_default();
                (version, secret.data.and_then(|mut data| data.remove(key)).map(|data| data.0))
            }),
            SourceKind::ConfigMap => Api::<ConfigMap>::namespaced(client, namespace).get_opt(name).await?.map(|map| {
                let version = map.resource_version().unwrap_or_default();
                let text = map.data.and_then(|mut data| data.remove(key)).map(String::into_bytes);
                let bytes = || map.binary_data.and_then(|mut data| data.remove(key)).map(|data| data.0);
                (version, text.or_else(bytes))
            }),
        })
    };
    let found = match tokio::time::timeout(DEADLINE, asking).await {
        Ok(Ok(found)) => found,
        Ok(Err(why)) if code(&why) == Some(403) => {
            let plural = if *kind == SourceKind::Secret { "secrets" } else { "configmaps" };
            let why = format!("the controller lacks the right to get, list and watch {plural} there");
            return Err(unreadable(source, namespace, &why));
        }
        Ok(Err(why)) => return Err(unreadable(source, namespace, &said(&why))),
        Err(_) => return Err(unreadable(source, namespace, "the supervisor did not answer in time")),
    };
    let missing = |message: String| Err(Failure { reason: Reason::CloudInitSourceMissing, message });
    let kind = kind.name();
    Ok(match found {
        None => {
            let message = format!("{kind} {namespace}/{name} does not exist: create it with the key {key:?}");
            (Version::Absent, missing(message))
        }
        Some((version, None)) => {
            let message = format!("{kind} {namespace}/{name} has no key {key:?}: add it, or name another key");
            (Version::Seen(version), missing(message))
        }
        Some((version, Some(content))) => (Version::Seen(version), Ok(content)),
    })
}

fn unreadable(source: &Source, namespace: &str, why: &str) -> Failure {
    let message = format!("{} {namespace}/{} cannot be read: {why}", source.kind.name(), source.name);
    Failure { reason: Reason::CloudInitSourceUnreadable, message }
}

/// The Secret of a VM that has one and needs it no more. An instance that was started with it still does.
pub(super) async fn find_unneeded(
    admitted: &Admitted,
    prepared: &Result<Carried, Failure>,
    objects: &OwnObjects,
    cluster: &Cluster<ClusterIndex>,
    ctx: &Context,
) -> DataSecret {
    let has_one = objects.vm.as_ref().is_some_and(|vm| vm.cloud_init.is_some() && !vm.deleting);
    let needed = prepared.as_ref().map_or(true, |carried| carried.hash.is_some());
    let in_use = objects.vmi.as_ref().is_some_and(|vmi| vmi.cloud_init);
    if !has_one || needed || in_use {
        return DataSecret::Unasked;
    }
    find(&admitted.identity, cluster, ctx).await
}

/// The Secret of a Machine that is being deleted, once VM and instance are proven gone; at once where they stay.
pub(super) async fn find_left(
    leaving: &Leaving,
    objects: &OwnObjects,
    found: &Lookup,
    cluster: &Cluster<ClusterIndex>,
    ctx: &Context,
) -> DataSecret {
    let uid = &leaving.identity.uid;
    if let Some(vm) = &objects.vm {
        ctx.carriers.saw(uid, vm.cloud_init.is_some());
    }
    let gone = objects.vm.is_none() && objects.vmi.is_none() && matches!(found, Lookup::Absent | Lookup::Unasked);
    let due = match leaving.policy {
        Ok(DeletionPolicy::Orphan) => true,
        Ok(DeletionPolicy::Delete | DeletionPolicy::Retain) => gone && ctx.departures.is_proven(uid),
        Err(_) => false,
    };
    // Nothing was made before the cluster was recorded.
    let made = leaving.identity.cluster_id.is_some() && !leaving.finalizers.is_empty();
    if !due || !made || !ctx.carriers.is_due(uid, leaving.may_have_secret) {
        return DataSecret::Unasked;
    }
    let found = find(&leaving.identity, cluster, ctx).await;
    if found == DataSecret::Absent {
        ctx.carriers.done(uid);
    }
    found
}

/// A stranger's of that name is none of the Machine's.
async fn find(identity: &Identity, cluster: &Cluster<ClusterIndex>, ctx: &Context) -> DataSecret {
    let (namespace, name) = (&identity.vm.namespace, cloud_init_secret(&identity.key.name));
    let api: Api<Secret> = Api::namespaced(cluster.client.clone(), namespace);
    let asked = ask_in_time(cluster, api.get_metadata_opt(&name)).await.map_err(Unanswered::from);
    let found: Option<PartialObjectMeta<Secret>> = match asked.and_then(|answer| Ok(answer?)) {
        Ok(found) => found,
        Err(why) => return DataSecret::Unknown(format!("Secret {namespace}/{name} on {:?}: {why}", cluster.name.0)),
    };
    let ours = found.filter(|secret| {
        let is = |key: &str, value: &String| secret.labels().get(key) == Some(value);
        is(MACHINE_UID, &identity.uid) && is(SUPERVISOR, &ctx.supervisor)
    });
    match ours.and_then(|secret| secret.uid()) {
        Some(uid) => DataSecret::Ours { uid },
        None => DataSecret::Absent,
    }
}
