//! What a cluster offers, for the status of its KubevirtConfig: its KubeVirt, CDI, Multus (X45) and room (X68).
//! I/O: three watches on the cluster, and its list of API groups every ten minutes, with one look for a VolumeSnapshotClass.
//!
//! None of it is needed to make a Machine true, so none of it ends the connection: what may not be read stays unknown.

pub(crate) mod listing;
mod room;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::runtime::WatchStreamExt;
use kube::{Api, Client};
use model::api::config::Capacity;
use model::clusters::capacity::differs;
use model::clusters::facts::{CDI, KUBEVIRT, KubeVirt, MULTUS, SNAPSHOTS};
use model::clusters::status::Offered;
use model::names::ClusterName;
use model::text::line;
use runtime::clusters::{DEADLINE, code, explain};
use runtime::listing::watching;
use runtime::pause::Tries;
use runtime::watcher;
use serde_json::Value;

use self::listing::{LATER, Records, is_refused, wait};
use crate::objects::{ObjectKey, key_of, resource_of};

/// How long discovery waits after a failure.
const SOON: Duration = Duration::from_secs(60);
/// Versions of an API group that are kept, and bytes of each.
const MOST: usize = 16;
const LONGEST: usize = 64;

/// The newest knowledge of one cluster. Locked for moments only, never across an await.
#[derive(Debug, Default)]
pub struct Offer(Mutex<Offered>);

/// Something that was learnt of a cluster.
#[derive(Debug)]
pub enum Finding {
    /// The API groups that it serves, of those that matter, and the versions of KubeVirt's.
    Served(Vec<String>, Vec<String>),
    /// Whether it has a VolumeSnapshotClass.
    Snapshots(bool),
    /// Its KubeVirt, if there is one.
    KubeVirt(Option<KubeVirt>),
    /// Its room, unless we may not see its nodes and pods.
    Room(Option<Capacity>),
}

impl Offer {
    /// What is known now.
    pub fn known(&self) -> Offered {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes in something; whether it was news.
    pub fn learn(&self, finding: Finding) -> bool {
        let mut offered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = offered.clone();
        match finding {
            Finding::Served(groups, versions) => {
                (offered.learnt.groups, offered.learnt.versions) = (Some(groups), Some(versions));
            }
            Finding::Snapshots(there) => offered.learnt.snapshots = Some(there),
            Finding::KubeVirt(kubevirt) => offered.learnt.kubevirt = Some(kubevirt),
            Finding::Room(Some(room)) if matches!(&before.room, Some(known) if !differs(known.as_ref(), &room)) => {}
            Finding::Room(room) => offered.room = Some(room),
        }
        *offered != before
    }
}

/// Tells `learn` whatever is found out about a cluster, and never ends; `learn` says whether it was news.
pub(crate) async fn follow(client: Client, name: ClusterName, learn: impl Fn(Finding) -> bool + Send + Sync) {
    let learn_room = |room| learn(Finding::Room(room));
    futures::join!(
        follow_groups(&client, &name, &learn),
        follow_kubevirt(&client, &name, &learn),
        room::follow_room(&client, &name, &learn_room),
    );
}

async fn follow_groups(client: &Client, name: &ClusterName, learn: &impl Fn(Finding) -> bool) {
    loop {
        // What asks is kept no longer than it takes.
        let pause = if Box::pin(ask_groups(client, learn)).await { LATER } else { SOON };
        wait(pause, name).await;
    }
}

/// Whether there was an answer. The connection says by itself that a cluster is away.
async fn ask_groups(client: &Client, learn: &impl Fn(Finding) -> bool) -> bool {
    let Ok(Ok(list)) = tokio::time::timeout(DEADLINE, client.list_api_groups()).await else { return false };
    let kubevirt = list.groups.iter().find(|group| group.name == KUBEVIRT);
    let versions = kubevirt.into_iter().flat_map(|group| &group.versions).take(MOST);
    let mut versions: Vec<_> = versions.map(|served| line(&served.version, LONGEST)).collect();
    versions.sort_unstable();
    let names: Vec<_> = list.groups.into_iter().map(|group| group.name).collect();
    if let Some(there) = has_snapshots(client, &names).await {
        learn(Finding::Snapshots(there));
    }
    let names = names.into_iter().filter(|name| matches!(name.as_str(), CDI | MULTUS));
    learn(Finding::Served(names.collect(), versions));
    true
}

/// Whether there is a VolumeSnapshotClass; `None` if that could not be asked.
async fn has_snapshots(client: &Client, groups: &[String]) -> Option<bool> {
    if !groups.iter().any(|group| group == SNAPSHOTS) {
        return Some(false);
    }
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(SNAPSHOTS, "v1", "VolumeSnapshotClass"));
    let classes: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
    let first = ListParams::default().limit(1);
    match tokio::time::timeout(DEADLINE, classes.list_metadata(&first)).await {
        Ok(Ok(list)) => Some(!list.items.is_empty()),
        Ok(Err(why)) if code(&why) == Some(404) => Some(false),
        Ok(Err(_)) | Err(_) => None,
    }
}

async fn follow_kubevirt(client: &Client, name: &ClusterName, learn: &impl Fn(Finding) -> bool) {
    loop {
        let objects: Api<DynamicObject> = Api::all_with(client.clone(), &resource_of("KubeVirt"));
        let asked = format!("list and watch {}", objects.resource_url());
        let mut events = watcher(objects, watching()).backoff(Tries::default()).boxed();
        let mut records = Records::<ObjectKey, KubeVirt>::weighing(weigh);
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => match records.take(&event, |object| (key_of(object), Some(read_kubevirt(object)))) {
                    Ok(true) => drop(learn(Finding::KubeVirt(records.all.values().next().cloned()))),
                    Ok(false) => {}
                    Err(why) => {
                        tracing::warn!(kubevirtConfig = %name, reason = why, "the KubeVirt of the cluster is not known");
                        break;
                    }
                },
                Err(why) if is_refused(&why) => {
                    tracing::warn!(kubevirtConfig = %name, reason = explain(&why, &asked), "the KubeVirt of the cluster is not known");
                    if code(&why) == Some(404) {
                        learn(Finding::KubeVirt(None));
                    }
                    break;
                }
                Err(_) => {}
            }
        }
        wait(LATER, name).await;
    }
}

fn weigh((key, kubevirt): &(ObjectKey, Option<KubeVirt>)) -> usize {
    let words =
        kubevirt.iter().flat_map(|it| it.version.iter().chain(&it.emulated_machines)).map(|word| word.len() + 24);
    size_of_val(key) + size_of_val(kubevirt) + key.bytes() + words.sum::<usize>()
}

fn read_kubevirt(object: &DynamicObject) -> KubeVirt {
    let part = |name: &str| object.data.get(name).cloned().unwrap_or(Value::Null);
    let spec = serde_json::from_value(part("spec")).unwrap_or_default();
    KubeVirt::of(&spec, serde_json::from_value(part("status")).ok().as_ref())
}
