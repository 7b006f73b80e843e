//! Requests to one remote cluster, each under a deadline. I/O: that cluster.
//!
//! A create that meets an object of that name looks whose it is: ours is as good as created, a stranger's stays untouched.

use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, Secret};
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PostParams, Preconditions, PropagationPolicy};
use kube::{Api, ResourceExt};
use model::baseline::Wanted;
use model::machine::cleanup::{lost_its_labels, put_back};
use model::machine::owner::Left;
use model::machine::restart::note;
use model::machine::{Failure, Identity, Kind};
use model::names::{MACHINE_UID, OPERATOR, SUPERVISOR};
use model::reason::Reason;
use runtime::clusters::{Cluster, DEADLINE, said};
use serde_json::Value;
use tokio::time::error::Elapsed;

use crate::attachments::{self, Seen};
use crate::awaited::Awaited;
use crate::disks::data_volumes;
use crate::objects::{ObjectKey, WatchedKind, patch_params, resource_of};
use crate::session::ClusterIndex;

/// Where remote writes go: the very connection that the plan was made on.
pub(super) struct Target<'p> {
    /// The connection.
    pub(super) cluster: &'p Cluster<ClusterIndex>,
    /// The Machine.
    pub(super) identity: &'p Identity,
    /// UID of our supervisor's `kube-system`.
    pub(super) supervisor: &'p String,
    /// Creations that are not seen yet.
    pub(super) awaited: &'p Awaited,
    /// The Machine's phase, for the log.
    pub(super) phase: &'p str,
}

/// Asks a cluster under the deadline of a request. One that does not answer is asked at once whether it still does.
pub(super) async fn ask_in_time<T>(
    cluster: &Cluster<ClusterIndex>,
    request: impl Future<Output = T>,
) -> Result<T, Elapsed> {
    let answer = tokio::time::timeout(DEADLINE, request).await;
    if answer.is_err() {
        cluster.suspect.notify_one();
    }
    answer
}

/// Where an object of the Machine is.
pub(super) fn key_there(at: &Target<'_>, name: &str) -> ObjectKey {
    ObjectKey { namespace: at.identity.vm.namespace.clone(), name: name.to_owned() }
}

/// The objects of a kind beside the Machine's VM.
pub(super) fn api(at: &Target<'_>, kind: Kind) -> Api<DynamicObject> {
    let (namespace, client) = (&at.identity.vm.namespace, at.cluster.client.clone());
    match kind {
        Kind::Namespace => Api::all_with(client, &ApiResource::erase::<Namespace>(&())),
        Kind::Claim => Api::namespaced_with(client, namespace, &ApiResource::erase::<PersistentVolumeClaim>(&())),
        Kind::DataVolume => Api::namespaced_with(client, namespace, &data_volumes()),
        Kind::Vm => Api::namespaced_with(client, namespace, &resource_of("VirtualMachine")),
        Kind::Secret => Api::namespaced_with(client, namespace, &ApiResource::erase::<Secret>(&())),
        Kind::Attachment => Api::namespaced_with(client, namespace, &attachments::resource()),
    }
}

/// Creates an object, or answers with the one that has its name and is not the Machine's.
pub(super) async fn create(
    at: &Target<'_>,
    kind: Kind,
    name: &str,
    object: &Value,
) -> Result<Option<DynamicObject>, Failure> {
    let api = api(at, kind);
    let object: DynamicObject =
        serde_json::from_value(object.clone()).expect("invariant: builders make Kubernetes objects");
    let key = key_there(at, name);
    if !is_shared(kind) {
        at.awaited.sent(&at.cluster.name, kind, &key, &at.identity.uid);
    }
    let params = PostParams { field_manager: Some(OPERATOR.to_owned()), ..PostParams::default() };
    let made = api.create(&params, &object).await;
    let Err(why) = made.as_ref() else {
        match kind {
            Kind::Namespace => at.cluster.index.objects.saw_namespace(name),
            Kind::Attachment => {
                let seen = made.iter().map(|made| Seen::of(made, at.supervisor));
                seen.for_each(|seen| at.cluster.index.attachments.saw(key.clone(), seen));
            }
            Kind::Secret => {}
            Kind::Claim | Kind::Vm | Kind::DataVolume => at.awaited.created(&at.cluster.name, kind, &key),
        }
        let Identity { key, .. } = at.identity;
        tracing::info!(controller = "Machine", machine = key.name, namespace = key.namespace, phase = at.phase, kubevirtConfig = %at.cluster.name, kind = ?kind, object = name, "created");
        return Ok(None);
    };
    match why {
        kube::Error::Api(answer) if answer.code == 409 && answer.reason == "AlreadyExists" => {
            return exists(at, &api, kind, name, &key).await;
        }
        // A server's error may have come after the object was stored; only a refusal says that it was not.
        kube::Error::Api(answer) if (400..500).contains(&answer.code) => {
            at.awaited.settled(&at.cluster.name, kind, &key);
            if answer.code == 404 {
                at.cluster.index.objects.forget_namespace(&at.identity.vm.namespace);
            }
        }
        _ => {}
    }
    Err(failure_of(kind, name, why))
}

/// Objects that several Machines use. Whoever made them, they are as good as ours.
const fn is_shared(kind: Kind) -> bool {
    matches!(kind, Kind::Namespace | Kind::Attachment | Kind::Secret)
}

/// Ours is as good as created, and awaited until a watch shows it.
async fn exists(
    at: &Target<'_>,
    api: &Api<DynamicObject>,
    kind: Kind,
    name: &str,
    key: &ObjectKey,
) -> Result<Option<DynamicObject>, Failure> {
    match kind {
        Kind::Namespace => {
            at.cluster.index.objects.saw_namespace(name);
            return Ok(None);
        }
        Kind::Attachment => {
            at.cluster.index.attachments.saw_some(key.clone());
            return Ok(None);
        }
        Kind::Claim | Kind::Vm | Kind::DataVolume | Kind::Secret => {}
    }
    let found = api.get(name).await.map_err(|why| failure_of(kind, name, &why))?;
    if is_ours(at, &found) {
        at.awaited.created(&at.cluster.name, kind, key);
        return Ok(None);
    }
    at.awaited.settled(&at.cluster.name, kind, key);
    Ok(Some(found))
}

/// Whether an object carries the Machine's labels.
pub(super) fn is_ours(at: &Target<'_>, object: &DynamicObject) -> bool {
    let is = |key, value: &String| object.labels().get(key) == Some(value);
    is(MACHINE_UID, &at.identity.uid) && is(SUPERVISOR, at.supervisor)
}

/// Why an object that is not the Machine's stays untouched.
pub(super) fn stranger(at: &Target<'_>, kind: Kind, name: &str, found: &DynamicObject) -> Failure {
    let (what, namespace) = (kind_name(kind), &at.identity.vm.namespace);
    let cluster = &at.cluster.name.0;
    let another = "give the Machine another name".to_owned();
    let (whose, next) = match Left::read(&found.metadata) {
        Some(left) => (left.said_to(&at.identity.key.namespace), another),
        None if kind == Kind::Vm && lost_its_labels(&found.metadata) => {
            let next = format!("{}, or delete it", put_back(&at.identity.uid, at.supervisor));
            ("has lost the labels that say whose it is".to_owned(), next)
        }
        None => ("exists and is not this Machine's".to_owned(), another),
    };
    let message = format!("{what} {namespace}/{name} on {cluster:?} {whose}: {next}");
    Failure { reason: Reason::Conflict, message }
}

/// Brings an object in line with what is wanted, from what it is now, and says whether it was not; one that is not the Machine's
/// any more stays as it is.
pub(super) async fn update(at: &Target<'_>, kind: Kind, name: &str, wanted: &Wanted) -> Result<bool, Failure> {
    let live = match api(at, kind).get(name).await {
        Ok(live) => live,
        Err(kube::Error::Api(answer)) if answer.code == 404 => {
            forget(at, kind, name);
            return Ok(false);
        }
        Err(why) => return Err(failure_of(kind, name, &why)),
    };
    let ours = is_ours(at, &live);
    let live = serde_json::to_value(live).expect("invariant: an object that was read can be written");
    let Some(mut change) = wanted.change(&live).filter(|_| ours) else { return Ok(false) };
    if kind == Kind::Vm {
        note(&mut change, &live);
    }
    let Identity { key, .. } = at.identity;
    tracing::info!(controller = "Machine", machine = key.name, namespace = key.namespace, phase = at.phase, kubevirtConfig = %at.cluster.name, kind = ?kind, object = name, fields = ?change.fields, "updated");
    merge(at, kind, name, &change.patch).await
}

/// Asks KubeVirt for a restart.
pub(super) async fn restart(at: &Target<'_>, name: &str, request: &Value) -> Result<(), Failure> {
    match api(at, Kind::Vm).patch_status(name, &patch_params(), &Patch::Merge(request)).await {
        Ok(_) => Ok(()),
        // Changed since it was seen, or gone: the watch event of that brings the next pass.
        Err(kube::Error::Api(answer)) if matches!(answer.code, 404 | 409) => Ok(()),
        Err(why) => Err(failure_of(Kind::Vm, name, &why)),
    }
}

/// Merges a change into an object that is still as it was seen; whether it was.
pub(super) async fn merge(at: &Target<'_>, kind: Kind, name: &str, change: &Value) -> Result<bool, Failure> {
    match api(at, kind).patch(name, &patch_params(), &Patch::Merge(change)).await {
        Ok(_) => Ok(true),
        // Changed since it was seen: the watch event of that brings the next pass.
        Err(kube::Error::Api(answer)) if answer.code == 409 => Ok(false),
        Err(kube::Error::Api(answer)) if answer.code == 404 => {
            forget(at, kind, name);
            Ok(false)
        }
        // Of a claim nothing but its size is ever changed.
        Err(why @ kube::Error::Api(_)) if kind == Kind::Claim && change.get("spec").is_some() => {
            Err(Failure { reason: Reason::ExpansionRefused, ..failure_of(kind, name, &why) })
        }
        Err(why) => Err(failure_of(kind, name, &why)),
    }
}

/// No watch tells of a VM before it is ours: until one does, its absence means nothing, and one that changed meanwhile is
/// looked at again.
pub(super) async fn adopt(at: &Target<'_>, name: &str, change: &Value) -> Result<(), Failure> {
    let key = key_there(at, name);
    at.awaited.sent(&at.cluster.name, Kind::Vm, &key, &at.identity.uid);
    let Err(why) = api(at, Kind::Vm).patch(name, &patch_params(), &Patch::Merge(change)).await else {
        at.awaited.created(&at.cluster.name, Kind::Vm, &key);
        return Ok(());
    };
    if matches!(&why, kube::Error::Api(answer) if (400..500).contains(&answer.code)) {
        at.awaited.settled(&at.cluster.name, Kind::Vm, &key);
    }
    Err(failure_of(Kind::Vm, name, &why))
}

/// It is gone for certain, whatever a watch said last.
fn forget(at: &Target<'_>, kind: Kind, name: &str) {
    let (index, key) = (&at.cluster.index, key_there(at, name));
    match kind {
        Kind::Vm => drop(index.objects.remove(WatchedKind::Vm, &key)),
        Kind::Claim => drop(index.objects.remove(WatchedKind::Claim, &key)),
        Kind::DataVolume => drop(index.objects.remove(WatchedKind::DataVolume, &key)),
        Kind::Attachment => index.attachments.forget(&key),
        Kind::Namespace => index.objects.forget_namespace(name),
        Kind::Secret => {}
    }
}

/// Deletes an object that is still the one that was seen.
pub(super) async fn delete(
    at: &Target<'_>,
    kind: Kind,
    name: &str,
    uid: &str,
    propagation_policy: Option<PropagationPolicy>,
) -> Result<(), Failure> {
    let only_this = DeleteParams {
        propagation_policy,
        preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
        ..DeleteParams::default()
    };
    match api(at, kind).delete(name, &only_this).await {
        Ok(_) if kind == Kind::Attachment => {
            forget(at, kind, name);
            Ok(())
        }
        Ok(_) => Ok(()),
        // Gone, or another object by that name: either way this one is no more.
        Err(kube::Error::Api(answer)) if matches!(answer.code, 404 | 409) => {
            forget(at, kind, name);
            Ok(())
        }
        Err(why) => Err(failure_of(kind, name, &why)),
    }
}

/// What a refusal shows as.
pub(super) fn failure_of(kind: Kind, name: &str, why: &kube::Error) -> Failure {
    let reason = match why {
        kube::Error::Api(answer) if kind == Kind::Vm && matches!(answer.code, 400 | 422) => Reason::VmRefused,
        kube::Error::Api(answer) if answer.code == 403 && answer.message.contains("exceeded quota") => {
            Reason::QuotaExceeded
        }
        // CDI refuses what it cannot fill.
        kube::Error::Api(answer) if kind == Kind::DataVolume && matches!(answer.code, 400 | 403 | 422) => {
            Reason::ImportFailed
        }
        kube::Error::Api(_) if kind == Kind::Attachment => Reason::NetworkFailed,
        kube::Error::Api(_) => Reason::KubeVirtApiError,
        _ => Reason::ClusterUnreachable,
    };
    Failure { reason, message: format!("{} {name}: {}", kind_name(kind), said(why)) }
}

/// As kubectl users call it.
pub(crate) const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Namespace => "Namespace",
        Kind::Claim => "PersistentVolumeClaim",
        Kind::DataVolume => "DataVolume",
        Kind::Vm => "VirtualMachine",
        Kind::Secret => "Secret",
        Kind::Attachment => "NetworkAttachmentDefinition",
    }
}
