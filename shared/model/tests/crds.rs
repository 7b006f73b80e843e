//! What the CRDs promise: the documented fields and those of the published CRDs, descriptions for `kubectl explain`, schemas
//! that an API server takes without a warning. The same files are applied to a real API server by the harness.

#[path = "../../../tests/table.rs"]
mod table;

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use model::api::{Condition, Machine};
use model::crds::crds;
use serde_json::{Value, json};

use crate::table::every_row;

fn crd(kind: &str) -> CustomResourceDefinition {
    crds().into_iter().find(|crd| crd.spec.names.kind == kind).expect("a kind of ours")
}

/// The schema of one kind, as JSON.
fn schema(kind: &str) -> Value {
    let version = crd(kind).spec.versions.remove(0);
    serde_json::to_value(version.schema.expect("a schema").open_api_v3_schema).expect("JSON")
}

/// Every property below `schema` by its path, `[]` after a list and `<>` after a map.
fn properties(schema: &Value) -> BTreeMap<String, Value> {
    fn walk(schema: &Value, above: &str, found: &mut BTreeMap<String, Value>) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let (mark, inner) = match type_of(property) {
                "array" => ("[]", &property["items"]),
                "object" if property.get("additionalProperties").is_some() => ("<>", &property["additionalProperties"]),
                _ => ("", property),
            };
            let path = format!("{above}{name}{mark}");
            walk(inner, &format!("{path}."), found);
            found.insert(path, property.clone());
        }
    }
    let mut found = BTreeMap::new();
    walk(schema, "", &mut found);
    found
}

fn type_of(property: &Value) -> &str {
    match (&property["type"], &property["format"]) {
        (_, Value::String(format)) if format == "date-time" => "date-time",
        (Value::String(name), _) => name,
        _ if property["x-kubernetes-int-or-string"] == true => "int-or-string",
        other => panic!("neither a type nor int-or-string: {other:?}"),
    }
}

/// The type of a property, or of the items of a list or map.
fn leaf(property: &Value) -> &str {
    ["items", "additionalProperties"]
        .iter()
        .find_map(|inner| property.get(inner))
        .map_or_else(|| type_of(property), type_of)
}

fn published(part: &str) {
    let mut kinds: BTreeMap<&str, BTreeMap<String, Value>> = BTreeMap::new();
    let mut seen = 0;
    every_row(include_str!("published.txt").lines().filter(|line| !line.starts_with('#')), |line| {
        let [kind, path, wanted] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("three words: {line}") };
        if !path.starts_with(part) {
            return;
        }
        let property = kinds.entry(kind).or_insert_with(|| properties(&schema(kind))).get(path);
        let property = property.unwrap_or_else(|| panic!("{kind} {path} is gone"));
        assert_eq!(leaf(property), wanted, "{kind} {path}");
        seen += 1;
    });
    assert!(seen > 50, "{part}: the list was read");
}

#[test]
fn x74_every_published_spec_field_is_there_with_its_type() {
    published("spec");
}

#[test]
fn x75_every_published_status_field_is_there_with_its_type() {
    published("status");
}

#[test]
fn c2_c3_c4_c6_c7_c8_c9_c10_every_documented_field_is_there_with_its_type() {
    #[rustfmt::skip]
    let fields = [
        ("c2",  "spec.template",                              "string"),
        ("c3",  "spec.resources.cpu.cores",                   "integer"),
        ("c3",  "spec.resources.cpu.threads",                 "integer"),
        ("c3",  "spec.resources.cpu.sockets",                 "integer"),
        ("c3",  "spec.resources.memory.size",                 "int-or-string"),
        ("c4",  "spec.disks[].name",                          "string"),
        ("c4",  "spec.disks[].size",                          "int-or-string"),
        ("c4",  "spec.disks[].storageClass",                  "string"),
        ("c4",  "spec.disks[].accessMode",                    "string"),
        ("c4",  "spec.disks[].volumeMode",                    "string"),
        ("c6",  "spec.networks[].name",                       "string"),
        ("c6",  "spec.networks[].networkName",                "string"),
        ("c6",  "spec.networks[].model",                      "string"),
        ("c6",  "spec.networks[].macAddress",                 "string"),
        ("c7",  "spec.bootOrder[]",                           "string"),
        ("c8",  "spec.cloudInit.userData",                    "string"),
        ("c8",  "spec.cloudInit.networkData",                 "string"),
        ("c8",  "spec.cloudInit.secretRef.name",              "string"),
        ("c8",  "spec.cloudInit.secretRef.key",               "string"),
        ("c9",  "spec.domain.machine.type",                   "string"),
        ("c9",  "spec.domain.features.acpi",                  "boolean"),
        ("c9",  "spec.domain.features.apic",                  "boolean"),
        ("c9",  "spec.domain.features.hyperv",                "boolean"),
        ("c9",  "spec.domain.firmware.bootloader.efi",        "boolean"),
        ("c9",  "spec.domain.firmware.bootloader.secureBoot", "boolean"),
        ("c10", "status.phase",                               "string"),
        ("c10", "status.conditions[]",                        "object"),
        ("c10", "status.vmName",                              "string"),
        ("c10", "status.vmiName",                             "string"),
        ("c10", "status.ipAddresses[]",                       "string"),
        ("c10", "status.nodeName",                            "string"),
        ("c10", "status.lastUpdated",                         "date-time"),
        ("c10", "status.resourceVersion",                     "string"),
    ];
    let found = properties(&schema("Machine"));
    every_row(fields, |(id, path, wanted)| {
        let property = found.get(path).unwrap_or_else(|| panic!("{id}: {path} is missing"));
        assert_eq!(leaf(property), wanted, "{id}: {path}");
    });
}

#[test]
fn c5_c6_c7_the_documented_values_are_the_ones_allowed() {
    #[rustfmt::skip]
    let cases = [
        ("spec.disks[].accessMode", json!(["ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany"])),
        ("spec.disks[].volumeMode", json!(["Filesystem", "Block"])),
        ("spec.networks[].model",   json!(["virtio", "e1000", "rtl8139"])),
        ("spec.bootOrder[]",        json!(["disk", "network", "cdrom"])),
        ("spec.runStrategy",        json!(["Always", "Halted", "Manual", "RerunOnFailure", "Once"])),
    ];
    let found = properties(&schema("Machine"));
    every_row(cases, |(path, allowed)| {
        let property = &found[path];
        let values = property.get("enum").unwrap_or(&property["items"]["enum"]);
        assert_eq!(values, &allowed, "{path}");
    });
}

#[test]
fn x1_the_schema_declares_every_alias_of_template() {
    let found = properties(&schema("Machine"));
    every_row(["template", "instanceType", "machineClass"], |alias| {
        assert_eq!(leaf(&found[&format!("spec.{alias}")]), "string", "{alias}");
    });
    assert_eq!(found["spec"].get("required"), None, "a Machine may name no provider, as in every example");
}

#[test]
fn every_property_is_described_in_sentences() {
    every_row(crds(), |crd| {
        let kind = &crd.spec.names.kind;
        every_row(properties(&schema(kind)), |(path, property)| {
            let text = property["description"].as_str().unwrap_or_else(|| panic!("{kind} {path} has no description"));
            assert!(text.ends_with('.') && text.len() >= 10, "{kind} {path}: {text:?} is no sentence");
            assert!(!text.contains('\n'), "{kind} {path}: line breaks of the source show in kubectl explain");
        });
    });
}

#[test]
fn an_api_server_takes_the_schemas_without_a_warning() {
    every_row(crds(), |crd| {
        let kind = &crd.spec.names.kind;
        every_row(properties(&schema(kind)), |(path, property)| {
            let format = property["format"].as_str().unwrap_or("int32");
            assert!(
                ["int32", "int64", "date-time"].contains(&format),
                "{kind} {path}: format {format} is unknown to it"
            );
            assert_eq!(property.get("nullable"), None, "{kind} {path}: a null would be stored");
            assert_eq!(property.get("title"), None, "{kind} {path}");
        });
    });
}

/// Whoever may write a Machine, or its status, may store what the API server lets through, and all that reads it works for it.
#[test]
fn x55_every_list_and_every_map_of_a_machine_has_a_bound() {
    every_row(properties(&schema("Machine")), |(path, property)| {
        let is_list = property["type"] == "array";
        assert_eq!(property["maxItems"].is_u64(), is_list, "{path}");
        let is_map = property.get("additionalProperties").is_some();
        assert!(!is_map || property["maxProperties"].is_u64(), "{path} is a map without a bound");
        let words = is_list && property["items"]["type"] == "string";
        let bounded = property["items"]["maxLength"].is_u64() || property["items"]["enum"].is_array();
        assert!(!words || bounded, "{path} has words of any length");
    });
}

#[test]
fn x80_the_platform_of_a_config_has_words_and_bounds_of_its_own() {
    let found = properties(&schema("KubevirtConfig"));
    #[rustfmt::skip]
    let cases = [
        ("spec.platform.mode",             "enum",               json!(["Off", "Audit", "Enforce"])),
        ("spec.platform.nodeDisruption",   "enum",               json!(["Withhold", "Allow"])),
        ("spec.platform.assets[]",         "maxItems",           json!(64)),
        ("spec.platform.assets[]",         "x-kubernetes-list-type", json!("set")),
        ("spec.platform.assets[]",         "items",              json!({"type": "string", "minLength": 1, "maxLength": 64})),
        ("status.platform.assets[]",       "maxItems",           json!(64)),
        ("status.platform.assets[].message", "maxLength",        json!(256)),
        ("status.platform.summary",        "maxLength",          json!(256)),
        ("status.platform.left[]",         "maxItems",           json!(64)),
    ];
    every_row(cases, |(path, key, want)| assert_eq!(found[path][key], want, "{path} {key}"));
    every_row(found.iter().filter(|(path, _)| path.contains(".platform")), |(path, property)| {
        let text = property["type"] == "string" && property["format"].is_null();
        assert!(!text || property["maxLength"].is_u64() || property["enum"].is_array(), "{path} has no bound");
        assert!(property.get("default").is_none(), "{path}: a default would be written to every KubevirtConfig");
    });
}

#[test]
fn defaults_are_the_published_ones_and_schedulable() {
    let mut defaults = BTreeMap::new();
    for crd in crds() {
        for (path, property) in properties(&schema(&crd.spec.names.kind)) {
            if let Some(default) = property.get("default") {
                defaults.insert(format!("{} {path}", crd.spec.names.kind), default.clone());
            }
        }
    }
    let wanted = [
        ("KubevirtConfig spec.schedulable", json!(true)),
        ("Machine spec.cloudInit.type", json!("noCloud")),
        ("MachineClass spec.category", json!("Standard")),
        ("MachineClass spec.default", json!(false)),
        ("MachineClass spec.enabled", json!(true)),
    ];
    assert_eq!(defaults, wanted.into_iter().map(|(path, value)| (path.to_owned(), value)).collect());
}

#[test]
fn names_scopes_and_columns_are_what_people_type_and_see() {
    #[rustfmt::skip]
    let cases = [
        ("Machine",              "machines",              "m",   "Namespaced", "Phase Ready Cluster Template IP (Node) (VM) (Reason) Age"),
        ("MachineClass",         "machineclasses",        "mc",  "Cluster",    "Display-Name Category Default Cores Memory Enabled (Sockets) (Threads) (GPU) Age"),
        ("KubevirtConfig",       "kubevirtconfigs",       "kvc", "Namespaced", "Phase Status Type Capabilities Schedulable Machines KubeVirt Platform (Name) (Endpoint) (Last-Contact) (Message) Age"),
        ("NetworkConfiguration", "networkconfigurations", "nc",  "Namespaced", "Name VLAN Bridge Phase Status Age"),
    ];
    every_row(cases, |(kind, plural, short, scope, columns)| {
        let crd = crd(kind);
        let names = &crd.spec.names;
        assert_eq!((names.plural.as_str(), crd.spec.scope.as_str()), (plural, scope), "{kind}");
        assert_eq!(names.short_names, Some(vec![short.to_owned()]), "{kind}");
        assert_eq!(names.categories, Some(vec!["vitistack".to_owned()]), "{kind}");
        let version = &crd.spec.versions[0];
        assert!(
            version.subresources.as_ref().is_some_and(|sub| sub.status.is_some()),
            "{kind} has a status subresource"
        );
        let shown: Vec<String> = version
            .additional_printer_columns
            .iter()
            .flatten()
            .map(|column| {
                let name = column.name.replace(' ', "-");
                if column.priority.unwrap_or(0) > 0 { format!("({name})") } else { name }
            })
            .collect();
        assert_eq!(shown.join(" "), columns, "{kind}");
    });
}

#[test]
fn conditions_are_a_map_by_type_and_disks_an_atomic_list() {
    every_row(["Machine", "KubevirtConfig", "NetworkConfiguration"], |kind| {
        let conditions = &properties(&schema(kind))["status.conditions[]"];
        assert_eq!(conditions["x-kubernetes-list-type"], "map", "{kind}");
        assert_eq!(conditions["x-kubernetes-list-map-keys"], json!(["type"]), "{kind}");
        assert_eq!(conditions["items"]["required"], json!(["type"]), "{kind}");
    });
    assert_eq!(properties(&schema("Machine"))["spec.disks[]"].get("x-kubernetes-list-type"), None);
}

#[test]
fn what_is_not_set_is_not_written() {
    let mut machine = Machine::new("web", model::api::MachineSpec::default());
    machine.status = Some(model::api::MachineStatus { phase: Some("Pending".to_owned()), ..Default::default() });
    let written = serde_json::to_value(machine).expect("JSON");
    assert_eq!(written["spec"], json!({}));
    assert_eq!(written["status"], json!({"phase": "Pending"}));
}

#[test]
fn a_condition_of_the_published_operator_decodes() {
    let stored = json!({"type": "Unknown", "status": "False", "reason": "Failed to get client", "message": "KubevirtConfigError"});
    let condition: Condition = serde_json::from_value(stored.clone()).expect("decodes without a transition time");
    assert_eq!(serde_json::to_value(condition).expect("JSON"), stored);
}

#[test]
fn x65_a_network_configuration_has_vlan_and_bridge() {
    let found = properties(&schema("NetworkConfiguration"));
    let vlan = &found["spec.vlan"];
    assert_eq!((leaf(vlan), vlan["minimum"].as_f64(), vlan["maximum"].as_f64()), ("integer", Some(0.0), Some(4094.0)));
    assert_eq!(leaf(&found["spec.bridge"]), "string");
}
