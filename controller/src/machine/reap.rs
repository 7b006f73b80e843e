//! Takes away what deleted Machines left on a cluster that was said to be gone for good and answers again, where its
//! KubevirtConfig says so (R4); `model::machine::reap` says what. I/O: that cluster, as a deletion asks it, and the
//! KubevirtConfig's status.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::Patch;
use kube::runtime::events::EventType;
use kube::runtime::reflector::Store;
use kube::{Resource, ResourceExt};
use model::api::KubevirtConfig;
use model::api::config::Orphan;
use model::machine::{Intent, reap};
use model::names::{ClusterName, TAKE_OVER};
use runtime::clusters::said;
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::execute::write_there;
use super::gather::{self, Asking, Connection};
use crate::context::{Context, LONGEST_PASS};
use crate::event_budget::{EventBudget, event};
use crate::objects::patch_params;
use crate::packed::Packed;

/// How often it is looked for orphans; without any, nothing is asked.
const EVERY: Duration = Duration::from_secs(5);

/// It is gone, or why not.
type Outcome = Result<(), String>;

/// Deletes what orphans left.
pub(crate) struct Reaper {
    pub(crate) ctx: Arc<Context>,
    pub(crate) machines: Store<Packed>,
}

impl Reaper {
    /// Never returns.
    pub(crate) async fn follow(self) {
        let budget = EventBudget::default();
        // Why an orphan is still there, as it was said last, by UID.
        let mut told: BTreeMap<String, Outcome> = BTreeMap::new();
        let mut turns = interval(EVERY);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            let configs = self.ctx.configs.state();
            let listed: BTreeSet<&String> = configs.iter().flat_map(|it| reap::wanted(it)).map(|it| &it.uid).collect();
            told.retain(|uid, _| listed.contains(uid));
            // A cluster that is slow keeps no other waiting.
            let outcomes = join_all(configs.iter().map(|config| self.reap_all(config))).await;
            for (config, orphan, outcome) in outcomes.into_iter().flatten() {
                if told.get(&orphan.uid) != Some(&outcome) {
                    self.announce(config, orphan, &outcome, &budget).await;
                    told.insert(orphan.uid.clone(), outcome);
                }
            }
        }
    }

    async fn reap_all<'c>(&self, config: &'c KubevirtConfig) -> Vec<(&'c KubevirtConfig, &'c Orphan, Outcome)> {
        let mut outcomes = Vec::new();
        for orphan in reap::wanted(config) {
            outcomes.extend(self.reap(config, orphan).await.map(|outcome| (config, orphan, outcome)));
        }
        outcomes
    }

    /// What came of it, if that is known yet.
    async fn reap(&self, config: &KubevirtConfig, orphan: &Orphan) -> Option<Outcome> {
        let (ctx, name) = (&self.ctx, ClusterName(config.name_any()));
        let intent = reap::leaving(orphan, &name, &ctx.supervisor)?;
        if !ctx.uids.are_listed() || ctx.uids.find(&orphan.uid).is_some() {
            return None;
        }
        let earlier = |machine: &Arc<Packed>| machine.open().annotations().get(TAKE_OVER) == Some(&orphan.uid);
        if let Some(heir) = self.machines.state().iter().find(|machine| earlier(machine)) {
            let heir = format!("{}/{}", heir.namespace().unwrap_or_default(), heir.name_any());
            return Some(Err(format!("Machine {heir} takes it over")));
        }
        // One at a time of each cluster, beside the turns of Machines.
        match timeout(LONGEST_PASS, self.pass(config, &name, orphan, &intent)).await {
            Ok(outcome) => outcome.transpose(),
            Err(_) => Some(Err(format!("not done after {} s", LONGEST_PASS.as_secs()))),
        }
    }

    /// One step; whether that was the last.
    async fn pass(
        &self,
        config: &KubevirtConfig,
        name: &ClusterName,
        orphan: &Orphan,
        intent: &Intent,
    ) -> Result<Option<()>, String> {
        let (ctx, now) = (&*self.ctx, Time(Timestamp::now()));
        let connection: Connection = {
            let clusters = ctx.clusters.load();
            let entry = clusters.get(name);
            (entry.map(runtime::clusters::Entry::view), entry.and_then(|entry| entry.cluster.clone()))
        };
        let asked = gather::gather(intent, Some(config), connection, Asking::Clusters(&now), ctx).await;
        let (seen, cluster) = asked.map_err(|fault| fault.to_string())?;
        let step = reap::step(intent, &seen); // pure
        let Some(identity) = intent.identity() else { return Ok(None) };
        for write in &step.writes {
            write_there(write, identity, "Terminating", cluster.as_deref(), ctx).await.map_err(|why| why.message)?;
        }
        match (step.refused, step.done) {
            (Some(refused), _) => Err(refused.message),
            (None, false) => Ok(None),
            (None, true) => {
                self.forget(name, orphan).await?;
                ctx.departures.doubt(&orphan.uid);
                ctx.carriers.forget(&orphan.uid);
                Ok(Some(()))
            }
        }
    }

    /// Takes it out of the KubevirtConfig's status.
    async fn forget(&self, name: &ClusterName, orphan: &Orphan) -> Result<(), String> {
        let api = self.ctx.scope.configs(self.ctx.client.clone());
        let failed = |why: kube::Error| format!("status.orphans was not written: {}", said(&why));
        let Some(config) = api.get_opt(&name.0).await.map_err(failed)? else { return Ok(()) };
        let version = config.resource_version();
        let mut orphans = config.status.map(|status| status.orphans).unwrap_or_default();
        orphans.retain(|it| it.uid != orphan.uid);
        let patch = json!({"metadata": {"resourceVersion": version}, "status": {"orphans": orphans}});
        api.patch_status(&name.0, &patch_params(), &Patch::Merge(patch)).await.map(drop).map_err(failed)
    }

    async fn announce(&self, config: &KubevirtConfig, orphan: &Orphan, outcome: &Outcome, budget: &EventBudget) {
        let Orphan { machine, virtual_machine: vm, uid, .. } = orphan;
        let (type_, reason, note) = match outcome {
            Ok(()) => {
                let policy = orphan.deletion_policy.as_deref().unwrap_or_default();
                let note = format!(
                    "what Machine {machine} left is cleaned up by its deletion policy {policy}: VirtualMachine {vm}"
                );
                tracing::info!(
                    kubevirtConfig = config.name_any(),
                    machine,
                    vm,
                    uid,
                    "cleaned up after a Machine that was deleted without its cluster"
                );
                (EventType::Normal, "OrphanReaped", note)
            }
            Err(why) => {
                tracing::warn!(
                    kubevirtConfig = config.name_any(),
                    machine,
                    vm,
                    uid,
                    error = why,
                    "what a deleted Machine left is still there; it is tried again"
                );
                (EventType::Warning, "OrphanKept", format!("what Machine {machine} left is still there: {why}"))
            }
        };
        if !budget.spend(config.uid().as_deref().unwrap_or_default(), Instant::now()) {
            return;
        }
        if let Err(why) = self.ctx.events.publish(&event("Reap", type_, reason, &note), &config.object_ref(&())).await {
            tracing::warn!(kubevirtConfig = config.name_any(), error = said(&why), "the Event was not written");
        }
    }
}
