//! What the controller watches on every cluster: its own VMs, instances and claims by label, and the StorageClasses' names.
//! I/O: four watches on the remote cluster. Any failure ends the session; the link starts another one. What the cluster
//! offers is followed beside them (`offer`) and ends nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt, select_all};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{ApiResource, DynamicObject};
use kube::core::{GroupVersionKind, PartialObjectMeta};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use model::machine::Kind;
use model::names::{ClusterName, MANAGED_BY, OPERATOR, SUPERVISOR};
use runtime::clusters::{Cluster, Session, said};
use tokio::sync::mpsc;

use crate::awaited::Awaited;
use crate::index::{self, Index, Key, Owner, Record, Watched, key_of, owner_of};
use crate::offer;

/// Watches one cluster, and tells of every Machine whose objects changed.
#[derive(Debug)]
pub struct Watches {
    /// UID of the supervisor's `kube-system`: other supervisors' objects are not looked at.
    pub supervisor: String,
    /// What was created and is not seen yet.
    pub awaited: Arc<Awaited>,
    /// Hears the UIDs of Machines to look at.
    pub touched: mpsc::UnboundedSender<Owner>,
    /// Hears of clusters that offer something else than before.
    pub offers: mpsc::UnboundedSender<ClusterName>,
}

/// The remote kinds without a Rust type.
pub fn resource(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("kubevirt.io", "v1", kind))
}

/// One event of one of the watches.
#[allow(clippy::large_enum_variant)] // reason: it lives for one step
enum Seen {
    Object(Watched, Event<(Key, Option<Owner>, Record)>),
    StorageClass(Event<String>),
}

type Stream = BoxStream<'static, Result<Seen, watcher::Error>>;

impl Session for Watches {
    type Index = Index;

    fn run(&self, cluster: Arc<Cluster<Index>>, synced: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, String> {
        let streams = self.streams(&cluster.client);
        let (touched, awaited, offers) = (self.touched.clone(), self.awaited.clone(), self.offers.clone());
        let following = offer::follow(cluster.clone(), offers);
        let watching = async move {
            let mut pending = streams.len();
            let mut synced = Some(synced);
            let mut merged = select_all(streams);
            let mut listed = [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()];
            while let Some(event) = merged.next().await {
                let done = match event {
                    Err(why) => return said(&why),
                    Ok(seen) => {
                        // Taken in before it stops being awaited: it is never in neither.
                        let shown = shown(&seen);
                        let done = take(&cluster.index, seen, &mut listed, &touched);
                        if let Some((kind, key)) = shown {
                            awaited.settled(&cluster.name, kind, &key);
                        }
                        done
                    }
                };
                pending -= usize::from(done && synced.is_some());
                if pending == 0
                    && let Some(synced) = synced.take()
                {
                    synced();
                }
            }
            "the watches ended".to_owned()
        };
        Box::pin(async move {
            tokio::select! {
                why = watching => why,
                () = following => "what the cluster offers is not followed any more".to_owned(),
            }
        })
    }
}

impl Watches {
    fn streams(&self, client: &Client) -> Vec<Stream> {
        let ours =
            watcher::Config::default().labels(&format!("{MANAGED_BY}={OPERATOR},{SUPERVISOR}={}", self.supervisor));
        let dynamic = |kind: &str, watched, read: fn(&DynamicObject) -> Record| {
            let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource(kind));
            watcher(api, ours.clone())
                .map(move |event| {
                    event.map(|event| {
                        Seen::Object(watched, each(event, |object| (key_of(&object), owner_of(&object), read(&object))))
                    })
                })
                .boxed()
        };
        let claims: Api<PersistentVolumeClaim> = Api::all(client.clone());
        let classes: Api<PartialObjectMeta<StorageClass>> = Api::all(client.clone());
        vec![
            dynamic("VirtualMachine", Watched::Vm, |object| Record::Vm(index::vm(object))),
            dynamic("VirtualMachineInstance", Watched::Vmi, |object| Record::Vmi(index::vmi(object))),
            watcher(claims, ours.clone())
                .map(|event| {
                    event.map(|event| {
                        Seen::Object(
                            Watched::Claim,
                            each(event, |claim| {
                                (key_of(&claim), owner_of(&claim), Record::Claim(index::claim(&claim)))
                            }),
                        )
                    })
                })
                .boxed(),
            watcher(classes, watcher::Config::default())
                .map(|event| event.map(|event| Seen::StorageClass(each(event, |class| class.name_any()))))
                .boxed(),
        ]
    }
}

fn each<K, T>(event: Event<K>, read: impl Fn(K) -> T) -> Event<T> {
    match event {
        Event::Apply(object) => Event::Apply(read(object)),
        Event::Delete(object) => Event::Delete(read(object)),
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(read(object)),
        Event::InitDone => Event::InitDone,
    }
}

/// The object that an event shows, be it there or gone, when its kind is one that we create.
fn shown(seen: &Seen) -> Option<(Kind, Key)> {
    let Seen::Object(watched, Event::Apply((key, ..)) | Event::InitApply((key, ..)) | Event::Delete((key, ..))) = seen
    else {
        return None;
    };
    match watched {
        Watched::Vm => Some((Kind::Vm, key.clone())),
        Watched::Claim => Some((Kind::Claim, key.clone())),
        Watched::Vmi => None,
    }
}

/// Takes one event into the index; true when it completes a list.
fn take(index: &Index, seen: Seen, listed: &mut [BTreeSet<Key>; 3], touched: &mpsc::UnboundedSender<Owner>) -> bool {
    let tell = |owner: Owner| {
        // The receiver lives as long as the process.
        let _ = touched.send(owner);
    };
    match seen {
        Seen::StorageClass(Event::Apply(name) | Event::InitApply(name)) => index.storage_class(name, true),
        Seen::StorageClass(Event::Delete(name)) => index.storage_class(name, false),
        Seen::StorageClass(Event::Init) => {}
        Seen::StorageClass(Event::InitDone) => return true,
        Seen::Object(watched, Event::Init) => listed[watched as usize].clear(),
        Seen::Object(watched, Event::InitDone) => {
            index.keep_only(watched, &listed[watched as usize]).into_iter().for_each(tell);
            return true;
        }
        Seen::Object(watched, Event::Delete((key, _, _))) => {
            index.remove(watched, &key).into_iter().for_each(tell);
        }
        Seen::Object(watched, event @ (Event::Apply(_) | Event::InitApply(_))) => {
            let initial = matches!(event, Event::InitApply(_));
            let (Event::Apply((key, owner, record)) | Event::InitApply((key, owner, record))) = event else {
                return false;
            };
            if initial {
                listed[watched as usize].insert(key.clone());
            }
            match owner {
                Some(owner) => {
                    index.put(key, owner.clone(), record);
                    tell(owner);
                }
                // Somebody took our labels off it: it is not ours any more.
                None => index.remove(watched, &key).into_iter().for_each(tell),
            }
        }
    }
    false
}
