//! Storage: the external provisioner and the PV controller. A claim gets a volume and becomes Bound, grows when asked
//! to, and takes its volume with it when it goes. Pure.

use super::failures::Failure;
use super::objects::{Kind, Name, Object, annotation, deleting, text, uid};
use super::writes::{Move, Pace, Verb, Write};
use crate::remote_crds::PROVISIONER;
use serde_json::{Value, json};

const ACTOR: &str = "kube-controller-manager";
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";

/// The volume that is made for a claim, or the one that the claim names.
pub(super) fn volume_name(claim: &Object) -> String {
    match text(claim, "/spec/volumeName") {
        "" => format!("pvc-{}", uid(claim)),
        named => named.to_owned(),
    }
}

/// What happens next to a claim. Without a class of its name, or with the failure `pvc-pending`, it stays Pending.
pub(super) fn claim(
    claim: &Object,
    class: Option<&Object>,
    volume: Option<&Object>,
    failures: &[Failure],
) -> Option<Move> {
    if deleting(claim) {
        return None; // pvc-protection lets it go, then the volume follows
    }
    match volume {
        None if failures.contains(&Failure::PvcPending) || !text(claim, "/spec/volumeName").is_empty() => None,
        None => Some(provision(claim, class?)),
        Some(volume) if deleting(volume) => None,
        Some(volume) if text(claim, "/spec/volumeName").is_empty() => Some(bind(claim, volume)),
        Some(volume) => settle(claim, volume),
    }
}

/// What happens next to a volume whose claim is this one, or gone. Only volumes of our own provisioner are deleted.
pub(super) fn volume(volume: &Object, claim: Option<&Object>) -> Option<Move> {
    let claim = claim.filter(|claim| uid(claim) == text(volume, "/spec/claimRef/uid"));
    match claim {
        Some(claim) => {
            let bound = text(claim, "/spec/volumeName") == volume.metadata.name.as_deref().unwrap_or_default();
            let behind = text(volume, "/status/phase") != "Bound";
            (bound && behind)
                .then(|| status(Kind::Volume, volume, &json!({"phase": "Bound"})).now("volume-bound", volume))
        }
        None if annotation(volume, PROVISIONED_BY) != Some(PROVISIONER) => None,
        None if !deleting(volume) => Some(Write::delete(ACTOR, Kind::Volume, volume).seeded("reclaim", volume)),
        // The API server protects every PersistentVolume; the controller that ends it does not run here.
        None if volume.metadata.finalizers.is_some() => {
            Some(Write::finalizers(ACTOR, Kind::Volume, volume, |_| false).now("unprotect", volume))
        }
        None => None,
    }
}

fn provision(claim: &Object, class: &Object) -> Move {
    let name = volume_name(claim);
    let owner = Name::of(claim);
    let mode = match text(claim, "/spec/volumeMode") {
        "" => "Filesystem",
        mode => mode,
    };
    let body = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {PROVISIONED_BY: PROVISIONER}},
        "spec": {
            "accessModes": claim.data.pointer("/spec/accessModes"),
            "capacity": {"storage": requested(claim)},
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": owner.namespace, "name": owner.name, "uid": uid(claim)},
            "csi": {"driver": "sim.kubevirt.io", "volumeHandle": name},
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": class.metadata.name,
            "volumeMode": mode,
        },
    });
    let write = Write { actor: ACTOR, kind: Kind::Volume, name: Name::new("", &name), verb: Verb::Create(body) };
    Move { step: "provision", about: uid(claim).into(), pace: Pace::Seeded, write }
}

fn bind(claim: &Object, volume: &Object) -> Move {
    let patch = json!({
        "metadata": {"annotations": {"pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes"}},
        "spec": {"volumeName": volume.metadata.name},
    });
    Write::merge(ACTOR, Kind::Claim, claim, patch).now("bind", claim)
}

/// The claim has its volume: report it, and let both grow to what is asked for.
fn settle(claim: &Object, volume: &Object) -> Option<Move> {
    let wanted = requested(claim);
    let capacity = volume.data.pointer("/spec/capacity/storage").cloned().unwrap_or_default();
    if text(claim, "/status/phase") != "Bound" {
        let modes = claim.data.pointer("/spec/accessModes");
        let bound = json!({"phase": "Bound", "accessModes": modes, "capacity": {"storage": capacity}});
        return Some(status(Kind::Claim, claim, &bound).now("claim-bound", claim));
    }
    if capacity != wanted {
        let grown = json!({"spec": {"capacity": {"storage": wanted}}});
        return Some(Write::merge(ACTOR, Kind::Volume, volume, grown).seeded("grow", claim));
    }
    let behind = claim.data.pointer("/status/capacity/storage") != Some(&wanted);
    behind.then(|| status(Kind::Claim, claim, &json!({"capacity": {"storage": wanted}})).now("claim-grown", claim))
}

fn requested(claim: &Object) -> Value {
    claim.data.pointer("/spec/resources/requests/storage").cloned().unwrap_or_default()
}

fn status(kind: Kind, object: &Object, status: &Value) -> Write {
    Write::merge_status(ACTOR, kind, object, status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::every_row;

    fn object(value: Value) -> Object {
        serde_json::from_value(value).unwrap()
    }

    fn pvc(volume: &str, phase: &str, asked: &str, has: &str) -> Object {
        object(json!({"metadata": {"namespace": "a", "name": "root", "uid": "c1"},
            "spec": {"volumeName": volume, "storageClassName": "default", "resources": {"requests": {"storage": asked}}},
            "status": {"phase": phase, "capacity": {"storage": has}}}))
    }

    fn pv(size: &str, phase: &str, owner: &str) -> Object {
        object(json!({"metadata": {"name": "pvc-c1", "uid": "v1", "finalizers": ["kubernetes.io/pv-protection"],
            "annotations": {PROVISIONED_BY: PROVISIONER}},
            "spec": {"capacity": {"storage": size}, "claimRef": {"uid": owner}}, "status": {"phase": phase}}))
    }

    fn gone(mut object: Object) -> Object {
        object.metadata.deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(k8s_openapi::jiff::Timestamp::UNIX_EPOCH));
        object
    }

    #[test]
    fn a_claim_goes_step_by_step() {
        let class = object(json!({"metadata": {"name": "default"}}));
        let pending = || pvc("", "Pending", "1Gi", "");
        #[rustfmt::skip]
        let cases = [
            ("no such class",        pending(),                             None,         None,                         vec![], None),
            ("kept pending",         pending(),                             Some(&class), None,                         vec![Failure::PvcPending], None),
            ("no volume yet",        pending(),                             Some(&class), None,                         vec![], Some("provision")),
            ("names a missing one",  pvc("nfs-1", "Pending", "1Gi", ""),    Some(&class), None,                         vec![], None),
            ("volume is there",      pending(),                             Some(&class), Some(pv("1Gi", "Pending", "c1")), vec![], Some("bind")),
            ("class since deleted",  pending(),                             None,         Some(pv("1Gi", "Pending", "c1")), vec![], Some("bind")),
            ("named, not reported",  pvc("pvc-c1", "Pending", "1Gi", ""),   Some(&class), Some(pv("1Gi", "Bound", "c1")), vec![], Some("claim-bound")),
            ("done",                 pvc("pvc-c1", "Bound", "1Gi", "1Gi"),  Some(&class), Some(pv("1Gi", "Bound", "c1")), vec![], None),
            ("asked to grow",        pvc("pvc-c1", "Bound", "2Gi", "1Gi"),  Some(&class), Some(pv("1Gi", "Bound", "c1")), vec![], Some("grow")),
            ("volume grown",         pvc("pvc-c1", "Bound", "2Gi", "1Gi"),  Some(&class), Some(pv("2Gi", "Bound", "c1")), vec![], Some("claim-grown")),
            ("being deleted",        gone(pending()),                       Some(&class), None,                         vec![], None),
        ];
        every_row(cases, |(name, pvc, class, volume, failures, want)| {
            assert_eq!(claim(&pvc, class, volume.as_ref(), &failures).map(|m| m.step), want, "{name}");
        });
    }

    #[test]
    fn a_volume_follows_its_claim() {
        let bound = pvc("pvc-c1", "Bound", "1Gi", "1Gi");
        let mut foreign = pv("1Gi", "Bound", "c0");
        foreign.metadata.annotations = None;
        let mut free = gone(pv("1Gi", "Bound", "c0"));
        free.metadata.finalizers = None;
        #[rustfmt::skip]
        let cases = [
            ("just bound",            pv("1Gi", "Pending", "c1"),     Some(&bound), Some("volume-bound")),
            ("in use",                pv("1Gi", "Bound", "c1"),       Some(&bound), None),
            ("claim gone",            pv("1Gi", "Bound", "c1"),       None,         Some("reclaim")),
            ("claim made anew",       pv("1Gi", "Bound", "c0"),       Some(&bound), Some("reclaim")),
            ("deleted but protected", gone(pv("1Gi", "Bound", "c0")), None,         Some("unprotect")),
            ("deleted",               free,                           None,         None),
            ("not of our making",     foreign,                        None,         None),
        ];
        every_row(cases, |(name, pv, claim, want)| assert_eq!(volume(&pv, claim).map(|m| m.step), want, "{name}"));
    }
}
