//! A proxy between the controller and the API servers that does harm at one request of a namespace: it breaks the connection, answers
//! in the server's place, sends the request twice or too late, or has the controller killed. It numbers the requests that are
//! about each namespace, over all API servers, in the order in which they come; watches pass and are not counted.
//! I/O: a listening socket for each API server, with that server's own certificate; one connection there for each request.

mod fault;
mod wire;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub use self::fault::Fault;
use self::wire::{Request, read, refusal, status_of, write};
use crate::error::{Error, Result};
use crate::plane::Plane;

/// Longer than the controller waits for an answer.
const TOO_LATE: Duration = Duration::from_secs(12);

/// Where harm is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The number of the request, from 1.
    pub at: usize,
    /// What happens there.
    pub fault: Fault,
}

/// A request that was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The API server.
    pub plane: String,
    /// HTTP method.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// HTTP status that the controller was told; 0 for none.
    pub status: u16,
}

impl Seen {
    /// Whether it may have changed something that matters; an Event is only told.
    pub fn is_write(&self) -> bool {
        self.method != "GET" && !self.path.contains("/events")
    }
}

/// The controller is to be killed; it is dead once this is answered.
pub type Crash = oneshot::Sender<()>;

/// Proxies of some API servers.
#[derive(Debug)]
pub struct Faultline {
    lines: Arc<Lines>,
    addresses: BTreeMap<String, SocketAddr>,
}

#[derive(Debug)]
struct Lines {
    /// By namespace; only those that are expected are counted.
    expected: Mutex<HashMap<String, Line>>,
    crashes: mpsc::UnboundedSender<Crash>,
}

#[derive(Debug, Default)]
struct Line {
    seen: Vec<Seen>,
    point: Option<Point>,
    /// The controller is about to be killed: nothing more comes through.
    dying: bool,
    /// Nothing comes through.
    cut: bool,
}

/// One API server.
struct Upstream {
    plane: String,
    address: SocketAddr,
    tls: TlsConnector,
    lines: Arc<Lines>,
}

impl Faultline {
    /// Proxies in front of these planes, and who wants the controller killed.
    pub async fn before(planes: &[&Plane]) -> Result<(Self, mpsc::UnboundedReceiver<Crash>)> {
        crate::install_crypto();
        let (crashes, killer) = mpsc::unbounded_channel();
        let lines = Arc::new(Lines { expected: Mutex::default(), crashes });
        let mut addresses = BTreeMap::new();
        for plane in planes {
            let name = plane.name().to_owned();
            let unusable = |error: &dyn std::fmt::Display| Error::Absent { what: format!("proxy of {name}: {error}") };
            let address = plane.url().trim_start_matches("https://").parse().map_err(|error| unusable(&error))?;
            let (server, client) = tls(plane).map_err(|error| unusable(&*error))?;
            let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| unusable(&error))?;
            addresses.insert(name.clone(), listener.local_addr().map_err(|error| unusable(&error))?);
            let upstream = Arc::new(Upstream { plane: name, address, tls: client, lines: lines.clone() });
            tokio::spawn(upstream.listen(listener, server));
        }
        Ok((Self { lines, addresses }, killer))
    }

    /// A kubeconfig that leads through the proxy of its plane.
    pub fn through(&self, plane: &Plane, kubeconfig: &str) -> Result<String> {
        let absent = || Error::Absent { what: format!("proxy of {}", plane.name()) };
        let proxy = self.addresses.get(plane.name()).ok_or_else(absent)?;
        Ok(kubeconfig.replace(&plane.url(), &format!("https://{proxy}")))
    }

    /// From now on the requests of a namespace are counted, and harm is done at this point.
    pub fn expect(&self, namespace: &str, point: Option<Point>) {
        self.lines.with(|all| all.insert(namespace.to_owned(), Line { point, ..Line::default() }));
    }

    /// While a namespace is cut off, connections with a request about it break.
    pub fn cut(&self, namespace: &str, off: bool) {
        self.lines.with(|all| all.entry(namespace.to_owned()).or_default().cut = off);
    }

    /// The requests of a namespace so far.
    pub fn seen(&self, namespace: &str) -> Vec<Seen> {
        self.lines.with(|all| all.get(namespace).map(|line| line.seen.clone()).unwrap_or_default())
    }
}

/// As the plane, and to it.
fn tls(plane: &Plane) -> std::result::Result<(TlsAcceptor, TlsConnector), Box<dyn std::error::Error>> {
    let file = |name: &str| plane.pki().file(name);
    let chain = CertificateDer::pem_file_iter(file("apiserver.crt"))?.collect::<std::result::Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(file("apiserver.key"))?;
    let server = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file("ca.crt"))? {
        roots.add(certificate?)?;
    }
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok((TlsAcceptor::from(Arc::new(server)), TlsConnector::from(Arc::new(client))))
}

impl Lines {
    fn with<T>(&self, look: impl FnOnce(&mut HashMap<String, Line>) -> T) -> T {
        look(&mut self.expected.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts a request: its index, and what happens to it. `None` while nothing comes through.
    fn arrive(&self, namespace: &str, seen: Seen) -> Option<(usize, Option<Fault>)> {
        self.with(|all| {
            let Some(line) = all.get_mut(namespace) else { return Some((usize::MAX, None)) };
            if line.dying || line.cut {
                return None;
            }
            line.seen.push(seen);
            let at = line.seen.len();
            let fault = line.point.filter(|point| point.at == at).map(|point| point.fault);
            line.dying = fault.is_some_and(Fault::kills);
            Some((at - 1, fault))
        })
    }

    fn told(&self, namespace: &str, index: usize, status: u16) {
        self.with(|all| {
            if let Some(seen) = all.get_mut(namespace).and_then(|line| line.seen.get_mut(index)) {
                seen.status = status;
            }
        });
    }

    /// Has the controller killed, and lets the next one pass.
    async fn crash(&self, namespace: &str) {
        let (dead, killed) = oneshot::channel();
        // The receiver lives as long as the sweep.
        let _ = self.crashes.send(dead);
        let _ = killed.await;
        self.with(|all| all.get_mut(namespace).map(|line| line.dying = false));
    }
}

impl Upstream {
    async fn listen(self: Arc<Self>, listener: TcpListener, tls: TlsAcceptor) {
        while let Ok((stream, _)) = listener.accept().await {
            let (upstream, tls) = (self.clone(), tls.clone());
            tokio::spawn(async move {
                let mut stream = tls.accept(stream).await?;
                while let Some(request) = read(&mut stream).await? {
                    if !upstream.serve(&mut stream, &request).await? {
                        break;
                    }
                }
                // Whoever hangs up has been answered, or was killed.
                Ok::<_, io::Error>(())
            });
        }
    }

    /// Answers a request; false when the connection is to be closed.
    async fn serve(
        &self,
        stream: &mut tokio_rustls::server::TlsStream<TcpStream>,
        request: &Request,
    ) -> io::Result<bool> {
        if request.is_watch() {
            let mut answer = self.send(request).await?;
            tokio::io::copy(&mut answer, stream).await?;
            return Ok(false);
        }
        let Some(namespace) = request.namespace() else {
            let answer = self.ask(request).await?;
            write(stream, &answer).await?;
            return Ok(false);
        };
        let (method, path) = (request.method.clone(), request.path().to_owned());
        let seen = Seen { plane: self.plane.clone(), method, path, status: 0 };
        let Some((index, fault)) = self.lines.arrive(&namespace, seen) else { return Ok(false) };
        let answer = match fault {
            None => Some(self.ask(request).await?),
            Some(fault) => self.harm(stream, request, &namespace, fault).await?,
        };
        if let Some(answer) = answer {
            self.lines.told(&namespace, index, status_of(&answer));
            write(stream, &answer).await?;
        }
        if fault == Some(Fault::CrashAfter) {
            self.lines.crash(&namespace).await;
        }
        Ok(false)
    }

    /// Does the harm; what is answered, if anything is.
    async fn harm(
        &self,
        stream: &mut tokio_rustls::server::TlsStream<TcpStream>,
        request: &Request,
        namespace: &str,
        fault: Fault,
    ) -> io::Result<Option<Vec<u8>>> {
        Ok(match fault {
            Fault::CrashBefore => {
                self.lines.crash(namespace).await;
                None
            }
            Fault::CrashDuring => {
                self.ask(request).await?;
                self.lines.crash(namespace).await;
                None
            }
            Fault::CrashAfter => Some(self.ask(request).await?),
            Fault::Reset => None,
            Fault::HalfAnswer => {
                let answer = self.ask(request).await?;
                write(stream, &answer[..answer.len() / 2]).await?;
                None
            }
            Fault::Late => {
                tokio::time::sleep(TOO_LATE).await;
                self.ask(request).await?;
                None
            }
            Fault::Twice => {
                self.ask(request).await?;
                Some(self.ask(request).await?)
            }
            Fault::TimedOut => {
                self.ask(request).await?;
                Some(refusal(504, "Timeout", ""))
            }
            Fault::Answer(code, reason) => {
                let patience = if code == 429 { "retry-after: 1\r\n" } else { "" };
                Some(refusal(code, reason, patience))
            }
            Fault::Html => Some(wire::html()),
        })
    }

    /// The whole answer of the API server.
    async fn ask(&self, request: &Request) -> io::Result<Vec<u8>> {
        let mut answer = Vec::new();
        let mut stream = self.send(request).await?;
        // An API server may close without saying so.
        match tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer).await {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error),
            Ok(_) | Err(_) => {}
        }
        Ok(answer)
    }

    async fn send(&self, request: &Request) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::from(self.address.ip());
        let mut stream = self.tls.connect(name, stream).await?;
        write(&mut stream, &request.bytes()).await?;
        Ok(stream)
    }
}
