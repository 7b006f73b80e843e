//! What the webhook watches on every cluster: the owners of VirtualMachines, and the names of StorageClasses. From metadata
//! alone, and none of it is kept but that. I/O: two watches on the remote cluster.
//!
//! A link that is not `Connected` is *silent*, never *empty*: what its index holds may be old, and the link says why. Whatever
//! ends a watch ends the session, also that the cluster has no VirtualMachines as a kind, or refuses to list them. So while a
//! session runs, its objects are at most 100 s old (`runtime::listing`).

use std::convert::Infallible;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use admission::world::Inventory;
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{ApiResource, DynamicObject};
use kube::core::{GroupVersionKind, PartialObjectMeta};
use kube::{Api, ResourceExt};
use model::machine::owner::{self, Owner, Ownership};
use model::names::{ClusterName, VmKey};
use rpds::HashTrieMapSync;
use runtime::clusters::{Cluster, Session, explain};
use runtime::listing::{Listing, Step, check_bytes, watching};
use runtime::watcher::{Event, watcher};
use tokio::sync::mpsc;

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

/// The longest `<namespace>/<name>` of a Machine.
const LONGEST: usize = 63 + 1 + 253;

/// One event of one of the two watches.
enum Seen {
    Vm(Event<PartialObjectMeta<DynamicObject>>),
    StorageClass(Event<PartialObjectMeta<StorageClass>>),
}

impl Session for Watches {
    type Index = Index;

    fn run(&self, cluster: Arc<Cluster<Index>>, synced: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, String> {
        let touched = self.touched.clone();
        Box::pin(async move {
            let Err(why) = follow(&cluster, synced, &touched).await;
            why
        })
    }
}

/// Keeps the index true until that fails.
async fn follow(
    cluster: &Cluster<Index>,
    synced: Box<dyn FnOnce() + Send>,
    touched: &mpsc::UnboundedSender<ClusterName>,
) -> Result<Infallible, String> {
    let vms: Api<PartialObjectMeta<DynamicObject>> = Api::all_with(cluster.client.clone(), &virtual_machines());
    let classes: Api<PartialObjectMeta<StorageClass>> = Api::all(cluster.client.clone());
    let list_vms = format!("list and watch {}", vms.resource_url());
    let list_classes = format!("list and watch {}", classes.resource_url());
    let mut events = stream::select(
        watcher(vms, watching().metadata()).map_ok(Seen::Vm).map_err(|why| explain(&why, &list_vms)).boxed(),
        watcher(classes, watching().metadata())
            .map_ok(Seen::StorageClass)
            .map_err(|why| explain(&why, &list_classes))
            .boxed(),
    );
    let (mut vms, mut classes) = (Listing::weighing(weigh_vm), Listing::weighing(weigh_class));
    let (mut of_vms, mut of_classes) = (0, 0);
    let (mut unlisted, mut synced) = (2_usize, Some(synced));
    while let Some(event) = events.next().await {
        let (listed, news) = match event? {
            Seen::Vm(event) => {
                let Some(step) = vms.take(&event, owned)? else { continue };
                cluster.index.change(|held| take(&mut held.vms, step, &mut of_vms, weigh_vm))?
            }
            Seen::StorageClass(event) => {
                let Some(step) = classes.take(&event, |class| (class.name_any(), ()))? else { continue };
                cluster.index.change(|held| take(&mut held.storage_classes, step, &mut of_classes, weigh_class))?
            }
        };
        unlisted = unlisted.saturating_sub(usize::from(listed));
        if news && synced.is_none() {
            // The receiver lives as long as the process.
            let _ = touched.send(cluster.name.clone());
        }
        if unlisted == 0
            && let Some(synced) = synced.take()
        {
            synced();
        }
    }
    Err("the watches ended".to_owned())
}

/// Whose a VM is. An offer that is too long for any Machine is cut where it still is.
fn owned(vm: &PartialObjectMeta<DynamicObject>) -> (VmKey, Ownership) {
    let key = VmKey { namespace: vm.namespace().unwrap_or_default(), name: vm.name_any() };
    let owned = owner::read(&vm.metadata);
    (key, Ownership { adopt_by: owned.adopt_by.map(|machine| machine.chars().take(LONGEST + 1).collect()), ..owned })
}

fn weigh_vm(vm: &(VmKey, Ownership)) -> usize {
    let (key, owned) = vm;
    let owner = match &owned.owner {
        Some(Owner::Machine { name, supervisor, uid }) => name.len() + supervisor.len() + uid.len(),
        Some(Owner::Controller(name)) => name.len(),
        None => 0,
    };
    size_of_val(vm) + key.namespace.len() + key.name.len() + owner + owned.adopt_by.as_ref().map_or(0, String::len)
}

fn weigh_class(class: &(String, ())) -> usize {
    size_of_val(class) + class.0.len()
}

/// Takes a step into what is held, of so many bytes: whether it was a list, and whether anything changed.
fn take<K: Eq + Hash + Clone, V: PartialEq + Clone>(
    held: &mut HashTrieMapSync<K, V>,
    step: Step<(K, V)>,
    bytes: &mut usize,
    weigh: fn(&(K, V)) -> usize,
) -> Result<(bool, bool), String> {
    let forget = |held: &HashTrieMapSync<K, V>, key: &K, bytes: &mut usize| {
        *bytes -= held.get_key_value(key).map_or(0, |(key, value)| weigh(&(key.clone(), value.clone())));
    };
    Ok(match step {
        Step::Listed(all) => {
            *bytes = all.iter().map(weigh).sum();
            *held = all.into_iter().collect();
            (true, true)
        }
        Step::Seen((key, value)) => {
            let news = held.get(&key) != Some(&value);
            if news {
                forget(held, &key, bytes);
                let object = (key, value);
                *bytes += weigh(&object);
                held.insert_mut(object.0, object.1);
                check_bytes(*bytes)?;
            }
            (false, news)
        }
        Step::Deleted((key, _)) => {
            forget(held, &key, bytes);
            (false, held.remove_mut(&key))
        }
    })
}

#[cfg(test)]
#[path = "link/tests.rs"]
mod tests;
