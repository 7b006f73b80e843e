//! CRDs: which of a cluster's have to be read, and those that were, each kept once for all clusters that serve the same, as most of a
//! fleet do. No I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use model::platform::fit::Crd;
use runtime::listing::Step;
use tokio::time::Instant;

use crate::offer::listing::Record;

/// Some CRDs of a cluster: all of one may be a megabyte, so it is read once for each version of it.
#[derive(Debug, Default)]
pub(super) struct Unread {
    names: BTreeSet<String>,
    /// Those that are there, each with its version.
    seen: BTreeMap<String, String>,
    /// When which is to be read.
    due: BTreeMap<String, Instant>,
}

impl Unread {
    pub(super) fn of(names: impl IntoIterator<Item = String>) -> Self {
        Self { names: names.into_iter().collect(), ..Self::default() }
    }

    /// Takes in what a watch on the metadata of CRDs says, with the version of each; answers with those that are not there.
    pub(super) fn take(&mut self, step: Step<Record<String, String>>, now: Instant) -> Vec<String> {
        match step {
            Step::Listed(all) => {
                let mut all: BTreeMap<_, _> = all.into_iter().collect();
                let each = self.names.clone().into_iter().map(|name| (all.remove(&name).flatten(), name));
                each.filter_map(|(version, name)| self.see(name, version, now)).collect()
            }
            Step::Seen((name, version)) => self.see(name, version, now).into_iter().collect(),
            Step::Deleted((name, _)) => self.see(name, None, now).into_iter().collect(),
        }
    }

    fn see(&mut self, name: String, version: Option<String>, now: Instant) -> Option<String> {
        if !self.names.contains(&name) {
            return None;
        }
        let Some(version) = version else {
            self.seen.remove(&name);
            self.due.remove(&name);
            return Some(name);
        };
        if self.seen.get(&name) != Some(&version) {
            self.seen.insert(name.clone(), version);
            self.due.insert(name, now);
        }
        None
    }

    /// Nothing is known of them any more. Answers with all.
    pub(super) fn lose(&mut self) -> Vec<String> {
        self.seen.clear();
        self.due.clear();
        self.names.iter().cloned().collect()
    }

    /// The one that is to be read next, and when.
    pub(super) fn next(&self) -> Option<(String, Instant)> {
        self.due.iter().min_by_key(|(_, at)| **at).map(|(name, at)| (name.clone(), *at))
    }

    /// One was read; or it is to be read again.
    pub(super) fn was_read(&mut self, name: &str, again: Option<Instant>) {
        match (self.due.get_mut(name), again) {
            (Some(at), Some(again)) => *at = again,
            (Some(_), None) => drop(self.due.remove(name)),
            (None, _) => {}
        }
    }
}

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
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    #[test]
    fn p11_a_crd_is_read_once_for_each_version_of_it() {
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let record = |name: &str, version: &str| (name.to_owned(), Some(version.to_owned()));
        let two = || vec![record("metallbs", "a/1"), record("others", "b/1"), record("pools", "c/1")];
        let mut unread = Unread::of(["metallbs", "pools", "routes"].map(str::to_owned));
        let next = |unread: &Unread| unread.next().map(|(name, at)| (name, at.duration_since(start).as_secs()));
        assert_eq!(unread.take(Step::Listed(two()), at(1)), ["routes"], "the one that is not there");
        assert_eq!(next(&unread), Some(("metallbs".to_owned(), 1)));
        unread.was_read("metallbs", Some(at(6)));
        assert_eq!(next(&unread), Some(("pools".to_owned(), 1)), "another one goes first");
        unread.was_read("pools", None);
        assert_eq!(next(&unread), Some(("metallbs".to_owned(), 6)));
        unread.was_read("metallbs", None);
        assert_eq!(
            (unread.take(Step::Listed(two()), at(7)), next(&unread)),
            (vec!["routes".to_owned()], None),
            "as it was"
        );
        assert!(unread.take(Step::Seen(record("pools", "c/2")), at(8)).is_empty());
        assert!(unread.take(Step::Seen(record("others", "b/2")), at(8)).is_empty());
        assert_eq!(next(&unread), Some(("pools".to_owned(), 8)), "a new version of one that matters");
        assert_eq!(unread.take(Step::Deleted(record("pools", "c/2")), at(9)), ["pools"]);
        unread.was_read("pools", Some(at(9)));
        assert_eq!(next(&unread), None, "it is gone, whatever was read");
        assert_eq!(unread.lose(), ["metallbs", "pools", "routes"]);
        assert_eq!(unread.take(Step::Seen(record("metallbs", "a/1")), at(10)), Vec::<String>::new());
        assert_eq!(next(&unread), Some(("metallbs".to_owned(), 10)), "it is read again");
    }

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
