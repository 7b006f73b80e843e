//! Under `balanced` a cluster without room is passed over while another has some, and the explanation says so.

use admission::world::{Capacity, Held, Room, Size, Strategy};
use model::message::Explanation;
use model::names::MachineKey;

use super::search::config;
use super::*;

const GIB: u64 = 1 << 30;

fn cluster(name: &str) -> ClusterName {
    ClusterName(name.to_owned())
}

fn key(name: &str) -> MachineKey {
    MachineKey { namespace: "default".to_owned(), name: name.to_owned() }
}

/// So many CPUs of a cluster.
fn on(name: &str, cpus: u64) -> Held {
    let size = Size { cpu: cpus * 1000, memory: 0 };
    Held { cluster: Some(cluster(name)), awaited: Some(Box::new(size)), ..Held::default() }
}

fn balanced(clusters: &[&str], replicas: u32) -> World {
    let mut world = world(clusters);
    let policy = Arc::make_mut(&mut world.policy);
    (policy.strategy, policy.replicas) = (Strategy::Balanced, replicas);
    world
}

/// Thousandths of a CPU and GiB that are free, on nodes of 64 CPUs and 256 GiB.
fn free(cpu: u64, gib: u64) -> Capacity {
    let room = |cpu, gib: u64| Room { cpu: Some(cpu), memory: Some(gib * GIB) };
    Capacity { largest: room(64_000, 256), free: room(cpu, gib), read: None }
}

/// A Machine of 2 CPUs and 4 GiB.
fn medium() -> Value {
    machine(json!({"template": "medium"}))
}

#[test]
fn x68_a24_a_cluster_without_room_is_passed_over_while_another_has_some() {
    let has = |cpu, gib| Some(free(cpu, gib));
    let tiny = Some(Capacity { largest: Room { cpu: Some(1000), memory: None }, ..free(8000, 64) });
    let half = Some(Capacity { free: Room { cpu: Some(9000), memory: None }, ..free(0, 0) });
    let lots = || has(8000, 64);
    #[rustfmt::skip]
    let cases = [
        // Name; room of east and west; CPUs seen and noted on them, and not counted there yet; replicas; among; said of those that are not.
        ("X68: nobody knows",        [None, None],                         [0, 0], [0, 0], 1, "east west", ""),
        ("X68: both have room",      [lots(), lots()],                     [0, 0], [0, 0], 1, "east west", ""),
        ("X68: CPU",                 [has(1500, 64), lots()],             [0, 0], [0, 0], 1, "west", "east: needs 2 CPUs, and has 1.5 CPUs left"),
        ("X68: memory",              [lots(), has(8000, 2)],              [0, 0], [0, 0], 1, "east", "west: needs 4Gi, and has 2Gi left"),
        ("X68: just enough",         [has(2000, 4), lots()],              [0, 0], [0, 0], 1, "east west", ""),
        ("X68: less what was seen",  [lots(), lots()],                     [7, 0], [0, 0], 1, "west", "east: needs 2 CPUs, and has 1 CPUs left of 8 CPUs, as 7 CPUs are for Machines that do not count there yet"),
        ("X68: less what was noted", [lots(), lots()],                     [0, 4], [0, 9], 1, "east", "west: needs 2 CPUs, and has 0 CPUs left of 8 CPUs, as 13 CPUs are for Machines that do not count there yet"),
        ("X68: no node holds it",    [tiny, lots()],                       [0, 0], [0, 0], 1, "west", "east: needs 2 CPUs, and its largest node has 1 CPUs"),
        ("X68: unknown is room",     [None, has(0, 0)],                   [0, 0], [0, 0], 1, "east", "west: needs 2 CPUs, and has 0 CPUs left"),
        ("X68: half is known",       [half, has(0, 0)],                   [0, 0], [0, 0], 1, "east", "west: needs 2 CPUs, and has 0 CPUs left"),
        ("X68: nowhere",             [has(0, 64), has(1000, 64)],        [0, 0], [0, 0], 1, "east west", ""),
        ("X68: nowhere, and one never", [tiny, has(1000, 64)],            [0, 0], [0, 0], 1, "west", "east: needs 2 CPUs, and its largest node has 1 CPUs"),
        ("X68: three at once",       [has(5000, 64), has(6000, 64)],     [0, 0], [0, 0], 3, "west", "east: needs 2 CPUs and 4 CPUs to spare for what 2 other webhooks may decide now, and has 5 CPUs left"),
        ("X68: three in a burst",    [has(9000, 64), has(20_000, 64)],   [0, 0], [0, 2], 3, "west", "east: needs 2 CPUs and 8 CPUs to spare for what 2 other webhooks may decide now, and has 9 CPUs left"),
        ("X68: both have little",    [has(5000, 64), has(5000, 64)],     [0, 0], [0, 0], 3, "east west", ""),
        ("X68: the one with more of it", [has(5000, 64), has(3000, 64)], [0, 0], [0, 0], 3, "east", "west: needs 2 CPUs and 2 CPUs to spare for what 2 other webhooks may decide now, and has 3 CPUs left"),
        ("X68: little is more than none", [has(2000, 64), has(1000, 64)], [0, 0], [0, 0], 3, "east", "west: needs 2 CPUs, and has 1 CPUs left"),
    ];
    every_row(cases, |(case, capacities, seen, noted, replicas, among, said)| {
        let mut world = balanced(&["east", "west"], replicas);
        for (at, (name, capacity)) in ["east", "west"].into_iter().zip(capacities).enumerate() {
            config(&mut world, name).capacity = capacity;
            if seen[at] > 0 {
                world.machines.put(&key(&format!("seen-{name}")), on(name, seen[at]));
            }
            if noted[at] > 0 {
                world.machines.note(&key(&format!("noted-{name}")), on(name, noted[at]));
            }
        }
        let placement = admit(&medium(), &world).placement.expect("a placement");
        let why = Explanation::read(&placement.why).expect("an explanation");
        assert_eq!((placement.rule, why.among.join(" ").as_str()), (Rule::Balanced, among), "{case}");
        assert_eq!(why.room.join("; "), said, "{case}");
        assert_eq!(why.dropped.get("noRoom"), (!said.is_empty()).then_some(&1), "{case}");
        assert!(why.among.contains(&why.cluster), "{case}: {why:?}");
    });
}

#[test]
fn x68_room_is_asked_for_under_balanced_only_and_an_earlier_try_takes_none() {
    let mut world = balanced(&["east", "west"], 1);
    config(&mut world, "east").capacity = Some(free(2000, 64));
    let why = |world: &World| admit(&medium(), world).placement.expect("a placement").why;
    let mut again = world.clone();
    again.machines.note(&key("web"), on("east", 2));
    assert!(!why(&again).contains("noRoom"), "its own: {}", why(&again));
    again.machines.note(&key("other"), on("east", 2));
    let wanted = r#"{"rule":"balanced","cluster":"west","dropped":{"noRoom":1},"room":["east: needs 2 CPUs, and has 0 CPUs left of 2 CPUs, as 2 CPUs are for Machines that do not count there yet"],"candidates":1,"among":["west"]}"#;
    assert_eq!(why(&again), wanted);
    let after = stored("CREATE", &medium(), None, &again);
    assert_eq!(stored("CREATE", &after, None, &again), after, "the validating call asks for no room a second time");

    let named = annotated(medium(), names::KUBEVIRT_CONFIG, "east");
    let warnings = admit(&named, &again).warnings.join(" ");
    assert!(
        warnings.contains("needs 2 CPUs, and cluster \"east\" has 0 CPUs left: the VM waits until there is room"),
        "{warnings}"
    );
    Arc::make_mut(&mut again.policy).strategy = Strategy::Strict;
    assert_eq!(first(&refuse(&medium(), &again)).0, Reason::AmbiguousPlacement, "no room makes no choice");
}

#[test]
fn x68_the_sentences_leave_the_explanation_short_enough_to_be_read() {
    let long: Vec<String> = (0..30).map(|at| format!("{at:02}-{}", "x".repeat(250))).collect();
    let all: Vec<&str> = long.iter().map(String::as_str).collect();
    let mut world = balanced(&all, 1);
    for name in &all[..15] {
        config(&mut world, name).capacity = Some(free(1000, 64));
    }
    let placement = admit(&medium(), &world).placement.expect("a placement");
    let why = Explanation::read(&placement.why).expect("short enough");
    assert_eq!(
        (why.dropped["noRoom"], why.candidates, why.room.len()),
        (15, Some(15), 3),
        "as many as 1,000 bytes hold"
    );
}

/// Three webhooks, each of which hears of the others' decisions only every so many arrivals, and clusters of unequal room:
/// a burst that takes seven tenths of it fills none beyond.
#[test]
fn x68_a24_a_burst_over_webhooks_that_know_little_of_each_other_fills_no_cluster_beyond_its_room() {
    const ROOMS: [u64; 10] = [10, 20, 30, 40, 60, 80, 100, 150, 200, 310];
    const MACHINES: usize = 350;
    let names: Vec<String> = (0..ROOMS.len()).map(|at| format!("c-{at}")).collect();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    // Every so many arrivals a webhook looks; of ten arrivals, so many go to the first one whatever happens.
    every_row([(1, 0), (10, 0), (30, 0), (30, 8), (60, 0), (60, 8)], |(stale, lopsided)| {
        let mut start = balanced(&all, 3);
        for (name, cpus) in all.iter().zip(ROOMS) {
            config(&mut start, name).capacity = Some(free(cpus * 1000, 10_000));
        }
        let mut webhooks = vec![(start, 0); 3];
        let mut log: Vec<(MachineKey, String)> = Vec::new();
        for number in 0..MACHINES {
            let mixed = (number * 7919 + 13) % 1009;
            let at = if mixed % 10 < lopsided { 0 } else { mixed % 3 };
            let (world, seen) = &mut webhooks[at];
            if number >= *seen + stale {
                log[*seen..].iter().for_each(|(key, to)| world.machines.put(key, on(to, 2)));
                *seen = number;
            }
            let mut object = medium();
            object["metadata"]["name"] = json!(format!("m-{number}"));
            let body = review("CREATE", &object, None).replace("\"uid\":\"u\"", &format!("\"uid\":\"u-{number}\""));
            let Verdict::Admit(admission) = decide(&decode(body.as_bytes()).expect("a review").request, world) else {
                panic!("refused")
            };
            let to = admission.placement.expect("a placement").cluster.0;
            world.machines.note(&key(&format!("m-{number}")), on(&to, 2));
            log.push((key(&format!("m-{number}")), to));
        }
        let taken = all.iter().map(|name| 2 * log.iter().filter(|(_, to)| to == name).count() as u64);
        let taken: Vec<u64> = taken.collect();
        assert!(
            taken.iter().zip(ROOMS).all(|(taken, room)| *taken <= room),
            "{stale} {lopsided}: {taken:?} of {ROOMS:?}"
        );
        assert_eq!(taken.iter().sum::<u64>(), 700);
    });
}
