//! However large a body is and wherever it is large, the answer is not (ATK2).

use std::sync::Arc;

use admission::Config;
use model::names::ClusterName;
use serde_json::{Map, Value, json};

use super::*;
use crate::table::every_row;

/// What warnings and causes may take, and all that is around them.
const SAID: usize = 64 << 10;
/// Nearly as much as is read.
const LARGE: usize = 6_800_000;

fn size_of(route: Route, body: &[u8], case: &str) -> usize {
    assert!(body.len() <= crate::body::LIMIT, "{case}: {} bytes would not be read", body.len());
    let east = (ClusterName("east".to_owned()), Arc::new(Config::default()));
    let answer = answer(route, body, &World { configs: [east].into(), ..World::default() });
    let held = answer.holds.map_or(0, |(key, _)| key.namespace.len() + key.name.len());
    let logged = answer.assigned.map_or(0, |it| it.namespace.len() + it.machine.len());
    assert!(held <= 512 && logged <= 512, "{case}: remembered {held}, logged {logged}");
    answer.body.len()
}

fn review(object: &Value, old: &Value) -> Value {
    json!({"request": {"uid": "u-1", "operation": "UPDATE", "name": "web", "namespace": "shop", "object": object, "oldObject": old,
        "userInfo": {"username": "ann"}, "kind": {"group": "vitistack.io", "version": "v1alpha1", "kind": "Machine"}}})
}

/// A Machine with something in every place that is read.
fn full() -> Value {
    json!({"metadata": {"name": "web", "generateName": "web-", "uid": "m-1", "finalizers": ["a"], "deletionTimestamp": null,
            "labels": {"vitistack.io/machine-template": "small"},
            "annotations": {"vitistack.io/kubevirt-config": "east", "vitistack.io/placement": "{}", "vitistack.io/resolved": "{}",
                "vitistack.io/refresh-class": "1", "vitistack.io/deletion-policy": "Delete", "vitistack.io/deletion-polic": "Delete",
                "platform.kubevirt.io/patch": "[]", "platform.kubevirt.io/ignore-fields": "a", "platform.kubevirt.io/mode": "managed",
                "kubevirt.io/x": ""}},
        "spec": {"name": "other", "provider": "kubevirt", "template": "small", "instanceType": "small", "machineClass": "small",
            "runStrategy": "Always", "machineType": "q35", "bootOrder": ["disk"], "sshKeys": ["ssh-ed25519 A"],
            "kubevirtConfigRef": {"name": "east"}, "userData": "#cloud-config", "backup": {"enabled": true},
            "clusterSelector": {"matchLabels": {"zone": "a"}, "matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]},
            "cloudInit": {"type": "NoCloud", "userData": "#cloud-config", "secretRef": {"name": "s", "key": "k"}},
            "memory": 1, "resources": {"cpu": {"cores": 1}, "memory": {"size": "1Gi"}}, "cpu": {"cores": 1},
            "domain": {"machine": {"type": "q35"}, "firmware": {"bootloader": "efi"}, "features": {"smm": true}},
            "os": {"architecture": "amd64", "isoUri": "https://x.org/a.iso", "imageID": "i"},
            "network": {"networkNamespaceName": "n"},
            "networks": [{"name": "eth0", "networkName": "n", "model": "virtio", "macAddress": "02:00:00:00:00:01"}],
            "disks": [{"name": "root", "size": "20Gi", "storageClass": "fast", "accessMode": "ReadWriteOnce", "volumeMode": "Block",
                "type": "ssd", "source": {"http": {"url": "https://x.org/a.qcow2"}, "pvc": {"name": "p", "namespace": "n"}}}]},
        "status": {"kubevirtConfigRef": {"name": "east", "clusterId": "c-1", "namespace": "n"},
            "disks": [{"name": "root", "uid": "d", "size": 1, "requestedSize": "1Gi"}]}})
}

/// Puts a text into each place of a value, one after the other: as a value, as a key, and where something else belongs.
fn everywhere(value: &Value, text: &str, path: &str, tell: &mut dyn FnMut(&str, Value)) {
    tell(path, json!(text));
    tell(&format!("[{path}]"), json!([text]));
    match value {
        Value::Object(entries) => {
            tell(
                &format!("{path}.KEY"),
                Value::Object(entries.clone().into_iter().chain([(text.to_owned(), json!(7))]).collect()),
            );
            for (key, inner) in entries {
                let mut with = |path: &str, inner: Value| {
                    let mut entries: Map<String, Value> = entries.clone();
                    entries.insert(key.clone(), inner);
                    tell(path, Value::Object(entries));
                };
                everywhere(inner, text, &format!("{path}.{key}"), &mut with);
            }
        }
        Value::Array(entries) => {
            for (at, inner) in entries.iter().enumerate() {
                let mut with = |path: &str, inner: Value| {
                    let mut entries = entries.clone();
                    entries[at] = inner;
                    tell(path, Value::Array(entries));
                };
                everywhere(inner, text, &format!("{path}[{at}]"), &mut with);
            }
        }
        _ => {}
    }
}

#[test]
fn atk2_no_text_of_a_body_makes_an_answer_large() {
    // What costs most in JSON, and in Rust's quotes: more than any answer may have, and little for so many bodies.
    let texts = ["\u{1}".repeat(12_000), "\"\\".repeat(35_000)];
    let (plain, mut largest, mut cases) = (full(), 0, 0);
    for text in &texts {
        let mut tell = |path: &str, mut body: Value| {
            if body["request"].is_object() && !path.contains("oldObject") {
                body["request"]["oldObject"] = Value::Null;
            }
            let size = size_of(Route::Mutate, body.to_string().as_bytes(), path);
            assert!(size < SAID, "{path}: {size}");
            largest = largest.max(size);
            cases += 1;
        };
        let whole = review(&plain, &plain);
        everywhere(&whole["request"], text, "", &mut |path, request| tell(path, json!({"request": request})));
    }
    assert!(cases > 500, "{cases}");
    println!("{cases} bodies, largest answer {largest}");
}

#[test]
fn atk2_the_largest_body_in_each_place_that_is_repeated_gives_a_small_answer() {
    let endless = "x".repeat(LARGE);
    let places = [
        "/request/uid",
        "/request/name",
        "/request/namespace",
        "/request/operation",
        "/request/kind/kind",
        "/request/object/metadata/name",
        "/request/object/metadata/annotations/vitistack.io~1kubevirt-config",
        "/request/oldObject/metadata/annotations/vitistack.io~1resolved",
        "/request/oldObject/status/kubevirtConfigRef/name",
        "/request/object/spec/template",
        "/request/object/spec/provider",
        "/request/object/spec/memory",
        "/request/object/spec/bootOrder",
    ];
    for place in places {
        let mut body = review(&full(), &full());
        *body.pointer_mut(place).unwrap_or_else(|| panic!("{place}")) = json!(endless);
        for route in [Route::Mutate, Route::Validate] {
            let size = size_of(route, body.to_string().as_bytes(), place);
            assert!(size < SAID, "{place}: {size}");
        }
    }
}

#[test]
fn atk2_very_many_mistakes_give_a_small_answer_that_says_how_many() {
    let bad = json!({"name": "A \"b\"", "size": "\"many\"", "sizeGB": -1, "storageClass": "\"B\"", "accessMode": "Sometimes", "volumeMode": "?", "boot": true,
        "iops": -1, "source": {"http": {"url": "ftp://x"}}});
    let many = |count: usize, entry: &Value| Value::Array(vec![entry.clone(); count]);
    let mut annotations = Map::new();
    for at in 0..100_000 {
        annotations.insert(format!("vitistack.io/no-one-reads-this-{at}"), json!("x"));
    }
    let annotated = json!({"metadata": {"name": "web", "annotations": annotations}, "spec": {"template": "small"}});
    let networks = json!({"template": "small", "networks": many(256, &json!({"name": "?", "networkName": "?", "model": "?", "macAddress": "?"}))});
    let unknown: Map<String, Value> = (0..300_000).map(|at| (format!("key-{at}"), json!(1))).collect();
    let cases = [
        (
            "disks",
            json!({"metadata": {"name": "web"}, "spec": {"template": "small", "disks": many(256, &bad)}}),
            "and ",
        ),
        ("networks", json!({"metadata": {"name": "web"}, "spec": networks}), "and "),
        ("annotations", annotated, ""),
        ("unknown fields", json!({"metadata": {"name": "web"}, "spec": unknown}), ""),
    ];
    let mut largest = 0;
    every_row(cases, |(case, object, says)| {
        let body = review(&object, &Value::Null).to_string().replace("UPDATE", "CREATE");
        let size = size_of(Route::Mutate, body.as_bytes(), case);
        assert!(size < SAID, "{case}: {size}");
        largest = largest.max(size);
        let east = (ClusterName("east".to_owned()), Arc::new(Config::default()));
        let answer = answer(Route::Mutate, body.as_bytes(), &World { configs: [east].into(), ..World::default() });
        let text = String::from_utf8(answer.body).expect("text");
        assert!(text.contains(says) && (says.is_empty() || text.contains(" more\"")), "{case}: {text}");
    });
    println!("largest answer {largest}");
}

#[test]
fn atk2_a_patch_is_never_larger_than_annotations_may_be_and_as_large_as_a_machine_needs() {
    let admitted = |disks: Value, old: Option<&Value>| {
        let object = json!({"metadata": {"name": "web"}, "spec": {"template": "small", "disks": disks}});
        let mut body = review(&object, &old.cloned().unwrap_or_default());
        body["request"]["operation"] = json!(if old.is_some() { "UPDATE" } else { "CREATE" });
        let east = (ClusterName("east".to_owned()), Arc::new(Config::default()));
        answer(Route::Mutate, body.to_string().as_bytes(), &World { configs: [east].into(), ..World::default() })
    };
    let disks = (0..255).map(|at| json!({"name": format!("disk-{at:058}"), "size": "20Gi"}));
    let largest = admitted(disks.collect(), None);
    assert_eq!(largest.outcome, "admitted", "{}", String::from_utf8_lossy(&largest.body));
    assert!(largest.body.len() < 256 << 10, "{}", largest.body.len());
    let stored = json!({"metadata": {"name": "web", "annotations": {"vitistack.io/kubevirt-config": "east",
        "vitistack.io/resolved": "x".repeat(300_000)}}, "spec": {"template": "small", "disks": []}});
    let refused = admitted(json!([]), Some(&stored));
    let text = String::from_utf8(refused.body).expect("text");
    assert_eq!(refused.outcome, "refused", "{}", &text[..200]);
    assert!(
        text.contains("Too long: the answer would have 40") && text.contains(" bytes and may have 262144"),
        "{text}"
    );
    println!("largest patch {}", largest.body.len());
}
