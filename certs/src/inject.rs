//! Publishes the CA in the two webhook configurations, so that API servers trust us. I/O: reads and patches these two.
//!
//! A JSON patch, so that we own each `caBundle` and nothing else. With server-side apply we would own the list entries,
//! too, and a chart that drops or renames a webhook would be refused: our half of the entry alone is not valid (tried
//! on kube-apiserver 1.36). A configuration that does not exist is never created here.

use futures::stream::BoxStream;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration};
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::cert::{self, Cert};

const ATTEMPTS: usize = 4;

/// Why the CA is not published.
#[derive(Debug, thiserror::Error)]
pub enum InjectError {
    /// The API server's answer, or none.
    #[error("cannot {verb} {kind} {name}: {}", crate::api::said(.cause))]
    Api {
        /// What was tried.
        verb: &'static str,
        /// The configuration's kind.
        kind: String,
        /// Its name.
        name: String,
        /// The cause.
        cause: kube::Error,
    },
    /// There is no such configuration, or it lists no webhook.
    #[error("{kind} {name} is not there yet, or lists no webhook: it comes with the chart")]
    Missing {
        /// The configuration's kind.
        kind: String,
        /// Its name.
        name: String,
    },
    /// However often it was patched, the configuration that was read afterwards had another bundle.
    #[error("{kind} {name} does not keep the bundle that is written: does something else write it?")]
    NotKept {
        /// The configuration's kind.
        kind: String,
        /// Its name.
        name: String,
    },
}

/// One webhook configuration.
pub struct Target {
    api: Api<DynamicObject>,
    watched: Api<PartialObjectMeta<DynamicObject>>,
    resource: ApiResource,
    name: String,
}

impl Target {
    /// The mutating configuration of this name.
    pub fn mutating(client: Client, name: &str) -> Self {
        Self::of(client, ApiResource::erase::<MutatingWebhookConfiguration>(&()), name)
    }

    /// The validating configuration of this name.
    pub fn validating(client: Client, name: &str) -> Self {
        Self::of(client, ApiResource::erase::<ValidatingWebhookConfiguration>(&()), name)
    }

    fn of(client: Client, resource: ApiResource, name: &str) -> Self {
        let watched = Api::all_with(client.clone(), &resource);
        Self { api: Api::all_with(client, &resource), watched, resource, name: name.to_owned() }
    }

    /// The configuration as it is, if there is one.
    pub async fn read(&self) -> Result<Option<DynamicObject>, InjectError> {
        self.api.get_opt(&self.name).await.map_err(|cause| self.api_error("read", cause))
    }

    /// Makes the bundle (PEM) the one of every webhook listed. On success a read has shown it; `live` is the first one.
    /// Answers whether something had to be written.
    pub async fn publish(&self, mut live: Option<DynamicObject>, bundle: &str) -> Result<bool, InjectError> {
        let params =
            PatchParams { field_manager: Some(crate::api::FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        for attempt in 0..ATTEMPTS {
            let Some(listed) = live.as_ref().map(webhooks).filter(|listed| !listed.is_empty()) else {
                return Err(InjectError::Missing { kind: self.resource.kind.clone(), name: self.name.clone() });
            };
            let Some(patch) = patch(listed, bundle) else { return Ok(attempt > 0) };
            match self.api.patch(&self.name, &params, &Patch::<()>::Json(patch)).await {
                Ok(_) => {
                    tracing::info!(kind = %self.resource.kind, name = %self.name, "published the webhook's CA");
                }
                // The list is another one by now: read it again.
                Err(kube::Error::Api(status)) if matches!(status.code, 409 | 422) => {}
                Err(cause) => return Err(self.api_error("patch", cause)),
            }
            live = self.read().await?;
        }
        Err(InjectError::NotKept { kind: self.resource.kind.clone(), name: self.name.clone() })
    }

    /// Says whenever the configuration changed, and sometimes when it did not.
    pub fn changes(&self) -> BoxStream<'static, ()> {
        crate::api::changes(self.watched.clone(), &self.name)
    }

    fn api_error(&self, verb: &'static str, cause: kube::Error) -> InjectError {
        InjectError::Api { verb, kind: self.resource.kind.clone(), name: self.name.clone(), cause }
    }
}

/// The CAs that API servers trust, for each webhook listed.
pub fn trusted(live: &DynamicObject) -> Vec<Vec<Cert>> {
    let bundle = |webhook: &Value| {
        let bytes: Option<ByteString> = serde_json::from_value(webhook["clientConfig"]["caBundle"].clone()).ok();
        bytes.and_then(|bytes| String::from_utf8(bytes.0).ok()).unwrap_or_default()
    };
    webhooks(live).iter().map(|webhook| cert::split(&bundle(webhook))).collect()
}

fn webhooks(live: &DynamicObject) -> &[Value] {
    live.data.get("webhooks").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The patch that puts the bundle into every webhook that lacks it, if one does. Each write is tied to the name that
/// was read at its place. Pure.
fn patch(webhooks: &[Value], bundle: &str) -> Option<json_patch::Patch> {
    // Base64, as the API server shows it.
    let bundle = json!(ByteString(bundle.as_bytes().to_vec()));
    let stale = webhooks.iter().enumerate().filter(|(_, webhook)| webhook["clientConfig"]["caBundle"] != bundle);
    let operations: Vec<Value> = stale
        .flat_map(|(index, webhook)| {
            let (name, place) = (format!("/webhooks/{index}/name"), format!("/webhooks/{index}/clientConfig/caBundle"));
            [
                json!({"op": "test", "path": name, "value": webhook["name"]}),
                json!({"op": "add", "path": place, "value": bundle}),
            ]
        })
        .collect();
    let patch = serde_json::from_value(operations.into()).expect("invariant: these are operations");
    Some(patch).filter(|patch: &json_patch::Patch| !patch.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(name: &str, bundle: &Value) -> Value {
        let client = json!({"service": {"name": "webhook", "namespace": "ns"}, "caBundle": bundle});
        json!({"name": name, "clientConfig": client, "sideEffects": "None", "admissionReviewVersions": ["v1"]})
    }

    #[test]
    fn the_patch_writes_stale_bundles_and_nothing_else() {
        let seen = [hook("a", &Value::Null), hook("b", &json!("b3Vycw==")), hook("c", &json!("dGhlaXJz"))];
        let want = json!([
            {"op": "test", "path": "/webhooks/0/name", "value": "a"},
            {"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": "b3Vycw=="},
            {"op": "test", "path": "/webhooks/2/name", "value": "c"},
            {"op": "add", "path": "/webhooks/2/clientConfig/caBundle", "value": "b3Vycw=="},
        ]);
        assert_eq!(patch(&seen, "ours").map(|patch| json!(patch)), Some(want));
    }

    #[test]
    fn nothing_is_written_twice() {
        assert_eq!(patch(&[hook("a", &json!("b3Vycw=="))], "ours"), None);
    }
}
