//! Any number of clusters, which say just enough for the product to be connected. The first part of a path is
//! the name of one of them. I/O: a listening socket.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::{FutureExt, StreamExt, stream};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use model::names::MACHINE_UID;
use rustls::ServerConfig;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::Fault;

/// What the names of clusters begin with: those that answer, and those that do not.
pub(crate) const ALIVE: &str = "alive-";
pub(crate) const DEAD: &str = "dead-";
/// As an API server ends a watch that was asked for with the usual `timeoutSeconds`.
pub(crate) const WATCH: Duration = Duration::from_secs(85);
/// API groups of a cluster that has all that the product looks for.
const GROUPS: [&str; 4] = ["kubevirt.io", "cdi.kubevirt.io", "k8s.cni.cncf.io", "snapshot.storage.k8s.io"];

/// What the watch of VMs of each cluster told last. A watch begins with it: it may have happened after the list.
type News = Mutex<HashMap<String, watch::Sender<Bytes>>>;

/// Serves until the process ends; each answer takes so long.
pub(crate) async fn serve(listener: TcpListener, tls: Arc<ServerConfig>, distance: Duration) -> Result<(), Fault> {
    let news: Arc<News> = Arc::default();
    let answer = move |request: Request<Incoming>| {
        let news = news.clone();
        async move {
            tokio::time::sleep(distance).await;
            let uri = request.uri();
            answer(uri.path(), uri.query().unwrap_or_default(), &news).await
        }
    };
    accept(listener, tls, answer).await
}

/// Answers every request on every connection, until the process ends.
pub(crate) async fn accept<A>(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    answer: impl Fn(Request<Incoming>) -> A + Clone + Send + 'static,
) -> Result<(), Fault>
where
    A: Future<Output = Response<Body>> + Send + 'static,
{
    let mut tls = ServerConfig::clone(&tls);
    // As every API server.
    tls.alpn_protocols = ["h2", "http/1.1"].map(|it| it.as_bytes().to_vec()).to_vec();
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (acceptor, answer) = (acceptor.clone(), answer.clone());
        tokio::spawn(async move {
            let Ok(tls) = acceptor.accept(stream).await else { return };
            let service = service_fn(move |request| answer(request).map(Ok::<_, Infallible>));
            // Ends when the client hangs up.
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(tls), service).await;
        });
    }
}

async fn answer(path: &str, query: &str, news: &News) -> Response<Body> {
    let (cluster, rest) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
    if cluster.starts_with(DEAD) {
        return std::future::pending().await;
    }
    let last = rest.rsplit('/').next().unwrap_or_default();
    let told = || {
        let mut all = news.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(cluster.to_owned()).or_default().clone()
    };
    if query.contains("watch=true") {
        let told = if last == "virtualmachines" { told() } else { watch::Sender::default() };
        let mut hear = told.subscribe();
        hear.mark_changed();
        // The sender goes along, so that the watch does not end.
        let lines = stream::unfold((told, hear), async |(told, mut hear)| {
            hear.changed().await.ok()?;
            let line = hear.borrow_and_update().clone();
            Some((Ok::<_, Infallible>(line), (told, hear)))
        });
        return Response::new(Body::from_stream(lines.take_until(tokio::time::sleep(WATCH)).boxed()));
    }
    let body = match last {
        "kube-system" => json!({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": last, "uid": cluster}}),
        "apis" => groups(),
        _ if query.contains("limit=") => json!({"metadata": {"resourceVersion": "1"}, "items": []}),
        name if rest.contains("/virtualmachines/") => {
            let vm = json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": name,
                "namespace": "default", "uid": name, "resourceVersion": "2", "labels": {MACHINE_UID: name}}});
            told().send_replace(format!("{}\n", json!({"type": "MODIFIED", "object": vm})).into());
            vm
        }
        _ => return json_answer(StatusCode::NOT_FOUND, &json!({"kind": "Status", "status": "Failure", "code": 404})),
    };
    json_answer(StatusCode::OK, &body)
}

/// The API groups of a cluster, as its discovery names them.
pub(crate) fn groups() -> Value {
    let group = |name: &str| {
        let version = json!({"groupVersion": format!("{name}/v1"), "version": "v1"});
        json!({"name": name, "versions": [version], "preferredVersion": version})
    };
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": GROUPS.map(group)})
}

fn json_answer(status: StatusCode, body: &Value) -> Response<Body> {
    let mut answer = Response::new(Body::from(body.to_string()));
    *answer.status_mut() = status;
    answer
}
