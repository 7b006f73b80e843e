//! What the other assets are made of: the root as it is on the cluster, in words of its own. Pure. Two versions of one setting of
//! HyperConverged and KubeVirt have one name here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::root;
use super::snapshot::{Known, Snapshot, texts, word};

/// What the assets of one cluster are made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Context {
    /// Kind of the root.
    pub kind: String,
    /// `migrations` and `hostDevices`, as the root has them.
    pub facts: Value,
    /// Open feature gates that are known.
    pub gates: BTreeSet<String>,
    /// Why there may be others.
    pub unknown_gates: Option<String>,
    asked: BTreeMap<String, String>,
    of_root: BTreeMap<String, String>,
}

impl Context {
    /// Reads the root, and the gates of the cluster's KubeVirt beside it.
    pub fn of(root: &Value, snapshot: &Snapshot) -> Self {
        let spec = &root["spec"];
        let first = |pointers: [&str; 3]| pointers.into_iter().find_map(|pointer| spec.pointer(pointer)).cloned();
        let migrations =
            first(["/liveMigrationConfig", "/virtualization/liveMigrationConfig", "/configuration/migrations"]);
        let devices = first([
            "/permittedHostDevices",
            "/virtualization/permittedHostDevices",
            "/configuration/permittedHostDevices",
        ]);
        let kind = root["kind"].as_str().unwrap_or_default().to_owned();
        let mut gates = gates(spec);
        let mut unknown_gates = None;
        if root::key(root).crd == root::HYPERCONVERGED {
            match &snapshot.kubevirts {
                Ok(all) => gates.extend(all.iter().flat_map(|kubevirt| self::gates(&kubevirt["spec"]))),
                Err(why) => unknown_gates = Some(why.clone()),
            }
        }
        Self {
            kind,
            facts: json!({"migrations": migrations, "hostDevices": devices}),
            gates,
            unknown_gates,
            asked: snapshot.asked.annotations.clone(),
            of_root: texts(root, "annotations"),
        }
    }

    /// A word among annotations: the KubevirtConfig's counts, else the root's.
    pub fn word(&self, name: &str) -> Option<&str> {
        word(&self.asked, name).or_else(|| word(&self.of_root, name))
    }

    /// Whether a gate is open.
    pub fn gate(&self, name: &str) -> Known<bool> {
        match (self.gates.contains(name), &self.unknown_gates) {
            (false, Some(why)) => Err(why.clone()),
            (open, _) => Ok(open),
        }
    }

    /// The facts at a pointer, unless there is nothing.
    pub fn fact(&self, pointer: &str) -> Option<&Value> {
        self.facts.pointer(pointer).filter(|value| !value.is_null())
    }

    /// Names of the resources that guests may be given.
    pub fn resources(&self) -> BTreeSet<&str> {
        let kinds = self.facts["hostDevices"].as_object().into_iter().flat_map(|kinds| kinds.values());
        let devices = kinds.filter_map(Value::as_array).flatten();
        devices.filter_map(|device| device["resourceName"].as_str()).collect()
    }
}

/// The gates that a spec opens: names with `true`, entries with a name and a state, or names alone.
fn gates(spec: &Value) -> BTreeSet<String> {
    let lists = [&spec["featureGates"], &spec["configuration"]["developerConfiguration"]["featureGates"]];
    let mut open = BTreeSet::new();
    for list in lists {
        match list {
            Value::Object(gates) => {
                open.extend(gates.iter().filter(|(_, on)| **on == true).map(|(gate, _)| gate.clone()));
            }
            Value::Array(gates) => open.extend(gates.iter().filter_map(|gate| match gate {
                Value::String(name) => Some(name.clone()),
                gate if gate["state"] != "Disabled" => gate["name"].as_str().map(str::to_owned),
                _ => None,
            })),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    open
}
