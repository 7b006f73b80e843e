//! What the webhook watches on every cluster: the owners of VirtualMachines, and the names of StorageClasses. From metadata
//! alone, and none of it is kept but that. I/O: two watches on the remote cluster (`link/watch`).
//!
//! A link that is not `Connected` is *silent*, never *empty*: what its index holds may be old, and the link says why. Whatever
//! ends a watch ends the session, also that the cluster has no VirtualMachines as a kind, or refuses to list them.

pub mod watch;

use std::sync::{Arc, Mutex, PoisonError};

use admission::world::Inventory;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{ApiResource, DynamicObject};
use kube::core::{GroupVersionKind, PartialObjectMeta};
use kube::{Api, Client, ResourceExt};
use model::machine::owner::{self, Ownership};
use model::names::{ClusterName, VmKey};
use runtime::clusters::{Cluster, Session};
use tokio::sync::mpsc;

use self::watch::{Seen, watch};

/// What a link holds of its cluster. It is read by cloning a few reference counts.
#[derive(Debug, Default)]
pub struct Index(Mutex<Inventory>);

impl Index {
    /// What is held now; `silent` is not set here.
    pub fn view(&self) -> Inventory {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change<T>(&self, change: impl FnOnce(&mut Inventory) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Keeps the index of a cluster true.
#[derive(Debug)]
pub struct Watches {
    /// Hears the name of a cluster whose index changed.
    pub touched: mpsc::UnboundedSender<ClusterName>,
}

/// The kind VirtualMachine, for which there is no Rust type.
pub fn virtual_machines() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("kubevirt.io", "v1", "VirtualMachine"))
}

/// One step of one of the two watches.
enum Step {
    Vm(Seen<(VmKey, Ownership)>),
    StorageClass(Seen<String>),
}

impl Session for Watches {
    type Index = Index;

    fn run(&self, cluster: Arc<Cluster<Index>>, synced: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, String> {
        let touched = self.touched.clone();
        Box::pin(async move {
            let mut merged = stream::select(vms_of(&cluster.client), storage_classes_of(&cluster.client));
            let mut fresh = Inventory::default();
            let (mut pending, mut synced) = (2, Some(synced));
            while let Some(step) = merged.next().await {
                let step = match step {
                    Ok(step) => step,
                    Err(why) => return why,
                };
                if matches!(step, Step::Vm(Seen::Listed) | Step::StorageClass(Seen::Listed)) && pending > 0 {
                    pending -= 1;
                }
                let news = cluster.index.change(|link| take(link, &mut fresh, step));
                if news && synced.is_none() {
                    // The receiver lives as long as the process.
                    let _ = touched.send(cluster.name.clone());
                }
                if pending == 0
                    && let Some(synced) = synced.take()
                {
                    synced();
                }
            }
            "the watches ended".to_owned()
        })
    }
}

fn vms_of(client: &Client) -> BoxStream<'static, Result<Step, String>> {
    let api: Api<PartialObjectMeta<DynamicObject>> = Api::all_with(client.clone(), &virtual_machines());
    let read = |vm: PartialObjectMeta<DynamicObject>| {
        let key = VmKey { namespace: vm.namespace().unwrap_or_default(), name: vm.name_any() };
        (key, owner::read(&vm.metadata))
    };
    watch(api, read).map(|seen| seen.map(Step::Vm)).boxed()
}

fn storage_classes_of(client: &Client) -> BoxStream<'static, Result<Step, String>> {
    let api: Api<PartialObjectMeta<StorageClass>> = Api::all(client.clone());
    watch(api, |class| class.name_any()).map(|seen| seen.map(Step::StorageClass)).boxed()
}

/// Takes one step into what is held; whether that changed. A list is collected beside it and takes over as a whole.
fn take(link: &mut Inventory, fresh: &mut Inventory, step: Step) -> bool {
    match step {
        Step::Vm(Seen::Listing) => fresh.vms = Inventory::default().vms,
        Step::Vm(Seen::Item((key, vm))) => fresh.vms.insert_mut(key, vm),
        Step::Vm(Seen::Listed) => {
            link.vms = std::mem::take(&mut fresh.vms);
            return true;
        }
        Step::Vm(Seen::Changed((key, vm))) => {
            let news = link.vms.get(&key) != Some(&vm);
            if news {
                link.vms.insert_mut(key, vm);
            }
            return news;
        }
        Step::Vm(Seen::Deleted((key, _))) => return link.vms.remove_mut(&key),
        Step::StorageClass(Seen::Listing) => fresh.storage_classes = Inventory::default().storage_classes,
        Step::StorageClass(Seen::Item(name)) => fresh.storage_classes.insert_mut(name, ()),
        Step::StorageClass(Seen::Listed) => {
            link.storage_classes = std::mem::take(&mut fresh.storage_classes);
            return true;
        }
        Step::StorageClass(Seen::Changed(name)) => {
            let news = link.storage_classes.get(&name).is_none();
            if news {
                link.storage_classes.insert_mut(name, ());
            }
            return news;
        }
        Step::StorageClass(Seen::Deleted(name)) => return link.storage_classes.remove_mut(&name),
    }
    false
}

#[cfg(test)]
#[path = "link/tests.rs"]
mod tests;
