//! User patches at admission: what may not be patched is refused with the operation, before anything is stored.

use super::*;

const FIELD: &str = "metadata.annotations[platform.kubevirt.io/patch]";

fn patched(operations: Value) -> Value {
    annotated(machine(json!({"template": "small"})), "platform.kubevirt.io/patch", &operations.to_string())
}

#[test]
fn x46_x47_t7_a_patch_is_judged_when_the_machine_is_applied() {
    let pinned = json!([{"op": "add", "path": "/spec/template/spec/domain/cpu/model", "value": "host-passthrough"}]);
    let admission = admit(&patched(pinned.clone()), &world(&["east"]));
    assert_eq!(admission.warnings, Vec::<String>::new());
    let key = "platform.kubevirt.io/mode.disk.root";
    let of_disk = annotated(machine(json!({"template": "small"})), key, "unmanaged");
    assert_eq!(admit(&of_disk, &world(&["east"])).warnings, Vec::<String>::new());

    let stolen = json!([
        {"op": "test", "path": "/spec/runStrategy", "value": "Always"},
        {"op": "add", "path": "/spec/template/spec/volumes/-", "value": {"name": "host", "hostDisk": {"path": "/etc"}}},
    ]);
    let wrong = refuse(&patched(stolen), &world(&["east"]));
    assert_eq!(first(&wrong), (Reason::PatchForbidden, FIELD));
    assert!(wrong[0].message.starts_with("operation 1 (add /spec/template/spec/volumes/-)"), "{}", wrong[0].message);

    let scheduling = json!([{"op": "add", "path": "/spec/template/spec/nodeSelector", "value": {"zone": "a"}}]);
    let wrong = refuse(&patched(scheduling.clone()), &world(&["east"]));
    assert_eq!(first(&wrong), (Reason::PatchForbidden, FIELD));
    let open = knowing(world(&["east"]), "east", |config| config.allow_scheduling_patches = true);
    admit(&patched(scheduling.clone()), &open);

    let both = annotated(machine(json!({"template": "smal"})), "platform.kubevirt.io/mode", "unmanagd");
    let wrong = refuse(&both, &world(&["east"]));
    let paths: Vec<_> = wrong.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(paths, ["metadata.annotations[platform.kubevirt.io/mode]", "spec.template"], "G4: together");

    let disk = annotated(machine(json!({"template": "small"})), "platform.kubevirt.io/mode.disk.roto", "unmanaged");
    let wrong = refuse(&disk, &world(&["east"]));
    assert_eq!(wrong[0].path, "metadata.annotations[platform.kubevirt.io/mode.disk.roto]");
    assert!(wrong[0].message.contains("did you mean \"root\"?"), "{}", wrong[0].message);
}

#[test]
fn x76_a_patch_that_was_taken_once_does_not_make_a_machine_uneditable() {
    let open = knowing(world(&["east"]), "east", |config| config.allow_scheduling_patches = true);
    let scheduling = json!([{"op": "add", "path": "/spec/template/spec/nodeSelector", "value": {"zone": "a"}}]);
    let before = stored("CREATE", &patched(scheduling), None, &open);
    let closed = world(&["east"]);
    let mut halted = before.clone();
    halted["spec"]["runStrategy"] = json!("Halted");
    assert!(matches!(judge("UPDATE", &halted, Some(&before), &closed), Verdict::Admit(_)), "not touched");
    let elsewhere = knowing(world(&["east", "west"]), "east", |config| config.allow_scheduling_patches = true);
    let moved = annotated(before.clone(), names::KUBEVIRT_CONFIG, "west");
    let Verdict::Refuse(wrong) = judge("UPDATE", &moved, Some(&before), &elsewhere) else { panic!("west allows none") };
    assert_eq!(first(&wrong), (Reason::PatchForbidden, FIELD), "judged where it goes");
    let more = json!([{"op": "add", "path": "/spec/template/spec/nodeSelector", "value": {"zone": "b"}}]);
    let edited = annotated(before.clone(), "platform.kubevirt.io/patch", &more.to_string());
    let Verdict::Refuse(wrong) = judge("UPDATE", &edited, Some(&before), &closed) else { panic!("admitted") };
    assert_eq!(first(&wrong), (Reason::PatchForbidden, FIELD));
}
