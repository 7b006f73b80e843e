//! The labels of a Machine's objects on a cluster: whose they are, and what of the Machine's own they get, too. Pure. X13, X14, X97,
//! T13.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::identity::Identity;
use crate::names;

/// The labels of everything that belongs to a Machine; ownership is judged by the UIDs (X13, X14).
pub fn owner(identity: &Identity, supervisor: &str) -> Value {
    json!({
        names::MANAGED_BY: names::OPERATOR,
        names::MACHINE: identity.key.name,
        names::SOURCE_MACHINE: identity.key.name,
        names::MACHINE_UID: identity.uid,
        names::SUPERVISOR: supervisor,
    })
}

/// Domains whose labels mean something to somebody, and are nobody's to copy.
const RESERVED: [&str; 4] = ["kubevirt.io", "k8s.io", "kubernetes.io", "openshift.io"];

/// Whether labels of this key or prefix are never copied: our own, and those of Kubernetes and KubeVirt.
pub fn is_reserved(key: &str) -> bool {
    let Some((domain, _)) = key.split_once('/') else { return false };
    let below = |parent: &str| domain == parent || domain.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.'));
    domain == names::GROUP || RESERVED.into_iter().any(below)
}

/// Adds to the labels of an object those of its Machine that `copied`, the setting MACHINE_LABELS, lists: keys, and prefixes
/// that end in a slash.
pub(super) fn add(labels: &mut Value, machine: &BTreeMap<String, String>, copied: &[String]) {
    let listed =
        |key: &str| copied.iter().any(|entry| key == entry || entry.ends_with('/') && key.starts_with(entry.as_str()));
    for (key, value) in machine.iter().filter(|(key, _)| listed(key) && !is_reserved(key)) {
        labels[key] = json!(value);
    }
}
