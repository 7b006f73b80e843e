//! What holds for every input: decoding ends in an answer, quantities are the number that Kubernetes reads, and no two
//! admitted Machines share a name on their cluster.

use admission::world::Stored;
use model::quantity;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const REVIEWS: [&str; 6] = [
    include_str!("../../../../../webhook/benches/reviews/rev_min.json"),
    include_str!("../../../../../webhook/benches/reviews/rev_typ.json"),
    include_str!("../../../../../webhook/benches/reviews/rev_typ_ssa.json"),
    include_str!("../../../../../webhook/benches/reviews/rev_update.json"),
    include_str!("../../../../../webhook/benches/reviews/rev_ci4k.json"),
    include_str!("../../../../../webhook/benches/reviews/rev_ci16k.json"),
];

/// Cases of one property: enough to meet what is rare, and done in a second.
fn cases(count: u32) -> ProptestConfig {
    ProptestConfig { cases: count, failure_persistence: None, ..ProptestConfig::default() }
}

/// Either an undecodable body, or a verdict.
fn answered(body: &[u8], world: &World) {
    if let Ok(review) = decode(body) {
        let _ = decide(&review.request, world);
    }
}

/// A name of one Machine and those of its disks, from a tiny alphabet in which collisions are frequent.
type Small = (String, Vec<String>);

fn tiny() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(select(vec!["a", "b", "iso", "root"]), 1..4)
}

fn apart() -> impl Strategy<Value = Small> {
    let disks = prop::collection::vec(tiny().prop_map(|parts| parts.join("-")), 0..3);
    (tiny().prop_map(|parts| parts.join("-")), disks)
}

/// Two Machines, half of the time such that a claim of one would have the name of a claim of the other.
fn pair() -> impl Strategy<Value = (Small, Small)> {
    let cut = |parts: &[&str], at: usize, more: Small| {
        let at = 1 + at % (parts.len() - 1);
        let disks = std::iter::once(parts[at..].join("-")).chain(more.1);
        (parts[..at].join("-"), disks.collect())
    };
    let parts = prop::collection::vec(select(vec!["a", "b", "iso", "root"]), 2..5);
    let close = (parts, any::<[u8; 2]>(), apart(), apart())
        .prop_map(move |(parts, [i, j], one, two)| (cut(&parts, i.into(), one), cut(&parts, j.into(), two)));
    prop_oneof![close, (apart(), apart())]
}

fn small(name: &str, disks: &[String], iso: bool) -> Value {
    let disks: Vec<Value> = disks.iter().map(|disk| json!({"name": disk, "size": "1Gi"})).collect();
    let mut spec = json!({"template": "small", "disks": disks});
    if iso {
        spec["os"] = json!({"isoUri": "https://images.example.org/a.iso"});
    }
    json!({"metadata": {"name": name, "namespace": "default"}, "spec": spec})
}

/// Decides about a new Machine; one that is admitted takes its names.
fn take(machine: &Value, world: &mut World) -> Option<Vec<Name>> {
    let body = review("CREATE", machine, None);
    let review = decode(body.as_bytes()).expect("a review");
    let Verdict::Admit(admission) = decide(&review.request, world) else { return None };
    let object = review.request.object.as_ref().expect("an object");
    let cluster = &admission.placement.as_ref().expect("a placement").cluster.0;
    let stored = Stored {
        cluster: Some(cluster.clone()),
        iso: machine["spec"]["os"]["isoUri"].is_string(),
        ..Stored::sized(Some(resolved(&admission)))
    };
    let key = key(object.metadata.name.as_deref().expect("a name"));
    let held = world.held(&key, &stored);
    world.machines.put(&key, held.clone());
    Some(held.names)
}

fn resolved(admission: &Admission) -> &str {
    let text = admission.changes.iter().find_map(|change| match change {
        Change::Annotate(names::RESOLVED, text) => Some(text),
        _ => None,
    });
    text.expect("resolved")
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn t12_z6_no_two_admitted_machines_share_a_name_and_every_name_is_one(
        (one, two) in pair(),
        isos in any::<[bool; 2]>(),
        prefix in select(vec!["", "vm-", "a-"]),
    ) {
        let mut world = world(&["east"]);
        Arc::make_mut(&mut world.policy).vm_prefix = prefix.to_owned();
        let first = take(&small(&one.0, &one.1, isos[0]), &mut world);
        let second = take(&small(&two.0, &two.1, isos[1]), &mut world);
        if let (Some(first), Some(second)) = (&first, &second)
            && one.0 != two.0
        {
            prop_assert!(first.iter().all(|name| !second.contains(name)), "{first:?} {second:?}");
        }
        for name in first.iter().chain(&second).flatten() {
            let label = |part: &str| !part.is_empty() && !part.starts_with('-') && !part.ends_with('-');
            let most = if name.kind == "VirtualMachine" { 63 } else { 253 };
            prop_assert!(name.name.len() <= most && label(&name.name), "{name:?}");
            prop_assert!(name.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{name:?}");
        }
        for mine in first.iter().chain(&second) {
            prop_assert!(mine.iter().collect::<std::collections::BTreeSet<_>>().len() == mine.len(), "twice: {mine:?}");
        }
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn z1_any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        answered(&bytes, &world(&["east"]));
    }

    #[test]
    fn z5_what_is_written_is_read_back(bytes in any::<u64>()) {
        prop_assert_eq!(quantity::parse(&quantity::canonical(bytes)), Ok(bytes));
    }

    #[test]
    fn z5_any_text_is_answered(text in "[-+]?[0-9.]{0,6}[a-zA-Z]{0,3}[-+0-9]{0,3}") {
        let _ = quantity::parse(&text);
    }

    #[test]
    fn z5_a_quantity_is_the_number_times_its_unit(
        whole in 0_u64..4_000_000, places in 0_u32..7, digits in 0_u64..1_000_000,
        unit in select(vec![("", 1_u128), ("k", 1000), ("M", 1_000_000), ("G", 1_000_000_000), ("Ki", 1 << 10), ("Mi", 1 << 20), ("Gi", 1 << 30), ("Ti", 1 << 40)]),
    ) {
        let scale = 10_u64.pow(places);
        let digits = digits % scale;
        let text = if places == 0 { format!("{whole}{}", unit.0) } else { format!("{whole}.{digits:0width$}{}", unit.0, width = places as usize) };
        let exact = (u128::from(whole) * u128::from(scale) + u128::from(digits)) * unit.1;
        prop_assert_eq!(quantity::parse(&text).ok().map(u128::from), Some(exact.div_ceil(u128::from(scale))), "{}", text);
    }
}

proptest! {
    #![proptest_config(cases(600))]

    #[test]
    fn z1_reviews_with_bytes_exchanged_are_answered(
        which in 0..REVIEWS.len(), edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in any::<prop::sample::Index>(), whole in any::<bool>(),
    ) {
        let mut body = REVIEWS[which].as_bytes().to_vec();
        for (at, byte) in edits {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if !whole {
            body.truncate(cut.index(body.len()));
        }
        answered(&body, &world(&["east"]));
    }

    #[test]
    fn z1_reviews_with_a_value_exchanged_are_answered(
        which in 0..REVIEWS.len(), at in any::<prop::sample::Index>(),
        value in select(vec![json!(null), json!(7), json!(-1), json!(1.5), json!(true), json!(""), json!("\u{0}é\n"), json!([]), json!([[]]), json!({}), json!({"name": {}}), json!("x".repeat(300))]),
    ) {
        let mut review: Value = serde_json::from_str(REVIEWS[which]).expect("JSON");
        let mut paths = Vec::new();
        pointers(&review["request"]["object"], "/request/object".to_owned(), &mut paths);
        let path = &paths[at.index(paths.len())];
        *review.pointer_mut(path).expect("it is there") = value;
        answered(review.to_string().as_bytes(), &world(&["east"]));
    }
}

/// Every place below a value.
fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                pointers(inner, format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                pointers(inner, format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
    found.push(at);
}

#[test]
fn the_real_reviews_are_admitted() {
    let mut world = world(&["east"]);
    for namespace in ["team-platform-prod", "default"] {
        let key = MachineKey { namespace: namespace.to_owned(), name: "prod-net".to_owned() };
        world.networks.namespaces.insert_mut(key, ());
    }
    every_row(REVIEWS, |body| {
        let review = decode(body.as_bytes()).expect("a review");
        let verdict = decide(&review.request, &world);
        assert!(matches!(verdict, Verdict::Admit(_)), "{verdict:?}");
    });
}

/// Kubernetes' own cases (apimachinery, `pkg/api/resource/quantity_test.go`), as whole numbers rounded up.
#[test]
fn z5_quantities_are_those_of_kubernetes() {
    #[rustfmt::skip]
    let read = [
        ("0", 0), ("0n", 0), ("0u", 0), ("0m", 0), ("0Ki", 0), ("0k", 0), ("0Mi", 0), ("0Ei", 0), ("0E", 0),
        ("1Ki", 1024), ("8Ki", 8192), ("7Mi", 7 << 20), ("6Gi", 6 << 30), ("5Ti", 5 << 40), ("4Pi", 4 << 50), ("3Ei", 3 << 60),
        ("100n", 1), ("9u", 1), ("10m", 1), ("1k", 1000), ("2M", 2_000_000), ("3G", 3_000_000_000), ("4T", 4_000_000_000_000), ("5P", 5_000_000_000_000_000), ("6E", 6_000_000_000_000_000_000),
        ("1e3", 1000), ("5E3", 5000), ("2E3", 2000), ("3e3", 3000), ("4e3", 4000), ("1E6", 1_000_000), ("4e9", 4_000_000_000), ("5e-3", 1),
        ("1.0", 1), ("10.035", 11), ("1.5", 2), ("100.035k", 100_035), ("100.001m", 1), ("0.1k", 100), ("0.3Mi", 314_573), ("0.5Mi", 524_288), ("0.0001", 1), (".001", 1), ("1.", 1), ("1.Gi", 1 << 30), ("+1", 1), ("00.5Gi", 536_870_912), ("0.000000000001", 1),
    ];
    every_row(read, |(text, bytes)| assert_eq!(quantity::parse(text), Ok(bytes), "{text}"));
    let cases = [
        "1.1.M", "1+1.0M", "0.1mi", "0.1am", "aoeu", ".5i", "1i", "-3.01i", "-3.01e-", " 1", "1 ", "", ".", "-", "+",
        "e3", "1e", "1ee3", "1e3Ki", "Ki", "1KI", "1ki", "++1", "1Zi", "0x10", "١Gi",
    ];
    every_row(cases, |text| assert!(quantity::parse(text).is_err(), "{text}"));
}
