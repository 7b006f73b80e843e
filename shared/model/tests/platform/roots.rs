//! The object that KubeVirt is configured by: whose it is, and what of it stays.

use std::sync::Arc;

use model::platform::snapshot::Live;
use model::platform::state::{State, Step};
use serde_json::{Value, json};

use crate::{crd, frames, hyperconverged, world};

#[test]
fn x89_p16_a_kubevirt_of_its_own_gets_the_migrations_and_keeps_its_gates() {
    let mut world = world().bare();
    world.settle(0);
    let root = world.snapshot.kubevirts.clone().expect("known")[0].clone();
    let configuration = &root["spec"]["configuration"];
    assert_eq!(configuration["developerConfiguration"]["featureGates"], json!(["CPUManager", "GPU"]));
    assert_eq!(
        configuration["migrations"],
        json!({
            "allowAutoConverge": false, "allowPostCopy": false, "completionTimeoutPerGiB": 150,
            "parallelMigrationsPerCluster": 5, "parallelOutboundMigrationsPerNode": 2, "progressTimeout": 150,
        })
    );
    assert_eq!(root["metadata"]["labels"], Value::Null, "the root is never labelled as ours");
}

#[test]
fn gates_of_others_stay_when_one_is_added_and_when_it_is_wanted_no_more() {
    let gates = |world: &crate::World| {
        world.snapshot.kubevirts.as_ref().expect("known")[0]["spec"]["configuration"]["developerConfiguration"]["featureGates"].clone()
    };
    let mut world =
        world().bare().annotated("enable-usb", "true").label("feature.node.kubernetes.io/usb-ff_1a6e_089a.present");
    world.settle(0);
    assert_eq!(gates(&world), json!(["CPUManager", "GPU", "HostDevices"]));
    let root = model::platform::root::key(&world.snapshot.kubevirts.clone().expect("known")[0]);
    let more =
        json!({"spec": {"configuration": {"developerConfiguration": {"featureGates": ["HostDevices", "Snapshot"]}}}});
    world.edit(&root, &more);
    assert_eq!(world.pass(30).steps, [], "another one of theirs is no difference");
    let none = json!({"spec": {"configuration": {"developerConfiguration": {"featureGates": ["Snapshot"]}}}});
    world.edit(&root, &none);
    world.settle(60);
    assert_eq!(gates(&world), json!(["Snapshot", "HostDevices"]));
    let mut off = world.annotated("enable-usb", "false");
    off.settle(120);
    assert_eq!(gates(&off), json!(["Snapshot", "HostDevices"]), "we stop, and take nothing away from others");
}

#[test]
fn x81_what_the_baseline_takes_the_place_of_is_kept_once() {
    let mut tuned = hyperconverged();
    tuned["spec"]["liveMigrationConfig"] = json!({"parallelMigrationsPerCluster": 20, "network": "fast"});
    let mut world = world().seen(|seen| seen.hyperconvergeds = Ok(vec![tuned]));
    world.settle(0);
    let root = |world: &crate::World| world.snapshot.hyperconvergeds.clone().expect("known")[0].clone();
    let kept = |root: &Value| -> Value {
        let text = root["metadata"]["annotations"]["vitistack.io/before-baseline"].as_str().expect("it is kept");
        serde_json::from_str(text).expect("JSON")
    };
    let migrations = &root(&world)["spec"]["liveMigrationConfig"];
    assert_eq!((&migrations["parallelMigrationsPerCluster"], &migrations["network"]), (&json!(5), &json!("fast")));
    let before = kept(&root(&world));
    assert_eq!(before["spec"]["liveMigrationConfig"]["parallelMigrationsPerCluster"], json!(20));
    let key = model::platform::root::key(&root(&world));
    world.edit(&key, &json!({"spec": {"liveMigrationConfig": {"parallelMigrationsPerCluster": 30}}}));
    world.settle(60);
    assert_eq!(kept(&root(&world)), before, "the first write only");
    assert_eq!(root(&world)["spec"]["liveMigrationConfig"]["parallelMigrationsPerCluster"], json!(5));
}

#[test]
fn x86_x89_where_only_v1_is_served_the_root_is_written_in_its_words() {
    let mut root = hyperconverged();
    root["apiVersion"] = json!("hco.kubevirt.io/v1");
    root["spec"] = json!({"virtualization": {"liveMigrationConfig": {"parallelMigrationsPerCluster": 5}}});
    let mut world = world().seen(|seen| {
        seen.hyperconvergeds = Ok(vec![root]);
        let v1 = crd(frames::hyperconverged_v1(), true, "v1");
        seen.crds.insert("hyperconvergeds.hco.kubevirt.io".to_owned(), Ok(Some(Arc::new(v1))));
    });
    world.settle(0);
    let root = &world.snapshot.hyperconvergeds.as_ref().expect("known")[0];
    assert_eq!(root["spec"]["virtualization"]["liveMigrationConfig"]["progressTimeout"], json!(150));
    assert_eq!(root["spec"]["liveMigrationConfig"], Value::Null);
    let mut ignoring =
        world.annotated("ignore-fields.asset.hco-golden-config", "/spec/liveMigrationConfig/progressTimeout");
    let (_, message) = ignoring.asset("hco-golden-config");
    assert!(message.contains("the ignored field /spec/liveMigrationConfig/progressTimeout is nowhere"), "{message}");
}

#[test]
fn x89_the_root_is_never_made_and_objects_on_their_way_out_are_not_written() {
    let mut world = world();
    world.settle(0);
    let forklift = crate::key("ForkliftController", "forklift-controller");
    let Some(Ok(Live::Whole(object))) = world.snapshot.objects.get(&forklift).cloned() else {
        panic!("it was not made")
    };
    let mut leaving = object;
    leaving["metadata"]["deletionTimestamp"] = json!("2027-01-01T00:00:00Z");
    leaving["spec"] = json!({});
    world.snapshot.objects.insert(forklift.clone(), Ok(Live::Whole(leaving)));
    let want = (State::Missing, "it is being deleted, and is made again when it is gone".to_owned());
    assert_eq!(world.asset("mtv-operator"), want);
    world.snapshot.objects.insert(forklift.clone(), Ok(Live::Absent));
    assert!(matches!(crate::step_for(&world.pass(60), &forklift), Some(Step::Create(_))));
}
