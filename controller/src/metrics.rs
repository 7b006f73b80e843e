//! What the controller counts. Labels are static words; the names of templates, of StorageClasses and of networks alone are not, and few
//! of these are kept. C29, C31, C41 to C43, E20. `scrape` has what is counted anew for each scrape.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use model::machine::outcome::Outcome;
use model::reason::Reason;
use model::text::line;
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

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Ended {
    outcome: &'static str,
}

/// The controller whose passes are counted: the only one.
const MACHINE: &str = "Machine";

/// The five documented kinds of error, which are there from the start, so that a rate of them is never unknown.
const DOCUMENTED: [Reason; 5] = [
    Reason::TemplateNotFound,
    Reason::NetworkConfigurationNotFound,
    Reason::StorageClassNotFound,
    Reason::InsufficientResources,
    Reason::KubeVirtApiError,
];

/// The class of a disk: a cluster's word, of which there are few.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Class {
    storage_class: String,
}
/// Which network it is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OfNetwork {
    network_name: String,
}

/// So many networks have a counter of their own: people name them, and may name ever new ones. The rest shares `other`.
const NETWORKS: usize = 100;

/// The metrics of this process.
#[derive(Clone, Debug)]
pub struct Metrics {
    durations: Family<Controller, Histogram>,
    errors: Family<Failed, Counter>,
    running: Gauge,
    provisioned: Family<Ended, Counter>,
    orphans: Gauge,
    forsaken: Counter,
    connections: Family<Ended, Counter>,
    provisioning: Family<Class, Histogram>,
    networks: Family<OfNetwork, Counter>,
    counted: Arc<Mutex<BTreeSet<String>>>,
}

/// A pass that is counted as running until this is dropped.
pub struct Running(Gauge);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// Registers them. prometheus-client adds `_total` to counters itself (C31).
    pub fn register(registry: &mut Registry) -> Self {
        let durations =
            Family::new_with_constructor((|| Histogram::new(exponential_buckets(0.001, 4.0, 8))) as fn() -> Histogram);
        registry.register(
            "kubevirt_operator_reconciliation_duration_seconds",
            "Duration of one reconciliation",
            durations.clone(),
        );
        let errors = Family::default();
        registry.register(
            "kubevirt_operator_reconciliation_errors",
            "Reconciliations that met an error",
            errors.clone(),
        );
        let running = Gauge::default();
        registry.register(
            "kubevirt_operator_reconciliations_running",
            "Reconciliations that run now, of MAX_CONCURRENT_RECONCILES",
            running.clone(),
        );
        let provisioned = Family::default();
        registry.register(
            "kubevirt_operator_provisioning",
            "Machines whose virtual machine ran for the first time, failed before, or was deleted before",
            provisioned.clone(),
        );
        let orphans = Gauge::default();
        registry.register(
            "kubevirt_operator_orphaned_objects",
            "Objects on clusters that this supervisor made and no Machine accounts for; /debug/orphans lists them",
            orphans.clone(),
        );
        let forsaken = Counter::default();
        registry.register(
            "kubevirt_operator_machines_released_without_cluster",
            "Machines that went without their cluster, which was said to be gone for good",
            forsaken.clone(),
        );
        let connections = Family::default();
        registry.register(
            "kubevirt_operator_cluster_connections",
            "Tries to connect to a cluster: succeeded once its watches were complete, failed when that did not come about or ended",
            connections.clone(),
        );
        let provisioning =
            Family::new_with_constructor((|| Histogram::new(exponential_buckets(1.0, 2.0, 12))) as fn() -> Histogram);
        registry.register(
            "kubevirt_operator_storage_provisioning_duration_seconds",
            "From the creation of a claim until it was bound",
            provisioning.clone(),
        );
        let networks = Family::default();
        registry.register(
            "kubevirt_operator_network_configuration_errors",
            "Looks at a Machine that could not join this network",
            networks.clone(),
        );
        let counted = Arc::default();
        let metrics = Self {
            durations,
            errors,
            running,
            provisioned,
            orphans,
            forsaken,
            connections,
            provisioning,
            networks,
            counted,
        };
        drop(metrics.durations.get_or_create(&Controller { controller: MACHINE }));
        for reason in DOCUMENTED {
            drop(metrics.errors.get_or_create(&Failed { controller: MACHINE, error_type: reason.code() }));
        }
        for outcome in Outcome::ALL {
            drop(metrics.provisioned.get_or_create(&Ended { outcome: outcome.word() }));
        }
        for connected in [true, false] {
            drop(metrics.connections.get_or_create(&connection(connected)));
        }
        metrics
    }

    /// A cluster was connected, or could not be, or is not any more. E19.
    pub fn connection_tried(&self, connected: bool) {
        self.connections.get_or_create(&connection(connected)).inc();
    }

    /// A Machine could not join a network.
    pub fn network_failed(&self, name: &str) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let known = counted.contains(name) || counted.len() < NETWORKS && counted.insert(name.to_owned());
        let network_name = if known { line(name, 253) } else { "other".to_owned() };
        self.networks.get_or_create(&OfNetwork { network_name }).inc();
    }

    /// So many objects have no Machine.
    pub fn orphaned(&self, count: usize) {
        self.orphans.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A Machine went without its cluster.
    pub fn forsaken(&self) {
        self.forsaken.inc();
    }

    /// A claim of this class took so many seconds to be bound.
    pub fn bound(&self, storage_class: String, seconds: i64) {
        let seconds = u32::try_from(seconds).map_or(f64::from(u32::MAX), f64::from);
        self.provisioning.get_or_create(&Class { storage_class }).observe(seconds);
    }

    /// A pass began.
    pub fn begin(&self) -> Running {
        self.running.inc();
        Running(self.running.clone())
    }

    /// How many passes run now.
    pub fn running(&self) -> i64 {
        self.running.get()
    }

    /// A pass took this long.
    pub fn took(&self, seconds: f64) {
        self.durations.get_or_create(&Controller { controller: MACHINE }).observe(seconds);
    }

    /// A pass met an error.
    pub fn failed(&self, error_type: &'static str) {
        self.errors.get_or_create(&Failed { controller: MACHINE, error_type }).inc();
    }

    /// What became of a Machine that was to get a VM.
    pub fn provisioned(&self, outcome: Outcome) {
        self.provisioned.get_or_create(&Ended { outcome: outcome.word() }).inc();
    }
}

fn connection(connected: bool) -> Ended {
    Ended { outcome: if connected { "succeeded" } else { "failed" } }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn c29_c31_c41_c50_e19_e20_the_text_that_is_scraped_has_the_documented_names() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        metrics.took(0.5);
        metrics.failed("KubeVirtApiError");
        metrics.failed("SupervisorApiError");
        metrics.provisioned(Outcome::Succeeded);
        metrics.connection_tried(true);
        metrics.connection_tried(false);
        metrics.connection_tried(true);
        let running = metrics.begin();
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let lines = [
            "# TYPE kubevirt_operator_reconciliation_duration_seconds histogram",
            "kubevirt_operator_reconciliation_duration_seconds_count{controller=\"Machine\"} 1",
            "# TYPE kubevirt_operator_reconciliation_errors counter",
            "kubevirt_operator_reconciliation_errors_total{controller=\"Machine\",error_type=\"TemplateNotFound\"} 0",
            "kubevirt_operator_reconciliation_errors_total{controller=\"Machine\",error_type=\"NetworkConfigurationNotFound\"} 0",
            "kubevirt_operator_reconciliation_errors_total{controller=\"Machine\",error_type=\"StorageClassNotFound\"} 0",
            "kubevirt_operator_reconciliation_errors_total{controller=\"Machine\",error_type=\"InsufficientResources\"} 0",
            "kubevirt_operator_reconciliation_errors_total{controller=\"Machine\",error_type=\"KubeVirtApiError\"} 1",
            "kubevirt_operator_reconciliation_errors_total{controller=\"Machine\",error_type=\"SupervisorApiError\"} 1",
            "kubevirt_operator_reconciliations_running 1",
            "kubevirt_operator_provisioning_total{outcome=\"succeeded\"} 1",
            "kubevirt_operator_provisioning_total{outcome=\"failed\"} 0",
            "kubevirt_operator_provisioning_total{outcome=\"abandoned\"} 0",
            "kubevirt_operator_orphaned_objects 0",
            "kubevirt_operator_machines_released_without_cluster_total 0",
            "kubevirt_operator_cluster_connections_total{outcome=\"succeeded\"} 2",
            "kubevirt_operator_cluster_connections_total{outcome=\"failed\"} 1",
        ];
        crate::table::every_row(lines, |line| assert!(text.lines().any(|it| it == line), "{line} in {text}"));
        drop(running);
        assert_eq!(metrics.running(), 0);
    }

    #[test]
    fn c43_a_network_that_fails_has_a_counter_and_no_more_than_a_hundred_have() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        for number in 0..200 {
            metrics.network_failed(&format!("net-{number}"));
        }
        metrics.network_failed("net-7");
        let mut text = String::new();
        encode(&mut text, &registry).expect("text");
        let lines: Vec<_> = text
            .lines()
            .filter(|line| line.starts_with("kubevirt_operator_network_configuration_errors_total{"))
            .collect();
        assert_eq!(lines.len(), 101, "{lines:?}");
        let has = |name: &str, count: u32| {
            let line =
                format!("kubevirt_operator_network_configuration_errors_total{{network_name=\"{name}\"}} {count}");
            assert!(lines.contains(&line.as_str()), "{line}: {lines:?}");
        };
        has("net-7", 2);
        has("net-99", 1);
        has("other", 100);
    }
}
