//! All writes on a Machine's cluster, and what becomes of a claim that is there before its disk. I/O: that cluster.
//!
//! What one of the same namespace and name left behind is taken back (X116), a stranger's is a conflict and stays untouched.

use std::time::Instant;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use kube::api::{DynamicObject, Patch, PropagationPolicy};
use model::machine::owner::Left;
use model::machine::storage::{may_be_copied, take_back};
use model::machine::vm::namespace_terminating;
use model::machine::{Failure, Kind, Parcel, There, published, takeover};
use model::names::{MACHINE_UID, RETAINED};
use model::reason::Reason;
use runtime::clusters::DEADLINE;
use serde_json::Value;

use super::changes::{adopt, merge, restart, take, update};
use super::remote::{Target, api, ask_in_time, create, delete, failure_of, is_ours, key_there, kind_name, stranger};
use crate::objects::{patch_params, post_params};
use crate::remote_object::Named;

/// What a write did beside what it was to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing.
    Done,
    /// There was nothing to do, or somebody else was faster.
    Unchanged,
    /// The claim was there, left by a Machine before, and is this Machine's now.
    Reattached,
}

/// Does one remote write.
pub(super) async fn write(at: &Target<'_>, write: &There) -> Result<Outcome, Failure> {
    let outcome = |done| if done { Outcome::Done } else { Outcome::Unchanged };
    let writing = async {
        match write {
            There::Create(Kind::DataVolume, name, object) => return import(at, name, object).await,
            There::Create(kind, name, object) => return make(at, *kind, name, object).await,
            There::TakeBack(name) => return find_left(at, name).await,
            There::TakeOver(kind, name) => return take_over(at, *kind, name).await,
            There::AdoptClaim(name) => return adopt_claim(at, name).await,
            There::Update { kind, name, wanted, .. } => {
                return update(at, *kind, name, wanted).await.map(outcome);
            }
            There::Merge(kind, name, change) => drop(merge(at, *kind, name, change).await?),
            There::Restart(name, request) => restart(at, name, request).await?,
            There::Delete(kind, name, uid) => return delete(at, *kind, name, uid, None).await.map(outcome),
            There::DeleteAlone(kind, name, uid) => {
                return delete(at, *kind, name, uid, Some(PropagationPolicy::Orphan)).await.map(outcome);
            }
            There::Adopt(name, change) => adopt(at, name, change).await?,
            There::Carry(parcel) => {
                return carry(at, parcel).await.map_err(|failure| parcel.without_data(failure));
            }
        }
        Ok(Outcome::Done)
    };
    let written = ask_in_time(at.cluster, writing).await.unwrap_or_else(|_| {
        let message = format!("the cluster did not answer within {} s", DEADLINE.as_secs());
        Err(Failure { reason: Reason::ClusterUnreachable, message })
    });
    // Nobody tries again before the namespace is known to be gone (R15).
    written.map_err(|failure| {
        if failure.reason != Reason::NamespaceTerminating {
            return failure;
        }
        let namespace = &at.identity.vm.namespace;
        at.cluster.index.terminating.heard(namespace, Instant::now());
        namespace_terminating(namespace, &at.cluster.name)
    })
}

async fn make(at: &Target<'_>, kind: Kind, name: &str, object: &Value) -> Result<Outcome, Failure> {
    match create(at, kind, name, object).await? {
        None => Ok(Outcome::Done),
        Some(found) if kind == Kind::Claim => take_left(at, name, &found, false).await,
        Some(found) => Err(stranger(at, kind, name, &found)),
    }
}

/// CDI leaves a claim alone that it did not make, and says so to nobody: whose it is, is looked at before.
async fn import(at: &Target<'_>, name: &str, object: &Value) -> Result<Outcome, Failure> {
    if let Some(found) = find(at, name).await? {
        return take_left(at, name, &found, false).await;
    }
    if let Some(source) = object.pointer("/spec/source/pvc/name").and_then(Value::as_str) {
        let invalid = |why: &str| {
            let (namespace, cluster) = (&at.identity.vm.namespace, &at.cluster.name.0);
            let message = format!("source.pvc: PersistentVolumeClaim {namespace}/{source} on {cluster:?} {why}");
            Failure { reason: Reason::SourceInvalid, message }
        };
        let found = find(at, source).await?.ok_or_else(|| invalid("is not there: name one that is"))?;
        may_be_copied(&found.metadata, at.identity)
            .map_err(|whose| invalid(&format!("{whose}: name one that no Machine has")))?;
    }
    make(at, Kind::DataVolume, name, object).await
}

async fn find(at: &Target<'_>, claim: &str) -> Result<Option<Named>, Failure> {
    api(at, Kind::Claim).get_opt(claim).await.map_err(|why| failure_of(Kind::Claim, claim, &why))
}

async fn find_left(at: &Target<'_>, name: &str) -> Result<Outcome, Failure> {
    if let Some(found) = find(at, name).await? {
        return take_left(at, name, &found, true).await;
    }
    let (namespace, cluster) = (&at.identity.vm.namespace, &at.cluster.name.0);
    let message = format!(
        "source.retained: there is no PersistentVolumeClaim {namespace}/{name} on {cluster:?}: name one that is kept, of those that carry the label {RETAINED} there"
    );
    Err(Failure { reason: Reason::SourceInvalid, message })
}

/// Takes a claim that a Machine left behind; one that is ours already is on its way into the index.
async fn take_left(at: &Target<'_>, name: &str, found: &Named, named: bool) -> Result<Outcome, Failure> {
    let key = key_there(at, name);
    if is_ours(at, found) {
        if found.metadata.deletion_timestamp.is_none() {
            at.awaited.sent(&at.cluster.name, Kind::Claim, &key, &at.identity.uid);
            at.awaited.created(&at.cluster.name, Kind::Claim, &key);
        }
        return Ok(Outcome::Done);
    }
    let metadata: &ObjectMeta = &found.metadata;
    let judged = take_back(metadata, named, at.identity, at.supervisor, &at.cluster.name.0);
    let change = judged.unwrap_or_else(|| Err(stranger(at, Kind::Claim, name, found)))?;
    take(at, Kind::Claim, name, &change).await.map_err(|why| failure_of(Kind::Claim, name, &why))?;
    Ok(Outcome::Reattached)
}

/// Takes a claim that the published operator made, as it is when it is read. Any other that its VM has is somebody else's.
async fn adopt_claim(at: &Target<'_>, name: &str) -> Result<Outcome, Failure> {
    let Some(found) = find(at, name).await? else { return Ok(Outcome::Unchanged) };
    let change = published::adopt_claim(&found.metadata, at.identity, at.supervisor);
    let Some(change) = change else { return Ok(Outcome::Unchanged) };
    take(at, Kind::Claim, name, &change).await.map_err(|why| failure_of(Kind::Claim, name, &why))?;
    Ok(Outcome::Done)
}

/// How often an object that changes at the same moment is read again.
const TRIES: usize = 3;

/// Takes an object of the earlier self, as it is when it is read. One that is this Machine's already is done.
async fn take_over(at: &Target<'_>, kind: Kind, name: &str) -> Result<Outcome, Failure> {
    for _ in 0..TRIES {
        let found = api::<DynamicObject>(at, kind).get_opt(name).await.map_err(|why| failure_of(kind, name, &why))?;
        let Some(found) = found.filter(|found| !is_ours(at, found)) else { return Ok(Outcome::Unchanged) };
        let live = serde_json::to_value(&found).expect("invariant: an object that was read can be written");
        let change = takeover::change(&live, kind, at.identity, at.supervisor).map_err(|why| {
            let (what, namespace, cluster) = (kind_name(kind), &at.identity.vm.namespace, &at.cluster.name.0);
            Failure { reason: Reason::Conflict, message: format!("{what} {namespace}/{name} on {cluster:?} {why}") }
        })?;
        match take(at, kind, name, &change).await {
            Ok(()) => return Ok(Outcome::Done),
            Err(kube::Error::Api(answer)) if answer.code == 409 => {}
            Err(why) => return Err(failure_of(kind, name, &why)),
        }
    }
    let message = format!("{} {name} changes all the time: it is tried again", kind_name(kind));
    Err(Failure { reason: Reason::KubeVirtApiError, message })
}

/// A Secret of ours that an earlier self of the Machine left behind is ours, too: nothing in it is anybody else's.
fn carries_ours(at: &Target<'_>, found: &DynamicObject) -> bool {
    let left = || Left::read(&found.metadata).is_some_and(|left| left.is(&at.identity.key, at.supervisor));
    is_ours(at, found) || !found.labels().contains_key(MACHINE_UID) && left()
}

/// Makes the Secret with cloud-init data, or brings in line what is the Machine's already, whoever made it. No watch shows
/// Secrets, so nothing is awaited.
async fn carry(at: &Target<'_>, parcel: &Parcel) -> Result<Outcome, Failure> {
    let (kind, name) = (Kind::Secret, parcel.name.as_str());
    let api = api::<DynamicObject>(at, kind);
    let failed = |why: kube::Error| failure_of(kind, name, &why);
    let mut found = if parcel.known { api.get_opt(name).await.map_err(failed)? } else { None };
    if found.is_none() {
        let object = serde_json::from_value(parcel.object()).expect("invariant: a Secret is a Kubernetes object");
        match api.create(&post_params(), &object).await {
            Ok(_) => return Ok(Outcome::Done),
            Err(kube::Error::Api(answer)) if answer.code == 409 && answer.reason == "AlreadyExists" => {
                found = Some(api.get(name).await.map_err(failed)?);
            }
            Err(why) => {
                if matches!(&why, kube::Error::Api(answer) if answer.code == 404) {
                    at.cluster.index.objects.forget_namespace(&at.identity.vm.namespace);
                }
                return Err(failed(why));
            }
        }
    }
    let Some(found) = found else { return Ok(Outcome::Unchanged) };
    if !carries_ours(at, &found) {
        return Err(stranger(at, kind, name, &found));
    }
    let (uid, version) = (found.uid().unwrap_or_default(), found.resource_version().unwrap_or_default());
    let change = parcel.change(&uid, &version);
    // The hash on the VM is salted with the UID of the Machine, so that it changes with that alone.
    let same = parcel.holds(&found.data["data"]);
    api.patch(name, &patch_params(), &Patch::Merge(change)).await.map_err(failed)?;
    Ok(if same { Outcome::Unchanged } else { Outcome::Done })
}
