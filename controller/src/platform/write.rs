//! The requests of a pass over one cluster, and what their answers mean. I/O: the cluster.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, Preconditions};
use model::platform::memory::Answer;
use model::platform::root;
use model::platform::snapshot::Live;
use model::platform::state::{Key, Pass, Step};
use model::platform::status::wrote;
use runtime::clusters::{DEADLINE, code, explain, said};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::facts::{News, Subject};
use super::read::{Packed, metadata_of};
use super::worker::Worker;
use super::{Kept, Site};
use crate::objects::{patch_params, post_params};

/// What somebody else changed meanwhile is looked at again after this long: his change is on its way to us.
pub(super) const MOVED: Duration = Duration::from_secs(1);
/// Writes that nobody was told of yet are remembered no further.
const UNTOLD: usize = 64;
/// What could not be read is asked for again after this long, and what may not be read.
const UNREAD: Duration = Duration::from_secs(30);
const FORBIDDEN: Duration = Duration::from_secs(600);

/// What became of a step.
pub(super) enum Written {
    /// It is known what became of it.
    Told,
    /// The object is another one than the one that was judged.
    Moved(Duration),
}

impl Worker<'_> {
    /// Reads an object, for this pass.
    pub(super) async fn read(&mut self, key: &Key) {
        let found = match self.resource(&key.crd) {
            Some(kind) => get(self.site, &kind, key).await,
            None => Err((format!("{} is not served any more", key.crd), false)),
        };
        match found {
            Ok(Some(object)) => drop(self.read.insert(key.clone(), Live::Whole(object))),
            Ok(None) => drop(self.read.insert(key.clone(), Live::Absent)),
            Err((why, forbidden)) => {
                let pause = if forbidden { FORBIDDEN } else { UNREAD };
                self.unread.insert(key.clone(), (why, Instant::now() + pause));
            }
        }
    }

    /// Does a step that writes, and notes what became of it.
    pub(super) async fn write(&mut self, key: &Key, step: &Step, pass: &Pass) -> Written {
        let Some(kind) = self.resource(&key.crd) else { return Written::Moved(MOVED) };
        let outcome = request(self.site, &kind, key, step).await;
        let now = Timestamp::now();
        let mut kept = self.site.slot.kept();
        let memory = kept.memory.entry(key.clone()).or_default();
        match outcome {
            Outcome::Moved => {
                self.read.remove(key);
                return Written::Moved(MOVED);
            }
            Outcome::Refused(answer) => {
                tracing::warn!(kubevirtConfig = %self.site.name, object = %key, answer = ?answer, "the platform baseline could not be written");
                memory.failed(answer, now);
                return Written::Told;
            }
            Outcome::Done(_) => match step {
                Step::Create(_) | Step::Change { .. } | Step::Delete { .. } => memory.wrote(&step.fields(), now),
                Step::Read | Step::Pause(_) => {}
            },
        }
        let of = pass.parts(key).join(", ");
        let (reason, sentence) = wrote(key, step, self.read.get(key).and_then(Live::object), &of);
        tracing::info!(kubevirtConfig = %self.site.name, object = %key, asset = of, "{sentence}");
        if !matches!(step, Step::Change { fields, .. } if fields.is_empty()) {
            kept.wrote.truncate(UNTOLD);
            kept.wrote.push((key.to_string(), reason, sentence));
        }
        if let Outcome::Done(object) = outcome {
            self.put(&mut kept, key, object);
        }
        Written::Told
    }

    /// The answer to a write is newer than what the watch told until now.
    fn put(&mut self, kept: &mut Kept, key: &Key, object: Value) {
        let bare = metadata_of(&object);
        if is_root(key) {
            kept.facts.replace_root(key, &bare, &object["spec"]);
        } else {
            kept.facts.take(Subject::Object(key.clone()), News::Object(Ok(Some(Packed::of(&bare)))));
        }
        self.read.insert(key.clone(), Live::Whole(object));
    }
}

/// Whether an object is the root, or of its kind.
pub(super) fn is_root(key: &Key) -> bool {
    [root::HYPERCONVERGED, root::KUBEVIRT].contains(&key.crd.as_str())
}

/// What came of a request.
#[derive(Debug)]
enum Outcome {
    /// It is done; the object as it is now.
    Done(Value),
    /// The object is not the one that was judged any more: what it is now is on its way.
    Moved,
    /// It is not done.
    Refused(Answer),
}

fn api(site: &Site, kind: &ApiResource, key: &Key) -> Api<DynamicObject> {
    match &key.namespace {
        Some(namespace) => Api::namespaced_with(site.client.clone(), namespace, kind),
        None => Api::all_with(site.client.clone(), kind),
    }
}

/// Reads an object; the error says why not, and whether that is because we may not.
async fn get(site: &Site, kind: &ApiResource, key: &Key) -> Result<Option<Value>, (String, bool)> {
    match tokio::time::timeout(DEADLINE, api(site, kind, key).get_opt(&key.name)).await {
        Ok(Ok(object)) => Ok(object.map(|object| json!(object))),
        Ok(Err(why)) => Err((explain(&why, &format!("get {}", kind.plural)), code(&why) == Some(403))),
        Err(_) => Err((late(), false)),
    }
}

/// Does a step that writes.
async fn request(site: &Site, kind: &ApiResource, key: &Key, step: &Step) -> Outcome {
    let api = api(site, kind, key);
    let (verb, written) = match step {
        Step::Read => return Outcome::Moved,
        Step::Create(object) => {
            let body = match serde_json::from_value::<DynamicObject>(object.clone()) {
                Ok(body) => body,
                Err(why) => return Outcome::Refused(Answer::Refused(why.to_string())),
            };
            let params = post_params();
            ("create", tokio::time::timeout(DEADLINE, api.create(&params, &body)).await)
        }
        Step::Change { patch, .. } | Step::Pause(patch) => {
            let (params, patch) = (patch_params(), Patch::Merge(patch));
            ("patch", tokio::time::timeout(DEADLINE, api.patch(&key.name, &params, &patch)).await)
        }
        Step::Delete { uid, resource_version } => {
            return delete(&api, key, (uid, resource_version)).await;
        }
    };
    match written {
        Ok(Ok(object)) => Outcome::Done(json!(object)),
        Ok(Err(why)) => outcome(verb, &why),
        Err(_) => Outcome::Refused(Answer::Failed(late())),
    }
}

async fn delete(api: &Api<DynamicObject>, key: &Key, (uid, resource_version): (&str, &str)) -> Outcome {
    let preconditions =
        Preconditions { uid: Some(uid.to_owned()), resource_version: Some(resource_version.to_owned()) };
    let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    match tokio::time::timeout(DEADLINE, api.delete(&key.name, &params)).await {
        // It may have finalizers: until the watch tells that it is gone, it is on its way out.
        Ok(Ok(_)) => Outcome::Done(json!({"metadata": {
            "uid": uid, "resourceVersion": resource_version, "deletionTimestamp": "1970-01-01T00:00:00Z",
        }})),
        Ok(Err(why)) => outcome("delete", &why),
        Err(_) => Outcome::Refused(Answer::Failed(late())),
    }
}

/// What a refusal means.
fn outcome(verb: &str, why: &kube::Error) -> Outcome {
    let ending = matches!(why, kube::Error::Api(status) if status.details.as_ref().is_some_and(|details| {
        details.causes.iter().any(|cause| cause.reason == "NamespaceTerminating")
    }));
    let says = said(why);
    match code(why) {
        // A webhook of the cluster, or a quota.
        Some(403) if says.contains("denied the request") => Outcome::Refused(Answer::Refused(says)),
        Some(403) if !ending && !says.contains("exceeded quota") => {
            Outcome::Refused(Answer::Forbidden(verb.to_owned()))
        }
        Some(404 | 409) => Outcome::Moved,
        Some(400 | 413 | 422) => Outcome::Refused(Answer::Refused(says)),
        _ => Outcome::Refused(Answer::Failed(says)),
    }
}

fn late() -> String {
    format!("no answer within {} s", DEADLINE.as_secs())
}
