//! What is read of the objects of a cluster for its platform baseline. No I/O.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use kube::api::ApiResource;
use model::platform::conditions;
use model::platform::snapshot::{Node, is_read};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::remote_object::RemoteObject;

/// As much of a node's spec and status as is read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Gives {
    allocatable: BTreeMap<String, String>,
}

/// As much of a pool's.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Conditions {
    conditions: Vec<PoolCondition>,
}

#[derive(Clone, Debug, Deserialize)]
struct PoolCondition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
}

/// Something that is kept of an object: a cluster may name as many as it likes (ATK1).
pub(super) trait Weigh {
    /// About how many bytes it takes.
    fn bytes(&self) -> usize;
}

impl Weigh for Node {
    fn bytes(&self) -> usize {
        let texts = self.labels.iter().chain(&self.allocatable);
        size_of::<Node>() + texts.map(|(name, text)| 2 * size_of::<String>() + name.len() + text.len()).sum::<usize>()
    }
}

impl Weigh for Packed {
    fn bytes(&self) -> usize {
        self.0.len()
    }
}

impl<T: Weigh> Weigh for Option<T> {
    fn bytes(&self) -> usize {
        self.as_ref().map_or(0, Weigh::bytes)
    }
}

impl<T: Weigh> Weigh for Arc<T> {
    fn bytes(&self) -> usize {
        T::bytes(self)
    }
}

impl Weigh for String {
    fn bytes(&self) -> usize {
        self.len()
    }
}

impl Weigh for bool {
    fn bytes(&self) -> usize {
        1
    }
}

/// An object as JSON: there are many, each looked at when something changes, and a tree of one takes ten times as much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packed(Arc<str>);

impl Packed {
    pub(super) fn of(object: &Value) -> Self {
        Self(object.to_string().into())
    }

    pub(super) fn open(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

/// What of a node conditions may ask for.
pub(super) fn node(node: &RemoteObject<Gives>) -> Node {
    conditions::node(node.labels().clone(), node.status.allocatable.clone())
}

/// Whether a pool of nodes is being updated.
pub(super) fn is_updating(pool: &RemoteObject<Conditions>) -> bool {
    pool.status.conditions.iter().any(|it| it.type_ == "Updating" && it.status == "True")
}

/// What is kept of an object: of its metadata, what somebody reads.
pub(super) fn metadata_of(object: &Value) -> Value {
    let mut metadata = object["metadata"].clone();
    if let Some(fields) = metadata.as_object_mut() {
        fields.remove("managedFields");
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|name, _| is_read(name));
    }
    json!({"metadata": metadata})
}

/// The same of metadata.
pub(super) fn metadata(of: &ObjectMeta) -> Value {
    metadata_of(&json!({"metadata": of}))
}

/// A root, but for its status and what nobody reads.
pub(super) fn root(object: &RemoteObject, kind: &ApiResource) -> Value {
    // It is judged as it is watched, so all is kept that a patch may set.
    let mut whole = json!({"metadata": object.metadata});
    if let Some(annotations) = whole["metadata"].get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|name, _| is_read(name) || !name.starts_with("vitistack.io/"));
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
    whole["apiVersion"] = json!(kind.api_version);
    whole["kind"] = json!(kind.kind);
    whole["spec"] = object.spec.clone();
    whole
}
