//! Virtual machines there and back.

use serde_json::json;

use super::*;
use crate::table::every_row;

/// The body of the documentation's call.
fn documented() -> Value {
    json!({"spec": {"template": "rhel-9-vm-template", "template_parameters": {
        "vcpus": {"@type": "type.googleapis.com/google.protobuf.Int32Value", "value": 2},
        "memory": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": "4Gi"},
    }}})
}

fn asked(body: &Value) -> Ask {
    let mut wrong = Vec::new();
    let ask = read(body, &mut wrong);
    assert_eq!(wrong, [], "{body}");
    ask
}

#[test]
fn x106_x107_the_documented_call_is_this_machine_and_is_shown_as_it_was_sent() {
    let body = documented();
    let mut machine = asked(&body).machine("web", "team-a", Some("abc"));
    let wanted = json!({
        "apiVersion": "vitistack.io/v1alpha1",
        "kind": "Machine",
        "metadata": {"name": "web", "namespace": "team-a", "annotations": {"vitistack.io/placement-strategy": "balanced", "vitistack.io/request": "abc"}},
        "spec": {"template": "rhel-9-vm-template", "resources": {"cpu": {"cores": 2, "sockets": 1, "threads": 1}, "memory": {"size": "4Gi"}}},
    });
    assert_eq!(machine, wanted);
    machine["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    machine["metadata"]["annotations"]["vitistack.io/kubevirt-config"] = json!("vmaas-primary");
    machine["status"] = json!({"phase": "Running", "ipAddresses": ["10.0.0.7", "10.0.0.8"]});
    let shown = serde_json::to_value(show(&machine)).expect("JSON");
    assert_eq!(shown["spec"], body["spec"]);
    assert_eq!(shown["id"], "web");
    assert_eq!(shown["metadata"], json!({"creation_timestamp": "2026-01-01T00:00:00Z", "tenant": "team-a"}));
    assert_eq!(
        (&shown["status"]["state"], &shown["status"]["hub"], &shown["status"]["ip_address"]),
        (&json!("VIRTUAL_MACHINE_STATE_READY"), &json!("vmaas-primary"), &json!("10.0.0.7"))
    );
}

#[test]
fn x103_a_name_is_the_clients_or_made_of_the_template() {
    let long = "a".repeat(50);
    let cut = format!("{}-0123456789", "a".repeat(40));
    #[rustfmt::skip]
    let cases = [
        (json!({"id": "web", "spec": {"template": "small"}}),  "web"),
        (json!({"spec": {"template": "small"}}),               "small-0123456789"),
        (json!({"spec": {"template": "ocp_4.17_Small"}}),      "ocp-4-17-small-0123456789"),
        (json!({"spec": {"template": "_x_"}}),                 "x-0123456789"),
        (json!({"spec": {"template": "9lives"}}),              "vm-9lives-0123456789"),
        (json!({"spec": {"template": long}}),                  &cut),
        (json!({"spec": {}}),                                  "vm-0123456789"),
        (json!({}),                                            "vm-0123456789"),
    ];
    every_row(cases, |(body, want)| {
        let name = asked(&body).name("0123456789");
        assert_eq!(name, want, "X103: {body}");
        assert!(may_exist(&name), "X103: {name}");
    });
}

#[test]
fn x107_an_edit_changes_what_it_names_and_nothing_else() {
    let int = |value: i32| json!({"@type": "type.googleapis.com/google.protobuf.Int32Value", "value": value});
    let text = |value: &str| json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": value});
    let machine = json!({
        "metadata": {"name": "web", "namespace": "team-a", "labels": {"a": "1", "b": "2"}},
        "spec": {
            "machineClass": "gold", "tags": {"x": "y"}, "cpu": {"cores": 2, "sockets": 2}, "resources": {"memory": {"size": "4Gi"}},
            "disks": [{"name": "root", "size": "20Gi", "boot": true}],
        },
        "status": {"phase": "Running"},
    });
    let parameter = |name: &str, value: Value| json!({"spec": {"template_parameters": {name: value}}});
    #[rustfmt::skip]
    let cases = [
        ("nothing",             json!({}),                              json!({})),
        ("what is so already",  parameter("vcpus", int(4)),             json!({})),
        ("vcpus",               parameter("vcpus", int(6)),             json!({"spec": {"cpu": null, "resources": {"cpu": {"cores": 6, "sockets": 1, "threads": 1}}}})),
        ("memory",              parameter("memory", text("8Gi")),       json!({"spec": {"resources": {"memory": {"size": "8Gi"}}}})),
        ("a parameter gone",    parameter("memory", Value::Null),       json!({"spec": {"resources": null}})),
        ("disk_size",           parameter("disk_size", text("30Gi")),   json!({"spec": {"disks": [{"name": "root", "size": "30Gi", "boot": true}]}})),
        ("the template",        json!({"spec": {"template": "large"}}), json!({"spec": {"template": "large", "machineClass": null}})),
        ("labels",              json!({"metadata": {"labels": {"a": null, "c": "3"}}}), json!({"metadata": {"labels": {"a": null, "c": "3"}}})),
        ("what the server says", json!({"status": {"state": "x"}, "metadata": {"creation_timestamp": "x"}}), json!({})),
        ("all that was shown",  serde_json::to_value(show(&machine)).expect("JSON"),   json!({})),
    ];
    every_row(cases, |(name, patch, want)| {
        let mut wrong = Vec::new();
        assert_eq!(edit(&machine, &patch, &mut wrong), want, "X107: {name}");
        assert_eq!(wrong, [], "X107: {name}");
    });
    #[rustfmt::skip]
    let refused = [
        (json!({"id": "other"}),                                     "#/id"),
        (json!({"metadata": {"tenant": "team-b"}}),                  "#/metadata/tenant"),
        (json!({"spec": {"tempalte": "x"}}),                         "#/spec/tempalte"),
        (json!({"spec": {"template_parameters": {"vcpus": 7}}}),     "#/spec/template_parameters/vcpus"),
        (json!([]),                                                  "#"),
    ];
    every_row(refused, |(patch, pointer)| {
        let mut wrong = Vec::new();
        edit(&machine, &patch, &mut wrong);
        assert!(wrong.iter().any(|it| it.pointer.as_deref() == Some(pointer)), "X107: {patch}: {wrong:?}");
    });
}

#[test]
fn x107_causes_about_the_machine_as_a_whole_have_their_place_in_the_request() {
    #[rustfmt::skip]
    let cases = [
        ("metadata.annotations[vitistack.io/kubevirt-config]",   Some("#/spec")),
        ("spec.template",                                        Some("#/spec/template")),
        ("spec.machineClass",                                    Some("#/spec/template")),
        ("metadata.labels[vitistack.io/machine-template]",       Some("#/spec/template")),
        ("metadata.labels",                                      Some("#/metadata/labels")),
        ("metadata.name",                                        Some("#/id")),
        ("metadata.namespace",                                   Some("#/metadata/tenant")),
        ("spec.resources.memory.size",                           Some("#/spec/template_parameters/memory")),
        ("metadata.annotations[vitistack.io/deletion-policy]",   None),
        ("spec.tags",                                            None),
    ];
    every_row(cases, |(field, want)| assert_eq!(pointer(field, &json!({})).as_deref(), want, "X107: {field}"));
}
