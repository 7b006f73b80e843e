//! What an author says about the claim of a disk, and what of a claim is kept true.

use std::time::Duration;

use model::baseline::war::Turn;
use model::baseline::{Drift, Wanted};
use model::machine::There;
use model::machine::drift as words;

use super::*;

/// A Machine with this annotation in our first domain.
fn annotated(word: &str, value: &str) -> Intent {
    intent(|machine| machine["metadata"]["annotations"][format!("platform.kubevirt.io/{word}")] = json!(value))
}

/// Nothing is there yet, and CDI is.
fn bare() -> Observed {
    Observed { imports: Imports::Known(BTreeMap::new()), ..seen() }
}

/// The objects that a plan creates, by their names.
fn created(intent: &Intent, seen: &Observed) -> BTreeMap<String, Value> {
    let made = plan(intent, seen).writes.into_iter().filter_map(|write| match write {
        Write::There(There::Create(_, name, object)) => Some((name, object)),
        _ => None,
    });
    made.collect()
}

/// What a plan brings a claim in line with.
fn wanted(intent: &Intent, seen: &Observed, claim: &str) -> Box<Wanted> {
    let mut updates = plan(intent, seen).writes.into_iter().filter_map(|write| match write {
        Write::There(There::Update { kind: Kind::Claim, name, wanted, .. }) if name == claim => Some(wanted),
        _ => None,
    });
    updates.next().unwrap_or_else(|| panic!("no update of {claim}"))
}

fn owned(more: &Value) -> Value {
    let mut labels = json!({
        "vitistack.io/managed-by": "kubevirt-operator", "vitistack.io/machine": "web", "vitistack.io/source-machine": "web",
        "vitistack.io/machine-uid": "m-1", "vitistack.io/supervisor": "sup",
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        labels[key] = value.clone();
    }
    labels
}

const PATCH: &str = r#"[
    {"op": "add", "path": "/metadata/labels/example.com~1backup", "value": "daily"},
    {"op": "add", "path": "/metadata/annotations/cdi.kubevirt.io~1storage.deleteAfterCompletion", "value": "true"}]"#;

#[test]
fn d1_d3_x46_a_patch_of_a_disk_is_on_its_claim_from_the_beginning_and_on_no_other() {
    let made = created(&annotated("patch.disk.root", PATCH), &bare());
    let (root, data) = (&made["web-root"], &made["web-data"]);
    assert_eq!(root["kind"], "PersistentVolumeClaim");
    assert_eq!(root["metadata"]["labels"], owned(&json!({"example.com/backup": "daily"})));
    assert_eq!(root["metadata"]["annotations"]["cdi.kubevirt.io/storage.deleteAfterCompletion"], "true");
    assert_eq!(data["metadata"]["labels"], owned(&json!({})));
    let with_image = |patched: bool| {
        let machine = intent(|machine| {
            machine["spec"]["os"] = json!({"imageID": "https://images.example.com/a.qcow2"});
            if patched {
                machine["metadata"]["annotations"]["vitistack.io/patch.disk.root"] = json!(PATCH);
            }
        });
        created(&machine, &bare())["web-root"].clone()
    };
    let volume = with_image(true);
    assert_eq!(volume["kind"], "DataVolume");
    assert_eq!(volume["metadata"]["labels"], owned(&json!({"example.com/backup": "daily"})));
    let stays =
        |volume: &Value| volume["metadata"]["annotations"]["cdi.kubevirt.io/storage.deleteAfterCompletion"].clone();
    assert_eq!((stays(&volume), stays(&with_image(false))), (json!("true"), json!("false")));
    assert_eq!(volume["spec"]["pvc"]["resources"]["requests"]["storage"], "20Gi");
}

#[test]
fn d5_a_disk_that_is_left_alone_is_neither_made_nor_grown_nor_waited_for() {
    let alone = annotated("mode.disk.data", "unmanaged");
    let made = created(&alone, &bare());
    assert_eq!(made.keys().collect::<Vec<_>>(), ["vm-web", "web-root"]);
    let volumes = made["vm-web"]["spec"]["template"]["spec"]["volumes"].as_array().expect("volumes");
    let data = volumes.iter().find(|volume| volume["name"] == "data");
    assert_eq!(data, Some(&json!({"name": "data", "persistentVolumeClaim": {"claimName": "web-data"}})));
    let mut seen = running();
    seen.vm = Some(Vm { hash: None, ..vm("Running").expect("a VM") });
    seen.claims.remove("web-data");
    assert_eq!(brief(&plan(&alone, &seen)), ["update Vm vm-web"]);
    let shown = status(&MachineStatus::default(), &alone, &seen, None, now(1));
    assert_eq!(condition(&shown, "StorageReady"), "True/PVCBound");
    assert_eq!(condition(&shown, "SpecApplied"), "False/PartlyApplied");
    let says = shown.conditions.iter().find(|it| it.type_ == "SpecApplied").expect("a condition");
    assert_eq!(
        says.message,
        "the claims of these disks are left alone, as the annotations mode.disk.NAME: unmanaged say: data"
    );
}

#[test]
fn t14_in_a_shared_namespace_no_claim_that_somebody_brings_is_used() {
    let mut machine = machine(|machine| {
        machine["metadata"]["annotations"]["vitistack.io/mode.disk.data"] = json!("unmanaged");
        machine["status"]["kubevirtConfigRef"]["namespace"] = json!("tenants");
    });
    machine.status.as_mut().expect("a status").vm_name = Some("vm-web".to_owned());
    let shared = Intent::of(&machine, "vm-", Some(&mapping("tenants")), &Shown::new());
    let plan = plan(&shared, &bare());
    assert_eq!(brief(&plan), ["create Claim web-root", "refuse SourceInvalid"]);
    let says = plan.refused.expect("a refusal").message;
    assert!(
        says.starts_with(
            r#"disk "data" is left alone by its annotation mode.disk.data, and its VM is in namespace "tenants""#
        ),
        "{says}"
    );
    assert!(says.ends_with("take the annotation off"), "{says}");
}

#[test]
fn t7_a_patch_that_admission_never_saw_makes_no_disk() {
    #[rustfmt::skip]
    let cases = [
        ("patch.disk.root", r#"[{"op": "replace", "path": "/spec/resources/requests/storage", "value": "1Ti"}]"#, vec!["create Claim web-data", "refuse PatchRefused"], "may not be patched"),
        ("mode.disk.data",  "manual",                                                                            vec!["refuse PatchRefused"],                          "unmanaged"),
    ];
    every_row(cases, |(word, value, wanted, says)| {
        let plan = plan(&annotated(word, value), &bare());
        assert_eq!(brief(&plan), wanted);
        let message = plan.refused.expect("a refusal").message;
        assert!(message.contains(says), "{message}");
    });
}

#[test]
fn x97_d4_labels_follow_the_machine_and_what_others_added_stays() {
    let mut seen = running();
    seen.claims.get_mut("web-root").expect("a claim").hash = Some("older".to_owned());
    assert_eq!(brief(&plan(&intent(|_| ()), &seen)), ["update Claim web-root"]);
    let patched = wanted(&annotated("patch.disk.root", PATCH), &seen, "web-root");
    let live = |labels: Value, last: &str| {
        json!({"metadata": {
            "uid": "c-1", "resourceVersion": "4", "labels": labels,
            "annotations": {"vitistack.io/last-applied": last, "pv.kubernetes.io/bind-completed": "yes"},
        }, "spec": {"storageClassName": "fast"}})
    };
    let before = live(owned(&json!({"team": "theirs"})), r#"{"metadata":{"labels":{"old":"1"}}}"#);
    let change = patched.change(&before).expect("a change");
    assert_eq!(
        change.fields,
        ["metadata.annotations.cdi.kubevirt.io/storage.deleteAfterCompletion", "metadata.labels.example.com/backup"]
    );
    assert_eq!(change.patch["metadata"]["labels"], json!({"example.com/backup": "daily"}), "nothing of another's");
    assert_eq!((&change.patch["metadata"]["uid"], &change.patch["spec"]), (&json!("c-1"), &Value::Null));
    // The patch goes, and takes its effect along.
    let last =
        patched.object()["metadata"]["annotations"]["vitistack.io/last-applied"].as_str().expect("a text").to_owned();
    let after = live(owned(&json!({"team": "theirs", "example.com/backup": "daily"})), &last);
    let change = wanted(&intent(|_| ()), &seen, "web-root").change(&after).expect("a change");
    assert_eq!(change.patch["metadata"]["labels"], json!({"example.com/backup": null}));
    // What is ignored is whatever it is there.
    let ignored = intent(|machine| {
        machine["metadata"]["annotations"]["vitistack.io/patch.disk.root"] = json!(PATCH);
        machine["metadata"]["annotations"]["vitistack.io/ignore-fields.disk.root"] =
            json!("/metadata/labels/example.com~1backup");
    });
    let theirs = live(owned(&json!({"example.com/backup": "weekly"})), &last);
    let change = wanted(&ignored, &seen, "web-root").change(&theirs).expect("a change");
    assert_eq!(change.patch["metadata"].get("labels"), None);
}

#[test]
fn x88_drift_of_a_claim_is_corrected_when_it_is_its_turn_and_told_with_its_name() {
    let drift = vec![Drift { field: "metadata.labels.team".to_owned(), by: Some("kubectl-label".to_owned()) }];
    let drifted = |turn: Option<Turn>| {
        let mut seen = running();
        seen.claims.get_mut("web-root").expect("a claim").drift.clone_from(&drift);
        seen.claim_turns = turn.into_iter().map(|turn| ("web-root".to_owned(), turn)).collect();
        seen
    };
    #[rustfmt::skip]
    let cases = [
        (None,                                      vec!["update Claim web-root"], ""),
        (Some(Turn::Now),                           vec!["update Claim web-root"], ""),
        (Some(Turn::In(Duration::from_secs(3))),    vec![],                        ""),
        (Some(Turn::Pause("metadata.x".to_owned())), vec!["merge Claim web-root"], "corrections of PersistentVolumeClaim web-root are paused, because metadata.labels.team is changed again each time, now by kubectl-label"),
        (Some(Turn::Paused),                        vec![],                        "corrections of PersistentVolumeClaim web-root are paused, because metadata.labels.team is changed again each time, now by kubectl-label"),
    ];
    every_row(cases, |(turn, writes, says)| {
        let (intent, seen) = (intent(|_| ()), drifted(turn));
        assert_eq!(brief(&plan(&intent, &seen)), writes);
        let shown = status(&MachineStatus::default(), &intent, &seen, None, now(1));
        let applied = shown.conditions.iter().find(|it| it.type_ == "SpecApplied").expect("a condition");
        let wanted = if says.is_empty() { "everything that the Machine asks for is carried out" } else { says };
        assert_eq!(applied.message, wanted);
    });
    assert_eq!(
        words::corrected("web", Kind::Claim, "web-root", &drift),
        "set back to what the Machine says, on PersistentVolumeClaim web-root: metadata.labels.team (changed by kubectl-label): change \
         the Machine instead, or name the field in its annotation platform.kubevirt.io/ignore-fields.disk.root"
    );
    let begins = words::pauses(&drifted(Some(Turn::Pause("metadata.x".to_owned()))));
    assert_eq!(begins.len(), 1);
    assert!(begins[0].starts_with("metadata.x is changed again each time that it is set back, so nothing of the PersistentVolumeClaim web-root"), "{begins:?}");
}

#[test]
fn fr7_a_claim_whose_datavolume_is_gone_counts_as_filled_only_if_it_was() {
    let recorded = |uid: Option<&str>| json!([{"name": "root", "pvcName": "web-root", "uid": uid}]);
    #[rustfmt::skip]
    let cases = [
        ("never filled: it goes with its DataVolume, and is made anew", None,            None),
        ("filled before",                                               Some("uid-web-root"), Some("uid-web-root")),
        ("another one was",                                             Some("uid-old"), None),
    ];
    every_row(cases, |(_, before, wanted)| {
        let machine = intent(|machine| machine["status"]["disks"] = recorded(before));
        let mut seen = Observed { imports: Imports::Known(BTreeMap::new()), ..running() };
        seen.claims.get_mut("web-root").expect("a claim").imported = true;
        let shown = status(&MachineStatus::default(), &machine, &seen, None, now(1));
        assert_eq!(shown.disks[0].uid.as_deref(), wanted);
    });
}

#[test]
fn fr19_a_disk_that_has_not_what_was_asked_for_is_no_spec_that_is_applied() {
    let pictured =
        |machine: &mut Value| machine["spec"]["os"] = json!({"imageID": "https://images.example.com/a.qcow2"});
    let filling = |failure: Option<&str>| {
        let import = Import { uid: "dv-1".to_owned(), failure: failure.map(str::to_owned), ..Import::default() };
        Observed { imports: Imports::Known(BTreeMap::from([("web-root".to_owned(), import)])), ..running() }
    };
    let larger = |machine: &mut Value| {
        machine["metadata"]["annotations"]["vitistack.io/resolved"] = json!(RESOLVED.replace("20Gi", "40Gi"));
    };
    let small = |class: Option<&str>| {
        let mut seen = running();
        let claim = seen.claims.get_mut("web-root").expect("a claim");
        (claim.size, claim.requested) = (Some(20 << 30), Some("20Gi".to_owned()));
        claim.storage_class = class.map(str::to_owned);
        seen.storage_classes.insert("grows".to_owned(), StorageClass { expands: true, waits: false });
        seen
    };
    #[rustfmt::skip]
    let cases: Vec<(&str, Intent, Observed, &str)> = vec![
        ("its image does not come",  intent(pictured), filling(Some("CDI says: 404 Not Found")), "disk \"root\" is not filled: CDI says: 404 Not Found: correct its source"),
        ("its image is on its way",  intent(pictured), filling(None),          "everything that the Machine asks for is carried out"),
        ("it cannot grow",           intent(larger),   small(None),            "root stays at 20Gi and does not get 40Gi: its claim has no StorageClass"),
        ("it grows",                 intent(larger),   small(Some("grows")),   "root grows from 20Gi to 40Gi"),
    ];
    every_row(cases, |(_, intent, seen, begins)| {
        let shown = status(&MachineStatus::default(), &intent, &seen, None, now(1));
        let applied = shown.conditions.iter().find(|it| it.type_ == "SpecApplied").expect("a condition");
        assert!(applied.message.starts_with(begins), "{}", applied.message);
        assert_eq!(applied.status == "True", begins.starts_with("everything"), "{}", applied.message);
    });
}
