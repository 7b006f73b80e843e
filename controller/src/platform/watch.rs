//! The watches of the platform baseline: each follows one [`Subject`] on a cluster, and tells all that it knows of it each time. I/O:
//! the cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject};
use kube::{Api, Client, Resource, ResourceExt};
use model::names::ClusterName;
use model::platform::fit::Crd;
use model::platform::snapshot::Known;
use model::platform::state::Key;
use runtime::clusters::{DEADLINE, code};
use runtime::listing::{Step, watching};
use runtime::pause::spread;
use runtime::watcher::Config;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::crds::{Crds, Unread};
use super::facts::{News, Subject};
use super::hearing::{Hearing, SOON, name_of, refused};
use super::read::{Conditions, Gives, Packed, Weigh, is_updating, metadata, node, root};
use crate::offer::listing::{LATER, Record, Records};
use crate::remote_object::{Named, RemoteObject};

/// CRDs in a page of a list. The metadata of each may hold all of it once more, as what `kubectl apply` did last.
const CRDS: u32 = 20;

/// Where watches tell.
pub(super) type Tell = mpsc::Sender<(Subject, News)>;

/// Follows one subject for ever.
pub(super) struct Follower {
    pub(super) client: Client,
    pub(super) cluster: ClusterName,
    pub(super) subject: Subject,
    /// What is told of by the same watch.
    pub(super) with: Vec<Subject>,
    /// How its objects are addressed.
    pub(super) kind: ApiResource,
    pub(super) crds: Arc<Crds>,
    pub(super) tell: Tell,
}

impl Follower {
    /// Tells until nobody listens. Each kind of subject in a box of its own: there are many, and the largest would be the size of all.
    pub(super) fn follow(self) -> BoxFuture<'static, ()> {
        match self.subject.clone() {
            Subject::Crd(_) => self.crds().boxed(),
            Subject::Namespace(name) => {
                let all = self.all::<Named>();
                self.one(all, one(&name), |_| (), |known| News::There(known.map(|it| it.is_some()))).boxed()
            }
            Subject::Object(key) => {
                let api = match &key.namespace {
                    Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &self.kind),
                    None => self.all(),
                };
                self.one(api, one(&key.name), |it: &Named| Packed::of(&metadata(&it.metadata)), News::Object).boxed()
            }
            Subject::Kind(_) => self.kind().boxed(),
            Subject::Roots(_) => {
                let kind = self.kind.clone();
                let read = move |it: &RemoteObject| Packed::of(&root(it, &kind));
                self.each(watching(), read, |known| News::Roots(known.map(|all| all.values().cloned().collect())))
                    .boxed()
            }
            Subject::Nodes => {
                let read = |it: &RemoteObject<Gives>| Arc::new(node(it));
                self.each(watching(), read, |known| News::Nodes(known.map(|all| all.values().cloned().collect())))
                    .boxed()
            }
            Subject::Pools => {
                let read = |it: &RemoteObject<Conditions>| is_updating(it);
                let any = |all: &BTreeMap<String, bool>| all.values().any(|updating| *updating);
                self.each(watching(), read, move |known| News::Updating(known.map(any))).boxed()
            }
        }
    }

    fn all<K: Resource<DynamicType = ApiResource>>(&self) -> Api<K> {
        Api::all_with(self.client.clone(), &self.kind)
    }

    /// Tells of one object, by its name: what `read` makes of its metadata, if it is there.
    fn one<T>(
        self,
        api: Api<Named>,
        selected: Config,
        read: impl Fn(&Named) -> T + Send + Sync,
        say: impl Fn(Known<Option<T>>) -> News + Send,
    ) -> impl Future<Output = ()> + Send
    where
        T: Send,
    {
        // The rest is not kept: there are many of these.
        let Self { cluster, subject, tell, .. } = self;
        let mut hearing = Hearing::new(api, selected, cluster, |_| 0);
        async move {
            loop {
                let known = hearing.next(|it| Some(read(it))).await.map(only);
                if tell.send((subject.clone(), say(known))).await.is_err() {
                    return;
                }
            }
        }
    }

    /// Tells what `say` makes of all that are there, each time that one of them is something else.
    async fn each<K, T>(
        self,
        selected: Config,
        read: impl Fn(&K) -> T,
        say: impl Fn(Known<&BTreeMap<String, T>>) -> News,
    ) where
        K: Resource<DynamicType = ApiResource> + Clone + DeserializeOwned + Send + 'static,
        T: PartialEq + Weigh,
    {
        let mut hearing = Hearing::new(self.all(), selected, self.cluster.clone(), weight);
        let mut records = Records::weighing(weight);
        loop {
            let known = match hearing.next(|it| Some(read(it))).await {
                // Most of what is said of a node is that it lives.
                Ok(Step::Seen((name, now))) if now.is_some() && records.all.get(&name) == now.as_ref() => continue,
                Ok(step) => records.put(step).inspect_err(|_| hearing.begin_anew(LATER)),
                Err(why) => Err(why),
            };
            if self.tell.send((self.subject.clone(), say(known.map(|()| &records.all)))).await.is_err() {
                return;
            }
        }
    }

    /// Tells the names of all objects of a kind, and the metadata of some.
    async fn kind(self) {
        let keys: Vec<&Key> = self.with.iter().filter_map(Subject::key).collect();
        let followed = |name: &String| keys.iter().any(|key| place(key) == *name);
        let read = |it: &Named| Some(Some(name_of(it)).filter(followed).map(|_| Packed::of(&metadata(&it.metadata))));
        let mut hearing = Hearing::new(self.all(), watching().metadata(), self.cluster.clone(), weight);
        let mut records = Records::weighing(weight);
        loop {
            let known = match hearing.next(read).await {
                Ok(step) => records.put(step).inspect_err(|_| hearing.begin_anew(LATER)),
                Err(why) => Err(why),
            };
            let all = &records.all;
            let name = |name: &String| name.rsplit('/').next().unwrap_or_default().to_owned();
            let names = News::Names(known.clone().map(|()| all.keys().map(name).collect()));
            let object = |key: &Key| News::Object(known.clone().map(|()| all.get(&place(key)).cloned().flatten()));
            let objects = keys.iter().map(|key| (Subject::Object((*key).clone()), object(key)));
            for news in objects.chain([(self.subject.clone(), names)]).collect::<Vec<_>>() {
                if self.tell.send(news).await.is_err() {
                    return;
                }
            }
        }
    }

    /// Tells of CRDs. All are watched, because a watch for each takes more than all the rest.
    async fn crds(self) {
        let names: BTreeSet<String> = self.with.iter().filter_map(Subject::crd).map(str::to_owned).collect();
        let version = |it: &Named| {
            let (uid, generation) = (it.metadata.uid.as_deref()?, it.metadata.generation.unwrap_or_default());
            names.contains(&it.name_any()).then(|| format!("{uid}/{generation}"))
        };
        let selected = Config { page_size: Some(CRDS), ..watching().metadata() };
        let mut hearing = Hearing::new(self.all(), selected, self.cluster.clone(), weight);
        let mut unread = Unread::of(names.clone());
        loop {
            let next = unread.next();
            let due = next.as_ref().map_or_else(Instant::now, |(_, at)| *at);
            let heard = tokio::select! {
                step = hearing.next(&version) => Some(step),
                () = sleep_until(due), if next.is_some() => None,
            };
            let now = Instant::now();
            let (names, known) = match (heard, next) {
                (Some(Ok(step)), _) => (unread.take(step, now), Ok(None)),
                (Some(Err(why)), _) => (unread.lose(), Err(why)),
                (None, None) => continue,
                (None, Some((name, _))) => {
                    let Ok(known) = self.read_crd(&name).await else {
                        unread.was_read(&name, Some(Instant::now() + SOON));
                        continue;
                    };
                    // A right that is granted changes nothing of the CRD.
                    unread.was_read(&name, known.is_err().then(|| now + spread(LATER, &self.cluster.0)));
                    (vec![name], known)
                }
            };
            for name in names {
                if self.tell.send((Subject::Crd(name), News::Crd(known.clone()))).await.is_err() {
                    return;
                }
            }
        }
    }

    async fn read_crd(&self, name: &str) -> Result<Known<Option<Arc<Crd>>>, Unanswered> {
        match tokio::time::timeout(DEADLINE, self.all::<DynamicObject>().get_opt(name)).await {
            Ok(Ok(None)) => Ok(Ok(None)),
            Ok(Ok(Some(crd))) => {
                let read = Crd::of(&crd.data).ok_or_else(|| format!("the CRD {name} cannot be read"));
                Ok(read.map(|crd| Some(self.crds.one(name, crd))))
            }
            Ok(Err(why)) if code(&why) == Some(403) => Ok(Err(refused(&why, "get CustomResourceDefinitions"))),
            Ok(Err(_)) | Err(_) => Err(Unanswered),
        }
    }
}

/// It is asked for again soon.
struct Unanswered;

/// How the metadata of one object are watched.
fn one(name: &str) -> Config {
    watching().fields(&format!("metadata.name={name}")).metadata()
}

/// What there is of a single object.
fn only<T>(step: Step<Record<String, T>>) -> Option<T> {
    match step {
        Step::Listed(all) => all.into_iter().find_map(|(_, it)| it),
        Step::Seen((_, it)) => it,
        Step::Deleted(_) => None,
    }
}

/// What the key of an object is called by its watch.
fn place(key: &Key) -> String {
    key.namespace.iter().chain([&key.name]).map(String::as_str).collect::<Vec<_>>().join("/")
}

fn weight<T: Weigh>((name, kept): &Record<String, T>) -> usize {
    name.len() + kept.as_ref().map_or(0, Weigh::bytes)
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
