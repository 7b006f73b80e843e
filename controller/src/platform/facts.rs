//! What is known of one cluster for its platform baseline: fed by the watches, made into a snapshot for each pass. No I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::api::{ApiResource, GroupVersionKind};
use model::platform::catalogue::{Asset, Catalogue, Condition};
use model::platform::conditions::dependency;
use model::platform::fit::Crd;
use model::platform::rights::POOLS;
use model::platform::root::{self, HYPERCONVERGED, KUBEVIRT};
use model::platform::snapshot::{Asked, Disruption, Known, Live, Node, Snapshot};
use model::platform::state::Key;
use serde_json::Value;

use super::read::Packed;

/// One thing that is watched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// One CRD, of which metadata are watched.
    Crd(String),
    /// All objects of a kind of roots, whole.
    Roots(String),
    /// The metadata of one object.
    Object(Key),
    /// The names of all objects of a kind of which there may be one only.
    Kind(String),
    /// Whether a namespace is there.
    Namespace(String),
    /// What the nodes have.
    Nodes,
    /// Whether a pool of nodes is being updated.
    Pools,
}

impl Subject {
    /// The name of the CRD that it is.
    pub(super) fn crd(&self) -> Option<&str> {
        if let Subject::Crd(name) = self { Some(name) } else { None }
    }

    /// The object that it is.
    pub(super) fn key(&self) -> Option<&Key> {
        if let Subject::Object(key) = self { Some(key) } else { None }
    }
}

/// What a watch tells: all that it knows, each time.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum News {
    Crd(Known<Option<Arc<Crd>>>),
    Roots(Known<Vec<Packed>>),
    Object(Known<Option<Packed>>),
    Names(Known<BTreeSet<String>>),
    There(Known<bool>),
    Nodes(Known<BTreeSet<Arc<Node>>>),
    Updating(Known<bool>),
}

/// What was heard. What was not heard of is not known.
#[derive(Debug, Default)]
pub(super) struct Facts(BTreeMap<Subject, News>);

impl Facts {
    /// Takes in what a watch told; whether it is another thing than before. That an object was only written again is not.
    pub(super) fn take(&mut self, subject: Subject, news: News) -> bool {
        let old = self.0.get(&subject).is_some_and(|before| says_the_same(before, &news));
        self.0.insert(subject, news);
        !old
    }

    /// Only these are watched now: of others, nothing is known.
    pub(super) fn keep(&mut self, subjects: &BTreeSet<Subject>) {
        self.0.retain(|subject, _| subjects.contains(subject));
    }

    /// Whether all of these were heard of.
    pub(super) fn are_complete(&self, subjects: &BTreeSet<Subject>) -> bool {
        subjects.iter().all(|subject| self.0.contains_key(subject))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    fn crd(&self, name: &str) -> Option<&Arc<Crd>> {
        match self.0.get(&Subject::Crd(name.to_owned())) {
            Some(News::Crd(Ok(Some(crd)))) => Some(crd),
            _ => None,
        }
    }

    /// What has to be watched, with what is known already.
    pub(super) fn subjects(&self, catalogue: &Catalogue, asked: &Asked) -> BTreeSet<Subject> {
        let crds = |name: &str| Subject::Crd(name.to_owned());
        let mut all = BTreeSet::from([crds(HYPERCONVERGED), crds(KUBEVIRT)]);
        for root in [HYPERCONVERGED, KUBEVIRT] {
            all.extend(self.crd(root).map(|_| Subject::Roots(root.to_owned())));
        }
        let is_asked =
            |asset: &&Asset| asked.assets.is_empty() || asked.assets.iter().any(|name| asset.is_called(name));
        for asset in catalogue.assets.iter().filter(is_asked) {
            self.subjects_of(asset, &mut all);
        }
        for stone in &catalogue.tombstones {
            all.insert(crds(&stone.key.crd));
            all.extend(self.crd(&stone.key.crd).map(|_| Subject::Object(stone.key.clone())));
        }
        if asked.disruption == Disruption::Allow {
            all.insert(crds(POOLS));
            all.extend(self.crd(POOLS).map(|_| Subject::Pools));
        }
        all
    }

    fn subjects_of(&self, asset: &Asset, all: &mut BTreeSet<Subject>) {
        for condition in &asset.row.conditions {
            match condition {
                Condition::Hardware(_) => drop(all.insert(Subject::Nodes)),
                Condition::Object { crd, namespace, name } => {
                    all.insert(Subject::Crd(crd.clone()));
                    let key = dependency(crd, namespace.as_ref(), name);
                    all.extend(self.crd(crd).map(|_| Subject::Object(key)));
                }
                Condition::Annotation(_)
                | Condition::Given(_)
                | Condition::Gate(_)
                | Condition::Root(_)
                | Condition::RootHas(_) => {}
            }
        }
        let crd = &asset.key.crd;
        all.insert(Subject::Crd(crd.clone()));
        if self.crd(crd).is_none() || asset.row.root {
            return;
        }
        all.extend(asset.key.namespace.clone().map(Subject::Namespace));
        all.insert(Subject::Object(asset.key.clone()));
        all.extend(asset.row.yields.then(|| Subject::Kind(crd.clone())));
    }

    /// How objects of a CRD are addressed: in the first version of the catalogue's that is served, else in any that is.
    pub(super) fn resource(&self, catalogue: &Catalogue, crd: &str) -> Option<ApiResource> {
        let served = self.crd(crd)?;
        let (plural, group) = crd.split_once('.')?;
        let assets = || catalogue.assets.iter().filter(|asset| asset.key.crd == crd);
        let wanted =
            assets().flat_map(|asset| &asset.objects).filter_map(|it| it["apiVersion"].as_str()?.split_once('/'));
        let version = wanted.map(|(_, version)| version).find(|version| served.versions.contains_key(*version));
        let version = version.or_else(|| served.versions.keys().next_back().map(String::as_str))?;
        let kind = match crd {
            HYPERCONVERGED => "HyperConverged",
            KUBEVIRT => "KubeVirt",
            // Only of roots it is read.
            _ => assets().next().map_or(crd, |asset| asset.key.kind.as_str()),
        };
        Some(ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural))
    }

    /// Whether a pool of nodes is being updated. Where there are no pools, none is.
    pub(super) fn updating(&self) -> Known<bool> {
        match (self.0.get(&Subject::Crd(POOLS.to_owned())), self.0.get(&Subject::Pools)) {
            (Some(News::Crd(Ok(None))), _) => Ok(false),
            (Some(News::Crd(Err(why))), _) => Err(why.clone()),
            (_, Some(News::Updating(known))) => known.clone(),
            _ => Err("its pools of nodes were not asked for yet".to_owned()),
        }
    }

    /// A root was written: until the watch tells, this is how it is.
    pub(super) fn replace_root(&mut self, key: &Key, bare: &Value, spec: &Value) {
        let Some(News::Roots(Ok(roots))) = self.0.get_mut(&Subject::Roots(key.crd.clone())) else { return };
        for packed in roots {
            let mut root = packed.open();
            if root::key(&root) == *key {
                root["metadata"] = bare["metadata"].clone();
                root["spec"] = spec.clone();
                *packed = Packed::of(&root);
            }
        }
    }

    fn roots(&self, crd: &str) -> Known<Vec<Value>> {
        match (self.0.get(&Subject::Crd(crd.to_owned())), self.0.get(&Subject::Roots(crd.to_owned()))) {
            (Some(News::Crd(Ok(None))), _) => Ok(Vec::new()),
            (Some(News::Crd(Err(why))), _) => Err(why.clone()),
            (_, Some(News::Roots(known))) => known.clone().map(|all| all.iter().map(Packed::open).collect()),
            _ => Err(format!("{crd} were not asked for yet")),
        }
    }

    /// All of it, as a pass judges it.
    pub(super) fn snapshot(&self, asked: Asked, supervisor: &str, identity: Result<(), String>) -> Snapshot {
        let mut snapshot = Snapshot {
            asked,
            supervisor: supervisor.to_owned(),
            identity,
            hyperconvergeds: self.roots(HYPERCONVERGED),
            kubevirts: self.roots(KUBEVIRT),
            crds: BTreeMap::new(),
            namespaces: BTreeMap::new(),
            nodes: Err("the nodes were not asked for yet".to_owned()),
            objects: BTreeMap::new(),
            listed: BTreeMap::new(),
            turn: Ok(()),
        };
        for (subject, news) in &self.0 {
            match (subject, news.clone()) {
                (Subject::Crd(name), News::Crd(known)) => drop(snapshot.crds.insert(name.clone(), known)),
                (Subject::Object(key), News::Object(known)) => {
                    let live = known.map(|object| object.map_or(Live::Absent, |it| Live::Metadata(it.open())));
                    snapshot.objects.insert(key.clone(), live);
                }
                (Subject::Kind(crd), News::Names(known)) => drop(snapshot.listed.insert(crd.clone(), known)),
                (Subject::Namespace(name), News::There(known)) => {
                    snapshot.namespaces.insert(name.clone(), known);
                }
                (Subject::Nodes, News::Nodes(known)) => {
                    snapshot.nodes = known.map(|all| all.into_iter().map(Arc::unwrap_or_clone).collect());
                }
                _ => {}
            }
        }
        snapshot
    }
}

/// Whichever version an object is: a status that is written says nothing new.
fn says_the_same(before: &News, now: &News) -> bool {
    let bare = |object: &Packed| {
        let mut object = object.open();
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("resourceVersion");
        }
        object
    };
    match (before, now) {
        (News::Roots(Ok(before)), News::Roots(Ok(now))) => before.iter().map(bare).eq(now.iter().map(bare)),
        (News::Object(Ok(Some(before))), News::Object(Ok(Some(now)))) => bare(before) == bare(now),
        (before, now) => before == now,
    }
}

#[cfg(test)]
#[path = "facts_tests.rs"]
mod tests;
