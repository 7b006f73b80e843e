//! What a cluster says itself of what no watch shows: a creation, and a namespace that is being deleted. I/O: three LISTs there, or
//! four; one GET of a namespace that refused something, each second at most.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ApiResource, ListParams};
use kube::{Api, Client, ResourceExt};
use model::machine::{Identity, Kind, Vmi};
use model::names::{MACHINE_UID, SUPERVISOR};
use runtime::clusters::Cluster;

use super::remote::ask_in_time;
use crate::context::{Fault, Unanswered};
use crate::disks::{claims, data_volumes, read_claim, read_data_volume};
use crate::imports::Served;
use crate::objects::{ObjectKey, Record, key_of, owner_of, read_vm, read_vmi, resource_of};
use crate::remote_object::RemoteObject;
use crate::session::ClusterIndex;

/// How long the word of a cluster counts that a namespace is being deleted, for all Machines in it.
const ASKED_EACH: Duration = Duration::from_secs(1);

/// Whether a namespace that refused something is still being deleted. One that does not answer is taken for that.
pub(super) async fn is_terminating(cluster: &Cluster<ClusterIndex>, namespace: &str, ask: bool) -> bool {
    let known = &cluster.index.terminating;
    let Some(age) = known.age(namespace, Instant::now()) else { return false };
    if age < ASKED_EACH || !ask {
        return true;
    }
    let namespaces = Api::<Namespace>::all(cluster.client.clone());
    let Ok(Ok(found)) = ask_in_time(cluster, namespaces.get_metadata_opt(namespace)).await else { return true };
    if found.as_ref().is_some_and(|found| found.metadata.deletion_timestamp.is_some()) {
        known.heard(namespace, Instant::now());
        return true;
    }
    if found.is_none() {
        cluster.index.objects.forget_namespace(namespace);
    }
    known.forget(namespace);
    false
}

/// Asks the API server itself. What was awaited is taken into the index, where no watch may have brought it yet; an
/// instance is only told of, because a watch may have seen it go in the meantime, and nothing would take it out again.
pub(super) async fn look_up(
    cluster: &Cluster<ClusterIndex>,
    identity: &Identity,
    supervisor: &str,
    awaited: &BTreeSet<(Kind, String)>,
) -> Result<Option<Vmi>, Fault> {
    let imports = awaited.iter().any(|(kind, _)| *kind == Kind::DataVolume);
    let by = format!("= {supervisor}");
    let asked = list(&cluster.client, &identity.vm.namespace, &identity.uid, &by, imports);
    let listed = ask_in_time(cluster, asked).await.map_err(Unanswered::from).and_then(|listed| Ok(listed?));
    let (claims, imports, vms, vmis) =
        listed.map_err(|source| Fault::Cluster { cluster: cluster.name.clone(), source })?;
    let ours = |owner: Option<String>, kind, key: ObjectKey| {
        let asked_for = owner.is_some_and(|owner| owner == identity.uid) && key.namespace == identity.vm.namespace;
        asked_for && awaited.contains(&(kind, key.name))
    };
    for claim in claims.iter().filter(|claim| ours(owner_of(*claim), Kind::Claim, key_of(*claim))) {
        cluster.index.objects.take_in(claim, Record::Claim(Box::new(read_claim(claim))));
    }
    for import in imports.iter().filter(|import| ours(owner_of(*import), Kind::DataVolume, key_of(*import))) {
        cluster.index.objects.take_in(import, Record::DataVolume(Box::new(read_data_volume(import))));
    }
    for vm in vms.iter().filter(|vm| ours(owner_of(*vm), Kind::Vm, key_of(*vm))) {
        cluster.index.objects.take_in(vm, Record::Vm(Box::new(read_vm(vm))));
    }
    Ok(vmis.iter().find(|vmi| vmi.name_any() == identity.vm.name).map(read_vmi))
}

/// What carries the UID of the earlier self, which is gone. Of other supervisors' objects, which it may have been on, no watch tells.
pub(super) async fn find_earlier(
    cluster: &Cluster<ClusterIndex>,
    identity: &Identity,
    uid: &str,
) -> Result<BTreeSet<(Kind, String)>, Fault> {
    let mut found = cluster.index.objects.beside(uid, &identity.vm.namespace);
    // Nothing carries what cannot be the value of a label, and a selector of it is refused.
    let is_label = uid.len() <= 63 && uid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_label && !identity.lost.is_empty() {
        let imports = !matches!(cluster.index.cdi.known(), Served::Missing | Served::Refused(_));
        let by = format!("in ({})", identity.lost.join(","));
        let asked = list(&cluster.client, &identity.vm.namespace, uid, &by, imports);
        let listed = ask_in_time(cluster, asked).await.map_err(Unanswered::from).and_then(|listed| Ok(listed?));
        let (claims, imports, vms, vmis) =
            listed.map_err(|source| Fault::Cluster { cluster: cluster.name.clone(), source })?;
        found.extend(claims.iter().map(|claim| (Kind::Claim, claim.name_any())));
        found.extend(imports.iter().map(|import| (Kind::DataVolume, import.name_any())));
        found.extend(vms.iter().chain(&vmis).map(|vm| (Kind::Vm, vm.name_any())));
    }
    Ok(found)
}

type Listed = (Vec<RemoteObject>, Vec<RemoteObject>, Vec<RemoteObject>, Vec<RemoteObject>);

async fn list(client: &Client, namespace: &str, uid: &str, by: &str, imports: bool) -> Result<Listed, kube::Error> {
    let ours = ListParams::default().labels(&format!("{MACHINE_UID}={uid},{SUPERVISOR} {by}"));
    let listed = async |kind: ApiResource| {
        let api = Api::<RemoteObject>::namespaced_with(client.clone(), namespace, &kind);
        Ok::<_, kube::Error>(api.list(&ours).await?.items)
    };
    let claims = listed(claims()).await?;
    let imports = if imports { listed(data_volumes()).await? } else { Vec::new() };
    let vms = listed(resource_of("VirtualMachine")).await?;
    Ok((claims, imports, vms, listed(resource_of("VirtualMachineInstance")).await?))
}
