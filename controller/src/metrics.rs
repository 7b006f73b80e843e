//! What the controller counts. Labels are static words: never a name of an object. C29, C41.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Which controller it is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Controller {
    controller: &'static str,
}

/// Which controller, and which error.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Failed {
    controller: &'static str,
    error_type: &'static str,
}

/// The metrics of this process.
#[derive(Clone)]
pub struct Metrics {
    durations: Family<Controller, Histogram>,
    errors: Family<Failed, Counter>,
    orphans: Gauge,
}

impl Metrics {
    /// Registers them. prometheus-client adds `_total` to counters itself (C31).
    pub fn register(registry: &mut Registry) -> Self {
        let durations =
            Family::new_with_constructor((|| Histogram::new(exponential_buckets(0.001, 4.0, 8))) as fn() -> Histogram);
        let errors = Family::default();
        registry.register(
            "kubevirt_operator_reconciliation_duration_seconds",
            "Duration of one reconciliation",
            durations.clone(),
        );
        registry.register(
            "kubevirt_operator_reconciliation_errors",
            "Reconciliations that met an error",
            errors.clone(),
        );
        let orphans = Gauge::default();
        registry.register(
            "kubevirt_operator_orphaned_objects",
            "Objects on clusters that this supervisor made and no Machine accounts for; /debug/orphans lists them",
            orphans.clone(),
        );
        Self { durations, errors, orphans }
    }

    /// So many objects have no Machine.
    pub fn orphaned(&self, count: usize) {
        self.orphans.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A pass took this long.
    pub fn took(&self, seconds: f64) {
        self.durations.get_or_create(&Controller { controller: "Machine" }).observe(seconds);
    }

    /// A pass met an error.
    pub fn failed(&self, error_type: &'static str) {
        self.errors.get_or_create(&Failed { controller: "Machine", error_type }).inc();
    }
}
