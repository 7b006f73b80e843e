//! Medians of ratios, with the interval in which the true one lies with 95 % confidence. Pure.

use std::fmt;

/// How often the rounds are drawn again to see how far the median moves.
const RESAMPLES: usize = 2_000;

/// The median of a ratio over all rounds, and its 95 % interval by bootstrap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ratio {
    median: f64,
    low: f64,
    high: f64,
}

impl Ratio {
    /// Of one ratio for each round.
    pub(crate) fn of(rounds: &[f64]) -> Self {
        let mut state = 1_u64;
        let mut medians: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                let mut drawn: Vec<f64> = rounds.iter().map(|_| rounds[below(&mut state, rounds.len())]).collect();
                quantile(&mut drawn, 0.5)
            })
            .collect();
        let (low, high) = (quantile(&mut medians, 0.025), quantile(&mut medians, 0.975));
        Self { median: quantile(&mut rounds.to_vec(), 0.5), low, high }
    }

    /// Prints what was measured beside its limit; false when the whole interval is beyond it.
    pub(crate) fn within(self, what: &str, limit: f64) -> bool {
        let verdict = match (self.high <= limit, self.low > limit) {
            (true, _) => "met",
            (_, true) => "MISSED",
            _ => "within noise",
        };
        println!("{what}: {self}, at most {limit}: {verdict}");
        self.low <= limit
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} [{:.2}..{:.2}]", self.median, self.low, self.high)
    }
}

/// The value below which that part of the values lies.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small counts"
)]
pub(crate) fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = part * (values.len() - 1) as f64;
    let (below, above) = (values[at.floor() as usize], values[at.ceil() as usize]);
    below + (above - below) * at.fract()
}

/// A number below `count`, the next of a sequence that is the same in every run.
fn below(state: &mut u64, count: usize) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).expect("31 bits") % count
}
