//! Answers of an API server that a real one does not give on demand: it hangs, it refuses, its watch ends. For tests; what
//! a real one answers is tested against real ones, in `tests/it/webhook`.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use futures::{StreamExt, stream};
use kube::{Client, Config};
use model::names::ClusterName;
use runtime::clusters::{Cluster, State};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use crate::link::Index;

/// A client of whatever is at that address.
pub(crate) fn client(address: SocketAddr) -> Client {
    runtime::client::install_crypto_provider();
    let mut config = Config::new(format!("http://{address}").parse().expect("a URL"));
    config.default_retry = false;
    Client::try_from(config).expect("a client")
}

/// An API server that answers like this, without a socket: so time may be paused.
pub(crate) fn answering(routes: Router) -> Client {
    Client::new(routes, "default")
}

/// A kind in an API server: its list, and a watch that says these events and then nothing more.
pub(crate) fn kind(items: Vec<Value>, events: Vec<Value>) -> MethodRouter {
    get(async move |uri: Uri| {
        if !uri.query().is_some_and(|query| query.contains("watch=true")) {
            let list =
                json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": "7"}, "items": items});
            return json(200, &list);
        }
        let lines = events.clone().into_iter().map(|event| Ok::<_, std::io::Error>(format!("{event}\n")));
        Body::from_stream(stream::iter(lines).chain(stream::pending())).into_response()
    })
}

/// The discovery of a version that has one kind, which is namespaced.
pub(crate) fn kinds(version: &'static str, kind: &'static str, plural: &'static str) -> MethodRouter {
    get(async move || {
        let resource = json!({"name": plural, "singularName": "", "namespaced": true, "kind": kind, "verbs": ["list"]});
        json(200, &json!({"kind": "APIResourceList", "groupVersion": version, "resources": [resource]}))
    })
}

/// An answer in JSON.
pub(crate) fn json(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body.to_string()).into_response()
}

/// A refusal as API servers write it.
pub(crate) fn failure(code: u16, reason: &str, message: &str, details: &Value) -> Response {
    let body = json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": reason,
        "message": message, "details": details});
    json(code, &body)
}

/// An API server that takes connections and never says a word.
pub(crate) async fn silent() -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let client = client(listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        let mut held: Vec<TcpStream> = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    client
}

/// A connection to a cluster behind that client, in that state.
pub(crate) fn cluster(client: Client, state: State) -> Arc<Cluster<Index>> {
    let cluster = Cluster::new(ClusterName("east".to_owned()), client, None);
    cluster.state.send_replace(state);
    Arc::new(cluster)
}
