//! The webhook: decides about Machines at admission. It writes nothing but its own certificate authority and caBundle.

pub mod answer;
pub mod args;
pub mod ask;
pub mod body;
#[cfg(test)]
mod canned;
pub mod link;
pub mod metrics;
pub mod routes;
pub mod server;
#[cfg(test)]
#[path = "../../tests/table.rs"]
mod table;
pub mod world;

use std::io;
use std::sync::Arc;

use model::names::ClusterName;
use prometheus_client::registry::Registry;
use runtime::ready::Ready;
use runtime::shutdown::Shutdown;

use crate::args::Args;
use crate::ask::Asking;
use crate::world::Current;
use crate::world::configs::Clusters;

/// Why the process cannot go on.
pub type Fatal = Box<dyn std::error::Error + Send + Sync>;

/// Runs until the process is asked to stop.
pub async fn run(args: Args) -> Result<(), Fatal> {
    let shutdown = Shutdown::on_signals()?;
    let ready = Ready::new();
    let latches = world::watches::Latches::take(&ready);
    let configured = ready.latch("lists of KubevirtConfigs and their Secrets");
    let trusted = ready.latch("serving certificate and caBundle");
    let mut registry = Registry::default();
    let metrics = metrics::Metrics::register(&mut registry);
    let certificates = certs::metrics::Metrics::register(&mut registry);
    runtime::admin::metrics(args.shared.metrics_bind_address, Arc::new(registry)).await?;
    runtime::admin::health(args.shared.health_probe_bind_address, ready.clone()).await?;
    let listener = args.webhook_bind_address.listen().await?;
    let listener = listener.ok_or_else(|| io::Error::other("WEBHOOK_BIND_ADDRESS must be an address"))?;

    let client = runtime::client::supervisor(args.shared.kubeconfig.as_deref()).await?;
    let identity = certs::start(client.clone(), args.certificate(), certificates)?;
    let (world, clusters) = (Current::new(args.policy()), Clusters::default());
    let watching = tokio::spawn(world::watches::follow(client.clone(), world.clone(), latches));
    let namespace = args.shared.kubevirt_configs_namespace.clone();
    let connecting = tokio::spawn({
        let (client, clusters, world) = (client.clone(), clusters.clone(), world.clone());
        async move { world::configs::follow(client, &namespace, clusters, world, configured).await }
    });
    let find = move |name: &ClusterName| clusters.load().get(name)?.cluster.clone();
    let asking = Arc::new(Asking::new(client, find));
    let memory = body::Memory::new(body::BUDGET);
    let shared = routes::Shared { world, asking, metrics: metrics.clone(), memory, ready };
    let serve = server::serve(listener, identity.tls.clone(), routes::routes(shared), shutdown.clone(), metrics);
    let mut bundle = identity.ready.clone();
    // A latch that is dropped closes again, so this one lives as long as the process.
    let open_when_trusted = async {
        if bundle.wait_for(|ready| *ready).await.is_ok() {
            trusted.open();
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        served = serve => Ok(served?),
        ended = watching => Err(format!("the watches on the supervisor ended: {ended:?}").into()),
        ended = connecting => Err(format!("the cluster registry ended: {ended:?}").into()),
        ended = identity.task => Err(format!("the serving identity is not kept any more: {ended:?}").into()),
        () = open_when_trusted => Ok(()),
    }
}
