//! What the controller asks a cluster for, from its audit log.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::Api;
use kube::api::ListParams;
use tests::audit::Record;
use tests::fleet;

use super::site::Site;

/// Rights that HyperConverged and the operators around it leave unused: a KubeVirt by itself and its quotas take them.
pub(super) const OF_A_PLAIN_KUBEVIRT: [&str; 5] = [
    "create aaqs.aaq.kubevirt.io",
    "get aaqs.aaq.kubevirt.io",
    "get kubevirts.kubevirt.io",
    "patch aaqs.aaq.kubevirt.io",
    "patch kubevirts.kubevirt.io",
];

impl Site<'_> {
    /// What the role for baselines allows, and the controller has never asked for here: verb, plural, group.
    pub(super) async fn unused(&self) -> BTreeSet<String> {
        let ours = fleet::user(fleet::REMOTE_CONTROLLER_ACCOUNT);
        let records = self.plane.audit().since(0).expect("an audit log");
        let right = |verb: &str, resource: &str, group: &str| format!("{verb} {resource}.{group}");
        let used: BTreeSet<String> =
            records.iter().filter(|it| it.user == ours).map(|it| right(&it.verb, &it.resource, &it.group)).collect();
        let roles: Api<ClusterRole> = Api::all(self.client.clone());
        let chart = ListParams::default().labels("app.kubernetes.io/name=kubevirt-operator");
        let all = roles.list(&chart).await.expect("roles").items;
        let of_baseline =
            all.into_iter().filter(|it| it.metadata.name.as_deref().is_some_and(|it| it.ends_with("-platform")));
        let rules: Vec<_> = of_baseline.flat_map(|it| it.rules.unwrap_or_default()).collect();
        assert!(!rules.is_empty(), "the role for baselines is not there");
        let mut given = BTreeSet::new();
        for rule in &rules {
            let (groups, resources) = (rule.api_groups.iter().flatten(), rule.resources.iter().flatten());
            for (group, resource) in groups.flat_map(|group| resources.clone().map(move |it| (group, it))) {
                given.extend(rule.verbs.iter().map(|verb| right(verb, resource, group)));
            }
        }
        given.difference(&used).cloned().collect()
    }

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
