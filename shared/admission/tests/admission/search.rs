//! Where the VM is already, and what a cluster that does not answer means.

use admission::world::{Strategy, WhenUnreachable};
use model::machine::owner::{Adoption, Owner, Ownership as Vm};
use model::names::VmKey;

use super::*;

/// The VMs of shop/web: whose they are.
fn vm(owner: Option<Owner>) -> Vm {
    Vm { owner, ..Vm::default() }
}

fn machines_vm(uid: &str) -> Vm {
    vm(Some(Owner::Machine { name: "other".to_owned(), supervisor: "super-1".to_owned(), uid: uid.to_owned() }))
}

pub(super) fn config<'w>(world: &'w mut World, name: &str) -> &'w mut Config {
    Arc::make_mut(world.configs.get_mut(&ClusterName(name.to_owned())).expect("a config"))
}

fn has(mut world: World, cluster: &str, name: &str, vm: Vm) -> World {
    let key = VmKey { namespace: "default".to_owned(), name: name.to_owned() };
    config(&mut world, cluster).inventory.vms.insert_mut(key, vm);
    world
}

fn is_silent(mut world: World, cluster: &str) -> World {
    config(&mut world, cluster).inventory.silent = Some("no answer within 10 s".to_owned());
    world
}

fn policy(mut world: World, change: impl FnOnce(&mut Policy)) -> World {
    change(Arc::make_mut(&mut world.policy));
    world
}

fn fleet() -> World {
    policy(world(&["east", "north", "west"]), |policy| "super-1".clone_into(&mut policy.supervisor))
}

fn plain() -> Value {
    machine(json!({"template": "small"}))
}

/// Cluster and rule of an admitted Machine, or reason and field of the first violation.
fn outcome(object: &Value, world: &World) -> Result<(String, &'static str), (Reason, String)> {
    match judge("CREATE", object, None, world) {
        Verdict::Admit(admission) => {
            let placement = admission.placement.expect("a placement");
            Ok((placement.cluster.0, placement.rule.name()))
        }
        Verdict::Refuse(wrong) => Err((wrong[0].reason, wrong[0].path.clone())),
        Verdict::Ask(needs) => panic!("it was asked: {needs:?}"),
    }
}

#[test]
fn x106_a_machine_may_say_itself_how_one_of_several_clusters_is_chosen() {
    let balanced = || policy(fleet(), |policy| policy.strategy = Strategy::Balanced);
    let says = |word: &str| annotated(plain(), names::PLACEMENT_STRATEGY, word);
    let one = |world| is_silent(is_silent(world, "north"), "east");
    let ambiguous = Err((Reason::AmbiguousPlacement, ANNOTATION));
    let unknown = Err((Reason::FieldNotSupported, "metadata.annotations[vitistack.io/placement-strategy]"));
    #[rustfmt::skip]
    let cases = [
        ("it says nothing",                    plain(),          fleet(),         ambiguous),
        ("balanced under strict",              says("balanced"), fleet(),         Ok("balanced")),
        ("balanced under balanced",            says("balanced"), balanced(),      Ok("balanced")),
        ("strict under balanced",              says("strict"),   balanced(),      ambiguous),
        ("X48: which skips the silent",        says("balanced"), one(fleet()),    Ok("only-cluster")),
        ("X48: and which does not",            says("strict"),   one(balanced()), Err((Reason::ClusterSilent, ANNOTATION))),
        ("a word that nobody knows",           says("random"),   balanced(),      unknown),
        ("none at all",                        says(""),         balanced(),      unknown),
        ("A2: the default comes first",        says("balanced"), policy(fleet(), |it| it.default_cluster = Some(ClusterName("west".to_owned()))), Ok("default")),
    ];
    every_row(cases, |(name, object, world, want)| {
        let found = outcome(&object, &world).map(|(_, rule)| rule);
        assert_eq!(found, want.map_err(|(reason, path): (Reason, &str)| (reason, path.to_owned())), "{name}");
    });
    let old = annotated(stored("CREATE", &plain(), None, &world(&["east"])), names::PLACEMENT_STRATEGY, "random");
    let mut now = old.clone();
    now["metadata"]["labels"] = json!({"team": "a"});
    let Verdict::Admit(admission) = judge("UPDATE", &now, Some(&old), &world(&["east"])) else { panic!("it is held") };
    let warned = admission.warnings.iter().any(|it| it.contains("supported values: strict, balanced"));
    assert!(warned, "one that is stored already: {:?}", admission.warnings);
}

const ANNOTATION: &str = "metadata.annotations[vitistack.io/kubevirt-config]";

#[test]
fn a4_x6_x7_x48_x54_r2_the_search_adopts_exactly_one_and_never_guesses() {
    let balanced = |world| policy(world, |policy| policy.strategy = Strategy::Balanced);
    let skip = |world| policy(world, |policy| policy.when_unreachable = Some(WhenUnreachable::Skip));
    let insist = |world| policy(world, |policy| policy.when_unreachable = Some(WhenUnreachable::Refuse));
    let adoption = |world, adoption| policy(world, |policy| policy.adoption = adoption);
    let free = || vm(None);
    let controlled = || vm(Some(Owner::Controller("VirtualMachinePool/pool".to_owned())));
    let leaving = Vm { deleting: true, ..machines_vm("old") };
    let offered = |to: &str| Vm { adopt_by: Some(to.to_owned()), ..Vm::default() };
    let foreign =
        vm(Some(Owner::Machine { name: String::new(), supervisor: "super-2".to_owned(), uid: "m-9".to_owned() }));
    let mapped = |mut world| {
        config(&mut world, "east").namespace = Some("default".to_owned());
        world
    };
    let single = || policy(world(&["east"]), |policy| "super-1".clone_into(&mut policy.supervisor));
    let ambiguous = Err((Reason::AmbiguousPlacement, ANNOTATION));
    let silent = Err((Reason::ClusterSilent, ANNOTATION));
    let in_several = Err((Reason::VirtualMachineElsewhere, ANNOTATION));
    #[rustfmt::skip]
    let cases = [
        ("A4 X54: in exactly one",                   has(fleet(), "west", "vm-web", free()),                       Ok(("west", "adopted"))),
        ("A4 X2: under the published name",          has(fleet(), "west", "web", free()),                          Ok(("west", "adopted"))),
        ("A5 X5: in none",                           fleet(),                                                      ambiguous),
        ("X6: in two",                               has(has(fleet(), "west", "vm-web", free()), "east", "web", free()), in_several),
        ("X7 A17: not found, and one is silent",     is_silent(fleet(), "north"),                                     silent),
        ("X7: found, but another is silent",         has(is_silent(fleet(), "north"), "west", "vm-web", free()),      silent),
        ("X48: found, and the silent one skipped",   skip(has(is_silent(fleet(), "north"), "west", "vm-web", free())), Ok(("west", "adopted"))),
        ("X48: last seen on a silent one",           skip(has(is_silent(fleet(), "north"), "north", "vm-web", free())), Ok(("north", "adopted"))),
        ("X48 A26: balanced skips the silent",       balanced(is_silent(is_silent(fleet(), "north"), "east")),           Ok(("west", "only-cluster"))),
        ("X48: balanced that insists",               insist(balanced(is_silent(fleet(), "north"))),                   silent),
        ("X48: strict that skips, one left",         skip(is_silent(is_silent(fleet(), "north"), "east")),               Ok(("west", "only-cluster"))),
        ("X48: the only one is taken, silent or not", is_silent(single(), "east"),                                    Ok(("east", "only-cluster"))),
        ("X48: the only one, a stranger has the name", has(single(), "east", "vm-web", controlled()),              Err((Reason::VirtualMachineTaken, "metadata.name"))),
        ("X54: a stranger's is no hit, and its cluster no candidate", has(has(fleet(), "west", "vm-web", controlled()), "north", "vm-web", controlled()), Ok(("east", "only-cluster"))),
        ("X54: another supervisor's",                has(has(fleet(), "west", "vm-web", foreign.clone()), "north", "vm-web", foreign), Ok(("east", "only-cluster"))),
        ("X54: another Machine's of ours",           has(single(), "east", "vm-web", machines_vm("m-2")),          Err((Reason::VirtualMachineTaken, "metadata.name"))),
        ("X54: one that goes is waited for",         has(single(), "east", "vm-web", leaving),                     Ok(("east", "only-cluster"))),
        ("X54: a stranger's under the old name",     has(single(), "east", "web", controlled()),                   Ok(("east", "only-cluster"))),
        ("X54: never",                               adoption(has(single(), "east", "vm-web", free()), Adoption::Never), Err((Reason::VirtualMachineTaken, "metadata.name"))),
        ("X54: labelled, and not labelled",          adoption(has(single(), "east", "vm-web", free()), Adoption::Labelled), Err((Reason::VirtualMachineTaken, "metadata.name"))),
        ("X54: labelled",                            adoption(has(fleet(), "west", "vm-web", offered("default/web")), Adoption::Labelled), Ok(("west", "adopted"))),
        ("ATK6: nobody's, where others are mapped to", mapped(has(single(), "east", "vm-web", free())),            Err((Reason::VirtualMachineTaken, "metadata.name"))),
        ("ATK6: offered, where others are mapped to", mapped(has(single(), "east", "vm-web", offered("default/web"))), Ok(("east", "adopted"))),
        ("X54: offered to another",                  has(single(), "east", "vm-web", offered("default/db")),       Err((Reason::VirtualMachineTaken, "metadata.name"))),
    ];
    every_row(cases, |(name, world, want)| {
        let want = want
            .map(|(cluster, rule)| (cluster.to_owned(), rule))
            .map_err(|(reason, path): (Reason, &str)| (reason, path.to_owned()));
        assert_eq!(outcome(&plain(), &world), want, "{name}");
    });
}

#[test]
fn a4_an_adopted_cluster_is_written_with_the_vm_and_stays() {
    let world = has(fleet(), "west", "vm-web", vm(None));
    let after = stored("CREATE", &plain(), None, &world);
    let annotations = &after["metadata"]["annotations"];
    assert_eq!(annotations[names::KUBEVIRT_CONFIG], "west");
    assert_eq!(annotations[names::PLACEMENT], r#"{"rule":"adopted","cluster":"west","vm":"vm-web"}"#);
    assert_eq!(stored("CREATE", &after, None, &world), after, "the validating call finds nothing to write");
}

#[test]
fn x6_x7_refusals_name_the_clusters() {
    let says = |world: &World| refuse(&plain(), world)[0].message.clone();
    let two = has(has(fleet(), "west", "vm-web", vm(None)), "east", "web", vm(None));
    assert_eq!(
        says(&two),
        "the Machine's VirtualMachine is on 2 clusters: east (web), west (vm-web): set this annotation to the one to adopt"
    );
    assert_eq!(
        says(&is_silent(fleet(), "north")),
        "machine default/web may have its VirtualMachine on a cluster that does not answer: north (no answer within 10 s): \
         apply again later, or set this annotation"
    );
}

#[test]
fn x4_x49_the_default_does_not_make_a_second_vm_and_does_not_wait_for_the_silent() {
    let default = with_default(fleet(), "east");
    let elsewhere = has(default.clone(), "west", "vm-web", vm(None));
    assert_eq!(outcome(&plain(), &elsewhere), Err((Reason::VirtualMachineElsewhere, ANNOTATION.to_owned())));
    assert!(refuse(&plain(), &elsewhere)[0].message.starts_with("VirtualMachine vm-web is on cluster \"west\""));
    let adopts = policy(elsewhere, |policy| policy.adopt_before_default = true);
    assert_eq!(outcome(&plain(), &adopts), Ok(("west".to_owned(), "adopted")));
    let quiet = is_silent(default.clone(), "north");
    assert_eq!(outcome(&plain(), &quiet), Ok(("east".to_owned(), "default")));
    assert_eq!(
        admit(&plain(), &quiet).warnings,
        ["not searched for the VM, because they do not answer: north"],
        "X49: a warning only"
    );
    let taken = has(default, "east", "vm-web", machines_vm("m-2"));
    assert_eq!(outcome(&plain(), &taken), Err((Reason::VirtualMachineTaken, "metadata.name".to_owned())));
}

#[test]
fn x50_an_explicit_cluster_wins_over_a_vm_elsewhere_with_a_warning() {
    let world = has(fleet(), "west", "vm-web", vm(None));
    let named = annotated(plain(), names::KUBEVIRT_CONFIG, "east");
    let admission = admit(&named, &world);
    assert_eq!(admission.placement.map(|it| it.cluster.0).as_deref(), Some("east"));
    assert_eq!(
        admission.warnings,
        ["VirtualMachine vm-web is on cluster \"west\" already, and the Machine goes to \"east\" because it says so"]
    );
}

#[test]
fn x54_a_machine_knows_its_own_vm_by_its_uid() {
    let world = has(fleet(), "west", "vm-web", machines_vm("m-1"));
    let mut old = plain();
    old["metadata"]["uid"] = json!("m-1");
    let after = stored("UPDATE", &old, Some(&old), &world);
    assert_eq!(after["metadata"]["annotations"][names::KUBEVIRT_CONFIG], "west");
}

#[test]
fn x43_only_a_silent_cluster_that_must_be_searched_is_asked_live() {
    let asked = |object: &Value, world: &World| super::asked("CREATE", object, None, world);
    let quiet = is_silent(fleet(), "north");
    let wanted = asked(&plain(), &quiet);
    let key = |name: &str| VmKey { namespace: "default".to_owned(), name: name.to_owned() };
    assert_eq!(wanted.vms, [(ClusterName("north".to_owned()), vec![key("vm-web"), key("web")])].into());
    let nothing = |why: &str, object: &Value, world: &World| assert!(asked(object, world).is_empty(), "{why}");
    nothing("all answer", &plain(), &fleet());
    nothing("the author says", &annotated(plain(), names::KUBEVIRT_CONFIG, "east"), &quiet);
    nothing("the default says", &plain(), &with_default(quiet.clone(), "east"));
    let target =
        |object: &Value, world: &World| asked(object, world).vms.into_keys().map(|it| it.0).collect::<Vec<_>>();
    assert_eq!(target(&plain(), &is_silent(world(&["east"]), "east")), ["east"], "the only one, which may have the VM");
    assert_eq!(target(&annotated(plain(), names::KUBEVIRT_CONFIG, "north"), &quiet), ["north"], "the named one");
    assert_eq!(target(&plain(), &with_default(quiet.clone(), "north")), ["north"], "the default");
    nothing(
        "it has no name yet",
        &json!({"metadata": {"generateName": "web-"}, "spec": {"template": "small"}}),
        &quiet,
    );

    let answers = |vms: Vec<(VmKey, Option<Vm>)>| Answers {
        vms: [(ClusterName("north".to_owned()), vms)].into(),
        ..Default::default()
    };
    let found = quiet.knowing(answers(vec![(key("vm-web"), Some(vm(None)))]));
    assert_eq!(outcome(&plain(), &found), Ok(("north".to_owned(), "adopted")));
    let absent = quiet.knowing(answers(Vec::new()));
    assert_eq!(outcome(&plain(), &absent), Err((Reason::AmbiguousPlacement, ANNOTATION.to_owned())));
    assert_eq!(
        outcome(&plain(), &quiet),
        Err((Reason::ClusterSilent, ANNOTATION.to_owned())),
        "the World itself is as it was"
    );
    let old = has(quiet, "north", "vm-web", vm(None));
    let gone = old.knowing(answers(vec![(key("vm-web"), None), (key("web"), None)]));
    assert_eq!(
        outcome(&plain(), &gone),
        Err((Reason::AmbiguousPlacement, ANNOTATION.to_owned())),
        "what was deleted while nobody watched does not count"
    );
}

#[test]
fn x43_x69_a_live_answer_about_a_vm_says_nothing_about_storage_classes() {
    // Right after the webhook's start: nothing of north was ever listed.
    let mut started = is_silent(fleet(), "north");
    config(&mut started, "north").inventory.storage_classes = Default::default();
    let vms = [(VmKey { namespace: "default".to_owned(), name: "vm-web".to_owned() }, Some(vm(None)))].into();
    let answers = Answers { vms: [(ClusterName("north".to_owned()), vms)].into(), ..Answers::default() };
    let mut object = plain();
    object["spec"]["disks"] = json!([{"name": "data", "size": "1Gi", "storageClass": "fast-ssd"}]);
    let admitted = admit(&object, &started.knowing(answers));
    assert_eq!(
        admitted.warnings,
        [
            "spec.disks[0].storageClass: whether cluster \"north\" has StorageClass \"fast-ssd\" is not known, its watches \
             do not answer: no answer within 10 s"
        ]
    );
}

#[test]
fn x38_a_mapped_namespace_is_where_the_vm_is_looked_for() {
    let mut world = fleet();
    config(&mut world, "west").namespace = Some("tenants".to_owned());
    let elsewhere = has(world.clone(), "west", "vm-web", vm(None));
    assert_eq!(outcome(&plain(), &elsewhere), Err((Reason::AmbiguousPlacement, ANNOTATION.to_owned())));
    let key = VmKey { namespace: "tenants".to_owned(), name: "vm-web".to_owned() };
    config(&mut world, "west").inventory.vms.insert_mut(key.clone(), vm(None));
    assert_eq!(
        outcome(&plain(), &world),
        Err((Reason::AmbiguousPlacement, ANNOTATION.to_owned())),
        "ATK6: nobody's, where several share a namespace"
    );
    let offered = Vm { adopt_by: Some("default/web".to_owned()), ..Vm::default() };
    config(&mut world, "west").inventory.vms.insert_mut(key, offered);
    assert_eq!(outcome(&plain(), &world), Ok(("west".to_owned(), "adopted")));
    // By a template, every namespace has one of its own, as where nothing is mapped.
    config(&mut world, "west").namespace = Some("vmaas-{namespace}".to_owned());
    assert_eq!(outcome(&plain(), &world), Err((Reason::AmbiguousPlacement, ANNOTATION.to_owned())), "it is elsewhere");
    let key = VmKey { namespace: "vmaas-default".to_owned(), name: "vm-web".to_owned() };
    config(&mut world, "west").inventory.vms.insert_mut(key, vm(None));
    assert_eq!(outcome(&plain(), &world), Ok(("west".to_owned(), "adopted")), "X38");
    // What comes of it may be no namespace for Machines, or none at all.
    let refused = |template: &str| {
        let mut world = fleet();
        config(&mut world, "west").namespace = Some(template.to_owned());
        let wrong = refuse(&annotated(plain(), names::KUBEVIRT_CONFIG, "west"), &world);
        wrong.iter().map(|it| format!("{} {}", it.reason.code(), it.message)).collect::<Vec<_>>()
    };
    let says = |wrong: &str| {
        format!(
            "Forbidden: KubevirtConfig \"west\" sends it to {wrong}: correct its spec.namespace, or use another cluster"
        )
    };
    let long = format!("{}-{{namespace}}", "n".repeat(56));
    assert_eq!(
        refused(&long),
        [format!("FieldValueInvalid {}", says("a namespace of 64 characters, at most 63 can be"))],
        "X38"
    );
    assert_eq!(
        refused("kube-{namespace}"),
        [format!("NamespaceReserved {}", says("the reserved namespace \"kube-default\""))],
        "X67"
    );
}

#[test]
fn x77_under_generate_name_nothing_is_searched_until_the_name_is_known() {
    let mut object = plain();
    object["metadata"] = json!({"generateName": "web-", "namespace": "default"});
    let quiet = is_silent(policy(fleet(), |policy| policy.strategy = Strategy::Balanced), "north");
    let (cluster, rule) = outcome(&object, &quiet).expect("drawn among those that answer");
    assert!(rule == "balanced" && cluster != "north", "{cluster}");
    let wrong = refuse(&object, &fleet());
    assert!(wrong[0].message.starts_with("machine default/web-* has no KubevirtConfig"), "{}", wrong[0].message);
    let mut named = annotated(object, names::KUBEVIRT_CONFIG, "west");
    named["metadata"]["name"] = json!("web-x7k2p");
    let taken = has(fleet(), "west", "vm-web-x7k2p", machines_vm("m-2"));
    assert_eq!(outcome(&named, &taken), Err((Reason::VirtualMachineTaken, "metadata.name".to_owned())));
}

#[test]
fn x43_a_cluster_that_answers_between_the_two_calls_does_not_refuse_the_machine() {
    let one = || policy(world(&["east"]), |policy| "super-1".clone_into(&mut policy.supervisor));
    let silent = is_silent(one(), "east");
    let after = stored("CREATE", &plain(), None, &silent);
    let why = after["metadata"]["annotations"][names::PLACEMENT].as_str().expect("an explanation");
    assert!(why.contains(r#""searched":false"#), "{why}");
    every_row([one(), has(one(), "east", "vm-web", vm(None))], |answers| {
        assert_eq!(stored("CREATE", &after, None, &answers), after, "the controller looks under both names");
    });
    let searched = stored("CREATE", &plain(), None, &one());
    assert_ne!(stored("CREATE", &searched, None, &silent), searched, "nobody may claim a search that nobody made");
}
