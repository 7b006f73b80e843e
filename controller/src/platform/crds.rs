//! CRDs as they were read, each kept once for all clusters that serve the same, as most of a fleet do. No I/O.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use model::platform::fit::Crd;

/// Those that somebody uses, by name.
#[derive(Debug, Default)]
pub(super) struct Crds(Mutex<BTreeMap<String, Vec<Weak<Crd>>>>);

impl Crds {
    /// The one that is equal, and from now on this one if there was none.
    pub(super) fn one(&self, name: &str, crd: Crd) -> Arc<Crd> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.entry(name.to_owned()).or_default();
        known.retain(|crd| crd.strong_count() > 0);
        if let Some(equal) = known.iter().filter_map(Weak::upgrade).find(|known| **known == crd) {
            return equal;
        }
        let new = Arc::new(crd);
        known.push(Arc::downgrade(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_crd_that_many_clusters_serve_is_kept_once_and_for_as_long_as_one_does() {
        let crd = |kind: &str| {
            let version = json!({"name": "v1", "served": true, "schema": {"openAPIV3Schema": {"type": kind}}});
            Crd::of(&json!({"spec": {"scope": "Cluster", "versions": [version]}})).expect("a CRD")
        };
        let crds = Crds::default();
        let (east, west) = (crds.one("pools", crd("object")), crds.one("pools", crd("object")));
        assert!(Arc::ptr_eq(&east, &west));
        assert!(!Arc::ptr_eq(&east, &crds.one("pools", crd("string"))), "another version of it");
        let gone = Arc::downgrade(&east);
        drop((east, west));
        assert!(gone.upgrade().is_none());
    }
}
