//! Two who want different things of one object.

use model::platform::memory::Memory;
use model::platform::snapshot::Live;
use model::platform::state::{State, Step};
use serde_json::json;

use crate::{World, at, key, step_for, world};

const FORKLIFT: (&str, &str) = ("ForkliftController", "forklift-controller");

fn settled() -> World {
    let mut world = world();
    world.settle(0);
    world
}

fn edit(world: &mut World) {
    world.edit(&key(FORKLIFT.0, FORKLIFT.1), &json!({"spec": {"feature_validation": "false"}}));
}

/// Does what a pass says; returns the steps for the object.
fn act(world: &mut World, second: i64) -> Vec<Step> {
    let pass = world.pass(second);
    let of = key(FORKLIFT.0, FORKLIFT.1);
    for (key, step) in &pass.steps {
        world.write(key, step, second);
    }
    pass.steps.into_iter().filter(|(key, _)| *key == of).map(|(_, step)| step).collect()
}

#[test]
fn x88_p13_a_war_of_forty_edits_takes_at_most_fourteen_writes() {
    let mut world = settled();
    let mut writes = 0;
    for round in 0..40 {
        edit(&mut world);
        writes += act(&mut world, 600 + 180 * round).len();
    }
    assert_eq!(writes, 11, "ten corrections within an hour, however slow, and the mark");
    let (state, message) = world.asset("mtv-operator");
    assert_eq!(state, State::Paused);
    assert!(message.contains("set platform.kubevirt.io/reconcile-paused: \"false\""), "{message}");
}

#[test]
fn x88_p13_an_opponent_that_wipes_the_mark_does_not_restart_the_war() {
    let mut world = settled();
    let of = key(FORKLIFT.0, FORKLIFT.1);
    let mut writes = 0;
    for round in 0..200 {
        edit(&mut world);
        world.edit(&of, &json!({"metadata": {"annotations": {"platform.kubevirt.io/reconcile-paused": null}}}));
        let due = act(&mut world, 600 + 3 * round).len();
        writes += if round > 20 { due } else { 0 };
    }
    assert_eq!(writes, 0, "in the ten minutes of the first pause");
}

#[test]
fn x88_p13_a_pause_ends_by_false_or_by_its_time() {
    let paused = || {
        let mut world = settled();
        for round in 0..11 {
            edit(&mut world);
            act(&mut world, 600 + round);
        }
        assert_eq!(world.asset("mtv-operator").0, State::Paused);
        world
    };
    let mark = |world: &mut World, text: serde_json::Value| {
        let annotations = json!({"metadata": {"annotations": {"platform.kubevirt.io/reconcile-paused": text}}});
        world.edit(&key(FORKLIFT.0, FORKLIFT.1), &annotations);
    };
    let mut ended = paused();
    mark(&mut ended, json!("false"));
    assert!(matches!(act(&mut ended, 620)[..], [Step::Change { .. }]), "0d7f22e: at once, and not paused again");
    let mut removed = paused();
    mark(&mut removed, serde_json::Value::Null);
    assert_eq!(act(&mut removed, 700), [], "a removed mark is the opponent's work for ten minutes");
    assert!(matches!(act(&mut removed, 1300)[..], [Step::Change { .. }]));
}

#[test]
fn x88_a_burst_is_throttled_and_an_object_that_is_deleted_each_time_is_left_in_the_end() {
    let mut world = settled();
    let of = key(FORKLIFT.0, FORKLIFT.1);
    let mut states = Vec::new();
    for second in 600..640 {
        world.snapshot.objects.insert(of.clone(), Ok(Live::Absent));
        act(&mut world, second);
        let pass = world.pass(second);
        states.push(pass.outcomes.iter().find(|it| it.asset == "mtv-operator").expect("it is there").state);
    }
    assert_eq!(states.last(), Some(&State::Paused), "{states:?}");
    assert!(step_for(&world.pass(641), &of).is_none());
}

#[test]
fn x88_a_pause_survives_a_restart_of_the_process() {
    let mut world = settled();
    edit(&mut world);
    let of = key(FORKLIFT.0, FORKLIFT.1);
    world.memory.insert(of.clone(), Memory::paused_since(at(1000)));
    assert!(step_for(&world.pass(1599), &of).is_none());
    assert!(!world.memory[&of].is_over(at(1599)));
    assert!(step_for(&world.pass(1600), &of).is_some(), "ten minutes after it began");
    assert!(Memory::default().is_over(at(0)));
}
