//! How long a connection is waited for (T17). hyper has one limit for the time until a head is complete, which cannot tell
//! a connection that is kept for the next request from one whose head comes a byte at a time. I/O: the connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// For the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(3);
/// From the handshake to the last byte of the first head. Go keeps a connection that it made and did not need; when it
/// is closed, Go makes another one.
const FIRST: Duration = Duration::from_secs(3);
/// Between two requests; the API server keeps its connections for 90 s.
const IDLE: Duration = Duration::from_secs(100);
/// From the first byte of a later head to its last.
const HEAD: Duration = Duration::from_secs(2);
/// From the head to the answer, which has limits of its own: a backstop.
const ANSWER: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Handshake,
    First,
    Idle,
    Head,
    Answer,
    /// Its place is needed.
    Leaving,
}

/// Where one connection is, and since when. Clones are the same.
#[derive(Clone)]
pub(super) struct Patience(watch::Sender<(Phase, Instant)>);

impl Patience {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new((Phase::Handshake, Instant::now())))
    }

    /// The handshake is done, and nothing was asked yet.
    pub(super) fn greeted(&self) {
        self.enter(Phase::First);
    }

    /// A head is complete, and being answered.
    pub(super) fn answering(&self) {
        self.enter(Phase::Answer);
    }

    /// The answer is made.
    pub(super) fn answered(&self) {
        self.enter(Phase::Idle);
    }

    fn bytes(&self) {
        self.turn(|phase| (phase == Phase::Idle).then_some(Phase::Head));
    }

    /// Since when nothing is being asked, if that is so.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let (phase, since) = *self.0.borrow();
        phase.is_idle().then_some(since)
    }

    /// Ends it now, unless something has begun to be asked.
    pub(super) fn leave(&self) {
        self.turn(|phase| phase.is_idle().then_some(Phase::Leaving));
    }

    fn enter(&self, phase: Phase) {
        self.0.send_replace((phase, Instant::now()));
    }

    fn turn(&self, next: impl FnOnce(Phase) -> Option<Phase>) {
        self.0.send_if_modified(|now| match next(now.0) {
            Some(next) => {
                *now = (next, Instant::now());
                true
            }
            None => false,
        });
    }

    /// Returns when the other side took too long, or its place is needed.
    pub(super) async fn ends(&self) {
        let mut phase = self.0.subscribe();
        loop {
            let limit = match phase.borrow_and_update().0 {
                Phase::Handshake => HANDSHAKE,
                Phase::First => FIRST,
                Phase::Idle => IDLE,
                Phase::Head => HEAD,
                Phase::Answer => ANSWER,
                Phase::Leaving => return,
            };
            if timeout(limit, phase.changed()).await.is_err() {
                return;
            }
        }
    }
}

impl Phase {
    fn is_idle(self) -> bool {
        match self {
            Phase::Handshake | Phase::First | Phase::Idle => true,
            Phase::Head | Phase::Answer | Phase::Leaving => false,
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
        patience.answering();
        patience.answered();
        assert!(waited(&patience).await >= IDLE);
        patience.bytes();
        assert!(trickled(&patience).await < HEAD * 2, "more bytes of the same head are no reason to wait longer");
        patience.answering();
        patience.bytes();
        assert!(waited(&patience).await >= ANSWER, "bytes of a body begin no head");
        patience.answered();
        assert!(waited(&patience).await >= IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn t17_a_connection_that_asked_nothing_yet_is_not_waited_for_as_if_it_were_idle() {
        let patience = Patience::new();
        assert!(waited(&patience).await < HANDSHAKE * 2);
        patience.greeted();
        assert!(waited(&patience).await < FIRST * 2);
        patience.greeted();
        assert!(trickled(&patience).await < FIRST * 2, "its head may take no longer");
    }

    #[tokio::test(start_paused = true)]
    async fn t17_only_a_connection_at_which_nothing_happens_leaves() {
        let patience = Patience::new();
        patience.answering();
        assert_eq!(patience.idle_since(), None);
        patience.leave();
        assert!(waited(&patience).await >= ANSWER, "it is being answered");
        patience.answered();
        assert_eq!(patience.idle_since(), Some(Instant::now()));
        patience.leave();
        assert_eq!((patience.idle_since(), waited(&patience).await), (None, Duration::ZERO));
    }

    /// How long a connection is waited for at which a byte comes now and then.
    async fn trickled(patience: &Patience) -> Duration {
        let trickle = async {
            loop {
                tokio::time::sleep(HEAD / 4).await;
                patience.bytes();
            }
        };
        let began = Instant::now();
        tokio::select! { () = trickle => {}, () = patience.ends() => {} }
        began.elapsed()
    }
}
