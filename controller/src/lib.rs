//! The lean controller: makes true on its cluster what admission decided about each Machine. It contains no placement code.

pub mod args;
pub mod awaited;
pub mod configs;
pub mod context;
pub mod event_budget;
pub mod index;
pub mod instances;
pub mod machine;
pub mod metrics;
pub mod objects;
pub mod offer;
mod orphans;
pub mod retries;
pub mod session;
#[cfg(test)]
#[path = "../../tests/table.rs"]
mod table;
mod triggers;
pub mod turns;
pub mod uids;
pub mod wars;

use std::sync::{Arc, Mutex};

use futures::StreamExt;
use kube::Api;
use kube::runtime::controller::{Action, Config, applier};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector;
use model::machine::owner::Adoption;
use prometheus_client::registry::Registry;
use runtime::clusters::{ClusterMap, KeyOrder, Source, identify};
use runtime::pause::until_it_answers;
use runtime::ready::Ready;
use runtime::shutdown::Shutdown;
use tokio::sync::mpsc;

use crate::args::Args;
use crate::awaited::Awaited;
use crate::context::{Context, Fault, Guarded};
use crate::machine::reconcile;
use crate::session::Watches;

/// Why the process cannot go on.
pub type Fatal = Box<dyn std::error::Error + Send + Sync>;

/// Runs until the process is asked to stop.
pub async fn run(args: Args) -> Result<(), Fatal> {
    let shutdown = Shutdown::on_signals()?;
    let ready = Ready::new();
    let synced = ready.latch("watches on the supervisor");
    let mut registry = Registry::default();
    let metrics = metrics::Metrics::register(&mut registry);
    runtime::admin::metrics(args.shared.metrics_bind_address, Arc::new(registry)).await?;
    runtime::admin::health(args.shared.health_probe_bind_address, ready).await?;
    tokio::select! {
        () = shutdown.asked() => Ok(()),
        ended = work(args, metrics, synced, shutdown.clone()) => ended,
    }
}

async fn work(
    args: Args,
    metrics: metrics::Metrics,
    synced: runtime::ready::Latch,
    shutdown: Shutdown,
) -> Result<(), Fatal> {
    let client = runtime::client::supervisor(args.shared.kubeconfig.as_deref()).await?;
    let supervisor = until_it_answers("the supervisor does not answer yet", || identify(&client)).await;
    let (clusters, awaited) = (Arc::new(ClusterMap::default()), Arc::new(Awaited::default()));
    let (touch, touched) = mpsc::unbounded_channel();
    let (config_changed, configs_changed) = mpsc::unbounded_channel();
    let (offers, offered) = mpsc::unbounded_channel();
    let namespace = &args.shared.kubevirt_configs_namespace;
    let source = Source::start(client.clone(), namespace, KeyOrder::ReadWrite, move |config| {
        // The receiver lives as long as the process.
        let _ = config_changed.send(config);
    })
    .await;
    let (machines, writer) = reflector::store::<Guarded>();
    let reporter = Reporter { controller: model::names::OPERATOR.to_owned(), instance: std::env::var("HOSTNAME").ok() };
    let uids = Arc::new(uids::Uids::default());
    let ctx = Arc::new(Context {
        uids: uids.clone(),
        events: Recorder::new(client.clone(), reporter),
        configs: source.configs.clone(),
        scope: source.scope().clone(),
        vm_prefix: args.shared.vm_name_prefix.clone(),
        adoption: Adoption::of(&args.adoption),
        machine_labels: args.machine_labels,
        interval: args.reconcile_interval,
        retries: retries::Retries::default(),
        instances: instances::Instances::default(),
        proven_gone: Mutex::default(),
        wars: wars::Wars::default(),
        turns: turns::Turns::new(args.max_concurrent_reconciles),
        event_budget: event_budget::EventBudget::default(),
        client: client.clone(),
        supervisor: supervisor.clone(),
        clusters: clusters.clone(),
        awaited: awaited.clone(),
        metrics,
    });
    let (changed, links) = mpsc::channel(64);
    let registry = tokio::spawn(runtime::clusters::run(
        source,
        Arc::new(Watches { supervisor, awaited, touched: touch.clone(), offers }),
        clusters.clone(),
        changed,
    ));
    let of_configs = triggers::Configs {
        client: client.clone(),
        scope: ctx.scope.clone(),
        clusters,
        configs: ctx.configs.clone(),
        machines: machines.clone(),
        touch,
    };
    let following = tokio::spawn(of_configs.follow(links, configs_changed, offered));
    let orphans = orphans::Orphans { clusters: ctx.clusters.clone(), uids: uids.clone() };
    let counting = tokio::spawn(orphans.clone().count(ctx.metrics.clone()));
    let page: runtime::admin::Page = Arc::new(move || orphans.said());
    runtime::admin::pages(args.debug_bind_address, vec![("/debug/orphans", page)]).await?;
    let queue = triggers::queue(Api::all(client), writer, touched, uids, shutdown);
    let listed = machines.clone();
    let open_when_listed = async {
        if listed.wait_until_ready().await.is_ok() {
            synced.open();
            tracing::info!(machines = listed.len(), "watching Machines");
        }
    };
    // Each pass waits for its cluster's turn by itself.
    let limits = Config::default().concurrency(0);
    let reconciling = applier(|machine, ctx| Box::pin(reconcile(machine, ctx)), on_fault, ctx, machines, queue, limits);
    let reconciling = reconciling.for_each(|ended| async {
        if let Err(why) = ended {
            tracing::debug!(error = runtime::clusters::said(&why), "a reconciliation ended with an error");
        }
    });
    // A latch that is dropped closes again, so this one lives as long as the work.
    let work = async { futures::join!(reconciling, open_when_listed) };
    tokio::select! {
        _ = work => Ok(()),
        ended = registry => Err(format!("the cluster registry ended: {ended:?}").into()),
        ended = counting => Err(format!("orphans are not counted any more: {ended:?}").into()),
        ended = following => Err(format!("the status of KubevirtConfigs is not kept any more: {ended:?}").into()),
    }
}

fn on_fault(machine: Arc<Guarded>, fault: &Fault, ctx: Arc<Context>) -> Action {
    use kube::ResourceExt;
    tracing::warn!(controller = "Machine", machine = machine.name_any(), namespace = machine.namespace(), error = %fault, "reconciliation failed; it is tried again");
    ctx.metrics.failed(fault.kind());
    Action::requeue(ctx.retries.failed(&machine.uid().unwrap_or_default()))
}
