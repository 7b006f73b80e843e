//! What is kept of the objects behind a disk: claims, DataVolumes, StorageClasses. No I/O.
//!
//! A cluster may lie: its words are cleaned and cut, its lists are short, and what is no quantity is left out (ATK7, ATK8).

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::{ApiResource, DynamicObject};
use kube::core::GroupVersionKind;
use kube::{Resource, ResourceExt};
use model::baseline::Drift;
use model::clusters::facts::CDI;
use model::machine::{Claim, Import, StorageClass};
use model::names::DESIRED;
use model::quantity;
use model::text::line;
use serde_json::Value;

use crate::applied::{drift, hash, paused};
use crate::remote_object::RemoteObject;

/// Bytes that are kept of a word, of a UID, of a mode and of a sentence.
const WORD: usize = 256;
const UID: usize = 64;
const MODE: usize = 24;
const SENTENCE: usize = 512;
/// Access modes that are kept of a claim: Kubernetes knows four.
const MODES: usize = 4;

/// CDI's kind.
pub fn data_volumes() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(CDI, "v1beta1", "DataVolume"))
}

fn word(text: &str) -> String {
    line(text, WORD)
}

fn uid_of(object: &impl Resource) -> String {
    line(object.meta().uid.as_deref().unwrap_or_default(), UID)
}

/// Claims, of which no more is read than of the kinds without a Rust type.
pub fn claims() -> ApiResource {
    ApiResource::erase::<PersistentVolumeClaim>(&())
}

/// Reads a claim.
pub fn read_claim(object: &RemoteObject) -> Claim {
    let RemoteObject { spec, status, metadata, .. } = object;
    let text = |value: &Value, most| value.as_str().map(|text| line(text, most));
    let modes = spec["accessModes"].as_array().into_iter().flatten();
    let mut owners = metadata.owner_references.iter().flatten();
    Claim {
        uid: uid_of(object),
        resource_version: word(metadata.resource_version.as_deref().unwrap_or_default()),
        created: metadata.creation_timestamp.as_ref().map(|created| created.0.as_second()),
        storage_class: text(&spec["storageClassName"], WORD),
        access_modes: modes.filter_map(|mode| text(mode, MODE)).take(MODES).collect(),
        volume_mode: text(&spec["volumeMode"], MODE),
        imported: owners.any(|owner| owner.controller == Some(true) && owner.kind == "DataVolume"),
        phase: text(&status["phase"], WORD).unwrap_or_default(),
        size: status["capacity"]["storage"].as_str().and_then(|size| quantity::parse(size).ok()),
        requested: spec["resources"]["requests"]["storage"]
            .as_str()
            .filter(|size| quantity::size(size).is_ok())
            .map(str::to_owned),
        hash: hash(object),
        drift: drift(object),
        paused: paused(object),
        deleting: metadata.deletion_timestamp.is_some(),
    }
}

/// Bytes of a claim's text.
pub fn claim_bytes(claim: &Claim) -> usize {
    let Claim {
        uid, resource_version, phase, access_modes, storage_class, volume_mode, requested, hash, drift, ..
    } = claim;
    let modes = access_modes.iter().map(|mode| size_of::<String>() + mode.len());
    let options = [storage_class, volume_mode, requested, hash].into_iter().flatten().map(String::len);
    let drift: usize = drift.iter().map(Drift::bytes).sum();
    uid.len() + resource_version.len() + phase.len() + modes.sum::<usize>() + options.sum::<usize>() + drift
}

/// Reads a DataVolume. CDI tries for ever: what keeps it from getting on stands in a condition, not in its phase.
pub fn read_data_volume(object: &RemoteObject) -> Import {
    let phase = object.status["phase"].as_str().unwrap_or_default();
    let done = phase == "Succeeded";
    let progress = object.status["progress"].as_str().unwrap_or_default();
    let steps = [25, 50, 75].into_iter().filter(|step| percent(progress) >= *step).count();
    Import {
        uid: uid_of(object),
        done,
        percent: if done { 100 } else { u8::try_from(steps * 25).unwrap_or_default() },
        failure: failure(object, phase),
        source: object.annotations().get(DESIRED).map(|hash| word(hash)),
        deleting: object.metadata.deletion_timestamp.is_some(),
    }
}

/// The whole part of `37.5%`.
fn percent(progress: &str) -> u64 {
    progress.split(['.', '%']).next().and_then(|whole| whole.parse().ok()).unwrap_or_default()
}

fn failure(object: &RemoteObject, phase: &str) -> Option<String> {
    let text = |it: &Value, key: &str| it[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let broken = |it: &&Value| {
        let reason = it["reason"].as_str().unwrap_or_default();
        let ends = ["Error", "Failed", "BackOff"].iter().any(|end| reason.ends_with(end));
        it["status"] == "False"
            && (it["type"] == "Running" || it["type"] == "Bound")
            && (ends || reason.starts_with("Err"))
    };
    let all = object.status["conditions"].as_array();
    let broken = all.into_iter().flatten().find(broken).filter(|_| phase != "Succeeded");
    let said = broken.and_then(|it| text(it, "message").or_else(|| text(it, "reason")));
    let said = said.or_else(|| (phase == "Failed").then(|| "Failed".to_owned()))?;
    Some(format!("CDI says: {}", line(&said, SENTENCE)))
}

/// Reads a StorageClass.
pub fn read_storage_class(object: &DynamicObject) -> StorageClass {
    StorageClass {
        expands: object.data["allowVolumeExpansion"] == true,
        waits: object.data["volumeBindingMode"] == "WaitForFirstConsumer",
    }
}
