use admission::world::Size;
use runtime::clusters::State;
use serde_json::json;

use super::*;
use crate::table::every_row;

fn read(object: Value) -> Config {
    let config: KubevirtConfig = serde_json::from_value(object).expect("a KubevirtConfig");
    super::config(&config, Inventory::default())
}

#[test]
fn a_kubevirt_config_that_says_little_gets_the_defaults() {
    let config = read(json!({"metadata": {"name": "east"}, "spec": {"name": "east", "kubeconfigSecretRef": "s"}}));
    assert!(config.schedulable && config.virtual_machines && !config.allow_scheduling_patches && !config.leaving);
    assert_eq!((config.weight, config.namespace, config.unhealthy, config.capacity), (1, None, None, None));
    assert_eq!((config.emulated_machines, config.allowed_namespaces.is_some()), (None, false));
}

#[test]
fn x68_all_that_a_kubevirt_config_says_is_kept() {
    let config = read(json!({
        "metadata": {"name": "east", "labels": {"region": "eu"}, "deletionTimestamp": "2026-11-27T00:00:00Z"},
        "spec": {"name": "east", "kubeconfigSecretRef": "s", "schedulable": false, "weight": 3, "namespace": "vms",
            "allowSchedulingPatches": true, "takeOverFrom": ["s-1"], "allowedNamespaces": {"matchLabels": {"team": "shop"}}},
        "status": {"phase": "Failed", "message": "no answer",
            "facts": {"emulatedMachines": ["q35*"]},
            "capacity": {"largestNode": {"cpu": "63500m", "memory": "256Gi"},
                "allocatable": {"cpu": "100", "memory": "8Gi"}, "requested": {"cpu": "99.5", "memory": "9Gi"},
                "observedAt": "1970-01-01T00:01:40Z"}},
    }));
    assert!(!config.schedulable && config.allow_scheduling_patches && config.leaving);
    assert_eq!((config.weight, config.namespace.as_deref(), config.labels["region"].as_str()), (3, Some("vms"), "eu"));
    assert_eq!(config.allowed_namespaces.expect("a selector").match_labels["team"], "shop");
    assert_eq!(config.take_over_from, ["s-1"]);
    assert_eq!(
        (config.unhealthy.as_deref(), config.emulated_machines),
        (Some("no answer"), Some(vec!["q35*".to_owned()]))
    );
    let largest = Room { cpu: Some(63_500), memory: Some(274_877_906_944) };
    let free = Room { cpu: Some(500), memory: Some(0) };
    assert_eq!(config.capacity, Some(Capacity { largest, free, read: Some(100) }), "overcommitted is nothing free");
}

#[test]
fn x68_what_is_not_published_is_unknown_and_not_nothing() {
    let config = read(json!({"metadata": {"name": "east"}, "spec": {"name": "east", "kubeconfigSecretRef": "s"},
        "status": {"capacity": {"allocatable": {"cpu": "8", "memory": "lots"}, "requested": {"memory": "1Gi"}}}}));
    assert_eq!(config.capacity, Some(Capacity::default()));
}

#[test]
fn x53_whether_machines_may_be_placed_there() {
    #[rustfmt::skip]
    let cases = [
        ("X53: neither",       json!({}),                                                       true),
        ("X53: cluster",       json!({"hubType": "cluster"}),                                   false),
        ("X53: vmaas",         json!({"hubType": "vmaas"}),                                     true),
        ("X53: hybrid",        json!({"hubType": "hybrid"}),                                    true),
        ("X53: listed",        json!({"hubType": "cluster", "capabilities": ["virtualmachines"]}), true),
        ("X53: listed others", json!({"hubType": "vmaas", "capabilities": ["clusters"]}),       false),
    ];
    every_row(cases, |(case, more, wanted)| {
        let mut spec = json!({"name": "east", "kubeconfigSecretRef": "s"});
        spec.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        assert_eq!(read(json!({"metadata": {"name": "east"}, "spec": spec})).virtual_machines, wanted, "{case}");
    });
}

const RESOLVED_TEXT: &str = r#"{"source":"spec","cores":1,"threads":1,"sockets":1,"memory":"1Gi","disks":[{"name":"root","size":"1Gi","accessMode":"ReadWriteOnce"}]}"#;

#[test]
fn x16_a_machine_is_read_leniently() {
    let object = |value: Value| serde_json::from_value::<DynamicObject>(value).expect("an object");
    let (key, seen) = machine(&object(json!({
        "metadata": {"name": "web", "namespace": "shop", "uid": "m-1", "annotations": {"vitistack.io/kubevirt-config": "east", "vitistack.io/resolved": RESOLVED_TEXT}},
        "spec": {"networks": [{"macAddress": "52:54:00:00:00:01"}, {"name": "b"}, 7], "os": {"isoUri": "https://a/b.iso"}}, "status": {"vmName": "vm-web"},
    })));
    assert_eq!(key, MachineKey { namespace: "shop".to_owned(), name: "web".to_owned() });
    let text = |text: &str| Some(text.to_owned());
    let wanted = Stored {
        cluster: text("east"),
        disks: vec!["root".to_owned()],
        namespace: None,
        uid: "m-1".to_owned(),
        vm_name: text("vm-web"),
        macs: vec!["52:54:00:00:00:01".to_owned()],
        iso: true,
        size: Some(Size { cpu: 1000, memory: 1 << 30 }),
        on_node: None,
    };
    assert_eq!(seen, Some(wanted));
    let spoilt = machine(&object(
        json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": "?", "status": {"kubevirtConfigRef": {"name": "west"}}}),
    ));
    let spoilt = spoilt.1.expect("ours");
    assert_eq!((spoilt.cluster, spoilt.iso), (text("west"), false), "its status knows where it is");
    let foreign = json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": {"provider": "proxmox"}});
    assert_eq!(machine(&object(foreign)).1, None);
}

#[test]
fn x68_a_machine_counts_against_its_cluster_until_a_status_shows_a_node() {
    #[rustfmt::skip]
    let cases = [
        ("new",                    json!({}), json!({}),                                                              None),
        ("X68: not on a node",     json!({}), json!({"phase": "Creating", "lastUpdated": "1970-01-01T00:01:40Z"}),     None),
        ("X68: on a node",         json!({}), json!({"nodeName": "node-1", "lastUpdated": "1970-01-01T00:01:40Z"}),    Some(100)),
        ("X68: nobody says when",  json!({}), json!({"nodeName": "node-1"}),                                          Some(0)),
        ("X68: no name of a node", json!({}), json!({"nodeName": "", "lastUpdated": "1970-01-01T00:01:40Z"}),          None),
        ("X68: stopped",           json!({}), json!({"phase": "Stopped", "lastUpdated": "1970-01-01T00:01:40Z"}),      Some(100)),
        ("X68: it goes", json!({"deletionTimestamp": "2026-11-27T00:00:00Z"}), json!({"lastUpdated": "1970-01-01T00:01:40Z"}), Some(100)),
    ];
    every_row(cases, |(case, more, status, wanted)| {
        let mut metadata =
            json!({"name": "web", "namespace": "shop", "annotations": {"vitistack.io/resolved": RESOLVED_TEXT}});
        metadata.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let object = json!({"metadata": metadata, "spec": {}, "status": status});
        let (_, seen) = machine(&serde_json::from_value(object).expect("an object"));
        assert_eq!(
            seen.map(|it| (it.on_node, it.size)),
            Some((wanted, Some(Size { cpu: 1000, memory: 1 << 30 }))),
            "{case}"
        );
    });
}

#[test]
fn x38_the_namespace_counts_from_when_the_identity_of_the_cluster_is_recorded() {
    #[rustfmt::skip]
    let cases = [
        ("none yet",               json!({"name": "east", "namespace": "vms"}),                     None),
        ("an empty identity",      json!({"name": "east", "clusterId": "", "namespace": "vms"}),    None),
        ("a mapped one",           json!({"name": "east", "clusterId": "c-1", "namespace": "vms"}), Some("vms")),
        ("the Machine's own",      json!({"name": "east", "clusterId": "c-1"}),                     Some("shop")),
        ("an empty namespace",     json!({"name": "east", "clusterId": "c-1", "namespace": ""}),    Some("shop")),
    ];
    every_row(cases, |(case, reference, wanted)| {
        let object = json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": {}, "status": {"kubevirtConfigRef": reference}});
        let (_, seen) = machine(&serde_json::from_value(object).expect("an object"));
        assert_eq!(seen.expect("ours").namespace.as_deref(), wanted, "{case}");
    });
}

#[tokio::test]
async fn x43_x48_a_link_that_is_not_connected_is_silent_and_says_why() {
    let client = crate::canned::silent().await;
    let entry = |state: Option<State>, rejected: Option<&str>| Entry {
        cluster: state.map(|state| crate::canned::cluster(client.clone(), state)),
        rejected: rejected.map(str::to_owned),
        failing: None,
        webhook: None,
    };
    let up = || State::Connected { id: "c-1".to_owned() };
    #[rustfmt::skip]
    let cases = [
        ("X43: connected",                     entry(Some(up()), None),                                    None),
        ("X43: not tried to the end yet",      entry(Some(State::Connecting), None),                       Some("it is not connected yet")),
        ("X43: away",                          entry(Some(State::Unreachable("no route".into())), None),   Some("no route")),
        ("X48: refused, never connected",      entry(None, Some("no key")),                                Some("its kubeconfig cannot be used: no key")),
        ("X43: it lost its kinds",            entry(Some(State::Unserved("no v1".into())), None),         Some("no v1")),
        ("X48: refused, the old one is away",  entry(Some(State::Unreachable("401".into())), Some("no key")), Some("its kubeconfig cannot be used: no key")),
        ("X48: refused, the old one works on", entry(Some(up()), Some("no key")),                          None),
    ];
    every_row(cases, |(case, entry, wanted)| assert_eq!(silence(Some(&entry)).as_deref(), wanted, "{case}"));
    assert_eq!(
        silence::<crate::link::Index>(None).as_deref(),
        Some("it is not connected yet"),
        "before the registry knows it"
    );
}
