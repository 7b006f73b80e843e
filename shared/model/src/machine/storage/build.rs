//! What is made for a disk: its claim, or the DataVolume that makes one. Pure. C22, X15, X23, X97.

use serde_json::{Value, json};

use super::super::intent::Admitted;
use super::super::labels;
use super::super::observed::Observed;
use super::super::write::Failure;
use super::wanted::{Source, Wanted, disks};
use crate::baseline;
use crate::names::DESIRED;

/// Annotation of CDI: `false` keeps a DataVolume that has done its work.
const STAYS: &str = "cdi.kubevirt.io/storage.deleteAfterCompletion";

/// Each claim as it is made without CDI, by the name of its disk.
pub fn claims(admitted: &Admitted, seen: &Observed) -> Vec<(String, Value)> {
    let disks = disks(admitted).into_iter();
    disks.map(|wanted| (wanted.disk.name.clone(), claim(admitted, &wanted, seen))).collect()
}

/// Whose it is, and what of the Machine's own labels it gets when it is made (X97).
fn labels_of(admitted: &Admitted, seen: &Observed) -> Value {
    let mut all = labels::owner(&admitted.identity, &seen.supervisor);
    labels::add(&mut all, &admitted.labels, &seen.copied_labels);
    all
}

/// A claim as it should be, with what its author patches, and what of it is kept true: its labels and its annotations. Its size
/// only grows, and the rest cannot change.
pub(super) fn wanted_claim(admitted: &Admitted, wanted: &Wanted, seen: &Observed) -> Result<baseline::Wanted, Failure> {
    let object = claim(admitted, wanted, seen);
    let object =
        wanted.user.apply(&object, seen.terms.scheduling_patches).map_err(|wrong| Failure::of_patch(&wrong))?;
    let metadata = &object["metadata"];
    let mut kept = json!({"labels": metadata["labels"]});
    if metadata["annotations"].is_object() {
        kept["annotations"] = metadata["annotations"].clone();
    }
    Ok(baseline::Wanted::new(object, json!({"metadata": kept}), wanted.user.clone(), &[]))
}

fn claim(admitted: &Admitted, wanted: &Wanted, seen: &Observed) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": wanted.claim,
            "namespace": admitted.identity.vm.namespace,
            "labels": labels_of(admitted, seen),
        },
        "spec": claim_spec(wanted, seen),
    })
}

/// CDI gives the claim the name, the labels and the annotations of the DataVolume, which is to stay as long as the claim.
pub(super) fn data_volume(
    admitted: &Admitted,
    wanted: &Wanted,
    source: &Value,
    seen: &Observed,
) -> Result<Value, Failure> {
    let mut object = wanted_claim(admitted, wanted, seen)?.object().clone();
    object["apiVersion"] = json!("cdi.kubevirt.io/v1beta1");
    object["kind"] = json!("DataVolume");
    let annotations = &mut object["metadata"]["annotations"];
    annotations[DESIRED] = json!(Source::hash(source));
    if annotations.get(STAYS).is_none() {
        annotations[STAYS] = json!("false");
    }
    object["spec"] = json!({"source": source, "pvc": object["spec"]});
    Ok(object)
}

fn claim_spec(wanted: &Wanted, seen: &Observed) -> Value {
    let disk = &wanted.disk;
    let mut spec = json!({
        "accessModes": [disk.access_mode],
        "resources": {"requests": {"storage": disk.size}},
    });
    if let Some(class) = storage_class(wanted, seen) {
        spec["storageClassName"] = json!(class);
    }
    if let Some(mode) = &disk.volume_mode {
        spec["volumeMode"] = json!(mode);
    }
    spec
}

/// X23: `default` means the cluster's default class, unless there is a class of that name. An absent
/// `storageClassName` is how the API server is asked for the default.
fn storage_class<'d>(wanted: &'d Wanted, seen: &Observed) -> Option<&'d str> {
    let class = wanted.disk.storage_class.as_deref()?;
    (class != "default" || seen.storage_classes.contains_key(class)).then_some(class)
}
