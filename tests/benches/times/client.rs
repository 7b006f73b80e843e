//! Clients that keep their connections, as kube-apiserver does: HTTP/1.1 over TLS without resumption. I/O: the network.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use futures::TryStreamExt;
use futures::stream::FuturesUnordered;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::Fault;
use crate::arms::MUTATE;

/// The name in the certificate.
pub(crate) const NAME: &str = "webhook.test";

/// Connections to one server.
pub(crate) struct Connections(Vec<Connection>);

struct Connection {
    tls: TlsStream<TcpStream>,
    answer: Vec<u8>,
}

impl Connections {
    /// So many, after their handshakes.
    pub(crate) async fn open(server: SocketAddr, certificate: &str, count: usize) -> Result<Self, Fault> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(certificate.as_bytes())?)?;
        let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.resumption = rustls::client::Resumption::disabled();
        let connector = TlsConnector::from(Arc::new(config));
        let mut all = Vec::new();
        for _ in 0..count {
            let stream = TcpStream::connect(server).await?;
            stream.set_nodelay(true)?;
            let tls = connector.connect(ServerName::try_from(NAME)?, stream).await?;
            all.push(Connection { tls, answer: Vec::with_capacity(8192) });
        }
        Ok(Self(all))
    }

    /// Sends a request that often over the first so many connections, each of which waits for its answers; answers with
    /// the microseconds that each took.
    pub(crate) async fn send(&mut self, request: &[u8], times: usize, concurrently: usize) -> Result<Vec<f64>, Fault> {
        let each = times / concurrently;
        let calls: FuturesUnordered<_> = self.0[..concurrently]
            .iter_mut()
            .map(async |connection| {
                let mut took = Vec::with_capacity(each);
                for _ in 0..each {
                    let begun = Instant::now();
                    connection.call(request).await?;
                    took.push(begun.elapsed().as_secs_f64() * 1e6);
                }
                Ok::<_, Fault>(took)
            })
            .collect();
        let all: Vec<Vec<f64>> = calls.try_collect().await?;
        Ok(all.concat())
    }
}

impl Connection {
    /// One request and its answer, which must be a 200 that allows.
    async fn call(&mut self, request: &[u8]) -> Result<(), Fault> {
        self.tls.write_all(request).await?;
        self.tls.flush().await?;
        self.answer.clear();
        let complete = loop {
            if self.tls.read_buf(&mut self.answer).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            if let Some(length) = length(&self.answer) {
                break length;
            }
        };
        while self.answer.len() < complete {
            if self.tls.read_buf(&mut self.answer).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
        let allowed = b"\"allowed\":true";
        if self.answer.starts_with(b"HTTP/1.1 200") && self.answer.windows(allowed.len()).any(|part| part == allowed) {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&self.answer).into())
    }
}

/// Bytes of head and body together, once the head is complete.
fn length(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&answer[..head]).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    Some(head + line.trim().parse::<usize>().ok()?)
}

/// A review as kube-apiserver posts it.
pub(crate) fn request(review: &str) -> Vec<u8> {
    let head = format!(
        "POST {MUTATE}?timeout=5s HTTP/1.1\r\nHost: {NAME}\r\nUser-Agent: kube-apiserver-admission\r\nContent-Length: {}\r\n\
         Accept: application/json, */*\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n",
        review.len()
    );
    [head.as_bytes(), review.as_bytes()].concat()
}
