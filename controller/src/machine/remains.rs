//! Asks by name whether the VM and the instance of a Machine that is being deleted are gone, before its disks go (ATK9).
//! I/O: that cluster.
//!
//! The watches select by label, and whoever may edit the objects there may take ours off.

use std::sync::PoisonError;

use kube::api::DynamicObject;
use model::machine::standing::{self, Standing};
use model::machine::{DeletionPolicy, Leaving, Lookup};
use runtime::clusters::Cluster;
use serde_json::Value;

use super::adopt::get;
use crate::context::Context;
use crate::index::OwnObjects;
use crate::session::ClusterIndex;

/// What stands under the names of VM and instance, once no watch shows any of the Machine's; asked until it is nothing.
pub(super) async fn look(
    leaving: &Leaving,
    objects: &OwnObjects,
    cluster: &Cluster<ClusterIndex>,
    ctx: &Context,
) -> Lookup {
    let identity = &leaving.identity;
    let goes = matches!(leaving.policy, Ok(DeletionPolicy::Delete | DeletionPolicy::Retain));
    // Nothing was made before the cluster was recorded.
    let unmade = identity.cluster_id.is_none() && objects.claims.is_empty();
    let nothing_seen = objects.vm.is_none() && objects.vmi.is_none() && !unmade;
    let proven = || ctx.proven_gone.lock().unwrap_or_else(PoisonError::into_inner);
    if !goes || !nothing_seen || leaving.finalizers.is_empty() || proven().contains(&identity.uid) {
        return Lookup::Unasked;
    }
    let ask = async |kind| get(cluster, kind, &identity.vm.namespace, &identity.vm.name).await;
    let found = match futures::try_join!(ask("VirtualMachine"), ask("VirtualMachineInstance")) {
        Err(why) => return Lookup::Unknown(why.to_string()),
        Ok((vm, vmi)) => {
            let vm = vm.as_ref().map(|vm| standing(vm, "/spec/template/spec/volumes", objects));
            let vmi = vmi.as_ref().map(|vmi| standing(vmi, "/spec/volumes", objects));
            standing::standing(vm, vmi, leaving, &ctx.supervisor)
        }
    };
    if found == Lookup::Absent {
        proven().insert(identity.uid.clone());
    }
    found
}

fn standing<'o>(object: &'o DynamicObject, volumes: &str, objects: &OwnObjects) -> Standing<'o> {
    let volumes = object.data.pointer(volumes).and_then(Value::as_array).into_iter().flatten();
    let mut claims = volumes.filter_map(|volume| {
        volume.pointer("/persistentVolumeClaim/claimName").or(volume.pointer("/dataVolume/name"))?.as_str()
    });
    let uses_disk = claims.any(|claim| objects.claims.contains_key(claim));
    Standing { metadata: &object.metadata, uses_disk }
}
