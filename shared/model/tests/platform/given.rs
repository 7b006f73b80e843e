//! A cluster that is only described.

use model::platform::catalogue::Condition;
use model::platform::given::{Given, objects, snapshot};
use model::platform::render::text::page as text;
use model::platform::render::{Options, Stage, Status, render};

use super::*;
use crate::table::every_row;

fn shown(given: Given, options: &Options) -> (String, Vec<String>, bool) {
    let (snapshot, notes) = snapshot(given, built_in());
    let rendered = render(built_in(), &snapshot, &BTreeMap::new(), at(0), options);
    (text("east", &rendered, options), notes, rendered.is_wrong())
}

fn hco() -> Given {
    Given { hyperconvergeds: vec![hyperconverged()], ..Given::default() }
}

#[test]
fn p8_what_is_not_given_counts_as_present_and_a_note_says_so() {
    let (_, notes, wrong) = shown(hco(), &Options::default());
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].contains("no CRDs were given") && notes[1].contains("no nodes were given"), "{notes:?}");
    assert!(!wrong);
    let (snapshot, _) = snapshot(hco(), built_in());
    let options = Options { show_excluded: true, ..Options::default() };
    let rendered = render(built_in(), &snapshot, &BTreeMap::new(), at(0), &options);
    let is_asked = |condition: &Condition| !matches!(condition, Condition::Hardware(_) | Condition::Object { .. });
    for row in &rendered.rows {
        let is_root = row.asset.row.root && row.asset.key.kind != "HyperConverged";
        let want =
            if is_root || row.asset.row.conditions.iter().any(is_asked) { Status::Excluded } else { Status::Included };
        assert_eq!(row.status, want, "{}: {}", row.asset.row.name, row.reason);
    }
}

#[test]
fn p8_nodes_and_crds_that_are_given_count_as_they_are() {
    let mut given = hco();
    given.nodes = Some(vec![json!({"kind": "Node", "metadata": {"labels": {"node-role.kubernetes.io/worker": ""}},
        "status": {"allocatable": {"devices.kubevirt.io/kvm": "1k"}}})]);
    given.crds = Some(vec![]);
    given.asked = Some(Asked { mode: Mode::Audit, ..Asked::default() });
    let options = Options { show_excluded: true, ..Options::default() };
    let (page, notes, _) = shown(given, &options);
    assert_eq!(notes, Vec::<String>::new());
    assert!(page.contains("the cluster does not serve hyperconvergeds.hco.kubevirt.io"), "{page}");
    assert!(!page.contains("INCLUDED"), "{page}");
}

#[test]
fn p9_what_is_described_gives_what_the_cluster_itself_gives_byte_for_byte() {
    let options = Options { show_excluded: true, stage: Stage::Baseline, ..Options::default() };
    let mut world = world().annotated("enable-loadaware", "true").label("feature.node.kubernetes.io/memory-numa");
    world.settle(0);
    let live = render(built_in(), &world.snapshot, &world.memory, at(30), &options);
    let nodes = world.snapshot.nodes.clone().expect("the nodes").into_iter();
    let nodes = nodes.map(|it| json!({"metadata": {"labels": it.labels}, "status": {"allocatable": it.allocatable}}));
    let given = Given {
        hyperconvergeds: vec![world.snapshot.hyperconvergeds.clone().expect("the root")[0].clone()],
        asked: Some(world.snapshot.asked.clone()),
        nodes: Some(nodes.collect()),
        ..Given::default()
    };
    let (mut described, _) = snapshot(given, built_in());
    described.crds = frames::crds();
    let offline = render(built_in(), &described, &BTreeMap::new(), at(99), &options);
    assert_eq!(text("east", &offline, &options), text("east", &live, &options));
    assert!(live.rows.iter().filter(|row| row.status == Status::Included).count() > 6);
}

#[test]
fn files_are_read_as_kubectl_writes_them_and_other_kinds_are_refused() {
    #[rustfmt::skip]
    let rows = [
        ("one",            "kind: Node\nmetadata: {name: a}\n",                                    Ok(1)),
        ("several",        "---\nkind: Node\n---\nkind: Node\n---\n",                              Ok(2)),
        ("a list",         "kind: List\nitems: [{kind: Node}, {kind: Node}, {kind: Node}]\n",      Ok(3)),
        ("JSON",           "{\"kind\": \"NodeList\", \"items\": [{\"kind\": \"Node\"}]}",          Ok(1)),
        ("nothing",        "",                                                                     Ok(0)),
        ("another kind",   "kind: Pod\n",                                                          Err("has \"Pod\" where a Node is wanted")),
        ("no object",      "just text\n",                                                          Err("has null where a Node is wanted")),
        ("an anchor",      "kind: Node\na: &x 1\nb: *x\n",                                         Err("")),
        ("not YAML",       "a: [",                                                                 Err("")),
    ];
    every_row(rows, |(name, text, want)| match (objects(text, "Node"), want) {
        (Ok(found), Ok(count)) => assert_eq!(found.len(), count, "{name}"),
        (Err(why), Err(says)) => assert!(why.contains(says), "{name}: {why}"),
        (found, _) => panic!("{name}: {found:?}"),
    });
}
