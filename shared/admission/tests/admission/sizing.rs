//! Which CPU, memory and disks a Machine gets.

use super::*;

fn with_class(mut world: World, name: &str, class: Class) -> World {
    Arc::make_mut(&mut world.classes).insert(name.into(), class);
    world
}

#[test]
fn x60_a_size_is_kept_until_the_spec_or_a_refresh_asks_for_another() {
    let world = with_class(world(&["east"]), "gold", class(4, "8Gi"));
    let before = stored("CREATE", &machine(json!({"template": "gold"})), None, &world);
    let world = with_class(world, "gold", Class { generation: 8, ..class(16, "64Gi") });
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
fn x60_a_size_that_was_spoilt_is_left_alone_until_a_refresh_or_another_size_asks_for_it() {
    let world = world(&["east"]);
    let before = stored("CREATE", &machine(json!({"template": "small"})), None, &world);
    let spoilt = annotated(before.clone(), names::RESOLVED, "{}");
    let text = |object: &Value| object["metadata"]["annotations"][names::RESOLVED].clone();
    let mut edited = spoilt.clone();
    edited["spec"]["runStrategy"] = json!("Halted");
    assert_eq!(stored("UPDATE", &edited, Some(&spoilt), &world), edited, "the policy of the chart allows nothing else");
    let Verdict::Admit(admission) = judge("UPDATE", &edited, Some(&spoilt), &world) else { panic!("refused") };
    let [warning] = admission.warnings.as_slice() else { panic!("{:?}", admission.warnings) };
    assert!(warning.contains("set vitistack.io/refresh-class to a new value"), "{warning}");
    edited["metadata"]["annotations"][names::RESOLVED] = text(&before);
    let Verdict::Refuse(wrong) = judge("UPDATE", &edited, Some(&spoilt), &world) else { panic!("rewrote it") };
    assert_eq!(wrong[0].reason, Reason::ResolvedImmutable);
    let refreshed = annotated(spoilt.clone(), names::REFRESH_CLASS, "1");
    assert_eq!(text(&stored("UPDATE", &refreshed, Some(&spoilt), &world)), text(&before));
    let mut resized = spoilt.clone();
    resized["spec"]["template"] = json!("large");
    assert!(text(&stored("UPDATE", &resized, Some(&spoilt), &world)).to_string().contains("8Gi"));
}

/// The sizing and the warnings of an edit.
fn edit(before: &Value, world: &World, change: impl FnOnce(&mut Value)) -> (Sizing, Vec<String>) {
    let mut after = before.clone();
    change(&mut after);
    let admission = match judge("UPDATE", &after, Some(before), world) {
        Verdict::Admit(admission) => admission,
        other => panic!("not admitted: {other:?}"),
    };
    let after = stored("UPDATE", &after, Some(before), world);
    let text = after["metadata"]["annotations"][names::RESOLVED].as_str().expect("resolved");
    (Sizing::read(text).expect("a sizing"), admission.warnings)
}

fn cpus(machine: &mut Value) {
    machine["spec"]["resources"] = json!({"cpu": {"sockets": 2}});
}

fn refresh(machine: &mut Value) {
    machine["metadata"]["annotations"][names::REFRESH_CLASS] = json!("1");
}

#[test]
fn x60_x76_a_machine_whose_class_is_gone_keeps_its_numbers_and_can_be_edited() {
    let std = Class { default: true, threads: 2, ..class(16, "64Gi") };
    let labelled = |mut machine: Value| {
        machine["metadata"]["labels"] = json!({"vitistack.io/machine-template": "gold"});
        machine
    };
    let cases = [
        ("X76: named", "gold", machine(json!({"template": "gold"}))),
        ("X60: as a built-in is", "small", machine(json!({"template": "small"}))),
        ("X76: by its label", "gold", labelled(machine(json!({})))),
        ("X76: the default", "std", machine(json!({}))),
    ];
    every_row(cases, |(case, name, object)| {
        let then = with_class(world(&["east"]), name, std.clone());
        let before = stored("CREATE", &object, None, &then);
        let mut now = world(&["east"]);
        if name == "std" {
            now = with_class(now, "tiny", Class { default: true, ..class(1, "1Gi") });
        }
        every_row([(cpus as fn(&mut Value), 2), (refresh, 1)], |(change, sockets)| {
            let (got, warnings) = edit(&before, &now, change);
            let numbers = (got.cores, got.threads, got.sockets, got.memory.as_str(), got.template.as_deref());
            assert_eq!(numbers, (16, 2, sockets, "64Gi", Some(name)), "{case}");
            assert_eq!(
                (got.source, disks(&got)),
                (SizeSource::MachineClass, vec![("root", "20Gi", Some("default"))]),
                "{case}"
            );
            let said = format!("MachineClass {name:?} is gone");
            assert_eq!(warnings.iter().filter(|it| it.contains(&said)).count(), 1, "{case}: {warnings:?}");
            assert!(!warnings.iter().any(|it| it.contains("gives anyway")), "{case}: {warnings:?}");
        });
    });
}

#[test]
fn x60_what_names_another_size_does_not_get_the_numbers_of_the_class_that_is_gone() {
    let then = with_class(world(&["east"]), "gold", class(16, "64Gi"));
    let now = world(&["east"]);
    let before = stored("CREATE", &machine(json!({"template": "gold"})), None, &then);
    assert_eq!(edit(&before, &now, |it| it["spec"]["template"] = json!("small")).0.cores, 1);
    let wrong = refuse(&machine(json!({"template": "gold"})), &now);
    assert_eq!(first(&wrong), (Reason::TemplateNotFound, "spec.template"), "a new Machine");
    let before = stored("CREATE", &machine(json!({"template": "small"})), None, &then);
    let mut after = before.clone();
    after["spec"]["template"] = json!("gold");
    let Verdict::Refuse(wrong) = judge("UPDATE", &after, Some(&before), &now) else { panic!("admitted") };
    assert_eq!(first(&wrong), (Reason::TemplateNotFound, "spec.template"));
}

#[test]
fn x76_a_machine_of_the_default_class_stays_editable_when_two_or_none_are_the_default() {
    let std = Class { default: true, ..class(16, "64Gi") };
    let then = with_class(world(&["east"]), "std", std.clone());
    let before = stored("CREATE", &machine(json!({})), None, &then);
    let two = with_class(then.clone(), "other", Class { default: true, ..class(1, "1Gi") });
    let none = with_class(then, "std", Class { default: false, ..std });
    every_row([two, none], |now| {
        let (got, _) = edit(&before, &now, cpus);
        assert_eq!((got.template.as_deref(), got.cores, got.sockets), (Some("std"), 16, 2));
        let wrong = refuse(&machine(json!({})), &now);
        assert_eq!(first(&wrong), (Reason::FieldRequired, "spec.template"), "a new Machine");
    });
}

#[test]
fn x76_bounds_that_were_narrowed_since_warn_of_a_memory_that_is_not_changed() {
    let bounds = |most: u64| Class { memory_bounds: (None, Some(most << 30)), ..class(4, "8Gi") };
    let then = with_class(with_class(world(&["east"]), "gold", bounds(64)), "iron", bounds(16));
    let memory = |size: &str| json!({"memory": {"size": size}});
    let before = stored("CREATE", &machine(json!({"template": "gold", "resources": memory("32Gi")})), None, &then);
    let now = with_class(then, "gold", bounds(16));
    let (got, warnings) = edit(&before, &now, |it| it["spec"]["cpu"] = json!({"cores": 2}));
    assert_eq!((got.cores, got.memory.as_str()), (2, "32Gi"));
    assert!(
        warnings.iter().any(|it| it.starts_with("spec.resources.memory.size: ") && it.contains("at most 16Gi")),
        "{warnings:?}"
    );
    every_row([("gold", "33Gi"), ("iron", "32Gi")], |(template, size)| {
        let mut after = before.clone();
        after["spec"] = json!({"template": template, "resources": memory(size)});
        let Verdict::Refuse(wrong) = judge("UPDATE", &after, Some(&before), &now) else { panic!("{template} {size}") };
        assert_eq!(first(&wrong), (Reason::FieldInvalid, "spec.resources.memory.size"), "{template} {size}");
    });
}

#[test]
fn c2_c3_c11_c12_c13_c14_c15_a16_x21_x24_sizes() {
    let world = with_class(world(&["east"]), "gold", class(6, "24Gi"));
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
        ("X21: whose root is listed", json!({"template": "gold", "disks": [{"name": "root"}, {"name": "data", "size": "1Gi"}]}),
            (6, 1, 1, "24Gi"), vec![("root", "20Gi", Some("default")), ("data", "1Gi", None)]),
        ("X25: bytes",            json!({"template": "small", "memory": 17_179_869_184_i64}), (1, 1, 1, "16Gi"), root("20Gi")),
        ("X66: published cpu",    json!({"template": "small", "cpu": {"cores": 8, "sockets": 2, "threadsPerCore": 1}}), (8, 1, 2, "2Gi"), root("20Gi")),
        ("X79: zero is unset",    json!({"template": "small", "memory": 0, "cpu": {"cores": 0}}), (1, 1, 1, "2Gi"), root("20Gi")),
        ("X64: sizeGB is GiB",    json!({"template": "small", "disks": [{"name": "data", "sizeGB": 50}]}),
            (1, 1, 1, "2Gi"), vec![("root", "20Gi", Some("default")), ("data", "50Gi", None)]),
        ("X63: no template",      json!({"resources": {"cpu": {"cores": 3}, "memory": {"size": "3Gi"}}, "disks": [{"size": "9Gi"}]}),
            (3, 1, 1, "3Gi"), vec![("root", "9Gi", None)]),
    ];
    every_row(cases, |(name, spec, (cores, threads, sockets, memory), want)| {
        let got = sizing(&machine(spec), &world);
        assert_eq!(
            (got.cores, got.threads, got.sockets, got.memory.as_str()),
            (cores, threads, sockets, memory),
            "{name}"
        );
        assert_eq!(disks(&got), want, "{name}");
        assert!(got.disks.iter().all(|disk| disk.access_mode == "ReadWriteOnce"), "{name}: X64");
    });
}

#[test]
fn x21_a_class_hides_the_built_in_of_its_name_and_the_source_is_recorded() {
    use model::message::SizeSource as From;
    let world = world(&["east"]);
    let small = machine(json!({"template": "small"}));
    assert_eq!(sizing(&small, &world).source, From::BuiltIn);
    let world = with_class(world, "small", class(3, "6Gi"));
    let got = sizing(&small, &world);
    assert_eq!((got.source, got.generation, got.cores), (From::MachineClass, Some(7), 3));
    let world = with_class(world, "small", Class { enabled: false, ..class(3, "6Gi") });
    let wrong = refuse(&small, &world);
    assert_eq!(first(&wrong), (Reason::FieldForbidden, "spec.template"), "a disabled class hides it, too");
}

#[test]
fn x63_the_default_class_is_used_when_nothing_is_named() {
    let world = with_class(world(&["east"]), "std", Class { default: true, ..class(2, "2Gi") });
    assert_eq!(sizing(&machine(json!({})), &world).template.as_deref(), Some("std"));
    let world = with_class(world, "other", Class { default: true, ..class(2, "2Gi") });
    let wrong = refuse(&machine(json!({})), &world);
    assert!(wrong[0].message.contains("\"other\"") && wrong[0].message.contains("\"std\""), "{wrong:?}");
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
fn a_disk_that_may_hold_data_is_neither_taken_away_nor_made_smaller() {
    let world = with_class(world(&["east"]), "gold", class(4, "8Gi"));
    let mut before = stored("CREATE", &machine(json!({"template": "gold"})), None, &world);
    before["status"] = json!({"kubevirtConfigRef": {"name": "east", "clusterId": "c1"}});
    let edited = |disks: Value| {
        let mut after = before.clone();
        after["spec"]["disks"] = disks;
        judge("UPDATE", &after, Some(&before), &world)
    };
    let Verdict::Refuse(wrong) = edited(json!([{"name": "data", "size": "100Gi"}])) else {
        panic!("detached the root disk")
    };
    assert_eq!(first(&wrong), (Reason::FieldForbidden, "spec.disks"));
    assert!(wrong[0].message.contains("keep it with {name: root, size: 20Gi}"), "{}", wrong[0].message);
    let Verdict::Refuse(wrong) = edited(json!([{"name": "root", "size": "10Gi"}])) else { panic!("shrank a disk") };
    assert!(wrong[0].message.contains("has 20Gi and cannot shrink to 10Gi"), "{}", wrong[0].message);
    let Verdict::Admit(grown) = edited(json!([{"name": "root", "size": "40Gi"}, {"name": "data", "size": "100Gi"}]))
    else {
        panic!("refused")
    };
    assert_eq!(grown.warnings, Vec::<String>::new(), "it grows");
}

#[test]
fn a_class_that_makes_no_machine_is_named() {
    let world = with_class(world(&["east"]), "none", class(0, "1"));
    let wrong = refuse(&machine(json!({"template": "none"})), &world);
    assert!(
        wrong.iter().all(|it| it.path == "spec.template" && it.message.contains("the MachineClass gives it")),
        "{wrong:?}"
    );
    assert_eq!(wrong.len(), 2, "cores and memory");
}
