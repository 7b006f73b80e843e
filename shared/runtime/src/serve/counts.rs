//! What a listener counts. Labels are static words.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Why we ended a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    why: &'static str,
}

/// The connections of one port.
#[derive(Clone)]
pub struct Counts {
    open: Gauge,
    ended: Family<Ended, Counter>,
}

impl Counts {
    /// Registers `<prefix>_connections` and `<prefix>_connections_ended`; `port` is what people call the port.
    pub fn register(registry: &mut Registry, prefix: &str, port: &str) -> Self {
        let (open, ended) = (Gauge::default(), Family::default());
        registry.register(
            format!("{prefix}_connections"),
            format!("Connections to the {port}; it is full at 1024"),
            open.clone(),
        );
        registry.register(
            format!("{prefix}_connections_ended"),
            format!(
                "Connections that were turned away, too slow, had to make room because the {port} was full, or were a caller's who may not call"
            ),
            ended.clone(),
        );
        Self { open, ended }
    }

    /// A place is taken.
    pub(super) fn opened(&self) {
        self.open.inc();
    }

    /// A place is free again.
    pub(super) fn closed(&self) {
        self.open.dec();
    }

    /// We ended a connection.
    pub(super) fn ended(&self, why: &'static str) {
        self.ended.get_or_create(&Ended { why }).inc();
    }
}
