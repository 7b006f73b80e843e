//! Waiting for what has no signal of its own, such as what a process has learnt from its watches. What can be watched is
//! watched instead.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

/// Anything that converges does so well within this on two busy cores; it is a limit, never a pause.
pub const LIMIT: Duration = Duration::from_secs(90);

/// Between two looks. Each may start a process, and must not keep what is waited for from happening.
const PAUSE: Duration = Duration::from_millis(200);

/// Looks again and again until there is an answer, and gives it back; each look that is in vain says what it saw.
///
/// # Panics
///
/// After [`LIMIT`], with what was waited for and what was seen last.
pub async fn eventually<T, E: Display>(what: &str, look: impl AsyncFnMut() -> Result<T, E>) -> T {
    match within(LIMIT, look).await {
        Ok(found) => found,
        Err(seen) => panic!("{what}: not within {LIMIT:?}; seen last: {seen}"),
    }
}

/// The same without a panic: after so long, what was seen last.
pub(crate) async fn within<T, E: Display>(
    limit: Duration,
    mut look: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T, String> {
    let deadline = Instant::now() + limit;
    let mut seen = "nothing, the first look did not end".to_owned();
    loop {
        match timeout_at(deadline, look()).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(vain)) => seen = vain.to_string(),
            Err(_) => return Err(seen),
        }
        if Instant::now() + PAUSE >= deadline {
            return Err(seen);
        }
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_answer_of_a_later_look_is_given_back() {
        let mut looks = 0;
        let third = async || {
            looks += 1;
            if looks == 3 { Ok("there") } else { Err(format!("look {looks}")) }
        };
        let begun = Instant::now();
        assert_eq!(within(Duration::from_secs(10), third).await, Ok("there"));
        assert_eq!(begun.elapsed(), 2 * PAUSE, "it rests between two looks");
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_ends_looks_in_vain_and_looks_that_hang() {
        let vain = async || Err::<(), _>("still 1 of 2");
        assert_eq!(within(Duration::from_secs(1), vain).await, Err("still 1 of 2".to_owned()));
        let mut looks = 0;
        let hangs = async || {
            looks += 1;
            if looks == 1 { Err::<(), _>("then silence") } else { std::future::pending().await }
        };
        assert_eq!(within(Duration::from_secs(1), hangs).await, Err("then silence".to_owned()));
    }
}
