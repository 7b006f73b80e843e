//! Who does the passes over one cluster, and what it has at hand. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use kube::api::ApiResource;
use model::platform::catalogue::Catalogue;
use model::platform::snapshot::Live;
use model::platform::state::Key;
use tokio::time::Instant;

use super::facts::{News, Subject};
use super::{Platform, Site, Wish};

/// Does the passes over one cluster.
pub(super) struct Worker<'w> {
    pub(super) site: &'w Site,
    pub(super) platform: &'w Platform,
    pub(super) catalogue: &'w Catalogue,
    pub(super) wish: Wish,
    pub(super) identity: Result<(), String>,
    /// What was read in this pass, whole.
    pub(super) read: BTreeMap<Key, Live>,
    /// What could not be read, why, and when it is asked for again.
    pub(super) unread: BTreeMap<Key, (String, Instant)>,
}

impl<'w> Worker<'w> {
    pub(super) fn new(
        site: &'w Site,
        platform: &'w Platform,
        catalogue: &'w Catalogue,
        (wish, identity): (Wish, Result<(), String>),
    ) -> Self {
        Self { site, platform, catalogue, wish, identity, read: BTreeMap::new(), unread: BTreeMap::new() }
    }

    /// What is to be watched, and nothing is known of anything else any more.
    pub(super) fn subjects(&self) -> BTreeSet<Subject> {
        let mut kept = self.site.slot.kept();
        let subjects = kept.facts.subjects(self.catalogue, &self.wish.asked);
        kept.facts.keep(&subjects);
        subjects
    }

    pub(super) fn resource(&self, crd: &str) -> Option<ApiResource> {
        self.site.slot.kept().facts.resource(self.catalogue, crd)
    }

    pub(super) fn is_complete(&self, subjects: &BTreeSet<Subject>) -> bool {
        self.site.slot.kept().facts.are_complete(subjects)
    }

    /// Takes in what a watch told; whether it is news.
    pub(super) fn take(&mut self, subject: Subject, news: News) -> bool {
        let key = match &subject {
            Subject::Object(key) => Some(key.clone()),
            _ => None,
        };
        let news = self.site.slot.kept().facts.take(subject, news);
        if let Some(key) = key.filter(|_| news) {
            self.read.remove(&key);
            self.unread.remove(&key);
        }
        news
    }
}
