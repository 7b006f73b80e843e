//! The objects of a supervisor and of clusters, as text, and what watches are told of them. No I/O.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;

use axum::body::Bytes;
use serde_json::{Value, json};
use tokio::sync::watch;

/// Of which API server, and the plural of the kind.
pub(super) type Kind = (String, String);

/// Of each kind that many changes are kept for watches that are behind.
const KEPT: usize = 20_000;

/// Everything that is stored.
#[derive(Default)]
pub(super) struct Store {
    /// By namespace and name.
    objects: HashMap<Kind, BTreeMap<String, String>>,
    told: HashMap<Kind, Told>,
    version: u64,
}

/// What the watches of a kind are told.
#[derive(Default)]
struct Told {
    /// With their versions, which rise.
    lines: VecDeque<(u64, Bytes)>,
    /// A watch that has not seen more than this has missed some.
    forgotten: u64,
    news: watch::Sender<u64>,
}

impl Told {
    fn tell(&mut self, version: u64, line: Bytes) {
        self.lines.push_back((version, line));
        if self.lines.len() > KEPT {
            self.forgotten = self.lines.pop_front().map_or(0, |(version, _)| version);
        }
        self.news.send_replace(version);
    }
}

impl Store {
    /// One of them.
    pub(super) fn get(&self, kind: &Kind, key: &str) -> Option<&String> {
        self.objects.get(kind)?.get(key)
    }

    /// How many there are.
    pub(super) fn count(&self, kind: &Kind) -> usize {
        self.objects.get(kind).map_or(0, BTreeMap::len)
    }

    /// Stores it, and tells of it.
    pub(super) fn put(&mut self, kind: &Kind, key: &str, mut object: Value) -> String {
        let version = self.next_version();
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        let text = object.to_string();
        let before = self.objects.entry(kind.clone()).or_default().insert(key.to_owned(), text.clone());
        let change = if before.is_some() { "MODIFIED" } else { "ADDED" };
        let line = format!("{{\"type\":\"{change}\",\"object\":{text}}}\n");
        self.told.entry(kind.clone()).or_default().tell(version, line.into());
        text
    }

    /// A page of a list, after the object of a key.
    pub(super) fn list(&self, kind: &Kind, after: Option<&str>, limit: usize) -> String {
        let none = BTreeMap::new();
        let all = self.objects.get(kind).unwrap_or(&none);
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut page = all.range::<str, _>((from, Bound::Unbounded));
        let items: Vec<_> = page.by_ref().take(limit).collect();
        let last = page.next().and_then(|_| items.last().map(|(key, _)| key.as_str())).unwrap_or_default();
        let metadata = json!({"resourceVersion": self.version.to_string(), "continue": last});
        let items: Vec<&str> = items.into_iter().map(|(_, text)| text.as_str()).collect();
        format!("{{\"metadata\":{metadata},\"items\":[{}]}}", items.join(","))
    }

    /// What a watch that has seen so much has to be told, and up to which version that is.
    pub(super) fn since(&self, kind: &Kind, version: u64) -> (u64, Vec<Bytes>) {
        let Some(told) = self.told.get(kind) else { return (self.version, Vec::new()) };
        if version < told.forgotten {
            return (self.version, vec![expired()]);
        }
        let from = told.lines.partition_point(|(at, _)| *at <= version);
        (self.version, told.lines.range(from..).map(|(_, line)| line.clone()).collect())
    }

    /// Says when there may be more of a kind.
    pub(super) fn news(&mut self, kind: &Kind) -> watch::Receiver<u64> {
        self.told.entry(kind.clone()).or_default().news.subscribe()
    }

    /// Makes so many of everything that has a word in its text, each with a word of its own instead. Watches are not told.
    pub(super) fn multiply(&mut self, word: &str, words: &[String]) {
        for all in self.objects.values_mut() {
            let (found, others): (BTreeMap<_, _>, _) =
                std::mem::take(all).into_iter().partition(|(_, text)| text.contains(word));
            *all = others;
            for (key, text) in found {
                all.extend(words.iter().map(|other| (key.replace(word, other), text.replace(word, other))));
            }
        }
        for told in self.told.values_mut() {
            told.lines.clear();
        }
        self.next_version();
    }

    /// Every watch of a server is told that it has to list anew.
    pub(super) fn forget(&mut self, server: &str) {
        let version = self.next_version();
        for kind in self.objects.keys().filter(|(of, _)| of == server) {
            self.told.entry(kind.clone()).or_default().tell(version, expired());
        }
    }

    fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }
}

/// 410, as a watch says it.
fn expired() -> Bytes {
    let status = json!({"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old"});
    Bytes::from(format!("{}\n", json!({"type": "ERROR", "object": status})))
}
