//! What the controller watches on every cluster: its own VMs, instances and claims by label, the StorageClasses, and the names of
//! NetworkAttachmentDefinitions.
//! I/O: five watches on the remote cluster. Any failure ends the session; the link starts another one. What the cluster
//! offers is followed beside them (`offer`), and so is CDI (`imports`): neither ends anything.

use std::fmt::Debug;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt, select_all};
use k8s_openapi::api::storage::v1;
use kube::api::{ApiResource, DynamicObject};
use kube::{Api, Client, Resource, ResourceExt};
use model::machine::StorageClass;
use model::names::{ClusterName, MANAGED_BY, OPERATOR, SUPERVISOR};
use runtime::client::MayWrite;
use runtime::clusters::{Cluster, Session, explain};
use runtime::listing::{Listing, Step, check_bytes, watching};
use runtime::watcher::{self, watcher};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use crate::attachments::{self, AttachmentIndex, Heard};
use crate::awaited::Awaited;
use crate::disks::{claims, read_claim, read_storage_class};
use crate::imports::{Cdi, Kept};
use crate::index::{ObjectIndex, weigh};
use crate::lead::Lead;
use crate::metrics::Metrics;
use crate::objects::{MachineUid, ObjectKey, Record, WatchedKind, key_of, owner_of, read_vm, read_vmi, resource_of};
use crate::offer::{self, Offer};
use crate::platform::{self, Platform};
use crate::remote_object::RemoteObject;
use crate::terminating::Refusals;

/// Watches one cluster, and tells of every Machine whose objects changed.
#[derive(Debug)]
pub struct Watches {
    /// UID of the supervisor's `kube-system`: other supervisors' objects are not looked at.
    pub supervisor: String,
    /// What was created and is not seen yet.
    pub awaited: Arc<Awaited>,
    /// Hears the UIDs of Machines to look at.
    pub touched: mpsc::UnboundedSender<MachineUid>,
    /// Hears of clusters that offer something else than before.
    pub offers: mpsc::UnboundedSender<ClusterName>,
    /// Nothing is written while this process does not lead.
    pub lead: Lead,
    /// What is counted.
    pub metrics: Metrics,
    /// How the clusters should be.
    pub platform: Arc<Platform>,
}

/// What is kept of one cluster.
#[derive(Debug, Default)]
pub struct ClusterIndex {
    /// Our objects there.
    pub objects: ObjectIndex,
    /// Its networks.
    pub attachments: AttachmentIndex,
    /// What it offers beside them.
    pub offer: Offer,
    /// Whether it has CDI.
    pub cdi: Cdi,
    /// Its namespaces that are being deleted, as far as one of them refused something.
    pub terminating: Refusals,
    /// Its platform baseline.
    pub platform: Arc<platform::Slot>,
}

/// One step of one of the watches.
#[allow(clippy::large_enum_variant)] // reason: it lives for one step
enum WatchStep {
    Object(WatchedKind, Step<Kept>),
    StorageClass(Step<(String, StorageClass)>),
    /// Whether there are DataVolumes was answered.
    Cdi,
    /// Whether it is the first answer about them.
    Attachments(Heard, bool),
}

type Stream = BoxStream<'static, Result<WatchStep, String>>;

impl Session for Watches {
    type Index = ClusterIndex;

    fn may_write(&self) -> MayWrite {
        self.lead.may_write()
    }

    fn tried(&self, connected: bool) {
        self.metrics.connection_tried(connected);
    }

    fn run(&self, cluster: Arc<Cluster<ClusterIndex>>, synced: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, String> {
        let watched = self.awaited.watched(&cluster.name, cluster.number);
        let mut streams = self.streams(&cluster.client);
        let heard = attachments::watch(&cluster.client, &self.supervisor, &cluster.index.attachments);
        let heard = heard.enumerate().map(|(at, heard)| Ok(WatchStep::Attachments(heard?, at == 0)));
        streams.push(heard.boxed());
        let (asked, to_fill) = (cluster.clone(), cluster.clone());
        // A disk that CDI fills must not be taken for one that is not there.
        let answered = async move {
            asked.index.cdi.answered().await;
            Ok(WatchStep::Cdi)
        };
        streams.push(stream::once(answered).boxed());
        let (seen, tell, selected) = (self.awaited.clone(), self.touched.clone(), self.selected());
        let filling = async move {
            let take =
                |step| take_in(&to_fill, WatchStep::Object(WatchedKind::DataVolume, step), &seen, &tell).map(drop);
            to_fill.index.cdi.follow(to_fill.client.clone(), &to_fill.name, selected, take).await;
        };
        let (touched, awaited, offers) = (self.touched.clone(), self.awaited.clone(), self.offers.clone());
        let learning = cluster.clone();
        let following = offer::follow(cluster.client.clone(), cluster.name.clone(), move |finding| {
            let news = learning.index.offer.learn(finding);
            if news {
                // The receiver lives as long as the process.
                let _ = offers.send(learning.name.clone());
            }
            news
        });
        let site = platform::Site {
            name: cluster.name.clone(),
            client: cluster.client.clone(),
            state: cluster.state.subscribe(),
            slot: cluster.index.platform.clone(),
        };
        let (baseline, tell) = (cluster.name.clone(), self.offers.clone());
        let keeping = platform::follow(site, self.platform.clone(), move || {
            // The receiver lives as long as the process.
            let _ = tell.send(baseline.clone());
        });
        let watching = async move {
            let mut pending = streams.len();
            let mut synced = Some(synced);
            let mut merged = select_all(streams);
            while let Some(step) = merged.next().await {
                let done = match step.and_then(|step| take_in(&cluster, step, &awaited, &touched)) {
                    Err(why) => return why,
                    Ok(done) => done,
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
            let _ends_with_the_session = watched;
            tokio::select! {
                why = watching => why,
                () = following => "what the cluster offers is not followed any more".to_owned(),
                () = keeping => "the platform of the cluster is not kept any more".to_owned(),
                () = filling => "the DataVolumes of the cluster are not followed any more".to_owned(),
            }
        })
    }
}

impl Watches {
    /// Objects of ours.
    fn selected(&self) -> watcher::Config {
        watching().labels(&format!("{MANAGED_BY}={OPERATOR},{SUPERVISOR}={}", self.supervisor))
    }

    fn streams(&self, client: &Client) -> Vec<Stream> {
        let ours = self.selected();
        let ours_of = |kind: &ApiResource, watched, read: fn(&RemoteObject) -> Record| {
            let api: Api<RemoteObject> = Api::all_with(client.clone(), kind);
            let read = move |object: &RemoteObject| (key_of(object), owner_of(object), read(object));
            steps(api, ours.clone(), read, weigh_object, move |step| WatchStep::Object(watched, step))
        };
        let classes: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::erase::<v1::StorageClass>(&()));
        vec![
            ours_of(&resource_of("VirtualMachine"), WatchedKind::Vm, |vm| Record::Vm(Box::new(read_vm(vm)))),
            ours_of(&resource_of("VirtualMachineInstance"), WatchedKind::Vmi, |vmi| {
                Record::Vmi(Box::new(read_vmi(vmi)))
            }),
            ours_of(&claims(), WatchedKind::Claim, |claim| Record::Claim(Box::new(read_claim(claim)))),
            steps(
                classes,
                watching(),
                |class: &DynamicObject| (class.name_any(), read_storage_class(class)),
                |kept| size_of_val(kept) + kept.0.len(),
                WatchStep::StorageClass,
            ),
        ]
    }
}

fn weigh_object((key, owner, record): &Kept) -> usize {
    weigh(key, owner.as_deref().unwrap_or_default(), record)
}

/// A watch, of what is kept of its objects. It ends with its first error.
fn steps<K, T>(
    api: Api<K>,
    selected: watcher::Config,
    read: impl Fn(&K) -> T + Send + 'static,
    weigh: fn(&T) -> usize,
    wrap: impl Fn(Step<T>) -> WatchStep + Send + 'static,
) -> Stream
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    T: Send + 'static,
{
    let mut listing = Listing::weighing(weigh);
    let asked = format!("list and watch {}", api.resource_url());
    let taken = watcher(api, selected).map(move |event| {
        let step = listing.take(&event.map_err(|why| explain(&why, &asked))?, &read)?;
        Ok(step.map(&wrap))
    });
    taken.try_filter_map(async |step| Ok(step)).boxed()
}

/// Takes one step into the index; true when it completes a list. What it shows, there or gone, is not awaited any more once it
/// is in the index: a created object is always in at least one of them.
fn take_in(
    cluster: &Cluster<ClusterIndex>,
    step: WatchStep,
    awaited: &Awaited,
    touched: &mpsc::UnboundedSender<MachineUid>,
) -> Result<bool, String> {
    let index = &cluster.index.objects;
    let tell = |owner: MachineUid| {
        // The receiver lives as long as the process.
        let _ = touched.send(owner);
    };
    let settle = |watched: WatchedKind, key: &ObjectKey| {
        if let Some(kind) = watched.written() {
            awaited.settled(&cluster.name, cluster.number, kind, key);
        }
    };
    // An instance of a VM that was taken over tells by its labels of nobody.
    let run_by = |watched: WatchedKind, key: &ObjectKey, owner: Option<&MachineUid>| {
        let vm = (watched == WatchedKind::Vmi).then(|| index.owner_of_vm(key)).flatten();
        vm.filter(|vm| Some(vm) != owner)
    };
    let take = |watched, (key, owner, record): Kept| {
        let vm = run_by(watched, &key, owner.as_ref());
        match owner {
            Some(owner) => {
                index.put(key.clone(), owner.clone(), record);
                tell(owner);
            }
            // Somebody took our labels off it: it is not ours any more.
            None => index.remove(watched, &key).into_iter().for_each(tell),
        }
        vm.into_iter().for_each(tell);
        settle(watched, &key);
    };
    match step {
        WatchStep::Cdi => return Ok(true),
        WatchStep::StorageClass(Step::Listed(all)) => {
            index.keep_storage_classes(all);
            return Ok(true);
        }
        WatchStep::StorageClass(Step::Seen((name, class))) => index.saw_storage_class(name, class),
        WatchStep::StorageClass(Step::Deleted((name, _))) => index.forget_storage_class(&name),
        WatchStep::Attachments(heard, first) => {
            let missed = !first && !cluster.index.attachments.are_listed();
            let gone = cluster.index.attachments.take(heard)?;
            gone.iter().flat_map(|key| index.users(key)).for_each(&tell);
            // Multus has come: whoever waits for it need not wait for his next try.
            if missed && cluster.index.attachments.are_listed() {
                index.owners().into_iter().for_each(tell);
            }
            return Ok(first);
        }
        WatchStep::Object(watched, Step::Listed(all)) => {
            let listed = all.iter().map(|(key, ..)| key.clone()).collect();
            index.keep_only(watched, &listed).into_iter().for_each(tell);
            for object in all {
                take(watched, object);
                check_bytes(index.bytes())?;
            }
            return Ok(true);
        }
        WatchStep::Object(watched, Step::Seen(object)) => {
            take(watched, object);
            check_bytes(index.bytes())?;
        }
        WatchStep::Object(watched, Step::Deleted((key, ..))) => {
            let owner = index.remove(watched, &key);
            run_by(watched, &key, owner.as_ref()).into_iter().chain(owner).for_each(tell);
            settle(watched, &key);
        }
    }
    Ok(false)
}
