//! Tells of every KubevirtConfig how its cluster is, as `model::clusters::status` decides, and holds it while Machines are
//! recorded on it. I/O: the supervisor. What changes nothing is not written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::Patch;
use kube::runtime::events::EventType;
use kube::runtime::reflector::Store;
use kube::{Client, Resource, ResourceExt};
use model::api::{KubevirtConfig, KubevirtConfigSpec, KubevirtConfigStatus};
use model::clusters::hold::finalizers;
use model::clusters::status::{Left, Seen, is_draining, news, status};
use model::clusters::{elders, identity};
use model::machine::cluster_of;
use model::merge::changes;
use model::message::is_ours;
use model::names::{ClusterName, KUBEVIRT_CONFIG, MachineKey};
use model::reason::{Reason, Severity};
use runtime::clusters::{Cluster, ClusterMap, DEADLINE, Scope, State, code, said};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::event_budget::{EventBudget, event};
use crate::events::Events;
use crate::objects::{MachineUid, patch_params};
use crate::packed::{Guarded, Packed};
use crate::platform::Platform;
use crate::session::ClusterIndex;
use crate::uids::Uids;

/// How often it is looked whether Machines came or went.
const LOOK: Duration = Duration::from_secs(2);
/// Every so many looks, what could not be written is tried again.
const TRY_AGAIN: u32 = 3;
/// Every so many looks, time alone may have changed something: credentials end.
const LOOK_AT_ALL: u32 = 30;
/// Numbers of Machines that only grow or shrink are written this rarely.
const COUNTED: Duration = Duration::from_secs(10);

/// Follows connections and KubevirtConfigs.
pub(crate) struct Configs {
    pub(crate) client: Client,
    pub(crate) scope: Scope,
    pub(crate) clusters: Arc<ClusterMap<ClusterIndex>>,
    pub(crate) configs: Store<KubevirtConfig>,
    pub(crate) machines: Store<Packed>,
    pub(crate) uids: Arc<Uids>,
    pub(crate) events: Events,
    pub(crate) touch: mpsc::UnboundedSender<MachineUid>,
    pub(crate) platform: Arc<Platform>,
}

/// What was said last of a KubevirtConfig.
struct Told {
    status: KubevirtConfigStatus,
    /// The version that it was said about: while the watch still shows that one, it does not show what was written.
    over: Option<String>,
    machines: Option<usize>,
    elder: Option<ClusterName>,
    at: Instant,
}

/// What was said last of each, and what is left to say.
#[derive(Default)]
struct Book {
    told: BTreeMap<ClusterName, Told>,
    /// The specs that its Machines were last looked at with.
    specs: BTreeMap<ClusterName, KubevirtConfigSpec>,
    unwritten: BTreeSet<ClusterName>,
    budget: EventBudget,
}

impl Book {
    fn forget(&mut self, name: &ClusterName) {
        self.told.remove(name);
        self.specs.remove(name);
    }

    /// Whether a spec says something else than before, which may be what Machines wait for: that their cluster is gone for
    /// good, or that an earlier self may be taken over. One that was not there before comes with a connection, which tells.
    fn is_news(&mut self, name: &ClusterName, spec: &KubevirtConfigSpec) -> bool {
        let known = self.specs.get(name);
        let news = known.is_some_and(|known| known != spec);
        if known != Some(spec) {
            self.specs.insert(name.clone(), spec.clone());
        }
        news
    }
}

impl Configs {
    /// Reports every change in the KubevirtConfig's status, and looks at the Machines of that cluster again.
    pub(crate) async fn follow(
        self,
        mut links: mpsc::Receiver<ClusterName>,
        mut changed: mpsc::UnboundedReceiver<KubevirtConfig>,
        mut offers: mpsc::UnboundedReceiver<ClusterName>,
    ) {
        let mut book = Book::default();
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looked = 0_u32;
        loop {
            let names = tokio::select! {
                name = links.recv() => {
                    let Some(name) = name else { return };
                    self.wake(&name);
                    vec![name]
                }
                Some(config) = changed.recv() => vec![ClusterName(config.name_any())],
                Some(name) = offers.recv() => vec![name],
                _ = looks.tick() => {
                    looked = looked.wrapping_add(1);
                    self.due(looked, &mut book)
                }
            };
            for name in names {
                if !self.tell(&name, &mut book).await {
                    book.unwritten.insert(name);
                }
            }
        }
    }

    fn wake(&self, cluster: &ClusterName) {
        for machine in self.machines.state().iter().filter(|machine| concerns(&machine.open(), cluster)) {
            // The receiver lives as long as the process.
            let _ = self.touch.send(machine.uid().unwrap_or_default());
        }
    }

    /// Of which something may have changed that no event tells.
    fn due(&self, looked: u32, book: &mut Book) -> Vec<ClusterName> {
        let configs = self.configs.state();
        let elders = elders_of(&configs);
        let names = configs.iter().map(|config| ClusterName(config.name_any()));
        if looked.is_multiple_of(LOOK_AT_ALL) {
            return names.collect();
        }
        let again =
            if looked.is_multiple_of(TRY_AGAIN) { std::mem::take(&mut book.unwritten) } else { BTreeSet::new() };
        let changed = names.filter(|name| {
            let Some(told) = book.told.get(name) else { return false };
            let now = self.uids.recorded_on(name);
            let counted = now.is_some() && told.machines != now && is_to_be_said(told, now);
            counted || told.elder.as_ref() != elders.get(name)
        });
        again.into_iter().chain(changed.collect::<Vec<_>>()).collect()
    }

    /// Brings status and finalizer of one KubevirtConfig in line with what is known; false when that has to be tried again.
    async fn tell(&self, name: &ClusterName, book: &mut Book) -> bool {
        let Some(config) = self.configs.get(&self.scope.key(name)) else {
            book.forget(name);
            self.platform.forget(name);
            return true;
        };
        if book.is_news(name, &config.spec) {
            self.wake(name);
        }
        let elder = elders_of(&self.configs.state()).remove(name);
        let entry = self.clusters.load().get(name).cloned();
        let slot = entry.as_ref().and_then(|entry| entry.cluster.as_ref()).map(|cluster| &*cluster.index.platform);
        self.platform.heard(&config, elder.as_ref(), slot);
        let Some(entry) = &entry else { return true };
        let cluster = entry.cluster.as_ref();
        let machines = self.uids.recorded_on(name);
        let seen = Seen {
            view: entry.view(),
            webhook: entry.webhook.clone(),
            offered: cluster.map(|cluster| cluster.index.offer.known()).unwrap_or_default(),
            contact: cluster.and_then(|cluster| cluster.heard()).map(Time),
            validity: cluster.and_then(|cluster| cluster.validity),
            elder: elder.clone(),
            machines,
            platform: cluster.and_then(|cluster| cluster.index.platform.passed()),
            left: if is_draining(&config) { self.left_on(name, cluster.map(AsRef::as_ref)) } else { None },
        };
        let previous = known(&config, book.told.get(name));
        let next = status(&config, &previous, &seen, Time(Timestamp::now()));
        let mut newest = config.clone();
        if next != previous {
            let patch = json!({"metadata": {"uid": config.uid()}, "status": changes(&previous, &next)});
            match self.write(name, patch, true).await {
                Ok(Some(written)) => newest = Arc::new(written),
                Ok(None) => return true,
                Err(()) => return false,
            }
        }
        for (object, reason, note) in cluster.map(|cluster| cluster.index.platform.wrote()).unwrap_or_default() {
            let what = format!("{object}/{}", reason.code());
            self.announce(&config, &what, (reason, &note), &book.budget).await;
        }
        for (reason, note) in news(&previous, &next) {
            self.announce(&config, reason.code(), (reason, &note), &book.budget).await;
        }
        let told = Told { status: next, over: config.resource_version(), machines, elder, at: Instant::now() };
        book.told.insert(name.clone(), told);
        let Some(finalizers) = finalizers(newest.meta(), machines) else { return true };
        let version = newest.resource_version();
        let patch = json!({"metadata": {"uid": config.uid(), "resourceVersion": version, "finalizers": finalizers}});
        self.write(name, patch, false).await.is_ok()
    }

    /// What is left on a cluster that takes no new Machines: a look at every Machine of the fleet.
    fn left_on(&self, name: &ClusterName, cluster: Option<&Cluster<ClusterIndex>>) -> Option<Left> {
        if !self.uids.are_listed() {
            return None;
        }
        let mut left = Left::default();
        let ours = |machine: &Guarded| machine.0.as_ref().map_or(true, |it| is_ours(it.spec.provider.as_deref()));
        let concerned = |opened: &Guarded| ours(opened) && concerns(opened, name);
        for machine in self.machines.state().iter().filter(|machine| concerned(&machine.open())) {
            left.count(&MachineKey { namespace: machine.namespace().unwrap_or_default(), name: machine.name_any() });
        }
        // One that is away tells nothing, also of what it told before.
        let answers = cluster.filter(|cluster| matches!(*cluster.state.borrow(), State::Connected { .. }));
        left.orphans = answers.map(|it| it.index.objects.of_nobody(|uid| self.uids.find(uid).is_some()).len());
        Some(left)
    }

    /// The object after the patch; `None` where it is no use to try again: it is gone, or another event is on its way, or a
    /// right is missing, which only a person can change.
    async fn write(&self, name: &ClusterName, patch: Value, of_status: bool) -> Result<Option<KubevirtConfig>, ()> {
        let (api, patch, params) = (self.scope.configs(self.client.clone()), Patch::Merge(patch), patch_params());
        let (what, written) = if of_status {
            ("status", tokio::time::timeout(DEADLINE, api.patch_status(&name.0, &params, &patch)).await)
        } else {
            ("finalizers", tokio::time::timeout(DEADLINE, api.patch(&name.0, &params, &patch)).await)
        };
        let (why, answer) = match written {
            Ok(Ok(object)) => return Ok(Some(object)),
            Ok(Err(why)) if matches!(code(&why), Some(404 | 409)) => return Ok(None),
            Ok(Err(why)) => (said(&why), if code(&why) == Some(403) { Ok(None) } else { Err(()) }),
            Err(_) => ("no answer in time".to_owned(), Err(())),
        };
        tracing::warn!(kubevirtConfig = %name, error = why, "the {what} of the KubevirtConfig could not be written; it is tried again");
        answer
    }

    /// An Event, if `what` was not told of too often. One that cannot be written is no reason to try again.
    async fn announce(
        &self,
        config: &KubevirtConfig,
        what: &str,
        (reason, note): (Reason, &str),
        budget: &EventBudget,
    ) {
        if !budget.spend(&format!("{}/{what}", config.uid().unwrap_or_default()), Instant::now()) {
            return;
        }
        let type_ = match reason.severity() {
            Severity::Normal => EventType::Normal,
            Severity::Warning => EventType::Warning,
        };
        let event = event("Connect", type_, reason.code(), note);
        if let Err(why) = self.events.publish(&event, &config.object_ref(&())).await {
            tracing::warn!(kubevirtConfig = config.name_any(), error = said(&why), "the Event was not written");
        }
    }
}

/// The elder of each KubevirtConfig whose cluster has an older one.
fn elders_of(configs: &[Arc<KubevirtConfig>]) -> BTreeMap<ClusterName, ClusterName> {
    let known: Vec<_> = configs.iter().map(|config| (ClusterName(config.name_any()), identity(config))).collect();
    let each = known.iter().map(|(name, it)| (name, it.as_ref().map(|(id, since)| (id.as_str(), since.as_str()))));
    elders(each).into_iter().map(|(name, elder)| (name.clone(), elder.clone())).collect()
}

/// Whether a Machine is assigned to a cluster, or recorded there.
fn concerns(machine: &Guarded, cluster: &ClusterName) -> bool {
    let concerned = machine.0.as_ref().ok().and_then(cluster_of);
    machine.annotations().get(KUBEVIRT_CONFIG) == Some(&cluster.0) || concerned.as_ref() == Some(cluster)
}

/// The first and the last Machine of a cluster matter at once; in between the number may be a little old.
fn is_to_be_said(told: &Told, now: Option<usize>) -> bool {
    told.machines.unwrap_or(0) == 0 || now == Some(0) || told.at.elapsed() >= COUNTED
}

/// The status that stands there: what the watch shows, unless that is older than what was written last, or of a foreign CRD,
/// which keeps only part of it.
fn known(config: &KubevirtConfig, told: Option<&Told>) -> KubevirtConfigStatus {
    let shown = config.status.clone().unwrap_or_default();
    let pruned = shown.conditions.is_empty() && shown.phase.is_some();
    match told {
        Some(told) if pruned || told.over == config.resource_version() => told.status.clone(),
        Some(_) | None => shown,
    }
}
