//! How often each Machine failed in a row, and so how long to wait before the next try. No I/O.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use runtime::pause::{Pause, spread};

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);

/// The next pause, by Machine UID.
#[derive(Debug, Default)]
pub struct Retries(Mutex<HashMap<String, Pause>>);

impl Retries {
    /// Counts one more failure; the pause doubles from 1 s to 5 min, and differs by up to a quarter between Machines.
    pub fn failed(&self, uid: &str) -> Duration {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = all.entry(uid.to_owned()).or_insert_with(|| Pause::new(FIRST, LONGEST));
        spread(pause.lengthen(), uid)
    }

    /// How many Machines failed the last time.
    pub fn waiting(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// A pass came to its end.
    pub fn settled(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_are_bounded_and_start_again_after_a_success() {
        let retries = Retries::default();
        let pauses: Vec<u64> = (0..12).map(|_| retries.failed("").as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert_eq!(retries.waiting(), 1);
        retries.settled("");
        assert_eq!(retries.waiting(), 0);
        assert_eq!(retries.failed("").as_secs(), 1);
    }
}
