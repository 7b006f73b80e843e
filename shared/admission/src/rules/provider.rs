//! Whose a Machine is. Pure. X62.

use model::reason::{Reason, Violation};

use crate::review::Object;

/// A Machine that is taken away from us would leave its VM behind (X62).
pub fn changed(object: &Object<'_>) -> Violation {
    let provider = object.spec.provider.as_deref().unwrap_or_default();
    Reason::ProviderImmutable.at("spec.provider").says(format!(
        "Forbidden: changing it to {provider:?} would abandon the VM; delete the Machine with the annotation vitistack.io/deletion-policy: Orphan instead"
    ))
}
