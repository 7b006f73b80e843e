//! A proxy between the controller and the API servers, and between an API server and the webhook, that does harm at one request,
//! event or review of a namespace: it breaks the connection, answers in the server's place, sends the request twice or too late, has
//! the controller killed, ends, freezes or falsifies a watch, or leaves an API server behind. It numbers what is about each namespace, over all
//! servers, in the order in which it comes: requests, events of watches, and reviews, each by itself.
//! I/O: a listening socket for each server, with an API server's own certificate.

mod fault;
mod lags;
mod lines;
mod past;
mod stream;
mod upstream;
mod wire;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub use self::fault::{Fault, Harm, Lapse, Way};
pub use self::lines::{Crash, Point, Seen};
use self::lines::{Line, Lines};
use self::upstream::Upstream;
use crate::error::{Error, Result};
use crate::plane::Plane;
use crate::trust::connector;

/// What the webhook is called among the servers.
const WEBHOOK: &str = "webhook";

/// Proxies of some servers.
#[derive(Debug)]
pub struct Faultline {
    lines: Arc<Lines>,
    addresses: BTreeMap<String, SocketAddr>,
}

impl Faultline {
    /// Proxies in front of these planes, and who wants the controller killed.
    pub async fn before(planes: &[&Plane]) -> Result<(Self, mpsc::UnboundedReceiver<Crash>)> {
        crate::install_crypto();
        let (crashes, killer) = mpsc::unbounded_channel();
        let mut faultline = Self { lines: Arc::new(Lines::new(crashes)), addresses: BTreeMap::new() };
        for plane in planes {
            let address = plane.url().trim_start_matches("https://").parse();
            let address = address.map_err(|error| unusable(plane.name(), &error))?;
            let authority = plane.pki().read("ca.crt")?;
            let client = connector(authority.as_bytes(), None).map_err(|error| unusable(plane.name(), &error))?;
            faultline.stand_before(plane.name(), (address, client), plane, Way::Requests).await?;
        }
        Ok((faultline, killer))
    }

    /// One more in front of the webhook, whose certificates are of that authority, for the API server of a plane: it has the
    /// certificate of that API server. Where it listens.
    pub async fn before_webhook(&mut self, webhook: SocketAddr, authority: &[u8], plane: &Plane) -> Result<SocketAddr> {
        let client = connector(authority, None).map_err(|error| unusable(WEBHOOK, &error))?;
        self.stand_before(WEBHOOK, (webhook, client), plane, Way::Reviews).await
    }

    async fn stand_before(
        &mut self,
        name: &str,
        (address, tls): (SocketAddr, TlsConnector),
        identity: &Plane,
        way: Way,
    ) -> Result<SocketAddr> {
        let server = posing_as(identity).map_err(|error| unusable(name, &*error))?;
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| unusable(name, &error))?;
        let listens = listener.local_addr().map_err(|error| unusable(name, &error))?;
        self.addresses.insert(name.to_owned(), listens);
        let upstream = Upstream { plane: name.to_owned(), address, tls, lines: self.lines.clone(), way };
        tokio::spawn(Arc::new(upstream).listen(listener, server));
        Ok(listens)
    }

    /// A kubeconfig that leads through the proxy of its plane.
    pub fn through(&self, plane: &Plane, kubeconfig: &str) -> Result<String> {
        let absent = || Error::Absent { what: format!("proxy of {}", plane.name()) };
        let proxy = self.addresses.get(plane.name()).ok_or_else(absent)?;
        Ok(kubeconfig.replace(&plane.url(), &format!("https://{proxy}")))
    }

    /// From now on what is about a namespace is counted, and harm is done at this point.
    pub fn expect(&self, namespace: &str, point: Option<Point>) {
        self.lines.with(|all| all.insert(namespace.to_owned(), Line::new(point)));
    }

    /// While a namespace is cut off, connections with a request about it break.
    pub fn cut(&self, namespace: &str, off: bool) {
        self.lines.with(|all| all.entry(namespace.to_owned()).or_default().cut = off);
    }

    /// Returns once no watch withholds bookmarks for the sake of a namespace.
    pub async fn marked(&self, namespace: &str) {
        self.lines.marked(namespace).await;
    }

    /// What came about a namespace so far.
    pub fn seen(&self, namespace: &str, way: Way) -> Vec<Seen> {
        self.lines.with(|all| all.get(namespace).and_then(|line| line.seen.get(&way)).cloned().unwrap_or_default())
    }

    /// What was noticed on the way, and must not be.
    pub fn wrong(&self, namespace: &str) -> Vec<String> {
        self.lines.with(|all| all.get(namespace).map(|line| line.wrong.clone()).unwrap_or_default())
    }
}

fn unusable(name: &str, error: &dyn std::fmt::Display) -> Error {
    Error::Absent { what: format!("proxy of {name}: {error}") }
}

/// Serves as the API server of a plane does.
fn posing_as(plane: &Plane) -> std::result::Result<TlsAcceptor, Box<dyn std::error::Error>> {
    let file = |name: &str| plane.pki().file(name);
    let chain = CertificateDer::pem_file_iter(file("apiserver.crt"))?.collect::<std::result::Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(file("apiserver.key"))?;
    let server = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(server)))
}
