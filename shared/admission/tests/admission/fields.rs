//! What people who run virtual machines through an operator reported from the field.

use admission::judge_undecodable;
use admission::review::Undecodable;
use admission::world::Held;
use model::machine::owner::{Owner, Ownership};
use model::names::{MachineKey, VmKey, names_on_cluster};

use super::*;

fn plain() -> Value {
    machine(json!({"template": "small"}))
}

/// On east, with its cluster's identity recorded, and its disks as the status has them.
fn settled(machine: &Value, world: &World, disks: Value) -> Value {
    let mut after = stored("CREATE", machine, None, world);
    after["status"] = json!({"kubevirtConfigRef": {"name": "east", "clusterId": "c-1"}, "disks": disks});
    after
}

fn update(new: &Value, old: &Value, world: &World) -> Result<Admission, Vec<(String, String)>> {
    match judge("UPDATE", new, Some(old), world) {
        Verdict::Admit(admission) => Ok(admission),
        Verdict::Refuse(wrong) => Err(wrong.into_iter().map(|it| (it.path, it.message)).collect()),
        Verdict::Ask(needs) => panic!("it was asked: {needs:?}"),
    }
}

fn edited(before: &Value, change: impl FnOnce(&mut Value)) -> Value {
    let mut after = before.clone();
    change(&mut after);
    after
}

fn config<'w>(world: &'w mut World, name: &str) -> &'w mut Config {
    Arc::make_mut(world.configs.get_mut(&ClusterName(name.to_owned())).expect("a config"))
}

const GIB: i64 = 1 << 30;

/// A case, `status.disks`, an edit, and what comes of it: nothing, or field and sentence of a refusal.
type Row<'r> = (&'r str, Value, &'r dyn Fn(&mut Value), Result<(), (&'r str, &'r str)>);

#[test]
fn fr2_a_disk_is_judged_by_what_was_made() {
    let world = world(&["east"]);
    let data = |size: &str| json!([{"name": "data", "size": size}]);
    let with_data = machine(json!({"template": "small", "disks": data("500Gi")}));
    let root = json!({"name": "root", "uid": "u-1", "size": 20 * GIB});
    let made = |size: i64| json!([root, {"name": "data", "uid": "u-2", "size": size}]);
    let only_root = json!([root]);
    let take_back = |it: &mut Value| it["spec"]["disks"] = json!([]);
    let shrink = |it: &mut Value| it["spec"]["disks"] = data("40Gi");
    #[rustfmt::skip]
    let cases: [Row<'_>; 9] = [
        ("never made, taken back",      only_root.clone(),   &take_back, Ok(())),
        ("never made, made smaller",    only_root.clone(),   &shrink,    Ok(())),
        ("made, taken away",            made(500 * GIB),     &take_back, Err(("spec.disks", "keep it with {name: data, size: 500Gi}"))),
        ("made, made smaller",          made(500 * GIB),     &shrink,    Err(("spec.disks[0].size", "has 500Gi and cannot shrink to 40Gi"))),
        ("the growth was not made",     made(30 * GIB),      &shrink,    Ok(())),
        ("asked for and not bound yet", json!([root, {"name": "data", "uid": "u-2", "requestedSize": "500Gi"}]), &shrink, Err(("spec.disks[0].size", "has 500Gi"))),
        ("made larger than asked for",  made(600 * GIB),     &|it| it["spec"]["cpu"] = json!({"cores": 3}), Ok(())),
        ("an older operator's status",  json!([{"name": "data", "pvcName": "web-data"}]), &shrink, Err(("spec.disks[0].size", "has 500Gi"))),
        ("the status says nothing yet", json!([]),           &shrink,    Err(("spec.disks[0].size", "has 500Gi"))),
    ];
    every_row(cases, |(case, disks, edit, want)| {
        let old = settled(&with_data, &world, disks);
        match (update(&edited(&old, edit), &old, &world), want) {
            (Ok(_), Ok(())) => {}
            (Err(found), Err((path, says))) if found.len() == 1 && found[0].0 == path && found[0].1.contains(says) => {}
            (found, want) => panic!("{case}: {found:?}, not {want:?}"),
        }
    });
}

#[test]
fn fr2_a_size_that_the_author_did_not_write_never_blocks_an_edit() {
    let world = world(&["east"]);
    let old = settled(
        &machine(json!({"template": "large"})),
        &world,
        json!([{"name": "root", "uid": "u-1", "size": 80 * GIB}]),
    );
    let smaller = edited(&old, |it| it["spec"]["template"] = json!("small"));
    let admitted = update(&smaller, &old, &world).expect("admitted");
    assert_eq!(admitted.warnings, ["disk \"root\" keeps its 80Gi: the size that the Machine names has 20Gi"]);
    let after = stored("UPDATE", &smaller, Some(&old), &world);
    let size =
        Sizing::read(after["metadata"]["annotations"][names::RESOLVED].as_str().expect("resolved")).expect("a size");
    assert_eq!((size.cores, size.disks[0].size.as_str()), (1, "80Gi"));
    assert_eq!(stored("UPDATE", &after, Some(&old), &world), after, "the validating call says the same");
    let written = edited(&old, |it| it["spec"]["disks"] = json!([{"name": "root", "size": "60Gi"}]));
    let refused = update(&written, &old, &world).expect_err("it shrinks");
    assert_eq!(refused[0].1, "Forbidden: disk \"root\" has 80Gi and cannot shrink to 60Gi: a disk only grows");
}

/// A fleet in which a Machine `web` of UID `m-1` has a VM in that namespace of east.
fn with_vm_of_web(namespace: &str) -> World {
    let mut world = world(&["east"]);
    "super-1".clone_into(&mut Arc::make_mut(&mut world.policy).supervisor);
    let owner = Owner::Machine { name: "web".to_owned(), supervisor: "super-1".to_owned(), uid: "m-1".to_owned() };
    let key = VmKey { namespace: namespace.to_owned(), name: "vm-web".to_owned() };
    let vm = Ownership { owner: Some(owner), ..Ownership::default() };
    config(&mut world, "east").inventory.vms.insert_mut(key, vm);
    world
}

#[test]
fn fr4_a_machine_that_was_restored_is_told_of_its_earlier_self() {
    let kept = "it is kept as it is, with its disks";
    let says = |world: &World| {
        let wrong = refuse(&plain(), world);
        assert_eq!((wrong[0].reason, wrong.len()), (Reason::VirtualMachineTaken, 1));
        wrong[0].message.clone()
    };
    let message = says(&with_vm_of_web("default"));
    assert!(message.contains(&format!("belongs to an earlier self of this Machine, of UID m-1: {kept}")), "{message}");
    let mut shared = with_vm_of_web("vms");
    config(&mut shared, "east").namespace = Some("vms".to_owned());
    let message = says(&shared);
    assert!(
        message.contains(&format!("or to a Machine of this name in another namespace: {kept}"))
            && !message.contains("m-1"),
        "{message}"
    );
}

#[test]
fn x99_fr4_a_machine_that_names_its_earlier_self_is_admitted_where_that_is() {
    let named = |uid: &str| annotated(plain(), names::TAKE_OVER, uid);
    let mut legacy = with_vm_of_web("default");
    let inventory = &mut config(&mut legacy, "east").inventory;
    let key = |name: &str| VmKey { namespace: "default".to_owned(), name: name.to_owned() };
    let vm = inventory.vms.get(&key("vm-web")).cloned().expect("a VM");
    inventory.vms.remove_mut(&key("vm-web"));
    inventory.vms.insert_mut(key("web"), vm.clone());
    let mut shared = with_vm_of_web("vms");
    config(&mut shared, "east").namespace = Some("vms".to_owned());
    let mut offered = shared.clone();
    let there = VmKey { namespace: "vms".to_owned(), name: "vm-web".to_owned() };
    let offer = Ownership { adopt_by: Some("default/web".to_owned()), ..vm };
    config(&mut offered, "east").inventory.vms.insert_mut(there, offer);
    let mut lost = with_vm_of_web("default");
    let supervisor = std::mem::replace(&mut Arc::make_mut(&mut lost.policy).supervisor, "a-new-one".to_owned());
    let unlisted = lost.clone();
    config(&mut lost, "east").take_over_from = vec![supervisor.clone()];
    let another = format!(
        "belongs to another supervisor, {supervisor}: if that is lost for good, whoever runs the fleet lists it in spec.takeOverFrom of the KubevirtConfig"
    );
    let on = "on cluster \"east\", VirtualMachine default/vm-web belongs to an earlier self of this Machine, of UID m-1: it is kept as it is, with its disks, and taken over only with the annotation vitistack.io/take-over: m-1 on this Machine";
    #[rustfmt::skip]
    let cases = [
        ("it names none",          plain(),      with_vm_of_web("default"), Err(format!("{on}: give the Machine another name, or place it elsewhere"))),
        ("it names another",       named("m-2"), with_vm_of_web("default"), Err(format!("{on}, which says \"m-2\": give the Machine another name, or place it elsewhere"))),
        ("it names it",            named("m-1"), with_vm_of_web("default"), Ok("vm-web")),
        ("the published name",     named("m-1"), legacy.clone(),            Ok("web")),
        ("X2: and that is no name to give away", plain(), legacy,           Err(on.replace("vm-web", "web") + ": give the Machine another name, or place it elsewhere")),
        ("ATK6: several share it", named("m-1"), shared,                    Err("and vitistack.io/adopt-by: default/web on the VirtualMachine".to_owned())),
        ("and it is offered",      named("m-1"), offered,                   Ok("vm-web")),
        ("a lost supervisor's",    named("m-1"), lost.clone(),              Ok("vm-web")),
        ("and it names none",      plain(),      lost,                      Err(format!("{on}: give the Machine another name"))),
        ("one that is not listed", named("m-1"), unlisted,                  Err(another)),
    ];
    every_row(cases, |(name, object, world, want)| match (judge("CREATE", &object, None, &world), want) {
        (Verdict::Admit(admission), Ok(vm)) => {
            assert_eq!(admission.placement.and_then(|placement| placement.vm).as_deref(), Some(vm), "{name}");
            assert_eq!(admission.warnings, Vec::<String>::new(), "{name}");
        }
        (Verdict::Refuse(wrong), Err(says)) => {
            assert_eq!((wrong[0].reason, wrong.len()), (Reason::VirtualMachineTaken, 1), "{name}");
            assert!(wrong[0].message.contains(&says), "{name}: {}", wrong[0].message);
        }
        (other, _) => panic!("{name}: {other:?}"),
    });
}

#[test]
fn x99_a_wish_to_take_over_what_is_not_there_is_warned_of_once() {
    let world = world(&["east"]);
    let wishes = annotated(plain(), names::TAKE_OVER, "m-1");
    let warned = |verdict: Verdict| match verdict {
        Verdict::Admit(admission) => admission.warnings.join("\n"),
        other => panic!("{other:?}"),
    };
    let says = "metadata.annotations[vitistack.io/take-over]: cluster \"east\" has no VirtualMachine of an earlier self of UID \"m-1\", so that at most disks are taken over: check the UID, and that the Machine goes to the cluster and namespace where it was";
    assert_eq!(warned(judge("CREATE", &wishes, None, &world)), says);
    let stored = stored("CREATE", &plain(), None, &world);
    let after = annotated(stored.clone(), names::TAKE_OVER, "m-1");
    assert_eq!(warned(judge("UPDATE", &after, Some(&stored), &world)), says);
    assert_eq!(warned(judge("UPDATE", &after, Some(&after), &world)), "", "it may stay");
    let mistyped = annotated(plain(), "vitistack.io/takeover", "m-1");
    let did_you_mean =
        "metadata.annotations[vitistack.io/takeover]: nobody reads it (did you mean \"vitistack.io/take-over\"?)";
    assert_eq!(warned(judge("CREATE", &mistyped, None, &world)), did_you_mean);
}

#[test]
fn fr3_a_machine_that_is_stored_already_gets_the_answer_of_storage() {
    let mut world = with_vm_of_web("default");
    let east = ClusterName("east".to_owned());
    refuse(&plain(), &world);
    let names = names_on_cluster(&east, "default", "web", "vm-web".to_owned(), ["root"]);
    let held = Held { cluster: Some(east), names, ..Held::default() };
    world.machines.put(&MachineKey { namespace: "default".to_owned(), name: "web".to_owned() }, held);
    assert_eq!(
        admit(&plain(), &world).placement.and_then(|it| it.vm).as_deref(),
        Some("vm-web"),
        "AlreadyExists follows"
    );
    let validated = edited(&plain(), |it| it["metadata"]["uid"] = json!("m-2"));
    let validated = stored("CREATE", &validated, None, &world);
    assert_eq!(validated["metadata"]["uid"], "m-2", "the validating call, by when it has a UID, agrees");
}

#[test]
fn fr5_an_annotation_that_nobody_reads_is_named_and_one_that_disks_depend_on_is_refused() {
    let world = world(&["east"]);
    let warned = |key: &str, value: &str| admit(&annotated(plain(), key, value), &world).warnings;
    #[rustfmt::skip]
    let cases = [
        ("vitistack.io/refresh-clas", "1", "metadata.annotations[vitistack.io/refresh-clas]: nobody reads it (did you mean \"vitistack.io/refresh-class\"?)"),
        ("platform.kubevirt.io/ignore-field", "/spec", "metadata.annotations[platform.kubevirt.io/ignore-field]: nobody reads it (did you mean \"platform.kubevirt.io/ignore-fields\"?)"),
        ("vitistack.io/colour", "red", "metadata.annotations[vitistack.io/colour]: nobody reads it"),
        ("platform.kubevirt.io/mode", "", "metadata.annotations[platform.kubevirt.io/mode]: is empty, so it has no effect"),
    ];
    let found: Vec<_> = cases.iter().map(|(key, value, _)| warned(key, value)).collect();
    assert_eq!(found, cases.map(|(.., says)| vec![says.to_owned()]));
    assert_eq!(warned("example.com/deletion-policy", "Retain"), Vec::<String>::new(), "another domain is not ours");
    let cases = [
        ("vitistack.io/deletion-polcy", "Retain"),
        ("platform.kubevirt.io/deletion-policy", "Retain"),
        (names::DELETION_POLICY, ""),
        (names::DELETION_POLICY, "retain"),
    ];
    every_row(cases, |(key, value)| {
        let wrong = refuse(&annotated(plain(), key, value), &world);
        assert_eq!((wrong.len(), wrong[0].reason), (1, Reason::FieldNotSupported), "{key}");
        assert_eq!(wrong[0].path, format!("metadata.annotations[{key}]"));
        assert!(
            wrong[0].message.contains("Retain") || wrong[0].message.contains(names::DELETION_POLICY),
            "{}",
            wrong[0].message
        );
    });
    let near = annotated(stored("CREATE", &plain(), None, &world), "vitistack.io/deletion-polcy", "Retain");
    let halted = edited(&near, |it| it["spec"]["runStrategy"] = json!("Halted"));
    let warnings = update(&halted, &near, &world).expect("it was stored before anybody looked").warnings;
    assert!(warnings.iter().any(|it| it.contains("nobody reads this annotation")), "{warnings:?}");
    let old = annotated(stored("CREATE", &plain(), None, &world), names::DELETION_POLICY, "");
    let admitted =
        update(&edited(&old, |it| it["spec"]["runStrategy"] = json!("Halted")), &old, &world).expect("editable");
    assert!(
        admitted.warnings.iter().any(|it| it.contains("supported values: Delete, Retain, Orphan")),
        "{:?}",
        admitted.warnings
    );
}

#[test]
fn fr8_a_selector_is_compared_with_the_cluster_whichever_of_the_two_changes() {
    let mut world = world(&["east", "west"]);
    for (name, region) in [("east", "eu"), ("west", "us")] {
        config(&mut world, name).labels.insert("region".to_owned(), region.to_owned());
    }
    let on_east = annotated(plain(), names::KUBEVIRT_CONFIG, "east");
    let old = settled(&on_east, &world, json!([]));
    let select = |region: &str| json!({"matchLabels": {"region": region}});
    let moved = edited(&old, |it| it["spec"]["clusterSelector"] = select("us"));
    let refused = update(&moved, &old, &world).expect_err("it is on east");
    assert_eq!(refused[0].0, "spec.clusterSelector");
    assert!(
        refused[0].1.contains("KubevirtConfig \"east\" does not match, and the Machine is there already"),
        "{}",
        refused[0].1
    );
    update(&edited(&old, |it| it["spec"]["clusterSelector"] = select("eu")), &old, &world).expect("it matches");
    config(&mut world, "east").labels.clear();
    let selected = edited(&old, |it| it["spec"]["clusterSelector"] = select("eu"));
    let halted = edited(&selected, |it| it["spec"]["runStrategy"] = json!("Halted"));
    update(&halted, &selected, &world).expect("X76: the labels of the cluster changed, and not the Machine");
}

#[test]
fn fr9_x98_one_cluster_under_two_names_is_the_older_one() {
    let mut world = world(&["east", "east-again", "west"]);
    for (name, id, since) in
        [("east", "c-1", "2026-01-02"), ("east-again", "c-1", "2026-03-04"), ("west", "c-2", "2026-02-03")]
    {
        config(&mut world, name).identity = Some((id.to_owned(), since.to_owned()));
    }
    world.find_duplicates();
    let wrong = refuse(&plain(), &world);
    assert_eq!(wrong[1].message, "set it to one of: east, west");
    let wrong = refuse(&annotated(plain(), names::KUBEVIRT_CONFIG, "east-again"), &world);
    assert_eq!((wrong.len(), wrong[0].reason), (1, Reason::ClusterDuplicate));
    assert!(wrong[0].message.ends_with("takes no new Machines: name \"east\""), "{}", wrong[0].message);
    config(&mut world, "east").virtual_machines = false;
    let wrong = refuse(&annotated(plain(), names::KUBEVIRT_CONFIG, "east-again"), &world);
    assert!(wrong[0].message.ends_with("that one is not for this Machine either"), "{}", wrong[0].message);
    config(&mut world, "east").virtual_machines = true;
    let there = annotated(plain(), names::KUBEVIRT_CONFIG, "east-again");
    let mut alone = world.clone();
    alone.configs.remove(&ClusterName("east".to_owned()));
    alone.find_duplicates();
    let old = stored("CREATE", &there, None, &alone);
    assert_eq!(admit(&there, &alone).placement.map(|it| it.cluster.0).as_deref(), Some("east-again"), "it took over");
    update(&edited(&old, |it| it["spec"]["runStrategy"] = json!("Halted")), &old, &world)
        .expect("Machines there go on");
}

#[test]
fn fr11_a_cluster_that_cannot_serve_is_warned_of_on_every_write() {
    let mut world = world(&["east"]);
    let old = settled(&plain(), &world, json!([]));
    let halted = edited(&old, |it| it["spec"]["runStrategy"] = json!("Halted"));
    let warned = |world: &World| update(&halted, &old, world).expect("admitted").warnings.join("\n");
    assert_eq!(warned(&world), "");
    config(&mut world, "east").inventory.silent = Some("no answer within 10 s".to_owned());
    assert!(
        warned(&world).contains("KubevirtConfig \"east\" is not usable now, so this change waits: no answer"),
        "{}",
        warned(&world)
    );
    config(&mut world, "east").unhealthy = Some("the kubeconfig leads elsewhere".to_owned());
    assert!(warned(&world).contains("so this change waits: the kubeconfig leads elsewhere"), "{}", warned(&world));
    world.configs.clear();
    assert!(warned(&world).contains("KubevirtConfig \"east\" is gone"), "{}", warned(&world));
}

#[test]
fn fr12_a_limit_is_one_number_and_a_size_without_a_unit_is_said_to_be_bytes() {
    let world = world(&["east"]);
    let mut long = plain();
    long["metadata"]["name"] = json!("a".repeat(61));
    let message = refuse(&long, &world)[0].message.clone();
    assert!(message.contains("has 61 characters and may have 60") && !message.contains("63"), "{message}");
    let says = |spec: Value| refuse(&machine(spec), &world)[0].message.clone();
    let disk = says(json!({"template": "small", "disks": [{"name": "data", "size": 20}]}));
    assert!(disk.starts_with("Invalid value: \"20 bytes\": the size of a disk must be between"), "{disk}");
    let memory = says(json!({"template": "small", "resources": {"memory": {"size": "8"}}}));
    assert!(memory.starts_with("Invalid value: \"8 bytes\": "), "{memory}");
}

#[test]
fn fr13_tags_are_said_to_go_nowhere() {
    let warnings = admit(&machine(json!({"template": "small", "tags": {"team": "shop"}})), &world(&["east"])).warnings;
    assert_eq!(warnings, ["without effect on KubeVirt: spec.tags"]);
}

#[test]
fn fr14_what_depends_on_the_named_cluster_is_judged_although_placement_is_refused() {
    let mut world = world(&["east"]);
    config(&mut world, "east").virtual_machines = false;
    let mut machine = annotated(plain(), names::KUBEVIRT_CONFIG, "east");
    machine["spec"]["disks"] = json!([{"name": "data", "size": "1Gi", "storageClass": "gone"}]);
    let reasons: Vec<_> = refuse(&machine, &world).iter().map(|it| it.reason).collect();
    assert_eq!(reasons, [Reason::CapabilityMissing, Reason::StorageClassNotFound]);
    let others = json!({"matchLabels": {"kubernetes.io/metadata.name": "other"}});
    config(&mut world, "east").allowed_namespaces = serde_json::from_value(others).expect("a selector");
    let reasons: Vec<_> = refuse(&machine, &world).iter().map(|it| it.reason).collect();
    assert_eq!(reasons, [Reason::KubevirtConfigNotAllowed, Reason::CapabilityMissing], "what it has is not told (T10)");
}

#[test]
fn fr21_every_other_mistake_comes_with_a_wrong_type() {
    let object = json!({"metadata": {"name": "web"}, "spec": {
        "memory": "8Gi", "template": 7, "runStrategy": "Sometimes",
        "disks": [{"name": "a", "size": true}, {"name": "b", "size": "2GB"}],
    }});
    let wrong: Undecodable = decode(review("CREATE", &object, None).as_bytes()).expect_err("wrong types");
    let found = judge_undecodable(wrong, &world(&["east"]));
    let paths: Vec<_> = found.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(paths, ["spec.disks[0].size", "spec.disks[1].size", "spec.memory", "spec.runStrategy", "spec.template"]);
    let sizeless = json!({"metadata": {"name": "web"}, "spec": {
        "resources": {"cpu": {"cores": 1}, "memory": 8},
        "cloudInit": {"userDataSecretRef": {"name": "user-data", "key": "userdata"}},
    }});
    let wrong = decode(review("CREATE", &sizeless, None).as_bytes()).expect_err("a wrong type");
    let found = judge_undecodable(wrong, &world(&["east"]));
    let paths: Vec<_> = found.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(
        paths,
        ["spec.resources.memory"],
        "what follows from it, and what would have to be asked, are no mistakes"
    );
    let nothing = json!({"metadata": {"name": "web"}, "spec": []});
    let wrong = decode(review("CREATE", &nothing, None).as_bytes()).expect_err("a wrong type");
    assert_eq!(judge_undecodable(wrong, &world(&["east"])).len(), 1, "of nothing else anything is known");
}
