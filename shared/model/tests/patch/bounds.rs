//! No patch makes us slow, large or dead. T8, Z2.

use std::collections::BTreeMap;

use model::patch::{Desired, UserPatches, check};
use model::reason::Reason::PatchInvalid;
use serde_json::{Value, json};

use crate::table::every_row;
use crate::{FIELD, PATCH, claim, only, vm, wrong};

const TEST: &str = r#"{"op":"test","path":"/kind","value":"VirtualMachine"}"#;

fn list(operations: &[String]) -> String {
    format!("[{}]", operations.join(","))
}

/// `[[[…]]]`, so many deep.
fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

#[test]
fn t8_every_row_of_the_measurements_is_refused() {
    let doubling = |count: usize| {
        let copy = |index| format!(r#"{{"op":"copy","from":"/spec","path":"/spec/a{index}"}}"#);
        list(&(0..count).map(copy).collect::<Vec<_>>())
    };
    let inserts = |count: usize| {
        let add = r#"{"op":"add","path":"/spec/template/spec/volumes/0","value":0}"#.to_owned();
        list(&vec![add; count])
    };
    let add = |value: &str| format!(r#"[{{"op":"add","path":"/spec/template/spec/domain/clock","value":{value}}}]"#);
    #[rustfmt::skip]
    let cases = [
        ("T8: doubling by copy, 15 operations",    doubling(15),                  "operation 0: copy is not taken"),
        ("T8: doubling by copy, 23 operations",    doubling(23),                  "operation 0: copy is not taken"),
        ("T8: a chain of depth by copy",           r#"[{"op":"copy","from":"/spec","path":"/spec/template/spec/x"}]"#.to_owned(), "operation 0: copy is not taken"),
        ("T8: nested 17 deep",                     add(&nested(17)),              "is no JSON Patch that is taken: is nested too deeply"),
        ("T8: nested 1200 deep",                   add(&nested(1200)),            "is no JSON Patch that is taken: is nested too deeply"),
        ("T8: nested 5520 deep",                   add(&nested(5520)),            "is no JSON Patch that is taken: is nested too deeply"),
        ("T8: nested 1200 deep and too long",      add(&nested(9000)),            "Too long: 18065 bytes: must have at most 16384"),
        ("T8: 8000 inserts",                       inserts(8000),                 "Too long: "),
        ("T8: 65 inserts",                         inserts(65),                   "has 65 operations, may have 64"),
        ("T8: 7 MiB of small objects",             format!("[{}]", r#"{"a":0},"#.repeat(917_504)), "Too long: 7340034 bytes: must have at most 16384"),
        ("T8: 65 tests",                           list(&vec![TEST.to_owned(); 65]), "has 65 operations, may have 64"),
    ];
    every_row(cases, |(name, patch, starts)| {
        let wrong = wrong(&[(PATCH, &patch)], true);
        let first = wrong.first().expect(name);
        assert_eq!((first.path.as_str(), first.reason), (FIELD, PatchInvalid), "{name}");
        assert!(first.message.starts_with(starts), "{name}: {}", first.message);
        assert!(wrong.len() <= 32, "{name}: {} violations", wrong.len());
    });
}

#[test]
fn t8_what_is_just_within_the_limits_is_judged() {
    assert_eq!(wrong(&[(PATCH, &list(&vec![TEST.to_owned(); 64]))], false), []);
    let deep = format!(r#"[{{"op":"add","path":"/spec/template/spec/domain/clock","value":{}}}]"#, nested(16));
    let (_, reason, says) = only(wrong(&[(PATCH, &deep)], false));
    assert_eq!(reason, PatchInvalid);
    assert!(says.ends_with("is a list: must be an object"), "{says}");
    let padded = format!("[{TEST}{}]", " ".repeat((16 << 10) - TEST.len() - 2));
    assert_eq!(padded.len(), 16 << 10);
    assert_eq!(wrong(&[(PATCH, &padded)], false), []);
    assert!(only(wrong(&[(PATCH, &format!("{padded} "))], false)).2.starts_with("Too long: 16385 bytes"));
}

/// The object itself may be large, so that little is left for a patch.
#[test]
fn t8_the_result_is_limited_before_and_between_operations() {
    let sized = |bytes: usize| {
        let mut vm = vm();
        let spare = bytes - (vm.to_string().len() + r#","x":"""#.len());
        vm["spec"]["x"] = json!("a".repeat(spare));
        assert_eq!(vm.to_string().len(), bytes);
        vm
    };
    let hostname = r#"[{"op":"add","path":"/spec/template/spec/hostname","value":"web"}]"#;
    let there_and_back = list(&[
        format!(r#"{{"op":"add","path":"/spec/y","value":"{}"}}"#, "b".repeat(2000)),
        r#"{"op":"remove","path":"/spec/y"}"#.to_owned(),
    ]);
    #[rustfmt::skip]
    let cases = [
        ("T8: too long before",           (128 << 10) + 1,   hostname,                Some("the object has 131073 bytes already, a patched one may have 131072")),
        ("T8: too long after",            128 << 10,         hostname,                Some("operation 0 (add /spec/template/spec/hostname): makes the object 131089 bytes long, it may have 131072")),
        ("T8: too long in between",       (128 << 10) - 100, there_and_back.as_str(), Some("operation 0 (add /spec/y): makes the object 132979 bytes long, it may have 131072")),
        ("T8: just short enough",         (128 << 10) - 17,  hostname,                None),
        ("T8: room for what comes between", 120 << 10,       there_and_back.as_str(), None),
    ];
    every_row(cases, |(name, bytes, patch, says)| {
        let result = UserPatches::read([(PATCH, patch)]).unwrap().vm.apply(&sized(bytes), false);
        let found = result.err().map(|violations| only(violations));
        assert_eq!(found, says.map(|says| (FIELD.to_owned(), PatchInvalid, says.to_owned())), "{name}");
    });
}

/// A stranger chooses the number of annotations and the length of every name, too.
#[test]
fn t8_the_answer_is_short_whatever_is_asked() {
    let vm = vm();
    let disks: Vec<(String, Value)> = (0..256).map(|index| (format!("disk-{index}"), claim("x"))).collect();
    let desired =
        Desired { vm: &vm, disks: disks.iter().map(|(name, it)| (name.as_str(), it)).collect(), scheduling: false };
    let long = "x".repeat(14_000);
    let patches = [
        format!(r#"[{{"op":"{long}","path":"/x"}}]"#),
        format!(r#"[{{"op":"add","path":"{long}","value":1}}]"#),
        format!(r#"[{{"op":"add","path":"/{long}","value":1}}]"#),
        format!(r#"[{{"op":"add","path":"/spec/{long}/x","value":1}}]"#),
        format!(r#"[{{"op":"add","path":"/x","value":1,"{long}":1}}]"#),
        format!(r#"[{{"op":"add","path":"/spec/template/spec/hostname","value":"{long}"}}]"#),
        format!(r#"[{{"op":"add","path":"/spec/template/spec/dnsConfig","value":{{"{long}":1}}}}]"#),
        format!(r#"[{{"op":"add","path":"/spec/template/spec/dnsConfig","value":{{"{long}":1,"{long}":1}}}}]"#),
        long.clone(),
    ];
    let mut annotations: BTreeMap<String, String> = BTreeMap::new();
    for index in 0..3000 {
        annotations
            .insert(format!("platform.kubevirt.io/patch.disk.no-{index}"), patches[index % patches.len()].clone());
    }
    let answers = [
        check(annotations.iter().map(|(key, value)| (key.as_str(), value.as_str())), &desired),
        check(annotations.iter().take(256).map(|(key, value)| (key.as_str(), value.as_str())), &desired),
        check([(format!("vitistack.io/mode.disk.{long}").as_str(), long.as_str())], &desired),
        check([("vitistack.io/mode", long.as_str())], &desired),
        check([("vitistack.io/ignore-fields", long.as_str())], &desired),
    ];
    let each = patches.iter().map(|patch| check([(PATCH, patch.as_str())], &desired));
    every_row(answers.into_iter().chain(each), |answer| {
        assert!(answer.len() <= 32, "{} violations", answer.len());
        for violation in answer {
            let length = violation.path.len() + violation.message.len();
            assert!(length < 1000, "{length}: {violation:?}");
        }
    });
    let (field, reason, says) = only(check(annotations.iter().map(|(k, v)| (k.as_str(), v.as_str())), &desired));
    assert_eq!((field.as_str(), reason), ("metadata.annotations", PatchInvalid));
    assert_eq!(says, "has more than 1542 annotations about patches");
}
