//! The gateway: translates REST calls to Kubernetes requests that carry the caller's own token (X100). It keeps no state, decides
//! nothing, and has no rights.

pub mod answer;
pub mod api;
pub mod args;
pub mod caller;
pub mod context;
pub mod identity;
pub mod kinds;
pub mod metrics;
pub mod objects;
pub mod paging;
pub mod problem;
pub mod registration;
pub mod request;
pub mod routes;
#[cfg(test)]
#[path = "../../tests/table.rs"]
mod table;
pub mod translate;
pub mod upstream;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use runtime::client::Deadlines;
use runtime::ready::Ready;
use runtime::serve::body::Memory;
use runtime::serve::counts::Counts;
use runtime::serve::{CONNECTIONS, Manner, serve};
use runtime::shutdown::Shutdown;

use crate::args::Args;
use crate::context::Gateway;
use crate::identity::{Files, Identity};
use crate::metrics::Metrics;
use crate::upstream::{PATIENCE, Upstream};

/// Why the process cannot go on.
pub type Fatal = Box<dyn std::error::Error + Send + Sync>;

/// All bodies and answers that are held at one moment.
const BUDGET: usize = 128 << 20;
/// From the head of a request to its answer: the body, the API server, and what has to be taken back.
const ANSWER: Duration = Duration::from_secs(25);

/// Runs until the process is asked to stop.
pub async fn run(args: Args) -> Result<(), Fatal> {
    let shutdown = Shutdown::on_signals()?;
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let counts = Counts::register(&mut registry, "kubevirt_operator_gateway", "gateway's port");
    runtime::admin::metrics(args.shared.metrics_bind_address, Arc::new(registry)).await?;
    runtime::admin::health(args.shared.health_probe_bind_address, Ready::new()).await?;
    let deadlines = Deadlines { read: PATIENCE, ..Deadlines::default() };
    let client = runtime::client::without_identity(args.shared.kubeconfig.as_deref(), deadlines).await?;
    let files = Files { certificate: args.gateway_tls_certificate.clone(), key: args.gateway_tls_key.clone() };
    let identity = Identity::of(files)?;
    let tls = identity.tls()?;
    let listener = args.gateway_bind_address.listen().await?;
    let listener = listener.ok_or_else(|| io::Error::other("GATEWAY_BIND_ADDRESS must be an address"))?;
    let memory = Memory::new(BUDGET);
    let gateway = Gateway {
        upstream: Upstream::new(client, memory.clone()),
        tenancy: Arc::new(args.tenancy()),
        configs_namespace: args.shared.kubevirt_configs_namespace.as_str().into(),
        memory,
        metrics,
    };
    let refused = "a caller of the gateway was refused";
    let manner = Manner { counts, connections: CONNECTIONS, answer: ANSWER, refusal: |_| None, refused };
    let serve = serve(listener, tls, routes::routes(gateway), shutdown, manner);
    tokio::select! {
        served = serve => Ok(served?),
        () = identity.keep() => Ok(()),
    }
}
