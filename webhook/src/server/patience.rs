//! How long a connection is waited for (T17). hyper has one limit for the time until a head is complete, which cannot tell
//! a connection that is kept for the next request from one whose head comes a byte at a time. I/O: the connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::timeout;

/// Between two requests; the API server keeps its connections for 90 s.
const IDLE: Duration = Duration::from_secs(100);
/// From the first byte of a head to its last.
const HEAD: Duration = Duration::from_secs(2);
/// From the head to the answer, which has limits of its own: a backstop.
const ANSWER: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Head,
    Answer,
}

/// Where one connection is. Clones are the same.
#[derive(Clone)]
pub(super) struct Patience(watch::Sender<Phase>);

impl Patience {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Phase::Idle))
    }

    /// A head is complete, and being answered.
    pub(super) fn answering(&self) {
        self.0.send_replace(Phase::Answer);
    }

    /// The answer is made.
    pub(super) fn answered(&self) {
        self.0.send_replace(Phase::Idle);
    }

    fn bytes(&self) {
        self.0.send_if_modified(|phase| {
            let first = *phase == Phase::Idle;
            if first {
                *phase = Phase::Head;
            }
            first
        });
    }

    /// Returns when the other side took too long.
    pub(super) async fn ends(&self) {
        let mut phase = self.0.subscribe();
        loop {
            let limit = match *phase.borrow_and_update() {
                Phase::Idle => IDLE,
                Phase::Head => HEAD,
                Phase::Answer => ANSWER,
            };
            if timeout(limit, phase.changed()).await.is_err() {
                return;
            }
        }
    }
}

/// A stream that tells when bytes came.
pub(super) struct Watched<S> {
    pub(super) stream: S,
    pub(super) patience: Patience,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.patience.bytes();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    /// How long a connection at which nothing happens any more is waited for.
    async fn waited(patience: &Patience) -> Duration {
        let began = Instant::now();
        patience.ends().await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn t17_a_begun_head_is_waited_for_shorter_than_an_idle_connection() {
        let patience = Patience::new();
        assert!(waited(&patience).await >= IDLE);
        patience.bytes();
        assert!(waited(&patience).await < HEAD * 2);
        let trickle = async {
            loop {
                tokio::time::sleep(HEAD / 4).await;
                patience.bytes();
            }
        };
        let began = Instant::now();
        tokio::select! { () = trickle => {}, () = patience.ends() => {} }
        assert!(began.elapsed() < HEAD * 2, "more bytes of the same head are no reason to wait longer");
        patience.answering();
        patience.bytes();
        assert!(waited(&patience).await >= ANSWER, "bytes of a body begin no head");
        patience.answered();
        assert!(waited(&patience).await >= IDLE);
    }
}
