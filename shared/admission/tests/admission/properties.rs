//! Laws of admission over generated Machines and fleets: it is a fixed point, it never moves a Machine, and it says the same
//! thing twice.

use std::cell::Cell;

use admission::world::{self, Held, WhenUnreachable};
use model::machine::owner::{Owner, Ownership};
use model::names::{MachineKey, Name, VmKey};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Enough for every pair of features to meet, few enough for every change to wait for it.
const CASES: u32 = 3000;

/// Nothing, one of the good values, or now and then one of the bad.
fn option<T: std::fmt::Debug + Clone + 'static>(good: &[T], bad: &[T]) -> impl Strategy<Value = Option<T>> + use<T> {
    let bad = if bad.is_empty() { good } else { bad };
    prop_oneof![
        30 => Just(None),
        20 => select(good.to_vec()).prop_map(Some),
        1 => select(bad.to_vec()).prop_map(Some),
    ]
}

fn texts<const N: usize>(texts: [&str; N]) -> [Value; N] {
    texts.map(|text| json!(text))
}

fn disk() -> impl Strategy<Value = Value> {
    (
        option(&texts(["root", "data", "logs", "scratch"]), &texts(["", "Data"])),
        prop_oneof![40 => select(texts(["10Gi", "1.5Gi", "64Ti"]).to_vec()), 1 => select(texts(["2GB", ""]).to_vec())],
        option(&[json!(0)], &[json!(20), json!(-1)]),
        option(&texts(["ReadWriteOnce", "ReadWriteMany"]), &texts(["RWX"])),
        option(&texts(["default", "fast-ssd"]), &texts(["gone"])),
        option(&[json!(false)], &[json!(true)]),
    )
        .prop_map(|(name, size, gigabytes, mode, class, boot)| {
            object([
                ("name", name),
                ("size", Some(size)),
                ("sizeGB", gigabytes),
                ("accessMode", mode),
                ("storageClass", class),
                ("boot", boot),
            ])
        })
}

fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    Value::Object(fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect())
}

fn spec() -> impl Strategy<Value = Value> {
    let templates = prop_oneof![40 => select(texts(["small", "medium", "gold"]).to_vec()), 1 => select(texts(["off", "xxl", ""]).to_vec())];
    let cpus = [json!({"cores": 4}), json!({"cores": 2, "threads": 2, "sockets": 1}), json!({})];
    let memories = [json!({"size": "4Gi"}), json!({"size": 4_294_967_296_i64}), json!({})];
    let selectors = ["a", "b"].map(|zone| json!({"matchLabels": {"zone": zone}}));
    let networks = [json!([]), json!([{"name": "eth0"}])];
    let absent = [json!([{"name": "eth0", "networkName": "prod"}])];
    let references = ["east", "west", "nord"].map(|name| json!({"name": name}));
    (
        (
            templates.prop_map(Some),
            option(&texts([""]), &texts(["large"])),
            option(&cpus, &[json!({"cores": 0})]),
            option(&memories, &[json!({"size": "1Mi"})]),
        ),
        (
            option(&selectors, &[json!({"matchLabels": {"zone": "nowhere"}})]),
            option(&[json!({})], &references),
            option(&networks, &absent),
        ),
        prop::option::of(prop::collection::vec(disk(), 0..3)),
        (option(&texts(["Always", "Halted"]), &texts(["Now"])), option(&texts(["kubevirt", ""]), &texts(["aws"]))),
    )
        .prop_map(|((template, alias, cpu, memory), (selector, reference, networks), disks, (run, provider))| {
            object([
                ("template", template),
                ("machineClass", alias),
                ("resources", Some(object([("cpu", cpu), ("memory", memory)]))),
                ("clusterSelector", selector),
                ("kubevirtConfigRef", reference),
                ("networks", networks),
                ("disks", disks.map(Value::Array)),
                ("runStrategy", run),
                ("provider", provider),
            ])
        })
}

pub(super) fn machines() -> impl Strategy<Value = Value> {
    (
        option(&["web", "web-data", "db"], &["Not.A.Label"]),
        option(&texts(["east", "west", ""]), &texts(["nord"])),
        option(&texts(["Delete", "Retain"]), &texts(["Shred"])),
        option(&["small"], &["large"]),
        spec(),
    )
        .prop_map(|(name, cluster, policy, label, spec)| {
            let annotations = object([(names::KUBEVIRT_CONFIG, cluster), (names::DELETION_POLICY, policy)]);
            let mut metadata = match name {
                Some(name) => json!({"name": name, "namespace": "default"}),
                None => json!({"generateName": "web-", "namespace": "default"}),
            };
            if annotations != json!({}) {
                metadata["annotations"] = annotations;
            }
            if let Some(label) = label {
                metadata["labels"] = json!({names::TEMPLATE_LABEL: label});
            }
            json!({"metadata": metadata, "spec": spec})
        })
}

#[derive(Clone, Copy, Debug)]
struct Cluster {
    schedulable: bool,
    capable: bool,
    silent: bool,
    vm: u8,
}

pub(super) fn worlds() -> impl Strategy<Value = World> {
    let cluster = (prop::bool::weighted(0.9), prop::bool::weighted(0.9), prop::bool::weighted(0.1), 0..4_u8)
        .prop_map(|(schedulable, capable, silent, vm)| Cluster { schedulable, capable, silent, vm });
    let policy =
        (option(&["east"], &["gone"]), any::<bool>(), option(&[WhenUnreachable::Refuse, WhenUnreachable::Skip], &[]));
    (prop::collection::vec(cluster, 1..4), policy, any::<bool>()).prop_map(
        |(clusters, (default, balanced, unreachable), busy)| {
            let mut world = super::world(&[]);
            for (cluster, (name, zone)) in clusters.into_iter().zip([("east", "a"), ("west", "b"), ("north", "b")]) {
                let mut config =
                    Config { schedulable: cluster.schedulable, virtual_machines: cluster.capable, ..Config::default() };
                config.labels.insert("zone".to_owned(), zone.to_owned());
                config.inventory.silent = cluster.silent.then(|| "timeout".to_owned());
                config.inventory.storage_classes.insert_mut("fast-ssd".to_owned(), ());
                let owner = [None, None, Some(Owner::Controller("Pool/p".to_owned()))]
                    [usize::from(cluster.vm.clamp(1, 3) - 1)]
                .clone();
                if cluster.vm > 0 {
                    let key = VmKey { namespace: "default".to_owned(), name: "vm-web".to_owned() };
                    config.inventory.vms.insert_mut(key, Ownership { owner, ..Ownership::default() });
                }
                world.configs.insert(ClusterName(name.to_owned()), Arc::new(config));
            }
            let classes = Arc::make_mut(&mut world.classes);
            classes.insert("gold".into(), Class { memory_bounds: (Some(2 << 30), Some(8 << 30)), ..class(6, "6Gi") });
            classes.insert("off".into(), Class { enabled: false, ..class(1, "2Gi") });
            let policy = Arc::make_mut(&mut world.policy);
            policy.default_cluster = default.map(|name| ClusterName(name.to_owned()));
            policy.strategy = if balanced { world::Strategy::Balanced } else { world::Strategy::Strict };
            policy.when_unreachable = unreachable;
            if busy {
                let cluster = ClusterName("east".to_owned());
                let name = Name {
                    cluster: cluster.clone(),
                    namespace: "default".to_owned(),
                    kind: "PersistentVolumeClaim",
                    name: "web-data".to_owned(),
                };
                let held = Held { cluster: Some(cluster), names: vec![name], ..Held::default() };
                world.machines.put(&MachineKey { namespace: "default".to_owned(), name: "web".to_owned() }, held);
            }
            world
        },
    )
}

/// What the API server does between the two calls under `generateName`.
pub(super) fn named(mut machine: Value) -> Value {
    if machine["metadata"].get("name").is_none() {
        machine["metadata"]["name"] = json!("web-x7k2p");
    }
    machine
}

#[test]
fn g2_i7_admission_is_a_fixed_point_and_never_moves_a_machine() {
    let admitted = Cell::new(0_u32);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(CASES)
    });
    let law = |(machine, first, other): (Value, World, World)| {
        let verdict = judge("CREATE", &machine, None, &first);
        prop_assert_eq!(&verdict, &judge("CREATE", &machine, None, &first), "the same question");
        let Verdict::Admit(_) = verdict else {
            let Verdict::Refuse(wrong) = verdict else { unreachable!() };
            prop_assert!(wrong.iter().all(|it| !it.message.is_empty()) && wrong.is_sorted_by_key(|it| &it.path));
            return Ok(());
        };
        let after = named(stored("CREATE", &machine, None, &first));
        match judge("CREATE", &after, None, &first) {
            Verdict::Admit(again) => prop_assert!(again.changes.is_empty(), "{:?} after {}", again.changes, after),
            // Only a name that the mutating call did not know yet may be refused by the validating one (X77).
            Verdict::Refuse(wrong) => prop_assert!(machine["metadata"].get("name").is_none(), "{:?}", wrong),
            Verdict::Ask(needs) => prop_assert!(false, "it was asked: {:?}", needs),
        }
        if machine["spec"]["provider"] != "aws" {
            admitted.set(admitted.get() + 1);
            let Verdict::Admit(update) = judge("UPDATE", &after, Some(&after), &other) else {
                return Err(TestCaseError::fail(format!("an untouched Machine is refused: {after}")));
            };
            prop_assert!(update.changes.is_empty(), "another fleet changes an untouched Machine: {:?}", update.changes);
            let mut dropped = after.clone();
            dropped["metadata"]["annotations"]
                .as_object_mut()
                .expect("annotations")
                .retain(|key, _| key == names::DELETION_POLICY);
            if machine["spec"].get("kubevirtConfigRef").is_none() {
                let back = stored("UPDATE", &dropped, Some(&after), &other);
                for key in [names::KUBEVIRT_CONFIG, names::RESOLVED, names::PLACEMENT] {
                    prop_assert_eq!(&back["metadata"]["annotations"][key], &after["metadata"]["annotations"][key]);
                }
            }
        }
        Ok(())
    };
    runner.run(&(machines(), worlds(), worlds()), law).unwrap_or_else(|failed| panic!("{failed}"));
    assert!(admitted.get() > CASES / 10, "only {} were admitted: the generator makes nonsense", admitted.get());
}
