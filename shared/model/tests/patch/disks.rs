//! What a patch of a disk's claim may touch, and what not. X47.

use model::patch::UserPatches;
use model::reason::Reason::{self, PatchForbidden, PatchInvalid};
use serde_json::{Value, json};

use crate::table::every_row;
use crate::{claim, only, wrong};

const KEY: &str = "platform.kubevirt.io/patch.disk.root";

fn patched(patch: &Value, object: &Value) -> Value {
    let text = patch.to_string();
    assert_eq!(wrong(&[(KEY, &text)], false), [], "{text}");
    let read = UserPatches::read([(KEY, text.as_str())]).expect("judged above");
    read.disks["root"].apply(object, false).expect("admitted, so the controller takes it")
}

#[test]
fn x47_labels_and_annotations_of_others_and_three_of_cdi_are_patched() {
    let patch = json!([
        {"op": "add", "path": "/metadata/labels/team", "value": "shop"},
        {"op": "add", "path": "/metadata/labels/example.com~1tier", "value": "gold"},
        {"op": "add", "path": "/metadata/annotations/backup.example.com~1policy", "value": "any text: {\"keep\": 7}"},
        {"op": "add", "path": "/metadata/annotations/cdi.kubevirt.io~1storage.bind.immediate.requested", "value": "true"},
        {"op": "add", "path": "/metadata/annotations/cdi.kubevirt.io~1storage.usePopulator", "value": "false"},
        {"op": "add", "path": "/metadata/annotations/cdi.kubevirt.io~1storage.deleteAfterCompletion", "value": "false"},
    ]);
    let mut want = claim("root");
    want["metadata"]["labels"]["team"] = json!("shop");
    want["metadata"]["labels"]["example.com/tier"] = json!("gold");
    want["metadata"]["annotations"] = json!({
        "backup.example.com/policy": "any text: {\"keep\": 7}",
        "cdi.kubevirt.io/storage.bind.immediate.requested": "true",
        "cdi.kubevirt.io/storage.usePopulator": "false",
        "cdi.kubevirt.io/storage.deleteAfterCompletion": "false",
    });
    assert_eq!(patched(&patch, &claim("root")), want);
    // A claim without annotations gets none from operations without effect, nor loses those that it has.
    let nothing = json!([{"op": "add", "path": "/metadata/annotations/a", "value": "x"}, {"op": "remove", "path": "/metadata/annotations/a"}]);
    assert_eq!(patched(&nothing, &claim("root")), claim("root"));
    let whole = json!([{"op": "add", "path": "/metadata/annotations", "value": {"a": "x"}}]);
    assert_eq!(patched(&whole, &claim("root"))["metadata"]["annotations"], json!({"a": "x"}));
}

#[test]
fn x47_t7_everything_else_of_a_disk_is_refused() {
    #[rustfmt::skip]
    let cases: [(&str, &str, Value, Reason); 22] = [
        ("X47: our label",             "/metadata/labels/vitistack.io~1machine-uid",                           json!("other"), PatchForbidden),
        ("X47: a new label of ours",   "/metadata/labels/vitistack.io~1retained",                              json!("true"),  PatchForbidden),
        ("X47: a subdomain of ours",   "/metadata/labels/machine.vitistack.io~1x",                             json!("true"),  PatchForbidden),
        ("X47: Kubernetes' label",     "/metadata/labels/app.kubernetes.io~1name",                             json!("x"),     PatchForbidden),
        ("X47: a provisioner",         "/metadata/annotations/volume.kubernetes.io~1storage-provisioner",      json!("x"),     PatchForbidden),
        ("X47: k8s.io",                "/metadata/annotations/scheduling.k8s.io~1group",                       json!("x"),     PatchForbidden),
        ("X47: an import of CDI",      "/metadata/annotations/cdi.kubevirt.io~1storage.import.endpoint",       json!("http://x"), PatchForbidden),
        ("X47: a Secret of CDI",       "/metadata/annotations/cdi.kubevirt.io~1storage.import.secretName",     json!("x"),     PatchForbidden),
        ("X47: a clone of CDI",        "/metadata/annotations/k8s.io~1CloneRequest",                           json!("a/b"),   PatchForbidden),
        ("X47: CDI's as a label",      "/metadata/labels/cdi.kubevirt.io~1storage.usePopulator",               json!("x"),     PatchForbidden),
        ("X47: another case",          "/metadata/annotations/cdi.kubevirt.io~1storage.usepopulator",          json!("x"),     PatchForbidden),
        ("X47: size",                  "/spec/resources/requests/storage",                                     json!("1Ti"),   PatchForbidden),
        ("X47: class",                 "/spec/storageClassName",                                               json!("gold"),  PatchForbidden),
        ("X47: volume",                "/spec/volumeName",                                                     json!("pv-1"),  PatchForbidden),
        ("X47: source",                "/spec/dataSource",                                                     json!({"kind": "PersistentVolumeClaim", "name": "other"}), PatchForbidden),
        ("X47: name",                  "/metadata/name",                                                       json!("other"), PatchForbidden),
        ("X47: finalizers",            "/metadata/finalizers",                                                 json!(["x"]),   PatchForbidden),
        ("X47: owners",                "/metadata/ownerReferences",                                            json!([]),      PatchForbidden),
        ("X47: no key",                "/metadata/labels/a b",                                                 json!("x"),     PatchForbidden),
        ("X47: annotations as text",   "/metadata/annotations",                                                json!("x"),     PatchForbidden),
        ("X47: no value of a label",   "/metadata/labels/team",                                                json!("a b"),   PatchInvalid),
        ("X47: a number",              "/metadata/annotations/team",                                           json!(1),       PatchInvalid),
    ];
    every_row(cases, |(name, path, value, reason)| {
        let text = json!([{"op": "add", "path": path, "value": value}]).to_string();
        let (field, found, says) = only(wrong(&[(KEY, &text)], true));
        assert_eq!((field, found), (format!("metadata.annotations[{KEY}]"), reason), "{name}: {says}");
        assert!(says.starts_with(&format!("operation 0 (add {path}): ")), "{name}: {says}");
    });
}

#[test]
fn x47_our_labels_cannot_be_taken_away_with_the_map() {
    let text = json!([{"op": "replace", "path": "/metadata/labels", "value": {"team": "shop"}}]).to_string();
    let (_, reason, says) = only(wrong(&[(KEY, &text)], true));
    assert_eq!(reason, PatchForbidden);
    assert!(says.starts_with("operation 0 (replace /metadata/labels): /metadata/labels/vitistack.io~1machine-uid may not be patched: of a disk, only"), "{says}");
}

/// A DataVolume is patched like a claim.
#[test]
fn x47_a_data_volume_is_patched_in_its_metadata_only() {
    let volume = json!({
        "apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume",
        "metadata": {"name": "web-root", "annotations": {"vitistack.io/x": "y"}},
        "spec": {"source": {"http": {"url": "https://example.com/disk.img"}}},
    });
    let annotate = json!([{"op": "add", "path": "/metadata/annotations/team", "value": "shop"}]);
    assert_eq!(patched(&annotate, &volume)["metadata"]["annotations"], json!({"team": "shop", "vitistack.io/x": "y"}));
    let text =
        json!([{"op": "replace", "path": "/spec/source/http/url", "value": "http://169.254.169.254"}]).to_string();
    let read = UserPatches::read([(KEY, text.as_str())]).unwrap();
    assert_eq!(only(read.disks["root"].apply(&volume, true).unwrap_err()).1, PatchForbidden);
}
