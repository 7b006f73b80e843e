//! A listener as a stranger on the network meets it: raw sockets, real TLS. Tests of several crates take it in by `#[path]`.
#![allow(dead_code, missing_docs, reason = "no crate needs all of it")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// No answer takes longer than this, whatever was sent.
pub(crate) const LIMIT: Duration = Duration::from_secs(8);

pub(crate) type Connection = tokio_rustls::client::TlsStream<TcpStream>;

/// A listener, and what is needed to connect to it. What keeps it running is held with it.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    tls: TlsConnector,
    _running: Box<dyn Send + Sync>,
}

impl Server {
    /// Whatever `serve` starts on a port of this machine, with a certificate for `localhost`; it gives what keeps that running.
    pub(crate) async fn of<T: Send + Sync + 'static>(serve: impl FnOnce(TcpListener, Arc<ServerConfig>) -> T) -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .expect("a pair");
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).expect("a root");
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let running = Box::new(serve(listener, Arc::new(config)));
        Self { address, tls: TlsConnector::from(Arc::new(client)), _running: running }
    }

    pub(crate) async fn connect(&self) -> Connection {
        self.connect_from([127, 0, 0, 1]).await
    }

    pub(crate) async fn connect_from(&self, address: [u8; 4]) -> Connection {
        self.tls(self.tcp_from(address).await).await
    }

    /// Linux lets everybody use any address in 127.0.0.0/8. Little is taken that is not read.
    pub(crate) async fn tcp_from(&self, address: [u8; 4]) -> TcpStream {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(16 << 10).expect("a size");
        socket.bind((address, 0).into()).expect("an address of this machine");
        socket.connect(self.address).await.expect("a connection")
    }

    async fn tls(&self, stream: TcpStream) -> Connection {
        self.tls.connect(ServerName::try_from("localhost").expect("a name"), stream).await.expect("a handshake")
    }

    /// What comes back, until the server ends the connection.
    pub(crate) async fn exchange(&self, sent: &[u8]) -> String {
        let mut stream = self.connect().await;
        // A server that has heard enough may end the connection while we still write.
        let _ = stream.write_all(sent).await;
        rest(stream).await
    }

    /// Status and body of the answer to a POST.
    pub(crate) async fn post(&self, path: &str, body: &[u8]) -> (u16, String) {
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        let answer = self.exchange(&[head.as_bytes(), body].concat()).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        (head[9..12].parse().expect("a status"), body.to_owned())
    }
}

/// What still comes; an error of the connection ends it as well.
pub(crate) async fn rest(mut stream: Connection) -> String {
    let mut answer = Vec::new();
    let ended = timeout(LIMIT, stream.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "not ended within {LIMIT:?}: {:?}", String::from_utf8_lossy(&answer));
    String::from_utf8_lossy(&answer).into_owned()
}
