//! For how long a watch has failed. No I/O. P10.

use std::time::Duration;

use tokio::time::Instant;

/// A watch that failed for so long is not trusted any more; and two failures this far from each other are no row.
pub(super) const STALE: Duration = Duration::from_secs(60);
const ROW: Duration = Duration::from_secs(30);

/// Failures of a watch in a row.
#[derive(Default)]
pub(super) struct Failing {
    row: Option<(Instant, Instant)>,
}

impl Failing {
    /// It failed now: for how long it has.
    pub(super) fn since(&mut self, now: Instant) -> Duration {
        let first = self.row.filter(|(_, last)| now.duration_since(*last) < ROW).map_or(now, |(first, _)| first);
        self.row = Some((first, now));
        now.duration_since(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p10_only_failures_in_a_row_make_what_a_watch_told_old() {
        let (mut failing, start) = (Failing::default(), Instant::now());
        let mut at = |second| failing.since(start + Duration::from_secs(second)).as_secs();
        assert_eq!([at(0), at(12), at(24), at(60)], [0, 12, 24, 0], "the last one is another row");
        assert_eq!([at(75), at(90), at(105), at(121)], [15, 30, 45, 61]);
    }
}
