//! Objects that are to go.

use model::platform::catalogue::Catalogue;
use model::platform::memory::Answer;
use model::platform::rules::judge;
use model::platform::snapshot::{Disruption, Live, Mode};
use model::platform::state::{Key, State, Step};
use serde_json::{Value, json};

use crate::table::every_row;
use crate::{SUPERVISOR, World, at, read, world};

const OLD: &str = "apiVersion: machineconfiguration.openshift.io/v1\nkind: MachineConfig\nmetadata:\n  name: 40-old\n  \
                   labels: {platform.kubevirt.io/managed-by: kubevirt-operator}\n  \
                   annotations: {platform.kubevirt.io/plural: machineconfigs}\n";

fn catalogue() -> Catalogue {
    read(&[("metadata.yaml", "assets: []\n"), ("tombstones/v1.1-cleanup/old-resource.yaml", OLD)]).expect("a catalogue")
}

fn old() -> Key {
    catalogue().tombstones[0].key.clone()
}

fn live(change: Value) -> Live {
    let mut object = json!({"metadata": {
        "name": "40-old", "uid": "u-1", "resourceVersion": "5",
        "labels": {"platform.kubevirt.io/managed-by": "kubevirt-operator", "vitistack.io/supervisor": SUPERVISOR},
    }});
    json_patch::merge(&mut object["metadata"], &change);
    Live::Metadata(object)
}

fn judged(world: &mut World, second: i64) -> (State, String, Option<Step>) {
    let pass = judge(&catalogue(), &world.snapshot, &mut world.memory, at(second));
    let outcome = &pass.outcomes[0];
    (outcome.state, outcome.message.clone(), pass.steps.first().map(|(_, step)| step.clone()))
}

#[test]
fn d6_x92_only_what_is_ours_is_deleted_and_exactly_that() {
    let seen = |live| world().seen(|seen| drop(seen.objects.insert(old(), live)));
    let there = || seen(Ok(live(json!({}))));
    let withheld = there().asked(|asked| asked.disruption = Disruption::Withhold);
    let not_now = there().seen(|seen| seen.turn = Err("waits for the cluster west".to_owned()));
    let no_crd = there().without_crd("machineconfigs.machineconfiguration.openshift.io");
    let says = "MachineConfig 40-old is obsolete, and is deleted";
    #[rustfmt::skip]
    let rows = [
        ("D6: gone already",        seen(Ok(Live::Absent)),                                        State::Applied,   "is gone", false),
        ("X92: no CRD",             no_crd,                                                        State::Applied,   "is gone", false),
        ("not known",               seen(Err("no answer".to_owned())),                             State::Unknown,   "no answer", false),
        ("ours",                    there(),                                                       State::Differs,   says, true),
        ("D6: without the label",   seen(Ok(live(json!({"labels": {"platform.kubevirt.io/managed-by": null}})))), State::Foreign, "MachineConfig 40-old is obsolete, but not ours: delete it yourself", false),
        ("without a supervisor",    seen(Ok(live(json!({"labels": {"vitistack.io/supervisor": null}})))), State::Foreign, "MachineConfig 40-old is obsolete, but not ours: delete it yourself", false),
        ("another supervisor's",    seen(Ok(live(json!({"labels": {"vitistack.io/supervisor": "sup-2"}})))), State::Foreign, "MachineConfig 40-old is obsolete, but not ours: delete it yourself", false),
        ("unmanaged",               seen(Ok(live(json!({"annotations": {"platform.kubevirt.io/mode": "unmanaged"}})))), State::Unmanaged, "its annotation says so", false),
        ("excluded",                there().annotated("disabled-resources", "MachineConfig/40-*"), State::Excluded,  "disabled-resources names it", false),
        ("on its way out",          seen(Ok(live(json!({"deletionTimestamp": "2027-01-01T00:00:00Z"})))), State::Differs, "MachineConfig 40-old is being deleted", false),
        ("Audit",                   there().mode(Mode::Audit),                                     State::Differs,   "MachineConfig 40-old is obsolete, and would be deleted", false),
        ("it restarts nodes",       withheld,                                                      State::Withheld,  "MachineConfig 40-old is obsolete, and is deleted, which restarts nodes: allow that with nodeDisruption: Allow", false),
        ("not its turn",            not_now,                                                       State::Withheld,  "MachineConfig 40-old is obsolete, and is deleted, which restarts nodes, and not now: waits for the cluster west", false),
    ];
    every_row(rows, |(name, mut world, state, message, deletes)| {
        let step = deletes.then(|| Step::Delete { uid: "u-1".to_owned(), resource_version: "5".to_owned() });
        assert_eq!(judged(&mut world, 0), (state, message.to_owned(), step), "{name}");
    });
}

#[test]
fn x92_a_deletion_that_fails_is_tried_again_later() {
    let mut world = world().seen(|seen| drop(seen.objects.insert(old(), Ok(live(json!({}))))));
    assert!(judged(&mut world, 0).2.is_some());
    world.memory.get_mut(&old()).expect("it was judged").failed(Answer::Forbidden("delete".to_owned()), at(0));
    let (state, _, step) = judged(&mut world, 1);
    assert_eq!((state, step), (State::Forbidden, None));
    assert!(judged(&mut world, 601).2.is_some());
}
