//! A kind that is watched for what it says about a cluster, and how long to wait before it is asked again. No I/O but pauses.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::ResourceExt;
use model::names::ClusterName;
use runtime::clusters::code;
use runtime::listing::{Listing, Step, check_bytes};
use runtime::pause::spread;
use runtime::watcher::{self, Event};

/// How long what was refused or is rarely changed waits before it is asked again.
pub(crate) const LATER: Duration = Duration::from_secs(600);

/// A pause that differs between clusters by up to a quarter, so that a fleet does not ask all at once.
pub(crate) async fn wait(pause: Duration, name: &ClusterName) {
    tokio::time::sleep(spread(pause, &name.0)).await;
}

/// Whether asking again soon is of no use: we may not, or there is no such kind.
pub(crate) fn is_refused(why: &watcher::Error) -> bool {
    matches!(code(why), Some(403 | 404))
}

/// Compact records of a watched kind.
#[derive(Debug)]
pub(crate) struct Records<K, V> {
    /// Those that count.
    pub(crate) all: BTreeMap<K, V>,
    /// There was a complete list.
    pub(crate) listed: bool,
    listing: Listing<Record<K, V>>,
    bytes: usize,
    weigh: fn(&Record<K, V>) -> usize,
}

/// What is kept of an object, if it counts.
pub(crate) type Record<K, V> = (K, Option<V>);

impl<K, V> Records<K, V> {
    /// `weigh` says how many bytes a record has.
    pub(crate) fn weighing(weigh: fn(&Record<K, V>) -> usize) -> Self {
        Self { all: BTreeMap::new(), listed: false, listing: Listing::weighing(weigh), bytes: 0, weigh }
    }
}

impl<K: Ord, V> Records<K, V> {
    /// Takes in an event, of which `read` makes a record, or `None` for one that does not count. Answers whether there is
    /// something new to look at; an error ends the watch.
    pub(crate) fn take<T: ResourceExt>(
        &mut self,
        event: &Event<T>,
        read: impl FnOnce(&T) -> (K, Option<V>),
    ) -> Result<bool, String> {
        let Some(step) = self.listing.take(event, read)? else { return Ok(false) };
        self.put(step)?;
        Ok(self.listed)
    }

    /// Takes in a step of a watch. An error ends the watch.
    pub(crate) fn put(&mut self, step: Step<Record<K, V>>) -> Result<(), String> {
        match step {
            Step::Listed(all) => {
                self.bytes = all.iter().filter(|record| record.1.is_some()).map(self.weigh).sum();
                self.all = all.into_iter().filter_map(|(key, record)| Some((key, record?))).collect();
                self.listed = true;
            }
            Step::Seen((key, record @ Some(_))) => {
                self.forget(&key);
                let record = (key, record);
                self.bytes += (self.weigh)(&record);
                self.all.extend(record.1.map(|kept| (record.0, kept)));
                check_bytes(self.bytes)?;
            }
            Step::Seen((key, None)) | Step::Deleted((key, _)) => self.forget(&key),
        }
        Ok(())
    }

    fn forget(&mut self, key: &K) {
        if let Some((key, record)) = self.all.remove_entry(key) {
            self.bytes -= (self.weigh)(&(key, Some(record)));
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    #[test]
    fn atk1_what_does_not_count_is_not_kept_and_of_the_rest_no_more_than_a_cluster_has() {
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
            (Event::Apply(object("d")),       true,  vec!["c", "d"]),
            (Event::Apply(object("d")),       true,  vec!["c", "d"]),
            (Event::Delete(object("c")),      true,  vec!["d"]),
            (Event::Apply(object("heavy")),   true,  vec!["d", "heavy"]),
        ];
        let mut records = Records::weighing(|(name, _): &(String, _)| 6 << 20 << usize::from(name == "heavy"));
        for (at, (event, news, want)) in steps.into_iter().enumerate() {
            assert_eq!(records.take(&event, read), Ok(news), "step {at}");
            assert_eq!(records.all.keys().map(String::as_str).collect::<Vec<_>>(), want, "step {at}");
        }
        let refused = Err("more than 20 MiB would be kept of the objects of a kind".to_owned());
        assert_eq!(records.take(&Event::Apply(object("e")), read), refused, "ATK1: a watch may name new ones for ever");
    }
}
