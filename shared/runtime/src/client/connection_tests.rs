use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body as Content, Bytes};
use futures::future::join_all;
use futures::stream;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::Builder;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::WatchParams;
use kube::client::ClientBuilder;
use kube::{Api, Client as Kube};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::client::bounded::on_one_connection;
use crate::client::bounds::Bounds;
use crate::client::{Deadlines, MayWrite, install_crypto_provider, tuned};
use crate::clusters::said;

/// Nothing here takes longer, unless it hangs.
const LIMIT: Duration = Duration::from_secs(20);
const LARGE: usize = 3 << 20;

/// A cluster, and how many connections to it were made.
struct Cluster {
    address: SocketAddr,
    certificate: Vec<u8>,
    made: Arc<AtomicUsize>,
}

impl Cluster {
    /// One that speaks these protocols.
    async fn speaking(protocols: &[&str]) -> Self {
        install_crypto_provider();
        let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(signed.signing_key.serialize_der().into());
        let mut tls = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![signed.cert.der().clone()], key)
            .unwrap();
        tls.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
        let (acceptor, made) = (TlsAcceptor::from(Arc::new(tls)), Arc::new(AtomicUsize::new(0)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, counted) = (listener.local_addr().unwrap(), made.clone());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::Relaxed);
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let tls = acceptor.accept(stream).await.unwrap();
                    let service = service_fn(async |request| Ok::<_, Infallible>(answer(&request)));
                    // Ends when the client hangs up.
                    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(tls), service).await;
                });
            }
        });
        Self { address, certificate: signed.cert.der().to_vec(), made }
    }

    fn config(&self, address: SocketAddr) -> Config {
        let mut config = Config::new(format!("https://{address}").parse().unwrap());
        config.root_cert = Some(vec![self.certificate.clone()]);
        config.auth_info.token = Some("credential".to_owned().into());
        tuned(config, Deadlines::default())
    }

    fn client(&self) -> Kube {
        on_one_connection(self.config(self.address), Bounds::default(), MayWrite::default()).unwrap()
    }

    fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }
}

fn answer(request: &Request<Incoming>) -> Response<Content> {
    assert_eq!(request.headers()["authorization"], "Bearer credential");
    let text = |text: String| Response::new(Content::from(text));
    let name = request.uri().path().rsplit('/').next().unwrap_or_default();
    if request.uri().query().is_some_and(|query| query.contains("watch=true")) {
        let line = Bytes::from(concat!(
            r#"{"type":"BOOKMARK","object":{"kind":"ConfigMap","apiVersion":"v1","#,
            r#""metadata":{"resourceVersion":"1","annotations":{}}}}"#,
            "\n"
        ));
        let lines = stream::unfold(Some(line), async |line| match line {
            Some(line) => Some((Ok::<_, Infallible>(line), None)),
            None => std::future::pending().await,
        });
        return Response::new(Content::from_stream(lines));
    }
    match name {
        "large" => text(format!("{{\"metadata\":{{\"name\":\"{}\"}}}}", "x".repeat(LARGE))),
        "headers" => Response::builder().header("a", "x".repeat(20 << 10)).body(Content::empty()).unwrap(),
        _ => text(format!("{{\"metadata\":{{\"name\":\"{name}\"}}}}")),
    }
}

async fn read(client: &Kube, name: &str) -> Result<Option<String>, String> {
    let namespaces = Api::<Namespace>::all(client.clone());
    let read = timeout(LIMIT, namespaces.get(name)).await.expect("it does not hang");
    read.map(|it| it.metadata.name).map_err(|why| said(&why))
}

#[tokio::test]
async fn perf_c5_all_watches_of_a_cluster_share_a_connection() {
    let cluster = Cluster::speaking(&["h2", "http/1.1"]).await;
    let client = cluster.client();
    assert_eq!(read(&client, "a").await, Ok(Some("a".to_owned())), "as a link asks first who it is");
    let maps = Api::<ConfigMap>::all(client.clone());
    let watches = join_all((0..40).map(async |_| maps.watch(&WatchParams::default(), "0").await)).await;
    let watches: Vec<_> = watches.into_iter().map(|it| it.expect("begun")).collect();
    let read = join_all((0..40).map(async |_| read(&client, "a").await)).await;
    assert!(read.iter().all(|it| it == &Ok(Some("a".to_owned()))), "{read:?}");
    assert_eq!((watches.len(), cluster.made()), (40, 1));
}

#[tokio::test]
async fn a_cluster_that_does_not_speak_http_2_is_asked_in_http_1() {
    for protocols in [&["http/1.1"][..], &[]] {
        let cluster = Cluster::speaking(protocols).await;
        assert_eq!(read(&cluster.client(), "a").await, Ok(Some("a".to_owned())), "{protocols:?}");
    }
}

#[tokio::test]
async fn t21_large_answers_that_wait_for_their_turn_are_in_nobodys_way() {
    let cluster = Cluster::speaking(&["h2"]).await;
    let client = cluster.client();
    assert_eq!(read(&client, "a").await, Ok(Some("a".to_owned())));
    let large = join_all((0..40).map(async |_| read(&client, "large").await)).await;
    let complete =
        large.iter().filter(|it| it.as_ref().is_ok_and(|name| name.as_ref().map(String::len) == Some(LARGE)));
    assert_eq!((complete.count(), cluster.made()), (40, 1), "{:?}", large.iter().find(|it| it.is_err()));
}

#[tokio::test]
async fn t21_an_answer_with_too_long_headers_ends_alone() {
    let cluster = Cluster::speaking(&["h2"]).await;
    let client = cluster.client();
    assert_eq!(read(&client, "a").await, Ok(Some("a".to_owned())));
    let refused = read(&client, "headers").await.unwrap_err();
    assert!(refused.contains("protocol error"), "{refused}");
    assert_eq!(read(&client, "a").await, Ok(Some("a".to_owned())));
    assert_eq!(cluster.made(), 1);
}

async fn until(stopped: &mut watch::Receiver<bool>, old: bool) {
    let _ = stopped.wait_for(|it| *it && old).await;
}

/// Passes on what comes to this cluster, but on connections that were made before it was told to stop.
async fn stoppable(to: SocketAddr) -> (SocketAddr, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        loop {
            let (mut from, _) = listener.accept().await.unwrap();
            let (mut stopped, old) = (stopped.clone(), !*stopped.borrow());
            tokio::spawn(async move {
                let mut to = TcpStream::connect(to).await.unwrap();
                tokio::select! {
                    _ = copy_bidirectional(&mut from, &mut to) => {}
                    () = until(&mut stopped, old) => std::future::pending().await,
                }
            });
        }
    });
    (address, stop)
}

#[tokio::test]
async fn c19_a_connection_that_gives_no_sign_of_life_is_replaced() {
    let cluster = Cluster::speaking(&["h2"]).await;
    let (address, stop) = stoppable(cluster.address).await;
    let signs = Signs { after: Duration::from_millis(200), within: Duration::from_millis(200) };
    let service = one(&cluster.config(address), signs).unwrap();
    let client = ClientBuilder::new(service, "default").build();
    let maps = Api::<ConfigMap>::all(client.clone());
    let mut watch = Box::pin(maps.watch(&WatchParams::default(), "0").await.expect("begun"));
    stop.send_replace(true);

    let lost = read(&client, "a").await.unwrap_err();
    assert!(lost.contains("timed out"), "{lost}");
    let ended = timeout(LIMIT, futures::TryStreamExt::try_collect::<Vec<_>>(&mut watch)).await.expect("it is given up");
    assert_eq!(said(&ended.unwrap_err()), "the connection was lost");
    assert_eq!(read(&client, "a").await, Ok(Some("a".to_owned())));
    assert_eq!(cluster.made(), 2);
}

#[tokio::test]
async fn c19_a_cluster_that_accepts_connections_and_says_nothing_is_told_of_in_words() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let cluster = Cluster::speaking(&["h2"]).await;
    let mut config = cluster.config(silent.local_addr().unwrap());
    config.connect_timeout = Some(Duration::from_millis(50));
    let client = ClientBuilder::new(one(&config, Signs::default()).unwrap(), "default").build();
    let lost = read(&client, "a").await.unwrap_err();
    assert_eq!(lost, "nothing answers in time: check that the cluster runs, and the network to it");
}
