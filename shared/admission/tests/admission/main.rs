//! Admission as its callers see it: a review in, a verdict out. Expected values are written by hand.

use std::sync::Arc;

use admission::changes::{Change, patch};
use admission::placement::Rule;
use admission::review::decode;
use admission::world::Class;
use admission::{Admission, Answers, Config, Needs, Policy, Verdict, World, decide};
use model::message::{SizeSource, Sizing};
use model::names::{self, ClusterName};
use model::reason::{Reason, Violation};
use serde_json::{Value, json};

use crate::table::every_row;

mod fields;
mod filters;
mod large;
mod message;
mod placement;
mod properties;
mod room;
mod rules;
mod search;
mod sizing;
#[path = "../../../../tests/table.rs"]
mod table;

fn world(clusters: &[&str]) -> World {
    let mut config = Config::default();
    config.inventory.storage_classes.insert_mut("fast-ssd".to_owned(), ());
    let configs = clusters.iter().map(|name| (ClusterName((*name).to_owned()), Arc::new(config.clone())));
    let policy = Policy { configs_namespace: Some("kubevirt-configs".to_owned()), ..Policy::default() };
    World { configs: configs.collect(), policy: Arc::new(policy), ..World::default() }
}

fn with_default(mut world: World, name: &str) -> World {
    Arc::make_mut(&mut world.policy).default_cluster = Some(ClusterName(name.to_owned()));
    world
}

fn class(cores: i64, memory: &str) -> Class {
    Class {
        generation: 7,
        cores,
        threads: 1,
        sockets: 1,
        memory: memory.to_owned(),
        memory_bounds: (None, None),
        enabled: true,
        default: false,
    }
}

fn machine(spec: Value) -> Value {
    json!({"metadata": {"name": "web", "namespace": "default"}, "spec": spec})
}

fn annotated(mut machine: Value, key: &str, value: &str) -> Value {
    machine["metadata"]["annotations"][key] = json!(value);
    machine
}

fn review(operation: &str, object: &Value, old: Option<&Value>) -> String {
    json!({"request": {
        "uid": "u", "operation": operation, "name": object["metadata"]["name"].as_str().unwrap_or_default(), "namespace": "default",
        "kind": {"group": "vitistack.io", "version": "v1alpha1", "kind": "Machine"}, "object": object, "oldObject": old,
    }})
    .to_string()
}

fn judge(operation: &str, object: &Value, old: Option<&Value>, world: &World) -> Verdict {
    let body = review(operation, object, old);
    let review = decode(body.as_bytes()).expect("a review");
    match decide(&review.request, world) {
        Verdict::Ask(_) => decide(&review.request, &world.knowing(Answers::default())),
        verdict => verdict,
    }
}

/// What has to be asked before this can be decided.
fn asked(operation: &str, object: &Value, old: Option<&Value>, world: &World) -> Needs {
    let body = review(operation, object, old);
    match decide(&decode(body.as_bytes()).expect("a review").request, world) {
        Verdict::Ask(needs) => needs,
        Verdict::Admit(_) | Verdict::Refuse(_) => Needs::default(),
    }
}

fn admit(object: &Value, world: &World) -> Admission {
    match judge("CREATE", object, None, world) {
        Verdict::Admit(admission) => admission,
        other => panic!("not admitted: {other:?}"),
    }
}

fn refuse(object: &Value, world: &World) -> Vec<Violation> {
    match judge("CREATE", object, None, world) {
        Verdict::Refuse(violations) => violations,
        other => panic!("not refused: {other:?}"),
    }
}

/// Reason and path of the first violation.
fn first(wrong: &[Violation]) -> (Reason, &str) {
    (wrong[0].reason, &wrong[0].path)
}

/// The object as it is stored after admission.
fn stored(operation: &str, object: &Value, old: Option<&Value>, world: &World) -> Value {
    let body = review(operation, object, old);
    let review = decode(body.as_bytes()).expect("a review");
    let verdict = judge(operation, object, old, world);
    let Verdict::Admit(admission) = verdict else { panic!("{verdict:?}") };
    let json = patch(&admission.changes, &review.request.object.as_ref().expect("an object").metadata);
    let mut after = object.clone();
    let operations: json_patch::Patch = serde_json::from_slice(&json).expect("a JSON patch");
    json_patch::patch(&mut after, &operations).expect("it applies");
    after
}

fn sizing(object: &Value, world: &World) -> Sizing {
    let after = stored("CREATE", object, None, world);
    Sizing::read(after["metadata"]["annotations"][names::RESOLVED].as_str().expect("resolved")).expect("a size")
}

fn disks(sizing: &Sizing) -> Vec<(&str, &str, Option<&str>)> {
    sizing.disks.iter().map(|disk| (disk.name.as_str(), disk.size.as_str(), disk.storage_class.as_deref())).collect()
}

#[test]
fn refusals_name_the_field_the_reason_and_what_would_be_right() {
    let mut world = world(&["east"]);
    Arc::make_mut(&mut world.classes)
        .insert("gold".into(), Class { memory_bounds: (Some(4 << 30), Some(64 << 30)), ..class(6, "24Gi") });
    #[rustfmt::skip]
    let cases = [
        ("C46: unknown template", json!({"template": "xxl"}), "spec.template", Reason::TemplateNotFound, "use valid template name: small, medium, or large, or a MachineClass: gold"),
        ("C46: a slip",           json!({"template": "smal"}), "spec.template", Reason::TemplateNotFound, "did you mean \"small\"?"),
        ("C46: in an alias",      json!({"instanceType": "xxl"}), "spec.instanceType", Reason::TemplateNotFound, "\"xxl\" not found"),
        ("X1: two that differ",   json!({"template": "small", "instanceType": "large"}), "spec.template", Reason::TemplateConflict, "spec.instanceType is \"large\""),
        ("X63: nothing at all",   json!({}), "spec.template", Reason::FieldRequired, "Required value"),
        ("X63: no disk",          json!({"cpu": {"cores": 2}, "memory": 4_294_967_296_i64}), "spec.disks", Reason::FieldRequired, "at least one disk"),
        ("X25: two memories",     json!({"template": "small", "resources": {"memory": {"size": "8Gi"}}, "memory": 1_073_741_824}), "spec.resources.memory.size", Reason::SizingConflict, "spec.memory is 1073741824 bytes (1Gi)"),
        ("X66: two topologies",   json!({"template": "small", "resources": {"cpu": {"cores": 2}}, "cpu": {"cores": 4}}), "spec.resources.cpu.cores", Reason::SizingConflict, "spec.cpu.cores is 4"),
        ("C3: no quantity",       json!({"template": "small", "resources": {"memory": {"size": "2GB"}}}), "spec.resources.memory.size", Reason::FieldInvalid, "must be a quantity such as \"20Gi\""),
        ("X79: too little",       json!({"template": "small", "resources": {"memory": {"size": "16Mi"}}}), "spec.resources.memory.size", Reason::FieldInvalid, "must be at least 32Mi"),
        ("X63: out of bounds",    json!({"template": "gold", "resources": {"memory": {"size": "128Gi"}}}), "spec.resources.memory.size", Reason::FieldInvalid, "at least 4Gi and at most 64Gi"),
        ("C3: no cores",          json!({"template": "small", "resources": {"cpu": {"cores": 0}}}), "spec.resources.cpu.cores", Reason::FieldInvalid, "between 1 and 256"),
        ("C4: no size",           json!({"template": "small", "disks": [{"name": "data"}]}), "spec.disks[0].size", Reason::FieldRequired, "disk \"data\" needs a size"),
        ("X25: two sizes",        json!({"template": "small", "disks": [{"name": "data", "size": "5Gi", "sizeGB": 6}]}), "spec.disks[0].size", Reason::SizingConflict, "sizeGB is 6 (GiB)"),
        ("C4: negative",          json!({"template": "small", "disks": [{"name": "data", "size": "-5Gi"}]}), "spec.disks[0].size", Reason::FieldInvalid, "must not be negative"),
        ("C5: access mode",       json!({"template": "small", "disks": [{"name": "data", "size": "5Gi", "accessMode": "ReadWriteOnc"}]}), "spec.disks[0].accessMode", Reason::FieldNotSupported, "did you mean \"ReadWriteOnce\"?"),
        ("C5: volume mode",       json!({"template": "small", "disks": [{"name": "data", "size": "5Gi", "volumeMode": "Raw"}]}), "spec.disks[0].volumeMode", Reason::FieldNotSupported, "Filesystem, Block"),
        ("C15: one name twice",   json!({"template": "small", "disks": [{"name": "data", "size": "5Gi"}, {"name": "data", "size": "6Gi"}]}), "spec.disks[1].name", Reason::FieldDuplicate, "spec.disks[0] has that name"),
        ("KVO9: two boot disks",  json!({"template": "small", "disks": [{"name": "a", "size": "5Gi", "boot": true}, {"name": "b", "size": "6Gi", "boot": true}]}), "spec.disks[1].boot", Reason::FieldInvalid, "spec.disks[0] is the boot disk"),
        ("C4: a bad name",        json!({"template": "small", "disks": [{"name": "Data_1", "size": "5Gi"}]}), "spec.disks[0].name", Reason::FieldInvalid, "lower-case letters"),
        ("runStrategy",           json!({"template": "small", "runStrategy": "Allways"}), "spec.runStrategy", Reason::FieldNotSupported, "did you mean \"Always\"?"),
    ];
    every_row(cases, |(name, spec, path, reason, says)| {
        let wrong = refuse(&machine(spec), &world);
        let found = wrong
            .iter()
            .find(|it| it.path == path && it.reason == reason)
            .unwrap_or_else(|| panic!("{name}: {wrong:?}"));
        assert!(found.message.contains(says), "{name}: {}", found.message);
    });
}

#[test]
fn x56_a_name_that_makes_no_vm_is_refused() {
    let world = world(&["east"]);
    let named = |name: &str| json!({"metadata": {"name": name, "namespace": "default"}, "spec": {"template": "small"}});
    assert_eq!(admit(&named(&"a".repeat(60)), &world).changes.len(), 4);
    let cases = [
        ("a".repeat(61), "has 61 characters and may have 60"),
        ("web.1".to_owned(), "lower-case letters, digits and '-'"),
    ];
    every_row(cases, |(name, says)| {
        let wrong = refuse(&named(&name), &world);
        assert_eq!(wrong[0].path, "metadata.name");
        assert!(wrong[0].message.contains(says), "{}", wrong[0].message);
    });
}

#[test]
fn g4_every_mistake_is_reported_at_once_sorted_by_path() {
    let spec = json!({
        "template": "huge", "runStrategy": "Now", "resources": {"cpu": {"cores": 0}, "memory": {"size": "8GB"}},
        "disks": [{"name": "a", "size": "2GB", "accessMode": "RW"}, {"name": "a", "size": "1Gi"}, {"name": "b"}],
    });
    let wrong = refuse(&machine(spec), &world(&["east", "west"]));
    let paths: Vec<_> = wrong.iter().map(|it| it.path.as_str()).collect();
    #[rustfmt::skip]
    assert_eq!(paths, [
        "metadata.annotations[vitistack.io/kubevirt-config]", "metadata.annotations[vitistack.io/kubevirt-config]",
        "spec.disks[0].accessMode", "spec.disks[0].size", "spec.disks[1].name", "spec.disks[2].size",
        "spec.resources.cpu.cores", "spec.resources.memory.size", "spec.runStrategy", "spec.template",
    ]);
}

#[test]
fn a_valid_field_without_effect_is_admitted_with_a_warning_that_names_it() {
    let spec = json!({"template": "small", "backup": {"enabled": true}, "networks": [], "disks": [{"name": "data", "size": "1Gi", "iops": 300}]});
    let warnings = admit(&machine(spec), &world(&["east"])).warnings;
    assert_eq!(warnings, ["without effect on KubeVirt: spec.backup, spec.disks[].iops"]);
}

#[test]
fn deciding_twice_changes_nothing_more() {
    let worlds = [world(&["east"]), with_default(world(&["east", "west"]), "west")];
    let specs = [
        json!({"template": "small"}),
        json!({"machineClass": "large", "cpu": {"cores": 8}, "memory": 17_179_869_184_i64, "disks": [{"name": "root", "sizeGB": 80, "boot": true}]}),
        json!({"template": "medium", "disks": [{"name": "data", "size": "1.5Gi"}], "kubevirtConfigRef": {"name": "east"}}),
    ];
    every_row(&worlds, |world| {
        every_row(&specs, |spec| {
            let once = stored("CREATE", &machine(spec.clone()), None, world);
            assert_eq!(admit(&once, world).changes, [], "the validating call");
            assert_eq!(stored("UPDATE", &once, Some(&once), world), once, "an update");
        });
    });
}

#[test]
fn x57_a_deletion_policy_nobody_knows_is_refused_even_while_the_machine_goes() {
    let world = world(&["east"]);
    let mut old = stored("CREATE", &machine(json!({"template": "small"})), None, &world);
    let wrong = refuse(&annotated(old.clone(), names::DELETION_POLICY, "retain"), &world);
    assert_eq!(wrong[0].path, "metadata.annotations[vitistack.io/deletion-policy]");
    assert!(
        wrong[0].message.ends_with("supported values: Delete, Retain, Orphan (did you mean \"Retain\"?)"),
        "{}",
        wrong[0].message
    );
    old["metadata"]["deletionTimestamp"] = json!("2026-11-21T00:00:00Z");
    let Verdict::Refuse(wrong) =
        judge("UPDATE", &annotated(old.clone(), names::DELETION_POLICY, "Orphaned"), Some(&old), &world)
    else {
        panic!("took it for Delete")
    };
    assert_eq!(wrong[0].reason, Reason::FieldNotSupported);
    let kept = judge("UPDATE", &annotated(old.clone(), names::DELETION_POLICY, "Retain"), Some(&old), &world);
    assert!(matches!(kept, Verdict::Admit(_)), "{kept:?}");
}

#[test]
fn x55_what_would_take_long_to_judge_is_refused_first() {
    let world = world(&["east"]);
    let many: Vec<Value> = (0..50_000).map(|_| json!({})).collect();
    let wrong = refuse(&machine(json!({"template": "small", "disks": many})), &world);
    assert_eq!((wrong.len(), wrong[0].message.as_str()), (1, "Too many: 50000: must have at most 256 items"));
    let cases =
        [json!({"template": "x".repeat(254)}), json!({"template": "small", "disks": [{"size": "9".repeat(300)}]})];
    every_row(cases, |spec| {
        let wrong = refuse(&machine(spec), &world);
        assert!(wrong[0].message.starts_with("Too long: ") && wrong[0].message.len() < 60, "{}", wrong[0].message);
    });
}

#[test]
fn x76_a_name_that_is_there_already_does_not_make_a_machine_uneditable() {
    let world = world(&["east"]);
    let mut old = machine(json!({"template": "small"}));
    old["metadata"]["name"] = json!("web.prod.example");
    assert_eq!(stored("UPDATE", &old, Some(&old), &world)["metadata"]["finalizers"], json!([names::CLEANUP]));
}
