//! The text of `vitistack.io/placement`: why a Machine is where it is, for people and for tools, as compact JSON. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::search::Dropped;
use super::{Placement, Source};
use crate::json;
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
    #[serde(skip_serializing_if = "Clone::clone")]
    searched: bool,
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
pub(super) fn plain(source: Source, cluster: &ClusterName, vm: Option<&str>, searched: bool) -> String {
    let mut out = Vec::with_capacity(128);
    out.extend_from_slice(b"{\"rule\":");
    json::string(&mut out, source.name());
    out.extend_from_slice(b",\"cluster\":");
    json::string(&mut out, &cluster.0);
    if let Some(vm) = vm {
        out.extend_from_slice(b",\"vm\":");
        json::string(&mut out, vm);
    }
    if !searched {
        out.extend_from_slice(b",\"searched\":false");
    }
    out.push(b'}');
    json::text(out)
}

/// The explanation of a choice: how many were left out for which reason, and up to [`NAMES`] of those that were not.
pub(super) fn choice(
    source: Source,
    cluster: &ClusterName,
    (vm, searched): (Option<&str>, bool),
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
        searched,
        default_passed_over: default.map(|name| name.0.as_str()),
        dropped: counts,
        candidates: (!candidates.is_empty()).then_some(candidates.len()),
        among: &among,
    };
    serde_json::to_string(&why).expect("invariant: an explanation is plain data")
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    cluster: Cow<'a, str>,
    #[serde(borrow, default)]
    vm: Option<Cow<'a, str>>,
    #[serde(default = "yes")]
    searched: bool,
}

fn yes() -> bool {
    true
}

fn read(explanation: &str) -> Option<Said<'_>> {
    if explanation.len() > 4096 {
        return None;
    }
    serde_json::from_str(explanation).ok()
}

/// Whether an explanation is about this cluster.
pub(super) fn names_cluster(explanation: &str, cluster: &ClusterName) -> bool {
    read(explanation).is_some_and(|said| *said.cluster == *cluster.0)
}

/// Whether an explanation says of cluster and VM what was found now. One that was written by an earlier pass does, and is
/// kept for its rule; one that anybody else wrote may say nothing else.
pub(in super::super) fn agrees(explanation: &str, placement: &Placement) -> bool {
    read(explanation).is_some_and(|said| {
        let same = said.vm.as_deref() == placement.vm.as_deref() && said.searched == placement.searched;
        // A cluster that answers since the earlier pass is no reason to refuse: told nothing, the controller looks itself.
        let open = said.vm.is_none() && !said.searched;
        *said.cluster == *placement.cluster.0 && (same || open)
    })
}
