//! Rules about networks, and about what the chosen cluster has.

use super::*;

fn attached(network: &str) -> Value {
    with("networks", json!([{"name": "eth0", "networkName": network}]))
}

fn class(name: &str) -> Value {
    with("disks", json!([{"name": "data", "size": "1Gi", "storageClass": name}]))
}

#[test]
fn c25_c47_x36_networks_that_interfaces_join() {
    use Reason::NetworkConfigurationNotFound as NotFound;
    let path = "spec.networks[0].networkName";
    let published = with("network", json!({"networkNamespaceName": "prod-nett"}));
    #[rustfmt::skip]
    let rows = vec![
        ("C47: a slip",           attached("prod-netwrok"), path, NotFound, "not found in namespace default: known are mgmt-network, prod-net, prod-network; use one of them or create the NetworkConfiguration (did you mean \"prod-network\"?)"),
        ("X59: a record",         attached("old-vm"), path, NotFound, "is the record of a Machine and no network"),
        ("T14: another namespace", attached("shop/prod-network"), path, NotFound, "not found in namespace default"),
        ("X36: the published field", published, "spec.network.networkNamespaceName", NotFound, "create the NetworkNamespace (did you mean \"prod-net\"?)"),
        ("X36: a configuration is no namespace", with("network", json!({"networkNamespaceName": "prod-network"})), "spec.network.networkNamespaceName", NotFound, "known are prod-net"),
    ];
    refused(rows, &networked());
    let cases = [
        attached("prod-network"),
        attached("prod-net"),
        attached(""),
        with("network", json!({"networkNamespaceName": "prod-net"})),
    ];
    every_row(cases, |good| drop(admit(&machine(good), &networked())));
    let none = refuse(&machine(attached("prod")), &world(&["east"]));
    assert!(none[0].message.contains("in namespace default: there is none;"), "{}", none[0].message);
    let beside = json!({"template": "small", "networks": [{"name": "a"}], "network": {"networkNamespaceName": "gone"}});
    let warnings = admit(&machine(beside), &networked()).warnings;
    assert_eq!(warnings[0], "without effect on KubeVirt: spec.network.networkNamespaceName (spec.networks counts)");
}

#[test]
fn x36_a_network_that_may_exist_is_not_refused() {
    let mut unknown = networked();
    unknown.networks.unlisted = Some("403: forbidden".to_owned());
    let says = |path: &str| {
        format!(
            "{path}: whether there is a NetworkNamespace \"late\" is not known, they could not be listed: 403: forbidden"
        )
    };
    let published = with("network", json!({"networkNamespaceName": "late"}));
    let warnings = admit(&machine(published.clone()), &unknown).warnings.join("\n");
    assert!(warnings.contains(&says("spec.network.networkNamespaceName")), "{warnings}");
    let warnings = admit(&machine(attached("late")), &unknown).warnings.join("\n");
    assert!(warnings.contains(&says("spec.networks[0].networkName")), "{warnings}");
    let before = stored("CREATE", &machine(attached("late")), None, &unknown);
    let again = warned(edited(&before, &unknown, halted));
    assert!(!again.contains("is not known"), "what was there before is not said again: {again}");
    let known = warned(edited(&before, &networked(), halted));
    assert!(known.contains("NetworkNamespace \"late\" not found"), "X76: {known}");
    assert_eq!(refuse(&machine(published), &networked())[0].reason, Reason::NetworkConfigurationNotFound);
}

#[test]
fn c25_c48_x23_x69_storage_classes_of_the_chosen_cluster() {
    let with_class = |name: &str| {
        knowing(world(&["east"]), "east", |config| config.inventory.storage_classes.insert_mut(name.to_owned(), ()))
    };
    let rows = vec![(
        "C48: a slip",
        class("fast-sdd"),
        "spec.disks[0].storageClass",
        Reason::StorageClassNotFound,
        "StorageClass \"fast-sdd\" not found on cluster \"east\": known are fast-ssd; update storageClass or create the StorageClass (did you mean \"fast-ssd\"?)",
    )];
    refused(rows, &world(&["east"]));
    admit(&machine(class("fast-ssd")), &world(&["east"]));
    admit(&machine(class("default")), &world(&["east"])); // X23
    admit(&machine(class("default")), &with_class("default"));
    let silent =
        knowing(world(&["east"]), "east", |config| config.inventory.silent = Some("connection refused".to_owned()));
    let warnings =
        admit(&annotated(machine(class("slow")), names::KUBEVIRT_CONFIG, "east"), &silent).warnings.join("\n");
    assert!(
        warnings.contains(
            "whether cluster \"east\" has StorageClass \"slow\" is not known, its watches do not answer: connection refused"
        ),
        "X69: {warnings}"
    );
    admit(&annotated(machine(class("fast-ssd")), names::KUBEVIRT_CONFIG, "east"), &silent);
    let two = world(&["east", "west"]);
    let two = knowing(two, "west", |config| config.inventory.storage_classes = Default::default());
    let on = |cluster: &str| {
        judge("CREATE", &annotated(machine(class("fast-ssd")), names::KUBEVIRT_CONFIG, cluster), None, &two)
    };
    assert_eq!(reasons(on("east")), []);
    assert_eq!(
        reasons(on("west")),
        [("spec.disks[0].storageClass".to_owned(), Reason::StorageClassNotFound)],
        "the chosen cluster counts"
    );
}

#[test]
fn c25_c49_x68_room_on_the_chosen_cluster() {
    let room = |cpu, memory| Room { cpu: Some(cpu), memory: Some(memory) };
    let sized = |largest: Room, free: Room| {
        knowing(world(&["east"]), "east", |config| config.capacity = Some(Capacity { largest, free, read: None }))
    };
    let tight = sized(room(8000, 16 << 30), room(1500, 4 << 30));
    let cpu = |cores: i64| with("resources", json!({"cpu": {"cores": cores}}));
    #[rustfmt::skip]
    let rows = vec![
        ("C49: cores",  cpu(9), "spec.resources.cpu.cores", Reason::InsufficientResources, "needs 9 CPUs, but the largest node of cluster \"east\" has 8 CPUs: scale the cluster or reduce the resource requests"),
        ("C49: threads", with("resources", json!({"cpu": {"threads": 3, "sockets": 3}})), "spec.resources.cpu.threads", Reason::InsufficientResources, "needs 9 CPUs"),
        ("C49: memory", with("resources", json!({"memory": {"size": "17Gi"}})), "spec.resources.memory.size", Reason::InsufficientResources, "needs 17Gi, but the largest node of cluster \"east\" has 16Gi"),
        ("C49: bytes",  with("memory", json!(17_i64 << 30)), "spec.memory", Reason::InsufficientResources, "needs 17Gi"),
    ];
    refused(rows, &tight);
    let small = sized(room(500, 1 << 30), Room::default());
    let paths: Vec<String> = reasons(judge("CREATE", &machine(json!({"template": "small"})), None, &small))
        .into_iter()
        .map(|it| it.0)
        .collect();
    assert_eq!(paths, ["spec.template", "spec.template"], "a template that no node can hold");
    let full = warned(judge("CREATE", &machine(cpu(2)), None, &tight));
    assert!(full.contains("spec.resources.cpu.cores: needs 2 CPUs, and cluster \"east\" has 1.5 CPUs left: the VM waits until there is room"), "{full}");
    let unknown = sized(Room::default(), Room::default());
    assert_eq!(admit(&machine(cpu(200)), &unknown).warnings, Vec::<String>::new(), "X68: unknown is silent");
    assert_eq!(admit(&machine(cpu(200)), &world(&["east"])).warnings, Vec::<String>::new());
}

#[test]
fn c25_every_documented_error_has_its_recovery_in_reason_and_message() {
    #[rustfmt::skip]
    let rows = [
        (Reason::TemplateNotFound,             "TemplateNotFound",             "valid template name"),
        (Reason::NetworkConfigurationNotFound, "NetworkConfigurationNotFound", "Create the required NetworkConfiguration"),
        (Reason::StorageClassNotFound,         "StorageClassNotFound",         "Update storageClass"),
        (Reason::InsufficientResources,        "InsufficientResources",        "Scale the cluster"),
        (Reason::KubeVirtApiError,             "KubeVirtApiError",             "Check the KubeVirt installation and the permissions"),
    ];
    every_row(rows, |(reason, code, hint)| {
        assert_eq!(reason.code(), code);
        assert!(reason.next_step().contains(hint), "{code}: {}", reason.next_step());
    });
    let full = knowing(networked(), "east", |config| {
        config.capacity = Some(Capacity { largest: Room { cpu: Some(1), memory: None }, ..Capacity::default() });
    });
    let spec = json!({"template": "tiny", "networks": [{"name": "a", "networkName": "gone"}], "disks": [{"name": "d", "size": "1Gi", "storageClass": "gone"}]});
    let wrong = refuse(&machine(spec), &full);
    let said: Vec<&str> = wrong.iter().map(|it| it.reason.code()).collect();
    assert_eq!(said, ["StorageClassNotFound", "NetworkConfigurationNotFound", "TemplateNotFound"], "all at once");
    let cases =
        [(0, "update storageClass or create"), (1, "create the NetworkConfiguration"), (2, "use valid template name")];
    every_row(cases, |(at, hint)| assert!(wrong[at].message.contains(hint), "{}", wrong[at].message));
}
