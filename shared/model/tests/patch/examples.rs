//! The examples of docs/patches.md do what the page says. X33.

use std::collections::BTreeMap;

use model::api::Machine;
use model::machine::{Intent, Kind, Observed, Remote, Shown, There, Write, plan};
use model::patch::{Desired, UserPatches, check};
use serde_json::{Value, json};

use crate::FIELD;
use crate::table::every_row;

const PAGE: &str = include_str!("../../../../docs/patches.md");

/// The blocks of a kind, without their fences.
fn blocks(kind: &str) -> Vec<&'static str> {
    let fence = format!("```{kind}\n");
    PAGE.split(fence.as_str()).skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

/// The objects that the controller writes for a Machine of the page, by kind and name.
fn written(machine: &Machine) -> BTreeMap<(Kind, String), Value> {
    let names = machine.spec.disks.iter().filter_map(|disk| disk.name.as_deref());
    let disk = |name| json!({"name": name, "size": "20Gi", "accessMode": "ReadWriteOnce"});
    let disks: Vec<Value> = std::iter::once("root").chain(names).map(disk).collect();
    let sizing = json!({"source": "built-in", "cores": 2, "threads": 1, "sockets": 1, "memory": "4Gi", "disks": disks});
    let mut machine = machine.clone();
    let annotations = machine.metadata.annotations.get_or_insert_default();
    annotations.insert("vitistack.io/kubevirt-config".to_owned(), "east".to_owned());
    annotations.insert("vitistack.io/resolved".to_owned(), sizing.to_string());
    machine.metadata.uid = Some("m-1".to_owned());
    machine.metadata.finalizers = Some(vec!["machine.vitistack.io/cleanup".to_owned()]);
    let status = json!({"kubevirtConfigRef": {"name": "east", "clusterId": "c-east"}});
    machine.status = serde_json::from_value(status).expect("a status");
    let remote = Remote::Connected { id: "c-east".to_owned() };
    let seen = Observed { namespace_known: true, ..Observed::nothing("sup", remote) };
    let writes =
        plan(&Intent::of(&machine, "vm-", None, &Shown::new()), &seen).writes.into_iter().map(|write| match write {
            Write::There(There::Create(kind, name, object)) => ((kind, name), object),
            other => panic!("{other:?}"),
        });
    writes.collect()
}

fn annotations(machine: &Machine) -> Vec<(&str, &str)> {
    machine.metadata.annotations.iter().flatten().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

#[test]
fn x33_x46_x47_every_documented_example_is_admitted_and_has_an_effect() {
    let examples = blocks("yaml");
    assert_eq!(examples.len(), 4, "the examples were not found");
    every_row(examples, |text| {
        let machine: Machine = serde_saphyr::from_str(text).expect(text);
        let name = machine.metadata.name.clone().unwrap();
        let mut bare = machine.clone();
        bare.metadata.annotations = None;
        let objects = written(&bare);
        let patched = written(&machine);
        let vm = &objects[&(Kind::Vm, format!("vm-{name}"))];
        let disks: BTreeMap<&str, &Value> = objects
            .iter()
            .filter(|((kind, _), _)| *kind == Kind::Claim)
            .map(|((_, claim), object)| (claim.strip_prefix(&format!("{name}-")).unwrap(), object))
            .collect();
        let desired = Desired { vm, disks: disks.clone(), scheduling: false };
        assert_eq!(check(annotations(&machine), &desired), [], "{text}");
        let read = UserPatches::read(annotations(&machine)).unwrap();
        let mut effects = usize::from(patched[&(Kind::Vm, format!("vm-{name}"))]["spec"] != vm["spec"]);
        for (disk, of_disk) in &read.disks {
            effects += usize::from(
                of_disk.unmanaged || of_disk.apply(disks[disk.as_str()], false).unwrap() != *disks[disk.as_str()],
            );
        }
        assert!(effects > 0, "without effect: {text}");
    });
}

/// The page shows one refusal, word for word.
#[test]
fn x33_the_documented_refusal_is_the_real_one() {
    let shown = PAGE.lines().find(|line| line.starts_with("operation 1 (replace ")).expect("the page shows a refusal");
    let patch = json!([
        {"op": "add", "path": "/spec/template/spec/hostname", "value": "web"},
        {"op": "replace", "path": "/spec/template/spec/domain/cpu/cores", "value": 8},
    ]);
    let (field, _, says) = crate::only(crate::patched(&patch, false).unwrap_err());
    assert_eq!((field.as_str(), says.as_str()), (FIELD, shown));
}
