//! One connection for all that a cluster is asked at a time, where it speaks HTTP/2, as every API server does: a watch of HTTP/1.1
//! has a connection to itself, and there is one for each kind. I/O: connects.

use std::time::Duration;

use axum::BoxError;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::Config;
use kube::client::{Body, ConfigExt};
use rustls::client::Resumption;
use tower::util::option_layer;
use tower::{Layer, Service, ServiceExt};

/// What is on its way of one answer, in bytes. Less than the size from which an answer has to wait for its turn: one that waits has
/// been read so far, and keeps this much back.
const ANSWER: u32 = 256 << 10;
/// And of all: so many answers have to be kept back until they are in the way of others.
const ALL: u32 = 64 * ANSWER;
/// When a connection on which nothing comes is asked for a sign of life, and how long after that it is given up without one. A request
/// that is not answered says nothing of it: others share it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signs {
    after: Duration,
    within: Duration,
}

impl Default for Signs {
    fn default() -> Self {
        Self { after: Duration::from_secs(2), within: Duration::from_secs(4) }
    }
}

/// Sends requests to the server of a configuration, with its credential and nothing else of its. The connection is made with the
/// first request, and again when it is lost.
pub(super) fn one(
    config: &Config,
    signs: Signs,
) -> kube::Result<
    impl Service<Request<Body>, Response = Response<Incoming>, Error = BoxError, Future: Send> + Send + 'static + use<>,
> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    // The head and the body of a request are sent one after the other, and would wait for each other's acknowledgement.
    tcp.set_nodelay(true);
    let mut tls = config.rustls_client_config()?;
    // A connection is lost once in a long while, and what is kept for the next one takes 16 KiB.
    tls.resumption = Resumption::disabled();
    let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_all_versions();
    let mut connector = TimeoutConnector::new(https.wrap_connector(tcp));
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    connector.set_reset_reader_on_write(config.reset_reader_on_write);
    let client = Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .http2_initial_stream_window_size(ANSWER)
        .http2_initial_connection_window_size(ALL)
        .http2_keep_alive_interval(signs.after)
        .http2_keep_alive_timeout(signs.within)
        .http2_keep_alive_while_idle(true)
        .build(connector);
    let authorized = option_layer(config.auth_layer()?).layer(client.map_err(BoxError::from));
    Ok(config.base_uri_layer().layer(authorized))
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
