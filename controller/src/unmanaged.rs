//! An object of a cluster, as a watch reads it: without who wrote which field, which is half of its text and most of its values,
//! and which nobody reads. No I/O.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use kube::Resource;
use kube::api::{DynamicObject, ObjectMeta, TypeMeta};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// An object with `spec` and `status`. It has no `managedFields`.
#[derive(Clone, Debug)]
pub(crate) struct Unmanaged(pub(crate) DynamicObject);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    api_version: Option<String>,
    kind: Option<String>,
    #[serde(default)]
    metadata: Metadata,
    spec: Option<Value>,
    status: Option<Value>,
}

/// As [`ObjectMeta`], of which it lacks `managedFields`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    annotations: Option<BTreeMap<String, String>>,
    creation_timestamp: Option<Time>,
    deletion_grace_period_seconds: Option<i64>,
    deletion_timestamp: Option<Time>,
    finalizers: Option<Vec<String>>,
    generate_name: Option<String>,
    generation: Option<i64>,
    labels: Option<BTreeMap<String, String>>,
    name: Option<String>,
    namespace: Option<String>,
    owner_references: Option<Vec<OwnerReference>>,
    resource_version: Option<String>,
    self_link: Option<String>,
    uid: Option<String>,
}

impl<'de> Deserialize<'de> for Unmanaged {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object { api_version, kind, metadata, spec, status } = Object::deserialize(deserializer)?;
        let types = api_version.zip(kind).map(|(api_version, kind)| TypeMeta { api_version, kind });
        let fields = [("spec", spec), ("status", status)].into_iter();
        let fields: Map<_, _> = fields.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        Ok(Self(DynamicObject { types, metadata: metadata.into(), data: Value::Object(fields) }))
    }
}

impl From<Metadata> for ObjectMeta {
    fn from(metadata: Metadata) -> Self {
        Self {
            annotations: metadata.annotations,
            creation_timestamp: metadata.creation_timestamp,
            deletion_grace_period_seconds: metadata.deletion_grace_period_seconds,
            deletion_timestamp: metadata.deletion_timestamp,
            finalizers: metadata.finalizers,
            generate_name: metadata.generate_name,
            generation: metadata.generation,
            labels: metadata.labels,
            managed_fields: None,
            name: metadata.name,
            namespace: metadata.namespace,
            owner_references: metadata.owner_references,
            resource_version: metadata.resource_version,
            self_link: metadata.self_link,
            uid: metadata.uid,
        }
    }
}

impl Resource for Unmanaged {
    type DynamicType = <DynamicObject as Resource>::DynamicType;
    type Scope = <DynamicObject as Resource>::Scope;

    fn kind(dt: &Self::DynamicType) -> Cow<'_, str> {
        DynamicObject::kind(dt)
    }

    fn group(dt: &Self::DynamicType) -> Cow<'_, str> {
        DynamicObject::group(dt)
    }

    fn version(dt: &Self::DynamicType) -> Cow<'_, str> {
        DynamicObject::version(dt)
    }

    fn plural(dt: &Self::DynamicType) -> Cow<'_, str> {
        DynamicObject::plural(dt)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.0.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.0.metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::table::every_row;

    #[test]
    fn nothing_but_the_managed_fields_is_missing() {
        let owner = json!({"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "p-1", "controller": true});
        let metadata = json!({"name": "web", "namespace": "shop", "uid": "v-1", "resourceVersion": "7", "generation": 3,
            "generateName": "w", "selfLink": "/x", "labels": {"a": "b"}, "annotations": {"c": "d"}, "finalizers": ["f"],
            "creationTimestamp": "2026-11-20T10:00:00Z", "deletionTimestamp": "2026-11-20T10:00:01Z",
            "deletionGracePeriodSeconds": 5, "ownerReferences": [owner],
            "managedFields": [{"manager": "m", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {}}}]});
        let (spec, status) = (json!({"running": true}), json!({"phase": "Running"}));
        let cases = [
            json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": metadata, "spec": spec, "status": status}),
            json!({"metadata": metadata, "spec": spec}),
            json!({"metadata": {"name": "web", "labels": null}}),
            json!({}),
        ];
        every_row(cases, |text| {
            let mut whole: DynamicObject = serde_json::from_value(text.clone()).expect("an object");
            whole.metadata.managed_fields = None;
            let Unmanaged(read) = serde_json::from_value(text).expect("an object");
            assert_eq!(read, whole);
        });
    }

    #[test]
    fn what_is_no_object_is_refused_as_before() {
        every_row([json!([]), json!({"metadata": {"labels": {"a": 1}}}), json!({"metadata": {"name": 1}})], |text| {
            assert!(serde_json::from_value::<DynamicObject>(text.clone()).is_err());
            assert!(serde_json::from_value::<Unmanaged>(text).is_err());
        });
    }
}
