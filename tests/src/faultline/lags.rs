//! API servers that are behind the others, as one of several may be: for a while it hears of nothing that changes. What is written is
//! stored all the same, and a read has the newest state unless whoever asks allows an older one; that is what an API server
//! promises. So its watches stand still, and a read that allows it is answered with what was when it fell behind. No I/O.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How long it is behind: a controller that is killed meanwhile has lists, and no events, for most of it.
const LAG: Duration = Duration::from_secs(8);

/// By API server.
#[derive(Debug, Default)]
pub(super) struct Lags(Mutex<HashMap<String, Known>>);

#[derive(Debug, Default)]
struct Known {
    /// The newest version that a watch told of.
    newest: u64,
    /// At which version it fell behind, and until when it is.
    behind: Option<(u64, Instant)>,
}

impl Lags {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A watch tells of a version.
    pub(super) fn told(&self, plane: &str, version: u64) {
        let mut all = self.lock();
        let known = all.entry(plane.to_owned()).or_default();
        known.newest = known.newest.max(version);
    }

    /// From now on it is behind. One that is already stays where it is, for longer.
    pub(super) fn fall_behind(&self, plane: &str) {
        let version = self.behind(plane);
        let mut all = self.lock();
        let known = all.entry(plane.to_owned()).or_default();
        known.behind = Some((version.unwrap_or(known.newest), Instant::now() + LAG));
    }

    /// The version that it shows, while it is behind.
    pub(super) fn behind(&self, plane: &str) -> Option<u64> {
        let (version, until) = self.lock().get(plane)?.behind?;
        (Instant::now() < until).then_some(version)
    }

    /// Returns once it is not behind.
    pub(super) async fn caught_up(&self, plane: &str) {
        while self.behind(plane).is_some() {
            let until = self.lock().get(plane).and_then(|known| known.behind).map(|(_, until)| until);
            sleep_until(until.unwrap_or_else(Instant::now)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_that_is_behind_stays_at_its_version_until_it_has_caught_up() {
        let lags = Lags::default();
        lags.told("east", 7);
        lags.told("east", 5);
        assert_eq!(lags.behind("east"), None);
        let begun = Instant::now();
        lags.fall_behind("east");
        lags.told("east", 9);
        assert_eq!((lags.behind("east"), lags.behind("west")), (Some(7), None));
        lags.caught_up("west").await;
        assert_eq!(begun.elapsed(), Duration::ZERO, "another one is not behind");
        sleep_until(begun + LAG / 2).await;
        lags.fall_behind("east");
        lags.caught_up("east").await;
        assert_eq!((begun.elapsed(), lags.behind("east")), (LAG + LAG / 2, None));
        lags.fall_behind("east");
        assert_eq!(lags.behind("east"), Some(9));
    }
}
