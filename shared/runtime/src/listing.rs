//! What every watch of ours is asked for with, and how its events are taken in. No I/O.
//!
//! Until a watch has an error, what is known from it is at most 100 s old: an API server says something each minute, our
//! watcher opens a watch again that was silent for 90 s, and our clients give up one that does not begin within 10 s, and a
//! list that is not complete within 90 s.

use crate::watcher::{Config, Event};
use kube::ResourceExt;

/// When the API server shall end a watch, in seconds. Our watcher waits 5 s longer for a word.
const WATCH: u32 = 85;
const PAGE: u32 = 250;
/// Objects of one kind. Kubernetes is made for 150,000 pods in a cluster.
const OBJECTS: usize = 200_000;
/// Bytes that are kept of the objects of one kind, of which a cluster may lie: a Machine's VM takes some 600, a pod 200. Beside
/// the list, the index that it goes into holds its predecessor, so a process grows by more than this.
const BYTES: usize = 20 << 20;
/// Bytes of what names something in Kubernetes, such as the key of a label: the prefix, a slash, the name.
const NAME: usize = 253 + 1 + 63;

/// How a watch is asked for; selectors are added to it.
pub fn watching() -> Config {
    Config { timeout: Some(WATCH), page_size: Some(PAGE), ..Config::default() }
}

/// What a watch says, of what is kept of its objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<T> {
    /// These are there, and no others.
    Listed(Vec<T>),
    /// This one is there, in this shape.
    Seen(T),
    /// This one is gone.
    Deleted(T),
}

/// A list that is being read. It replaces what was known only when it is complete.
#[derive(Debug)]
pub struct Listing<T> {
    next: Vec<T>,
    most: usize,
    bytes: usize,
    /// How many bytes are kept of an object; `None` where nobody invents objects.
    weigh: Option<fn(&T) -> usize>,
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Self { next: Vec::new(), most: OBJECTS, bytes: 0, weigh: None }
    }
}

impl<T> Listing<T> {
    /// Of objects that somebody may invent: `weigh` says how many bytes are kept of one.
    pub fn weighing(weigh: fn(&T) -> usize) -> Self {
        Self { weigh: Some(weigh), ..Self::default() }
    }

    /// Takes in an event, of whose object `read` makes what is kept. An error says what is more than is kept of a cluster; the
    /// watch has to be ended then, because its list is not whole any more.
    pub fn take<K: ResourceExt>(
        &mut self,
        event: &Event<K>,
        read: impl FnOnce(&K) -> T,
    ) -> Result<Option<Step<T>>, String> {
        Ok(match event {
            Event::Init => {
                (self.next, self.bytes) = (Vec::new(), 0);
                None
            }
            Event::InitApply(object) => {
                self.check_names(object)?;
                let kept = read(object);
                self.bytes += self.weigh.map_or(0, |weigh| weigh(&kept));
                self.next.push(kept);
                check(self.next.len(), self.most)?;
                check_bytes(self.bytes)?;
                None
            }
            Event::InitDone => Some(Step::Listed(std::mem::take(&mut self.next))),
            Event::Apply(object) => {
                self.check_names(object)?;
                Some(Step::Seen(read(object)))
            }
            Event::Delete(object) => Some(Step::Deleted(read(object))),
        })
    }

    /// The supervisor's API server is believed: it bounds all names but those of owners, which no tenant may use to hide the
    /// objects of all others.
    fn check_names(&self, object: &impl ResourceExt) -> Result<(), String> {
        if self.weigh.is_some() { check_names(object) } else { Ok(()) }
    }
}

/// Refuses to keep more bytes of one kind than any cluster needs.
pub fn check_bytes(bytes: usize) -> Result<(), String> {
    if bytes > BYTES {
        Err(format!("more than {} MiB would be kept of the objects of a kind", BYTES >> 20))
    } else {
        Ok(())
    }
}

fn check(count: usize, most: usize) -> Result<(), String> {
    if count > most { Err(format!("there are more than {most} objects of a kind")) } else { Ok(()) }
}

/// No API server lets longer names in, or stranger ones; without this, the few bytes that are kept of an object could be
/// millions, and command a terminal where they are shown (ATK7).
fn check_names(object: &impl ResourceExt) -> Result<(), String> {
    let metadata = object.meta();
    let names = [&metadata.name, &metadata.namespace, &metadata.uid].into_iter().flatten();
    let labels = metadata.labels.iter().flatten().flat_map(|(key, value)| [key, value]);
    let owners = metadata.owner_references.iter().flatten().flat_map(|owner| [&owner.kind, &owner.name, &owner.uid]);
    for text in names.chain(labels).chain(owners) {
        if text.len() > NAME {
            return Err(format!("an object has a name or label of {} bytes", text.len()));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            return Err("an object has a name or label with characters that none may have".to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

    use super::*;
    use crate::table::every_row;

    fn object(name: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.name = Some(name.to_owned());
        object
    }

    fn of_a_cluster() -> Listing<String> {
        Listing::weighing(|_| 0)
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn r19_a_list_replaces_what_was_known_only_when_it_is_complete() {
        let mut listing = Listing::default();
        #[rustfmt::skip]
        let steps = [
            (Event::Init,                   None),
            (Event::InitApply(object("a")), None),
            (Event::InitApply(object("b")), None),
            (Event::InitDone,               Some(Step::Listed(names(&["a", "b"])))),
            (Event::Apply(object("c")),     Some(Step::Seen("c".to_owned()))),
            (Event::Delete(object("a")),    Some(Step::Deleted("a".to_owned()))),
            // Listed anew, twice, because the first time it broke off.
            (Event::Init,                   None),
            (Event::InitApply(object("b")), None),
            (Event::Init,                   None),
            (Event::InitApply(object("d")), None),
            (Event::InitDone,               Some(Step::Listed(names(&["d"])))),
            (Event::Init,                   None),
            (Event::InitDone,               Some(Step::Listed(names(&[])))),
        ];
        for (at, (event, want)) in steps.into_iter().enumerate() {
            assert_eq!(listing.take(&event, ConfigMap::name_any), Ok(want), "step {at}");
        }
    }

    #[test]
    fn atk1_atk7_t21_no_more_is_kept_than_any_cluster_has() {
        let mut listing = Listing { most: 2, ..Listing::default() };
        let mut take = |event| listing.take(&event, ConfigMap::name_any).map(|_| ());
        assert_eq!(take(Event::InitApply(object("a"))), Ok(()));
        assert_eq!(take(Event::InitApply(object("b"))), Ok(()));
        assert_eq!(take(Event::InitApply(object("c"))), Err("there are more than 2 objects of a kind".to_owned()));
        let mut heavy = Listing::weighing(|_: &String| 5 << 20);
        let mut take = |event| heavy.take(&event, ConfigMap::name_any).map(|_| ());
        assert_eq!(take(Event::Init), Ok(()));
        for _ in 0..4 {
            assert_eq!(take(Event::InitApply(object("a"))), Ok(()));
        }
        let refused = Err("more than 20 MiB would be kept of the objects of a kind".to_owned());
        assert_eq!(take(Event::InitApply(object("a"))), refused);
        assert_eq!(
            (take(Event::Init), take(Event::InitApply(object("a")))),
            (Ok(()), Ok(())),
            "a new list begins at nothing"
        );

        let long = "x".repeat(318);
        let mut labelled = object("a");
        labelled.metadata.labels = Some([("team".to_owned(), long.clone())].into());
        let mut owned = object("a");
        owned.metadata.owner_references = Some(vec![OwnerReference { name: long.clone(), ..Default::default() }]);
        every_row([("name", object(&long)), ("label", labelled), ("owner", owned)], |(what, object)| {
            let (mut cluster, mut supervisor) = (of_a_cluster(), Listing::default());
            for event in [Event::InitApply(object.clone()), Event::Apply(object)] {
                let refused = cluster.take(&event, ConfigMap::name_any);
                assert_eq!(refused, Err("an object has a name or label of 318 bytes".to_owned()), "{what}");
                assert!(supervisor.take(&event, ConfigMap::name_any).is_ok(), "{what} of the supervisor");
            }
        });
        every_row(["web\u{1b}[2J", "web\n", "w\u{202e}eb", "größe"], |strange| {
            let refused = of_a_cluster().take(&Event::Apply(object(strange)), ConfigMap::name_any);
            let says = "an object has a name or label with characters that none may have";
            assert_eq!(refused, Err(says.to_owned()), "ATK7: {strange:?}");
        });
        let longest = object(&"x".repeat(317));
        assert!(of_a_cluster().take(&Event::Apply(longest), ConfigMap::name_any).is_ok());
    }
}
