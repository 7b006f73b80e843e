//! A claim that a Machine left behind, and who may have it. Pure. X116, KVO8, T14.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use super::super::identity::Identity;
use super::super::labels;
use super::super::owner::Left;
use super::super::write::Failure;
use crate::names::{self, MACHINE_UID};
use crate::reason::Reason;

/// What makes a claim that was left behind the Machine's, if it is still that version, or why it stays what it is. Nothing is
/// said about one that nobody left. `named`: the Machine's author asks for that very claim.
///
/// A Machine takes back what one of its own namespace and name left; another one of that namespace may have it if it names it.
pub fn take_back(
    claim: &ObjectMeta,
    named: bool,
    identity: &Identity,
    supervisor: &str,
    cluster: &str,
) -> Option<Result<Value, Failure>> {
    let owned = claim.labels.as_ref().is_some_and(|labels| labels.contains_key(MACHINE_UID));
    let left = Left::read(claim).filter(|_| !owned)?;
    let key = &identity.key;
    let of_namespace = left.machine.split_once('/').is_some_and(|(namespace, _)| namespace == key.namespace);
    let back = left.machine == key.to_string();
    let name = claim.name.as_deref().unwrap_or_default();
    let refused = match left.supervisor.as_deref() {
        _ if claim.deletion_timestamp.is_some() => "it is being deleted: wait until it is gone".to_owned(),
        Some(theirs) if theirs == supervisor => match (back, of_namespace, named) {
            (true, ..) | (_, true, true) => return Some(Ok(change(claim, identity, supervisor))),
            (_, true, false) => format!(
                "to have it, name it in the disk's source.retained: {name}; to have another one, give the Machine or the disk another name"
            ),
            (_, false, _) => {
                "only a Machine of that namespace can have it: give the Machine or the disk another name".to_owned()
            }
        },
        Some(_) => "that was on another supervisor: give the Machine or the disk another name".to_owned(),
        None if of_namespace => format!(
            "it does not say on which supervisor that was: if it was this one, annotate it {}={supervisor}",
            names::RETAINED_SUPERVISOR
        ),
        None => "give the Machine or the disk another name".to_owned(),
    };
    let (namespace, whose) = (&identity.vm.namespace, left.said_to(&key.namespace));
    let message = format!("PersistentVolumeClaim {namespace}/{name} on {cluster:?} {whose}: {refused}");
    Some(Err(Failure { reason: Reason::Conflict, message }))
}

fn change(claim: &ObjectMeta, identity: &Identity, supervisor: &str) -> Value {
    let mut labels = labels::owner(identity, supervisor);
    labels[names::RETAINED] = Value::Null;
    json!({"metadata": {
        "uid": claim.uid,
        "resourceVersion": claim.resource_version,
        "labels": labels,
        "annotations": {names::RETAINED_FROM: null, names::RETAINED_SUPERVISOR: null, names::RETAINED_DISK: null},
    }})
}

/// Whether a disk may be filled with a copy of this claim: whose it is, in words that follow "it", if it may not. What another
/// Machine has or left is no image (T14).
pub fn may_be_copied(claim: &ObjectMeta, identity: &Identity) -> Result<(), String> {
    let label = |key: &str| claim.labels.as_ref().and_then(|labels| labels.get(key));
    if label(MACHINE_UID).is_some_and(|uid| *uid != identity.uid) {
        return Err("is another Machine's".to_owned());
    }
    let left = Left::read(claim)
        .filter(|left| left.machine.split_once('/').is_none_or(|(namespace, _)| namespace != identity.key.namespace));
    left.map_or(Ok(()), |left| Err(left.said_to(&identity.key.namespace)))
}
