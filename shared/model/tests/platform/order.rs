//! The order in which the rules are asked, and that in which steps are due.

use model::platform::memory::Answer;
use model::platform::snapshot::{Disruption, Live, Mode};
use model::platform::state::{State, Step};
use serde_json::json;

use crate::table::every_row;
use crate::{World, frames, key, step_for, world};

const OURS: &str = "platform.kubevirt.io/managed-by";

/// The last rules first: each row adds what a rule before it looks at, and so says what stands before what.
#[test]
fn x83_x84_x87_x89_p5_the_rules_are_asked_in_the_documented_order() {
    type Change = (&'static str, fn(World) -> World, State);
    fn live(world: World, metadata: serde_json::Value) -> World {
        let mut object = json!({"apiVersion": "remediation.medik8s.io/v1alpha1", "kind": "NodeHealthCheck",
            "metadata": {"name": "virt-node-health-check", "uid": "u", "resourceVersion": "1", "generation": 1}, "spec": {}});
        json_patch::merge(&mut object["metadata"], &metadata);
        world.object("NodeHealthCheck", "virt-node-health-check", Ok(Live::Whole(object)))
    }
    #[rustfmt::skip]
    let rows: [Change; 11] = [
        ("it differs",                     |it| live(it, json!({"labels": {OURS: "kubevirt-operator"}})), State::Differs),
        ("paused",                         |it| live(it, json!({"labels": {OURS: "kubevirt-operator"}, "annotations": {"platform.kubevirt.io/reconcile-paused": "true"}})), State::Paused),
        ("not ours",                       |it| live(it, json!({"labels": {}, "annotations": {"platform.kubevirt.io/reconcile-paused": "true"}})), State::Foreign),
        ("unmanaged",                      |it| live(it, json!({"labels": {}, "annotations": {"platform.kubevirt.io/mode": "unmanaged"}})), State::Unmanaged),
        ("another one that it yields to",  |it| it.seen(|seen| drop(seen.listed.insert("nodehealthchecks.remediation.medik8s.io".to_owned(), Ok(["other".to_owned()].into())))), State::Foreign),
        ("excluded",                       |it| it.annotated("disabled-resources", "NodeHealthCheck/virt-*"), State::Excluded),
        ("conditions",                     |it| it.seen(|seen| drop(seen.objects.insert(frames::remediation(), Ok(Live::Absent)))), State::DependencyMissing),
        ("the CRD is not served",          |it| it.without_crd("nodehealthchecks.remediation.medik8s.io"), State::DependencyMissing),
        ("the CRD is not known",           |it| it.seen(|seen| drop(seen.crds.remove("nodehealthchecks.remediation.medik8s.io"))), State::Unknown),
        ("not selected",                   |it| it.asked(|asked| asked.assets = vec!["mtv-operator".to_owned()]), State::NotSelected),
        ("selected by name",               |it| it.asked(|asked| asked.assets.push("node-health-check".to_owned())), State::Unknown),
    ];
    let mut world = world();
    for (name, change, want) in rows {
        world = change(world);
        let (state, message) = world.asset("node-health-check");
        assert_eq!(state, want, "{name}: {message}");
    }
}

#[test]
fn p17_a_namespace_that_is_absent_costs_no_token_and_is_named() {
    let namespace = |found: Result<bool, String>| {
        world().seen(|seen| drop(seen.namespaces.insert("openshift-mtv".to_owned(), found)))
    };
    let mut absent = namespace(Ok(false));
    for second in 0..40 {
        let pass = absent.pass(second);
        assert_eq!(step_for(&pass, &key("ForkliftController", "forklift-controller")), None, "597351c");
    }
    let want =
        (State::DependencyMissing, "the namespace openshift-mtv is not there: install what it belongs to".to_owned());
    assert_eq!(absent.asset("mtv-operator"), want);
    absent.snapshot.namespaces.insert("openshift-mtv".to_owned(), Ok(true));
    assert_eq!(absent.asset("mtv-operator").0, State::Missing, "and is made at once, not Throttled");
    let unknown = namespace(Err("no answer".to_owned())).asset("mtv-operator");
    assert_eq!(
        unknown,
        (State::Unknown, "whether the namespace openshift-mtv is there is not known: no answer".to_owned())
    );
}

#[test]
fn x89_the_root_comes_first_and_the_others_are_made_of_it() {
    let mut world = world().annotated("enable-loadaware", "true").seen(|seen| {
        seen.hyperconvergeds.as_mut().expect("known")[0]["spec"]["liveMigrationConfig"]["parallelMigrationsPerCluster"] = json!(9);
    });
    let pass = world.pass(0);
    assert_eq!(pass.steps[0].0.to_string(), "HyperConverged virt/hco");
    let Some(Step::Create(object)) = step_for(&pass, &key("KubeDescheduler", "cluster")) else { panic!("{pass:?}") };
    assert_eq!(object["spec"]["evictionLimits"], json!({"node": 2, "total": 5}), "as the root will be");
    let (state, message) = world.asset("hco-golden-config");
    assert_eq!(state, State::Differs);
    assert!(message.contains("spec.liveMigrationConfig.parallelMigrationsPerCluster is 9, should be 5"), "{message}");
    let other = world.asset("kubevirt-golden-config");
    assert_eq!(
        other,
        (State::ConditionNotMet, "the root of this cluster is a HyperConverged, not a KubeVirt".to_owned())
    );
}

#[test]
fn p3_p6_what_waits_for_another_asset_waits_until_that_is_there() {
    let (swap, tuning) =
        (key("MachineConfig", "50-swap-enable"), key("MachineConfig", "99-kubevirt-swap-optimization"));
    let mut both = world();
    let pass = both.pass(0);
    assert!(step_for(&pass, &swap).is_some() && step_for(&pass, &tuning).is_none());
    assert_eq!(
        both.asset("swap-optimization"),
        (State::Missing, "it is not there; waits for swap-enable, which is Missing".to_owned())
    );
    assert!(step_for(&pass, &key("ForkliftController", "forklift-controller")).is_some(), "the others do not wait");
    both.memory.entry(swap.clone()).or_default().failed(Answer::Failed("no answer".to_owned()), crate::at(0));
    assert_eq!(both.asset("swap-enable"), (State::Failed, "tried again later: no answer".to_owned()));
    assert_eq!(both.asset("swap-optimization").1, "it is not there; waits for swap-enable, which is Failed");
    both.settle(60);
    assert_eq!(both.asset("swap-optimization"), (State::Applied, String::new()));
    let mut excluded = world().annotated("disabled-resources", "MachineConfig/50-swap-enable");
    assert!(step_for(&excluded.pass(0), &tuning).is_some(), "nobody waits for what is not to come");
}

#[test]
fn x87_p6_nodes_are_restarted_only_with_permission_and_in_turn() {
    let withheld = || world().asked(|asked| asked.disruption = Disruption::Withhold);
    let waiting =
        world().seen(|seen| seen.turn = Err("waits for the cluster west, whose nodes are being updated".to_owned()));
    #[rustfmt::skip]
    let rows = [
        ("P6: not without permission", withheld(),                    "swap-enable",  State::Withheld, "it is not there; writing it restarts nodes: allow that with nodeDisruption: Allow"),
        ("what restarts nothing",      withheld(),                    "mtv-operator", State::Missing,  "it is not there"),
        ("X87: not its turn",          waiting,                       "swap-enable",  State::Withheld, "writing it restarts nodes, and not now: waits for the cluster west, whose nodes are being updated"),
        ("Audit only says",            withheld().mode(Mode::Audit),  "swap-enable",  State::Missing,  "it is not there"),
        ("with permission",            world(),                       "swap-enable",  State::Missing,  "it is not there"),
    ];
    every_row(rows, |(name, mut world, asset, state, message)| {
        assert_eq!(world.asset(asset), (state, message.to_owned()), "{name}");
    });
}

#[test]
fn x81_p16_audit_writes_nothing_and_says_what_it_would() {
    let mut world = world().mode(Mode::Audit).annotated("enable-loadaware", "true").seen(|seen| {
        seen.hyperconvergeds.as_mut().expect("known")[0]["spec"]["liveMigrationConfig"]["allowPostCopy"] = json!(true);
    });
    let pass = world.pass(0);
    assert_eq!(pass.steps, []);
    let (state, message) = world.asset("hco-golden-config");
    assert_eq!(state, State::Differs);
    assert!(message.contains("spec.liveMigrationConfig.allowPostCopy is true, should be false"), "{message}");
    assert_eq!(world.asset("descheduler-loadaware"), (State::Missing, "it is not there".to_owned()));
}

#[test]
fn p12_an_object_that_is_as_it_was_is_not_read_again() {
    let mut world = world();
    let writes = world.settle(0);
    assert_eq!(writes, 8, "the root, swap twice, kubelet, health check, mtv, metallb, observability");
    let forklift = key("ForkliftController", "forklift-controller");
    world.pass(60);
    let Some(Ok(Live::Whole(object))) = world.snapshot.objects.get(&forklift).cloned() else {
        panic!("it was not made")
    };
    let metadata = |object: &serde_json::Value| Ok(Live::Metadata(json!({"metadata": object["metadata"]})));
    world.snapshot.objects.insert(forklift.clone(), metadata(&object));
    assert_eq!(step_for(&world.pass(61), &forklift), None, "a status changes neither generation nor labels");
    assert_eq!(world.asset("mtv-operator"), (State::Applied, String::new()));
    let mut edited = object.clone();
    edited["metadata"]["generation"] = json!(2);
    world.snapshot.objects.insert(forklift.clone(), metadata(&edited));
    assert_eq!(step_for(&world.pass(62), &forklift), Some(&Step::Read));
    let mut unlabelled = object;
    unlabelled["metadata"]["labels"] = json!({});
    world.snapshot.objects.insert(forklift.clone(), metadata(&unlabelled));
    assert_eq!(world.asset("mtv-operator").0, State::Foreign, "its label was the consent");
}

#[test]
fn answers_of_the_cluster_are_remembered_as_long_as_they_count() {
    let forklift = key("ForkliftController", "forklift-controller");
    let answered = |answer: Answer| {
        let mut world = world();
        world.pass(0);
        world.memory.get_mut(&forklift).expect("it was judged").failed(answer, crate::at(0));
        world
    };
    let due = |world: &mut World, second: i64| step_for(&world.pass(second), &forklift).is_some();
    let mut forbidden = answered(Answer::Forbidden("create".to_owned()));
    assert_eq!(
        forbidden.asset("mtv-operator"),
        (
            State::Forbidden,
            "we may not create it: grant the rights of the chart's mode remote with platform.enabled".to_owned()
        )
    );
    assert_eq!([due(&mut forbidden, 599), due(&mut forbidden, 600)], [false, true], "asked again after ten minutes");
    let mut failed = answered(Answer::Failed("429".to_owned()));
    assert_eq!(failed.pass(10).wait, Some(std::time::Duration::from_secs(20)));
    assert_eq!([due(&mut failed, 29), due(&mut failed, 30)], [false, true]);
    let mut again = |at: i64| {
        let memory = failed.memory.get_mut(&forklift).expect("it was judged");
        memory.failed(Answer::Failed("429".to_owned()), crate::at(at));
        failed.pass(at).wait.map(|wait| wait.as_secs())
    };
    let waits = [again(30), again(90), again(210), again(450), again(930), again(1530)];
    assert_eq!(waits, [60, 120, 240, 480, 600, 600].map(Some), "X87: others have their turn meanwhile");
    let mut refused = answered(Answer::Refused("spec: bad".to_owned()));
    assert_eq!(refused.asset("mtv-operator"), (State::Refused, "the cluster refuses it: spec: bad".to_owned()));
    assert!(!due(&mut refused, 100_000), "the same is refused again");
    let patch = r#"[{"op":"add","path":"/spec/feature_validation","value":"false"}]"#;
    let mut mended = refused.annotated("patch.asset.mtv-operator", patch);
    assert!(due(&mut mended, 100_001), "another one is tried");
}

#[test]
fn p17_no_two_passes_write_the_same() {
    let roots = [
        world(),
        world().bare(),
        world().bare().annotated("enable-usb", "true").label("feature.node.kubernetes.io/usb-ff_1_2.present"),
    ];
    every_row(roots, |world| {
        let mut world = world.annotated("enable-loadaware", "true").annotated("enable-aaq", "true");
        assert!(world.settle(0) > 5);
        assert_eq!(world.pass(60).steps, [], "6488e6f");
        assert!(
            world.pass(60).outcomes.iter().all(|it| { [State::Applied, State::ConditionNotMet].contains(&it.state) }),
            "{:?}",
            world.pass(60).outcomes
        );
    });
}

#[test]
fn d7_x84_excluded_objects_are_neither_made_nor_changed() {
    let mut world = world()
        .annotated("enable-loadaware", "true")
        .annotated("disabled-resources", "KubeDescheduler/cluster, MachineConfig/50-swap-enable");
    world.settle(0);
    for (asset, kind, name) in
        [("descheduler-loadaware", "KubeDescheduler", "cluster"), ("swap-enable", "MachineConfig", "50-swap-enable")]
    {
        let says = format!("disabled-resources names {kind}/{name}");
        assert_eq!(world.asset(asset), (State::Excluded, says));
        assert_eq!(world.snapshot.objects[&key(kind, name)], Ok(Live::Absent), "{asset}");
    }
}

#[test]
fn x90_objects_of_operators_come_with_them_and_yield_to_others() {
    let listed = world()
        .seen(|seen| drop(seen.listed.insert("metallbs.metallb.io".to_owned(), Ok(["theirs".to_owned()].into()))));
    let unseen = world().seen(|seen| drop(seen.listed.remove("metallbs.metallb.io")));
    #[rustfmt::skip]
    let rows = [
        ("its operator is there", world(),                                        State::Missing,           "it is not there"),
        ("it is not",             world().without_crd("metallbs.metallb.io"),     State::DependencyMissing, "the cluster does not serve metallbs.metallb.io: install what it belongs to"),
        ("there is another one",  listed,                                         State::Foreign,           "MetalLB theirs is there already, and two would undo each other: exclude MetalLB/metallb to say so"),
        ("nobody looked",         unseen,                                         State::Unknown,           "whether there is another MetalLB was not asked yet"),
    ];
    every_row(rows, |(name, mut world, state, says)| {
        assert_eq!(world.asset("metallb-operator"), (state, says.to_owned()), "{name}");
    });
}

#[test]
fn p12_p6_an_object_that_is_withheld_is_not_read_again_until_it_may_be_written() {
    let swap = key("MachineConfig", "50-swap-enable");
    let mut world = world();
    world.settle(0);
    world.edit(&swap, &json!({"spec": {"config": {"ignition": {"version": "2.0.0"}}}}));
    world.snapshot.asked.disruption = Disruption::Withhold;
    assert_eq!(world.asset("swap-enable").0, State::Withheld);
    let Some(Ok(Live::Whole(object))) = world.snapshot.objects.get(&swap).cloned() else { panic!("it was not made") };
    world.snapshot.objects.insert(swap.clone(), Ok(Live::Metadata(json!({"metadata": object["metadata"]}))));
    let (state, message) = world.asset("swap-enable");
    assert_eq!((state, step_for(&world.pass(60), &swap)), (State::Withheld, None));
    assert!(message.starts_with("spec.config.ignition.version is \"2.0.0\", should be \"3.4.0\""), "{message}");
    world.snapshot.asked.disruption = Disruption::Allow;
    assert_eq!(step_for(&world.pass(61), &swap), Some(&Step::Read));
}
