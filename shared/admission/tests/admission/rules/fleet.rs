//! Rules about other Machines, and about what was there before (X76) or is not there yet (X77).

use model::machine::owner::{Owner, Ownership};
use model::names::VmKey;

use super::*;

type Edit = fn(&mut Value);

/// A fleet in which `default/web-data` lives on east with a root disk, so that its claim is `web-data-root`.
fn fleet() -> World {
    let mut world = world(&["east", "west"]);
    let name = |kind, name: &str| Name {
        cluster: ClusterName("east".to_owned()),
        namespace: "default".to_owned(),
        kind,
        name: name.to_owned(),
    };
    let names = vec![
        name("VirtualMachine", "vm-web-data"),
        name("PersistentVolumeClaim", "web-data-root"),
        name("PersistentVolumeClaim", "web-data-iso"),
    ];
    let held = Held {
        cluster: Some(ClusterName("east".to_owned())),
        names,
        macs: vec!["52:54:00:aa:00:01".to_owned()],
        ..Held::default()
    };
    world.machines.put(&key("web-data"), held);
    world
}

#[test]
fn x16_x38_kvo8_t12_names_that_another_machine_has_on_the_cluster() {
    let on = |cluster: &str, namespace: &str, spec: Value, world: &World| {
        let object = annotated(machine(spec), names::KUBEVIRT_CONFIG, cluster);
        let mut review: Value = serde_json::from_str(&review("CREATE", &object, None)).expect("JSON");
        review["request"]["namespace"] = json!(namespace);
        decide(&decode(review.to_string().as_bytes()).expect("a review").request, world)
    };
    let root = with("disks", json!([{"name": "data-root", "size": "1Gi"}]));
    let refusal = vec![("spec.disks[0].name".to_owned(), Reason::NameTaken)];
    let Verdict::Refuse(wrong) = on("east", "default", root.clone(), &fleet()) else {
        panic!("web + data-root is web-data + root")
    };
    assert!(wrong[0].message.contains("PersistentVolumeClaim default/web-data-root on cluster \"east\", which Machine default/web-data has already"), "{}", wrong[0].message);
    assert_eq!(reasons(on("west", "default", root.clone(), &fleet())), [], "another cluster");
    assert_eq!(reasons(on("east", "shop", root.clone(), &fleet())), [], "another namespace");
    let mapped = knowing(fleet(), "east", |config| config.namespace = Some("default".to_owned()));
    assert_eq!(reasons(on("east", "shop", root, &mapped)), refusal, "X38: a namespace that is mapped there");
    let iso = with("disks", json!([{"name": "data-iso", "size": "1Gi"}]));
    assert_eq!(reasons(on("east", "default", iso, &fleet())), refusal, "KVO8: a CD-ROM's claim");
    let mut named = fleet();
    Arc::make_mut(&mut named.policy).vm_prefix = "vm-web-".to_owned();
    let mut data = annotated(machine(json!({"template": "small"})), names::KUBEVIRT_CONFIG, "east");
    data["metadata"]["name"] = json!("data");
    let Verdict::Refuse(wrong) = judge("CREATE", &data, None, &named) else { panic!("one VM for two Machines") };
    assert_eq!(first(&wrong), (Reason::NameTaken, "metadata.name"));
    assert!(wrong[0].message.contains("VirtualMachine default/vm-web-data"), "{}", wrong[0].message);
    let mut itself = annotated(machine(json!({"template": "small"})), names::KUBEVIRT_CONFIG, "east");
    itself["metadata"]["name"] = json!("web-data");
    assert_eq!(reasons(judge("CREATE", &itself, None, &fleet())), [], "its own names are no collision");
}

#[test]
fn c6_mac_addresses_that_another_machine_has() {
    let mac = |mac: &str| {
        annotated(machine(with("networks", json!([{"name": "a", "macAddress": mac}]))), names::KUBEVIRT_CONFIG, "west")
    };
    let wrong = refuse(&mac("52:54:00:AA:00:01"), &fleet());
    assert_eq!(first(&wrong), (Reason::FieldDuplicate, "spec.networks[0].macAddress"));
    assert!(wrong[0].message.contains("Machine default/web-data has this address"), "{}", wrong[0].message);
    admit(&mac("52:54:00:aa:00:02"), &fleet());
}

#[test]
fn x59_a_shared_network_of_the_machines_name_is_not_overwritten() {
    let mut world = networked();
    let named = |name: &str| json!({"metadata": {"name": name, "namespace": "default"}, "spec": {"template": "small"}});
    let wrong = refuse(&named("prod-network"), &world);
    assert_eq!(first(&wrong), (Reason::NameTaken, "metadata.name"));
    assert!(wrong[0].message.contains("a NetworkConfiguration of that name exists"), "{}", wrong[0].message);
    admit(&named("old-vm"), &world); // its own record, or one that the controller will find to be another's
    let before = stored("CREATE", &named("late"), None, &world);
    world.networks.configurations.insert_mut(key("late"), false);
    let warnings = warned(edited(&before, &world, halted));
    assert!(warnings.contains("metadata.name: Invalid value: \"late\""), "X76: {warnings}");
}

#[test]
fn x38_atk4_the_recorded_namespace_counts_whatever_the_config_says_since() {
    let spec = json!({"template": "small", "disks": [{"name": "data", "size": "1Gi"}]});
    let mut before = stored("CREATE", &machine(spec), None, &networked());
    let claim = Name {
        cluster: ClusterName("east".to_owned()),
        namespace: "tenants".to_owned(),
        kind: "PersistentVolumeClaim",
        name: "web-data".to_owned(),
    };
    let mut now = knowing(networked(), "east", |config| config.namespace = Some("tenants".to_owned()));
    now.machines.put(&key("other"), Held { names: vec![claim], ..Held::default() });
    let taken = warned(edited(&before, &now, halted));
    assert!(taken.contains("which Machine default/other has already"), "not recorded yet: {taken}");
    let source = |namespace: &str| {
        let source = json!({"pvc": {"name": "image", "namespace": namespace}});
        move |it: &mut Value| {
            it["spec"]["disks"] = json!([it["spec"]["disks"][0], {"name": "copy", "size": "1Gi", "source": source}]);
        }
    };
    let forbidden = |field: &str| [(format!("spec.disks[1].source.pvc{field}"), Reason::FieldForbidden)];
    // ATK4: the status of `forged` names a namespace where nothing of this Machine is. T14: where its KubevirtConfig sends it is shared.
    let mut forged = before.clone();
    forged["status"] = json!({"kubevirtConfigRef": {"name": "east", "clusterId": "c-1", "namespace": "forged"}});
    assert_eq!(reasons(edited(&forged, &now, source("forged"))), forbidden(""), "not believed");
    assert_eq!(reasons(edited(&forged, &now, source("tenants"))), forbidden(""), "where its KubevirtConfig sends it");
    before["metadata"]["uid"] = json!("m-1");
    let owner = Some(Owner::Machine { name: String::new(), supervisor: String::new(), uid: "m-1".to_owned() });
    let now = knowing(now, "east", |config| {
        let vm = VmKey { namespace: "apart".to_owned(), name: "vm-web".to_owned() };
        config.inventory.vms.insert_mut(vm, Ownership { owner, ..Ownership::default() });
    });
    let rows = [(json!(null), "default", "tenants", false), (json!("apart"), "apart", "default", true)];
    every_row(rows, |(recorded, own, other, shared)| {
        before["status"] = json!({"kubevirtConfigRef": {"name": "east", "clusterId": "c-1", "namespace": recorded}});
        assert_eq!(warned(edited(&before, &now, halted)), "", "its disks are in {own}");
        let within = if shared { forbidden("").to_vec() } else { Vec::new() };
        assert_eq!(reasons(edited(&before, &now, source(own))), within, "T14: {own}");
        let beyond = forbidden(if shared { "" } else { ".namespace" });
        assert_eq!(reasons(edited(&before, &now, source(other))), beyond, "{own}");
    });
}

#[test]
fn x76_what_was_accepted_once_is_a_warning_and_what_is_new_is_refused() {
    let mut now = networked();
    let spec = json!({
        "template": "small", "networks": [{"name": "a", "networkName": "prod-network", "macAddress": "52:54:00:aa:00:01"}],
        "disks": [{"name": "data", "size": "1Gi", "storageClass": "fast-ssd"}], "machineType": "q35",
        "resources": {"cpu": {"cores": 4}},
    });
    let before = stored("CREATE", &machine(spec), None, &now);
    now = knowing(world(&["east", "west"]), "east", |config| {
        config.inventory.storage_classes = Default::default();
        config.emulated_machines = Some(vec!["virt*".to_owned()]);
        config.capacity = Some(Capacity {
            largest: Room { cpu: Some(2000), memory: None },
            free: Room { cpu: Some(0), memory: Some(0) },
            read: None,
        });
    });
    let held = Held {
        macs: vec!["52:54:00:aa:00:01".to_owned()],
        names: vec![Name {
            cluster: ClusterName("east".to_owned()),
            namespace: "default".to_owned(),
            kind: "PersistentVolumeClaim",
            name: "web-data".to_owned(),
        }],
        ..Held::default()
    };
    now.machines.put(&key("other"), held);
    let warnings = warned(edited(&before, &now, halted));
    #[rustfmt::skip]
    let held = [
        "spec.networks[0].networkName: NetworkConfiguration or NetworkNamespace \"prod-network\" not found", "spec.networks[0].macAddress: Duplicate value",
        "spec.disks[0].storageClass: StorageClass \"fast-ssd\" not found", "spec.disks[0].name: Invalid value: \"data\"",
        "spec.machineType: Unsupported value: \"q35\"", "spec.resources.cpu.cores: needs 4 CPUs, but the largest node",
    ];
    every_row(held, |line| assert!(warnings.contains(line), "{line}: {warnings}"));
    assert!(!warnings.contains("waits until there is room"), "it has its room already: {warnings}");
    #[rustfmt::skip]
    let edits: [(&str, Edit, Reason); 6] = [
        ("spec.networks[0].networkName", |it| it["spec"]["networks"][0]["networkName"] = json!("gone"), Reason::NetworkConfigurationNotFound),
        ("spec.disks[0].storageClass",   |it| it["spec"]["disks"][0]["storageClass"] = json!("gone"), Reason::StorageClassNotFound),
        ("spec.disks[1].storageClass",   |it| it["spec"]["disks"] = json!([it["spec"]["disks"][0], {"name": "more", "size": "1Gi", "storageClass": "fast-ssd"}]), Reason::StorageClassNotFound),
        ("spec.machineType",             |it| it["spec"]["machineType"] = json!("pc-q35"), Reason::FieldNotSupported),
        ("spec.resources.cpu.cores",     |it| it["spec"]["resources"]["cpu"]["cores"] = json!(5), Reason::InsufficientResources),
        ("spec.disks[0].storageClass",   |it| it["metadata"]["annotations"][names::KUBEVIRT_CONFIG] = json!("west"), Reason::StorageClassNotFound),
    ];
    let now = knowing(now, "west", |config| config.inventory.storage_classes = Default::default());
    every_row(edits, |(path, edit, reason)| {
        assert_eq!(reasons(edited(&before, &now, edit)), [(path.to_owned(), reason)], "{path}");
    });
}

#[test]
fn x77_rules_about_the_name_wait_until_there_is_one() {
    let mut world = fleet();
    world.networks.configurations.insert_mut(key(""), false);
    let mut object = annotated(machine(json!({"template": "small"})), names::KUBEVIRT_CONFIG, "east");
    object["metadata"] = json!({"generateName": "web-data-", "annotations": object["metadata"]["annotations"]});
    let mut review: Value = serde_json::from_str(&review("CREATE", &object, None)).expect("JSON");
    review["request"]["name"] = json!("");
    let verdict = decide(&decode(review.to_string().as_bytes()).expect("a review").request, &world);
    assert_eq!(reasons(verdict), []);
    object["metadata"]["name"] = json!("a".repeat(61));
    assert_eq!(reasons(judge("CREATE", &object, None, &world)), [("metadata.name".to_owned(), Reason::FieldInvalid)]);
}

#[test]
fn x62_x79_a_machine_changes_its_operator_only_by_orphaning() {
    let ours = stored("CREATE", &machine(json!({"template": "small"})), None, &world(&["east"]));
    let mut theirs = ours.clone();
    theirs["spec"]["provider"] = json!("aws");
    let Verdict::Refuse(wrong) = judge("UPDATE", &theirs, Some(&ours), &world(&["east"])) else { panic!("abandoned") };
    assert_eq!(first(&wrong), (Reason::ProviderImmutable, "spec.provider"));
    assert!(wrong[0].message.contains("vitistack.io/deletion-policy: Orphan"), "{}", wrong[0].message);
    // The other way round it is a new Machine: nothing of it counts as held.
    let mut before = machine(with("networks", json!([{"name": "a", "networkName": "gone"}])));
    before["spec"]["provider"] = json!("aws");
    let taken = edited(&before, &world(&["east"]), |it| it["spec"]["provider"] = json!("kubevirt"));
    assert_eq!(reasons(taken), [("spec.networks[0].networkName".to_owned(), Reason::NetworkConfigurationNotFound)]);
}

#[test]
fn c1_x1_documented_labels_are_read_or_kept() {
    let mut labelled = machine(json!({}));
    labelled["metadata"]["labels"] =
        json!({"cluster.vitistack.io/cluster-name": "prod", "vitistack.io/machine-template": "medium"});
    let after = stored("CREATE", &labelled, None, &world(&["east"]));
    assert_eq!(after["metadata"]["labels"], labelled["metadata"]["labels"], "admission writes no labels");
    assert_eq!(sizing(&labelled, &world(&["east"])).cores, 2);
    labelled["spec"]["template"] = json!("small");
    let wrong = refuse(&labelled, &world(&["east"]));
    assert_eq!(first(&wrong), (Reason::TemplateConflict, "spec.template"));
    assert!(wrong[0].message.contains("metadata.labels[vitistack.io/machine-template] is \"medium\""), "{wrong:?}");
}

/// Labels of a Machine do not reach a cluster, so nobody can write ours by way of his own.
#[test]
fn t13_what_a_user_labels_is_not_copied_and_our_labels_are_not_his() {
    use model::machine::{Intent, Shown, labels};
    let mut hostile = stored("CREATE", &machine(json!({"template": "small"})), None, &world(&["east"]));
    hostile["apiVersion"] = json!("vitistack.io/v1alpha1");
    hostile["kind"] = json!("Machine");
    hostile["metadata"]["uid"] = json!("m-1");
    hostile["metadata"]["labels"] =
        json!({names::MACHINE_UID: "m-2", names::SUPERVISOR: "s-2", "app": "front", "kubevirt.io/nodeName": "n1"});
    let Intent::Run(admitted) =
        Intent::of(&serde_json::from_value(hostile).expect("a Machine"), "vm-", None, &Shown::new())
    else {
        panic!("admitted")
    };
    let labels = labels::owner(&admitted.identity, "s-1");
    let wanted = json!({
        names::MANAGED_BY: "kubevirt-operator", names::MACHINE: "web", names::SOURCE_MACHINE: "web", names::MACHINE_UID: "m-1", names::SUPERVISOR: "s-1",
    });
    assert_eq!(labels, wanted);
}

#[test]
fn x56_a_machine_with_an_old_long_name_gets_no_disk_whose_claim_has_no_name() {
    let mut before = machine(with("disks", json!([{"name": "d".repeat(60), "size": "1Gi"}])));
    before["metadata"]["name"] = json!("m".repeat(200));
    assert_eq!(reasons(edited(&before, &world(&["east"]), halted)), [], "X76: what it has, it keeps");
    let more = |name: String| {
        edited(&before, &world(&["east"]), |it| {
            it["spec"]["disks"] = json!([it["spec"]["disks"][0], {"name": name, "size": "1Gi"}]);
        })
    };
    assert_eq!(reasons(more("e".repeat(52))), []);
    assert_eq!(reasons(more("e".repeat(53))), [("spec.disks[1].name".to_owned(), Reason::FieldInvalid)]);
}
