//! The lean controller: makes true on its cluster what admission decided about each Machine. It contains no placement code.

mod applied;
pub mod args;
pub mod attachments;
pub mod awaited;
pub mod carriers;
mod checks;
mod configs;
pub mod context;
mod debug;
pub mod departures;
pub mod disks;
pub mod election;
pub mod event_budget;
pub mod events;
mod hub;
pub mod imports;
pub mod index;
pub mod instances;
mod lately;
pub mod lead;
pub mod machine;
pub mod metrics;
pub mod networks;
pub mod objects;
pub mod offer;
mod orphans;
pub mod packed;
pub mod platform;
mod pruned;
pub mod remote_object;
pub mod retries;
pub mod scrape;
pub mod session;
pub mod sources;
#[cfg(test)]
#[path = "../../tests/table.rs"]
mod table;
pub mod terminating;
mod triggers;
pub mod turns;
pub mod uids;
pub mod wars;

use std::sync::{Arc, OnceLock};

use futures::StreamExt;
use kube::runtime::controller::{Action, Config, applier};
use kube::runtime::reflector;
use kube::{Api, Client};
use model::machine::networks::IpSource;
use model::machine::owner::Adoption;
use prometheus_client::registry::Registry;
use runtime::client::fenced;
use runtime::clusters::{ClusterMap, KeyOrder, Source, identify};
use runtime::pause::until_it_answers;
use runtime::ready::{Latch, Ready};
use runtime::shutdown::Shutdown;
use tokio::sync::mpsc;

use crate::args::Args;
use crate::awaited::Awaited;
use crate::context::{AtWork, Context, Fault, Known, UNREAD, phase_of};
use crate::election::Election;
use crate::lead::{Lead, Standing};
use crate::machine::reconcile;
use crate::orphans::Orphans;
use crate::packed::Packed;
use crate::scrape::Scrape;
use crate::session::Watches;

/// Why the process cannot go on.
pub type Fatal = Box<dyn std::error::Error + Send + Sync>;

/// Runs until the process is asked to stop, or does not lead any more.
pub async fn run(args: Args) -> Result<(), Fatal> {
    let shutdown = Shutdown::on_signals()?;
    let ready = Ready::new();
    let (leader, synced) = (ready.latch("word of who leads"), ready.latch("watches on the supervisor"));
    let client = runtime::client::supervisor(args.shared.kubeconfig.as_deref()).await?;
    let mut election = args.leader_election.then(|| Election::new(client.clone(), &args.shared.namespace));
    let lead = election.as_ref().map_or_else(|| Lead::new(Standing::Alone), Election::lead);
    let at_work: AtWork = Arc::new(OnceLock::new());
    let mut registry = Registry::default();
    let metrics = metrics::Metrics::register(&mut registry);
    registry.register_collector(Box::new(Scrape { lead: lead.clone(), at_work: at_work.clone() }));
    runtime::admin::metrics(args.shared.metrics_bind_address, Arc::new(registry)).await?;
    runtime::admin::health(args.shared.health_probe_bind_address, ready).await?;
    debug::serve(args.debug_bind_address, lead.clone(), at_work.clone()).await?;
    let working = work(&args, client, lead, metrics, at_work, &synced, shutdown.clone());
    let ended = tokio::select! {
        () = shutdown.asked() => Ok(()),
        ended = elected(election.as_mut(), &leader, &synced, working) => ended,
    };
    if let Some(election) = election {
        election.release().await;
    }
    ended
}

/// Works while it leads. Who waits for that is ready: there is nothing else that it could be waited for.
async fn elected(
    election: Option<&mut Election>,
    leader: &Latch,
    synced: &Latch,
    working: impl Future<Output = Result<(), Fatal>>,
) -> Result<(), Fatal> {
    let Some(election) = election else {
        leader.open();
        return working.await;
    };
    let waits = || {
        leader.open();
        synced.open();
    };
    election.won(waits).await;
    leader.open();
    synced.close();
    tokio::select! {
        ended = working => ended,
        why = election.lost() => Err(why.into()),
    }
}

async fn work(
    args: &Args,
    client: Client,
    lead: Lead,
    metrics: metrics::Metrics,
    at_work: AtWork,
    synced: &Latch,
    shutdown: Shutdown,
) -> Result<(), Fatal> {
    let client = fenced(client, lead.may_write());
    let supervisor = until_it_answers("the supervisor does not answer yet", || identify(&client)).await;
    let (clusters, awaited) = (Arc::new(ClusterMap::default()), Arc::new(Awaited::default()));
    let (touch, touched) = mpsc::unbounded_channel();
    let (config_changed, configs_changed) = mpsc::unbounded_channel();
    let (offers, offered) = mpsc::unbounded_channel();
    tokio::spawn(checks::check_definitions(client.clone()));
    let namespace = &args.shared.kubevirt_configs_namespace;
    let source = Source::start(client.clone(), namespace, KeyOrder::ReadWrite, move |config| {
        // The receiver lives as long as the process.
        let _ = config_changed.send(config);
    })
    .await;
    let (machines, writer) = reflector::store::<Packed>();
    let uids = Arc::new(uids::Uids::default());
    let sources = sources::Sources::new(touch.clone());
    let source_watches = sources::Watches::new(client.clone(), sources.clone(), args.cloud_init_namespaces());
    let networks = Arc::new(networks::NetworkIndex::new(&args.default_bridge, IpSource::of(&args.ip_source)));
    let terminating = Arc::new(terminating::Terminating::default());
    let ctx = Arc::new(Context {
        sources,
        source_watches,
        carriers: carriers::Carriers::default(),
        uids: uids.clone(),
        networks: networks.clone(),
        terminating: terminating.clone(),
        events: events::Events::new(client.clone(), std::env::var("HOSTNAME").ok()),
        configs: source.configs.clone(),
        scope: source.scope().clone(),
        vm_prefix: args.shared.vm_name_prefix.clone(),
        adoption: Adoption::of(&args.adoption),
        machine_labels: args.machine_labels.clone(),
        interval: args.reconcile_interval,
        retries: retries::Retries::default(),
        instances: instances::Instances::default(),
        departures: Arc::default(),
        wars: wars::Wars::default(),
        turns: turns::Turns::new(args.max_concurrent_reconciles, touch.clone()),
        event_budget: event_budget::EventBudget::default(),
        client: client.clone(),
        supervisor: supervisor.clone(),
        clusters: clusters.clone(),
        awaited: awaited.clone(),
        metrics,
        platform: Arc::new(platform::Platform::of(&args.platform, supervisor.clone())),
    });
    let platform = ctx.platform.clone();
    let (changed, links) = mpsc::channel(64);
    let registry = tokio::spawn(runtime::clusters::run(
        source,
        Arc::new(Watches {
            supervisor,
            awaited,
            touched: touch.clone(),
            offers,
            lead,
            metrics: ctx.metrics.clone(),
            platform: platform.clone(),
        }),
        clusters.clone(),
        changed,
    ));
    tokio::spawn(checks::check_clusters(ctx.scope.clone(), ctx.configs.clone(), clusters.clone()));
    if let Some((hub, file)) = args.vmaas_hub.wanted() {
        let namespace = args.shared.kubevirt_configs_namespace.clone();
        let registrar = hub::Registrar { client: client.clone(), scope: ctx.scope.clone(), namespace, hub, file };
        tokio::spawn(registrar.keep());
    }
    let of_networks = networks::Listeners { machines: machines.clone(), touch: touch.clone() };
    let joining = tokio::spawn(networks.follow(client.clone(), of_networks));
    let ending = tokio::spawn(terminating.follow(client.clone()));
    let of_configs = configs::Configs {
        client: client.clone(),
        scope: ctx.scope.clone(),
        clusters,
        configs: ctx.configs.clone(),
        machines: machines.clone(),
        uids: uids.clone(),
        events: ctx.events.clone(),
        touch,
        platform,
    };
    let following = tokio::spawn(of_configs.follow(links, configs_changed, offered));
    let counting = tokio::spawn(Orphans::of(&ctx).count(ctx.metrics.clone()));
    let reaping = tokio::spawn(machine::reap::Reaper { ctx: ctx.clone(), machines: machines.clone() }.follow());
    // Nobody else does it.
    let _ = at_work.set(Known { ctx: ctx.clone(), machines: machines.clone() });
    let queue = triggers::queue(Api::all(client), writer, touched, uids, shutdown);
    let listed = machines.clone();
    let open_when_listed = async {
        if listed.wait_until_ready().await.is_ok() {
            synced.open();
            tracing::info!(machines = listed.len(), "watching Machines");
        }
    };
    // Turns are of each cluster.
    let limits = Config::default().concurrency(0);
    let reconciling = applier(|machine, ctx| Box::pin(reconcile(machine, ctx)), on_fault, ctx, machines, queue, limits);
    let reconciling = reconciling.for_each(|ended| async {
        if let Err(why) = ended {
            tracing::debug!(error = runtime::clusters::said(&why), "a reconciliation ended with an error");
        }
    });
    let work = async { futures::join!(reconciling, open_when_listed) };
    tokio::select! {
        _ = work => Ok(()),
        ended = registry => Err(format!("the cluster registry ended: {ended:?}").into()),
        ended = joining => Err(format!("networks are not followed any more: {ended:?}").into()),
        ended = ending => Err(format!("namespaces are not followed any more: {ended:?}").into()),
        ended = reaping => Err(format!("orphans are not taken away any more: {ended:?}").into()),
        ended = counting => Err(format!("orphans are not counted any more: {ended:?}").into()),
        ended = following => Err(format!("the status of KubevirtConfigs is not kept any more: {ended:?}").into()),
    }
}

fn on_fault(machine: Arc<Packed>, fault: &Fault, ctx: Arc<Context>) -> Action {
    use kube::ResourceExt;
    let opened = machine.open();
    let phase = opened.0.as_ref().map_or("Unknown", phase_of);
    let sentence = match fault {
        Fault::Cluster { .. } => UNREAD,
        Fault::Supervisor(_) | Fault::Late(_) => "reconciliation failed; it is tried again",
    };
    tracing::warn!(controller = "Machine", machine = machine.name_any(), namespace = machine.namespace(), phase, error = %fault, "{sentence}");
    ctx.metrics.failed(fault.kind());
    Action::requeue(ctx.retries.failed(&machine.uid().unwrap_or_default()))
}
