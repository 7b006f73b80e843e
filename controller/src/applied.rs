//! What an object on a cluster says of how it was last written by us. No I/O.

use kube::ResourceExt;
use model::baseline::war::PAUSED;
use model::baseline::{self, Drift, LAST_APPLIED};
use serde_json::{Value, json};

use crate::remote_object::RemoteObject;

/// Hash of what an object was last written from.
pub(crate) fn hash(object: &impl ResourceExt) -> Option<String> {
    object.annotations().get(LAST_APPLIED).map(|text| baseline::hash(text))
}

/// What [`PAUSED`] says on an object.
pub(crate) fn paused(object: &impl ResourceExt) -> Option<bool> {
    object.annotations().get(PAUSED).and_then(|mark| mark.parse().ok())
}

/// What of an object of ours others changed.
pub(crate) fn drift(object: &RemoteObject) -> Vec<Drift> {
    let Some(applied) = object.annotations().get(LAST_APPLIED) else { return Vec::new() };
    let metadata = json!({"labels": object.labels(), "annotations": object.annotations()});
    let part = |part: &str| match part {
        "metadata" => &metadata,
        "spec" => &object.spec,
        _ => &Value::Null,
    };
    baseline::drift_of(applied, part, || object.managed_fields())
}
