//! What the routes share. I/O: randomness.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use runtime::serve::body::Memory;

use crate::caller::Tenancy;
use crate::metrics::Metrics;
use crate::upstream::Upstream;

/// What the routes share.
#[derive(Clone)]
pub struct Gateway {
    /// The way to the API server.
    pub upstream: Upstream,
    /// Who is whose tenant.
    pub tenancy: Arc<Tenancy>,
    /// Namespace of the KubevirtConfigs and their Secrets.
    pub configs_namespace: Arc<str>,
    /// Memory for bodies.
    pub memory: Memory,
    /// What is counted.
    pub metrics: Metrics,
}

/// Another number each time.
pub fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
