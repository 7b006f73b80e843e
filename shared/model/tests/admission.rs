//! Admission as its callers see it: a review in, a verdict out. Expected values are written by hand from the seeds.

use std::collections::BTreeMap;

use model::admission::changes::{Change, patch};
use model::admission::placement::Source;
use model::admission::review::decode;
use model::admission::sizing::{Class, Sizing};
use model::admission::{Admission, Config, Policy, Verdict, World, decide};
use model::names::{self, ClusterName};
use model::reason::{Reason, Violation};
use serde_json::{Value, json};

fn world(clusters: &[&str]) -> World {
    let config = || Config { schedulable: true, unhealthy: None };
    World {
        configs: clusters.iter().map(|name| (ClusterName((*name).to_owned()), config())).collect(),
        classes: BTreeMap::new(),
        policy: Policy {
            default_cluster: None,
            configs_namespace: Some("kubevirt-configs".to_owned()),
            vm_prefix: "vm-".to_owned(),
            access_mode: "ReadWriteOnce".to_owned(),
            volume_mode: None,
        },
    }
}

fn with_default(mut world: World, name: &str) -> World {
    world.policy.default_cluster = Some(ClusterName(name.to_owned()));
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
        "uid": "u", "operation": operation, "name": object["metadata"]["name"], "namespace": "default",
        "kind": {"group": "vitistack.io", "version": "v1alpha1", "kind": "Machine"}, "object": object, "oldObject": old,
    }})
    .to_string()
}

fn judge(operation: &str, object: &Value, old: Option<&Value>, world: &World) -> Verdict {
    let body = review(operation, object, old);
    decide(&decode(body.as_bytes()).expect("a review").request, world)
}

fn admit(object: &Value, world: &World) -> Admission {
    match judge("CREATE", object, None, world) {
        Verdict::Admit(admission) => admission,
        Verdict::Refuse(violations) => panic!("refused: {violations:?}"),
    }
}

fn refuse(object: &Value, world: &World) -> Vec<Violation> {
    match judge("CREATE", object, None, world) {
        Verdict::Refuse(violations) => violations,
        Verdict::Admit(admission) => panic!("admitted: {admission:?}"),
    }
}

/// The object as it is stored after admission.
fn stored(operation: &str, object: &Value, old: Option<&Value>, world: &World) -> Value {
    let body = review(operation, object, old);
    let review = decode(body.as_bytes()).expect("a review");
    let Verdict::Admit(admission) = decide(&review.request, world) else { panic!("refused") };
    let text = patch(&admission.changes, &review.request.object.as_ref().expect("an object").metadata);
    let mut after = object.clone();
    let operations: json_patch::Patch = serde_json::from_str(&text).expect("a JSON patch");
    json_patch::patch(&mut after, &operations).expect("it applies");
    after
}

fn sizing(object: &Value, world: &World) -> Sizing {
    let after = stored("CREATE", object, None, world);
    serde_json::from_str(after["metadata"]["annotations"][names::RESOLVED].as_str().expect("resolved"))
        .expect("a sizing")
}

fn disks(sizing: &Sizing) -> Vec<(&str, &str, Option<&str>)> {
    sizing.disks.iter().map(|disk| (disk.name.as_str(), disk.size.as_str(), disk.storage_class.as_deref())).collect()
}

#[test]
fn a1_a2_a3_a10_a11_x39_placement_follows_the_documented_order() {
    let two = || world(&["east", "west"]);
    let plain = || machine(json!({"template": "small"}));
    let named = |name: &str| annotated(plain(), names::KUBEVIRT_CONFIG, name);
    let mut cordoned = two();
    cordoned.configs.insert(ClusterName("west".into()), Config { schedulable: false, unhealthy: None });
    #[rustfmt::skip]
    let cases = [
        ("A1: annotation beats default",       with_default(two(), "east"), named("west"), Ok(("west", Source::Named))),
        ("A2: default beats choice",           with_default(two(), "east"), plain(),       Ok(("east", Source::Default))),
        ("A3: one config needs no choice",     world(&["east"]),            plain(),       Ok(("east", Source::OnlyCluster))),
        ("A3: the one that is schedulable",    cordoned.clone(),            plain(),       Ok(("east", Source::OnlyCluster))),
        ("A1: a cordoned one may be named",    cordoned,                    named("west"), Ok(("west", Source::Named))),
        ("A10: two configs, none named",       two(),                       plain(),       Err(Reason::AmbiguousPlacement)),
        ("A11: no configs",                    world(&[]),                  plain(),       Err(Reason::NoKubevirtConfigs)),
        ("B21: a named one that is missing",   two(),                       named("nord"), Err(Reason::KubevirtConfigNotFound)),
        ("X39: a default that is missing",     with_default(world(&["east"]), "nord"), plain(), Err(Reason::KubevirtConfigNotFound)),
        ("A1: an empty annotation says nothing", world(&["east"]),          named(""),     Ok(("east", Source::OnlyCluster))),
    ];
    for (name, world, machine, want) in cases {
        let got = match judge("CREATE", &machine, None, &world) {
            Verdict::Admit(admission) => {
                admission.placement.map(|it| (it.cluster.0, it.source)).ok_or(Reason::NotAdmitted)
            }
            Verdict::Refuse(violations) => Err(violations[0].reason),
        };
        assert_eq!(got, want.map(|(cluster, source)| (cluster.to_owned(), source)), "{name}");
    }
}

#[test]
fn a10_x52_the_ambiguity_sentence_is_the_seeds_word_for_word() {
    let wrong = refuse(&machine(json!({"template": "small"})), &world(&["east", "west"]));
    assert_eq!(
        wrong[0].message,
        "machine default/web has no KubevirtConfig reference and 2 configs are available - cannot determine placement. \
         Please set annotation 'vitistack.io/kubevirt-config' or DEFAULT_KUBEVIRT_CONFIG env var"
    );
    assert_eq!(wrong[0].path, "metadata.annotations[vitistack.io/kubevirt-config]");
    assert_eq!(wrong[1].message, "choose one of east, west");
}

#[test]
fn a11_x8_the_empty_sentence_names_the_namespace_where_there_is_one() {
    let mut none = world(&[]);
    let want = "machine default/web has no KubevirtConfig reference and no KubevirtConfigs are available in namespace kubevirt-configs";
    assert_eq!(refuse(&machine(json!({"template": "small"})), &none)[0].message, want);
    none.policy.configs_namespace = None;
    let want = "machine default/web has no KubevirtConfig reference and no KubevirtConfigs are available";
    assert_eq!(refuse(&machine(json!({"template": "small"})), &none)[0].message, want);
    let mut cordoned = world(&["east"]);
    cordoned.configs.insert(ClusterName("east".into()), Config { schedulable: false, unhealthy: None });
    assert_eq!(refuse(&machine(json!({"template": "small"})), &cordoned)[0].reason, Reason::NoKubevirtConfigs);
}

#[test]
fn a6_x3_an_automatic_decision_is_written_with_the_size_and_the_finalizer() {
    for (world, source) in
        [(world(&["east"]), Source::OnlyCluster), (with_default(world(&["east", "west"]), "east"), Source::Default)]
    {
        let object = machine(json!({"template": "small"}));
        let admission = admit(&object, &world);
        assert_eq!(admission.placement.as_ref().map(|it| it.source), Some(source));
        assert!(admission.changes.contains(&Change::Annotate(names::KUBEVIRT_CONFIG, "east".to_owned())));
        assert!(admission.changes.contains(&Change::Guard));
        let after = stored("CREATE", &object, None, &world);
        assert_eq!(after["metadata"]["annotations"][names::KUBEVIRT_CONFIG], "east");
        assert_eq!(after["metadata"]["finalizers"], json!(["machine.vitistack.io/cleanup"]));
    }
}

#[test]
fn a18_changing_the_default_never_moves_a_machine() {
    let east = with_default(world(&["east", "west"]), "east");
    let before = stored("CREATE", &machine(json!({"template": "small"})), None, &east);
    let west = with_default(world(&["east", "west"]), "west");
    assert_eq!(stored("UPDATE", &before, Some(&before), &west), before, "an unrelated update");
    let mut dropped = machine(json!({"template": "small", "runStrategy": "Halted"}));
    dropped["metadata"]["finalizers"] = before["metadata"]["finalizers"].clone();
    let after = stored("UPDATE", &dropped, Some(&before), &west);
    assert_eq!(after["metadata"]["annotations"][names::KUBEVIRT_CONFIG], "east", "an apply that drops the key");
}

#[test]
fn x60_x71_the_assignment_changes_only_before_an_identity_is_recorded() {
    let world = world(&["east", "west"]);
    let before = stored(
        "CREATE",
        &annotated(machine(json!({"template": "small"})), names::KUBEVIRT_CONFIG, "east"),
        None,
        &world,
    );
    let moved = annotated(before.clone(), names::KUBEVIRT_CONFIG, "west");
    assert_eq!(
        stored("UPDATE", &moved, Some(&before), &world)["metadata"]["annotations"][names::KUBEVIRT_CONFIG],
        "west"
    );
    let mut recorded = before.clone();
    recorded["status"] = json!({"kubevirtConfigRef": {"name": "east", "clusterId": "c1"}});
    let Verdict::Refuse(wrong) = judge("UPDATE", &moved, Some(&recorded), &world) else { panic!("moved a VM") };
    assert_eq!(
        (wrong[0].reason, wrong[0].path.as_str()),
        (Reason::AssignmentImmutable, "metadata.annotations[vitistack.io/kubevirt-config]")
    );
    assert!(wrong[0].message.contains("\"east\"") && wrong[0].message.contains("\"west\""));
}

#[test]
fn x60_a_size_is_kept_until_the_spec_or_a_refresh_asks_for_another() {
    let mut world = world(&["east"]);
    world.classes.insert("gold".into(), class(4, "8Gi"));
    let before = stored("CREATE", &machine(json!({"template": "gold"})), None, &world);
    world.classes.insert("gold".into(), Class { generation: 8, ..class(16, "64Gi") });
    let resolved = |object: &Value| -> Sizing {
        serde_json::from_str(object["metadata"]["annotations"][names::RESOLVED].as_str().expect("resolved"))
            .expect("a sizing")
    };
    let mut other = before.clone();
    other["spec"]["runStrategy"] = json!("Halted");
    assert_eq!(
        resolved(&stored("UPDATE", &other, Some(&before), &world)).cores,
        4,
        "an edit of the class alone changes nothing"
    );
    let refreshed = annotated(before.clone(), names::REFRESH_CLASS, "2026-11-21");
    let refreshed = resolved(&stored("UPDATE", &refreshed, Some(&before), &world));
    assert_eq!((refreshed.cores, refreshed.generation), (16, Some(8)), "a refresh reads the class again");
    let mut resized = before.clone();
    resized["spec"]["resources"] = json!({"cpu": {"threads": 2}});
    assert_eq!(resolved(&stored("UPDATE", &resized, Some(&before), &world)).cores, 16, "so does an edit of the size");
    let forged = annotated(before.clone(), names::RESOLVED, "{}");
    let Verdict::Refuse(wrong) = judge("UPDATE", &forged, Some(&before), &world) else { panic!("took a forged size") };
    assert_eq!(wrong[0].reason, Reason::ResolvedImmutable);
}

#[test]
fn x61_a_machine_older_than_the_webhook_is_decided_at_any_update() {
    let old = machine(json!({"template": "small"}));
    let after = stored("UPDATE", &old, Some(&old), &world(&["east"]));
    assert_eq!(after["metadata"]["annotations"][names::KUBEVIRT_CONFIG], "east");
    assert_eq!(after["metadata"]["finalizers"], json!([names::CLEANUP]));
}

#[test]
fn x61_a_machine_being_deleted_gets_no_finalizer_and_cannot_be_pointed_elsewhere() {
    let world = world(&["east", "west"]);
    let mut old = stored(
        "CREATE",
        &annotated(machine(json!({"template": "small"})), names::KUBEVIRT_CONFIG, "east"),
        None,
        &world,
    );
    old["metadata"]["deletionTimestamp"] = json!("2026-11-21T00:00:00Z");
    old["status"] = json!({"kubevirtConfigRef": {"name": "east", "clusterId": "c1"}});
    let mut released = old.clone();
    released["metadata"]["finalizers"] = json!([]);
    assert_eq!(
        judge("UPDATE", &released, Some(&old), &world),
        Verdict::Admit(Admission {
            placement: admit(&annotated(machine(json!({"template": "small"})), names::KUBEVIRT_CONFIG, "east"), &world)
                .placement
                .map(|mut it| {
                    it.source = Source::Kept;
                    it
                }),
            ..Admission::default()
        })
    );
    let moved = annotated(old.clone(), names::KUBEVIRT_CONFIG, "west");
    let Verdict::Refuse(wrong) = judge("UPDATE", &moved, Some(&old), &world) else { panic!("moved") };
    assert_eq!(wrong[0].reason, Reason::AssignmentImmutable);
}

#[test]
fn c2_c3_c11_c12_c13_c14_c15_a16_x21_x24_sizes() {
    let mut world = world(&["east"]);
    world.classes.insert("gold".into(), class(6, "24Gi"));
    let root = |size| vec![("root", size, Some("default"))];
    #[rustfmt::skip]
    let cases = [
        ("C11: small",            json!({"template": "small"}),     (1, 1, 1, "2Gi"), root("20Gi")),
        ("C12: medium",           json!({"template": "medium"}),    (2, 1, 1, "4Gi"), root("40Gi")),
        ("C13: large",            json!({"template": "large"}),     (4, 1, 1, "8Gi"), root("80Gi")),
        ("A16: instanceType",     json!({"instanceType": "medium"}), (2, 1, 1, "4Gi"), root("40Gi")),
        ("X1: machineClass",      json!({"machineClass": "large"}), (4, 1, 1, "8Gi"), root("80Gi")),
        ("C14: overrides",        json!({"template": "medium", "resources": {"cpu": {"cores": 4}, "memory": {"size": "8Gi"}}}), (4, 1, 1, "8Gi"), root("40Gi")),
        ("X24: threads alone",    json!({"template": "medium", "resources": {"cpu": {"threads": 2}}}), (2, 2, 1, "4Gi"), root("40Gi")),
        ("C15: an extra disk",    json!({"template": "small", "disks": [{"name": "data", "size": "100Gi", "storageClass": "fast-ssd"}]}),
            (1, 1, 1, "2Gi"), vec![("root", "20Gi", Some("default")), ("data", "100Gi", Some("fast-ssd"))]),
        ("C15: root by name",     json!({"template": "small", "disks": [{"name": "root", "size": "30Gi"}]}), (1, 1, 1, "2Gi"), root("30Gi")),
        ("X21: a class by name",  json!({"template": "gold"}),      (6, 1, 1, "24Gi"), root("20Gi")),
        ("X25: bytes",            json!({"template": "small", "memory": 17_179_869_184_i64}), (1, 1, 1, "16Gi"), root("20Gi")),
        ("X66: published cpu",    json!({"template": "small", "cpu": {"cores": 8, "sockets": 2, "threadsPerCore": 1}}), (8, 1, 2, "2Gi"), root("20Gi")),
        ("X79: zero is unset",    json!({"template": "small", "memory": 0, "cpu": {"cores": 0}}), (1, 1, 1, "2Gi"), root("20Gi")),
        ("X64: sizeGB is GiB",    json!({"template": "small", "disks": [{"name": "data", "sizeGB": 50}]}),
            (1, 1, 1, "2Gi"), vec![("root", "20Gi", Some("default")), ("data", "50Gi", None)]),
        ("X63: no template",      json!({"resources": {"cpu": {"cores": 3}, "memory": {"size": "3Gi"}}, "disks": [{"size": "9Gi"}]}),
            (3, 1, 1, "3Gi"), vec![("root", "9Gi", None)]),
    ];
    for (name, spec, (cores, threads, sockets, memory), want) in cases {
        let got = sizing(&machine(spec), &world);
        assert_eq!(
            (got.cores, got.threads, got.sockets, got.memory.as_str()),
            (cores, threads, sockets, memory),
            "{name}"
        );
        assert_eq!(disks(&got), want, "{name}");
        assert!(got.disks.iter().all(|disk| disk.access_mode == "ReadWriteOnce"), "{name}: X64");
    }
}

#[test]
fn x21_a_class_hides_the_built_in_of_its_name_and_the_source_is_recorded() {
    use model::admission::sizing::Source as From;
    let mut world = world(&["east"]);
    let small = machine(json!({"template": "small"}));
    assert_eq!(sizing(&small, &world).source, From::BuiltIn);
    world.classes.insert("small".into(), class(3, "6Gi"));
    let got = sizing(&small, &world);
    assert_eq!((got.source, got.generation, got.cores), (From::MachineClass, Some(7), 3));
    world.classes.insert("small".into(), Class { enabled: false, ..class(3, "6Gi") });
    let wrong = refuse(&small, &world);
    assert_eq!(
        (wrong[0].reason, wrong[0].path.as_str()),
        (Reason::FieldForbidden, "spec.template"),
        "a disabled class hides it, too"
    );
}

#[test]
fn x63_the_default_class_is_used_when_nothing_is_named() {
    let mut world = world(&["east"]);
    world.classes.insert("std".into(), Class { default: true, ..class(2, "2Gi") });
    assert_eq!(sizing(&machine(json!({})), &world).template.as_deref(), Some("std"));
    world.classes.insert("other".into(), Class { default: true, ..class(2, "2Gi") });
    let wrong = refuse(&machine(json!({})), &world);
    assert!(wrong[0].message.contains("\"other\"") && wrong[0].message.contains("\"std\""), "{wrong:?}");
}

#[test]
fn refusals_name_the_field_the_reason_and_what_would_be_right() {
    let mut world = world(&["east"]);
    world.classes.insert("gold".into(), Class { memory_bounds: (Some(4 << 30), Some(64 << 30)), ..class(6, "24Gi") });
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
    for (name, spec, path, reason, says) in cases {
        let wrong = refuse(&machine(spec), &world);
        let found = wrong
            .iter()
            .find(|it| it.path == path && it.reason == reason)
            .unwrap_or_else(|| panic!("{name}: {wrong:?}"));
        assert!(found.message.contains(says), "{name}: {}", found.message);
    }
}

#[test]
fn x56_a_name_that_makes_no_vm_is_refused() {
    let world = world(&["east"]);
    let named = |name: &str| json!({"metadata": {"name": name, "namespace": "default"}, "spec": {"template": "small"}});
    assert_eq!(admit(&named(&"a".repeat(60)), &world).changes.len(), 3);
    for (name, says) in
        [("a".repeat(61), "has 61 characters, may have 60"), ("web.1".to_owned(), "lower-case letters, digits and '-'")]
    {
        let wrong = refuse(&named(&name), &world);
        assert_eq!(wrong[0].path, "metadata.name");
        assert!(wrong[0].message.contains(says), "{}", wrong[0].message);
    }
}

#[test]
fn g4_every_mistake_is_reported_at_once_sorted_by_path() {
    let spec = json!({"template": "huge", "runStrategy": "Now", "disks": [{"name": "a", "size": "1Gi", "accessMode": "RW"}, {"name": "a", "size": "1Gi"}]});
    let wrong = refuse(&machine(spec), &world(&["east", "west"]));
    let paths: Vec<_> = wrong.iter().map(|it| it.path.as_str()).collect();
    #[rustfmt::skip]
    assert_eq!(paths, [
        "metadata.annotations[vitistack.io/kubevirt-config]", "metadata.annotations[vitistack.io/kubevirt-config]",
        "spec.disks[0].accessMode", "spec.disks[1].name", "spec.runStrategy", "spec.template",
    ]);
}

#[test]
fn x1_an_alias_is_read_with_a_warning() {
    let warnings = |object: Value| admit(&object, &world(&["east"])).warnings;
    assert_eq!(warnings(machine(json!({"template": "small"}))), Vec::<String>::new());
    assert_eq!(
        warnings(machine(json!({"instanceType": "small"}))),
        ["spec.instanceType is an alias: use spec.template: small"]
    );
    let mut labelled = machine(json!({}));
    labelled["metadata"]["labels"] = json!({"vitistack.io/machine-template": "small"});
    assert_eq!(
        warnings(labelled),
        ["metadata.labels[vitistack.io/machine-template] is an alias: use spec.template: small"]
    );
}

#[test]
fn a_valid_field_without_effect_is_admitted_with_a_warning_that_names_it() {
    let spec = json!({"template": "small", "backup": {"enabled": true}, "networks": [], "disks": [{"name": "data", "size": "1Gi", "iops": 300}]});
    let warnings = admit(&machine(spec), &world(&["east"])).warnings;
    assert_eq!(warnings, ["accepted, but without effect yet: spec.backup, spec.networks, spec.disks[0].iops"]);
}

#[test]
fn a_machine_of_another_provider_is_left_alone_and_cannot_be_taken_away_from_us() {
    let aws = machine(json!({"provider": "aws", "template": "m5.large"}));
    assert_eq!(admit(&aws, &world(&[])), Admission::default());
    let ours = stored("CREATE", &machine(json!({"template": "small"})), None, &world(&["east"]));
    let mut taken = ours.clone();
    taken["spec"]["provider"] = json!("aws");
    let Verdict::Refuse(wrong) = judge("UPDATE", &taken, Some(&ours), &world(&["east"])) else { panic!("abandoned") };
    assert_eq!((wrong[0].reason, wrong[0].path.as_str()), (Reason::ProviderImmutable, "spec.provider"));
    let forged = annotated(aws.clone(), names::KUBEVIRT_CONFIG, "elsewhere");
    let mut becomes_ours = forged.clone();
    becomes_ours["spec"] = json!({"template": "small"});
    let Verdict::Refuse(wrong) = judge("UPDATE", &becomes_ours, Some(&forged), &world(&["east"])) else {
        panic!("kept a forged assignment")
    };
    assert_eq!(wrong[0].reason, Reason::KubevirtConfigNotFound);
}

#[test]
fn deciding_twice_changes_nothing_more() {
    let worlds = [world(&["east"]), with_default(world(&["east", "west"]), "west")];
    let specs = [
        json!({"template": "small"}),
        json!({"machineClass": "large", "cpu": {"cores": 8}, "memory": 17_179_869_184_i64, "disks": [{"name": "root", "sizeGB": 80, "boot": true}]}),
        json!({"template": "medium", "disks": [{"name": "data", "size": "1.5Gi"}], "kubevirtConfigRef": {"name": "east"}}),
    ];
    for world in &worlds {
        for spec in &specs {
            let once = stored("CREATE", &machine(spec.clone()), None, world);
            assert_eq!(admit(&once, world).changes, [], "the validating call");
            assert_eq!(stored("UPDATE", &once, Some(&once), world), once, "an update");
        }
    }
}
