//! How long to wait before the next try. I/O: time passes.

use std::time::Duration;

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
