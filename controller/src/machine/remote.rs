//! Requests to one remote cluster, each under a deadline. I/O: that cluster.
//!
//! A create that meets an object of that name looks whose it is: ours is as good as created, a stranger's stays untouched.

use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, Secret};
use kube::api::{ApiResource, DeleteParams, Preconditions, PropagationPolicy};
use kube::core::{DynamicResourceScope, Request};
use kube::{Api, Resource, ResourceExt};
use model::machine::owner::{self, Left};
use model::machine::standing::{lost_its_labels, put_back};
use model::machine::{Failure, Identity, Kind};
use model::names::{MACHINE_UID, SUPERVISOR};
use model::reason::Reason;
use runtime::clusters::{Cluster, DEADLINE, said};
use serde_json::Value;
use tokio::time::error::Elapsed;

use crate::attachments::{self, Seen};
use crate::awaited::Awaited;
use crate::disks::data_volumes;
use crate::objects::{ObjectKey, WatchedKind, post_params, resource_of};
use crate::remote_object::Named;
use crate::session::ClusterIndex;
use crate::terminating;

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
pub(super) fn api<K>(at: &Target<'_>, kind: Kind) -> Api<K>
where
    K: Resource<DynamicType = ApiResource, Scope = DynamicResourceScope>,
{
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
pub(super) async fn create(at: &Target<'_>, kind: Kind, name: &str, object: &Value) -> Result<Option<Named>, Failure> {
    let api = api::<Named>(at, kind);
    let key = key_there(at, name);
    if !is_shared(kind) {
        at.awaited.sent(&at.cluster.name, kind, &key, &at.identity.uid);
    }
    let request = Request::new(api.resource_url()).create(&post_params(), object.to_string().into_bytes());
    let made = async { at.cluster.client.request::<Named>(request.map_err(kube::Error::BuildRequest)?).await }.await;
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
            at.awaited.refused(&at.cluster.name, kind, &key);
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
    api: &Api<Named>,
    kind: Kind,
    name: &str,
    key: &ObjectKey,
) -> Result<Option<Named>, Failure> {
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
    at.awaited.refused(&at.cluster.name, kind, key);
    Ok(Some(found))
}

/// Whether an object carries the Machine's labels.
pub(super) fn is_ours(at: &Target<'_>, object: &impl ResourceExt) -> bool {
    let is = |key, value: &String| object.labels().get(key) == Some(value);
    is(MACHINE_UID, &at.identity.uid) && is(SUPERVISOR, at.supervisor)
}

/// Why an object that is not the Machine's stays untouched.
pub(super) fn stranger(at: &Target<'_>, kind: Kind, name: &str, found: &impl ResourceExt) -> Failure {
    let (what, namespace) = (kind_name(kind), &at.identity.vm.namespace);
    let cluster = &at.cluster.name.0;
    let another = "give the Machine another name".to_owned();
    let earlier = at.identity.asking(at.supervisor).earlier_self(&owner::read(found.meta()));
    let (whose, next) = match Left::read(found.meta()) {
        _ if earlier.is_some() => (earlier.unwrap_or_default(), another),
        Some(left) => (left.said_to(&at.identity.key.namespace), another),
        None if kind == Kind::Vm && lost_its_labels(found.meta()) => {
            let next = format!("{}, or delete it", put_back(&at.identity.uid, at.supervisor));
            ("has lost the labels that say whose it is".to_owned(), next)
        }
        None => ("exists and is not this Machine's".to_owned(), another),
    };
    let message = format!("{what} {namespace}/{name} on {cluster:?} {whose}: {next}");
    Failure { reason: Reason::Conflict, message }
}

/// It is gone for certain, whatever a watch said last.
pub(super) fn forget(at: &Target<'_>, kind: Kind, name: &str) {
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

/// Deletes an object that is still the one that was seen; whether none of that name is left but that.
pub(super) async fn delete(
    at: &Target<'_>,
    kind: Kind,
    name: &str,
    uid: &str,
    propagation_policy: Option<PropagationPolicy>,
) -> Result<bool, Failure> {
    let only_this = DeleteParams {
        propagation_policy,
        preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
        ..DeleteParams::default()
    };
    match api::<Named>(at, kind).delete(name, &only_this).await {
        Ok(_) if kind == Kind::Attachment => {
            forget(at, kind, name);
            Ok(true)
        }
        Ok(_) => Ok(true),
        // Gone, or another object by that name: either way this one is no more.
        Err(kube::Error::Api(answer)) if matches!(answer.code, 404 | 409) => {
            forget(at, kind, name);
            Ok(answer.code == 404)
        }
        Err(why) => Err(failure_of(kind, name, &why)),
    }
}

/// What a refusal shows as.
pub(super) fn failure_of(kind: Kind, name: &str, why: &kube::Error) -> Failure {
    let reason = match why {
        why if terminating::is_said_by(why) => Reason::NamespaceTerminating,
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

#[cfg(test)]
#[path = "remote_tests.rs"]
mod tests;
