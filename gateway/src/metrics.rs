//! What the gateway counts. Labels are static words.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// A kind of request, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: &'static str,
    method: &'static str,
    code: u16,
}

/// The metrics of this process.
#[derive(Clone)]
pub struct Metrics {
    requests: Family<Answered, Counter>,
    durations: Histogram,
}

impl Metrics {
    /// Registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let (requests, durations) = (Family::default(), Histogram::new(exponential_buckets(0.001, 3.0, 10)));
        registry.register("kubevirt_operator_gateway_requests", "Requests answered", requests.clone());
        registry.register(
            "kubevirt_operator_gateway_request_duration_seconds",
            "Time from a request's head to its answer",
            durations.clone(),
        );
        Self { requests, durations }
    }

    /// A request was answered.
    pub fn answered(&self, route: &'static str, method: &'static str, code: u16, seconds: f64) {
        self.requests.get_or_create(&Answered { route, method, code }).inc();
        self.durations.observe(seconds);
    }
}
