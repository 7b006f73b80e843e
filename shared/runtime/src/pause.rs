//! How long to wait before the next try. I/O: time passes.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use kube::runtime::utils::Backoff;
use tokio::time::Instant;

/// No list is asked for anew sooner than this after it was the last time (R19).
pub const APART: Duration = Duration::from_secs(10);

/// When a watch that failed is tried again: soon, but never twice within [`APART`]. kube's own pauses begin again with each
/// object, so that a server which forgets its history at once would be asked for everything each second.
#[derive(Debug, Default)]
pub struct Tries {
    last: Option<Instant>,
}

impl Iterator for Tries {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let left = self.last.map_or(Duration::ZERO, |last| (last + APART).saturating_duration_since(now));
        // Up to a quarter of a second more, so that the watches of a process do not come all at once.
        let some = RandomState::new().build_hasher().finish() % 250;
        let wait = left.max(Duration::from_secs(1)) + Duration::from_millis(some);
        self.last = Some(now + wait);
        Some(wait)
    }
}

impl Backoff for Tries {
    // An object that was seen is no reason to list all of them again sooner.
    fn reset(&mut self) {}
}

/// A wait that doubles from try to try.
#[derive(Clone, Debug)]
pub struct Pause {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Pause {
    /// Begins with the first wait and never grows beyond the longest.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// The wait before the next try; the one after that is twice as long.
    pub fn lengthen(&mut self) -> Duration {
        let now = self.next;
        self.next = (now * 2).min(self.longest);
        now
    }

    /// Waits, the next time twice as long.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.lengthen()).await;
    }

    /// Begins again with the first wait.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

/// Up to a quarter longer, always the same for one name: keeps a fleet from asking all at once.
pub fn spread(wait: Duration, name: &str) -> Duration {
    let sum = name.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    wait + wait * (sum % 100) / 400
}

/// Asks again until there is an answer, and logs the sentence `not_yet` with the reason why there is none.
pub async fn until_it_answers<T, F>(not_yet: &str, ask: impl Fn() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let mut pause = Pause::new(Duration::from_millis(250), Duration::from_secs(10));
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(why) => tracing::warn!(error = why, "{not_yet}"),
        }
        pause.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_pause_doubles_is_bounded_and_begins_again() {
        let mut pause = Pause::new(Duration::from_secs(1), Duration::from_secs(5));
        let seconds: Vec<_> = (0..5).map(|_| pause.lengthen().as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 5, 5]);
        pause.reset();
        assert_eq!(pause.lengthen().as_secs(), 1);
    }

    #[test]
    fn names_differ_by_up_to_a_quarter() {
        let wait = Duration::from_secs(400);
        // `a` is 97, `ab` is 97 * 31 + 98 = 3105, of which 5 counts.
        assert_eq!(["", "a", "ab"].map(|name| spread(wait, name).as_secs()), [400, 497, 405]);
    }

    #[tokio::test(start_paused = true)]
    async fn r19_a_watch_that_fails_is_tried_soon_and_then_every_ten_seconds() {
        let mut tries = Tries::default();
        let mut wait = || {
            let wait = tries.next().expect("for ever");
            tries.reset();
            wait
        };
        let is = |wait: Duration, seconds: u128| (seconds * 1000..seconds * 1000 + 250).contains(&wait.as_millis());
        let first = wait();
        assert!(is(first, 1), "{first:?}");
        tokio::time::sleep(first).await;
        let second = wait();
        assert!(is(second, 10), "{second:?}");
        tokio::time::sleep(second + Duration::from_secs(4)).await;
        let third = wait();
        assert!(is(third, 6), "it held for 4 s: {third:?}");
        tokio::time::sleep(third + Duration::from_secs(60)).await;
        let later = wait();
        assert!(is(later, 1), "it held for a minute: {later:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_does_not_answer_is_asked_again() {
        let (began, asked) = (tokio::time::Instant::now(), Cell::new(0));
        let answer = until_it_answers("nobody answers yet", || {
            asked.set(asked.get() + 1);
            std::future::ready(if asked.get() < 4 { Err("not ready".to_owned()) } else { Ok("ready") })
        });
        assert_eq!(answer.await, "ready");
        assert_eq!(began.elapsed().as_millis(), 250 + 500 + 1000);
    }
}
