//! A snapshot of what somebody hands over, to see what a cluster would get without asking it. Pure. P8, P9.
//!
//! What is not handed over counts as present, and a note says so: what is shown then is the most that a cluster may get.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::catalogue::{Asset, Catalogue, Condition, Scope};
use super::conditions::{self, IOMMU, dependency};
use super::fit::{Crd, Schema};
use super::root::{HYPERCONVERGED, KUBEVIRT};
use super::snapshot::{Asked, Known, Live, Mode, Node, Snapshot};
use super::state::Key;

/// Most documents of one file, and most values in them: those of all CRDs of a large cluster.
const DOCUMENTS: usize = 4096;
const VALUES: usize = 4_000_000;

/// What is handed over.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// HyperConvergeds.
    pub hyperconvergeds: Vec<Value>,
    /// KubeVirts.
    pub kubevirts: Vec<Value>,
    /// What the KubevirtConfig asks for; without one, all of the baseline.
    pub asked: Option<Asked>,
    /// The nodes.
    pub nodes: Option<Vec<Value>>,
    /// The CRDs that are served.
    pub crds: Option<Vec<Value>>,
}

/// The objects of a text: YAML or JSON, one or several documents, lists taken apart. `kind` is what they must be.
pub fn objects(text: &str, kind: &str) -> Result<Vec<Value>, String> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_anchors: 0, max_aliases: 0, max_depth: 64, max_nodes: VALUES, max_events: 2 * VALUES, max_documents: DOCUMENTS,
        },
        merge_keys: serde_saphyr::options::MergeKeyPolicy::Error,
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::Error,
        with_snippet: false,
    };
    let documents: Vec<Value> =
        serde_saphyr::from_multiple_with_options(text, options).map_err(|why| why.to_string())?;
    let mut found = Vec::new();
    for document in documents {
        match document {
            Value::Object(mut list) if list.get("items").is_some_and(Value::is_array) => {
                if let Some(Value::Array(items)) = list.remove("items") {
                    found.extend(items);
                }
            }
            Value::Null => {}
            other => found.push(other),
        }
    }
    match found.iter().find(|it| it["kind"] != kind) {
        Some(other) => Err(format!("has {} where a {kind} is wanted", other["kind"])),
        None => Ok(found),
    }
}

/// A cluster that has nothing of the baseline yet, and what was taken for granted of it, one sentence each.
pub fn snapshot(given: Given, catalogue: &Catalogue) -> (Snapshot, Vec<String>) {
    let mut notes = Vec::new();
    let mut asked = given.asked.unwrap_or(Asked { mode: Mode::Enforce, ..Asked::default() });
    if asked.mode == Mode::Off {
        asked.mode = Mode::Enforce;
        notes.push("the KubevirtConfig asks for no baseline: this is what mode Enforce would do".to_owned());
    }
    let crds = if let Some(crds) = given.crds {
        served(&crds, catalogue)
    } else {
        notes.push("no CRDs were given: every one counts as served, in the newest form".to_owned());
        let roots = given.hyperconvergeds.iter().chain(&given.kubevirts);
        any(catalogue, &roots.filter_map(version).collect::<Vec<_>>())
    };
    let nodes = given.nodes.map_or_else(
        || {
            notes.push("no nodes were given: every kind of hardware counts as present".to_owned());
            vec![everything()]
        },
        |nodes| nodes.iter().map(node).collect(),
    );
    let mut objects: BTreeMap<Key, Known<Live>> =
        catalogue.keys().into_iter().map(|key| (key.clone(), Ok(Live::Absent))).collect();
    objects.extend(catalogue.tombstones.iter().map(|stone| (stone.key.clone(), Ok(Live::Absent))));
    let dependencies = catalogue.assets.iter().flat_map(|asset| &asset.row.conditions).filter_map(|it| match it {
        Condition::Object { crd, namespace, name } => Some(dependency(crd, namespace.as_ref(), name)),
        _ => None,
    });
    objects.extend(dependencies.map(|key| (key, Ok(Live::Metadata(Value::Object(serde_json::Map::new()))))));
    let snapshot = Snapshot {
        asked,
        supervisor: String::new(),
        identity: Ok(()),
        hyperconvergeds: Ok(given.hyperconvergeds),
        kubevirts: Ok(given.kubevirts),
        crds: crds.into_iter().map(|(name, crd)| (name, Ok(crd.map(Into::into)))).collect(),
        namespaces: catalogue.keys().into_iter().filter_map(|key| Some((key.namespace.clone()?, Ok(true)))).collect(),
        nodes: Ok(nodes),
        objects,
        listed: catalogue.keys().into_iter().map(|key| (key.crd.clone(), Ok(BTreeSet::new()))).collect(),
        turn: Ok(()),
    };
    (snapshot, notes)
}

/// Of each CRD that matters what it says, or that it is not served.
type Crds = Vec<(String, Option<Crd>)>;

/// The names of the CRDs that matter.
pub fn wanted(catalogue: &Catalogue) -> BTreeSet<String> {
    let of_conditions = catalogue.assets.iter().flat_map(|asset| &asset.row.conditions).filter_map(|it| match it {
        Condition::Object { crd, .. } => Some(crd.clone()),
        _ => None,
    });
    let of_keys = catalogue.keys().into_iter().map(|key| key.crd.clone());
    let of_stones = catalogue.tombstones.iter().map(|stone| stone.key.crd.clone());
    let roots = [HYPERCONVERGED, KUBEVIRT].map(str::to_owned);
    of_keys.chain(of_conditions).chain(of_stones).chain(roots).collect()
}

fn served(crds: &[Value], catalogue: &Catalogue) -> Crds {
    let read = |name: &str| crds.iter().find(|crd| crd["metadata"]["name"] == name).and_then(Crd::of);
    wanted(catalogue).into_iter().map(|name| (name.clone(), read(&name))).collect()
}

/// Every CRD, taking anything in every version that an asset has; of a root's kind, in the version of the root alone.
fn any(catalogue: &Catalogue, roots: &[String]) -> Crds {
    let of = |name: &String| {
        let assets: Vec<&Asset> = catalogue.assets.iter().filter(|asset| asset.key.crd == *name).collect();
        let written = assets.iter().flat_map(|asset| &asset.objects).filter_map(version);
        let of_root = |version: &&String| !assets.iter().any(|asset| asset.row.root) || roots.contains(version);
        let versions: Vec<String> = written.collect();
        let kept = versions.iter().filter(of_root).map(|it| it.rsplit('/').next().unwrap_or_default().to_owned());
        let namespaced = assets.iter().any(|asset| asset.row.scope == Scope::Namespaced);
        Crd { namespaced, versions: kept.map(|version| (version, Schema::Any)).collect() }
    };
    wanted(catalogue).into_iter().map(|name| (name.clone(), Some(of(&name)))).collect()
}

fn version(object: &Value) -> Option<String> {
    object["apiVersion"].as_str().map(str::to_owned)
}

/// As much of a node as counts.
fn node(node: &Value) -> Node {
    let texts = |map: &Value| {
        let fields = map.as_object().into_iter().flatten();
        fields.filter_map(|(key, text)| Some((key.clone(), text.as_str()?.to_owned()))).collect()
    };
    conditions::node(texts(&node["metadata"]["labels"]), texts(&node["status"]["allocatable"]))
}

/// A worker that has every kind of hardware.
fn everything() -> Node {
    let found = ["memory-numa", "pci-0300_any.present", "usb-any.present"];
    let found = found.iter().map(|name| format!("feature.node.kubernetes.io/{name}"));
    let labels = found.chain([IOMMU.to_owned(), "node-role.kubernetes.io/worker".to_owned()]);
    Node { labels: labels.map(|label| (label, "true".to_owned())).collect(), allocatable: BTreeMap::new() }
}
