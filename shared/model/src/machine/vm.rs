//! The VirtualMachine of a Machine, and when it is written. Pure. C16, C18, X13, X14, X28, X64.

use serde_json::{Map, Value, json};

use super::cloudinit;
use super::identity::Identity;
use super::intent::Admitted;
use super::observed::{Observed, Remote};
use super::template::template;
use super::write::{Failure, Kind, There};
use super::{labels, restart};
use crate::baseline::Wanted;
use crate::names::{self, ClusterName};
use crate::patch::UserPatch;
use crate::reason::Reason;

/// A remote namespace. It is shared by every Machine of that namespace and never deleted by us, so it carries no owner.
pub fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {names::MANAGED_BY: names::OPERATOR}}})
}

/// Why nothing can be made in a remote namespace (R15).
pub fn namespace_terminating(namespace: &str, cluster: &ClusterName) -> Failure {
    let message = format!(
        "namespace {namespace:?} on {:?} is being deleted, and nothing can be made in it: it is made anew when it is gone; `kubectl describe namespace {namespace}` there says what keeps it",
        cluster.0
    );
    Failure { reason: Reason::NamespaceTerminating, message }
}

/// An ownerReference to the Machine, only where the remote cluster *is* the supervisor: any other cluster's garbage
/// collector would find no such owner and delete the VM (X13).
pub fn owner_references(identity: &Identity, seen: &Observed) -> Value {
    match &seen.remote {
        Remote::Connected { id } if *id == seen.supervisor => json!([{
            "apiVersion": format!("{}/{}", names::GROUP, names::VERSION), "kind": "Machine",
            "name": identity.key.name, "uid": identity.uid, "controller": true, "blockOwnerDeletion": false,
        }]),
        Remote::Connected { .. } | Remote::Missing | Remote::Connecting | Remote::Unreachable(_) => json!([]),
    }
}

/// Creates the VM, brings it in line after the Machine was edited, and takes back what others changed in it. A VM that is being
/// deleted is waited for.
pub(super) fn plan(admitted: &Admitted, seen: &Observed) -> Result<Option<There>, Failure> {
    let name = &admitted.identity.vm.name;
    let user = user(admitted)?;
    if user.unmanaged {
        return Ok(None);
    }
    let wanted = Box::new(wanted(admitted, seen, user)?);
    let Some(vm) = &seen.vm else {
        let awaited = seen.awaited.contains(&(Kind::Vm, name.clone()));
        return Ok((!awaited).then(|| There::Create(Kind::Vm, name.clone(), wanted.object().clone())));
    };
    if vm.deleting {
        return Ok(None);
    }
    let edited = vm.hash.as_deref() != Some(&wanted.hash());
    if !edited && vm.drift.is_empty() {
        return Ok(restart::plan(admitted, vm, seen));
    }
    Ok(There::bring_in_line((Kind::Vm, &vm.name, &vm.uid), edited, &vm.drift, &seen.turn, wanted))
}

/// What the author's annotations say about the VM.
fn user(admitted: &Admitted) -> Result<UserPatch, Failure> {
    admitted.patches.as_ref().map(|patches| patches.vm.clone()).map_err(|wrong| Failure::of_patch(wrong))
}

/// The VM as it should be, with what its author patches; without that where it is refused.
pub fn patched(admitted: &Admitted, seen: &Observed) -> Value {
    let wanted = user(admitted).and_then(|user| wanted(admitted, seen, user));
    wanted.map_or_else(|_| desired(admitted, seen), |wanted| wanted.object().clone())
}

/// The author leaves the VM to somebody else.
pub(super) fn is_unmanaged(admitted: &Admitted) -> bool {
    user(admitted).is_ok_and(|user| user.unmanaged)
}

/// Power that is not declared is the cluster's own tools' from the moment that the VM is there (X96).
const POWER: &[&str] = &["/spec/runStrategy", "/spec/running"];

/// The VM as it should be, patched, and what of it is kept true.
fn wanted(admitted: &Admitted, seen: &Observed, user: UserPatch) -> Result<Wanted, Failure> {
    let mut object = desired(admitted, seen);
    if let Some(mark) = restart::mark(admitted) {
        object["metadata"]["annotations"][names::RESTARTED] = mark;
    }
    let object = user.apply(&object, seen.terms.scheduling_patches).map_err(|wrong| Failure::of_patch(&wrong))?;
    let mut kept = json!({"metadata": {"labels": object["metadata"]["labels"]}, "spec": object["spec"]});
    let power = admitted.power_declared && user.without_ignored(&kept)["spec"].get("runStrategy").is_some();
    if power {
        // KubeVirt takes one of the two (X28).
        kept["spec"]["running"] = Value::Null;
    } else if let Some(spec) = kept["spec"].as_object_mut() {
        spec.remove("runStrategy");
    }
    Ok(Wanted::new(object, kept, user, if power { &[] } else { POWER }))
}

/// The VM as it should be.
pub fn desired(admitted: &Admitted, seen: &Observed) -> Value {
    let identity = &admitted.identity;
    let mut labels = labels::owner(identity, &seen.supervisor);
    labels::add(&mut labels, &admitted.labels, &seen.copied_labels);
    let spec = json!({
        "runStrategy": admitted.run_strategy,
        "template": {"metadata": {"labels": labels}, "spec": template(admitted, seen)},
    });
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), json!(identity.vm.name));
    metadata.insert("namespace".to_owned(), json!(identity.vm.namespace));
    metadata.insert("labels".to_owned(), labels);
    let mut annotations = json!({});
    if let Some(mark) = cloudinit::mark(seen) {
        annotations[names::CLOUD_INIT] = json!(mark);
    }
    metadata.insert("annotations".to_owned(), annotations);
    if let owners @ Value::Array(_) = owner_references(identity, seen)
        && owners != json!([])
    {
        metadata.insert("ownerReferences".to_owned(), owners);
    }
    json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": metadata, "spec": spec})
}
