//! An object on a cluster, as its text is read once: no part of it is copied, and who manages which field is not looked at unless
//! somebody asks. A VM and its instance are written dozens of times while a Machine starts. No I/O.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use kube::Resource;
use kube::api::ApiResource;
use kube::core::DynamicResourceScope;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

/// An object with a spec and a status.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Text<P>", bound(deserialize = "P: Deserialize<'de> + Default"))]
pub struct RemoteObject<P = Value> {
    /// Without `managedFields`.
    pub metadata: ObjectMeta,
    /// `null` where there is none.
    pub spec: P,
    /// `null` where there is none.
    pub status: P,
    managed_fields: Option<Box<RawValue>>,
}

/// The same, of which metadata are all that is read: mostly the answer to a write.
pub type Named = RemoteObject<IgnoredAny>;

#[derive(Deserialize)]
#[serde(bound(deserialize = "P: Deserialize<'de> + Default"))]
struct Text<P> {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    spec: P,
    #[serde(default)]
    status: P,
}

/// What anybody here reads of an object's metadata.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    owner_references: Option<Vec<OwnerReference>>,
    finalizers: Option<Vec<String>>,
    generation: Option<i64>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    deletion_grace_period_seconds: Option<i64>,
    managed_fields: Option<Box<RawValue>>,
}

impl From<Metadata> for ObjectMeta {
    fn from(read: Metadata) -> Self {
        ObjectMeta {
            name: read.name,
            namespace: read.namespace,
            uid: read.uid,
            resource_version: read.resource_version,
            labels: read.labels,
            annotations: read.annotations,
            owner_references: read.owner_references,
            finalizers: read.finalizers,
            generation: read.generation,
            creation_timestamp: read.creation_timestamp,
            deletion_timestamp: read.deletion_timestamp,
            deletion_grace_period_seconds: read.deletion_grace_period_seconds,
            ..ObjectMeta::default()
        }
    }
}

impl<P> From<Text<P>> for RemoteObject<P> {
    fn from(Text { mut metadata, spec, status }: Text<P>) -> Self {
        let managed_fields = metadata.managed_fields.take();
        Self { metadata: metadata.into(), spec, status, managed_fields }
    }
}

impl<P> RemoteObject<P> {
    /// The entries of `metadata.managedFields`.
    pub fn managed_fields(&self) -> Vec<Value> {
        self.managed_fields.as_ref().and_then(|text| serde_json::from_str(text.get()).ok()).unwrap_or_default()
    }
}

impl<P> Resource for RemoteObject<P> {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(dt: &ApiResource) -> Cow<'_, str> {
        dt.kind.as_str().into()
    }

    fn group(dt: &ApiResource) -> Cow<'_, str> {
        dt.group.as_str().into()
    }

    fn version(dt: &ApiResource) -> Cow<'_, str> {
        dt.version.as_str().into()
    }

    fn plural(dt: &ApiResource) -> Cow<'_, str> {
        dt.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_read_alike_from_its_text_and_from_its_tree() {
        let tree = json!({
            "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine",
            "metadata": {"name": "web", "namespace": "shop", "uid": "u-1", "resourceVersion": "7", "labels": {"a": "b"},
                "generation": 3, "deletionTimestamp": "2026-01-01T00:00:00Z", "selfLink": "whatever it is",
                "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}]},
            "spec": {"running": true}, "status": {"ready": true}, "more": [1]});
        let of_text: RemoteObject = serde_json::from_str(&tree.to_string()).expect("an object");
        let of_tree: RemoteObject = serde_json::from_value(tree).expect("an object");
        for object in [of_text, of_tree] {
            assert_eq!(object.metadata.name.as_deref(), Some("web"));
            assert_eq!(object.metadata.resource_version.as_deref(), Some("7"));
            assert!(object.metadata.deletion_timestamp.is_some() && object.metadata.managed_fields.is_none());
            assert_eq!((&object.spec, &object.status), (&json!({"running": true}), &json!({"ready": true})));
            assert_eq!(object.managed_fields()[0]["manager"], "kubectl");
        }
        let named: Named = serde_json::from_str(r#"{"metadata": {"name": "web"}, "spec": [{}]}"#).expect("an object");
        assert_eq!(named.metadata.name.as_deref(), Some("web"));
        let bare: RemoteObject = serde_json::from_str("{}").expect("an object");
        assert!(bare.spec.is_null() && bare.managed_fields().is_empty());
    }
}
