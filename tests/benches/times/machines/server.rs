//! A supervisor and clusters, with as much of an API server as the controller needs. The first part of a path is the name of
//! one of them; what follows [`ASIDE`] is for the benchmark. I/O: a listening socket.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::{StreamExt, stream};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use model::names::{GROUP, VERSION};
use rustls::ServerConfig;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::sleep;

use super::objects::{PHASES, cluster};
use super::store::Kind;
use super::world::{Fleet, SUPERVISOR, World, named};
use crate::Fault;
use crate::links::clusters::{WATCH, accept, groups};

/// In the path of what the benchmark wants.
pub(super) const ASIDE: &str = "/aside/";
/// Between two addresses that change, how many do, and how far they are apart: not a part of any number of Machines.
const PACE: Duration = Duration::from_millis(10);
pub(super) const READDRESSED: usize = 1_000;
const APART: usize = 7_919;

type Shared = Arc<Mutex<World>>;

fn lock(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves until the process ends.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    certificate: &str,
    fleet: Fleet,
) -> Result<(), Fault> {
    let address = listener.local_addr()?.to_string();
    let world = Arc::new(Mutex::new(World::new(fleet, |name| kubeconfig(&address, name, certificate))?));
    let answer = move |request| answer(request, world.clone());
    accept(listener, tls, answer).await
}

/// What leads to one of them.
pub(super) fn kubeconfig(server: &str, name: &str, certificate: &str) -> String {
    let authority = STANDARD.encode(certificate);
    json!({
        "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        "clusters": [{"name": "c", "cluster": {"server": format!("https://{server}/{name}"), "certificate-authority-data": authority}}],
        "users": [{"name": "c", "user": {"token": "none-that-matters"}}],
    })
    .to_string()
}

/// The parts of a path that count: the server, then plural, namespace and name as far as they are there.
fn parts(path: &str) -> Option<(&str, &str, &str, Option<&str>)> {
    let (server, rest) = path.trim_start_matches('/').split_once('/')?;
    let parts: Vec<&str> = rest.split('/').collect();
    let (["api", _, after @ ..] | ["apis", _, _, after @ ..]) = parts.as_slice() else { return None };
    match after {
        ["namespaces", namespace, plural, name @ ..] if *plural != "status" => {
            Some((server, plural, namespace, name.first().copied()))
        }
        [plural, name @ ..] => Some((server, plural, "", name.first().copied())),
        [] => None,
    }
}

async fn answer(request: Request<Incoming>, world: Shared) -> Response<Body> {
    let (head, body) = request.into_parts();
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
    let asked = |name: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value.replace("%2F", "/"))
    };
    let number = |name: &str| asked(name).and_then(|it| it.parse().ok());
    if let Some((_, word)) = path.split_once(ASIDE) {
        return control(word, number("count").unwrap_or_default(), &world);
    }
    let server = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    if server != SUPERVISOR {
        let distance = Duration::from_millis(lock(&world).fleet.distance);
        sleep(distance).await;
        if lock(&world).silent && server == cluster(0) {
            return std::future::pending().await;
        }
    }
    let Some((_, plural, namespace, name)) = parts(path) else {
        return match path.rsplit('/').next().unwrap_or_default() {
            VERSION if path.contains(GROUP) => said(StatusCode::OK, scope().to_string()),
            "apis" => said(StatusCode::OK, groups().to_string()),
            _ => absent(),
        };
    };
    let all: Kind = (server.to_owned(), plural.to_owned());
    // Of what is asked for by another field there is nothing: namespaces that are being deleted, pods that are on a node.
    let kind = match asked("fieldSelector").as_deref().map(|it| it.split_once("metadata.name%3D")) {
        None => all,
        Some(Some((_, name))) => named(&all, name),
        Some(None) => named(&all, ""),
    };
    let key = |name: &str| format!("{namespace}/{name}");
    if head.method == Method::GET {
        if name.is_none() && asked("watch").is_some() {
            return follow(world, kind, asked("resourceVersion").and_then(|it| it.parse().ok()).unwrap_or_default());
        }
        let mut world = lock(&world);
        world.seen.reads += 1;
        let Some(name) = name else {
            let limit = number("limit").unwrap_or(usize::MAX);
            return said(StatusCode::OK, world.store.list(&kind, asked("continue").as_deref(), limit));
        };
        return world.store.get(&kind, &key(name)).map_or_else(absent, |text| said(StatusCode::OK, text.clone()));
    }
    let body = to_bytes(Body::new(body), usize::MAX).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if let Some(name) = name {
        let changed = lock(&world).change(&kind, &key(name), &body);
        return changed.map_or_else(absent, |text| said(StatusCode::OK, text));
    }
    let starts = (plural == "virtualmachines").then(|| key(body["metadata"]["name"].as_str().unwrap_or_default()));
    let text = lock(&world).create(&kind, namespace, body);
    if let Some(key) = starts {
        tokio::spawn(boot(world, kind.0, key));
    }
    said(StatusCode::CREATED, text)
}

/// Lets a VM run.
async fn boot(world: Shared, server: String, key: String) {
    let pause = Duration::from_millis(lock(&world).fleet.boot);
    for at in 0..PHASES.len() {
        sleep(pause).await;
        lock(&world).boot(&server, &key, at);
    }
}

/// What the benchmark wants.
fn control(word: &str, count: usize, world: &Shared) -> Response<Body> {
    let mut held = lock(world);
    match word {
        "arrive" => held.arrive(count),
        "multiply" => held.multiply(count),
        "forget" => held.store.forget(SUPERVISOR),
        "silence" => held.silent = true,
        "enforce" => held.enforce(),
        "statuses" => return said(StatusCode::OK, json!(held.statuses()).to_string()),
        "readdress" => {
            let world = world.clone();
            // Of so many Machines.
            tokio::spawn(async move {
                for at in 0..READDRESSED {
                    sleep(PACE).await;
                    lock(&world).readdress(at * APART % count);
                }
            });
        }
        "lags" => return said(StatusCode::OK, json!(held.lags).to_string()),
        _ => {}
    }
    said(StatusCode::OK, json!(held.seen).to_string())
}

fn follow(world: Shared, kind: Kind, version: u64) -> Response<Body> {
    let news = lock(&world).store.news(&kind);
    let lines = stream::unfold((world, kind, version, news), async |(world, kind, version, mut news)| {
        loop {
            let (silent, (version, lines)) = {
                news.mark_unchanged();
                let held = lock(&world);
                (held.silent && kind.0 == cluster(0), held.store.since(&kind, version))
            };
            if silent {
                std::future::pending::<()>().await;
            }
            if !lines.is_empty() {
                return Some((Ok::<_, Infallible>(Bytes::from(lines.concat())), (world, kind, version, news)));
            }
            news.changed().await.ok()?;
        }
    });
    Response::new(Body::from_stream(lines.take_until(sleep(WATCH)).boxed()))
}

fn scope() -> Value {
    json!({"groupVersion": format!("{GROUP}/{VERSION}"), "resources": [
        {"name": "kubevirtconfigs", "singularName": "kubevirtconfig", "kind": "KubevirtConfig", "namespaced": true, "verbs": ["list"]}]})
}

fn absent() -> Response<Body> {
    said(
        StatusCode::NOT_FOUND,
        json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}).to_string(),
    )
}

fn said(status: StatusCode, body: String) -> Response<Body> {
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = status;
    answer
}
