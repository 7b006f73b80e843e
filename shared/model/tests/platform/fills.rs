//! What is copied into assets, with its type.

use std::sync::Arc;

use model::platform::snapshot::Live;
use model::platform::state::{State, Step};
use serde_json::{Value, json};

use crate::table::every_row;
use crate::{World, crd, frames, key, step_for, world};

/// The object that is created for an asset.
fn created(world: &mut World, kind: &str, name: &str) -> Value {
    let pass = world.pass(0);
    match step_for(&pass, &key(kind, name)) {
        Some(Step::Create(object)) => object.clone(),
        other => panic!("{kind} {name}: {other:?}: {:?}", pass.outcomes),
    }
}

fn loadaware() -> World {
    world().annotated("enable-loadaware", "true")
}

fn serving(profiles: &[&str], is_new: bool) -> World {
    let crd = crd(frames::descheduler(profiles, is_new), true, "v1");
    loadaware().seen(|seen| {
        drop(seen.crds.insert("kubedeschedulers.operator.openshift.io".to_owned(), Ok(Some(Arc::new(crd)))));
    })
}

#[test]
fn x93_p10_the_profile_is_the_first_that_the_descheduler_knows() {
    #[rustfmt::skip]
    let rows = [
        ("the newest",     vec!["LongLifecycle", "KubeVirtRelieveAndMigrate"],    json!(["KubeVirtRelieveAndMigrate"])),
        ("in development", vec!["LongLifecycle", "DevKubeVirtRelieveAndMigrate"], json!(["DevKubeVirtRelieveAndMigrate"])),
        ("an old one",     vec!["LongLifecycle", "AffinityAndTaints"],            json!(["LongLifecycle"])),
        ("no enum",        vec![],                                                json!(["KubeVirtRelieveAndMigrate"])),
    ];
    every_row(rows, |(name, profiles, want)| {
        let object = created(&mut serving(&profiles, true), "KubeDescheduler", "cluster");
        assert_eq!(object["spec"]["profiles"], want, "{name}");
    });
    let (state, message) = serving(&["AffinityAndTaints"], true).asset("descheduler-loadaware");
    assert_eq!(state, State::DependencyMissing);
    assert!(message.starts_with("the CRD is too old: /spec/profiles takes none of"), "{message}");
    let mut silent = loadaware().seen(|seen| {
        seen.crds.insert("kubedeschedulers.operator.openshift.io".to_owned(), Err("no answer".to_owned()));
    });
    assert_eq!(silent.asset("descheduler-loadaware"), (State::Unknown, "no answer".to_owned()), "P10");
}

#[test]
fn x93_limits_are_those_of_the_root_and_what_a_crd_lacks_is_named() {
    let mut tuned = loadaware().seen(|seen| {
        let root = &mut seen.hyperconvergeds.as_mut().expect("known")[0];
        root["metadata"]["annotations"] = json!({"platform.kubevirt.io/mode": "unmanaged"});
        root["spec"]["liveMigrationConfig"] = json!({"parallelMigrationsPerCluster": 8});
    });
    assert_eq!(
        created(&mut tuned, "KubeDescheduler", "cluster")["spec"]["evictionLimits"],
        json!({"total": 8, "node": 2}),
        "as the root is, also where we do not write it; and the default where it says nothing"
    );
    let mut old = serving(&["LongLifecycle"], false);
    assert_eq!(created(&mut old, "KubeDescheduler", "cluster")["spec"]["evictionLimits"], json!({"total": 5}));
    let (_, message) = old.asset("descheduler-loadaware");
    assert!(message.contains("left out /spec/evictionLimits/node: it is not known"), "{message}");
}

#[test]
fn p5_x90_a_crd_that_is_too_old_or_serves_another_version_is_named() {
    let set = |name: &str, crd| {
        let name = name.to_owned();
        world().seen(move |seen| drop(seen.crds.insert(name, Ok(Some(Arc::new(crd))))))
    };
    #[rustfmt::skip]
    let rows = [
        ("observability-operator", set("uiplugins.observability.openshift.io", crd(frames::plugin(&["Logging"]), false, "v1alpha1")),
         State::DependencyMissing, "the CRD uiplugins.observability.openshift.io is too old: it does not take /spec/type"),
        ("observability-operator", set("uiplugins.observability.openshift.io", crd(frames::plugin(&["Monitoring"]), false, "v1")),
         State::DependencyMissing, "the CRD uiplugins.observability.openshift.io does not serve v1alpha1"),
        ("observability-operator", set("uiplugins.observability.openshift.io", crd(frames::plugin(&["Monitoring"]), true, "v1alpha1")),
         State::Refused, "the catalogue has the wrong scope for UIPlugin: correct its row"),
        ("metallb-operator", world().without_crd("metallbs.metallb.io"),
         State::DependencyMissing, "the cluster does not serve metallbs.metallb.io: install what it belongs to"),
    ];
    every_row(rows, |(asset, mut world, state, message)| {
        assert_eq!(world.asset(asset), (state, message.to_owned()));
    });
}

#[test]
fn x93_devices_and_cpus_are_written_as_the_host_reads_them() {
    let devices = json!({"pciHostDevices": [
        {"pciDeviceSelector": "10DE:1DB6", "resourceName": "nvidia.com/v100"},
        {"pciDeviceSelector": "8086:1572", "resourceName": "intel.com/nic"},
        {"pciDeviceSelector": "8086:1572", "resourceName": "intel.com/nic2"},
        {"pciDeviceSelector": "x\noptions kvm nested=1", "resourceName": "bad"},
    ]});
    let mut vfio = world()
        .annotated("enable-vfio", "true")
        .label("feature.node.kubernetes.io/pci-0302_10de.present")
        .label("platform.kubevirt.io/iommu")
        .seen(|seen| seen.hyperconvergeds.as_mut().expect("known")[0]["spec"]["permittedHostDevices"] = devices);
    let object = created(&mut vfio, "MachineConfig", "51-virt-vfio");
    assert_eq!(
        object["spec"]["config"]["storage"]["files"][0]["contents"]["source"],
        json!("data:,options%20vfio-pci%20ids%3D10de%3A1db6%2C8086%3A1572%0A"),
        "a selector that is none is left out"
    );
    let cpus = |text: &str| world().bare().annotated("reserved-system-cpus", text);
    let object = created(&mut cpus("0-1,4"), "KubeletConfig", "virt-kubelet");
    assert_eq!(
        object["spec"]["kubeletConfig"],
        json!({
            "cpuManagerPolicy": "static", "reservedSystemCPUs": "0-1,4", "maxPods": 500, "nodeStatusMaxImages": -1,
        })
    );
    every_row(["1-0", "a", "0-1\nx: y", "0,,1", "-1", "70000", "+1"], |text| {
        let (state, message) = cpus(text).asset("kubelet-cpu-manager");
        assert_eq!(state, State::Refused, "{text:?}");
        assert!(message.contains("is no list of CPUs: set platform.kubevirt.io/reserved-system-cpus"), "{message}");
    });
}

#[test]
fn p14_the_kubelet_is_configured_by_one_object_of_several_parts() {
    let mut world = world().label("feature.node.kubernetes.io/memory-numa");
    assert_eq!(world.settle(0), 8, "and no part is written by itself");
    let Some(Ok(Live::Whole(object))) = world.snapshot.objects.get(&key("KubeletConfig", "virt-kubelet")) else {
        panic!("it was not made")
    };
    assert_eq!(
        object["spec"]["kubeletConfig"],
        json!({
            "maxPods": 500, "nodeStatusMaxImages": -1, "topologyManagerPolicy": "best-effort",
        })
    );
    assert_eq!(world.asset("kubelet-numa"), (State::Applied, String::new()));
    assert_eq!(world.asset("kubelet-cpu-manager").0, State::ConditionNotMet);
}

#[test]
fn p14_a_part_that_has_no_say_any_more_takes_nothing_out_of_the_object() {
    let gates = |world: World| {
        world.seen(|seen| {
            let root = &mut seen.hyperconvergeds.as_mut().expect("known")[0];
            root["spec"]["featureGates"]["CPUManager"] = json!(true);
        })
    };
    let mut world = gates(world().annotated("reserved-system-cpus", "0-1"));
    world.settle(0);
    let kubelet = |world: &World| match world.snapshot.objects.get(&key("KubeletConfig", "virt-kubelet")) {
        Some(Ok(Live::Whole(object))) => object["spec"]["kubeletConfig"].clone(),
        other => panic!("{other:?}"),
    };
    let before = kubelet(&world);
    assert_eq!((&before["cpuManagerPolicy"], &before["reservedSystemCPUs"]), (&json!("static"), &json!("0-1")));

    // Whether the gate is open cannot be asked: the whole object waits.
    let mut unknown = world.clone();
    let root = &mut unknown.snapshot.hyperconvergeds.as_mut().expect("known")[0];
    root["spec"]["featureGates"].as_object_mut().expect("gates").remove("CPUManager");
    unknown.snapshot.kubevirts = Err("no answer".to_owned());
    let (state, message) = unknown.asset("kubelet-perf-settings");
    assert_eq!(state, State::Unknown);
    assert!(message.starts_with("its part kubelet-cpu-manager is Unknown: "), "{message}");
    assert_eq!(step_for(&unknown.pass(0), &key("KubeletConfig", "virt-kubelet")), None);

    // A list of CPUs that is none: likewise.
    let mut refused = world.clone().annotated("reserved-system-cpus", "all");
    let (state, message) = refused.asset("kubelet-perf-settings");
    assert_eq!(state, State::Refused);
    assert!(message.contains("is no list of CPUs"), "{message}");
    assert_eq!(step_for(&refused.pass(0), &key("KubeletConfig", "virt-kubelet")), None);

    // The gate is closed: the part has no say, and what it wrote stays.
    let mut closed = world;
    let root = &mut closed.snapshot.hyperconvergeds.as_mut().expect("known")[0];
    root["spec"]["featureGates"]["CPUManager"] = json!(false);
    closed.settle(0);
    assert_eq!(closed.asset("kubelet-cpu-manager").0, State::ConditionNotMet);
    assert_eq!(kubelet(&closed), before);
}
