//! A kind that is watched for what it says about a cluster, and how long to wait before it is asked again. No I/O but pauses.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::ResourceExt;
use kube::runtime::watcher::{self, Event};
use model::names::ClusterName;
use runtime::clusters::code;
use runtime::listing::{Listing, Step, check_count};
use runtime::pause::spread;

/// How long what was refused or is rarely changed waits before it is asked again.
pub(super) const LATER: Duration = Duration::from_secs(600);

/// A pause that differs between clusters by up to a quarter, so that a fleet does not ask all at once.
pub(super) async fn wait(pause: Duration, name: &ClusterName) {
    tokio::time::sleep(spread(pause, &name.0)).await;
}

/// Whether asking again soon is of no use: we may not, or there is no such kind.
pub(super) fn is_refused(why: &watcher::Error) -> bool {
    matches!(code(why), Some(403 | 404))
}

/// Compact records of a watched kind.
#[derive(Debug)]
pub(super) struct Records<K, V> {
    /// Those that count.
    pub(super) all: BTreeMap<K, V>,
    /// There was a complete list.
    pub(super) listed: bool,
    listing: Listing<(K, Option<V>)>,
}

impl<K, V> Default for Records<K, V> {
    fn default() -> Self {
        Self { all: BTreeMap::new(), listed: false, listing: Listing::default() }
    }
}

impl<K: Ord, V> Records<K, V> {
    /// Takes in an event, of which `read` makes a record, or `None` for one that does not count. Answers whether there is
    /// something new to look at; an error ends the watch.
    pub(super) fn take<T: ResourceExt>(
        &mut self,
        event: &Event<T>,
        read: impl FnOnce(&T) -> (K, Option<V>),
    ) -> Result<bool, String> {
        let Some(step) = self.listing.take(event, read)? else { return Ok(false) };
        match step {
            Step::Listed(all) => {
                self.all = all.into_iter().filter_map(|(key, record)| Some((key, record?))).collect();
                self.listed = true;
            }
            Step::Seen((key, Some(record))) => {
                self.all.insert(key, record);
                check_count(self.all.len())?;
            }
            Step::Seen((key, None)) | Step::Deleted((key, _)) => drop(self.all.remove(&key)),
        }
        Ok(self.listed)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    #[test]
    fn what_does_not_count_is_not_kept() {
        let object = |name: &str| {
            let mut object = ConfigMap::default();
            object.metadata.name = Some(name.to_owned());
            object
        };
        // One whose name ends in `-` does not count.
        let read = |object: &ConfigMap| {
            let name = object.name_any();
            (name.trim_end_matches('-').to_owned(), (!name.ends_with('-')).then_some(()))
        };
        #[rustfmt::skip]
        let steps = [
            (Event::Init,                     false, vec![]),
            (Event::InitApply(object("a")),   false, vec![]),
            (Event::InitApply(object("b-")),  false, vec![]),
            (Event::InitDone,                 true,  vec!["a"]),
            (Event::Apply(object("b")),       true,  vec!["a", "b"]),
            (Event::Apply(object("a-")),      true,  vec!["b"]),
            (Event::Init,                     false, vec!["b"]),
            (Event::InitApply(object("c")),   false, vec!["b"]),
            (Event::InitDone,                 true,  vec!["c"]),
            (Event::Delete(object("c")),      true,  vec![]),
        ];
        let mut records = Records::default();
        for (at, (event, news, want)) in steps.into_iter().enumerate() {
            assert_eq!(records.take(&event, read), Ok(news), "step {at}");
            assert_eq!(records.all.keys().map(String::as_str).collect::<Vec<_>>(), want, "step {at}");
        }
    }
}
