//! How often each Machine failed in a row, and so how long to wait before the next try. No I/O.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);

/// Failures in a row, by Machine UID.
#[derive(Debug, Default)]
pub struct Retries(Mutex<HashMap<String, u32>>);

impl Retries {
    /// Counts one more failure; the pause doubles from 1 s to 5 min, and differs by up to a quarter between Machines.
    pub fn failed(&self, uid: &str) -> Duration {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(uid.to_owned()).or_default();
        let pause = FIRST * 2_u32.pow((*count).min(9));
        *count += 1;
        pause.min(LONGEST) + pause.min(LONGEST) * spread(uid) / 400
    }

    /// A pass came to its end.
    pub fn settled(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}

/// 0 to 99, always the same for one Machine: keeps a fleet from asking all at once.
pub fn spread(uid: &str) -> u32 {
    uid.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))) % 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_are_bounded_and_start_again_after_a_success() {
        let retries = Retries::default();
        let pauses: Vec<u64> = (0..12).map(|_| retries.failed("").as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        retries.settled("");
        assert_eq!(retries.failed("").as_secs(), 1);
    }
}
