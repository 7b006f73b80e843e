//! Looks at what the watches do not show: a VM that is to be adopted, and the instance of one that was. I/O: that cluster.
//!
//! An instance gets its labels from its VM's template, which adoption does not touch: no watch of ours shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use kube::Api;
use kube::api::DynamicObject;
use model::machine::{Admitted, Found, Kind, Vm, Vmi, adoption};
use runtime::clusters::{Cluster, DEADLINE, said};

use super::{Context, Fault};
use crate::index::{self, Index, Objects};
use crate::session::resource;

/// A change of an instance shows in its VM at once, save the addresses that a guest takes later: those within this.
const LOOKED_FOR: Duration = Duration::from_secs(300);

/// The instances of adopted VMs, each as it was when its VM was last seen to change: an idle one costs one request in
/// [`LOOKED_FOR`].
#[derive(Debug, Default)]
pub struct Instances(Mutex<BTreeMap<String, Look>>);

#[derive(Clone, Debug)]
struct Look {
    /// `metadata.resourceVersion` of the VM.
    version: String,
    since: Instant,
    vmi: Option<Vmi>,
}

impl Instances {
    /// None when nobody has looked since the VM changed.
    fn known(&self, vm: &Vm) -> Option<Look> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let look = all.get(&vm.uid).filter(|look| look.version == vm.resource_version);
        look.filter(|look| look.since.elapsed() < LOOKED_FOR).cloned()
    }

    fn saw(&self, vm: &Vm, vmi: Option<Vmi>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, look| look.since.elapsed() < LOOKED_FOR);
        all.insert(vm.uid.clone(), Look { version: vm.resource_version.clone(), since: Instant::now(), vmi });
    }
}

/// Adds to what the watches show, and says what was found under the name that admission points at.
pub(super) async fn look(
    admitted: &Admitted,
    objects: &mut Objects,
    stored: &BTreeSet<(Kind, String)>,
    cluster: &Cluster<Index>,
    ctx: &Context,
) -> Result<Found, Fault> {
    let mut found = Found::Unasked;
    let identity = &admitted.identity;
    let awaited = admitted.adopt.iter().any(|name| stored.contains(&(Kind::Vm, name.clone())));
    if objects.vm.is_none() && !awaited {
        for name in &admitted.adopt {
            let vm = match get(cluster, "VirtualMachine", &identity.vm.namespace, name).await {
                Ok(vm) => vm,
                Err(why) => return Ok(Found::Unknown(why)),
            };
            let judged = vm
                .as_ref()
                .map_or(Found::Absent, |vm| adoption::found(&vm.metadata, identity, &ctx.supervisor, ctx.adoption));
            objects.vm = vm.filter(|_| judged == Found::Ours).map(|vm| index::vm(&vm));
            // A stranger's VM is in the way only under the name that ours would get.
            let in_the_way = *name == identity.vm.name || admitted.adopt.len() == 1;
            found = if matches!(judged, Found::Taken(_)) && !in_the_way { Found::Absent } else { judged };
            if found != Found::Absent {
                break;
            }
        }
    }
    if let (Some(vm), None) = (&objects.vm, &objects.vmi)
        && vm.adopted.is_some()
    {
        objects.vmi = if let Some(look) = ctx.instances.known(vm) {
            look.vmi
        } else {
            let vmi = get(cluster, "VirtualMachineInstance", &identity.vm.namespace, &vm.name).await;
            let vmi = vmi.map_err(|why| Fault::Cluster(cluster.name.to_string(), why))?;
            let vmi = vmi.filter(|vmi| controlled_by(vmi, &vm.uid)).map(|vmi| index::vmi(&vmi));
            ctx.instances.saw(vm, vmi.clone());
            vmi
        };
    }
    Ok(found)
}

fn controlled_by(object: &DynamicObject, uid: &str) -> bool {
    object.metadata.owner_references.iter().flatten().any(|owner| owner.controller == Some(true) && owner.uid == uid)
}

/// No answer is an error: unknown is never absent.
async fn get(
    cluster: &Cluster<Index>,
    kind: &str,
    namespace: &str,
    name: &str,
) -> Result<Option<DynamicObject>, String> {
    let fault = |why: &str| format!("{kind} {namespace}/{name} on {:?}: {why}", cluster.name.0);
    let api: Api<DynamicObject> = Api::namespaced_with(cluster.client.clone(), namespace, &resource(kind));
    let answer = tokio::time::timeout(DEADLINE, api.get_opt(name)).await.map_err(|_| {
        cluster.suspect.notify_one();
        fault("no answer")
    })?;
    answer.map_err(|why| fault(&said(&why)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_asked_for_when_its_vm_changed() {
        let instances = Instances::default();
        let vm = |version: &str| Vm { uid: "v-1".to_owned(), resource_version: version.to_owned(), ..Vm::default() };
        assert!(instances.known(&vm("1")).is_none());
        instances.saw(&vm("1"), None);
        let look = instances.known(&vm("1")).expect("nothing has changed since");
        assert_eq!(look.vmi, None, "there was none");
        assert!(instances.known(&vm("2")).is_none());
    }
}
