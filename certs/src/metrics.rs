//! What is counted about certificates. Labels are static words (CERT10).

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use time::OffsetDateTime;

use crate::authorities::Authorities;
use crate::issue::Leaf;

/// Which certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Which {
    certificate: &'static str,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Done {
    step: &'static str,
}

/// What failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failed {
    at: &'static str,
}

/// The metrics of certificates.
#[derive(Clone, Default)]
pub struct Metrics {
    expiry: Family<Which, Gauge>,
    steps: Family<Done, Counter>,
    failures: Family<Failed, Gauge>,
    in_order: Gauge,
}

impl Metrics {
    /// Registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let all = Self::default();
        registry.register(
            "kubevirt_operator_certificate_expiry_timestamp_seconds",
            "When a certificate ends, in Unix time",
            all.expiry.clone(),
        );
        registry.register("kubevirt_operator_certificate_steps", "What was done about certificates", all.steps.clone());
        registry.register(
            "kubevirt_operator_certificate_failure_timestamp_seconds",
            "When something about certificates failed last, in Unix time",
            all.failures.clone(),
        );
        registry.register(
            "kubevirt_operator_certificate_in_order_timestamp_seconds",
            "When the certificate that is served was last seen to be trusted by both webhook configurations, in Unix time",
            all.in_order.clone(),
        );
        all
    }

    /// This leaf is served from now on.
    pub(crate) fn signed(&self, leaf: &Leaf) {
        self.ends("serving", Some(leaf.not_after));
        self.done("sign");
    }

    /// These CAs are stored.
    pub(crate) fn stored(&self, authorities: &Authorities) {
        self.ends("authority", Some(authorities.current.cert.not_after));
        self.ends("next-authority", authorities.next.as_ref().map(|next| next.cert.not_after));
        self.ends("former-authority", authorities.former.iter().map(|cert| cert.not_after).min());
    }

    /// A step was taken.
    pub(crate) fn done(&self, step: &'static str) {
        self.steps.get_or_create(&Done { step }).inc();
    }

    /// Something failed.
    pub(crate) fn failed(&self, at: &'static str, now: OffsetDateTime) {
        self.failures.get_or_create(&Failed { at }).set(now.unix_timestamp());
    }

    /// Everything was seen in order.
    pub(crate) fn in_order(&self, now: OffsetDateTime) {
        self.in_order.set(now.unix_timestamp());
    }

    fn ends(&self, certificate: &'static str, at: Option<OffsetDateTime>) {
        let which = Which { certificate };
        match at {
            Some(at) => {
                self.expiry.get_or_create(&which).set(at.unix_timestamp());
            }
            None => {
                self.expiry.remove(&which);
            }
        }
    }
}
