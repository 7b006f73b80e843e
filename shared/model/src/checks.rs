//! What is looked at once, when the controller begins, and said in its log (B14 to B19, B31). Pure. Nothing here stops anything:
//! a line says what was found, and a warning also what to do.

use kube::CustomResourceExt;
use serde_json::Value;

use crate::api::{KubevirtConfig, Machine, NetworkConfiguration};
use crate::clusters::View;
use crate::clusters::facts::{KUBEVIRT, KubeVirt, Learnt};
use crate::names::ClusterName;

/// So many names are written out in a line.
const NAMES: usize = 8;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// As it should be.
    Well(String),
    /// Somebody should look at it.
    Wrong(String),
}

/// A cluster as it is when the controller has begun.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Its KubevirtConfig.
    pub name: ClusterName,
    /// Its connection.
    pub view: View,
    /// What was learnt of it.
    pub learnt: Learnt,
}

/// Whether the kinds that we read are there, and have the fields that we use (B14, B17, X27). `schemas` is `components.schemas`
/// of the OpenAPI document of our API group; where there is none, the group is not served.
pub fn definitions(schemas: &Value) -> Vec<Found> {
    let ours = [Machine::crd(), KubevirtConfig::crd(), NetworkConfiguration::crd()];
    let each = ours.iter().map(|crd| {
        let name = crd.metadata.name.clone().unwrap_or_default();
        let kind = &crd.spec.names.kind;
        let served = schemas.as_object().into_iter().flatten().find(|(key, _)| key.rsplit('.').next() == Some(kind.as_str()));
        let Some((_, served)) = served else {
            return Found::Wrong(format!("CRD {name} is not installed: install the CRDs of the chart"));
        };
        let version = crd.spec.versions.first().and_then(|version| version.schema.as_ref()?.open_api_v3_schema.as_ref());
        let used = serde_json::to_value(version).unwrap_or_default();
        match fields(&used).into_iter().filter(|field| !has(served, field)).collect::<Vec<_>>() {
            missing if missing.is_empty() => Found::Well(format!("CRD {name} has every field that is used")),
            missing => Found::Wrong(format!(
                "CRD {name} lacks {}: what they say is lost; install the CRDs of the chart, unless another operator's are meant to stay",
                listed(missing.iter().map(|[part, field]| format!("{part}.{field}")))
            )),
        }
    });
    each.collect()
}

/// The fields of spec and status.
fn fields(schema: &Value) -> Vec<[String; 2]> {
    let of = |part: &'static str| {
        let fields = schema["properties"][part]["properties"].as_object().into_iter().flatten();
        fields.map(move |(field, _)| [part.to_owned(), field.clone()])
    };
    of("spec").chain(of("status")).collect()
}

fn has(schema: &Value, [part, field]: &[String; 2]) -> bool {
    let part = &schema["properties"][part.as_str()];
    let open = |schema: &Value| schema["x-kubernetes-preserve-unknown-fields"] == true;
    part["properties"].get(field).is_some() || open(part) || open(schema)
}

/// What there is to say of the KubevirtConfigs and their clusters. `place` says where KubevirtConfigs are looked for.
pub fn clusters(place: &str, remotes: &[Remote]) -> Vec<Found> {
    let mut found = vec![match remotes {
        [] => Found::Wrong(format!(
            "there is no KubevirtConfig {place}: no Machine can be placed until there is one, with a Secret that holds its kubeconfig"
        )),
        all => Found::Well(format!("KubevirtConfigs {place}: {}", listed(all.iter().map(|it| it.name.0.clone())))),
    }];
    found.extend(remotes.iter().flat_map(one));
    found.extend(versions(remotes));
    found
}

/// Whether it answers (B16), and whether KubeVirt runs there (B31).
fn one(remote: &Remote) -> Vec<Found> {
    let name = &remote.name.0;
    let connection = match &remote.view {
        View::Connected { .. } => Found::Well(format!("cluster {name} answers")),
        View::Connecting => Found::Wrong(format!("cluster {name} has not answered yet: it is asked again")),
        View::Unreachable(why) => Found::Wrong(format!("cluster {name} cannot be reached, and is asked again: {why}")),
        View::Unserved(why) => Found::Wrong(format!("cluster {name} cannot be used, and is asked again: {why}")),
        View::Refused { why, .. } => Found::Wrong(format!("the kubeconfig of cluster {name} cannot be used: {why}")),
    };
    let version = |it: &KubeVirt| it.version.clone().unwrap_or_else(|| "of unknown version".to_owned());
    let kubevirt = match remote.learnt.kubevirt.as_ref() {
        None if matches!(remote.view, View::Connected { .. }) => Found::Wrong(format!(
            "whether KubeVirt runs on cluster {name} is not known: let its kubeconfig list kubevirts.kubevirt.io"
        )),
        None => return vec![connection],
        Some(None) => Found::Wrong(format!("KubeVirt is not installed on cluster {name}: install it there")),
        Some(Some(it @ KubeVirt { running: Some(true), .. })) => {
            Found::Well(format!("KubeVirt {} runs on cluster {name}", version(it)))
        }
        Some(Some(it)) => Found::Wrong(format!(
            "KubeVirt {} on cluster {name} does not say that it runs: kubectl -n kubevirt get kubevirts,pods there",
            version(it)
        )),
    };
    vec![connection, kubevirt]
}

/// Whether all clusters serve VirtualMachines in the versions of the first one (B18).
fn versions(remotes: &[Remote]) -> Vec<Found> {
    let mut known = remotes.iter().filter_map(|it| Some((&it.name.0, it.learnt.versions.as_ref()?)));
    let Some((first, baseline)) = known.next() else { return Vec::new() };
    let said =
        |versions: &[String]| if versions.is_empty() { "none".to_owned() } else { listed(versions.iter().cloned()) };
    let each = known.map(|(name, versions)| {
        if versions == baseline {
            return Found::Well(format!("cluster {name} serves {KUBEVIRT} as {first} does: {}", said(versions)));
        }
        Found::Wrong(format!(
            "cluster {name} serves {KUBEVIRT} in other versions than {first}: {} instead of {}; bring both to one version of KubeVirt",
            said(versions),
            said(baseline)
        ))
    });
    each.collect()
}

/// The first few.
fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let count = names.len();
    let first = names.take(NAMES).collect::<Vec<_>>().join(", ");
    if count > NAMES { format!("{first} and {} more", count - NAMES) } else { first }
}

#[cfg(test)]
#[path = "checks_tests.rs"]
mod tests;
