//! Hostile patches, generated, and judged by the checker of this suite. T7, T8, Z2, Z3.

use model::patch::UserPatches;
use proptest::prelude::*;
use serde_json::Value;

use crate::checker::{below_what_may_differ, forbidden};
use crate::generate::{disk_operations, operations, paths};
use crate::{PATCH, claim, vm};

/// `PROPTEST_CASES=1000000 cargo test --release -p model --test patch hostile` is the long run.
fn cases(least: u32) -> ProptestConfig {
    let chosen = ProptestConfig::default();
    ProptestConfig { cases: chosen.cases.max(least), failure_persistence: None, ..chosen }
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// Z2. Whatever is admitted differs only where it may, stays small, and is admitted again by the second judge.
    #[test]
    fn t7_t8_no_patch_changes_what_is_not_listed(patch in operations(), scheduling in any::<bool>()) {
        let text = patch.to_string();
        let result = UserPatches::read([(PATCH, text.as_str())]).and_then(|it| it.vm.apply(&vm(), scheduling));
        match result {
            Ok(after) => {
                prop_assert_eq!(forbidden(&vm(), &after, scheduling), None);
                prop_assert!(after.to_string().len() <= 128 << 10);
            }
            Err(violations) => {
                prop_assert!((1..=32).contains(&violations.len()));
                prop_assert!(violations.iter().all(|it| !it.message.is_empty() && it.path.starts_with("metadata.annotations[")));
            }
        }
    }

    /// The same for a disk: only labels and annotations of others.
    #[test]
    fn t7_no_patch_of_a_disk_changes_more_than_labels_and_annotations(patch in disk_operations()) {
        let text = patch.to_string();
        let read = UserPatches::read([("vitistack.io/patch.disk.root", text.as_str())]);
        if let Ok(after) = read.and_then(|it| it.disks["root"].apply(&claim("root"), true)) {
            let strip = |object: &Value| {
                let mut object = object.clone();
                for map in ["labels", "annotations"] {
                    let Some(map) = object["metadata"].get_mut(map).and_then(Value::as_object_mut) else { continue };
                    map.retain(|key, _| key.contains("vitistack.io/") || key.contains("k8s.io/") || key.contains("kubernetes.io/") || key.contains("kubevirt.io/"));
                }
                if object["metadata"]["annotations"].as_object().is_some_and(serde_json::Map::is_empty) {
                    object["metadata"].as_object_mut().unwrap().remove("annotations");
                }
                object
            };
            prop_assert_eq!(strip(&after), claim("root"));
        }
    }

    /// Z3. Ignored fields neither add nor take anything but what the two objects have, and nothing that is not listed.
    #[test]
    fn t7_kvo27_no_ignored_field_changes_what_is_not_listed(pointers in prop::collection::vec(paths(), 1..4), patch in operations()) {
        let text = pointers.join(",");
        let Ok(patches) = UserPatches::read([("platform.kubevirt.io/ignore-fields", text.as_str())]) else { return Ok(()) };
        let mut live = vm();
        // The cluster's object is anything that its tenants made of it.
        if let Ok(patch) = serde_json::from_value::<json_patch::Patch>(patch) {
            let _ = json_patch::patch_unsafe(&mut live, &patch);
        }
        let mut desired = vm();
        patches.vm.mask(&mut desired, &live);
        let sizes = ["cores", "sockets", "threads"].map(|it| format!("/spec/template/spec/domain/cpu/{it}"));
        let also = sizes.into_iter().chain(["/spec/runStrategy".to_owned(), "/spec/template/spec/domain/memory/guest".to_owned()]);
        let mut rest = desired;
        for pointer in also {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            let was = vm().pointer(&pointer).cloned().unwrap();
            rest.pointer_mut(parent).and_then(Value::as_object_mut).unwrap().insert(key.to_owned(), was);
        }
        // What the cluster holds in such a field is the cluster's affair, also where it is of another type.
        let outside = forbidden(&vm(), &rest, true).filter(|path| !below_what_may_differ(path));
        prop_assert_eq!(outside, None);
    }

    /// Any text at all: an answer, and never a panic.
    #[test]
    fn t8_any_text_is_answered(text in "\\PC{0,60}|[\\[\\]{}\",:a-z0-9/~-]{0,80}", key in 0_usize..6) {
        let words = ["patch", "ignore-fields", "mode", "patch.disk.root", "ignore-fields.disk.root", "mode.disk.root"];
        let _ = crate::wrong(&[(&format!("platform.kubevirt.io/{}", words[key]), &text)], true);
    }
}
