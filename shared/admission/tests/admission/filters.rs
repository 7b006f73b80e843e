//! Which clusters there are to choose from, how one of several is chosen, and how that is explained.

use admission::world::{Held, Labels, Strategy};
use model::api::Selector;
use model::machine::owner::Ownership;
use model::names::{MachineKey, VmKey};

use super::*;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn selector(key: &str, value: &str) -> Selector {
    Selector { match_labels: labels(&[(key, value)]), ..Selector::default() }
}

fn with(mut world: World, name: &str, change: impl FnOnce(&mut Config)) -> World {
    change(Arc::make_mut(world.configs.get_mut(&ClusterName(name.to_owned())).expect("a config")));
    world
}

fn balanced(mut world: World) -> World {
    Arc::make_mut(&mut world.policy).strategy = Strategy::Balanced;
    world
}

/// east and west, each in its region, and a namespace of the team shop.
fn regions() -> World {
    let mut world = world(&["east", "west"]);
    world.namespaces.insert_mut("default".to_owned(), Arc::new(labels(&[("team", "shop")])));
    let world = with(world, "east", |config| config.labels = labels(&[("region", "us-east")]));
    with(world, "west", |config| config.labels = labels(&[("region", "us-west")]))
}

fn in_region(region: &str) -> Value {
    machine(json!({"template": "small", "clusterSelector": {"matchLabels": {"region": region}}}))
}

fn plain() -> Value {
    machine(json!({"template": "small"}))
}

fn chosen(object: &Value, world: &World) -> (String, &'static str) {
    let placement = admit(object, world).placement.expect("a placement");
    (placement.cluster.0, placement.rule.name())
}

fn messages(object: &Value, world: &World) -> Vec<String> {
    refuse(object, world).into_iter().map(|it| format!("{:?} {}: {}", it.reason, it.path, it.message)).collect()
}

const AT: &str = "metadata.annotations[vitistack.io/kubevirt-config]";

#[test]
fn a25_x48_a_selector_that_leaves_one_decides() {
    assert_eq!(chosen(&in_region("us-west"), &regions()), ("west".to_owned(), "only-cluster"));
    let silent = with(regions(), "west", |config| config.inventory.silent = Some("timeout".to_owned()));
    assert_eq!(chosen(&in_region("us-west"), &silent).0, "west", "X48: the author's own selector leaves one");
    let why = admit(&in_region("us-west"), &regions()).placement.expect("a placement").why;
    assert_eq!(
        why,
        r#"{"rule":"only-cluster","cluster":"west","dropped":{"notSelected":1},"candidates":1,"among":["west"]}"#
    );
}

#[test]
fn x52_a_selector_that_selects_nothing_is_told_the_values_that_exist() {
    let wrong = messages(&in_region("eu-north"), &regions());
    assert_eq!(
        wrong[2],
        "SelectorMatchesNone spec.clusterSelector: region=eu-north matches none of the 2 KubevirtConfigs: region is us-east, us-west"
    );
    assert_eq!(wrong[0], format!("NoKubevirtConfigs {AT}: east: its labels do not match spec.clusterSelector"));
}

#[test]
fn x51_a_selector_outranks_the_default() {
    let world = with_default(regions(), "east");
    assert_eq!(chosen(&in_region("us-west"), &world), ("west".to_owned(), "only-cluster"));
    let why = admit(&in_region("us-west"), &world).placement.expect("a placement").why;
    assert!(why.contains(r#""defaultPassedOver":"east""#), "{why}");
    assert_eq!(chosen(&in_region("us-east"), &world), ("east".to_owned(), "default"));
}

#[test]
fn a_selector_and_a_named_cluster_that_disagree_are_refused() {
    let both = annotated(in_region("us-west"), names::KUBEVIRT_CONFIG, "east");
    let wrong = messages(&both, &regions());
    assert!(wrong[0].starts_with("AssignmentConflict spec.clusterSelector: is region=us-west"), "{wrong:?}");
}

#[test]
fn a23_b29_the_reference_in_the_spec_places_as_the_annotation_does() {
    let referring = machine(json!({"template": "small", "kubevirtConfigRef": {"name": "west"}}));
    assert_eq!(chosen(&referring, &regions()), ("west".to_owned(), "named"));
    let both = annotated(referring, names::KUBEVIRT_CONFIG, "east");
    assert!(messages(&both, &regions())[0].starts_with("AssignmentConflict spec.kubevirtConfigRef.name"));
}

#[test]
fn e2_e3_e4_x32_x53_only_clusters_with_the_capability_are_chosen_from() {
    let incapable = |world, name| with(world, name, |config: &mut Config| config.virtual_machines = false);
    assert_eq!(chosen(&plain(), &incapable(regions(), "east")), ("west".to_owned(), "only-cluster"));
    let none = incapable(incapable(regions(), "east"), "west");
    let wrong = messages(&plain(), &none);
    assert_eq!(wrong[0], format!("CapabilityMissing {AT}: No hub with virtualmachine capability found"));
    let named = annotated(plain(), names::KUBEVIRT_CONFIG, "east");
    assert!(messages(&named, &none)[0].starts_with(&format!("CapabilityMissing {AT}: KubevirtConfig \"east\"")));
}

#[test]
fn r5_a_cluster_whose_config_is_being_deleted_takes_no_new_machines_and_keeps_its_own() {
    let leaving = |world, name| with(world, name, |config: &mut Config| config.leaving = true);
    let going = leaving(regions(), "east");
    assert_eq!(chosen(&plain(), &going), ("west".to_owned(), "only-cluster"));
    let named = annotated(plain(), names::KUBEVIRT_CONFIG, "east");
    let says = format!(
        "NoKubevirtConfigs {AT}: Forbidden: KubevirtConfig \"east\" is being deleted and takes no new Machines: name another"
    );
    let says = [says];
    assert_eq!(messages(&named, &going), says);
    assert_eq!(messages(&plain(), &with_default(going.clone(), "east")), says);
    let wrong = messages(&plain(), &leaving(going.clone(), "west"));
    assert!(wrong.contains(&format!("NoKubevirtConfigs {AT}: east: is being deleted")), "{wrong:?}");
    let mut held = going.clone();
    let key = VmKey { namespace: "default".to_owned(), name: "vm-web".to_owned() };
    let offered = Ownership { adopt_by: Some("default/web".to_owned()), ..Ownership::default() };
    held = with(held, "east", |config| config.inventory.vms.insert_mut(key, offered));
    assert_eq!(messages(&plain(), &held), says, "not by adoption either, and no second VM is made elsewhere");
    let before = stored("CREATE", &named, None, &regions());
    assert_eq!(stored("UPDATE", &before, Some(&before), &going), before, "what is there stays");
}

#[test]
fn t10_a_namespace_uses_only_the_clusters_that_allow_it() {
    let only =
        |world, name, team| with(world, name, |it: &mut Config| it.allowed_namespaces = Some(selector("team", team)));
    let closed = only(regions(), "east", "bank");
    let named = |name: &str| annotated(plain(), names::KUBEVIRT_CONFIG, name);
    assert_eq!(chosen(&plain(), &closed), ("west".to_owned(), "only-cluster"), "it does not count");
    assert_eq!(
        messages(&named("east"), &closed),
        [format!(
            "KubevirtConfigNotAllowed {AT}: Forbidden: KubevirtConfig \"east\" is not for namespace \"default\" \
             (its spec.allowedNamespaces does not match the labels of the namespace): use one of west"
        )]
    );
    let referring = machine(json!({"template": "small", "kubevirtConfigRef": {"name": "east"}}));
    assert!(messages(&referring, &closed)[0].starts_with("KubevirtConfigNotAllowed spec.kubevirtConfigRef.name"));
    assert!(messages(&plain(), &with_default(closed.clone(), "east"))[0].starts_with("KubevirtConfigNotAllowed"));
    assert_eq!(chosen(&named("east"), &only(regions(), "east", "shop")), ("east".to_owned(), "named"));
    let before = stored("CREATE", &named("west"), None, &closed);
    let moved = annotated(before.clone(), names::KUBEVIRT_CONFIG, "east");
    let Verdict::Refuse(wrong) = judge("UPDATE", &moved, Some(&before), &closed) else {
        panic!("moved in by an update")
    };
    assert_eq!(wrong[0].reason, Reason::KubevirtConfigNotAllowed);
    let withdrawn = only(regions(), "west", "bank");
    assert_eq!(stored("UPDATE", &before, Some(&before), &withdrawn), before, "R25: what is there stays");
    let mut unknown = only(regions(), "east", "shop");
    unknown.namespaces.remove_mut("default");
    assert!(
        messages(&named("east"), &unknown)[0].starts_with("KubevirtConfigNotAllowed"),
        "no labels are no permission"
    );
}

#[test]
fn x52_what_is_left_out_is_said_config_by_config() {
    let cordon = |world, name| with(world, name, |config: &mut Config| config.schedulable = false);
    let none = cordon(cordon(regions(), "east"), "west");
    let sentence = "machine default/web has no KubevirtConfig reference and no KubevirtConfigs are available in namespace kubevirt-configs";
    assert_eq!(messages(&plain(), &none)[0], format!("NoKubevirtConfigs {AT}: {sentence}"));
    let mixed = with(cordon(regions(), "east"), "west", |config| config.virtual_machines = false);
    assert_eq!(
        messages(&plain(), &mixed),
        [
            format!("NoKubevirtConfigs {AT}: machine default/web matches none of the 2 KubevirtConfigs"),
            format!("NoKubevirtConfigs {AT}: east: is not schedulable: name it, or set its spec.schedulable to true"),
            format!(
                "NoKubevirtConfigs {AT}: west: lacks the capability \"virtualmachines\": add it to its spec.capabilities"
            ),
        ]
    );
    let default = with_default(cordon(regions(), "east"), "east");
    assert!(messages(&plain(), &default)[0].contains("KubevirtConfig \"east\", is not schedulable"));
}

#[test]
fn a24_a26_e3_balanced_draws_by_load_among_the_healthy() {
    let mut world = balanced(regions());
    for machine in 0..40 {
        let held = Held { cluster: Some(ClusterName("east".to_owned())), ..Held::default() };
        world.machines.put(&MachineKey { namespace: "default".to_owned(), name: format!("m-{machine}") }, held);
    }
    assert_eq!(chosen(&plain(), &world), ("west".to_owned(), "balanced"), "of two both are drawn, and one is empty");
    let heavy = with(world.clone(), "east", |config| config.weight = 100);
    assert_eq!(chosen(&plain(), &heavy).0, "east", "41 on weight 100 is less than 1 on weight 1");
    let ill = with(world.clone(), "west", |config| config.unhealthy = Some("no answer".to_owned()));
    assert_eq!(chosen(&plain(), &ill), ("east".to_owned(), "only-cluster"), "A26");
    let strict = with(regions(), "west", |config| config.unhealthy = Some("no answer".to_owned()));
    assert!(messages(&plain(), &strict)[0].starts_with("AmbiguousPlacement"), "an outage does not make a choice");
    let why = admit(&plain(), &world).placement.expect("a placement").why;
    assert_eq!(why, r#"{"rule":"balanced","cluster":"west","candidates":2,"among":["east","west"]}"#);
    let after = stored("CREATE", &plain(), None, &world);
    assert_eq!(stored("CREATE", &after, None, &world), after, "the validating call draws no second time");
}

#[test]
fn kvo31_the_one_that_can_take_it_is_found_wherever_it_stands_and_loads_count_among_all() {
    type Change = fn(&mut Config);
    let names: Vec<String> = (0..300).map(|number| format!("c-{number:03}")).collect();
    let every: Vec<&str> = names.iter().map(String::as_str).collect();
    let lacks: [(&str, Change); 3] = [
        ("capability", |config| config.virtual_machines = false),
        ("health", |config| config.unhealthy = Some("no answer".to_owned())),
        ("leave", |config| config.schedulable = false),
    ];
    for (what, change) in lacks {
        let others = every.iter().filter(|name| **name != "c-250");
        let one = others.fold(balanced(world(&every)), |world, name| with(world, name, change));
        assert_eq!(chosen(&plain(), &one), ("c-250".to_owned(), "only-cluster"), "KVO31: {what}");
    }
    // Two are left, far behind the first hundred: the one with less on it.
    let others = every.iter().filter(|name| !["c-222", "c-299"].contains(name));
    let mut two =
        others.fold(balanced(world(&every)), |world, name| with(world, name, |it| it.virtual_machines = false));
    let held = Held { cluster: Some(ClusterName("c-222".to_owned())), ..Held::default() };
    two.machines.put(&MachineKey { namespace: "default".to_owned(), name: "m".to_owned() }, held);
    assert_eq!(chosen(&plain(), &two), ("c-299".to_owned(), "balanced"), "KVO31: load");
}

#[test]
fn a24_what_no_watch_has_shown_counts_for_every_replica() {
    let held = |cluster: &str| Held { cluster: Some(ClusterName(cluster.to_owned())), ..Held::default() };
    let key = |number: u32| MachineKey { namespace: "default".to_owned(), name: format!("m-{number}") };
    let mut world = balanced(regions());
    (0..2).for_each(|number| world.machines.note(&key(number), held("east")));
    (2..5).for_each(|number| world.machines.put(&key(number), held("west")));
    let with = |replicas| {
        let mut world = world.clone();
        Arc::make_mut(&mut world.policy).replicas = replicas;
        chosen(&plain(), &world).0
    };
    assert_eq!((with(1), with(3)), ("east".to_owned(), "west".to_owned()), "two of east are six for three replicas");
    (0..2).for_each(|number| world.machines.put(&key(number), held("east")));
    Arc::make_mut(&mut world.policy).replicas = 3;
    assert_eq!(chosen(&plain(), &world).0, "east", "the watch has shown them");
}

#[test]
fn a8_fr1_the_explanation_is_written_with_a_new_assignment_and_survives_a_write_that_drops_it() {
    let one = world(&["east"]);
    let after = stored("CREATE", &plain(), None, &one);
    assert_eq!(
        after["metadata"]["annotations"][names::PLACEMENT],
        r#"{"rule":"only-cluster","cluster":"east","candidates":1,"among":["east"]}"#
    );
    let named = stored("CREATE", &annotated(plain(), names::KUBEVIRT_CONFIG, "east"), None, &one);
    assert_eq!(named["metadata"]["annotations"][names::PLACEMENT], r#"{"rule":"named","cluster":"east"}"#);
    let mut dropped = after.clone();
    dropped["metadata"]["annotations"].as_object_mut().expect("annotations").remove(names::PLACEMENT);
    assert_eq!(stored("UPDATE", &dropped, Some(&after), &one), after, "the controller still looks for a VM by it");
    let recorded = |mut machine: Value| {
        machine["status"] = json!({"kubevirtConfigRef": {"name": "east", "clusterId": "c-1"}});
        machine
    };
    let (dropped, after) = (recorded(dropped), recorded(after));
    assert_eq!(stored("UPDATE", &dropped, Some(&after), &one), after, "FR1: nor is history lost");
    let old = dropped.clone();
    assert_eq!(stored("UPDATE", &dropped, Some(&old), &one), old, "what never was is not made up afterwards");
    let forged =
        annotated(annotated(plain(), names::KUBEVIRT_CONFIG, "east"), names::PLACEMENT, r#"{"cluster":"nowhere"}"#);
    let mended = stored("CREATE", &forged, None, &one);
    assert_eq!(mended["metadata"]["annotations"][names::PLACEMENT], r#"{"rule":"named","cluster":"east"}"#);
}

#[test]
fn x54_nobody_but_admission_says_where_a_vm_is_looked_for() {
    const PLACEMENT: &str = "metadata.annotations[vitistack.io/placement]";
    let one = world(&["east"]);
    let claims = r#"{"rule":"named","cluster":"east","vm":"web"}"#;
    let forged = annotated(annotated(plain(), names::KUBEVIRT_CONFIG, "east"), names::PLACEMENT, claims);
    let after = stored("CREATE", &forged, None, &one);
    assert_eq!(after["metadata"]["annotations"][names::PLACEMENT], r#"{"rule":"named","cluster":"east"}"#);
    let mut recorded = after.clone();
    recorded["status"] = json!({"kubevirtConfigRef": {"name": "east", "clusterId": "c-1"}});
    every_row([&after, &recorded], |before| {
        let edited = annotated(before.clone(), names::PLACEMENT, claims);
        let Verdict::Refuse(wrong) = judge("UPDATE", &edited, Some(before), &one) else { panic!("forged") };
        assert_eq!(first(&wrong), (Reason::FieldForbidden, PLACEMENT));
    });
}

#[test]
fn a18_x2_t9_t10_x67_what_was_stored_while_nobody_judged_is_judged_like_a_new_machine() {
    let free = |mut world: World, vm: &str| {
        let key = model::names::VmKey { namespace: "default".to_owned(), name: vm.to_owned() };
        let config = world.configs.get_mut(&ClusterName("east".to_owned())).expect("east");
        Arc::make_mut(config).inventory.vms.insert_mut(key, Default::default());
        world
    };
    let mut old = annotated(plain(), names::KUBEVIRT_CONFIG, "east");
    old["metadata"]["uid"] = json!("m-1");
    let after = stored("UPDATE", &old, Some(&old), &free(regions(), "web"));
    assert_eq!(
        after["metadata"]["annotations"][names::PLACEMENT],
        r#"{"rule":"named","cluster":"east","vm":"web"}"#,
        "the published operator's VM is found, and not made a second time"
    );
    let silent = with(regions(), "east", |config| config.inventory.silent = Some("timeout".to_owned()));
    let after = stored("UPDATE", &old, Some(&old), &silent);
    assert_eq!(
        after["metadata"]["annotations"][names::PLACEMENT],
        r#"{"rule":"named","cluster":"east","searched":false}"#,
        "the controller has to look"
    );
    let closed = with(regions(), "east", |config| config.allowed_namespaces = Some(selector("team", "bank")));
    let Verdict::Refuse(wrong) = judge("UPDATE", &old, Some(&old), &closed) else { panic!("T10") };
    assert_eq!(wrong[0].reason, Reason::KubevirtConfigNotAllowed);
    old["spec"]["cloudInit"] = json!({"secretRef": {"name": "other"}});
    let Verdict::Refuse(wrong) = judge("UPDATE", &old, Some(&old), &regions()) else { panic!("T9") };
    assert_eq!(wrong[0].reason, Reason::SecretNotReadable);
    let reserved = with(regions(), "east", |_| ());
    let mut policy = (*reserved.policy).clone();
    policy.own_namespace = "default".to_owned();
    let reserved = World { policy: Arc::new(policy), ..reserved };
    old["spec"] = json!({"template": "small"});
    let Verdict::Refuse(wrong) = judge("UPDATE", &old, Some(&old), &reserved) else { panic!("X67") };
    assert_eq!(wrong[0].reason, Reason::NamespaceReserved);
}

#[test]
fn x4_a_vm_where_the_machine_may_not_be_is_neither_adopted_nor_advised() {
    let mut world = with_default(regions(), "east");
    let west = Arc::make_mut(world.configs.get_mut(&ClusterName("west".to_owned())).expect("west"));
    let key = model::names::VmKey { namespace: "default".to_owned(), name: "vm-web".to_owned() };
    west.inventory.vms.insert_mut(key, Default::default());
    every_row([false, true], |eager| {
        Arc::make_mut(&mut world.policy).adopt_before_default = eager;
        let wrong = messages(&in_region("us-east"), &world);
        assert!(
            wrong[0].contains("where spec.clusterSelector or the KubevirtConfig does not let this Machine be"),
            "{wrong:?}"
        );
    });
    assert_eq!(chosen(&plain(), &world), ("west".to_owned(), "adopted"));
}

#[test]
fn t10_what_no_watch_has_shown_of_a_namespace_is_no_permission() {
    let mut unknown = regions();
    unknown.namespaces.remove_mut("default");
    let expression = |key: &str, operator: &str| {
        let expression = json!({"matchExpressions": [{"key": key, "operator": operator}]});
        serde_json::from_value::<Selector>(expression).expect("a selector")
    };
    let only = |selector: Selector| with(unknown.clone(), "east", |config| config.allowed_namespaces = Some(selector));
    let named = annotated(plain(), names::KUBEVIRT_CONFIG, "east");
    assert!(messages(&named, &only(expression("tier", "DoesNotExist")))[0].starts_with("KubevirtConfigNotAllowed"));
    let by_name = selector("kubernetes.io/metadata.name", "default");
    assert_eq!(chosen(&named, &only(by_name)), ("east".to_owned(), "named"));
}
