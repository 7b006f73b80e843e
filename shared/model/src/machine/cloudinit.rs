//! Cloud-init data of a Machine's VM. Pure. C24, X26, X70, X79.

use serde_json::Value;

use super::intent::Admitted;
use super::observed::Observed;
use super::write::{Failure, There};

/// The disk that carries the data, and its volume.
pub(super) fn attached(_admitted: &Admitted, _seen: &Observed) -> Option<(Value, Value)> {
    None
}

/// Writes what carries the data, where that is not the VM itself.
pub(super) fn plan(_admitted: &Admitted, _seen: &Observed) -> Vec<There> {
    Vec::new()
}

/// Why the VM cannot be made or brought in line yet.
pub(super) fn missing(_admitted: &Admitted, _seen: &Observed) -> Option<Failure> {
    None
}
