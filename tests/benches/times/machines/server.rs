//! A supervisor and a cluster that hold so many Machines, with as much of an API server as the controller needs. The
//! first part of a path is the name of one of the two. I/O: a listening socket.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

use super::objects::{CLUSTER, NAMESPACE, WORD, bind, instance, is_settled, machine, manage, run, uid};
use super::store::{Kind, Store};
use crate::Fault;
use crate::links::clusters::{WATCH, accept, groups};

/// Of the two.
pub(super) const SUPERVISOR: &str = "supervisor";

/// The one Machine, until there are more.
type Shared = Arc<Mutex<Store>>;

fn lock(store: &Shared) -> MutexGuard<'_, Store> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

fn kind(server: &str, plural: &str) -> Kind {
    (server.to_owned(), plural.to_owned())
}

/// Serves until the process ends.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    certificate: &str,
    machines: usize,
) -> Result<(), Fault> {
    let store = Shared::default();
    fill(&mut lock(&store), &kubeconfig(&listener.local_addr()?.to_string(), CLUSTER, certificate));
    let answer = move |request| {
        let store = store.clone();
        async move { answer(request, &store, machines).await }
    };
    accept(listener, tls, answer).await
}

/// What leads to one of the two.
pub(super) fn kubeconfig(server: &str, name: &str, certificate: &str) -> String {
    let authority = STANDARD.encode(certificate);
    json!({
        "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        "clusters": [{"name": "c", "cluster": {"server": format!("https://{server}/{name}"), "certificate-authority-data": authority}}],
        "users": [{"name": "c", "user": {"token": "none-that-matters"}}],
    })
    .to_string()
}

/// A KubevirtConfig, and a Machine that nobody has looked at yet.
fn fill(store: &mut Store, kubeconfig: &str) {
    let metadata = |name: &str| json!({"name": name, "namespace": "default", "uid": name});
    let config = json!({"metadata": metadata(CLUSTER), "spec": {"name": CLUSTER, "kubeconfigSecretRef": CLUSTER}});
    let secret = json!({"metadata": metadata(CLUSTER), "data": {"kubeconfig": STANDARD.encode(kubeconfig)}});
    let key = format!("default/{CLUSTER}");
    store.put(&kind(SUPERVISOR, "kubevirtconfigs"), &key, config);
    store.put(&kind(SUPERVISOR, "secrets"), &key, secret);
    for server in [SUPERVISOR, CLUSTER] {
        for (name, id) in [(NAMESPACE, NAMESPACE), ("kube-system", server)] {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "uid": id}});
            store.put(&kind(server, "namespaces"), &format!("/{name}"), namespace);
        }
    }
    let class =
        json!({"metadata": {"name": "fast-ssd", "uid": "class"}, "provisioner": "csi", "allowVolumeExpansion": true});
    store.put(&kind(CLUSTER, "storageclasses"), "/fast-ssd", class);
    store.put(&kind(SUPERVISOR, "machines"), &format!("{NAMESPACE}/web-{WORD}"), machine());
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

async fn answer(request: Request<Incoming>, store: &Shared, machines: usize) -> Response<Body> {
    let (head, body) = request.into_parts();
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
    let asked = |name: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value.replace("%2F", "/"))
    };
    let Some((server, plural, namespace, name)) = parts(path) else {
        return match path.rsplit('/').next().unwrap_or_default() {
            "settled" => said(StatusCode::OK, settle(store, machines).to_string()),
            "forget" => {
                lock(store).forget(SUPERVISOR);
                said(StatusCode::OK, String::new())
            }
            "writes" => said(StatusCode::OK, lock(store).writes.to_string()),
            VERSION if path.contains(GROUP) => said(StatusCode::OK, scope().to_string()),
            "apis" => said(StatusCode::OK, groups().to_string()),
            _ => absent(),
        };
    };
    // Of what is asked for by a field there is nothing: namespaces that are being deleted, pods that are on a node.
    let kind = kind(server, if asked("fieldSelector").is_some() { "none" } else { plural });
    let key = |name: &str| format!("{namespace}/{name}");
    if head.method == Method::GET {
        return match name {
            Some(name) => {
                lock(store).get(&kind, &key(name)).map_or_else(absent, |text| said(StatusCode::OK, text.clone()))
            }
            None if asked("watch").is_some() => {
                let version = asked("resourceVersion").and_then(|it| it.parse().ok()).unwrap_or_default();
                follow(store.clone(), kind, version)
            }
            None => {
                let limit = asked("limit").and_then(|it| it.parse().ok()).unwrap_or(usize::MAX);
                said(StatusCode::OK, lock(store).list(&kind, asked("continue").as_deref(), limit))
            }
        };
    }
    let body = to_bytes(Body::new(body), usize::MAX).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut store = lock(store);
    // Of its KubevirtConfig the controller says how many Machines it has.
    store.writes += usize::from(!matches!(plural, "kubevirtconfigs" | "events"));
    match name {
        Some(name) => {
            let Some(mut object) = store.get(&kind, &key(name)).and_then(|text| serde_json::from_str(text).ok()) else {
                return absent();
            };
            merge(&mut object, &body);
            said(StatusCode::OK, store.put(&kind, &key(name), object))
        }
        None => said(StatusCode::CREATED, create(&mut store, &kind, namespace, body)),
    }
}

/// Stores what is new, with what others make of it at once.
fn create(store: &mut Store, of: &Kind, namespace: &str, mut object: Value) -> String {
    let (server, plural) = of;
    let name = object["metadata"]["name"].as_str().unwrap_or("event").to_owned();
    let key = format!("{namespace}/{name}");
    object["metadata"]["namespace"] = json!(namespace);
    object["metadata"]["uid"] = json!(uid(plural));
    object["metadata"]["generation"] = json!(1);
    object["metadata"]["creationTimestamp"] = json!("2026-11-20T10:00:05Z");
    match plural.as_str() {
        // Nobody reads them.
        "events" => return object.to_string(),
        "persistentvolumeclaims" => bind(&mut object),
        "virtualmachines" => {
            run(&mut object);
            store.put(&kind(server, "virtualmachineinstances"), &key, instance(&object));
        }
        _ => {}
    }
    store.put(of, &key, object)
}

/// Once the controller has nothing more to say of the Machine, there are as many as are wanted: how many there are then.
fn settle(store: &Shared, machines: usize) -> usize {
    let mut store = lock(store);
    let key = format!("{NAMESPACE}/web-{WORD}");
    let machine = store.get(&kind(SUPERVISOR, "machines"), &key).and_then(|text| serde_json::from_str(text).ok());
    if !machine.is_some_and(|machine| is_settled(&machine)) {
        return 0;
    }
    let words: Vec<String> = (0..machines).map(|at| format!("a{at:05}")).collect();
    store.multiply(WORD, &words, |_, object| manage(object));
    store.writes = 0;
    machines
}

fn merge(object: &mut Value, change: &Value) {
    let (Value::Object(fields), Value::Object(changes)) = (&mut *object, change) else {
        *object = change.clone();
        return;
    };
    for (name, change) in changes {
        if change.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name).or_insert_with(|| json!({})), change);
        }
    }
}

fn follow(store: Shared, kind: Kind, version: u64) -> Response<Body> {
    let news = lock(&store).news();
    let lines = stream::unfold((store, kind, version, news), async |(store, kind, version, mut news)| {
        loop {
            let (version, lines) = {
                news.mark_unchanged();
                lock(&store).since(&kind, version)
            };
            if !lines.is_empty() {
                return Some((Ok::<_, Infallible>(Bytes::from(lines.concat())), (store, kind, version, news)));
            }
            news.changed().await.ok()?;
        }
    });
    Response::new(Body::from_stream(lines.take_until(tokio::time::sleep(WATCH)).boxed()))
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
