//! X74: no field is ignored in silence. The schema is walked, so a new field cannot be forgotten.

use super::*;

/// Fields that decide something today. Every other field has to be named in a warning when it is set.
#[rustfmt::skip]
const EFFECTIVE: &[&str] = &[
    "spec.template", "spec.instanceType", "spec.machineClass", "spec.resources", "spec.cpu", "spec.memory", "spec.runStrategy", "spec.provider",
    "spec.kubevirtConfigRef", "spec.clusterSelector", "spec.disks[].name", "spec.disks[].size", "spec.disks[].sizeGB",
    "spec.disks[].storageClass", "spec.disks[].accessMode", "spec.disks[].volumeMode", "spec.disks[].boot",
    "spec.bootOrder", "spec.domain", "spec.machineType",
    "spec.disks[].source", "spec.os.isoUri", "spec.os.imageID",
    "spec.cloudInit", "spec.userData", "spec.sshKeys",
    "spec.networks", "spec.network.networkNamespaceName",
];

/// A value of a leaf that the schema allows.
fn sample(path: &str, schema: &Value) -> Value {
    let text = match path {
        "spec.template" | "spec.instanceType" | "spec.machineClass" => "small",
        "spec.provider" => "kubevirt",
        "spec.kubevirtConfigRef.name" => "east",
        "spec.domain.machine.type" | "spec.machineType" => "q35",
        "spec.disks[].storageClass" => "fast-ssd",
        "spec.disks[].source.http.url" | "spec.os.isoUri" => "https://images.example.org/a.img",
        "spec.disks[].source.registry.url" => "docker://quay.io/a/b:1",
        "spec.disks[].source.pvc.namespace" => "default",
        "spec.networks[].networkName" | "spec.network.networkNamespaceName" => "prod-net",
        "spec.networks[].macAddress" => "52:54:00:12:34:56",
        path if path.ends_with("Base64") => "YWJj",
        _ => "keys",
    };
    match schema["type"].as_str() {
        Some("string") => schema["enum"].get(0).cloned().unwrap_or_else(|| json!(text)),
        Some("integer") if path == "spec.memory" => json!(1_i64 << 30),
        Some("integer") if ["spec.disks[].iops", "spec.disks[].throughput"].contains(&path) => json!(200),
        Some("integer") => json!(1),
        Some("boolean") => json!(true),
        None => json!("2Gi"),
        other => panic!("{path}: a leaf of type {other:?}"),
    }
}

/// Every leaf below a schema, each with the smallest spec that holds it and what its siblings require.
fn leaves(path: &str, schema: &Value, found: &mut Vec<(String, Value)>, wrap: &dyn Fn(Value) -> Value) {
    if let Some(properties) = schema["properties"].as_object() {
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, inner) in properties {
            let around = |value: Value| {
                let mut object = json!({});
                for other in required.iter().filter(|other| *other != name) {
                    object[other] = sample(&format!("{path}.{other}"), &properties[*other]);
                }
                object[name] = value;
                wrap(object)
            };
            leaves(&format!("{path}.{name}"), inner, found, &around);
        }
    } else if let Some(items) = schema.get("items") {
        leaves(&format!("{path}[]"), items, found, &|value| wrap(json!([value])));
    } else if let Some(values) = schema.get("additionalProperties") {
        leaves(&format!("{path}<>"), values, found, &|value| wrap(json!({"key": value})));
    } else {
        found.push((path.to_owned(), wrap(sample(path, schema))));
    }
}

/// The fields that warnings name.
fn named(warnings: &[String]) -> Vec<&str> {
    let lists = warnings.iter().filter_map(|line| line.split_once(": "));
    lists.flat_map(|(begin, fields)| std::iter::once(begin).chain(fields.split(", "))).collect()
}

#[test]
fn x74_every_field_has_an_effect_or_is_named_in_a_warning() {
    let crd = model::crds::crds().remove(0);
    let schema = serde_json::to_value(crd.spec.versions[0].schema.as_ref().expect("a schema")).expect("JSON");
    let mut found = Vec::new();
    leaves("spec", &schema["openAPIV3Schema"]["properties"]["spec"], &mut found, &|spec| spec);
    assert!(found.len() > 90, "{} leaves", found.len());
    let mut world = networked();
    world.readable = Some([("keys".to_owned(), Ok(true))].into());
    let below = |path: &str, field: &str| {
        path == field || path.strip_prefix(field).is_some_and(|rest| rest.starts_with(['.', '[', '<']))
    };
    // That a selector decides is the business of the tests about placement.
    every_row(found.into_iter().filter(|(path, _)| !path.starts_with("spec.clusterSelector.")), |(path, mut spec)| {
        spec["template"] = spec.get("template").cloned().unwrap_or(json!("small"));
        if let Some(disk) = spec["disks"].get_mut(0).filter(|disk| disk.get("size").is_none()) {
            disk["name"] = disk.get("name").cloned().unwrap_or(json!("root"));
            if disk["name"] == "keys" {
                disk["size"] = json!("1Gi");
            }
        }
        if path == "spec.domain.firmware.bootloader.secureBoot" {
            spec["domain"]["firmware"]["bootloader"]["efi"] = json!(true);
        }
        let warnings = admit(&machine(spec.clone()), &world).warnings;
        let effective = EFFECTIVE.iter().any(|field| below(&path, field));
        let warned = named(&warnings).iter().any(|field| below(&path, field));
        assert!(effective || warned, "{path} is ignored in silence: {spec}: {warnings:?}");
        let without =
            warnings.iter().find(|line| line.starts_with("without effect") || line.starts_with("accepted, but"));
        assert!(!effective || without.is_none(), "{path} has an effect: {without:?}");
        assert!(warnings.iter().all(|line| line.len() <= 256), "{path}: the API server cuts {warnings:?}");
    });
}

#[test]
fn x74_what_has_no_effect_is_named_compactly() {
    let spec = json!({
        "template": "small", "name": "other", "backup": {"enabled": true}, "monitoring": true, "tags": {"env": "prod"}, "securityGroups": [],
        "network": {"networkNamespaceName": "prod-net", "vpc": "v", "subnet": "", "interfaces": []},
        "os": {"family": "linux", "architecture": "amd64", "imageID": "ubuntu", "version": ""},
        "disks": [{"name": "a", "size": "1Gi", "type": "ssd", "iops": 300}, {"name": "b", "size": "1Gi", "type": "hdd"}],
    });
    assert_eq!(
        admit(&machine(spec), &networked()).warnings,
        [
            "without effect on KubeVirt: spec.backup, spec.monitoring, spec.tags, spec.disks[].type, spec.disks[].iops, spec.network.vpc, spec.os.family, spec.os.architecture",
            "spec.name: \"other\" has no effect: everything is named after metadata.name, \"web\"",
            "spec.os.imageID: \"ubuntu\" is no image that is known here, and no boot disk is made from it: write an http:// or https:// URL, or docker:// and a container disk",
        ]
    );
    let order = json!({"template": "small", "bootOrder": ["disk", "cdrom"], "disks": [{"name": "root", "boot": true, "accessMode": "ReadOnlyMany"}]});
    let warnings = admit(&machine(order), &networked()).warnings;
    assert_eq!(warnings[0], "spec.bootOrder: cdrom is passed over: without spec.os.isoUri there is none", "C7");
    assert!(warnings[1].contains("its accessMode is ReadOnlyMany"), "{warnings:?}");
    let long = json!({"template": "small", "os": (0..40).map(|at| (format!("{at:0>60}"), json!("x"))).collect::<serde_json::Map<_, _>>()});
    let warnings = admit(&machine(long), &networked()).warnings;
    assert!((2..=8).contains(&warnings.len()) && warnings.iter().all(|line| line.len() <= 256), "{warnings:?}");
}
