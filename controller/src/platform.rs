//! The platform baseline of each cluster: makes true what `model::platform` decides. One task for each cluster, beside the watches of
//! Machines; it ends no connection. I/O: the remote clusters. Deleting this file and its folder leaves the rest as it is.

mod ask;
pub mod assets;
mod crds;
pub(crate) mod debug;
mod facts;
mod follow;
mod pass;
mod read;
pub mod render;
mod watch;
mod worker;
mod write;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::jiff::Timestamp;
use kube::{Client, ResourceExt};
use model::api::KubevirtConfig;
use model::names::ClusterName;
use model::platform::catalogue::Catalogue;
use model::platform::memory::{Memory, remembered};
use model::platform::snapshot::{Asked, Disruption, Known, Mode, Snapshot};
use model::platform::state::{Held, Key, Pass, State};
use model::platform::status::Passed;
use model::platform::turn::{Pools, shown_by, turn};
use model::reason::Reason;
use runtime::clusters::State as Connection;
use tokio::sync::watch as channel;

use self::crds::Crds;
use self::facts::Facts;
pub(crate) use self::follow::follow;
use crate::args::PlatformArgs;

/// Why nothing is seen of a cluster.
const AWAY: &str = "it is not connected";

/// What all clusters share.
#[derive(Debug)]
pub struct Platform {
    catalogue: Result<Catalogue, Vec<String>>,
    /// UID of the supervisor's `kube-system` namespace.
    supervisor: String,
    /// `PLATFORM_DISRUPTED_CLUSTERS`.
    most: usize,
    fleet: Mutex<BTreeMap<ClusterName, Pools>>,
    crds: Arc<Crds>,
}

impl Platform {
    /// Of the catalogue that the settings name. With one that cannot be used, nothing is done anywhere.
    pub fn of(args: &PlatformArgs, supervisor: String) -> Self {
        let catalogue = assets::read(args.platform_assets.as_deref());
        for why in catalogue.as_ref().err().into_iter().flatten() {
            tracing::error!(
                reason = why,
                "PLATFORM_ASSETS is not used, and no platform baseline is kept until it is mended"
            );
        }
        let most = args.platform_disrupted_clusters;
        Self { catalogue, supervisor, most, fleet: Mutex::default(), crds: Arc::default() }
    }

    /// What there is to be written.
    pub(crate) fn catalogue(&self) -> Option<&Catalogue> {
        self.catalogue.as_ref().ok()
    }

    /// What is wrong with the catalogue.
    pub(crate) fn refused(&self) -> &[String] {
        self.catalogue.as_ref().err().map_or(&[], Vec::as_slice)
    }

    fn fleet(&self) -> MutexGuard<'_, BTreeMap<ClusterName, Pools>> {
        self.fleet.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what the KubevirtConfig of a cluster says, whether there is a connection to it or not.
    pub(crate) fn heard(&self, config: &KubevirtConfig, elder: Option<&ClusterName>, slot: Option<&Slot>) {
        let name = ClusterName(config.name_any());
        let asked = Asked::of(config);
        if (asked.mode, asked.disruption) == (Mode::Enforce, Disruption::Allow) {
            let until = self.restarted(config);
            let unseen = || Pools { disruption: asked.disruption, updating: Err(AWAY.to_owned()), until };
            self.fleet().entry(name).or_insert_with(unseen).disruption = asked.disruption;
        } else if let Some(pools) = self.fleet().get_mut(&name) {
            pools.withdraw(Timestamp::now());
        }
        let (Some(slot), Ok(catalogue)) = (slot, &self.catalogue) else { return };
        let recorded = config.status.as_ref().and_then(|status| status.cluster_id.clone());
        let earlier = config.status.as_ref().and_then(|status| status.platform.as_ref());
        let wish = Wish { asked, recorded, elder: elder.cloned() };
        slot.wants(wish, || remembered(catalogue, earlier));
    }

    /// Until when a cluster may restart nodes for what an earlier process wrote, as its status tells.
    fn restarted(&self, config: &KubevirtConfig) -> Option<Timestamp> {
        let told = config.status.as_ref()?.platform.as_ref()?;
        let restarts = |name: &str| {
            self.catalogue().is_some_and(|all| all.assets.iter().any(|it| it.row.disruptive && it.row.name == name))
        };
        let applied = told.assets.iter().filter(|it| it.state == State::Applied.name() && restarts(&it.name));
        shown_by(applied.filter_map(|it| Some(it.since.as_ref()?.0)).max()?)
    }

    /// There is no such KubevirtConfig any more.
    pub(crate) fn forget(&self, name: &ClusterName) {
        self.fleet().remove(name);
    }

    /// Judges a cluster with its turn. What restarts nodes is noted before another cluster is asked about.
    fn judged(
        &self,
        (name, updating): (&ClusterName, Known<bool>),
        judge: impl FnOnce(Result<(), String>) -> Pass,
        restarts: impl FnOnce(&Pass) -> bool,
        now: Timestamp,
    ) -> Pass {
        let mut fleet = self.fleet();
        if let Some(pools) = fleet.get_mut(name) {
            pools.see(updating);
        }
        let pass = judge(turn(name, &fleet, self.most, now));
        if let Some(pools) = fleet.get_mut(name).filter(|_| restarts(&pass)) {
            pools.wrote(now);
        }
        pass
    }

    /// Nothing of a cluster is seen any more.
    fn lost(&self, name: &ClusterName) {
        if let Some(pools) = self.fleet().get_mut(name) {
            pools.updating = Err(AWAY.to_owned());
        }
    }
}

/// A cluster, as far as its platform is concerned.
pub(crate) struct Site {
    /// Name of the KubevirtConfig.
    pub(crate) name: ClusterName,
    /// The client.
    pub(crate) client: Client,
    /// How the connection is.
    pub(crate) state: channel::Receiver<Connection>,
    /// What is kept of it.
    pub(crate) slot: Arc<Slot>,
}

/// What a KubevirtConfig wants of its cluster.
#[derive(Clone, Debug, PartialEq)]
struct Wish {
    asked: Asked,
    /// UID that is recorded of the cluster.
    recorded: Option<String>,
    /// The older KubevirtConfig of the same cluster, which is the one that counts.
    elder: Option<ClusterName>,
}

/// The platform of one cluster: what is wanted, what was heard, and what was done.
#[derive(Debug)]
pub struct Slot {
    wish: channel::Sender<Option<Wish>>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    facts: Facts,
    memory: BTreeMap<Key, Memory>,
    passed: Option<Passed>,
    /// What was written to which object, and nobody was told of yet.
    wrote: Vec<(String, Reason, String)>,
}

impl Default for Slot {
    fn default() -> Self {
        Self { wish: channel::Sender::new(None), kept: Mutex::default() }
    }
}

impl Slot {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what is wanted; `remembered` is what an earlier process knew.
    fn wants(&self, wish: Wish, remembered: impl FnOnce() -> BTreeMap<Key, Memory>) {
        let off = wish.asked.mode == Mode::Off;
        if !off && self.wish.borrow().is_none() {
            self.kept().memory = remembered();
        }
        self.wish.send_if_modified(|known| {
            let news = known.as_ref() != Some(&wish);
            *known = Some(wish);
            news
        });
        // After that, so that a pass that still runs does not tell of itself any more.
        if off {
            let pass = Pass { held: Some(Held::Off), ..Pass::default() };
            *self.kept() = Kept { passed: Some(Passed { mode: Mode::Off, pass }), ..Kept::default() };
        }
    }

    /// Whether this is what is wanted now.
    fn is_wanted(&self, wish: &Wish) -> bool {
        self.wish.borrow().as_ref() == Some(wish)
    }

    /// Nothing is known of the cluster any more.
    fn lost(&self) {
        let mut kept = self.kept();
        kept.facts.forget();
        if let Some(passed) = kept.passed.as_mut().filter(|passed| passed.mode != Mode::Off) {
            passed.pass = Pass { held: Some(Held::Unknown(AWAY.to_owned())), ..Pass::default() };
        }
    }

    /// What the last pass came to; none before the first one.
    pub(crate) fn passed(&self) -> Option<Passed> {
        self.kept().passed.clone()
    }

    /// What was written since this was asked the last time, for Events.
    pub(crate) fn wrote(&self) -> Vec<(String, Reason, String)> {
        std::mem::take(&mut self.kept().wrote)
    }

    /// What a pass would be judged from now; none while there is no baseline, or nothing was heard of the cluster.
    pub(crate) fn look(&self, platform: &Platform) -> Option<(Snapshot, BTreeMap<Key, Memory>)> {
        let asked = self.wish.borrow().as_ref()?.asked.clone();
        let kept = self.kept();
        if asked.mode == Mode::Off || kept.facts.is_empty() {
            return None;
        }
        Some((kept.facts.snapshot(asked, &platform.supervisor, Ok(())), kept.memory.clone()))
    }
}

/// How many clusters there are with each asset in each state.
pub(crate) fn count<'s>(slots: impl Iterator<Item = &'s Slot>) -> BTreeMap<(String, String), usize> {
    let mut counts = BTreeMap::new();
    for slot in slots {
        let kept = slot.kept();
        let outcomes = kept.passed.iter().flat_map(|passed| &passed.pass.outcomes);
        for outcome in outcomes.filter(|outcome| !outcome.is_tombstone()) {
            *counts.entry((outcome.asset.clone(), outcome.state.name().to_owned())).or_default() += 1;
        }
    }
    counts
}
