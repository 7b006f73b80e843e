//! Each parameter there and back, and where its mistakes are.

use serde_json::json;

use super::*;
use crate::table::every_row;

fn row(name: &str) -> &'static Parameter {
    TABLE.iter().find(|row| row.name == name).expect("a row")
}

#[test]
fn x107_each_parameter_is_written_where_a_machine_has_it_and_read_back() {
    let two = json!([{"name": "data", "size": "1Gi"}, {"size": "2Gi", "storage_class": "fast"}]);
    let read_back = json!([{"name": "data", "size": "1Gi"}, {"name": "disk2", "size": "2Gi", "storage_class": "fast"}]);
    #[rustfmt::skip]
    let cases = [
        ("vcpus",             json!(2),            json!({"resources": {"cpu": {"cores": 2, "sockets": 1, "threads": 1}}}), json!(2)),
        ("memory",            json!("4Gi"),        json!({"resources": {"memory": {"size": "4Gi"}}}),                       json!("4Gi")),
        ("disk_size",         json!("40Gi"),       json!({"disks": [{"name": "root", "size": "40Gi"}]}),                    json!("40Gi")),
        ("storage_class",     json!("fast"),       json!({"disks": [{"name": "root", "storageClass": "fast"}]}),            json!("fast")),
        ("cloud_init_config", json!("#cloud-config"), json!({"cloudInit": {"userData": "#cloud-config"}}),                  json!("#cloud-config")),
        ("ssh_public_key",    json!("ssh-a A\n\n ssh-b B \n"), json!({"sshKeys": ["ssh-a A", "ssh-b B"]}),                  json!("ssh-a A\nssh-b B")),
        ("run_strategy",      json!("Halted"),     json!({"runStrategy": "Halted"}),                                        json!("Halted")),
        ("additional_disks",  two,                 json!({"disks": [{"name": "root"}, {"name": "data", "size": "1Gi"}, {"name": "disk2", "size": "2Gi", "storageClass": "fast"}]}), read_back),
    ];
    assert_eq!(
        cases.clone().map(|(name, ..)| name).iter().filter(|name| TABLE.iter().any(|row| row.name == **name)).count(),
        TABLE.len()
    );
    every_row(cases, |(name, value, wanted, back)| {
        let mut spec = json!({});
        (row(name).write)(&mut spec, Some(&value));
        assert_eq!(spec, wanted, "X107: {name}");
        assert_eq!((row(name).read)(&spec), Some(back), "X107: {name}");
        for other in TABLE.iter().filter(|other| other.name != name) {
            assert_eq!((other.read)(&spec), None, "X107: {name} is not {}", other.name);
        }
        (row(name).write)(&mut spec, None);
        let left = if name == "additional_disks" { json!({"disks": [{"name": "root"}]}) } else { json!({}) };
        assert_eq!(spec, left, "X107: {name} taken away");
    });
}

#[test]
fn x107_what_others_wrote_into_a_machine_is_read_and_kept() {
    #[rustfmt::skip]
    let read = [
        ("vcpus",            json!({"resources": {"cpu": {"cores": 2, "threads": 2, "sockets": 2}}}), Some(json!(8))),
        ("vcpus",            json!({"resources": {"cpu": {"threads": 2}}}),                           Some(json!(2))),
        ("vcpus",            json!({"cpu": {"cores": 4, "sockets": 0, "threadsPerCore": 2}}),         Some(json!(8))),
        ("vcpus",            json!({"cpu": {"cores": 0}}),                                            None),
        ("memory",           json!({"memory": 2_147_483_648_i64}),                                    Some(json!("2147483648"))),
        ("memory",           json!({"memory": 0}),                                                    None),
        ("memory",           json!({"resources": {"memory": {"size": 1024}}}),                        Some(json!("1024"))),
        ("disk_size",        json!({"disks": [{"sizeGB": 20}]}),                                      Some(json!("20Gi"))),
        ("disk_size",        json!({"disks": [{"name": "data", "size": "1Gi"}]}),                     None),
        ("additional_disks", json!({"disks": [{"name": "data", "sizeGB": 1}]}),                       Some(json!([{"name": "data", "size": "1Gi"}]))),
        ("cloud_init_config", json!({"userData": "x"}),                                               Some(json!("x"))),
    ];
    every_row(read, |(name, spec, want)| assert_eq!((row(name).read)(&spec), want, "X107: {name} of {spec}"));
    let disks = json!([{"name": "data", "sizeGB": 1, "source": {"http": {"url": "https://x/y"}}}, {"name": "root", "size": "20Gi", "boot": true}]);
    #[rustfmt::skip]
    let written = [
        ("disk_size", json!("40Gi"), json!([{"name": "data", "sizeGB": 1, "source": {"http": {"url": "https://x/y"}}}, {"name": "root", "size": "40Gi", "boot": true}])),
        ("additional_disks", json!([{"name": "data", "size": "2Gi"}]), json!([{"name": "root", "size": "20Gi", "boot": true}, {"name": "data", "size": "2Gi", "source": {"http": {"url": "https://x/y"}}}])),
        ("additional_disks", json!([]), json!([{"name": "root", "size": "20Gi", "boot": true}])),
    ];
    every_row(written, |(name, value, want)| {
        let mut spec = json!({"disks": disks});
        (row(name).write)(&mut spec, Some(&value));
        assert_eq!(spec, json!({"disks": want}), "X107: {name} {value}");
    });
}

#[test]
fn x107_a_cause_of_admission_is_turned_back_into_the_parameter() {
    let spec = json!({"disks": [{"name": "data"}, {"name": "root"}, {"name": "logs"}]});
    #[rustfmt::skip]
    let cases = [
        ("spec.resources.cpu.cores",      Some("vcpus")),
        ("spec.cpu.sockets",              Some("vcpus")),
        ("spec.resources.memory.size",    Some("memory")),
        ("spec.memory",                   Some("memory")),
        ("spec.disks[1].size",            Some("disk_size")),
        ("spec.disks[1].sizeGB",          Some("disk_size")),
        ("spec.disks[1]",                 Some("disk_size")),
        ("spec.disks[1].storageClass",    Some("storage_class")),
        ("spec.disks[1].volumeMode",      Some("disk_size")),
        ("spec.disks[0].size",            Some("additional_disks/value/0/size")),
        ("spec.disks[2].storageClass",    Some("additional_disks/value/1/storage_class")),
        ("spec.disks[2].name",            Some("additional_disks/value/1/name")),
        ("spec.disks[2]",                 Some("additional_disks/value/1")),
        ("spec.disks",                    Some("additional_disks")),
        ("spec.cloudInit.userData",       Some("cloud_init_config")),
        ("spec.sshKeys[3]",               Some("ssh_public_key")),
        ("spec.runStrategy",              Some("run_strategy")),
        ("spec.memoryOfElephants",        None),
        ("spec.tags",                     None),
        ("spec.resources",                None),
    ];
    every_row(cases, |(field, want)| {
        let want = want.map(|want| format!("#/spec/template_parameters/{want}"));
        assert_eq!(pointer(field, &spec), want, "X107: {field}");
    });
}

#[test]
fn x107_e10_all_mistakes_are_said_at_once() {
    let text = Kind::Text.url();
    let given = json!({
        "vcpus": {"@type": text, "value": "2"},
        "memroy": {"@type": text, "value": "4Gi"},
        "memory": {"@type": text, "value": "4Gi"},
        "storage_class": null,
        "disk_size": {"@type": text, "value": 7},
        "additional_disks": {"@type": Kind::Json.url(), "value": [{"name": "root", "size": 1}, {"nmae": "data"}]},
    });
    let mut wrong = Vec::new();
    let found = read(&given, "small", &mut wrong);
    assert_eq!(found.iter().map(|(row, value)| (row.name, value.clone())).next_back(), Some(("memory", json!("4Gi"))));
    let mut said: Vec<_> = wrong
        .iter()
        .map(|it| {
            (
                it.pointer.as_deref().unwrap_or_default().rsplit("template_parameters/").next().unwrap_or_default(),
                it.reason.as_str(),
                it.detail.as_str(),
            )
        })
        .collect();
    said.sort_unstable();
    #[rustfmt::skip]
    let wanted = [
        ("additional_disks/value/0/name", "FieldValueForbidden",    "is the template's own disk: use disk_size and storage_class for it"),
        ("additional_disks/value/0/size", "FieldValueTypeInvalid",  "must be text"),
        ("additional_disks/value/1/nmae", "FieldValueNotSupported", "unknown field; valid: name, size, storage_class (did you mean 'name'?)"),
        ("additional_disks/value/1/size", "FieldValueRequired",     "name a size, such as 20Gi"),
        ("disk_size/value",               "FieldValueTypeInvalid",  "parameter 'disk_size' of template 'small' must be text, not 7"),
        ("memroy",                        "FieldValueNotSupported", "unknown parameter; valid: additional_disks, cloud_init_config, disk_size, memory, run_strategy, ssh_public_key, storage_class, vcpus (did you mean 'memory'?)"),
        ("vcpus",                         "FieldValueTypeInvalid",  "type of parameter 'vcpus' of template 'small' should be 'type.googleapis.com/google.protobuf.Int32Value', but it is 'type.googleapis.com/google.protobuf.StringValue'"),
    ];
    assert_eq!(said, wanted);
}
