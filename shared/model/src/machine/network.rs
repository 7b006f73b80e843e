//! The network interfaces of a Machine's VM. Pure. C6, X36, X37, X64.

use serde_json::{Value, json};

use super::intent::Admitted;
use super::observed::Observed;
use super::write::{Failure, There};

/// `devices.interfaces` and `networks`, which belong together by name.
pub(super) struct Nics {
    pub(super) interfaces: Vec<Value>,
    pub(super) networks: Vec<Value>,
}

/// The interfaces in the order of the spec; without any there is one on the pod network.
pub(super) fn nics(_admitted: &Admitted, _seen: &Observed) -> Nics {
    Nics {
        interfaces: vec![json!({"name": "default", "masquerade": {}, "model": "virtio"})],
        networks: vec![json!({"name": "default", "pod": {}})],
    }
}

/// Makes the networks that the cluster lacks.
pub(super) fn plan(_admitted: &Admitted, _seen: &Observed) -> Vec<There> {
    Vec::new()
}

/// Why the VM cannot be made or brought in line yet.
pub(super) fn missing(_admitted: &Admitted, _seen: &Observed) -> Option<Failure> {
    None
}
