//! Rules about a Machine alone.

use super::*;

const CLOUD: &str = "https://images.example.org/a.img";

fn disk(value: Value) -> Value {
    let mut disk = json!({"name": "data", "size": "1Gi"});
    for (key, value) in value.as_object().expect("an object") {
        disk[key] = value.clone();
    }
    with("disks", json!([disk]))
}

fn source(value: Value) -> Value {
    disk(json!({"source": value}))
}

#[test]
fn c2_c3_c7_a23_words_names_and_numbers() {
    use Reason::{FieldDuplicate, FieldInvalid, FieldNotSupported, FieldRequired};
    #[rustfmt::skip]
    let rows = vec![
        ("C2: an empty name",      json!({"template": "", "machineClass": "small"}), "spec.template", FieldInvalid, "leave the field out"),
        ("E10: threads",           with("resources", json!({"cpu": {"threads": 9}})), "spec.resources.cpu.threads", FieldInvalid, "Invalid value: 9: must be between 1 and 8"),
        ("E10: published sockets", with("cpu", json!({"sockets": 17})), "spec.cpu.sockets", FieldInvalid, "between 1 and 16"),
        ("E10: negative",          with("cpu", json!({"cores": -1})), "spec.cpu.cores", FieldInvalid, "between 1 and 256"),
        ("C3: too much memory",    with("memory", json!(1_i64 << 50)), "spec.memory", FieldInvalid, "at most 64Ti"),
        ("C3: a sign",             with("resources", json!({"memory": {"size": "+2Gi"}})), "spec.resources.memory.size", FieldInvalid, "must be a quantity such as \"20Gi\""),
        ("C3: thousandths",        with("resources", json!({"memory": {"size": "4000000000000m"}})), "spec.resources.memory.size", FieldInvalid, "must be a quantity"),
        ("C7: a device",           with("bootOrder", json!(["disk", "netwrok"])), "spec.bootOrder[1]", FieldNotSupported, "did you mean \"network\"?"),
        ("C7: a device twice",     with("bootOrder", json!(["disk", "network", "disk"])), "spec.bootOrder[2]", FieldDuplicate, "spec.bootOrder[0] says it already"),
        ("A23: no name",           with("kubevirtConfigRef", json!({})), "spec.kubevirtConfigRef.name", FieldRequired, "name a KubevirtConfig"),
        ("X74: an architecture",   with("os", json!({"architecture": "amd46"})), "spec.os.architecture", FieldNotSupported, "did you mean \"amd64\"?"),
        ("runStrategy: empty",     with("runStrategy", json!("")), "spec.runStrategy", FieldNotSupported, "supported values: Always"),
    ];
    refused(rows, &world(&["east"]));
}

/// Placement may have its own word about such a selector.
#[test]
fn a25_a_selector_says_what_it_compares() {
    let expression = |expression: Value| with("clusterSelector", json!({"matchExpressions": [expression]}));
    #[rustfmt::skip]
    let rows = [
        (expression(json!({"key": "a", "operator": "in"})), "operator", Reason::FieldNotSupported, "did you mean \"In\"?"),
        (expression(json!({"key": "a", "operator": "In"})), "values", Reason::FieldInvalid, "In and NotIn need values"),
        (expression(json!({"key": "a", "operator": "Exists", "values": ["b"]})), "values", Reason::FieldInvalid, "take none"),
        (expression(json!({"key": "", "operator": "Exists"})), "key", Reason::FieldInvalid, "at least 1 character"),
    ];
    every_row(rows, |(spec, field, reason, says)| {
        let path = format!("spec.clusterSelector.matchExpressions[0].{field}");
        let wrong = refuse(&machine(spec), &world(&["east"]));
        let found = wrong.iter().find(|it| it.path == path && it.reason == reason);
        assert!(found.is_some_and(|it| it.message.contains(says)), "{path}: {wrong:?}");
    });
}

#[test]
fn c4_c5_kvo9_disks() {
    use Reason::{FieldDuplicate, FieldInvalid, FieldNotSupported, SizingConflict};
    #[rustfmt::skip]
    let rows = vec![
        ("C4: a long name",       disk(json!({"name": "d".repeat(64)})), "spec.disks[0].name", FieldInvalid, "at most 63 characters"),
        ("C4: a small disk",      disk(json!({"size": "1Ki"})), "spec.disks[0].size", FieldInvalid, "must be between 1Mi and 64Ti"),
        ("C4: a negative number", disk(json!({"size": -5})), "spec.disks[0].size", FieldInvalid, "must not be negative"),
        ("X64: too many GiB",     with("disks", json!([{"name": "data", "sizeGB": 65537}])), "spec.disks[0].sizeGB", FieldInvalid, "between 1 and 65536"),
        ("X25: G is no Gi",       disk(json!({"size": "20G", "sizeGB": 20})), "spec.disks[0].size", SizingConflict, "is 20G, but sizeGB is 20 (GiB)"),
        ("C5: modes",             disk(json!({"volumeMode": "block"})), "spec.disks[0].volumeMode", FieldNotSupported, "did you mean \"Block\"?"),
        ("X74: iops",             disk(json!({"iops": 99})), "spec.disks[0].iops", FieldInvalid, "between 100 and 64000"),
        ("X74: throughput",       disk(json!({"throughput": 4001})), "spec.disks[0].throughput", FieldInvalid, "between 125 and 4000"),
        ("KVO9: unnamed and root", with("disks", json!([{"size": "1Gi"}, {"name": "root", "size": "2Gi"}])), "spec.disks[0].name", FieldDuplicate, "\"root\": a disk without a name"),
        ("KVO9: unnamed and diskN", with("disks", json!([{"name": "disk1", "size": "1Gi"}, {"size": "2Gi"}])), "spec.disks[1].name", FieldDuplicate, "spec.disks[0] has that name"),
        ("C24: the data's volume", disk(json!({"name": "cloudinitdisk"})), "spec.disks[0].name", FieldInvalid, "the volume with the cloud-init data"),
        ("KVO8: the CD-ROM",      json!({"template": "small", "os": {"isoUri": CLOUD}, "disks": [{"name": "iso", "size": "1Gi"}]}), "spec.disks[0].name", FieldInvalid, "the CD-ROM has that name"),
    ];
    refused(rows, &world(&["east"]));
    let missing = refuse(&machine(with("disks", json!([{"name": "data", "sizeGB": 0}]))), &world(&["east"]));
    assert_eq!(first(&missing), (Reason::FieldRequired, "spec.disks[0].size"), "KVO9");
    let two = machine(with("disks", json!([{"size": "1Gi"}, {"size": "2Gi"}])));
    let got = sizing(&two, &world(&["east"]));
    let names: Vec<&str> = got.disks.iter().map(|disk| disk.name.as_str()).collect();
    assert_eq!(names, ["root", "disk1"], "KVO9: two disks without a name are two disks");
}

#[test]
fn t6_t14_sources_of_disks() {
    use Reason::{FieldForbidden, FieldInvalid, FieldRequired};
    let http = |url: &str| source(json!({"http": {"url": url}}));
    let url = "spec.disks[0].source.http.url";
    #[rustfmt::skip]
    let rows = vec![
        ("none",                   source(json!({})), "spec.disks[0].source", FieldInvalid, "exactly one of http, registry, pvc and retained, and names 0"),
        ("two",                    source(json!({"http": {"url": CLOUD}, "pvc": {"name": "golden"}})), "spec.disks[0].source", FieldInvalid, "and names 2"),
        ("no URL",                 source(json!({"http": {}})), url, FieldRequired, "Required value"),
        ("T6: a file",             http("file:///etc/shadow"), url, FieldInvalid, "http:// or https://"),
        ("T6: no host",            http("https:///a.img"), url, FieldInvalid, "with a host name"),
        ("T6: a password",         http("https://user:secret@images.example.org/a.img"), url, FieldInvalid, "without user or password"),
        ("T6: metadata service",   http("http://169.254.169.254/latest/meta-data"), url, FieldForbidden, "169.254.0.0/16"),
        ("T6: itself",             http("http://LOCALHOST:8080/a"), url, FieldForbidden, "must not lead to the machine that fetches it"),
        ("T6: itself as a number", http("http://2130706433/a"), url, FieldInvalid, "host name or an address"),
        ("T6: itself in hex",      http("http://0x7f.1/a"), url, FieldInvalid, "host name or an address"),
        ("T6: spaces",             http("https://images.example.org/a b"), url, FieldInvalid, "Invalid value"),
        ("T6: a registry",         source(json!({"registry": {"url": "oci://quay.io/a"}})), "spec.disks[0].source.registry.url", FieldInvalid, "must be a docker:// URL"),
        ("T6: a local registry",   source(json!({"registry": {"url": "docker://localhost:5000/a"}})), "spec.disks[0].source.registry.url", FieldForbidden, "localhost"),
        ("T14: another namespace", source(json!({"pvc": {"name": "golden", "namespace": "other-tenant"}})), "spec.disks[0].source.pvc.namespace", FieldForbidden, "from the namespace of its VM only, \"default\""),
        ("a claim's name",         source(json!({"pvc": {"name": "Golden"}})), "spec.disks[0].source.pvc.name", FieldInvalid, "must be the name of an object"),
        ("T6: an ISO",             with("os", json!({"isoUri": "ftp://a/b.iso"})), "spec.os.isoUri", FieldInvalid, "http:// or https://"),
        ("a kept claim's name",    source(json!({"retained": "Old"})), "spec.disks[0].source.retained", FieldInvalid, "must be the name of an object"),
        ("T6: a file as image",    with("os", json!({"imageID": "file:///etc/shadow"})), "spec.os.imageID", FieldInvalid, "must have at most 2048 characters and be an http://"),
        ("T6: an image by number", with("os", json!({"imageID": "http://2130706433/a"})), "spec.os.imageID", FieldInvalid, "with a host name or an address"),
        ("T6: a local image",      with("os", json!({"imageID": "https://169.254.169.254/a"})), "spec.os.imageID", FieldForbidden, "169.254.0.0/16"),
        ("T6: a local ISO",        with("os", json!({"isoUri": "http://127.0.0.1/b.iso"})), "spec.os.isoUri", FieldForbidden, "127.0.0.0/8"),
    ];
    refused(rows, &world(&["east"]));
    let namespaced = source(json!({"pvc": {"name": "golden", "namespace": "default"}}));
    let cases = [
        http(CLOUD),
        source(json!({"registry": {"url": "docker://quay.io/containerdisks/ubuntu:24.04"}})),
        namespaced,
        source(json!({"retained": "db-data"})),
    ];
    every_row(cases, |good| drop(admit(&machine(good), &world(&["east"]))));
    let mapped = knowing(world(&["east"]), "east", |config| config.namespace = Some("vms".to_owned()));
    every_row(["vms", "default"], |namespace| {
        let copy = source(json!({"pvc": {"name": "golden", "namespace": namespace}}));
        let wrong = refuse(&machine(copy), &mapped);
        assert!(
            wrong[0].message.contains("\"vms\" of cluster \"east\", which several namespaces share"),
            "T14: {wrong:?}"
        );
    });
}

#[test]
fn c6_networks() {
    use Reason::{FieldDuplicate, FieldInvalid, FieldNotSupported, FieldRequired};
    let mac = |mac: &str| with("networks", json!([{"name": "a", "macAddress": mac}]));
    let at = "spec.networks[0].macAddress";
    #[rustfmt::skip]
    let rows = vec![
        ("no name",         with("networks", json!([{"model": "virtio"}])), "spec.networks[0].name", FieldRequired, "give the interface a name"),
        ("a name",          with("networks", json!([{"name": "eth0.1"}])), "spec.networks[0].name", FieldInvalid, "1 to 63 letters"),
        ("C6: a model",     with("networks", json!([{"name": "a", "model": "e100"}])), "spec.networks[0].model", FieldNotSupported, "did you mean \"e1000\"?"),
        ("a name twice",    with("networks", json!([{"name": "a"}, {"name": "a", "networkName": "prod-network"}])), "spec.networks[1].name", FieldDuplicate, "spec.networks[0] has that name"),
        ("two pod networks", with("networks", json!([{"name": "a"}, {"name": "b"}])), "spec.networks[1].networkName", FieldRequired, "spec.networks[0] is on it already"),
        ("dashes",          mac("52-54-00-12-34-56"), at, FieldInvalid, "six hex bytes with colons"),
        ("five bytes",      mac("52:54:00:12:34"), at, FieldInvalid, "six hex bytes"),
        ("multicast",       mac("53:54:00:12:34:56"), at, FieldInvalid, "must be a unicast MAC address"),
        ("broadcast",       mac("ff:ff:ff:ff:ff:ff"), at, FieldInvalid, "unicast"),
        ("nobody's",        mac("00:00:00:00:00:00"), at, FieldInvalid, "are taken"),
        ("the bridge's",    mac("02:00:00:00:00:00"), at, FieldInvalid, "KubeVirt's bridge"),
        ("a MAC twice",     with("networks", json!([{"name": "a", "macAddress": "52:54:00:aa:00:01"}, {"name": "b", "networkName": "prod-network", "macAddress": "52:54:00:AA:00:01"}])), "spec.networks[1].macAddress", FieldDuplicate, "spec.networks[0] has it already"),
    ];
    refused(rows, &networked());
}

#[test]
fn kvo23_t11_x67_reserved_namespaces_hold_no_machines() {
    let mut world = world(&["east"]);
    Arc::make_mut(&mut world.policy).own_namespace = "kubevirt-operator-system".to_owned();
    let decide_in = |namespace: &str, world: &World| {
        let mut review: Value =
            serde_json::from_str(&review("CREATE", &machine(json!({"template": "small"})), None)).expect("JSON");
        review["request"]["namespace"] = json!(namespace);
        decide(&decode(review.to_string().as_bytes()).expect("a review").request, world)
    };
    let cases = [
        "kube-system",
        "kube-public",
        "kube-node-lease",
        "kube-anything",
        "openshift-cnv",
        "kubevirt",
        "cdi",
        "kubevirt-operator-system",
    ];
    every_row(cases, |namespace| {
        let Verdict::Refuse(wrong) = decide_in(namespace, &world) else { panic!("{namespace}") };
        assert_eq!(first(&wrong), (Reason::NamespaceReserved, "metadata.namespace"), "{namespace}");
        assert!(wrong[0].message.contains(&format!("{namespace:?}")), "{}", wrong[0].message);
    });
    every_row(["default", "kubevirt-prod", "cdi-2", "shop"], |namespace| {
        assert!(matches!(decide_in(namespace, &world), Verdict::Admit(_)), "{namespace}");
    });
    let mapped = knowing(world, "east", |config| config.namespace = Some("kube-system".to_owned()));
    let Verdict::Refuse(wrong) = decide_in("shop", &mapped) else { panic!("a mapping into kube-system") };
    assert!(
        wrong[0].message.contains("KubevirtConfig \"east\" sends it to the reserved namespace"),
        "{}",
        wrong[0].message
    );
}

#[test]
fn x55_lists_and_texts_that_are_too_large_are_refused_first() {
    let world = world(&["east"]);
    let many = |count: usize, entry: Value| json!(vec![entry; count]);
    #[rustfmt::skip]
    let rows = [
        (with("networks", many(257, json!({"name": "a"}))), "spec.networks", "must have at most 256 items"),
        (with("sshKeys", many(257, json!("a"))), "spec.sshKeys", "must have at most 256 items"),
        (with("bootOrder", many(4, json!("disk"))), "spec.bootOrder", "must have at most 3 items"),
        (with("machineType", json!("q".repeat(254))), "spec.machineType", "Too long: 254 bytes"),
        (with("sshKeys", json!(["k".repeat(16385)])), "spec.sshKeys[0]", "Too long: 16385 bytes: must have at most 16384"),
        (with("os", json!({"isoUri": "h".repeat(2049)})), "spec.os.isoUri", "must have at most 2048"),
        (with("networks", json!([{"name": "a", "networkName": "n".repeat(300)}])), "spec.networks[0]", "Too long: 300 bytes"),
        (with("clusterSelector", json!({"matchExpressions": many(65, json!({"key": "a", "operator": "Exists"}))})), "spec.clusterSelector.matchExpressions", "must have at most 64 items"),
    ];
    every_row(rows, |(spec, path, says)| {
        let wrong = refuse(&machine(spec), &world);
        assert_eq!((wrong.len(), wrong[0].path.as_str()), (1, path));
        assert!(wrong[0].message.contains(says), "{}", wrong[0].message);
    });
}
