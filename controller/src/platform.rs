//! The platform baseline of each cluster: makes true what `model::platform` decides. One task for each cluster, beside the watches of
//! Machines; it ends no connection. I/O: the remote clusters. Deleting this file and its folder leaves the rest as it is.

mod ask;
pub mod assets;
mod crds;
pub(crate) mod debug;
mod facts;
mod failing;
mod follow;
mod hearing;
mod pass;
mod read;
pub mod render;
mod slot;
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
use model::platform::memory::remembered;
use model::platform::snapshot::{Asked, Disruption, Known, Mode};
use model::platform::state::{Pass, State};
use model::platform::turn::{Pools, shown_by, turn};
use runtime::clusters::State as Connection;
use tokio::sync::watch as channel;

use self::crds::Crds;
pub(crate) use self::follow::follow;
pub use self::slot::Slot;
pub(crate) use self::slot::count;
use self::slot::{AWAY, Kept, Wish};
use crate::args::PlatformArgs;

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

    /// UID of the supervisor.
    pub(crate) fn supervisor(&self) -> &str {
        &self.supervisor
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
