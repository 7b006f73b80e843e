//! What the webhook counts. Labels are static words.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Which route, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Outcome {
    route: &'static str,
    outcome: &'static str,
}

/// The metrics of this process.
#[derive(Clone)]
pub struct Metrics {
    reviews: Family<Outcome, Counter>,
    durations: Histogram,
}

impl Metrics {
    /// Registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let reviews = Family::default();
        let durations = Histogram::new(exponential_buckets(0.000_01, 4.0, 9));
        registry.register("kubevirt_operator_admission_reviews", "Reviews answered", reviews.clone());
        registry.register(
            "kubevirt_operator_admission_duration_seconds",
            "Time from a review's body to its answer",
            durations.clone(),
        );
        Self { reviews, durations }
    }

    /// A review was answered.
    pub fn answered(&self, route: &'static str, outcome: &'static str, seconds: f64) {
        self.reviews.get_or_create(&Outcome { route, outcome }).inc();
        self.durations.observe(seconds);
    }
}
