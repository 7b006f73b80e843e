//! CDI: a DataVolume gets a claim of its name, which is filled in steps. Pure. A URL with `/broken` in it is never fetched,
//! one with `/held` never to its end.

use super::objects::{Kind, Name, Object, annotation, controlled_by, deleting, text, uid};
use super::writes::{Move, Pace, Verb, Write};
use serde_json::{Value, json};

const ACTOR: &str = "cdi-controller";
/// On the claim: how far the pod is that fills it.
const POD: &str = "cdi.kubevirt.io/storage.pod.phase";

/// What happens next to a DataVolume, of whose name this claim is.
pub(super) fn data_volume(volume: &Object, claim: Option<&Object>) -> Option<Move> {
    let phase = text(volume, "/status/phase");
    if deleting(volume) || phase == "Succeeded" {
        return None;
    }
    let Some(claim) = claim else { return Some(make_claim(volume)) };
    if !controlled_by(claim, uid(volume)) {
        let stranger = json!([{"type": "Bound", "status": "False", "reason": "ErrResourceExists", "message": "the claim is not owned"}]);
        return show(volume, "strange", &json!({"phase": "Pending", "conditions": stranger}));
    }
    if text(claim, "/status/phase") != "Bound" {
        return show(volume, "await-binding", &json!({"phase": "Pending", "progress": "N/A"}));
    }
    let source = volume.data.pointer("/spec/source").cloned().unwrap_or_default();
    let marked = |mark: &str| source.to_string().contains(mark);
    if marked("/broken") {
        let message = "Unable to process data: unable to transfer source data to scratch space: 404 Not Found";
        let stopped = json!([{"type": "Running", "status": "False", "reason": "Error", "message": message}]);
        return show(volume, "fail", &json!({"phase": "ImportInProgress", "progress": "N/A", "conditions": stopped}));
    }
    let running = |progress| json!({"phase": "ImportInProgress", "progress": progress, "conditions": [{"type": "Running", "status": "True"}]});
    match text(volume, "/status/progress") {
        "60.01%" if marked("/held") => None,
        "60.01%" if annotation(claim, POD) != Some("Succeeded") => {
            let filled = json!({"metadata": {"annotations": {POD: "Succeeded"}}});
            Some(Write::merge(ACTOR, Kind::Claim, claim, filled).seeded("fill", claim))
        }
        "60.01%" => {
            let ended = json!([{"type": "Running", "status": "False", "reason": "Completed"}, {"type": "Ready", "status": "True"}]);
            show(volume, "succeed", &json!({"phase": "Succeeded", "progress": "100.0%", "conditions": ended}))
        }
        "12.50%" => Some(status(volume, &running("60.01%")).seeded("progress", volume)),
        _ => Some(status(volume, &running("12.50%")).seeded("begin", volume)),
    }
}

/// Whether a claim is still being filled.
pub(super) fn is_filling(claim: &Object) -> bool {
    let owners = claim.metadata.owner_references.iter().flatten();
    owners.into_iter().any(|owner| owner.kind == "DataVolume") && annotation(claim, POD) != Some("Succeeded")
}

fn make_claim(volume: &Object) -> Move {
    let name = Name::of(volume);
    let mut annotations = volume.metadata.annotations.clone().unwrap_or_default();
    annotations.insert(POD.to_owned(), "Pending".to_owned());
    let body = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "namespace": name.namespace,
            "name": name.name,
            "labels": volume.metadata.labels,
            "annotations": annotations,
            "ownerReferences": [{
                "apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume", "name": name.name, "uid": uid(volume),
                "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": volume.data.pointer("/spec/pvc"),
    });
    let write = Write { actor: ACTOR, kind: Kind::Claim, name, verb: Verb::Create(body) };
    Move { step: "make-claim", about: uid(volume).into(), pace: Pace::AtOnce, write }
}

fn status(volume: &Object, status: &Value) -> Write {
    Write::merge_status(ACTOR, Kind::DataVolume, volume, status)
}

/// Writes what is not there yet.
fn show(volume: &Object, step: &'static str, wanted: &Value) -> Option<Move> {
    let shown = volume.data.get("status").unwrap_or(&Value::Null);
    let same = wanted.as_object().into_iter().flatten().all(|(key, value)| shown.get(key) == Some(value));
    (!same).then(|| status(volume, wanted).now(step, volume))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::every_row;

    fn object(value: Value) -> Object {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_data_volume_goes_step_by_step() {
        let volume = |url: &str, status: Value| {
            object(
                json!({"metadata": {"namespace": "a", "name": "root", "uid": "d1"}, "spec": {"source": {"http": {"url": url}}, "pvc": {}}, "status": status}),
            )
        };
        let claim = |owner: &str, phase: &str, pod: &str| {
            let owner =
                json!([{"apiVersion": "v1", "kind": "DataVolume", "name": "root", "uid": owner, "controller": true}]);
            Some(object(
                json!({"metadata": {"namespace": "a", "name": "root", "uid": "c1", "ownerReferences": owner, "annotations": {POD: pod}}, "status": {"phase": phase}}),
            ))
        };
        let at = |progress: &str| json!({"phase": "ImportInProgress", "progress": progress});
        #[rustfmt::skip]
        let cases = [
            ("new",              volume("http://x/a", json!({})),                      None,                                Some("make-claim")),
            ("a stranger's",     volume("http://x/a", json!({})),                      claim("other", "Bound", "Pending"),  Some("strange")),
            ("not bound",        volume("http://x/a", json!({})),                      claim("d1", "Pending", "Pending"),   Some("await-binding")),
            ("bound",            volume("http://x/a", json!({})),                      claim("d1", "Bound", "Pending"),     Some("begin")),
            ("a little",         volume("http://x/a", at("12.50%")),                   claim("d1", "Bound", "Pending"),     Some("progress")),
            ("nearly",           volume("http://x/a", at("60.01%")),                   claim("d1", "Bound", "Pending"),     Some("fill")),
            ("filled",           volume("http://x/a", at("60.01%")),                   claim("d1", "Bound", "Succeeded"),   Some("succeed")),
            ("held",             volume("http://x/held", at("60.01%")),                claim("d1", "Bound", "Pending"),     None),
            ("broken",           volume("http://x/broken", json!({})),                 claim("d1", "Bound", "Pending"),     Some("fail")),
            ("done",             volume("http://x/a", json!({"phase": "Succeeded"})),  None,                                None),
        ];
        every_row(cases, |(name, volume, claim, want)| {
            assert_eq!(data_volume(&volume, claim.as_ref()).map(|m| m.step), want, "{name}");
        });
    }
}
