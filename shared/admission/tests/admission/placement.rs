//! Which cluster a Machine goes to, and what keeps it there.

use super::*;
use crate::table::every_row;

#[test]
fn a1_a2_a3_a10_a11_b23_x39_placement_follows_the_documented_order() {
    let two = || world(&["east", "west"]);
    let plain = || machine(json!({"template": "small"}));
    let named = |name: &str| annotated(plain(), names::KUBEVIRT_CONFIG, name);
    let mut cordoned = two();
    cordoned.configs.insert(ClusterName("west".into()), Arc::new(Config { schedulable: false, ..Config::default() }));
    #[rustfmt::skip]
    let cases = [
        ("A1: annotation beats default",       with_default(two(), "east"), named("west"), Ok(("west", Rule::Named))),
        ("A2: default beats choice",           with_default(two(), "east"), plain(),       Ok(("east", Rule::Default))),
        ("A3: one config needs no choice",     world(&["east"]),            plain(),       Ok(("east", Rule::OnlyCluster))),
        ("A3: the one that is schedulable",    cordoned.clone(),            plain(),       Ok(("east", Rule::OnlyCluster))),
        ("A1: a cordoned one may be named",    cordoned,                    named("west"), Ok(("west", Rule::Named))),
        ("A10: two configs, none named",       two(),                       plain(),       Err(Reason::AmbiguousPlacement)),
        ("A11: no configs",                    world(&[]),                  plain(),       Err(Reason::NoKubevirtConfigs)),
        ("B21: a named one that is missing",   two(),                       named("nord"), Err(Reason::KubevirtConfigNotFound)),
        ("X39: a default that is missing",     with_default(world(&["east"]), "nord"), plain(), Err(Reason::KubevirtConfigNotFound)),
        ("A1: an empty annotation says nothing", world(&["east"]),          named(""),     Ok(("east", Rule::OnlyCluster))),
    ];
    every_row(cases, |(name, world, machine, want)| {
        let got = match judge("CREATE", &machine, None, &world) {
            Verdict::Admit(admission) => {
                admission.placement.map(|it| (it.cluster.0, it.rule)).ok_or(Reason::NotAdmitted)
            }
            Verdict::Refuse(violations) => Err(violations[0].reason),
            Verdict::Ask(needs) => panic!("it was asked: {needs:?}"),
        };
        assert_eq!(got, want.map(|(cluster, source)| (cluster.to_owned(), source)), "{name}");
    });
}

#[test]
fn a10_a12_x52_the_ambiguity_sentence_is_the_documented_one_word_for_word() {
    let wrong = refuse(&machine(json!({"template": "small"})), &world(&["east", "west"]));
    assert_eq!(
        wrong[0].message,
        "machine default/web has no KubevirtConfig reference and 2 configs are available - cannot determine placement. \
         Please set annotation 'vitistack.io/kubevirt-config' or DEFAULT_KUBEVIRT_CONFIG env var"
    );
    assert_eq!(wrong[0].path, "metadata.annotations[vitistack.io/kubevirt-config]");
    assert_eq!(wrong[1].message, "set it to one of: east, west");
    assert_eq!(wrong[0].reason.code(), "AmbiguousPlacement", "A12: the short form");
}

#[test]
fn a20_one_config_and_no_annotation_give_that_config_and_something_to_write() {
    let admission = admit(&machine(json!({"instanceType": "small"})), &world(&["cluster-a"]));
    assert_eq!(admission.placement.map(|it| it.cluster.0).as_deref(), Some("cluster-a"));
    assert!(admission.changes.contains(&Change::Annotate(names::KUBEVIRT_CONFIG, "cluster-a".to_owned())));
}

#[test]
fn a11_a12_x8_the_empty_sentence_names_the_namespace_where_there_is_one() {
    let mut none = world(&[]);
    let want = "machine default/web has no KubevirtConfig reference and no KubevirtConfigs are available in namespace kubevirt-configs";
    assert_eq!(refuse(&machine(json!({"template": "small"})), &none)[0].message, want);
    Arc::make_mut(&mut none.policy).configs_namespace = None;
    let want = "machine default/web has no KubevirtConfig reference and no KubevirtConfigs are available";
    assert_eq!(refuse(&machine(json!({"template": "small"})), &none)[0].message, want);
    let mut cordoned = world(&["east"]);
    cordoned.configs.insert(ClusterName("east".into()), Arc::new(Config { schedulable: false, ..Config::default() }));
    let wrong = refuse(&machine(json!({"template": "small"})), &cordoned);
    assert_eq!(wrong[0].reason, Reason::NoKubevirtConfigs);
    assert_eq!(wrong[1].message, "east: is not schedulable: name it, or set its spec.schedulable to true");
    assert_eq!(wrong[0].reason.code(), "NoKubevirtConfigs", "A12: the short form");
}

#[test]
fn a6_x3_an_automatic_decision_is_written_with_the_size_and_the_finalizer() {
    let cases =
        [(world(&["east"]), Rule::OnlyCluster), (with_default(world(&["east", "west"]), "east"), Rule::Default)];
    every_row(cases, |(world, source)| {
        let object = machine(json!({"template": "small"}));
        let admission = admit(&object, &world);
        assert_eq!(admission.placement.as_ref().map(|it| it.rule), Some(source));
        assert!(admission.changes.contains(&Change::Annotate(names::KUBEVIRT_CONFIG, "east".to_owned())));
        assert!(admission.changes.contains(&Change::Guard));
        let after = stored("CREATE", &object, None, &world);
        assert_eq!(after["metadata"]["annotations"][names::KUBEVIRT_CONFIG], "east");
        assert_eq!(after["metadata"]["finalizers"], json!(["machine.vitistack.io/cleanup"]));
    });
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
    assert_eq!(first(&wrong), (Reason::AssignmentImmutable, "metadata.annotations[vitistack.io/kubevirt-config]"));
    assert!(wrong[0].message.contains("\"east\"") && wrong[0].message.contains("\"west\""));
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
    let Verdict::Admit(admission) = judge("UPDATE", &released, Some(&old), &world) else { panic!("held up") };
    assert_eq!((admission.changes, admission.warnings), (Vec::new(), Vec::new()));
    let kept = admission.placement.map(|it| (it.cluster.0, it.rule));
    assert_eq!(kept, Some(("east".to_owned(), Rule::Kept)));
    let moved = annotated(old.clone(), names::KUBEVIRT_CONFIG, "west");
    let Verdict::Refuse(wrong) = judge("UPDATE", &moved, Some(&old), &world) else { panic!("moved") };
    assert_eq!(wrong[0].reason, Reason::AssignmentImmutable);
}

#[test]
fn atk4_atk10_what_a_machine_being_deleted_asks_for_stays_as_it_is() {
    let world = world(&["east", "west"]);
    let on = |cluster: &str, machine: Value| annotated(machine, names::KUBEVIRT_CONFIG, cluster);
    let mut old = stored("CREATE", &on("east", machine(json!({"template": "small"}))), None, &world);
    old["metadata"]["deletionTimestamp"] = json!("2026-11-21T00:00:00Z");
    let mut undecided = machine(json!({"template": "small"}));
    undecided["metadata"]["deletionTimestamp"] = json!("2026-11-21T00:00:00Z");
    let mut aws = undecided.clone();
    aws["spec"]["provider"] = json!("aws");
    let spec = |before: &Value, change: Value| {
        let mut after = before.clone();
        json_patch::merge(&mut after["spec"], &change);
        after
    };
    let mac = json!({"networks": [{"name": "a", "macAddress": "52:54:00:aa:00:01"}]});
    #[rustfmt::skip]
    let cases = [
        ("an address",               old.clone(),       spec(&old, mac.clone()),                             true),
        ("a size",                   old.clone(),       spec(&old, json!({"template": "large"})),            true),
        ("what admission resolved",  old.clone(),       annotated(old.clone(), names::RESOLVED, "garbage"),  true),
        ("a cluster",                undecided.clone(), on("east", undecided.clone()),                       true),
        ("one of another provider",  aws.clone(),       spec(&aws, json!({"provider": null})),               true),
        ("its fate",                 old.clone(),       annotated(old.clone(), names::DELETION_POLICY, "Retain"), false),
        ("nothing of ours",          old.clone(),       annotated(old.clone(), "team", "a"),                 false),
        ("another provider's stays", aws.clone(),       spec(&aws, mac),                                     false),
    ];
    every_row(cases, |(what, before, after, refused)| match judge("UPDATE", &after, Some(&before), &world) {
        Verdict::Refuse(wrong) => {
            assert!(refused, "{what}: {wrong:?}");
            let says = "Forbidden: the Machine is being deleted: its spec and the annotations vitistack.io/kubevirt-config and vitistack.io/resolved stay as they are; create it again once it is gone";
            let first = wrong.iter().find(|wrong| wrong.path == "spec").expect(what);
            assert_eq!((first.reason, first.message.as_str()), (Reason::FieldForbidden, says), "{what}");
        }
        other => assert!(!refused, "{what}: {other:?}"),
    });
}

#[test]
fn a_machine_of_another_provider_is_left_alone_and_cannot_be_taken_away_from_us() {
    let aws = machine(json!({"provider": "aws", "template": "m5.large"}));
    assert_eq!(admit(&aws, &world(&[])), Admission::default());
    let ours = stored("CREATE", &machine(json!({"template": "small"})), None, &world(&["east"]));
    let mut taken = ours.clone();
    taken["spec"]["provider"] = json!("aws");
    let Verdict::Refuse(wrong) = judge("UPDATE", &taken, Some(&ours), &world(&["east"])) else { panic!("abandoned") };
    assert_eq!(first(&wrong), (Reason::ProviderImmutable, "spec.provider"));
    let forged = annotated(aws.clone(), names::KUBEVIRT_CONFIG, "elsewhere");
    let mut becomes_ours = forged.clone();
    becomes_ours["spec"] = json!({"template": "small"});
    let Verdict::Refuse(wrong) = judge("UPDATE", &becomes_ours, Some(&forged), &world(&["east"])) else {
        panic!("kept a forged assignment")
    };
    assert_eq!(wrong[0].reason, Reason::KubevirtConfigNotFound);
}

#[test]
fn atk4_a_record_that_admission_did_not_make_leads_to_no_cluster_that_refuses_the_namespace() {
    let mut world = world(&["east", "west"]);
    let others = json!({"matchLabels": {"team": "bank"}});
    crate::search::config(&mut world, "west").allowed_namespaces = serde_json::from_value(others).expect("a selector");
    let forged = |assigned: &str| {
        let mut old = annotated(machine(json!({"template": "small"})), names::KUBEVIRT_CONFIG, assigned);
        old["status"] = json!({"kubevirtConfigRef": {"name": "west", "clusterId": "c-west"}});
        let new = annotated(old.clone(), names::KUBEVIRT_CONFIG, "west");
        judge("UPDATE", &new, Some(&old), &world)
    };
    every_row(["east", ""], |assigned| {
        let Verdict::Refuse(wrong) = forged(assigned) else { panic!("led to west from {assigned:?}") };
        assert_eq!(wrong[0].reason, Reason::KubevirtConfigNotAllowed);
        assert!(wrong[0].message.contains("admission did not place it there"), "{}", wrong[0].message);
    });
    assert!(
        matches!(forged("west"), Verdict::Admit(_)),
        "A18: whoever was placed there stays, whatever is allowed since"
    );
}

#[test]
fn x60_what_the_status_recorded_holds_even_when_the_annotation_is_gone() {
    let world = with_default(world(&["east", "west"]), "west");
    let mut old = machine(json!({"template": "small"}));
    old["status"] = json!({"kubevirtConfigRef": {"name": "east", "clusterId": "c1"}});
    let after = stored("UPDATE", &old, Some(&old), &world);
    assert_eq!(after["metadata"]["annotations"][names::KUBEVIRT_CONFIG], "east", "not the default: the VM is on east");
    let spoilt = annotated(old.clone(), names::KUBEVIRT_CONFIG, "west");
    let mended = annotated(old.clone(), names::KUBEVIRT_CONFIG, "east");
    assert_eq!(
        stored("UPDATE", &mended, Some(&spoilt), &world)["metadata"]["annotations"][names::KUBEVIRT_CONFIG],
        "east"
    );
    old["metadata"]["deletionTimestamp"] = json!("2026-11-21T00:00:00Z");
    old["status"] = json!({});
    let policy = annotated(old.clone(), names::DELETION_POLICY, "Retain");
    assert!(
        matches!(judge("UPDATE", &policy, Some(&old), &world), Verdict::Admit(it) if it.placement.is_none()),
        "nothing is decided about it"
    );
}
