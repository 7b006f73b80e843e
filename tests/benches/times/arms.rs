//! The servers that are compared.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use admission::world::Class;
use admission::{Config, Policy, World};
use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use kube::Client;
use kube::api::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse, AdmissionReview};
use model::names::{ClusterName, MachineKey};
use runtime::shutdown::Shutdown;
use rustls::ServerConfig;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use webhook::answer::{Route, answer};
use webhook::ask::Asking;
use webhook::metrics::Metrics;
use webhook::routes::{Shared, routes};
use webhook::world::Current;

use crate::{Fault, REVIEW};

/// Where the mutating route is, on every arm.
pub(crate) const MUTATE: &str = "/mutate/machines";
/// Where the validating route is.
pub(crate) const VALIDATE: &str = "/validate/machines";

/// A server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arm {
    /// Reads the body, looks for the uid, and answers always the same: the floor of what a webhook over TLS takes.
    Constant,
    /// The same without a patch.
    Null,
    /// The same behind the product's own listener: what that takes by itself.
    Listener,
    /// As webhooks are usually written in Rust: kube's types, an untyped object, axum.
    KubeTypes,
    /// The product.
    Ours,
    /// The product with its log turned off, to see what a line for each decision takes.
    Unlogged,
}

impl Arm {
    /// Its word on the command line and in what is printed.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Arm::Constant => "constant",
            Arm::Null => "null",
            Arm::Listener => "listener",
            Arm::KubeTypes => "kube-types",
            Arm::Ours => "ours",
            Arm::Unlogged => "unlogged",
        }
    }

    /// The arm of that name.
    pub(crate) fn named(name: &str) -> Result<Self, Fault> {
        let all = [Arm::Constant, Arm::Null, Arm::Listener, Arm::KubeTypes, Arm::Ours, Arm::Unlogged];
        all.into_iter().find(|arm| arm.name() == name).ok_or_else(|| format!("no arm {name}").into())
    }

    /// Serves until the process ends.
    pub(crate) async fn serve(
        self,
        listener: TcpListener,
        tls: Arc<ServerConfig>,
        configs: usize,
    ) -> Result<(), Fault> {
        // Dropping the trigger would end it at once.
        let (_trigger, shutdown) = Shutdown::manual();
        let metrics = Metrics::register(&mut Default::default());
        match self {
            Arm::Constant => fixed(listener, tls, Some(operations())).await,
            Arm::Null => fixed(listener, tls, None).await,
            Arm::Listener => {
                let rest: Arc<str> = rest(Some(&operations())).into();
                let routes = Router::new().route(MUTATE, post(async move |body: Bytes| reply(&body, &rest)));
                Ok(webhook::server::serve(listener, tls, routes, shutdown, metrics).await?)
            }
            Arm::KubeTypes => {
                let judge = async |body: Bytes| idiomatic(&body);
                let routes = Router::new().route(MUTATE, post(judge)).route(VALIDATE, post(judge));
                Ok(webhook::server::serve(listener, tls, routes, shutdown, metrics).await?)
            }
            Arm::Ours | Arm::Unlogged => {
                if self == Arm::Ours {
                    // As in its pod: a line of JSON for each cluster that is chosen.
                    runtime::telemetry::init(runtime::telemetry::LogFormat::Json, "info")?;
                }
                let current = Current::new(Policy::default());
                current.change(|it| *it = world(configs));
                // Nothing has to be asked about this review, so nobody is there to answer.
                let nobody = Client::new(Router::new(), "default");
                let asking = Arc::new(Asking::new(nobody, |_| None));
                let memory = webhook::body::Memory::new(webhook::body::BUDGET);
                let ready = runtime::ready::Ready::new();
                let shared = Shared { world: current, asking, metrics: metrics.clone(), memory, ready };
                Ok(webhook::server::serve(listener, tls, routes(shared), shutdown, metrics).await?)
            }
        }
    }
}

/// A World of so many clusters and classes, in which Machines go to the first cluster.
fn world(configs: usize) -> World {
    let name = |at: usize| format!("prod-region-{at:04}");
    let class = Class {
        generation: 1,
        cores: 2,
        threads: 1,
        sockets: 1,
        memory: "4Gi".to_owned(),
        memory_bounds: (None, None),
        enabled: true,
        default: false,
    };
    let config = |at: usize| Config { labels: [("region".to_owned(), name(at))].into(), ..Config::default() };
    let mut world = World {
        configs: (0..configs).map(|at| (ClusterName(name(at)), Arc::new(config(at)))).collect(),
        classes: Arc::new((0..configs).map(|at| (name(at), class.clone())).collect()),
        policy: Arc::new(Policy { default_cluster: Some(ClusterName(name(0))), ..Policy::default() }),
        ..World::default()
    };
    // Where the review is from, and where Machines are created.
    for namespace in ["team-platform-prod", "default"] {
        let network = MachineKey { namespace: namespace.to_owned(), name: "prod-net".to_owned() };
        world.networks.namespaces.insert_mut(network, ());
    }
    world
}

/// What the product writes onto the typical Machine, as a JSON patch: what all arms write.
pub(crate) fn operations() -> Value {
    let answer = answer(Route::Mutate, REVIEW.as_bytes(), &world(3));
    let review: Value = serde_json::from_slice(&answer.body).expect("invariant: an answer is JSON");
    let patch = STANDARD.decode(review["response"]["patch"].as_str().expect("a patch")).expect("base64");
    serde_json::from_slice(&patch).expect("a JSON patch")
}

/// What follows the uid in an answer that allows.
fn rest(patch: Option<&Value>) -> String {
    match patch {
        None => "\",\"allowed\":true}}".to_owned(),
        Some(patch) => format!(
            "\",\"allowed\":true,\"patchType\":\"JSONPatch\",\"patch\":\"{}\"}}}}",
            STANDARD.encode(patch.to_string())
        ),
    }
}

/// The answer to a review, of which only the uid is read.
fn reply(body: &[u8], rest: &str) -> String {
    let head = "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\",\"response\":{\"uid\":\"";
    [head, uid(body), rest].concat()
}

/// hyper and rustls alone.
async fn fixed(listener: TcpListener, tls: Arc<ServerConfig>, patch: Option<Value>) -> Result<(), Fault> {
    let (mutated, allowed): (Arc<str>, Arc<str>) = (rest(patch.as_ref()).into(), rest(None).into());
    let acceptor = TlsAcceptor::from(tls);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (acceptor, mutated, allowed) = (acceptor.clone(), mutated.clone(), allowed.clone());
        tokio::spawn(async move {
            let Ok(tls) = acceptor.accept(stream).await else { return };
            let service = service_fn(async |request: Request<Incoming>| {
                let rest = if request.uri().path() == VALIDATE { &allowed } else { &mutated };
                let mut response = Response::new(reply(&read(request.into_body()).await, rest));
                response
                    .headers_mut()
                    .insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
                Ok::<_, Infallible>(response)
            });
            // Ends when the client hangs up.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(tls), service).await;
        });
    }
}

async fn read(mut body: Incoming) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        all.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
    }
    all
}

/// `request.uid`, which comes before everything else in the request that could be called so.
fn uid(body: &[u8]) -> &str {
    let key = b"\"uid\"";
    let start = body.windows(key.len()).position(|window| window == key).map(|at| at + key.len());
    let value = start.and_then(|start| body[start..].split(|byte| *byte == b'"').nth(1));
    value.and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default()
}

/// The handler of kube's documentation, with the same decision as a constant.
fn idiomatic(body: &[u8]) -> Vec<u8> {
    let judged = || -> Result<Vec<u8>, Fault> {
        let review: AdmissionReview<DynamicObject> = serde_json::from_slice(body)?;
        let request: AdmissionRequest<DynamicObject> = review.try_into()?;
        let object = request.object.as_ref().ok_or("no object")?;
        let response = AdmissionResponse::from(&request);
        if object.metadata.finalizers.iter().flatten().any(|it| it == model::names::CLEANUP) {
            return Ok(serde_json::to_vec(&response.into_review())?);
        }
        let sizing = json!({"template": object.data["spec"]["machineClass"], "cores": object.data["spec"]["cpu"]["cores"],
            "disks": object.data["spec"]["disks"]});
        let annotation = |key: &str| format!("/metadata/annotations/{}", key.replace('/', "~1"));
        let patch = json!([
            {"op": "add", "path": annotation(model::names::KUBEVIRT_CONFIG), "value": "prod-region-0000"},
            {"op": "add", "path": annotation(model::names::RESOLVED), "value": sizing.to_string()},
            {"op": "add", "path": "/metadata/finalizers", "value": [model::names::CLEANUP]},
        ]);
        Ok(serde_json::to_vec(&response.with_patch(serde_json::from_value(patch)?)?.into_review())?)
    };
    judged().unwrap_or_else(|fault| fault.to_string().into_bytes())
}
