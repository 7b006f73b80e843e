//! A TLS listener: one task a connection, every wait bounded, drained at the end. I/O: the network.

pub mod body;
pub mod counts;
#[cfg(test)]
mod harness;
mod patience;
mod places;
mod watched;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

use self::body::Peer;
use self::counts::Counts;
use self::patience::Patience;
use self::places::Places;
use self::watched::Watched;
use crate::shutdown::Shutdown;

/// How long open requests may still take once the process is asked to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// The longest head, and how much of a body is read ahead; hyper's own limit is six times that for each connection.
const READ_AHEAD: usize = 64 * 1024;
/// How much of its answers the kernel keeps for a connection that does not read them; by itself it keeps megabytes (ATK2).
const UNREAD: usize = 64 * 1024;
/// Of each reason why callers are refused, no more than one a time this long is logged: nobody shall fill the log.
const REFUSALS: Duration = Duration::from_secs(10);
/// How long whoever is refused may take to hear it.
const LINGER: Duration = Duration::from_secs(1);
/// More connections than any number of callers keeps; the rest waits in the listen queue.
pub const CONNECTIONS: usize = 1024;

/// How one listener differs from another.
#[derive(Clone)]
pub struct Manner {
    /// What is counted.
    pub counts: Counts,
    /// How many connections there may be.
    pub connections: usize,
    /// From the head of a request to its answer, which has limits of its own: a backstop.
    pub answer: Duration,
    /// Why a handshake ended, where it ended because of who called: a fixed word, and a sentence.
    pub refusal: fn(&io::Error) -> Option<(&'static str, String)>,
    /// What the log says of such a caller.
    pub refused: &'static str,
}

/// Serves until the process is asked to stop, then lets open requests end.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    routes: Router,
    shutdown: Shutdown,
    manner: Manner,
) -> io::Result<()> {
    SockRef::from(&listener).set_send_buffer_size(UNREAD)?;
    let places = Places::new(manner.connections, manner.answer, manner.counts.clone());
    let acceptor = TlsAcceptor::from(tls);
    let (open, told) = (GracefulShutdown::new(), Told::default());
    loop {
        let arrives = async {
            let (stream, peer) = listener.accept().await?;
            Ok((stream, peer, places.give(peer.ip()).await))
        };
        let arrived: io::Result<_> = tokio::select! {
            () = shutdown.asked() => break,
            arrived = arrives => arrived,
        };
        let (stream, peer, place) = match arrived {
            Ok(arrived) => arrived,
            // Out of file descriptors, or a connection that was reset before it was accepted: the next may do.
            Err(why) => {
                tracing::warn!(error = %why, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Some(place) = place else {
            tracing::debug!(%peer, "this address has too many connections");
            continue;
        };
        let (acceptor, routes, watcher, told) = (acceptor.clone(), routes.clone(), open.watcher(), told.clone());
        let (refusal, refused) = (manner.refusal, manner.refused);
        tokio::spawn(async move {
            let talk = converse(&acceptor, stream, peer.ip(), routes, watcher, &place.patience, refusal);
            tokio::select! {
                ended = talk => if let Err(error) = ended {
                    match refusal(&error) {
                        None => tracing::debug!(%error, "a connection ended early"),
                        Some((why, reason)) => {
                            place.given_up(why);
                            told.refused(refused, peer, why, &reason);
                        }
                    }
                },
                why = place.ends() => {
                    place.given_up(why);
                    tracing::debug!(why, "a connection was given up");
                }
            }
        });
    }
    drop(listener);
    if timeout(DRAIN, open.shutdown()).await.is_err() {
        tracing::warn!("some requests were still open after {} s", DRAIN.as_secs());
    }
    Ok(())
}

/// Which refusals were logged, and when last.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<BTreeMap<&'static str, Instant>>>);

impl Told {
    fn refused(&self, sentence: &'static str, peer: SocketAddr, why: &'static str, reason: &str) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.get(why).is_none_or(|last| last.elapsed() >= REFUSALS) {
            last.insert(why, Instant::now());
            tracing::warn!(%peer, why, reason, "{sentence}");
        }
    }
}

/// Answers the requests of one connection until either side ends it.
async fn converse(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    peer: IpAddr,
    routes: Router,
    watcher: Watcher,
    patience: &Patience,
    refusal: fn(&io::Error) -> Option<(&'static str, String)>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let stream = match acceptor.accept(stream).into_fallible().await {
        Ok(stream) => Watched { stream, patience: patience.clone() },
        Err((why, stream)) => {
            if refusal(&why).is_some() {
                let _ = timeout(LINGER, linger(stream)).await;
            }
            return Err(why);
        }
    };
    patience.greeted();
    let inner = TowerToHyperService::new(routes);
    let waits = patience.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        let (answer, waits) = (inner.call(request), waits.clone());
        async move {
            waits.answering();
            let answer = answer.await;
            waits.answered();
            answer
        }
    });
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(READ_AHEAD)
        .serve_connection(TokioIo::new(stream), service);
    watcher.watch(connection).await.map_err(io::Error::other)
}

/// Whoever still writes when his connection ends hears of a broken pipe, and not why he is refused.
async fn linger(mut stream: TcpStream) -> io::Result<u64> {
    stream.shutdown().await?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
}

#[cfg(test)]
#[path = "serve/slow_tests.rs"]
mod slow_tests;
