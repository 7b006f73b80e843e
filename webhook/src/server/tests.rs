//! The listener as a stranger on the network meets it: raw sockets, real TLS. Every wait has a limit, none is a pause.

use std::net::SocketAddr;

use admission::{Config, Policy};
use axum::routing::get;
use certs::issue::{Ca, Lives};
use certs::resolver::{Resolver, server_config};
use model::names::ClusterName;
use prometheus_client::registry::Registry;
use runtime::ready::Ready;
use runtime::shutdown::Trigger;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use super::*;
use crate::ask::Asking;
use crate::body::Memory;
use crate::routes::{Shared, caught, routes};
use crate::world::Current;
use crate::{body, canned};

/// No answer takes longer than this, whatever was sent.
pub(super) const LIMIT: Duration = Duration::from_secs(8);

pub(super) type Connection = tokio_rustls::client::TlsStream<TcpStream>;

pub(super) struct Server {
    pub(super) address: SocketAddr,
    tls: TlsConnector,
    _running: Trigger,
}

impl Server {
    async fn start(routes: Router) -> Self {
        Self::with_places(routes, CONNECTIONS).await
    }

    pub(super) async fn with_places(routes: Router, places: usize) -> Self {
        let now = OffsetDateTime::now_utc();
        let (ca, lives) = (Ca::new(Lives::default(), now).expect("a CA"), Lives::default());
        let resolver = Arc::new(Resolver::default());
        resolver.swap(ca.sign(&["localhost".to_owned()], lives, now).expect("a leaf").certified);
        let tls = Arc::new(server_config(resolver, None).expect("a TLS configuration"));
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca.cert.pem.as_bytes()).expect("PEM")).expect("a root");
        runtime::client::install_crypto_provider();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (trigger, shutdown) = Shutdown::manual();
        let places = Places::new(places, Metrics::register(&mut Registry::default()));
        tokio::spawn(serve_some(listener, tls, routes, shutdown, places));
        Self { address, tls: TlsConnector::from(Arc::new(config)), _running: trigger }
    }

    pub(super) async fn connect(&self) -> Connection {
        self.connect_from([127, 0, 0, 1]).await
    }

    pub(super) async fn connect_from(&self, address: [u8; 4]) -> Connection {
        self.tls(self.tcp_from(address).await).await
    }

    /// Linux lets everybody use any address in 127.0.0.0/8. Little is taken that is not read.
    pub(super) async fn tcp_from(&self, address: [u8; 4]) -> TcpStream {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(16 << 10).expect("a size");
        socket.bind((address, 0).into()).expect("an address of this machine");
        socket.connect(self.address).await.expect("a connection")
    }

    async fn tls(&self, stream: TcpStream) -> Connection {
        self.tls.connect(ServerName::try_from("localhost").expect("a name"), stream).await.expect("a handshake")
    }

    /// What comes back, until the server ends the connection.
    pub(super) async fn exchange(&self, sent: &[u8]) -> String {
        let mut stream = self.connect().await;
        // A server that has heard enough may end the connection while we still write.
        let _ = stream.write_all(sent).await;
        rest(stream).await
    }

    /// Status and body of the answer to a POST.
    pub(super) async fn post(&self, path: &str, body: &[u8]) -> (u16, String) {
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        let answer = self.exchange(&[head.as_bytes(), body].concat()).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        (head[9..12].parse().expect("a status"), body.to_owned())
    }
}

/// What still comes; an error of the connection ends it as well.
pub(super) async fn rest(mut stream: Connection) -> String {
    let mut answer = Vec::new();
    let ended = timeout(LIMIT, stream.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "not ended within {LIMIT:?}: {:?}", String::from_utf8_lossy(&answer));
    String::from_utf8_lossy(&answer).into_owned()
}

pub(super) async fn webhook() -> Server {
    with_memory(Memory::new(body::BUDGET)).await
}

pub(super) async fn with_memory(memory: Memory) -> Server {
    Server::start(reviews(memory).await).await
}

/// The routes of the product.
pub(super) async fn reviews(memory: Memory) -> Router {
    let world = Current::new(Policy::default());
    let east = (ClusterName("east".to_owned()), Arc::new(Config::default()));
    world.change(|world| world.configs = [east].into());
    let asking = Arc::new(Asking::new(canned::silent().await, |_| None));
    let metrics = Metrics::register(&mut Registry::default());
    routes(Shared { world, asking, metrics, memory, ready: Ready::new() })
}

pub(super) fn review(object: &str) -> Vec<u8> {
    let kind = r#"{"group":"vitistack.io","version":"v1alpha1","kind":"Machine"}"#;
    format!(
        r#"{{"request":{{"uid":"u-1","operation":"CREATE","name":"web","namespace":"shop","kind":{kind},"object":{object}}}}}"#
    )
    .into_bytes()
}

#[tokio::test]
async fn t16_every_body_is_answered() {
    let server = webhook().await;
    let nested = |depth: usize| {
        review(&format!(r#"{{"spec":{{"template":"small"}},"x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth)))
    };
    let mut bad_utf8 = review(r#"{"spec":{"template":"?"}}"#);
    let at = bad_utf8.iter().rposition(|byte| *byte == b'?').expect("there");
    bad_utf8[at] = 0xff;
    let padded = |size: usize| {
        let mut body = review("{}");
        body.resize(size, b' ');
        body
    };
    #[rustfmt::skip]
    let cases: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        ("nothing",             Vec::new(),                                                  400, "this is no AdmissionReview"),
        ("cut off",             b"{\"request\":{\"uid\":\"u-1\"".to_vec(),                   400, "this is no AdmissionReview"),
        ("nested 100 levels",   nested(100),                                                 200, "\"allowed\":true"),
        ("nested without end",  nested(100_000),                                             200, "\"allowed\":true"),
        ("nested where it counts", review(&format!(r#"{{"spec":{{"disks":{}{}}}}}"#, "[".repeat(200), "]".repeat(200))), 200, "\"field\":\"spec.disks[0]\""),
        ("only nesting",        vec![b'['; 1 << 20],                                         400, "this is no AdmissionReview"),
        ("a duplicate key",     review(r#"{"spec":{"template":"small","template":"large"}}"#), 200, "duplicate field `template`"),
        ("a duplicate spec",    review(r#"{"spec":{},"spec":{}}"#),                          200, "duplicate field `spec`"),
        ("invalid UTF-8",       bad_utf8,                                                    200, "the AdmissionReview is not UTF-8"),
        ("only invalid UTF-8",  vec![0xff; 100],                                             400, "this is no AdmissionReview"),
        ("a wrong type",        review(r#"{"spec":{"template":7}}"#),                        200, "\"field\":\"spec.template\""),
        ("a wrong kind of all", review("7"),                                                 200, "\"field\":\"request.object\""),
        ("as large as allowed", padded(body::LIMIT),                                         200, "\"allowed\":false"),
        ("7 MiB and one byte",  padded(body::LIMIT + 1),                                     413, ""),
    ];
    for path in ["/mutate/machines", "/validate/machines"] {
        for (case, body, status, says) in &cases {
            let began = Instant::now();
            if *status == 413 {
                // Only promised: who sends more than is read meets either the answer or the end of the connection.
                let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
                let answer = server.exchange(head.as_bytes()).await;
                assert!(answer.starts_with("HTTP/1.1 413 "), "{path}: {case}: {answer}");
                continue;
            }
            let (got, answer) = server.post(path, body).await;
            let validated = path.starts_with("/validate") && says.contains(":true");
            let says = if validated { "NotStable" } else { says };
            assert_eq!(got, *status, "{path}: {case}: {answer}");
            assert!(answer.contains(says), "{path}: {case}: {answer}");
            assert!(began.elapsed() < LIMIT, "{path}: {case}");
        }
    }
    let chunk = vec![b' '; 1 << 16];
    let mut chunked = b"POST /mutate/machines HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..=body::LIMIT / chunk.len() {
        chunked.extend_from_slice(b"10000\r\n");
        chunked.extend_from_slice(&chunk);
        chunked.extend_from_slice(b"\r\n");
    }
    let answer = server.exchange(&chunked).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413 "), "no promise at all: {answer}");
    let long = format!("POST /mutate/machines HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(2 * READ_AHEAD));
    let answer = server.exchange(long.as_bytes()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "a head without end: {answer}");
}

#[tokio::test]
async fn t15_a_direct_call_learns_the_decision_and_nothing_else() {
    let server = webhook().await;
    let named =
        json!({"metadata": {"annotations": {"vitistack.io/kubevirt-config": "nord"}}, "spec": {"template": "small"}});
    let (status, answer) = server.post("/mutate/machines", &review(&named.to_string())).await;
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!((status, keys(&answer)), (200, ["apiVersion", "kind", "response"].map(str::to_owned).to_vec()));
    assert_eq!(keys(&answer["response"]), ["allowed", "status", "uid"]);
    assert_eq!(answer["response"]["status"]["details"]["causes"][0]["reason"], "KubevirtConfigNotFound");
    for path in
        ["/", "/metrics", "/readyz", "/debug", "/mutate", "/mutate/machines/", "/validate/machines/x", "/../etc"]
    {
        assert_eq!(server.post(path, b"{}").await, (404, String::new()), "{path}");
    }
    let got = server.exchange(b"GET /mutate/machines HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(got.starts_with("HTTP/1.1 405 ") && got.ends_with("\r\n\r\n"), "{got}");
    let head = got.to_ascii_lowercase();
    assert!(!head.contains("server:") && !head.contains("x-powered-by"), "{got}");
}

#[tokio::test]
async fn t17_a_panic_ends_its_request_and_nothing_else() {
    async fn broken() -> &'static str {
        panic!("invariant: a test that has to panic")
    }
    let server =
        Server::start(caught(Router::new().route("/broken", get(broken)).route("/whole", get(async || "whole")))).await;
    let both = "GET /broken HTTP/1.1\r\nHost: x\r\n\r\nGET /whole HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answers = server.exchange(both.as_bytes()).await;
    assert!(answers.starts_with("HTTP/1.1 500 "), "{answers}");
    assert!(answers.contains("HTTP/1.1 200 ") && answers.ends_with("whole"), "on the same connection: {answers}");
    assert!(!answers.contains("invariant"), "what panicked is nobody's business: {answers}");
}
