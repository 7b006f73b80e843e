//! The text of `vitistack.io/placement`: why a Machine is where it is, for people and for tools, as compact JSON. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Source;
use super::search::Dropped;
use crate::names::ClusterName;

/// Most names that are listed.
pub(super) const NAMES: usize = 8;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Why<'a> {
    rule: &'static str,
    cluster: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    vm: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_passed_over: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    dropped: BTreeMap<&'static str, usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidates: Option<usize>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    among: &'a [&'a str],
}

/// The explanation of a rule that does not compare clusters.
pub(super) fn plain(source: Source, cluster: &ClusterName, vm: Option<&str>) -> String {
    let vm = vm.map(|vm| format!(",\"vm\":\"{vm}\"")).unwrap_or_default();
    // The name is the author's word until it was found among the KubevirtConfigs, so it is quoted with care.
    let cluster = serde_json::to_string(&cluster.0).expect("invariant: a string is plain data");
    format!("{{\"rule\":\"{}\",\"cluster\":{cluster}{vm}}}", source.name())
}

/// The explanation of a choice: how many were left out for which reason, and up to [`NAMES`] of those that were not.
pub(super) fn choice(
    source: Source,
    cluster: &ClusterName,
    vm: Option<&str>,
    default: Option<&ClusterName>,
    dropped: &[(&ClusterName, Dropped)],
    candidates: &[&ClusterName],
) -> String {
    let mut counts = BTreeMap::new();
    for (_, why) in dropped {
        *counts.entry(why.name()).or_default() += 1;
    }
    let among: Vec<&str> = candidates.iter().take(NAMES).map(|name| name.0.as_str()).collect();
    let why = Why {
        rule: source.name(),
        cluster: &cluster.0,
        vm,
        default_passed_over: default.map(|name| name.0.as_str()),
        dropped: counts,
        candidates: (!candidates.is_empty()).then_some(candidates.len()),
        among: &among,
    };
    serde_json::to_string(&why).expect("invariant: an explanation is plain data")
}

/// Whether an explanation is about this cluster. One that was written by an earlier pass is, and is kept.
pub(in super::super) fn names_cluster(explanation: &str, cluster: &ClusterName) -> bool {
    #[derive(Deserialize)]
    struct Cluster<'a> {
        #[serde(borrow)]
        cluster: std::borrow::Cow<'a, str>,
    }
    explanation.len() <= 4096
        && serde_json::from_str::<Cluster<'_>>(explanation).is_ok_and(|it| *it.cluster == *cluster.0)
}
