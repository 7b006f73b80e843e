use kube::CustomResourceExt;
use kube::runtime::reflector;
use serde_json::{Map, Value, json};

use super::*;
use crate::table::every_row;

fn read(machine: &Value) -> Guarded {
    serde_json::from_value(machine.clone()).expect("a Machine, or what is left of one")
}

/// A value that has each field of a schema.
fn filled(schema: &Value) -> Value {
    if schema["x-kubernetes-int-or-string"] == true {
        return json!("20Gi");
    }
    let of_map = |of: &Value| Value::Object([("key".to_owned(), filled(of))].into_iter().collect());
    match (schema["type"].as_str().unwrap_or_default(), &schema["properties"], &schema["additionalProperties"]) {
        ("object", Value::Object(fields), _) => {
            Value::Object(fields.iter().map(|(name, field)| (name.clone(), filled(field))).collect::<Map<_, _>>())
        }
        ("object", _, Value::Object(of)) => of_map(&Value::Object(of.clone())),
        ("object", ..) => json!({"key": "value"}),
        ("array", ..) => json!([filled(&schema["items"]), filled(&schema["items"])]),
        ("integer", ..) => json!(7),
        ("boolean", ..) => json!(true),
        _ if schema["format"] == "date-time" => json!("2026-11-21T00:00:00Z"),
        _ => json!("größe \"quoted\"\n"),
    }
}

fn whole() -> Value {
    let crd = serde_json::to_value(Machine::crd()).expect("plain data");
    let fields = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
    json!({"apiVersion": "vitistack.io/v1alpha1", "kind": "Machine", "spec": filled(&fields["spec"]), "status": filled(&fields["status"]),
        "metadata": {"name": "web", "namespace": "shop", "uid": "m-1", "resourceVersion": "7", "generation": 3,
            "creationTimestamp": "2026-11-21T00:00:00Z", "deletionTimestamp": "2026-11-21T00:00:01Z", "deletionGracePeriodSeconds": 0,
            "labels": {"a": "b"}, "annotations": {"vitistack.io/kubevirt-config": "east"}, "finalizers": ["machine.vitistack.io/cleanup"]}})
}

#[test]
fn a_machine_is_unpacked_as_it_was() {
    let bare =
        json!({"apiVersion": "vitistack.io/v1alpha1", "kind": "Machine", "metadata": {"name": "web"}, "spec": {}});
    let usual: Value = serde_json::from_slice(USUAL).expect("a Machine");
    let large = json!({"apiVersion": "vitistack.io/v1alpha1", "kind": "Machine", "metadata": {"name": "web"},
        "spec": {"userData": "#cloud-config\n".repeat(70_000)}});
    every_row([("whole", whole()), ("bare", bare), ("usual", usual), ("large", large)], |(what, text)| {
        let machine = read(&text);
        let packed = Packed::of(&machine);
        assert_eq!(packed.open().0.expect("a Machine"), machine.0.expect("a Machine"), "{what}");
        let [name, namespace, uid] =
            ["name", "namespace", "uid"].map(|it| text["metadata"][it].as_str().map(str::to_owned));
        assert_eq!(
            (packed.name_any(), packed.namespace(), packed.uid()),
            (name.expect("a name"), namespace, uid),
            "{what}"
        );
    });
}

#[test]
fn of_a_machine_like_most_little_is_kept() {
    let text = String::from_utf8_lossy(USUAL).replace("shop", "bank").replace("web", "database-7");
    let Kept::Machine(packed) = Packed::of(&read(&serde_json::from_str(&text).expect("a Machine"))).kept else {
        panic!("it can be read")
    };
    assert!(packed.len() < 500, "{} bytes of {}", packed.len(), text.len());
}

#[test]
fn a_machine_that_cannot_be_read_stays_one_and_says_why() {
    let mut text = whole();
    text["spec"]["disks"] = json!("none");
    let packed = Packed::of(&read(&text));
    let broken = packed.open().0.expect_err("it cannot be read");
    assert_eq!(broken.error, "invalid type: string \"none\", expected a sequence");
    assert_eq!(broken.metadata.finalizers.as_deref(), Some(&["machine.vitistack.io/cleanup".to_owned()][..]));
    assert_eq!((packed.name_any(), packed.cluster(), packed.read::<Value>()), ("web".to_owned(), None, None));
}

#[test]
fn a_few_fields_are_read_and_whose_turns_it_takes() {
    let packed = Packed::of(&read(&whole()));
    let read: Value = packed.read().expect("a Machine");
    assert_eq!(read["metadata"]["labels"], json!({"a": "b"}));
    let recorded = whole()["status"]["kubevirtConfigRef"]["name"].as_str().map(str::to_owned);
    assert_eq!(packed.cluster().map(|cluster| cluster.0.clone()), recorded);
}

#[test]
fn what_is_listed_again_as_it_is_known_is_kept_once() {
    let (known, mut writer) = reflector::store::<Packed>();
    let mut list = |text: &Value| {
        let event = pack(&Event::InitApply(read(text)), &known);
        let Event::InitApply(packed) = &event else { panic!("another event: {event:?}") };
        let packed = packed.clone();
        for event in [Event::Init, event, Event::InitDone] {
            writer.apply_watcher_event(&event);
        }
        packed
    };
    let same = |one: &Packed, other: &Packed| match (&one.kept, &other.kept) {
        (Kept::Machine(one), Kept::Machine(other)) => Arc::ptr_eq(one, other),
        _ => false,
    };
    let first = list(&whole());
    let again = list(&whole());
    let mut changed = whole();
    changed["metadata"]["resourceVersion"] = json!("8");
    let changed = list(&changed);
    assert!(same(&first, &again));
    assert!(!same(&again, &changed));
    assert_eq!(changed.open().0.expect("a Machine").metadata.resource_version.as_deref(), Some("8"));
}
