//! What an object on a cluster says of how it was last written by us. No I/O.

use kube::ResourceExt;
use model::baseline::war::PAUSED;
use model::baseline::{self, Drift, LAST_APPLIED};
use serde::Serialize;

/// Hash of what an object was last written from.
pub(crate) fn hash(object: &impl ResourceExt) -> Option<String> {
    object.annotations().get(LAST_APPLIED).map(|text| baseline::hash(text))
}

/// What [`PAUSED`] says on an object.
pub(crate) fn paused(object: &impl ResourceExt) -> Option<bool> {
    object.annotations().get(PAUSED).and_then(|mark| mark.parse().ok())
}

/// What of an object of ours others changed.
pub(crate) fn drift(object: &(impl ResourceExt + Serialize)) -> Vec<Drift> {
    if !object.annotations().contains_key(LAST_APPLIED) {
        return Vec::new();
    }
    serde_json::to_value(object).map_or_else(|_| Vec::new(), |object| baseline::drift(&object))
}
