//! Patches that somebody wrote who wants more than the list allows.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::checker::{MAY_DIFFER, MAY_DIFFER_TOO, SCHEDULING};
use crate::{claim, vm};

/// Every path of the object, of what may stand in it, and of what must not.
pub(crate) fn paths() -> impl Strategy<Value = String> {
    fn walk(value: &Value, path: &str, all: &mut Vec<String>) {
        all.push(path.to_owned());
        for (key, value) in value.as_object().into_iter().flatten() {
            walk(value, &format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")), all);
        }
        for (index, value) in value.as_array().into_iter().flatten().enumerate() {
            walk(value, &format!("{path}/{index}"), all);
        }
    }
    let mut existing = Vec::new();
    walk(&vm(), "", &mut existing);
    let listed = MAY_DIFFER.iter().chain(&MAY_DIFFER_TOO).chain(&SCHEDULING);
    let listed: Vec<String> =
        listed.map(|it| format!("/{}", it.trim_end_matches(".**").replace('*', "1").replace('.', "/"))).collect();
    let wanted = [
        "nodeName",
        "volumes/-",
        "volumes/0/hostDisk",
        "volumes/1/secret",
        "accessCredentials",
        "domain/devices/hostDevices",
        "domain/devices/gpus",
        "domain/devices/disks/-",
        "domain/devices/disks/0/lun",
        "domain/devices/interfaces/-",
        "domain/launchSecurity",
        "domain/firmware/acpi",
        "networks/1/multus/networkName",
        "domain/cpu/cores",
        "schedulerName",
    ];
    let outside = [
        "/metadata/finalizers",
        "/metadata/labels/app",
        "/spec/template/metadata/annotations",
        "/spec/running",
        "/status",
        "/metadata~1name",
        "/Metadata/name",
    ];
    let wanted: Vec<String> =
        wanted.iter().map(|it| format!("/spec/template/spec/{it}")).chain(outside.map(str::to_owned)).collect();
    prop_oneof![
        5 => prop::sample::select(existing),
        6 => prop::sample::select(listed),
        3 => prop::sample::select(wanted),
        1 => "(/(spec|template|metadata|labels|-|0|1|~0|~1|~2|name|[a-z]{0,3})){0,6}",
    ]
}

/// Values: parts of the object itself, whole and spoilt, values that listed fields take, and anything.
fn values() -> impl Strategy<Value = Value> {
    let object = vm();
    let parts: Vec<Value> = [
        "",
        "/metadata",
        "/spec",
        "/spec/template/spec",
        "/spec/template/spec/domain",
        "/spec/template/spec/domain/cpu",
        "/spec/template/spec/domain/devices",
        "/spec/template/spec/domain/devices/disks",
        "/spec/template/spec/domain/devices/disks/1",
        "/spec/template/spec/volumes",
        "/spec/template/spec/volumes/0",
        "/spec/template/spec/domain/devices/interfaces",
    ]
    .iter()
    .filter_map(|pointer| object.pointer(pointer).cloned())
    .collect();
    let fitting = vec![
        json!(true),
        json!(false),
        json!("none"),
        json!("native"),
        json!("virtio"),
        json!("scsi"),
        json!("web"),
        json!("Paused"),
        json!("None"),
        json!("LiveMigrate"),
        json!("auto"),
        json!("supplementalPool"),
        json!(1),
        json!(30),
        json!({}),
        json!([]),
        json!({"pageSize": "2Mi"}),
        json!({"pageSize": "1Gi"}),
        json!({"supplementalPoolThreadCount": 2}),
        json!({"nameservers": ["10.0.0.53"]}),
        json!({"smm": {}}),
        json!({"smm": {}, "hyperv": {"synic": {}, "evmcs": {}}}),
        json!([{"name": "vmx", "policy": "require"}]),
        json!({"custom": {"logical": 512, "physical": 4096}}),
        json!({"matchVolume": {}}),
        json!({"persistent": true}),
        json!({"name": "dog", "i6300esb": {}}),
        json!([{"name": "t", "type": "tablet"}]),
        json!({"timezone": "UTC"}),
        json!({"ntpServers": ["10.0.0.1"]}),
        json!("e1000"),
        json!({"zone": "a"}),
        json!([{"operator": "Exists"}]),
    ];
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z~/.]{0,8}".prop_map(Value::from)
    ];
    let anything = leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("name|disk|bus|secret|hostDisk|enabled|[a-z]{1,4}", inner, 0..3)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    prop_oneof![2 => prop::sample::select(parts), 6 => prop::sample::select(fitting), 1 => anything]
}

pub(crate) fn operations() -> impl Strategy<Value = Value> {
    let verbs = prop::sample::select(vec!["add", "add", "add", "replace", "replace", "remove", "test", "copy", "move"]);
    let one = (verbs, paths().boxed(), values().boxed()).prop_map(|(op, path, value)| match op {
        "remove" => json!({"op": op, "path": path}),
        "copy" | "move" => json!({"op": op, "path": path, "from": "/metadata"}),
        _ => json!({"op": op, "path": path, "value": value}),
    });
    // Mostly one or two operations: a longer patch nearly always contains one that fails.
    prop_oneof![6 => prop::collection::vec(one.clone(), 1..3), 1 => prop::collection::vec(one, 1..12)]
        .prop_map(Value::from)
}

pub(crate) fn disk_operations() -> impl Strategy<Value = Value> {
    let path = prop_oneof![
        "/metadata/(labels|annotations)/(team|example.com~1x|vitistack.io~1machine-uid|a.k8s.io~1x|cdi.kubevirt.io~1storage.import.endpoint|-|0)",
        prop::sample::select(vec![
            "/metadata/labels",
            "/metadata/annotations",
            "/metadata",
            "/spec",
            "/spec/volumeName",
            "/metadata/name",
            "/spec/accessModes/-",
            "/kind"
        ])
        .prop_map(str::to_owned),
    ];
    let value = prop_oneof![
        Just(json!("x")),
        Just(json!({})),
        Just(json!({"team": "x"})),
        Just(json!({"vitistack.io/machine-uid": "m-1", "a": "b"})),
        Just(json!(1)),
        Just(claim("root")["metadata"].clone())
    ];
    let one =
        (prop::sample::select(vec!["add", "replace", "remove"]), path, value).prop_map(|(op, path, value)| match op {
            "remove" => json!({"op": op, "path": path}),
            _ => json!({"op": op, "path": path, "value": value}),
        });
    prop::collection::vec(one, 1..4).prop_map(Value::from)
}
