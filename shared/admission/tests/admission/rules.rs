//! Rules: what is refused, where, and what the answer says. Expected values are written by hand.

use admission::world::{Capacity, Held, Room};
use model::names::MachineKey;
use model::names::Name;

use super::*;
use crate::table::every_row;

mod effect;
mod fleet;
mod guest;
mod kubevirt;
mod overrides;
mod properties;
mod secrets;
mod spec;
mod surroundings;

type Row = (&'static str, Value, &'static str, Reason, &'static str);

/// Each spec is refused at the path, for the reason, with the words.
fn refused(rows: Vec<Row>, world: &World) {
    every_row(rows, |(name, spec, path, reason, says)| {
        let wrong = refuse(&machine(spec), world);
        let found = wrong.iter().find(|it| it.path == path && it.reason == reason);
        let found = found.unwrap_or_else(|| panic!("{name}: {wrong:?}"));
        assert!(found.message.contains(says), "{name}: {}", found.message);
        // A selector that is no selector selects nothing either.
        let consequence =
            |it: &&Violation| matches!(it.reason, Reason::NoKubevirtConfigs | Reason::SelectorMatchesNone);
        let causes = wrong.len() - wrong.iter().filter(consequence).count();
        assert_eq!(causes, 1, "{name}: and nothing else: {wrong:?}");
    });
}

fn key(name: &str) -> MachineKey {
    MachineKey { namespace: "default".to_owned(), name: name.to_owned() }
}

/// Changes what is known of one cluster.
fn knowing(mut world: World, cluster: &str, change: impl FnOnce(&mut Config)) -> World {
    let config = world.configs.get_mut(&ClusterName(cluster.to_owned())).expect("a cluster");
    change(Arc::make_mut(config));
    world
}

/// A world with networks to join: two NetworkConfigurations, one NetworkNamespace, and the record of a Machine.
fn networked() -> World {
    let mut world = world(&["east"]);
    for (name, record) in [("prod-network", false), ("mgmt-network", false), ("old-vm", true)] {
        world.networks.configurations.insert_mut(key(name), record);
    }
    world.networks.namespaces.insert_mut(key("prod-net"), ());
    world
}

fn with(field: &str, value: Value) -> Value {
    let mut spec = json!({"template": "small"});
    spec[field] = value;
    spec
}

/// An update of a Machine whose surroundings changed since it was admitted, with one more edit beside.
fn edited(before: &Value, then: &World, edit: impl FnOnce(&mut Value)) -> Verdict {
    let mut after = before.clone();
    edit(&mut after);
    judge("UPDATE", &after, Some(before), then)
}

fn halted(machine: &mut Value) {
    machine["spec"]["runStrategy"] = json!("Halted");
}

fn reasons(verdict: Verdict) -> Vec<(String, Reason)> {
    match verdict {
        Verdict::Admit(_) => Vec::new(),
        Verdict::Refuse(wrong) => wrong.into_iter().map(|it| (it.path, it.reason)).collect(),
        Verdict::Ask(needs) => panic!("it was asked: {needs:?}"),
    }
}

fn warned(verdict: Verdict) -> String {
    match verdict {
        Verdict::Admit(admission) => admission.warnings.join("\n"),
        other => panic!("not admitted: {other:?}"),
    }
}

#[test]
fn atk12_an_operation_that_is_not_judged_is_admitted_or_named() {
    let world = world(&["east"]);
    let object = machine(json!({"template": "no such template"}));
    let decided = |operation: &str, object: &Value, old: Option<&Value>| {
        let body = review(operation, object, old);
        decide(&decode(body.as_bytes()).unwrap_or_else(|why| panic!("{operation}: {why:?}")).request, &world)
    };
    let admitted = Verdict::Admit(Admission::default());
    assert_eq!(decided("DELETE", &Value::Null, Some(&object)), admitted, "as an API server sends it");
    assert_eq!(decided("DELETE", &Value::Null, Some(&json!({"spec": {"template": 7}}))), admitted, "unreadable");
    assert_eq!(decided("CONNECT", &json!({"spec": [], "stdin": true}), None), admitted, "something else");
    every_row(["", "create", "PATCH", "DELETED"], |operation| {
        let Verdict::Refuse(wrong) = decided(operation, &object, None) else { panic!("{operation}: admitted") };
        let found: Vec<_> = wrong.iter().map(|it| (it.reason, it.path.as_str(), it.message.as_str())).collect();
        let says = format!(
            "Unsupported value: {operation:?}: this webhook judges CREATE and UPDATE, and admits DELETE and CONNECT"
        );
        assert_eq!(found, [(Reason::FieldNotSupported, "request.operation", says.as_str())]);
    });
}
