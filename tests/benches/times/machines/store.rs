//! The objects of a supervisor and of a cluster, as text, and what watches are told of them. No I/O.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use axum::body::Bytes;
use serde_json::{Value, json};
use tokio::sync::watch;

/// Of which API server, and the plural of the kind.
pub(super) type Kind = (String, String);

/// Everything that is stored.
#[derive(Default)]
pub(super) struct Store {
    /// By namespace and name.
    objects: HashMap<Kind, BTreeMap<String, String>>,
    /// What each watch is told, with its version.
    told: HashMap<Kind, Vec<(u64, Bytes)>>,
    version: watch::Sender<u64>,
    /// Writes that somebody asked for.
    pub(super) writes: usize,
}

impl Store {
    /// One of them.
    pub(super) fn get(&self, kind: &Kind, key: &str) -> Option<&String> {
        self.objects.get(kind)?.get(key)
    }

    /// Stores it, and tells of it.
    pub(super) fn put(&mut self, kind: &Kind, key: &str, mut object: Value) -> String {
        let version = self.next_version();
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        let text = object.to_string();
        let before = self.objects.entry(kind.clone()).or_default().insert(key.to_owned(), text.clone());
        let change = if before.is_some() { "MODIFIED" } else { "ADDED" };
        let line = format!("{{\"type\":\"{change}\",\"object\":{text}}}\n");
        self.told.entry(kind.clone()).or_default().push((version, line.into()));
        self.version.send_replace(version);
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
        let metadata = json!({"resourceVersion": self.version.borrow().to_string(), "continue": last});
        let items: Vec<&str> = items.into_iter().map(|(_, text)| text.as_str()).collect();
        format!("{{\"metadata\":{metadata},\"items\":[{}]}}", items.join(","))
    }

    /// What a watch that has seen so much has to be told, and up to which version that is.
    pub(super) fn since(&self, kind: &Kind, version: u64) -> (u64, Vec<Bytes>) {
        let told = self.told.get(kind).into_iter().flatten().filter(|(at, _)| *at > version);
        (*self.version.borrow(), told.map(|(_, line)| line.clone()).collect())
    }

    /// Says when there may be more.
    pub(super) fn news(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Makes so many of everything that has a word in its text, each with a word of its own instead; `change` is made to each
    /// kind before. Watches are not told.
    pub(super) fn multiply(&mut self, word: &str, words: &[String], change: impl Fn(&Kind, &mut Value)) {
        for (kind, all) in &mut self.objects {
            let (found, others): (BTreeMap<_, _>, _) =
                std::mem::take(all).into_iter().partition(|(_, text)| text.contains(word));
            *all = others;
            for (key, text) in found {
                let mut object: Value = serde_json::from_str(&text).unwrap_or_default();
                change(kind, &mut object);
                let text = object.to_string();
                all.extend(words.iter().map(|other| (key.replace(word, other), text.replace(word, other))));
            }
        }
        self.told.clear();
        self.next_version();
    }

    /// Every watch of a server is told that it has to list anew (410).
    pub(super) fn forget(&mut self, server: &str) {
        let version = self.next_version();
        let status =
            json!({"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old"});
        let line = Bytes::from(format!("{}\n", json!({"type": "ERROR", "object": status})));
        for kind in self.objects.keys().filter(|(of, _)| of == server) {
            self.told.entry(kind.clone()).or_default().push((version, line.clone()));
        }
        self.version.send_replace(version);
    }

    fn next_version(&mut self) -> u64 {
        let next = *self.version.borrow() + 1;
        self.version.send_replace(next);
        next
    }
}
