//! Asks by name whether the VM and the instance of a Machine that is being deleted are gone, before its disks go (ATK9), and
//! for disks that no watch shows. I/O: that cluster.
//!
//! The watches select by label, and whoever may edit the objects there may take ours off; and what another process made a moment
//! ago they may not have shown yet.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use kube::{Api, ResourceExt};
use model::machine::standing::{self, Standing};
use model::machine::{DeletionPolicy, Leaving, Lookup};
use model::names::{MACHINE_UID, SUPERVISOR};
use runtime::clusters::Cluster;
use serde_json::Value;

use super::adopt::{get, get_from};
use crate::context::{Context, Unanswered};
use crate::disks::{claims, data_volumes, read_claim, read_data_volume};
use crate::imports::Served;
use crate::index::OwnObjects;
use crate::remote_object::RemoteObject;
use crate::session::ClusterIndex;

/// What stands under the names of VM and instance, once no watch shows any of the Machine's; asked until it is nothing. Adds the
/// disks that are there and that no watch shows.
pub(super) async fn look(
    leaving: &Leaving,
    objects: &mut OwnObjects,
    cluster: &Cluster<ClusterIndex>,
    ctx: &Context,
) -> Lookup {
    let identity = &leaving.identity;
    let goes = matches!(leaving.policy, Ok(DeletionPolicy::Delete | DeletionPolicy::Retain));
    // Nothing was made before the cluster was recorded.
    let unmade = identity.cluster_id.is_none() && objects.claims.is_empty();
    let nothing_seen = objects.vm.is_none() && objects.vmi.is_none() && !unmade;
    if !goes || !nothing_seen || leaving.finalizers.is_empty() || ctx.departures.is_proven(&identity.uid) {
        return Lookup::Unasked;
    }
    let ask = async |kind| get(cluster, kind, &identity.vm.namespace, &identity.vm.name).await;
    let found = match futures::try_join!(ask("VirtualMachine"), ask("VirtualMachineInstance")) {
        Err(why) => return Lookup::Unknown(why.to_string()),
        Ok((vm, vmi)) => {
            let vm = vm.as_ref().map(|vm| standing(vm, "/template/spec/volumes", objects));
            let vmi = vmi.as_ref().map(|vmi| standing(vmi, "/volumes", objects));
            standing::standing(vm, vmi, leaving, &ctx.supervisor)
        }
    };
    if found == Lookup::Absent {
        match add_unseen_disks(leaving, objects, cluster, ctx).await {
            Err(why) => return Lookup::Unknown(why.to_string()),
            // It is asked again until a watch shows them, or until they are gone.
            Ok(true) => {}
            Ok(false) => ctx.departures.prove(&identity.uid),
        }
    }
    found
}

/// Asks for the claims that the Machine may have and that no watch shows, and for the DataVolumes behind them; whether there is
/// one. In the life of most Machines the watches show all of them, and nothing is asked.
async fn add_unseen_disks(
    leaving: &Leaving,
    objects: &mut OwnObjects,
    cluster: &Cluster<ClusterIndex>,
    ctx: &Context,
) -> Result<bool, Unanswered> {
    let (identity, namespace) = (&leaving.identity, &leaving.identity.vm.namespace);
    let api = |kind| Api::<RemoteObject>::namespaced_with(cluster.client.clone(), namespace, &kind);
    let (claims, imports) = (api(claims()), api(data_volumes()));
    let fills = cluster.index.cdi.known() == Served::Listed;
    let is_ours = |labels: &BTreeMap<String, String>| {
        labels.get(MACHINE_UID) == Some(&identity.uid) && labels.get(SUPERVISOR) == Some(&ctx.supervisor)
    };
    let (seen, seen_imports) = (&objects.claims, &objects.imports);
    let unseen = leaving.claims.iter().filter(|name| !seen.contains_key(*name));
    let unseen = unseen.map(async |name| get_from(cluster, &claims, namespace, name).await);
    let filled = leaving.claims.iter().filter(|name| {
        fills && !seen_imports.contains_key(*name) && seen.get(*name).is_none_or(|claim| claim.imported)
    });
    let filled = filled.map(async |name| get_from(cluster, &imports, namespace, name).await);
    let (found, found_imports) = futures::try_join!(try_join_all(unseen), try_join_all(filled))?;
    let before = objects.claims.len() + objects.imports.len();
    let found = found.into_iter().flatten().filter(|claim| is_ours(claim.labels()));
    objects.claims.extend(found.map(|claim| (claim.name_any(), read_claim(&claim))));
    let found = found_imports.into_iter().flatten().filter(|import| is_ours(import.labels()));
    objects.imports.extend(found.map(|import| (import.name_any(), read_data_volume(&import))));
    Ok(objects.claims.len() + objects.imports.len() > before)
}

fn standing<'o>(object: &'o RemoteObject, volumes: &str, objects: &OwnObjects) -> Standing<'o> {
    let volumes = object.spec.pointer(volumes).and_then(Value::as_array).into_iter().flatten();
    let mut claims = volumes.filter_map(|volume| {
        volume.pointer("/persistentVolumeClaim/claimName").or(volume.pointer("/dataVolume/name"))?.as_str()
    });
    let uses_disk = claims.any(|claim| objects.claims.contains_key(claim));
    Standing { metadata: &object.metadata, uses_disk }
}
