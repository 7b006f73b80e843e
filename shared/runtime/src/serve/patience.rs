//! How long a connection is waited for (T17). hyper has one limit for the time until a head is complete, which cannot tell
//! a connection that is kept for the next request from one whose head comes a byte at a time, and none for an answer that
//! nobody reads. No I/O, but time.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// For the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(3);
/// From the handshake to the first byte, when places are scarce. Else as long as between two requests: Go makes connections
/// ahead, and does not send a request again that it had begun on the first use of one that was just being closed.
const SILENT: Duration = Duration::from_secs(3);
/// From the first byte to the last of the first head.
const FIRST: Duration = Duration::from_secs(3);
/// Between two requests; the API server keeps its connections for 90 s.
const IDLE: Duration = Duration::from_secs(100);
/// From the first byte of a later head to its last.
const HEAD: Duration = Duration::from_secs(2);
/// From the answer to its last byte on the way (ATK2).
const WRITE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Handshake,
    /// Nothing came after the handshake.
    Silent,
    First,
    Idle,
    Head,
    Answer,
    Write,
    /// Its place is needed.
    Leaving,
}

/// What is lost with a connection, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worth {
    /// Nothing: it never asked.
    Nothing,
    /// It asked, and is kept for the next time.
    Kept,
    /// Something is being asked or answered.
    Busy,
}

/// Where one connection is, and since when. Clones are the same.
#[derive(Clone)]
pub(super) struct Patience {
    now: watch::Sender<(Phase, Instant)>,
    /// From the head to the answer, which has limits of its own: a backstop.
    answer: Duration,
}

impl Patience {
    pub(super) fn new(answer: Duration) -> Self {
        Self { now: watch::Sender::new((Phase::Handshake, Instant::now())), answer }
    }

    /// The handshake is done, and nothing was asked yet.
    pub(super) fn greeted(&self) {
        self.enter(Phase::Silent);
    }

    /// A head is complete, and being answered.
    pub(super) fn answering(&self) {
        self.enter(Phase::Answer);
    }

    /// The answer is made, and has to be written.
    pub(super) fn answered(&self) {
        self.enter(Phase::Write);
    }

    /// Nothing is left to be written.
    pub(super) fn written(&self) {
        self.turn(|phase| (phase == Phase::Write).then_some(Phase::Idle));
    }

    /// Bytes came.
    pub(super) fn bytes(&self) {
        self.turn(|phase| match phase {
            Phase::Silent => Some(Phase::First),
            Phase::Idle => Some(Phase::Head),
            _ => None,
        });
    }

    /// What is lost with it, and since when it is as it is; nothing when it is leaving.
    pub(super) fn worth(&self) -> Option<(Worth, Instant)> {
        let (phase, since) = *self.now.borrow();
        Some((phase.worth()?, since))
    }

    /// Ends it now, unless more would be lost by now.
    pub(super) fn leave(&self, most: Worth) {
        self.turn(|phase| phase.worth().filter(|worth| *worth <= most).map(|_| Phase::Leaving));
    }

    fn enter(&self, next: Phase) {
        self.turn(|phase| (phase != Phase::Leaving).then_some(next));
    }

    fn turn(&self, next: impl FnOnce(Phase) -> Option<Phase>) {
        self.now.send_if_modified(|now| match next(now.0) {
            Some(next) => {
                *now = (next, Instant::now());
                true
            }
            None => false,
        });
    }

    /// Returns when the other side took too long, or its place is needed, and says which. `scarce` says whether places are.
    pub(super) async fn ends(&self, scarce: impl Fn() -> bool) -> &'static str {
        let mut seen = self.now.subscribe();
        loop {
            let (phase, since) = *seen.borrow_and_update();
            let limit = match phase {
                Phase::Handshake => HANDSHAKE,
                Phase::Silent => SILENT,
                Phase::First => FIRST,
                Phase::Idle => IDLE,
                Phase::Head => HEAD,
                Phase::Answer => self.answer,
                Phase::Write => WRITE,
                Phase::Leaving => return "made-room",
            };
            if timeout(limit, seen.changed()).await.is_ok() {
                continue;
            }
            if phase != Phase::Silent || scarce() || since.elapsed() >= IDLE {
                return "too-slow";
            }
        }
    }
}

impl Phase {
    fn worth(self) -> Option<Worth> {
        match self {
            Phase::Handshake | Phase::Silent | Phase::First => Some(Worth::Nothing),
            Phase::Idle => Some(Worth::Kept),
            Phase::Head | Phase::Answer | Phase::Write => Some(Worth::Busy),
            Phase::Leaving => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: Duration = Duration::from_secs(10);

    /// How long a connection at which nothing happens any more is waited for.
    async fn waited(patience: &Patience) -> Duration {
        let began = Instant::now();
        patience.ends(|| true).await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn t17_a_begun_head_is_waited_for_shorter_than_an_idle_connection() {
        let patience = Patience::new(ANSWER);
        patience.answering();
        patience.answered();
        patience.written();
        assert!(waited(&patience).await >= IDLE);
        patience.bytes();
        assert!(trickled(&patience).await < HEAD * 2, "more bytes of the same head are no reason to wait longer");
        patience.answering();
        patience.bytes();
        assert!(waited(&patience).await >= ANSWER, "bytes of a body begin no head");
        patience.answered();
        patience.written();
        assert!(waited(&patience).await >= IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn t17_a_connection_that_asked_nothing_yet_is_not_waited_for_as_if_it_were_idle() {
        let patience = Patience::new(ANSWER);
        assert!(waited(&patience).await < HANDSHAKE * 2);
        patience.greeted();
        assert!(waited(&patience).await < SILENT * 2);
        patience.greeted();
        assert!(trickled(&patience).await < FIRST * 2, "its head may take no longer");
    }

    #[tokio::test(start_paused = true)]
    async fn g5_t17_a_connection_made_ahead_is_kept_until_places_are_scarce() {
        let patience = Patience::new(ANSWER);
        patience.greeted();
        let began = Instant::now();
        patience.ends(|| false).await;
        assert!((IDLE..IDLE + SILENT * 2).contains(&began.elapsed()), "{:?}", began.elapsed());
        patience.greeted();
        let began = Instant::now();
        patience.ends(|| began.elapsed() > Duration::from_secs(30)).await;
        assert!(began.elapsed() < Duration::from_secs(30) + SILENT * 2, "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn atk2_an_answer_that_nobody_reads_is_not_waited_for_as_if_the_connection_were_idle() {
        let patience = Patience::new(ANSWER);
        patience.answering();
        patience.written();
        assert!(waited(&patience).await >= ANSWER, "nothing is written yet");
        patience.answered();
        assert!(trickled(&patience).await < WRITE * 2, "more that is asked is no reason to wait longer");
        patience.written();
        assert!(waited(&patience).await >= IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn t17_only_a_connection_that_is_worth_no_more_leaves() {
        let patience = Patience::new(ANSWER);
        let worth = || patience.worth().map(|(worth, _)| worth);
        assert_eq!(worth(), Some(Worth::Nothing));
        patience.answering();
        patience.leave(Worth::Kept);
        assert_eq!(worth(), Some(Worth::Busy));
        assert!(waited(&patience).await >= ANSWER, "it is being answered");
        patience.answered();
        assert_eq!(worth(), Some(Worth::Busy));
        patience.written();
        assert_eq!(patience.worth(), Some((Worth::Kept, Instant::now())));
        patience.leave(Worth::Nothing);
        assert_eq!(worth(), Some(Worth::Kept));
        patience.leave(Worth::Kept);
        patience.answering();
        assert_eq!((worth(), waited(&patience).await), (None, Duration::ZERO), "it is too late to ask");
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
        tokio::select! { () = trickle => {}, _ = patience.ends(|| false) => {} }
        began.elapsed()
    }
}
