//! Looks at what the watches do not show: a VM that is to be adopted, and the instance of one that was, or was taken over. I/O: that
//! cluster.
//!
//! An instance gets its labels from its VM's template when it starts: one that others started no watch of ours shows.

use std::collections::BTreeSet;

use kube::{Api, ResourceExt};
use model::machine::{Admitted, Kind, Lookup, Stray, adoption, owner, published};
use runtime::clusters::Cluster;

use super::remote::ask_in_time;
use crate::context::{Context, Fault, Unanswered};
use crate::index::OwnObjects;
use crate::objects::{controller_of, read_vm, read_vmi, resource_of};
use crate::remote_object::RemoteObject;
use crate::session::ClusterIndex;
use crate::uids::Past;

/// Adds to what the watches show, and says what was found under the name that admission points at.
pub(super) async fn look(
    admitted: &Admitted,
    objects: &mut OwnObjects,
    stored: &BTreeSet<(Kind, String)>,
    past: &Past,
    cluster: &Cluster<ClusterIndex>,
    ctx: &Context,
) -> Result<Lookup, Fault> {
    let mut found = Lookup::Unasked;
    let identity = &admitted.identity;
    let awaited = admitted.adopt.iter().any(|name| stored.contains(&(Kind::Vm, name.clone())));
    if objects.vm.is_none() && !awaited {
        if let Past::Unknown(why) = past {
            return Ok(Lookup::Unknown(why.clone()));
        }
        for name in &admitted.adopt {
            let vm = match get(cluster, "VirtualMachine", &identity.vm.namespace, name).await {
                Ok(vm) => vm.filter(|vm| adoption::is_looked_for(&vm.metadata, admitted, &ctx.supervisor)),
                Err(why) => {
                    let (namespace, cluster) = (&identity.vm.namespace, &cluster.name.0);
                    let why = format!("VirtualMachine {namespace}/{name} on {cluster:?}: {why}");
                    return Ok(Lookup::Unknown(why));
                }
            };
            let judged = vm
                .as_ref()
                .map_or(Lookup::Absent, |vm| adoption::found(&vm.metadata, identity, &ctx.supervisor, ctx.adoption));
            let judged = match (judged, past) {
                (Lookup::Earlier(_), Past::Present(whose)) => Lookup::Taken(whose.clone()),
                (Lookup::Free(stray), _) => {
                    let claims = vm.as_ref().map(|vm| published::claims(&vm.metadata, &vm.spec, &identity.key.name));
                    Lookup::Free(Stray { claims: claims.unwrap_or_default(), ..stray })
                }
                (judged, _) => judged,
            };
            // A stranger's VM is in the way only under the name that ours would get; an earlier self's under both.
            let asking = identity.asking(&ctx.supervisor);
            let earlier = || vm.as_ref().is_some_and(|vm| asking.is_earlier_selfs(&owner::read(&vm.metadata)));
            let in_the_way = *name == identity.vm.name || admitted.adopt.len() == 1 || earlier();
            objects.vm = vm.filter(|_| judged == Lookup::Ours).map(|vm| read_vm(&vm));
            found = if matches!(judged, Lookup::Taken(_)) && !in_the_way { Lookup::Absent } else { judged };
            if found != Lookup::Absent {
                break;
            }
        }
    }
    if let (Some(vm), None) = (&objects.vm, &objects.vmi)
        && (vm.adopted.is_some() || vm.macs_of.is_some())
    {
        objects.vmi = if let Some(known) = ctx.instances.find(vm) {
            known
        } else {
            let vmi = get(cluster, "VirtualMachineInstance", &identity.vm.namespace, &vm.name).await;
            let vmi = vmi.map_err(|source| Fault::Cluster { cluster: cluster.name.clone(), source })?;
            let vmi = vmi.filter(|vmi| controller_of(vmi) == Some(vm.uid.as_str())).map(|vmi| read_vmi(&vmi));
            ctx.instances.saw(vm, vmi.clone());
            vmi
        };
    }
    Ok(found)
}

/// No answer is an error: unknown is never absent. Nor is one about something else an answer.
pub(super) async fn get(
    cluster: &Cluster<ClusterIndex>,
    kind: &str,
    namespace: &str,
    name: &str,
) -> Result<Option<RemoteObject>, Unanswered> {
    let api: Api<RemoteObject> = Api::namespaced_with(cluster.client.clone(), namespace, &resource_of(kind));
    get_from(cluster, &api, namespace, name).await
}

/// The same, of another kind; `api` is that of the namespace.
pub(super) async fn get_from(
    cluster: &Cluster<ClusterIndex>,
    api: &Api<RemoteObject>,
    namespace: &str,
    name: &str,
) -> Result<Option<RemoteObject>, Unanswered> {
    let found = ask_in_time(cluster, api.get_opt(name)).await??;
    match &found {
        Some(other) if (other.name_any().as_str(), other.namespace().as_deref()) != (name, Some(namespace)) => {
            Err(Unanswered::Other)
        }
        Some(_) | None => Ok(found),
    }
}
