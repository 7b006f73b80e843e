//! The webhook's certificates on a real API server: one Secret and two webhook configurations, kept by replicas in this process,
//! each with a client and a clock of its own.

mod bundles;
mod clocks;
mod damage;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use certs::metrics::Metrics;
use certs::plan::Pace;
use certs::{Identity, Settings};
use futures::future::join_all;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use prometheus_client::registry::Registry;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tests::plane::Plane;
use time::OffsetDateTime;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::machines::resource;
use crate::planes::bare;

const SECRET: &str = "webhook-ca";
/// Without a watch, a replica looks each minute: what is put right before that was seen.
const AT_ONCE: Duration = Duration::from_secs(30);
const KINDS: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// A namespace with the two configurations of its name. They match nothing.
struct Ground {
    plane: &'static Plane,
    name: &'static str,
    secrets: Api<Secret>,
    configurations: [Api<DynamicObject>; 2],
}

/// One replica.
struct Replica {
    identity: Identity,
    /// How far its clock is off, in seconds.
    offset: Arc<AtomicI64>,
    registry: Registry,
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.identity.task.abort();
    }
}

impl Ground {
    async fn new(name: &'static str) -> Self {
        let plane = bare().await;
        plane.ensure_namespace(name).await.unwrap_or_else(|error| panic!("{error}"));
        let client = plane.client().await.unwrap_or_else(|error| panic!("{error}"));
        let configurations =
            KINDS.map(|kind| Api::all_with(client.clone(), &resource(kind, "admissionregistration.k8s.io")));
        for (kind, api) in KINDS.iter().zip(&configurations) {
            let nowhere = json!({"matchLabels": {"kubernetes.io/metadata.name": "nowhere"}});
            let rules = json!([{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["CREATE"]}]);
            let webhook = |name: &str| {
                json!({"name": name, "clientConfig": {"url": "https://127.0.0.1:1/"}, "rules": rules, "namespaceSelector": nowhere,
                    "sideEffects": "None", "admissionReviewVersions": ["v1"], "failurePolicy": "Ignore"})
            };
            let object = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name},
                "webhooks": [webhook("one.example.com"), webhook("two.example.com")]});
            let object = serde_json::from_value(object).expect("an object");
            api.create(&PostParams::default(), &object).await.expect("a configuration");
        }
        Self { plane, name, secrets: Api::namespaced(client, name), configurations }
    }

    /// Starts a replica whose clock is off by that many seconds.
    async fn start(&self, offset: i64) -> Replica {
        let offset = Arc::new(AtomicI64::new(offset));
        let settings = Settings {
            namespace: self.name.to_owned(),
            secret: SECRET.to_owned(),
            mutating: self.name.to_owned(),
            validating: self.name.to_owned(),
            names: vec!["127.0.0.1".to_owned()],
            client_authorities: None,
            client_names: Vec::new(),
            pace: Pace::default(),
            clock: Arc::new({
                let offset = offset.clone();
                move || OffsetDateTime::now_utc() + time::Duration::seconds(offset.load(Ordering::Relaxed))
            }),
        };
        let client = self.plane.client().await.unwrap_or_else(|error| panic!("{error}"));
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let identity = certs::start(client, settings, metrics).unwrap_or_else(|error| panic!("{error}"));
        Replica { identity, offset, registry }
    }

    async fn started(&self, offset: i64) -> Replica {
        let replica = self.start(offset).await;
        replica.ready().await;
        replica
    }

    async fn secret(&self) -> Secret {
        self.secrets.get(SECRET).await.expect("a Secret")
    }

    /// The `caBundle` of each of the four webhooks, PEM.
    async fn bundles(&self) -> Vec<String> {
        let mut bundles = Vec::new();
        for api in &self.configurations {
            let live = api.get(self.name).await.expect("a configuration");
            for webhook in live.data["webhooks"].as_array().expect("webhooks") {
                let bytes: Option<ByteString> =
                    serde_json::from_value(webhook["clientConfig"]["caBundle"].clone()).ok();
                bundles.push(bytes.map(|it| String::from_utf8(it.0).expect("text")).unwrap_or_default());
            }
        }
        bundles
    }

    /// The one bundle of all webhooks, once it is.
    async fn bundle(&self) -> Result<String, String> {
        let all = self.bundles().await;
        if all.iter().all(|bundle| *bundle == all[0] && !bundle.is_empty()) {
            Ok(all[0].clone())
        } else {
            Err(format!("{all:#?}"))
        }
    }

    /// Sets the `caBundle` of one webhook; null takes it away.
    async fn spoil(&self, configuration: usize, webhook: usize, bundle: &Value) {
        let path = format!("/webhooks/{webhook}/clientConfig/caBundle");
        let operation = if bundle.is_null() {
            json!({"op": "remove", "path": path})
        } else {
            json!({"op": "add", "path": path, "value": bundle})
        };
        let patch = serde_json::from_value(json!([operation])).expect("a patch");
        let api = &self.configurations[configuration];
        api.patch(self.name, &PatchParams::default(), &Patch::<()>::Json(patch)).await.expect("patched");
    }
}

impl Replica {
    async fn ready(&self) {
        let mut ready = self.identity.ready.clone();
        let waits = tokio::time::timeout(tests::wait::LIMIT, ready.wait_for(|ready| *ready)).await;
        waits.expect("it becomes ready").expect("it runs");
    }

    /// The leaf that a new connection gets, if whoever trusts this bundle takes it by a clock that is off by that much.
    async fn shown(&self, bundle: &str, offset: i64) -> Result<CertificateDer<'static>, String> {
        let (near, far) = tokio::io::duplex(16 * 1024);
        let name = ServerName::try_from("127.0.0.1").expect("a name");
        let acceptor = TlsAcceptor::from(self.identity.tls.clone());
        let connector = connector(bundle, offset);
        let (_, connected) = tokio::join!(acceptor.accept(far), connector.connect(name, near));
        let (_, session) = connected.map_err(|error| error.to_string())?.into_inner();
        Ok(session.peer_certificates().expect("a certificate")[0].clone().into_owned())
    }

    /// How often it took a step.
    fn steps(&self) -> BTreeMap<String, u32> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).expect("text");
        let counted =
            text.lines().filter_map(|line| line.strip_prefix("kubevirt_operator_certificate_steps_total{step=\""));
        let counted = counted.filter_map(|rest| rest.split_once("\"} "));
        counted.map(|(step, count)| (step.to_owned(), count.parse().expect("a number"))).collect()
    }
}

#[derive(Debug)]
struct Off(i64);

impl TimeProvider for Off {
    fn current_time(&self) -> Option<UnixTime> {
        let now = OffsetDateTime::now_utc().unix_timestamp() + self.0;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(now.try_into().ok()?)))
    }
}

fn connector(bundle: &str, offset: i64) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(root.expect("a certificate")).expect("a root");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_details(provider, Arc::new(Off(offset)));
    let config = config.with_safe_default_protocol_versions().expect("versions").with_root_certificates(roots);
    TlsConnector::from(Arc::new(config.with_no_client_auth()))
}

/// PEM texts of a bundle.
fn certificates(bundle: &str) -> usize {
    bundle.matches("BEGIN CERTIFICATE").count()
}

#[tokio::test]
async fn cert3_replicas_that_start_at_once_end_with_one_ca() {
    let ground = Ground::new("certs-race").await;
    let replicas: Vec<_> = join_all([0; 6].map(|offset| ground.start(offset))).await;
    join_all(replicas.iter().map(Replica::ready)).await;
    let bundle = ground.bundle().await.expect("one bundle");
    assert_eq!(certificates(&bundle), 1);
    assert_eq!(ground.secret().await.data.expect("data")["ca.crt"].0, bundle.as_bytes());
    let mut leaves = BTreeSet::new();
    for replica in &replicas {
        leaves.insert(replica.shown(&bundle, 0).await.expect("trusted").to_vec());
    }
    assert_eq!(leaves.len(), 6, "each has a leaf of its own");
    let begun: u32 = replicas.iter().filter_map(|replica| replica.steps().get("begin").copied()).sum();
    assert_eq!(begun, 1, "and one of them has made the CA");
}
