//! The platform baseline as its callers see it: a catalogue and a snapshot of a cluster in, states and steps out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use k8s_openapi::jiff::Timestamp;
use model::platform::catalogue::Catalogue;
use model::platform::fit::Crd;
use model::platform::memory::Memory;
use model::platform::rules::judge;
use model::platform::snapshot::{Asked, Disruption, Live, Mode, Node, Snapshot};
use model::platform::state::{Key, Pass, State, Step};
use serde_json::{Value, json};

mod catalogue;
mod conditions;
mod exclusions;
mod fills;
mod frames;
mod given;
mod held;
mod order;
mod patches;
mod render;
mod rights;
mod roots;
mod settles;
mod shown;
#[path = "../../../../tests/table.rs"]
mod table;
mod told;
mod tombstones;
mod turns;
mod wars;

/// The supervisor of these tests.
const SUPERVISOR: &str = "sup-1";

/// The catalogue that is built in, read once.
fn built_in() -> &'static Catalogue {
    static READ: LazyLock<Catalogue> = LazyLock::new(model::platform::built_in::catalogue);
    &READ
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("a time")
}

/// A cluster with HyperConverged and every operator of the catalogue, one worker, and nothing of the baseline yet.
#[derive(Clone)]
struct World {
    snapshot: Snapshot,
    memory: BTreeMap<Key, Memory>,
}

fn world() -> World {
    let catalogue = built_in();
    let mut objects: BTreeMap<Key, Result<Live, String>> =
        catalogue.keys().into_iter().map(|key| (key.clone(), Ok(Live::Absent))).collect();
    objects.insert(frames::remediation(), Ok(Live::Metadata(json!({"metadata": {"name": "automatic"}}))));
    let namespaces = catalogue.keys().into_iter().filter_map(|key| key.namespace.clone());
    let listed = catalogue.keys().into_iter().map(|key| (key.crd.clone(), Ok(BTreeSet::new())));
    let worker = [("node-role.kubernetes.io/worker".to_owned(), String::new())];
    World {
        snapshot: Snapshot {
            asked: Asked { mode: Mode::Enforce, disruption: Disruption::Allow, ..Asked::default() },
            supervisor: SUPERVISOR.to_owned(),
            identity: Ok(()),
            hyperconvergeds: Ok(vec![hyperconverged()]),
            kubevirts: Ok(vec![]),
            crds: frames::crds(),
            namespaces: namespaces.map(|name| (name, Ok(true))).collect(),
            nodes: Ok(vec![Node { labels: worker.into(), ..Node::default() }]),
            objects,
            listed: listed.collect(),
            turn: Ok(()),
        },
        memory: BTreeMap::new(),
    }
}

fn hyperconverged() -> Value {
    json!({
        "apiVersion": "hco.kubevirt.io/v1beta1", "kind": "HyperConverged",
        "metadata": {"namespace": "virt", "name": "hco", "uid": "u-hco", "resourceVersion": "7", "generation": 3},
        "spec": {"liveMigrationConfig": {"parallelMigrationsPerCluster": 5}, "featureGates": {"downwardMetrics": false}},
    })
}

fn kubevirt() -> Value {
    json!({
        "apiVersion": "kubevirt.io/v1", "kind": "KubeVirt",
        "metadata": {"namespace": "virt", "name": "kubevirt", "uid": "u-kv", "resourceVersion": "7", "generation": 3},
        "spec": {"configuration": {"developerConfiguration": {"featureGates": ["CPUManager", "GPU"]}}},
    })
}

/// The key of an object of the catalogue by its kind and name.
fn key(kind: &str, name: &str) -> Key {
    let catalogue = built_in();
    let found = catalogue.keys().into_iter().find(|key| key.kind == kind && key.name == name).cloned();
    found.unwrap_or_else(|| panic!("the catalogue has no {kind} {name}"))
}

impl World {
    fn asked(mut self, change: impl FnOnce(&mut Asked)) -> Self {
        change(&mut self.snapshot.asked);
        self
    }

    fn seen(mut self, change: impl FnOnce(&mut Snapshot)) -> Self {
        change(&mut self.snapshot);
        self
    }

    fn annotated(self, word: &str, text: &str) -> Self {
        self.asked(|asked| drop(asked.annotations.insert(format!("platform.kubevirt.io/{word}"), text.to_owned())))
    }

    fn mode(self, mode: Mode) -> Self {
        self.asked(|asked| asked.mode = mode)
    }

    /// With KubeVirt alone.
    fn bare(self) -> Self {
        self.seen(|snapshot| {
            snapshot.hyperconvergeds = Ok(vec![]);
            snapshot.kubevirts = Ok(vec![kubevirt()]);
        })
    }

    fn object(self, kind: &str, name: &str, live: Result<Live, String>) -> Self {
        self.seen(|snapshot| drop(snapshot.objects.insert(key(kind, name), live)))
    }

    fn without_crd(self, name: &str) -> Self {
        self.seen(|snapshot| drop(snapshot.crds.insert(name.to_owned(), Ok(None))))
    }

    fn label(self, label: &str) -> Self {
        self.seen(|snapshot| {
            let nodes = snapshot.nodes.as_mut().expect("the nodes are known");
            nodes[0].labels.insert(label.to_owned(), "true".to_owned());
        })
    }

    fn pass(&mut self, second: i64) -> Pass {
        judge(built_in(), &self.snapshot, &mut self.memory, at(second))
    }

    /// State and message of an asset.
    fn asset(&mut self, name: &str) -> (State, String) {
        let pass = self.pass(0);
        let found = pass.outcomes.iter().find(|outcome| outcome.asset == name);
        let found = found.unwrap_or_else(|| panic!("no asset {name}: {:?}", pass.held));
        (found.state, found.message.clone())
    }

    /// Does what a pass says, as an API server would, until nothing is left; returns how many writes that were.
    fn settle(&mut self, second: i64) -> usize {
        let mut writes = 0;
        for round in 0..10 {
            let pass = self.pass(second + round);
            if pass.steps.is_empty() {
                return writes;
            }
            for (key, step) in pass.steps {
                writes += usize::from(!matches!(step, Step::Read));
                self.write(&key, &step, second + round);
            }
        }
        panic!("it does not settle: {:?}", self.pass(second + 10).steps);
    }

    fn write(&mut self, key: &Key, step: &Step, second: i64) {
        let fields = match step {
            Step::Read => return,
            Step::Create(object) => {
                let mut object = object.clone();
                object["metadata"]["uid"] = json!(format!("u-{}", key.name));
                object["metadata"]["resourceVersion"] = json!("1");
                object["metadata"]["generation"] = json!(1);
                self.snapshot.objects.insert(key.clone(), Ok(Live::Whole(object)));
                vec!["the object itself".to_owned()]
            }
            Step::Change { patch, fields } => {
                self.edit(key, patch);
                fields.clone()
            }
            Step::Pause(patch) => {
                self.edit(key, patch);
                return;
            }
            Step::Delete { .. } => {
                self.snapshot.objects.insert(key.clone(), Ok(Live::Absent));
                return;
            }
        };
        self.memory.entry(key.clone()).or_default().wrote(&fields, at(second));
    }

    /// Applies a merge patch to an object, by whomever.
    fn edit(&mut self, key: &Key, patch: &Value) {
        let roots = [&mut self.snapshot.hyperconvergeds, &mut self.snapshot.kubevirts];
        let root = roots.into_iter().flatten().flatten().find(|it| it["metadata"]["name"] == key.name.as_str());
        let object = match (root, self.snapshot.objects.get_mut(key)) {
            (Some(root), _) => root,
            (None, Some(Ok(Live::Whole(object)))) => object,
            (None, other) => panic!("{key} is not there to be changed: {other:?}"),
        };
        let before = object["spec"].clone();
        json_patch::merge(object, patch);
        let version = |value: &Value| value.as_str().and_then(|it| it.parse::<u32>().ok()).unwrap_or_default();
        object["metadata"]["resourceVersion"] =
            json!((version(&object["metadata"]["resourceVersion"]) + 1).to_string());
        if object["spec"] != before {
            object["metadata"]["generation"] = json!(object["metadata"]["generation"].as_u64().unwrap_or_default() + 1);
        }
    }
}

/// The step of a pass for one object.
fn step_for<'p>(pass: &'p Pass, key: &Key) -> Option<&'p Step> {
    pass.steps.iter().find(|(of, _)| of == key).map(|(_, step)| step)
}

fn crd(schema: Value, namespaced: bool, version: &str) -> Crd {
    let scope = if namespaced { "Namespaced" } else { "Cluster" };
    let schema = json!({"type": "object", "properties": {"spec": schema}});
    let version = json!({"name": version, "served": true, "schema": {"openAPIV3Schema": schema}});
    Crd::of(&json!({"spec": {"scope": scope, "versions": [version]}})).expect("a CRD")
}

fn read(files: &[(&str, &str)]) -> Result<Catalogue, Vec<String>> {
    Catalogue::read(files.iter().copied())
}
