//! What the webhook counts. Labels are static words.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use runtime::serve::counts::Counts;

/// Which route, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Outcome {
    route: &'static str,
    outcome: &'static str,
}

/// Which rule placed a Machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Placed {
    source: &'static str,
}

/// The metrics of this process.
#[derive(Clone)]
pub struct Metrics {
    reviews: Family<Outcome, Counter>,
    durations: Histogram,
    placements: Family<Placed, Counter>,
    selections: Histogram,
    /// Those of the admission port.
    pub connections: Counts,
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
        let placements = Family::default();
        let selections = Histogram::new(exponential_buckets(0.000_01, 4.0, 9));
        registry.register("kubevirt_operator_placements", "Machines that got their cluster", placements.clone());
        registry.register(
            "kubevirt_operator_placement_duration_seconds",
            "Time from the review of a Machine without a cluster to its cluster, live questions included",
            selections.clone(),
        );
        let connections = Counts::register(registry, "kubevirt_operator_admission", "admission port");
        Self { reviews, durations, placements, selections, connections }
    }

    /// A body could not be read; the status says why.
    pub fn unread(&self, route: &'static str, outcome: &'static str) {
        self.reviews.get_or_create(&Outcome { route, outcome }).inc();
    }

    /// A Machine got its cluster.
    pub fn placed(&self, source: &'static str, seconds: f64) {
        self.placements.get_or_create(&Placed { source }).inc();
        self.selections.observe(seconds);
    }

    /// A review was answered.
    pub fn answered(&self, route: &'static str, outcome: &'static str, seconds: f64) {
        self.reviews.get_or_create(&Outcome { route, outcome }).inc();
        self.durations.observe(seconds);
    }
}
