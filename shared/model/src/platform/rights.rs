//! Which rights a pass needs on a cluster, from the catalogue alone. Pure. X94.
//!
//! Objects are watched one by one, with `metadata.name` as field selector, so that rights go by name wherever a name is known.
//! That of the root is not, nor can `create` go by name; and all CRDs are watched at once, because a watch for each takes more memory
//! than all else. There is no wildcard, and nothing is asked for that no pass does.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::catalogue::{Catalogue, Condition};
use super::root::{HYPERCONVERGED, KUBEVIRT};

/// CRD of the pools of nodes, which tell whether nodes are being restarted.
pub const POOLS: &str = "machineconfigpools.machineconfiguration.openshift.io";
/// The verbs that there are here, in the order of Kubernetes.
const VERBS: [&str; 6] = ["get", "list", "watch", "create", "patch", "delete"];
const SEE: [&str; 2] = ["list", "watch"];

/// A rule of a ClusterRole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// API group, empty for the core.
    pub group: String,
    /// Plural of the kind.
    pub resource: String,
    /// Names of the objects; empty means all.
    pub names: Vec<String>,
    /// What may be done.
    pub verbs: Vec<&'static str>,
}

/// Names that a verb is needed for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Names {
    All,
    These(BTreeSet<String>),
}

/// By group and resource, of each verb the names.
#[derive(Default)]
struct Needs(BTreeMap<(String, String), BTreeMap<usize, Names>>);

/// The rights that passes with this catalogue need, each once, in a fixed order.
///
/// Guarantees: no wildcard; nothing of the groups that rule over rights and admission; a right that could go by name does.
pub fn rights(catalogue: &Catalogue) -> Vec<Right> {
    let mut needs = Needs::default();
    let mut crds: BTreeSet<&str> = [HYPERCONVERGED, KUBEVIRT].into();
    for root in [HYPERCONVERGED, KUBEVIRT] {
        needs.of_crd(root, &SEE, None);
    }
    for asset in &catalogue.assets {
        let (key, row) = (&asset.key, &asset.row);
        crds.insert(&key.crd);
        needs.namespace(key.namespace.as_deref());
        if row.root {
            // Who wrote which of its fields is asked for before it is set right.
            needs.of_crd(&key.crd, &["get", "patch"], None);
        } else {
            needs.of_crd(&key.crd, &["get", "list", "watch", "patch"], Some(&key.name));
            needs.of_crd(&key.crd, &["create"], None);
        }
        if row.yields {
            needs.of_crd(&key.crd, &SEE, None);
        }
        for condition in &row.conditions {
            match condition {
                Condition::Object { crd, name, .. } => {
                    crds.insert(crd);
                    needs.of_crd(crd, &SEE, Some(name));
                }
                Condition::Hardware(_) => needs.of(("", "nodes"), &SEE, None),
                Condition::Annotation(_)
                | Condition::Given(_)
                | Condition::Gate(_)
                | Condition::Root(_)
                | Condition::RootHas(_) => {}
            }
        }
    }
    for stone in &catalogue.tombstones {
        crds.insert(&stone.key.crd);
        needs.of_crd(&stone.key.crd, &["list", "watch", "delete"], Some(&stone.key.name));
    }
    let restarts =
        |it: &Catalogue| it.assets.iter().any(|it| it.row.disruptive) || it.tombstones.iter().any(|it| it.disruptive);
    if restarts(catalogue) {
        crds.insert(POOLS);
        needs.of_crd(POOLS, &SEE, None);
    }
    let definitions = ("apiextensions.k8s.io", "customresourcedefinitions");
    needs.of(definitions, &SEE, None);
    for crd in crds {
        needs.of(definitions, &["get"], Some(crd));
    }
    needs.rights()
}

impl Needs {
    fn of_crd(&mut self, crd: &str, verbs: &[&str], name: Option<&str>) {
        if let Some((resource, group)) = crd.split_once('.') {
            self.of((group, resource), verbs, name);
        }
    }

    /// Whether it is there is asked, and told of when that changes.
    fn namespace(&mut self, name: Option<&str>) {
        if name.is_some() {
            self.of(("", "namespaces"), &SEE, name);
        }
    }

    /// `None`: whatever the name.
    fn of(&mut self, (group, resource): (&str, &str), verbs: &[&str], name: Option<&str>) {
        let known = self.0.entry((group.to_owned(), resource.to_owned())).or_default();
        for verb in verbs {
            let Some(place) = VERBS.iter().position(|it| it == verb) else { continue };
            let names = known.entry(place).or_insert_with(|| Names::These(BTreeSet::new()));
            match (name, &mut *names) {
                (Some(name), Names::These(names)) => drop(names.insert(name.to_owned())),
                (Some(_), Names::All) => {}
                (None, _) => *names = Names::All,
            }
        }
    }

    /// Verbs for the same names are one rule.
    fn rights(self) -> Vec<Right> {
        let mut rights = Vec::new();
        for ((group, resource), verbs) in self.0 {
            let mut rules: BTreeMap<Names, Vec<&'static str>> = BTreeMap::new();
            for (place, names) in verbs {
                rules.entry(names).or_default().push(VERBS[place]);
            }
            rights.extend(rules.into_iter().map(|(names, verbs)| {
                let names = if let Names::These(names) = names { names.into_iter().collect() } else { Vec::new() };
                Right { group: group.clone(), resource: resource.clone(), names, verbs }
            }));
        }
        rights
    }
}

/// The rules as a ClusterRole has them.
pub fn rules(rights: &[Right]) -> Value {
    let rule = |right: &Right| {
        let mut rule = json!({"apiGroups": [right.group], "resources": [right.resource], "verbs": right.verbs});
        if !right.names.is_empty() {
            rule["resourceNames"] = json!(right.names);
        }
        rule
    };
    rights.iter().map(rule).collect()
}

/// A ClusterRole with these rules, as YAML.
pub fn role(name: &str, rights: &[Right]) -> String {
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules(rights),
    });
    super::render::text::document(&role)
}

/// The rules as YAML.
pub fn text(rights: &[Right]) -> String {
    super::render::text::document(&rules(rights))
}
