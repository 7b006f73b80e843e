//! Which annotation means which object, and what their values may be. X41, X47.

use model::patch::{UserPatches, concerns};
use model::reason::Reason::{self, FieldNotSupported, PatchInvalid};
use serde_json::json;

use crate::table::every_row;
use crate::{FIELD, PATCH, only, vm, wrong};

const HOSTNAME: &str = r#"[{"op":"add","path":"/spec/template/spec/hostname","value":"web"}]"#;

#[test]
fn x41_both_prefixes_are_taken_and_must_agree() {
    every_row([PATCH, "vitistack.io/patch"], |key| {
        let read = UserPatches::read([(key, HOSTNAME)]).unwrap();
        assert_eq!(
            read.vm.apply(&vm(), false).unwrap().pointer("/spec/template/spec/hostname"),
            Some(&json!("web")),
            "{key}"
        );
    });
    let twice = [("vitistack.io/patch", HOSTNAME), (PATCH, HOSTNAME)];
    assert_eq!(UserPatches::read(twice), UserPatches::read([(PATCH, HOSTNAME)]));
    every_row([(PATCH, "vitistack.io/patch"), ("vitistack.io/patch", PATCH)], |(one, other)| {
        let (field, reason, says) = only(wrong(&[(one, HOSTNAME), (other, "[]")], false));
        assert_eq!((field.as_str(), reason), ("metadata.annotations[vitistack.io/patch]", PatchInvalid));
        assert_eq!(says, "says something else than platform.kubevirt.io/patch: keep one of the two");
    });
}

#[test]
fn x47_each_annotation_means_its_object_and_others_are_passed_over() {
    let read = UserPatches::read([
        ("platform.kubevirt.io/mode", "unmanaged"),
        ("vitistack.io/mode.disk.data", "unmanaged"),
        ("platform.kubevirt.io/patch.disk.root", "[]"),
        ("vitistack.io/kubevirt-config", "east"),
        ("platform.kubevirt.io/patchwork", "["),
        ("platform.kubevirt.io/disabled-resources", "x"),
        ("example.com/patch", "["),
        ("patch", "["),
        ("platform.kubevirt.io/patch", ""),
    ])
    .unwrap();
    assert!(read.vm.unmanaged);
    let keys = [
        "platform.kubevirt.io/mode",
        "vitistack.io/patch.disk.data",
        "vitistack.io/patch.disks",
        "platform.kubevirt.io/patchwork",
        "vitistack.io/resolved",
    ];
    assert_eq!(keys.map(concerns), [true, true, true, false, false]);
    assert_eq!(read.vm.apply(&vm(), false), Ok(vm()), "an empty value says nothing");
    let disks: Vec<_> = read.disks.iter().map(|(name, it)| (name.as_str(), it.unmanaged)).collect();
    assert_eq!(disks, [("data", true), ("root", false)]);
}

#[test]
fn x47_what_is_nearly_an_annotation_is_refused() {
    #[rustfmt::skip]
    let cases: [(&str, &str, &str, Reason, &str); 8] = [
        ("X47: an unknown mode",     "platform.kubevirt.io/mode",                 "unmanged", FieldNotSupported, "Unsupported value: \"unmanged\": supported values: unmanaged (did you mean \"unmanaged\"?)"),
        ("X47: another mode",        "vitistack.io/mode.disk.root",               "managed",  FieldNotSupported, "Unsupported value: \"managed\": supported values: unmanaged (did you mean \"unmanaged\"?)"),
        ("X47: a disk that is none", "platform.kubevirt.io/patch.disk.dta",       "[]",       PatchInvalid,      "the Machine has no disk \"dta\" (did you mean \"data\"?): its disks are data, root"),
        ("X47: no disk's mode",      "platform.kubevirt.io/mode.disk.logs",       "unmanaged", PatchInvalid,     "the Machine has no disk \"logs\": its disks are data, root"),
        ("X47: disks",               "platform.kubevirt.io/patch.disks.root",     "[]",       PatchInvalid,      "means no object: write patch for the VM, or patch.disk.NAME for the disk NAME"),
        ("X47: no name",             "vitistack.io/ignore-fields.disk.",          "/x",       PatchInvalid,      "means no object: write ignore-fields for the VM, or ignore-fields.disk.NAME for the disk NAME"),
        ("X47: no list",             PATCH,                                       "{}",       PatchInvalid,      "must be a list of operations in JSON: [{\"op\": …, \"path\": …}]"),
        ("X47: no JSON",             PATCH,                                       "- op: add", PatchInvalid,     "is no JSON Patch that is taken: invalid number at line 1 column 2"),
    ];
    every_row(cases, |(name, key, value, reason, says)| {
        assert_eq!(
            only(wrong(&[(key, value)], false)),
            (format!("metadata.annotations[{key}]"), reason, says.to_owned()),
            "{name}"
        );
    });
}

#[test]
fn x46_t8_operations_are_parsed_strictly() {
    #[rustfmt::skip]
    let cases = [
        ("T8: copy",             r#"[{"op":"copy","from":"/kind","path":"/metadata/name"}]"#,      "operation 0: copy is not taken"),
        ("T8: move",             r#"[{"op":"move","from":"/kind","path":"/metadata/name"}]"#,      "operation 0: move is not taken"),
        ("T8: from",             r#"[{"op":"add","from":"/kind","path":"/x","value":1}]"#,         "operation 0: has an unknown key \"from\": known are op, path, value"),
        ("T8: another case",     r#"[{"op":"Add","path":"/x","value":1}]"#,                        "operation 0: op \"Add\" is not supported: supported values: add, replace, remove, test (did you mean \"add\"?)"),
        ("T8: Path",             r#"[{"op":"add","Path":"/x","value":1}]"#,                        "operation 0: has no path"),
        ("T8: a key twice",      r#"[{"op":"add","path":"/x","path":"/y","value":1}]"#,            "is no JSON Patch that is taken: has the key \"path\" twice"),
        ("T8: a key twice deep", r#"[{"op":"add","path":"/x","value":{"a":{"b":1,"b":2}}}]"#,      "is no JSON Patch that is taken: has the key \"b\" twice"),
        ("T8: no op",            r#"[{"path":"/x","value":1}]"#,                                   "operation 0: has no op"),
        ("T8: op is no text",    r#"[{"op":1,"path":"/x","value":1}]"#,                            "operation 0: op must be text"),
        ("T8: no object",        r#"["add"]"#,                                                     "operation 0: must be an object with op, path and value"),
        ("T8: no value",         r#"[{"op":"add","path":"/x"}]"#,                                  "operation 0: (add /x) must have a value"),
        ("T8: surplus value",    r#"[{"op":"remove","path":"/x","value":1}]"#,                     "operation 0: (remove /x) must have no value"),
        ("T8: text behind",      r"[] []",                                                         "is no JSON Patch that is taken: trailing characters"),
        ("T8: path is too long", r#"[{"op":"test","path":"/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17","value":1}]"#, "operation 0: path \"/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17\" has 17 segments, may have 16"),
    ];
    every_row(cases, |(name, patch, starts)| {
        let (field, reason, says) = only(wrong(&[(PATCH, patch)], false));
        assert_eq!((field.as_str(), reason), (FIELD, PatchInvalid), "{name}");
        assert!(says.starts_with(starts), "{name}: {says}");
    });
}

#[test]
fn x46_an_operation_that_fails_says_why() {
    #[rustfmt::skip]
    let cases = [
        (r#"[{"op":"test","path":"/kind","value":"Pod"}]"#,                                   "operation 0 (test /kind): the value there is another"),
        (r#"[{"op":"test","path":"/nope","value":1}]"#,                                       "operation 0 (test /nope): \"nope\" is not there in \"\"; add what is missing first"),
        (r#"[{"op":"replace","path":"/spec/template/spec/domain/cpus/model","value":"x"}]"#,  "operation 0 (replace /spec/template/spec/domain/cpus/model): \"cpus\" is not there in /spec/template/spec/domain (did you mean \"cpu\"?); add what is missing first"),
        (r#"[{"op":"remove","path":"/spec/template/spec/hostname"}]"#,                        "operation 0 (remove /spec/template/spec/hostname): \"hostname\" is not there in /spec/template/spec; add what is missing first"),
        (r#"[{"op":"add","path":"/spec/template/spec/volumes/9","value":{}}]"#,               "operation 0 (add /spec/template/spec/volumes/9): \"9\" is not there in /spec/template/spec/volumes; add to the end with \"-\""),
        (r#"[{"op":"add","path":"/kind/x","value":1}]"#,                                      "operation 0 (add /kind/x): \"x\" is not there in /kind; add what is missing first"),
    ];
    every_row(cases, |(patch, says)| {
        assert_eq!(only(wrong(&[(PATCH, patch)], false)), (FIELD.to_owned(), PatchInvalid, says.to_owned()), "{patch}");
    });
}

/// The library that applies patches undoes the earlier operations of one that fails, and panics where it cannot.
#[test]
fn t8_a_failure_after_operations_that_are_hard_to_undo_is_an_answer() {
    let patches = [
        json!([{"op": "add", "path": "/spec/template/spec/volumes/-", "value": {}}, {"op": "test", "path": "/kind", "value": 1}]),
        json!([
            {"op": "add", "path": "/spec/template/spec/volumes/-", "value": {}},
            {"op": "replace", "path": "/spec/template/spec/volumes", "value": {}},
            {"op": "remove", "path": "/nope"},
        ]),
        json!([{"op": "replace", "path": "/spec/template", "value": "x"}, {"op": "add", "path": "/spec/template/spec", "value": 1}]),
    ];
    every_row(patches, |patch| {
        let (field, reason, says) = only(wrong(&[(PATCH, &patch.to_string())], false));
        assert_eq!((field.as_str(), reason), (FIELD, PatchInvalid), "{says}");
        assert!(says.starts_with(&format!("operation {} (", patch.as_array().unwrap().len() - 1)), "{says}");
    });
}
