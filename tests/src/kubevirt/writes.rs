//! A write is data until `send`: what the parts of the simulator decide, and the one place that carries it out.
//! I/O: `send` makes one request with a deadline. Every change of an existing object carries the resource version (a
//! deletion: the UID) that the decision was made on, so that a stale decision is refused and not repeated.

use super::objects::{Kind, Name, Object, uid, version};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(10);

/// One thing to do next, and when.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Move {
    /// Name of the step, part of the seed of its delay.
    pub(super) step: &'static str,
    /// UID of the object that the step is about, the other part.
    pub(super) about: String,
    pub(super) pace: Pace,
    pub(super) write: Write,
}

/// When a move is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    AtOnce,
    /// After the step's seeded delay, counted from when it was first wanted.
    Seeded,
    /// Not before this time.
    After(Timestamp),
}

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Write {
    /// The component played: becomes the field manager.
    pub(super) actor: &'static str,
    pub(super) kind: Kind,
    pub(super) name: Name,
    pub(super) verb: Verb,
}

/// How the object is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verb {
    Create(Value),
    Merge(Value),
    MergeStatus(Value),
    Delete {
        uid: String,
    },
    /// Of a pod, to a node.
    Bind {
        node: String,
    },
}

impl Write {
    pub(super) fn merge(actor: &'static str, kind: Kind, object: &Object, patch: Value) -> Self {
        let verb = Verb::Merge(guarded(object, patch));
        Self { actor, kind, name: Name::of(object), verb }
    }

    pub(super) fn merge_status(actor: &'static str, kind: Kind, object: &Object, status: &Value) -> Self {
        let verb = Verb::MergeStatus(guarded(object, json!({"status": status})));
        Self { actor, kind, name: Name::of(object), verb }
    }

    pub(super) fn finalizers(actor: &'static str, kind: Kind, object: &Object, keep: impl Fn(&str) -> bool) -> Self {
        let left: Vec<&String> = object.finalizers().iter().filter(|f| keep(f)).collect();
        Self::merge(actor, kind, object, json!({"metadata": {"finalizers": left}}))
    }

    pub(super) fn delete(actor: &'static str, kind: Kind, object: &Object) -> Self {
        Self { actor, kind, name: Name::of(object), verb: Verb::Delete { uid: uid(object).into() } }
    }

    pub(super) fn now(self, step: &'static str, object: &Object) -> Move {
        Move { step, about: uid(object).into(), pace: Pace::AtOnce, write: self }
    }

    pub(super) fn seeded(self, step: &'static str, object: &Object) -> Move {
        Move { pace: Pace::Seeded, ..self.now(step, object) }
    }
}

fn guarded(object: &Object, mut patch: Value) -> Value {
    patch["metadata"]["resourceVersion"] = json!(object.metadata.resource_version);
    patch
}

/// Why a write did not happen.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("{}", brief(.0))]
    Refused(#[from] kube::Error),
    #[error("no answer within {DEADLINE:?}")]
    Silence,
}

/// The API server's sentence; kube adds the whole status to it.
fn brief(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

impl Fault {
    /// Somebody else was faster: the next look at the objects says what to do.
    pub(super) fn is_stale(&self) -> bool {
        matches!(self, Self::Refused(kube::Error::Api(status)) if matches!(status.code, 404 | 409))
    }
}

/// The version to wait for after a patch. One that left the version as it was took the last finalizer off, and the watch
/// will tell of the end; or it changed nothing, and must not be tried again at once.
fn after(patch: &Value, answer: &Object) -> u64 {
    let before = patch["metadata"]["resourceVersion"].as_str().and_then(|v| v.parse::<u64>().ok()).unwrap_or_default();
    version(answer).max(before + 1)
}

/// Sends one write; answers with the resource version that the watch must reach before the next decision.
pub(super) async fn send(client: Client, write: &Write) -> Result<u64, Fault> {
    let resource = write.kind.resource();
    let api: Api<Object> = match write.name.namespace.as_str() {
        "" => Api::all_with(client, &resource),
        namespace => Api::namespaced_with(client, namespace, &resource),
    };
    let name = &write.name.name;
    let patch = PatchParams { field_manager: Some(write.actor.into()), ..PatchParams::default() };
    let request = async {
        match &write.verb {
            Verb::Create(body) => {
                let post = PostParams { field_manager: patch.field_manager, ..PostParams::default() };
                let body: Object = serde_json::from_value(body.clone()).map_err(kube::Error::SerdeError)?;
                Ok(version(&api.create(&post, &body).await?))
            }
            Verb::Merge(body) => Ok(after(body, &api.patch(name, &patch, &Patch::Merge(body)).await?)),
            Verb::MergeStatus(body) => Ok(after(body, &api.patch_status(name, &patch, &Patch::Merge(body)).await?)),
            Verb::Delete { uid } => {
                let precondition = Preconditions { uid: Some(uid.clone()), resource_version: None };
                // Only a kubelet deletes pods, and it ends them.
                let grace = if write.kind == Kind::Pod {
                    DeleteParams::default().grace_period(0)
                } else {
                    DeleteParams::default()
                };
                let gone = api.delete(name, &grace.preconditions(precondition)).await?;
                Ok(gone.left().map_or(0, |object| version(&object)))
            }
            Verb::Bind { node } => {
                let post = PostParams { field_manager: patch.field_manager, ..PostParams::default() };
                let binding = json!({
                    "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name, "namespace": write.name.namespace},
                    "target": {"apiVersion": "v1", "kind": "Node", "name": node},
                });
                api.create_subresource::<Value, Value>("binding", name, &post, &binding).await?;
                Ok(0)
            }
        }
    };
    tokio::time::timeout(DEADLINE, request).await.map_err(|_| Fault::Silence)?
}
