//! One watch of the platform baseline: follows one [`Subject`] on a cluster, and tells all that it knows of it each time. I/O: the
//! cluster. What may not be asked is told as not known, and asked again later.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::WatchStreamExt;
use kube::{Api, Client, Resource, ResourceExt};
use model::names::ClusterName;
use model::platform::fit::Crd;
use model::platform::snapshot::{Known, Live};
use runtime::clusters::{DEADLINE, code, explain};
use runtime::listing::watching;
use runtime::pause::{APART, Tries};
use runtime::watcher::{self, Event, watcher};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::crds::Crds;
use super::facts::{News, Subject};
use super::failing::{Failing, STALE};
use super::read::{Conditions, Gives, Weigh, is_updating, metadata, node, root};
use crate::offer::listing::{LATER, Records, is_refused, wait};
use crate::remote_object::{Named, RemoteObject};

/// What is not served is asked for again this soon: its CRD is there, or was a moment ago.
const SOON: Duration = Duration::from_secs(5);

/// Where watches tell.
pub(super) type Tell = mpsc::Sender<(Subject, News)>;

/// Follows one subject for ever.
#[derive(Clone)]
pub(super) struct Follower {
    pub(super) client: Client,
    pub(super) cluster: ClusterName,
    pub(super) subject: Subject,
    /// How its objects are addressed.
    pub(super) kind: ApiResource,
    pub(super) crds: Arc<Crds>,
    pub(super) tell: Tell,
}

impl Follower {
    /// Tells until nobody listens.
    pub(super) async fn follow(self) {
        let one = |name: &str| watching().fields(&format!("metadata.name={name}")).metadata();
        let all = Api::<Named>::all_with(self.client.clone(), &self.kind);
        let within = |namespace: &Option<String>| match namespace {
            Some(namespace) => Api::<Named>::namespaced_with(self.client.clone(), namespace, &self.kind),
            None => all.clone(),
        };
        match &self.subject {
            Subject::Crd(name) => self.crd(name, one(name)).await,
            Subject::Namespace(name) => {
                let read = |known: Known<Vec<Value>>| News::There(known.map(|all| !all.is_empty()));
                self.each(&all, one(name), |_: &Named| Value::Null, read).await;
            }
            Subject::Object(key) => {
                let live = |all: Vec<Value>| all.into_iter().next().map_or(Live::Absent, Live::Metadata);
                let read = |known: Known<Vec<Value>>| News::Object(known.map(live));
                self.each(&within(&key.namespace), one(&key.name), |it: &Named| metadata(&it.metadata), read).await;
            }
            Subject::Kind(_) => {
                let read = |known: Known<Vec<String>>| News::Names(known.map(|all| all.into_iter().collect()));
                self.each(&all, watching().metadata(), ResourceExt::name_any, read).await;
            }
            Subject::Roots(_) => {
                let api = Api::<RemoteObject>::all_with(self.client.clone(), &self.kind);
                self.each(&api, watching(), |it: &RemoteObject| root(it, &self.kind), News::Roots).await;
            }
            Subject::Nodes => {
                let api = Api::<RemoteObject<Gives>>::all_with(self.client.clone(), &self.kind);
                self.each(&api, watching(), node, |known| News::Nodes(known.map(|all| all.into_iter().collect())))
                    .await;
            }
            Subject::Pools => {
                let api = Api::<RemoteObject<Conditions>>::all_with(self.client.clone(), &self.kind);
                let any = |known: Known<Vec<bool>>| News::Updating(known.map(|all| all.contains(&true)));
                self.each(&api, watching(), is_updating, any).await;
            }
        }
    }

    /// Tells what `say` makes of all that are there, each time that this is something else.
    async fn each<K, T>(
        &self,
        api: &Api<K>,
        selected: watcher::Config,
        read: impl Fn(&K) -> T,
        say: impl Fn(Known<Vec<T>>) -> News,
    ) where
        K: Resource + Clone + DeserializeOwned + Send + 'static,
        T: Clone + PartialEq + Weigh,
    {
        let asked = format!("list and watch {}", api.resource_url());
        let mut told = None;
        loop {
            let mut events = watcher(api.clone(), selected.clone()).backoff(Tries::default()).boxed();
            let mut records =
                Records::<String, T>::weighing(|(name, kept)| name.len() + kept.as_ref().map_or(0, Weigh::bytes));
            let mut failing = Failing::default();
            let refused = loop {
                let news = match events.next().await {
                    // Most of what is said of a node is that it lives.
                    Some(Ok(Event::Apply(object)))
                        if records.listed && records.all.get(&name_of(&object)) == Some(&read(&object)) =>
                    {
                        continue;
                    }
                    Some(Ok(event)) => match records.take(&event, |object| (name_of(object), Some(read(object)))) {
                        Ok(true) => say(Ok(records.all.values().cloned().collect())),
                        Ok(false) => continue,
                        Err(why) => break (why, LATER),
                    },
                    Some(Err(why)) if is_refused(&why) => {
                        break (refused(&why, &asked), if code(&why) == Some(404) { SOON } else { LATER });
                    }
                    // A watch that merely broke mends itself. One that fails for long knows nothing any more, and begins anew.
                    Some(Err(why)) => match failing.since(Instant::now()) {
                        long if long > STALE => break (explain(&why, &asked), APART),
                        _ => continue,
                    },
                    None => return,
                };
                if !self.say(&mut told, news).await {
                    return;
                }
            };
            let (why, pause) = refused;
            if !self.say(&mut told, say(Err(why))).await {
                return;
            }
            wait(pause, &self.cluster).await;
        }
    }

    /// Whether somebody listens.
    async fn say(&self, told: &mut Option<News>, news: News) -> bool {
        if told.as_ref() == Some(&news) {
            return true;
        }
        *told = Some(news.clone());
        self.tell.send((self.subject.clone(), news)).await.is_ok()
    }

    /// A CRD is read once for each version of it: all of one may be a megabyte.
    async fn crd(&self, name: &str, selected: watcher::Config) {
        let (seen, mut versions) = mpsc::channel(1);
        let listening = Follower { tell: seen, ..self.clone() };
        let api = Api::<Named>::all_with(self.client.clone(), &self.kind);
        let version = |it: &Named| json!([it.metadata.uid, it.metadata.generation]);
        let watching = listening.each(&api, selected, version, |known: Known<Vec<Value>>| match known {
            Ok(all) => News::Object(Ok(all.into_iter().next().map_or(Live::Absent, Live::Metadata))),
            Err(why) => News::Object(Err(why)),
        });
        let reading = async {
            let mut next = versions.recv().await;
            while let Some((_, news)) = &next {
                let known = match news {
                    News::Object(Ok(Live::Absent)) => Ok(None),
                    News::Object(Err(why)) => Err(why.clone()),
                    _ => self.read_crd(name).await,
                };
                // A right that is granted changes nothing of the CRD.
                let again = known.is_err();
                if self.tell.send((self.subject.clone(), News::Crd(known))).await.is_err() {
                    return;
                }
                tokio::select! {
                    news = versions.recv() => next = news,
                    () = wait(LATER, &self.cluster), if again => {}
                }
            }
        };
        futures::join!(watching, reading);
    }

    /// Asks until there is an answer.
    async fn read_crd(&self, name: &str) -> Known<Option<Arc<Crd>>> {
        let api = Api::<DynamicObject>::all_with(self.client.clone(), &self.kind);
        loop {
            match tokio::time::timeout(DEADLINE, api.get_opt(name)).await {
                Ok(Ok(None)) => return Ok(None),
                Ok(Ok(Some(crd))) => {
                    let read = Crd::of(&crd.data).ok_or_else(|| format!("the CRD {name} cannot be read"));
                    return read.map(|crd| Some(self.crds.one(name, crd)));
                }
                Ok(Err(why)) if code(&why) == Some(403) => return Err(refused(&why, "get CustomResourceDefinitions")),
                Ok(Err(_)) | Err(_) => tokio::time::sleep(SOON).await,
            }
        }
    }
}

/// How what is known of a kind is addressed, whatever the cluster serves.
pub(super) fn own_kind(subject: &Subject) -> Option<ApiResource> {
    match subject {
        Subject::Crd(_) => Some(ApiResource::erase::<CustomResourceDefinition>(&())),
        Subject::Namespace(_) => Some(ApiResource::erase::<v1::Namespace>(&())),
        Subject::Nodes => Some(ApiResource::erase::<v1::Node>(&())),
        Subject::Roots(_) | Subject::Object(_) | Subject::Kind(_) | Subject::Pools => None,
    }
}

/// Why something is not known.
fn refused(why: &(dyn std::error::Error + 'static), asked: &str) -> String {
    let says = explain(why, asked);
    match code(why) {
        Some(403) => format!("{says}: grant it with platform.enabled of the chart's mode remote"),
        _ => says,
    }
}

fn name_of(object: &impl ResourceExt) -> String {
    format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any())
}
