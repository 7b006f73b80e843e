//! The TLS listener: one task a connection, every wait bounded, drained at the end. I/O: the network.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use runtime::shutdown::Shutdown;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

/// More connections than any number of API servers keeps; the rest waits in the listen queue (T17).
const CONNECTIONS: usize = 1024;
const HANDSHAKE: Duration = Duration::from_secs(3);
/// Also how long a kept-alive connection may be idle between two requests; the API server keeps its own for 90 s.
const HEADERS_IDLE: Duration = Duration::from_secs(100);
/// How long open requests may still take once the process is asked to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves until the process is asked to stop, then lets open requests end.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    routes: Router,
    shutdown: Shutdown,
) -> io::Result<()> {
    let acceptor = TlsAcceptor::from(tls);
    let open = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
        let stream = tokio::select! {
            () = shutdown.asked() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // Out of file descriptors, or a connection that was reset before it was accepted: the next may do.
                Err(why) => {
                    tracing::warn!(error = %why, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let (acceptor, routes, watcher) = (acceptor.clone(), routes.clone(), open.watcher());
        tokio::spawn(async move {
            let _place = place;
            let Some(tls) = handshake(&acceptor, stream).await else { return };
            let service = TowerToHyperService::new(routes);
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADERS_IDLE)
                .serve_connection(TokioIo::new(tls), service);
            if let Err(why) = watcher.watch(connection).await {
                tracing::debug!(error = %why, "a connection ended early");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, open.shutdown()).await.is_err() {
        tracing::warn!("some requests were still open after {} s", DRAIN.as_secs());
    }
    Ok(())
}

async fn handshake(acceptor: &TlsAcceptor, stream: TcpStream) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    stream.set_nodelay(true).ok()?;
    match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(tls)) => Some(tls),
        Ok(Err(why)) => {
            tracing::debug!(error = %why, "a TLS handshake failed");
            None
        }
        Err(_) => None,
    }
}
