//! What admins change of an object of the baseline, on the object and on the KubevirtConfig.

use model::platform::snapshot::Live;
use model::platform::state::{State, Step};
use serde_json::{Value, json};

use crate::table::every_row;
use crate::{World, key, step_for, world};

const SWAP: (&str, &str) = ("MachineConfig", "99-kubevirt-swap-optimization");

/// A cluster on which everything is as it should be.
fn settled() -> World {
    let mut world = world();
    world.settle(0);
    world
}

fn spec(world: &World, (kind, name): (&str, &str)) -> Value {
    match world.snapshot.objects.get(&key(kind, name)) {
        Some(Ok(Live::Whole(object))) => object["spec"].clone(),
        other => panic!("{kind} {name}: {other:?}"),
    }
}

fn annotate(world: &mut World, (kind, name): (&str, &str), annotations: Value) {
    world.edit(&key(kind, name), &json!({"metadata": {"annotations": annotations}}));
}

/// The documented example, word for word.
const EXAMPLE: &str = r#"[
        {"op": "replace", "path": "/spec/config/systemd/units/0/contents", "value": "..."}
      ]"#;

#[test]
fn x33_x85_p4_d3_the_documented_patch_of_a_machine_config_takes_effect() {
    let mut world = settled();
    annotate(&mut world, SWAP, json!({"platform.kubevirt.io/patch": EXAMPLE}));
    assert_eq!(world.settle(60), 1);
    let units = &spec(&world, SWAP)["config"]["systemd"]["units"];
    assert_eq!((&units[0]["contents"], &units[1]["name"]), (&json!("..."), &json!("system.slice")));
    annotate(&mut world, SWAP, json!({"platform.kubevirt.io/patch": null}));
    assert_eq!(world.settle(120), 1, "and goes with the annotation");
    let contents = spec(&world, SWAP)["config"]["systemd"]["units"][0]["contents"].clone();
    assert!(contents.as_str().is_some_and(|text| text.contains("watermark_scale_factor")), "{contents}");
}

#[test]
fn p3_x82_a_patch_on_the_kubevirtconfig_counts_before_the_object_is_there() {
    let mut world = world().annotated("patch.asset.swap-optimization", EXAMPLE);
    world.settle(0);
    assert_eq!(spec(&world, SWAP)["config"]["systemd"]["units"][0]["contents"], json!("..."));
    let Some(Ok(Live::Whole(object))) = world.snapshot.objects.get(&key(SWAP.0, SWAP.1)) else { panic!("not made") };
    assert_eq!(object["metadata"]["generation"], json!(1), "it was created with it");
    let other = r#"[{"op": "replace", "path": "/spec/config/systemd/units/0/contents", "value": "other"}]"#;
    annotate(&mut world, SWAP, json!({"platform.kubevirt.io/patch": other}));
    assert_eq!(world.settle(60), 0, "the KubevirtConfig's word replaces the object's");
}

#[test]
fn p2_x86_a_patch_that_is_no_patch_leaves_the_object_as_it_is() {
    #[rustfmt::skip]
    let rows = [
        ("no JSON",                 r#"[{"op": "#,                                                                     "is no JSON Patch that is taken"),
        ("P4: a merge patch",       r#"{"spec": {"x": 1}}"#,                                                           "must be a list of operations"),
        ("P4: a dotted path",       r#"[{"op": "replace", "path": "spec.config", "value": 1}]"#,                       "is no JSON pointer"),
        ("P2: it fits no more",     r#"[{"op": "replace", "path": "/spec/config/systemd/units/7/contents", "value": "x"}]"#, "\"7\" is not there"),
        ("a test that fails",       r#"[{"op": "test", "path": "/spec/config/ignition/version", "value": "2.0.0"}]"#,  "the value there is another"),
        ("another name",            r#"[{"op": "replace", "path": "/metadata/name", "value": "x"}]"#,                  "may not be patched"),
        ("another kind",            r#"[{"op": "replace", "path": "/kind", "value": "Secret"}]"#,                      "may not be patched"),
        ("an owner",                r#"[{"op": "add", "path": "/metadata/ownerReferences", "value": []}]"#,            "may not be patched"),
        ("a finalizer",             r#"[{"op": "add", "path": "/metadata/finalizers", "value": ["a.b/c"]}]"#,          "may not be patched"),
        ("the status",              r#"[{"op": "add", "path": "/status", "value": {}}]"#,                              "may not be patched"),
        ("our label",               r#"[{"op": "remove", "path": "/metadata/labels/platform.kubevirt.io~1managed-by"}]"#, "may not be patched"),
        ("another supervisor",      r#"[{"op": "replace", "path": "/metadata/labels/vitistack.io~1supervisor", "value": "x"}]"#, "may not be patched"),
        ("the whole object",        r#"[{"op": "replace", "path": "", "value": {}}]"#,                                 "would replace the whole object"),
        ("a field that the CRD lacks", r#"[{"op": "add", "path": "/spec/colour", "value": "red"}]"#,                   "the patch sets /spec/colour, which is not known"),
        ("a value of another type", r#"[{"op": "add", "path": "/spec/kernelArguments", "value": "a"}]"#,               "the patch sets /spec/kernelArguments, which must be a list"),
    ];
    every_row(rows, |(name, patch, says)| {
        let mut world = settled();
        let before = spec(&world, SWAP);
        annotate(&mut world, SWAP, json!({"platform.kubevirt.io/patch": patch}));
        let (state, message) = world.asset("swap-optimization");
        assert_eq!(state, State::Refused, "{name}: {message}");
        assert!(message.contains(says), "{name}: {message}");
        assert_eq!((world.settle(60), spec(&world, SWAP)), (0, before), "{name}");
    });
}

#[test]
fn x85_the_role_and_free_labels_of_a_machine_config_may_be_patched() {
    let patch = r#"[
        {"op": "replace", "path": "/metadata/labels/machineconfiguration.openshift.io~1role", "value": "virt"},
        {"op": "add", "path": "/metadata/labels/example.com~1team", "value": "vm"},
        {"op": "add", "path": "/metadata/annotations/example.com~1why", "value": "tried"}]"#;
    let mut world = world().annotated("patch.asset.swap-optimization", patch);
    world.settle(0);
    let Some(Ok(Live::Whole(object))) = world.snapshot.objects.get(&key(SWAP.0, SWAP.1)) else { panic!("not made") };
    let labels = &object["metadata"]["labels"];
    assert_eq!(
        (&labels["machineconfiguration.openshift.io/role"], &labels["example.com/team"]),
        (&json!("virt"), &json!("vm"))
    );
    assert_eq!(object["metadata"]["annotations"]["example.com/why"], json!("tried"));
}

#[test]
fn d4_x82_ignored_fields_keep_what_the_cluster_has() {
    let mut world = settled();
    let root = model::platform::root::key(&world.snapshot.hyperconvergeds.clone().expect("known")[0]);
    let ignored = "/spec/liveMigrationConfig/parallelMigrationsPerCluster,/spec/featureGates";
    world.edit(&root, &json!({
        "metadata": {"annotations": {"platform.kubevirt.io/ignore-fields": ignored}},
        "spec": {"liveMigrationConfig": {"parallelMigrationsPerCluster": 9, "progressTimeout": 1}, "featureGates": {"downwardMetrics": true}},
    }));
    world.settle(60);
    let spec = world.snapshot.hyperconvergeds.clone().expect("known")[0]["spec"].clone();
    assert_eq!(spec["liveMigrationConfig"]["parallelMigrationsPerCluster"], json!(9), "the documented example");
    assert_eq!(spec["featureGates"], json!({"downwardMetrics": true}));
    assert_eq!(spec["liveMigrationConfig"]["progressTimeout"], json!(150), "what is not ignored is set back");
}

#[test]
fn d5_x82_an_unmanaged_object_is_left_alone_whoever_says_so() {
    #[rustfmt::skip]
    let rows = [
        ("on the object",             json!({"platform.kubevirt.io/mode": "unmanaged"}),               None),
        ("under the other prefix",    json!({"vitistack.io/mode": "unmanaged"}),                       None),
        ("the other program's word",  json!({"platform.kubevirt.io/management-state": "Unmanaged"}),  None),
        ("on the KubevirtConfig",     json!({}),                                                       Some("unmanaged")),
        ("with a patch that is none", json!({"platform.kubevirt.io/mode": "unmanaged", "platform.kubevirt.io/patch": "["}), None),
    ];
    every_row(rows, |(name, annotations, asked)| {
        let mut world = settled();
        annotate(&mut world, SWAP, annotations);
        world.edit(&key(SWAP.0, SWAP.1), &json!({"spec": {"kernelArguments": ["mine"]}}));
        let mut world = match asked {
            Some(text) => world.annotated("mode.asset.swap-optimization", text),
            None => world,
        };
        assert_eq!((world.asset("swap-optimization").0, world.settle(60)), (State::Unmanaged, 0), "{name}");
    });
}

#[test]
fn x82_two_words_about_one_object_must_agree() {
    let numa = r#"[{"op": "add", "path": "/spec/kubeletConfig/maxPods", "value": 100}]"#;
    let mut world = world()
        .label("feature.node.kubernetes.io/memory-numa")
        .annotated("patch.asset.kubelet-numa", numa)
        .annotated("patch.asset.kubelet-perf-settings", "[]");
    let (state, message) = world.asset("kubelet-numa");
    assert_eq!(state, State::Refused);
    assert!(message.contains("they mean one object, so keep one of them"), "{message}");
    let mut one =
        crate::world().label("feature.node.kubernetes.io/memory-numa").annotated("patch.asset.kubelet-numa", numa);
    let pass = one.pass(0);
    let Some(Step::Create(object)) = step_for(&pass, &key("KubeletConfig", "virt-kubelet")) else { panic!("{pass:?}") };
    assert_eq!(object["spec"]["kubeletConfig"]["maxPods"], json!(100));
}

#[test]
fn x83_p5_an_object_of_somebody_else_is_handed_over_by_a_label() {
    let designed = json!({
        "apiVersion": "operator.openshift.io/v1", "kind": "KubeDescheduler",
        "metadata": {"name": "cluster", "namespace": "openshift-kube-descheduler-operator", "uid": "u", "resourceVersion": "1", "generation": 1},
        "spec": {"mode": "Predictive", "profiles": ["AffinityAndTaints"]},
    });
    let mut world = world().annotated("enable-loadaware", "true");
    world.settle(0);
    world.snapshot.objects.insert(key("KubeDescheduler", "cluster"), Ok(Live::Whole(designed.clone())));
    let (state, message) = world.asset("descheduler-loadaware");
    assert_eq!(state, State::Foreign);
    assert!(
        message
            .contains("hand it over with the label platform.kubevirt.io/managed-by: kubevirt-operator, or exclude it"),
        "{message}"
    );
    assert_eq!(world.settle(60), 0);
    world.edit(
        &key("KubeDescheduler", "cluster"),
        &json!({"metadata": {"labels": {"platform.kubevirt.io/managed-by": "kubevirt-operator"}}}),
    );
    assert_eq!(world.settle(120), 1);
    assert_eq!(spec(&world, ("KubeDescheduler", "cluster"))["mode"], json!("Automatic"));
    world.edit(
        &key("KubeDescheduler", "cluster"),
        &json!({"metadata": {"labels": {"vitistack.io/supervisor": "sup-2"}}, "spec": {"mode": "Predictive"}}),
    );
    let (state, message) = world.asset("descheduler-loadaware");
    assert_eq!((state, world.settle(180)), (State::Foreign, 0), "{message}");
}

#[test]
fn d4_files_of_a_machine_config_are_told_apart_by_their_path() {
    const FILE: (&str, &str) = ("MachineConfig", "51-virt-vfio");
    let devices = json!({"pciHostDevices": [{"pciDeviceSelector": "10de:1db6", "resourceName": "nvidia.com/v100"}]});
    let mut world = world()
        .annotated("enable-vfio", "true")
        .label("feature.node.kubernetes.io/pci-0302_10de.present")
        .label("platform.kubevirt.io/iommu")
        .seen(|seen| seen.hyperconvergeds.as_mut().expect("known")[0]["spec"]["permittedHostDevices"] = devices);
    world.settle(0);
    annotate(
        &mut world,
        FILE,
        json!({"platform.kubevirt.io/ignore-fields": "/spec/config/storage/files/0/contents/source"}),
    );
    let files = spec(&world, FILE)["config"]["storage"]["files"].clone();
    let mut mine = files[0].clone();
    mine["contents"]["source"] = json!("data:,mine");
    world.edit(&key(FILE.0, FILE.1), &json!({"spec": {"config": {"storage": {"files": [files[1], mine]}}}}));
    world.settle(60);
    assert_eq!(spec(&world, FILE)["config"]["storage"]["files"], json!([mine, files[1]]));
}

#[test]
fn x85_d4_what_an_object_is_and_whose_cannot_be_ignored() {
    every_row(["/metadata/labels/platform.kubevirt.io~1managed-by", "/metadata", "/kind"], |pointer| {
        let mut world = settled();
        annotate(&mut world, SWAP, json!({"platform.kubevirt.io/ignore-fields": pointer}));
        let (state, message) = world.asset("swap-optimization");
        assert_eq!((state, world.settle(60)), (State::Refused, 0), "{pointer}: {message}");
        assert!(message.contains("may not be ignored"), "{message}");
    });
}
