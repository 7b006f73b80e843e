//! Follows one cluster for its platform baseline: watches what matters as long as somebody asks for it, and lets a pass be done when
//! something changed. I/O: the cluster. Without a baseline it asks nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kube::api::ApiResource;
use model::names::ClusterName;
use model::platform::catalogue::Catalogue;
use model::platform::rights::POOLS;
use model::platform::snapshot::Mode;
use runtime::clusters::State;
use tokio::sync::{mpsc, watch as channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::facts::{News, Subject};
use super::watch::{Follower, own_kind};
use super::worker::Worker;
use super::{Platform, Site, Slot, Wish};

/// What changes together is judged together.
const TOGETHER: Duration = Duration::from_millis(250);
/// So long is waited until all watches have told something, before what is missing counts as not known.
const PATIENCE: Duration = Duration::from_secs(10);
/// Watches may tell so much before it is taken in.
const AHEAD: usize = 64;

/// Keeps the baseline of a cluster, and never ends. `tell` hears that there is something new to say of it.
pub(crate) async fn follow(site: Site, platform: Arc<Platform>, tell: impl Fn() + Send + Sync) {
    let Some(catalogue) = platform.catalogue() else { return std::future::pending().await };
    let _seen = Seen(&platform, site.name.clone(), site.slot.clone());
    let mut wishes = site.slot.wish.subscribe();
    let mut state = site.state.clone();
    loop {
        let id = match &*state.borrow_and_update() {
            State::Connected { id } => Some(id.clone()),
            State::Connecting | State::Unreachable(_) | State::Unserved(_) => None,
        };
        let wish = wishes.borrow_and_update().clone().filter(is_wanted);
        if let (Some(wish), Some(id)) = (wish, id) {
            tokio::select! {
                () = keep(&site, (&platform, catalogue), (wish, &mut wishes), &id, &tell) => {
                    site.slot.kept().facts.forget();
                }
                changed = state.changed() => if changed.is_err() { return },
            }
        } else {
            tokio::select! {
                changed = wishes.changed() => if changed.is_err() { return },
                changed = state.changed() => if changed.is_err() { return },
            }
        }
    }
}

/// Whether there is something to do. What is recorded of a cluster at first contact is on its way.
fn is_wanted(wish: &Wish) -> bool {
    wish.asked.mode != Mode::Off && wish.recorded.is_some()
}

/// While this is there, the cluster is followed.
struct Seen<'s>(&'s Platform, ClusterName, Arc<Slot>);

impl Drop for Seen<'_> {
    fn drop(&mut self) {
        self.0.lost(&self.1);
        self.2.lost();
    }
}

/// Works until the wish is another one that leaves nothing to do.
async fn keep(
    site: &Site,
    (platform, catalogue): (&Platform, &Catalogue),
    (wish, wishes): (Wish, &mut channel::Receiver<Option<Wish>>),
    id: &str,
    tell: &(impl Fn() + Sync),
) {
    let (heard, mut hears) = mpsc::channel(AHEAD);
    let mut watches = Watches { running: BTreeMap::new(), since: Instant::now(), heard };
    let mut worker = Worker::new(site, platform, catalogue, (wish.clone(), identity(&wish, id)));
    let mut next = Some(Instant::now());
    loop {
        let wanted = worker.subjects();
        watches.adjust(&wanted, site, platform, &worker);
        tokio::select! {
            Some((subject, news)) = hears.recv() => {
                if worker.take(subject, news) {
                    let soon = Instant::now() + TOGETHER;
                    next = Some(next.map_or(soon, |at| at.min(soon)));
                }
            }
            _ = wishes.changed() => {
                let Some(wish) = wishes.borrow_and_update().clone().filter(is_wanted) else { return };
                worker.identity = identity(&wish, id);
                worker.wish = wish;
                next = Some(Instant::now());
            }
            () = async { sleep_until(next.unwrap_or_else(Instant::now)).await }, if next.is_some() => {
                let last = watches.since + PATIENCE;
                next = if Instant::now() < last && !worker.is_complete(&wanted) {
                    Some(last)
                } else {
                    worker.pass(&mut hears, tell).await.map(|wait| Instant::now() + wait)
                };
            }
        }
    }
}

/// Whether this is the cluster that is meant.
fn identity(wish: &Wish, id: &str) -> Result<(), String> {
    if let Some(elder) = &wish.elder {
        return Err(format!(
            "KubevirtConfig \"{elder}\" is older and leads to the same cluster, so its baseline counts"
        ));
    }
    match &wish.recorded {
        Some(recorded) if recorded == id => Ok(()),
        _ => Err(format!("the kubeconfig leads to cluster {id}, which is not the one that is recorded")),
    }
}

/// What is watched. Each watch ends when it is not wanted any more.
struct Watches {
    running: BTreeMap<Subject, Running>,
    /// When another one was begun.
    since: Instant,
    heard: mpsc::Sender<(Subject, News)>,
}

struct Running {
    kind: ApiResource,
    with: Vec<Subject>,
    _task: Ends,
}

/// A task that ends with this.
struct Ends(JoinHandle<()>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Watches {
    fn adjust(&mut self, wanted: &BTreeSet<Subject>, site: &Site, platform: &Platform, worker: &Worker<'_>) {
        let watched = together(wanted);
        self.running.retain(|subject, _| watched.contains_key(subject));
        for (subject, with) in watched {
            let kind = match subject {
                Subject::Roots(crd) | Subject::Kind(crd) => worker.resource(crd),
                Subject::Object(key) => worker.resource(&key.crd),
                Subject::Pools => worker.resource(POOLS),
                known => own_kind(known),
            };
            let Some(kind) = kind else { continue };
            // A CRD may serve its objects in another version than before.
            if self.running.get(subject).is_some_and(|it| (&it.kind, &it.with) == (&kind, &with)) {
                continue;
            }
            let follower = Follower {
                client: site.client.clone(),
                cluster: site.name.clone(),
                subject: subject.clone(),
                with: with.clone(),
                kind: kind.clone(),
                crds: platform.crds.clone(),
                tell: self.heard.clone(),
            };
            let running = Running { kind, with, _task: Ends(tokio::spawn(follower.follow())) };
            self.running.insert(subject.clone(), running);
            self.since = Instant::now();
        }
    }
}

/// The watches that tell of all of these: each by one subject, with all that it tells of. CRDs are seen together, and an object with
/// its kind, where that is watched anyway.
fn together(wanted: &BTreeSet<Subject>) -> BTreeMap<&Subject, Vec<Subject>> {
    let mut watched: BTreeMap<&Subject, Vec<Subject>> = BTreeMap::new();
    let crds = wanted.iter().find(|subject| subject.crd().is_some());
    for subject in wanted {
        let kind = subject.key().and_then(|key| wanted.get(&Subject::Kind(key.crd.clone())));
        match subject.crd().and(crds).or(kind) {
            Some(by) => watched.entry(by).or_default().push(subject.clone()),
            None => drop(watched.entry(subject).or_default()),
        }
    }
    watched
}
