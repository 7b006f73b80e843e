//! The admission port: how the listener that the processes share behaves here. I/O: the network.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use certs::callers::refusal;
use runtime::serve::{CONNECTIONS, Manner};
use runtime::shutdown::Shutdown;
use rustls::ServerConfig;
use tokio::net::TcpListener;

use crate::metrics::Metrics;

/// From the head of a review to its answer: an API server waits no longer.
const ANSWER: Duration = Duration::from_secs(10);

/// Serves until the process is asked to stop, then lets open requests end.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    routes: Router,
    shutdown: Shutdown,
    metrics: Metrics,
) -> io::Result<()> {
    runtime::serve::serve(listener, tls, routes, shutdown, manner(metrics, CONNECTIONS)).await
}

fn manner(metrics: Metrics, connections: usize) -> Manner {
    let refused = "a caller of the webhook was refused";
    Manner { counts: metrics.connections, connections, answer: ANSWER, refusal, refused }
}

#[cfg(test)]
#[path = "../../shared/runtime/src/serve/harness.rs"]
mod harness;

#[cfg(test)]
#[path = "server/tests.rs"]
mod tests;

#[cfg(test)]
#[path = "server/flood_tests.rs"]
mod flood_tests;
