//! What the controller asks a cluster for, from its audit log.

use std::collections::BTreeMap;

use tests::audit::Record;
use tests::fleet;

use super::site::Site;

impl Site<'_> {
    pub(super) fn mark(&self) -> u64 {
        self.plane.audit().mark()
    }

    /// What the controller has asked this cluster for since a mark; watches cost once, and are left out.
    pub(super) fn asked(&self, mark: u64) -> Vec<Record> {
        let ours = fleet::user(fleet::REMOTE_CONTROLLER_ACCOUNT);
        let records = self.plane.audit().since(mark).expect("an audit log");
        records.into_iter().filter(|it| it.user == ours && it.is_answer()).collect()
    }

    /// What it has written there since: verb, plural, name.
    pub(super) fn written(&self, mark: u64) -> Vec<String> {
        let writes = |it: &Record| ["create", "update", "patch", "delete"].contains(&it.verb.as_str());
        let dry = |it: &Record| it.uri.contains("dryRun");
        let all = self.asked(mark).into_iter().filter(|it| writes(it) && !dry(it));
        all.map(|it| format!("{} {} {}", it.verb, it.resource, it.name)).collect()
    }

    /// Nothing that was asked for under the chart's rights was forbidden.
    pub(super) fn nothing_was_forbidden(&self) {
        let forbidden: BTreeMap<String, usize> =
            self.asked(0).into_iter().filter(|it| it.code == 403).fold(BTreeMap::new(), |mut all, it| {
                *all.entry(format!("{} {} {}", it.verb, it.full_resource(), it.name)).or_default() += 1;
                all
            });
        assert_eq!(forbidden, BTreeMap::new(), "{}", self.name());
    }
}
