//! An API server in memory with one Secret and two webhook configurations. It can be cut at a request, and it shakes hands by what
//! stands in the configurations, or stood there a moment ago.

use std::sync::{Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use k8s_openapi::ByteString;
use kube::Client;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, crypto::ring};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::*;

const KINDS: [&str; 2] = ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"];
/// How long a request is under way, there and back.
const WAY: Duration = Duration::from_millis(5);

/// What happens at a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Whoever asks is killed; the request did not arrive.
    DiesBefore,
    /// Whoever asks is killed; the request arrived.
    DiesAfter,
    /// The API server is killed before the request arrives.
    Refused,
    /// The API server is killed after the request.
    Unanswered,
}

/// What one process has asked for since it was armed, and where that is cut.
#[derive(Default)]
pub(super) struct Fuse {
    cut: Mutex<Option<(usize, Cut)>>,
    requests: Mutex<Vec<String>>,
    blown: Notify,
}

impl Fuse {
    pub(super) fn arm(&self, cut: Option<(usize, Cut)>) {
        *self.cut.lock().unwrap() = cut;
        self.requests.lock().unwrap().clear();
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub(super) async fn blown(&self) {
        self.blown.notified().await;
    }

    fn next(&self, request: String) -> Option<Cut> {
        let mut requests = self.requests.lock().unwrap();
        requests.push(request);
        self.cut.lock().unwrap().filter(|(at, _)| *at + 1 == requests.len()).map(|(_, cut)| cut)
    }

    /// The process is killed here.
    async fn blow(&self) -> ! {
        self.blown.notify_one();
        std::future::pending().await
    }
}

struct State {
    version: u64,
    secret: Value,
    configurations: [Value; 2],
    /// What stands in them.
    bundles: [String; 2],
    /// Bundles that do not stand in a configuration any more, and since when.
    past: Vec<(Instant, String)>,
    /// Each `ca.crt`, once.
    signed_with: Vec<String>,
    /// Until when a leaf is valid by a bundle, if it is.
    shaken: Vec<(CertificateDer<'static>, String, Option<i64>)>,
}

pub(super) struct Server {
    lag: Duration,
    begun: Instant,
    state: Mutex<State>,
}

fn text(encoded: &Value) -> String {
    let bytes: Option<ByteString> = serde_json::from_value(encoded.clone()).ok();
    bytes.map(|it| String::from_utf8(it.0).expect("text")).unwrap_or_default()
}

fn bundle(configuration: &Value) -> String {
    text(&configuration["webhooks"][0]["clientConfig"]["caBundle"])
}

fn failure(code: u16, reason: &str) -> (u16, Value) {
    let status = "Failure";
    (
        code,
        json!({"apiVersion": "v1", "kind": "Status", "status": status, "message": reason, "reason": reason, "code": code}),
    )
}

impl State {
    /// Answers a request.
    fn take(&mut self, method: &Method, kind: &str, body: &[u8]) -> (u16, Value) {
        self.version += 1;
        let version = json!(self.version.to_string());
        let sent = || serde_json::from_slice::<Value>(body).expect("JSON");
        if let Some(at) = KINDS.iter().position(|it| *it == kind) {
            let configuration = &mut self.configurations[at];
            if *method == Method::PATCH {
                let patch: json_patch::Patch = serde_json::from_value(sent()).expect("a patch");
                if json_patch::patch(configuration, &patch).is_err() {
                    return failure(422, "Invalid");
                }
                configuration["metadata"]["resourceVersion"] = version;
                let before = std::mem::replace(&mut self.bundles[at], bundle(configuration));
                self.past.push((Instant::now(), before));
            }
            return (200, configuration.clone());
        }
        let known = self.secret["metadata"]["resourceVersion"].clone();
        match *method {
            Method::GET | Method::PUT if known.is_null() => failure(404, "NotFound"),
            Method::GET => (200, self.secret.clone()),
            Method::PUT if sent()["metadata"]["resourceVersion"] != known => failure(409, "Conflict"),
            Method::POST if !known.is_null() => failure(409, "AlreadyExists"),
            _ => {
                self.secret = sent();
                self.secret["metadata"]["resourceVersion"] = version;
                let current = text(&self.secret["data"]["ca.crt"]);
                if !self.signed_with.contains(&current) {
                    self.signed_with.push(current);
                }
                (200, self.secret.clone())
            }
        }
    }
}

impl Server {
    pub(super) fn new(lag: Duration) -> Self {
        let configuration = || {
            json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "WebhookConfiguration",
                "metadata": {"name": "hook"}, "webhooks": [{"name": "one", "clientConfig": {"url": "https://127.0.0.1"}}]})
        };
        let state = State {
            version: 0,
            secret: Value::Null,
            configurations: [configuration(), configuration()],
            bundles: Default::default(),
            past: Vec::new(),
            signed_with: Vec::new(),
            shaken: Vec::new(),
        };
        Self { lag, begun: Instant::now(), state: Mutex::new(state) }
    }

    pub(super) fn clock(&self) -> Clock {
        let begun = self.begun;
        Arc::new(move || OffsetDateTime::from_unix_timestamp(1_800_000_000).expect("a time") + begun.elapsed())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Somebody asks for the next CA, as docs/certificates.md says.
    pub(super) fn ask(&self) {
        let mut state = self.state();
        state.secret["metadata"]["annotations"] = json!({ROTATE: "now"});
        state.secret["metadata"]["resourceVersion"] = json!("asked");
    }

    /// How many CAs have been the current one.
    pub(super) fn signed_with(&self) -> usize {
        self.state().signed_with.len()
    }

    /// There is one CA, nobody asks for another one, and both configurations trust that one and nothing else.
    pub(super) fn has_one_ca(&self) -> bool {
        let state = self.state();
        let keys: Vec<_> = state.secret["data"].as_object().into_iter().flat_map(|data| data.keys()).collect();
        let current = text(&state.secret["data"]["ca.crt"]);
        keys == ["ca.crt", "ca.key"]
            && state.secret["metadata"]["annotations"].get(ROTATE).is_none()
            && state.bundles.iter().all(|it| *it == current)
    }

    /// For a test that fails.
    pub(super) fn told(&self) -> String {
        let state = self.state();
        let bundles = state.bundles.each_ref().map(|it| it.matches("BEGIN CERTIFICATE").count());
        let keys: Vec<_> = state.secret["data"].as_object().into_iter().flat_map(|data| data.keys()).collect();
        format!("Secret with {keys:?}, {bundles:?} certificates in the bundles")
    }

    /// API servers that follow the configurations, some of them late, call whoever serves this.
    pub(super) fn shake(&self, leaf: &CertifiedKey) -> Result<(), String> {
        let now = (self.clock())().unix_timestamp();
        let state = &mut *self.state();
        state.past.retain(|(since, bundle)| since.elapsed() < self.lag && !bundle.is_empty());
        for bundle in state.bundles.iter().chain(state.past.iter().map(|(_, bundle)| bundle)) {
            let known = state.shaken.iter().find(|(shaken, by, _)| *shaken == leaf.cert[0] && by == bundle);
            let ends = known.map_or_else(|| ends_by(&leaf.cert[0], bundle, now), |(.., ends)| *ends);
            if known.is_none() {
                state.shaken.push((leaf.cert[0].clone(), bundle.clone(), ends));
            }
            if ends.is_none_or(|ends| ends < now) {
                return Err(format!("a handshake fails {} s after the start", self.begun.elapsed().as_secs()));
            }
        }
        Ok(())
    }
}

/// Verifies a leaf as TLS clients do; answers with when it ends.
fn ends_by(leaf: &CertificateDer<'_>, bundle: &str, now: i64) -> Option<i64> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(root.expect("a certificate")).expect("a root");
    }
    let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(ring::default_provider()));
    let (name, now) = (ServerName::try_from(NAMES[0]).expect("a name"), Duration::from_secs(now.try_into().ok()?));
    builder.build().ok()?.verify_server_cert(leaf, &[], &name, &[], UnixTime::since_unix_epoch(now)).ok()?;
    Some(x509_parser::parse_x509_certificate(leaf).ok()?.1.validity().not_after.timestamp())
}

/// What one process reaches the API server by. Its watches say nothing: a pass comes when it is time for one.
pub(super) fn client(server: &Arc<Server>, fuse: &Arc<Fuse>) -> Client {
    let (server, fuse) = (server.clone(), fuse.clone());
    let routes = Router::new().fallback(move |method: Method, uri: Uri, body: Bytes| {
        let (server, fuse) = (server.clone(), fuse.clone());
        async move { answer(&server, &fuse, &method, &uri, &body).await }
    });
    Client::new(routes, "default")
}

async fn answer(server: &Server, fuse: &Fuse, method: &Method, uri: &Uri, body: &[u8]) -> Response {
    if uri.query().is_some_and(|query| query.contains("fieldSelector")) {
        return std::future::pending().await;
    }
    let kind = ["secrets"].iter().chain(&KINDS).find(|kind| uri.path().contains(**kind)).expect("a kind");
    sleep(WAY).await;
    let cut = fuse.next(format!("{method} {kind}"));
    match cut {
        Some(Cut::DiesBefore) => fuse.blow().await,
        Some(Cut::Refused) => return respond(failure(503, "ServiceUnavailable")),
        Some(Cut::DiesAfter | Cut::Unanswered) | None => {}
    }
    let answered = server.state().take(method, kind, body);
    match cut {
        Some(Cut::DiesAfter) => fuse.blow().await,
        Some(Cut::Unanswered) => return respond(failure(503, "ServiceUnavailable")),
        Some(Cut::DiesBefore | Cut::Refused) | None => {}
    }
    sleep(WAY).await;
    respond(answered)
}

fn respond((code, body): (u16, Value)) -> Response {
    let status = StatusCode::from_u16(code).expect("a status");
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
