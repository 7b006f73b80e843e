//! Registration of one cluster by the flags `--vmaas-hub-*`: what is written of it, and what stays as an administrator has it. Pure.
//! E5, X40, X105.
//!
//! The KubevirtConfig is the truth: what somebody else has set there is never taken back, and a KubevirtConfig of that name with
//! another Secret is somebody else's as a whole. The Secret is ours, unless it was there before.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use serde_json::{Value, json};

use super::capability::VIRTUAL_MACHINES;
use super::kubeconfig;
use crate::api::KubevirtConfig;
use crate::names::{GROUP, HUB_MANAGER, KUBECONFIG_KEY, VERSION};

/// `spec.hubType` of what the flags register.
const HUB_TYPE: &str = "vmaas";

/// What the flags say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hub {
    /// Name of the KubevirtConfig.
    pub id: String,
    /// Its `spec.namespace`; absent: Machines are in a namespace of the same name (X38).
    pub namespace: Option<String>,
}

/// Where KubevirtConfigs and the Secret are.
#[derive(Clone, Copy, Debug)]
pub struct Place<'p> {
    /// Namespace of the Secret.
    pub namespace: &'p str,
    /// KubevirtConfigs are cluster-scoped, as the published CRD has them, and name that namespace.
    pub cluster_scoped: bool,
}

/// What is applied, server-side and with [`HUB_MANAGER`].
#[derive(Clone, PartialEq)]
pub struct Registration {
    /// The Secret, by force.
    pub secret: Value,
    /// The KubevirtConfig, without force.
    pub config: Value,
    /// What an administrator has set otherwise, and so stays, in words for the log.
    pub kept: Vec<String>,
}

impl Hub {
    /// The name of its Secret.
    pub fn secret(&self) -> String {
        format!("{}-kubeconfig", self.id)
    }

    /// What to apply, or why nothing is: `document` cannot be used, or `present`, the KubevirtConfig of that name, or `secret`, what
    /// is there under the name of its Secret, is not ours to write.
    pub fn register(
        &self,
        document: &[u8],
        present: Option<&KubevirtConfig>,
        secret: Option<&ObjectMeta>,
        place: Place<'_>,
    ) -> Result<Registration, String> {
        kubeconfig::parse(document).map_err(|why| why.to_string())?;
        if let Some(present) = present {
            self.judge(present, place)?;
        }
        // Whoever changes the data of ours takes the field over, but not that we made the KubevirtConfig.
        let ours = secret.is_none_or(|secret| owners(secret, "/f:data").any(is_ours))
            || present.is_some_and(|it| owners(&it.metadata, "/f:spec/f:kubeconfigSecretRef").any(is_ours));
        if !ours {
            return Err(format!(
                "Secret {:?} exists, was not made by this registration, and is not overwritten: choose another VMAAS_HUB_ID, or delete that Secret if nobody needs it",
                format!("{}/{}", place.namespace, self.secret()),
            ));
        }
        if let Some(namespace) = self.namespace.as_ref().filter(|_| place.cluster_scoped) {
            return Err(format!(
                "the CRD of KubevirtConfigs is the published one and has no spec.namespace for {namespace:?}: set VMAAS_HUB_NAMESPACE (vmaasHub.namespace of the chart) to nothing, or install the CRD of this chart"
            ));
        }
        let mut spec = json!({"name": self.id, "kubeconfigSecretRef": self.secret()});
        let mut wanted =
            vec![("name", Some(json!(self.id))), ("namespace", self.namespace.as_ref().map(|it| json!(it)))];
        if place.cluster_scoped {
            // The published CRD knows no more, and without it a cluster is for virtual machines, too (X53).
            spec["secretNamespace"] = json!(place.namespace);
        } else {
            wanted.push(("hubType", Some(json!(HUB_TYPE))));
        }
        let mut kept = Vec::new();
        for (field, value) in wanted {
            match present.and_then(|present| others(present, field, value.as_ref())) {
                Some(other) => {
                    kept.push(format!("spec.{field} {other}"));
                    remove(&mut spec, field);
                }
                None => drop(value.map(|value| spec[field] = value)),
            }
        }
        if !place.cluster_scoped {
            capabilities(present, &mut spec, &mut kept);
        }
        let meta = |name: &str, namespaced: bool| {
            let namespace = namespaced.then_some(place.namespace);
            ObjectMeta { name: Some(name.to_owned()), namespace: namespace.map(str::to_owned), ..ObjectMeta::default() }
        };
        Ok(Registration {
            secret: json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": meta(&self.secret(), true),
                "data": {KUBECONFIG_KEY: BASE64.encode(document)},
            }),
            config: json!({
                "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "KubevirtConfig",
                "metadata": meta(&self.id, !place.cluster_scoped), "spec": spec,
            }),
            kept,
        })
    }

    /// Whether a KubevirtConfig of this name may be written.
    fn judge(&self, present: &KubevirtConfig, place: Place<'_>) -> Result<(), String> {
        let (spec, secret) = (&present.spec, self.secret());
        let elsewhere = spec.secret_namespace.as_deref().filter(|it| !it.is_empty() && *it != place.namespace);
        if spec.kubeconfig_secret_ref != secret || elsewhere.is_some() {
            return Err(format!(
                "KubevirtConfig {:?} exists with Secret {:?} and is not taken over: choose another VMAAS_HUB_ID, delete it, or set its spec.kubeconfigSecretRef to {secret:?}",
                self.id,
                format!("{}{}", elsewhere.map(|it| format!("{it}/")).unwrap_or_default(), spec.kubeconfig_secret_ref),
            ));
        }
        if present.metadata.deletion_timestamp.is_some() {
            return Err(format!(
                "KubevirtConfig {:?} is being deleted: it is made again when it is gone, unless VMAAS_HUB_KUBECONFIG is not set any more",
                self.id
            ));
        }
        Ok(())
    }
}

/// The capabilities, a set that others may add to. Who said otherwise what the cluster is for is not contradicted.
fn capabilities(present: Option<&KubevirtConfig>, spec: &mut Value, kept: &mut Vec<String>) {
    let listed = present.map(|present| present.spec.capabilities.as_slice()).unwrap_or_default();
    let other_type = spec.get("hubType").is_none();
    if listed.iter().any(|capability| capability == VIRTUAL_MACHINES) || listed.is_empty() && !other_type {
        spec["capabilities"] = json!([VIRTUAL_MACHINES]);
    } else if !listed.is_empty() {
        kept.push(format!("spec.capabilities {}", json!(listed)));
    }
}

/// The value of a field of the spec, where it is not the wanted one and not ours alone.
fn others(present: &KubevirtConfig, field: &str, wanted: Option<&Value>) -> Option<Value> {
    let spec = serde_json::to_value(&present.spec).ok()?;
    let value = spec.get(field).filter(|value| Some(*value) != wanted && value.as_str() != Some(""))?;
    let pointer = format!("/f:spec/f:{field}");
    let mut owners = owners(&present.metadata, &pointer).peekable();
    let ours = owners.peek().is_some() && owners.all(is_ours);
    (!ours).then(|| value.clone())
}

/// Who has set a field of an object.
fn owners<'m>(metadata: &'m ObjectMeta, pointer: &str) -> impl Iterator<Item = &'m ManagedFieldsEntry> {
    let has = |entry: &ManagedFieldsEntry| entry.fields_v1.as_ref().is_some_and(|it| it.0.pointer(pointer).is_some());
    metadata.managed_fields.iter().flatten().filter(move |entry| has(entry))
}

fn is_ours(entry: &ManagedFieldsEntry) -> bool {
    entry.manager.as_deref() == Some(HUB_MANAGER)
}

fn remove(spec: &mut Value, field: &str) {
    if let Some(spec) = spec.as_object_mut() {
        spec.remove(field);
    }
}

#[cfg(test)]
#[path = "registration_tests.rs"]
mod tests;
