//! One server behind a proxy: requests go to it, or something else happens to them. I/O: one connection there for each request.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, split};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, server};

use super::fault::{Fault, Harm, Lapse, Way};
use super::lines::{Lines, Seen};
use super::past::Past;
use super::stream::{Watch, ended};
use super::wire::{Request, body, garbage, html, read, refusal, status_of, write};

/// Longer than the controller waits for an answer, and than an API server waits for a webhook.
const TOO_LATE: Duration = Duration::from_secs(12);

type Caller = server::TlsStream<TcpStream>;

/// A server.
pub(super) struct Upstream {
    pub(super) plane: String,
    pub(super) address: SocketAddr,
    pub(super) tls: TlsConnector,
    pub(super) lines: Arc<Lines>,
    /// What its requests are, watches aside.
    pub(super) way: Way,
}

impl Upstream {
    pub(super) async fn listen(self: Arc<Self>, listener: TcpListener, tls: TlsAcceptor) {
        while let Ok((stream, _)) = listener.accept().await {
            let (upstream, tls) = (self.clone(), tls.clone());
            tokio::spawn(async move {
                let mut stream = tls.accept(stream).await?;
                if let Some(request) = read(&mut stream).await? {
                    upstream.serve(&mut stream, &request).await?;
                }
                // Whoever hangs up has been answered, or was killed.
                Ok::<_, io::Error>(())
            });
        }
    }

    /// Answers a request; after it the connection is closed.
    async fn serve(&self, stream: &mut Caller, request: &Request) -> io::Result<()> {
        if request.is_watch() {
            return self.watch(stream, request).await;
        }
        let Some(namespace) = request.namespace() else {
            let answer = self.ask(request).await?;
            return write(stream, &answer).await;
        };
        let (method, path) = (request.method.clone(), request.path().to_owned());
        let seen = Seen { plane: self.plane.clone(), method, path, status: 0 };
        let Some((index, harm)) = self.lines.arrive(self.way, &namespace, seen) else { return Ok(()) };
        let fault = match harm {
            Some(Harm::Request(fault) | Harm::Review(fault)) => Some(fault),
            Some(Harm::Watch(_)) | None => None,
        };
        let answer = match fault {
            None => Some(self.ask(request).await?),
            Some(fault) => self.harm(stream, request, &namespace, fault).await?,
        };
        if let Some(answer) = answer {
            self.lines.told(self.way, &namespace, index, status_of(&answer));
            write(stream, &answer).await?;
        }
        if matches!(fault, Some(Fault::CrashAfter | Fault::CrashStale)) {
            self.lines.crash(&namespace).await;
        }
        Ok(())
    }

    async fn watch(&self, stream: &mut Caller, request: &Request) -> io::Result<()> {
        let version = request.version().unwrap_or(u64::MAX);
        match self.lines.forgot(&self.plane, request.path(), version) {
            Some(Lapse::Gone) => return write(stream, &refusal(410, "Expired", "")).await,
            Some(_) => return write(stream, &ended()).await,
            None => {}
        }
        let answer = self.send(request).await?;
        let watch = Watch { lines: &self.lines, plane: &self.plane, path: request.path() };
        let (mut hears, mut says) = split(stream);
        tokio::select! {
            passed = watch.pass(answer, &mut says) => passed,
            // There is nothing to say during a watch, so this is the end of it.
            _ = hears.read_u8() => Ok(()),
        }
    }

    /// Does the harm; what is answered, if anything is.
    async fn harm(
        &self,
        stream: &mut Caller,
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
            Fault::Stale | Fault::CrashStale => {
                self.lines.lags.fall_behind(&self.plane);
                Some(self.ask(request).await?)
            }
            Fault::Reset => None,
            Fault::Unanswered => {
                self.ask(request).await?;
                None
            }
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
                let first = self.ask(request).await?;
                let second = self.ask(request).await?;
                if self.way == Way::Reviews && body(&first) != body(&second) {
                    let (first, second) = (String::from_utf8_lossy(&first), String::from_utf8_lossy(&second));
                    self.lines.accuse(namespace, format!("one review has two answers (I7): {first}, and {second}"));
                }
                Some(second)
            }
            Fault::TimedOut => {
                self.ask(request).await?;
                Some(refusal(504, "Timeout", ""))
            }
            Fault::Answer(code, reason) => {
                let patience = if code == 429 { "retry-after: 1\r\n" } else { "" };
                Some(refusal(code, reason, patience))
            }
            Fault::Html => Some(html()),
            Fault::Garbage => {
                self.ask(request).await?;
                Some(garbage())
            }
        })
    }

    /// The whole answer of the server, which may be behind.
    async fn ask(&self, request: &Request) -> io::Result<Vec<u8>> {
        let behind = self.lines.lags.behind(&self.plane);
        match behind.and_then(|version| Past::of(request, version)) {
            Some(past) => Ok(past.read(self.ask_now(&past.instead).await?)),
            None => self.ask_now(request).await,
        }
    }

    async fn ask_now(&self, request: &Request) -> io::Result<Vec<u8>> {
        let mut answer = Vec::new();
        let mut stream = self.send(request).await?;
        // It may close without saying so.
        match stream.read_to_end(&mut answer).await {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error),
            Ok(_) | Err(_) => {}
        }
        Ok(answer)
    }

    async fn send(&self, request: &Request) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::from(self.address.ip());
        let mut stream = self.tls.connect(name, stream).await?;
        write(&mut stream, &request.bytes()).await?;
        Ok(stream)
    }
}
