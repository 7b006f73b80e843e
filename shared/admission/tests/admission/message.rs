//! What admission leaves on a Machine is what the controller finds there, of generated Machines and fleets, and of what an
//! earlier version wrote.

use model::api::Machine;
use model::machine::{Intent, Shown, cluster_of};
use proptest::prelude::*;
use proptest::sample::select;

use super::properties::{machines, named, worlds};
use super::*;

/// Enough for every rule of placement to come up.
const CASES: u32 = 600;
/// Names that a VM of a Machine may have.
const BOTH: usize = 2;

fn run(law: impl Fn((Value, World, Value)) -> Result<(), TestCaseError>) {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) };
    let cases = (machines(), worlds(), references());
    proptest::test_runner::TestRunner::new(config).run(&cases, law).unwrap_or_else(|failed| panic!("{failed}"));
}

/// `status.kubevirtConfigRef`, with everything that may be absent or empty.
fn references() -> impl Strategy<Value = Value> {
    let texts = |some: &'static str| select(vec![Value::Null, json!(""), json!(some)]);
    (texts("east"), texts("c-1"), texts("vms"))
        .prop_map(|(name, id, namespace)| json!({"name": name, "clusterId": id, "namespace": namespace}))
}

fn read(stored: &Value) -> Machine {
    let mut typed = stored.clone();
    typed["apiVersion"] = json!("vitistack.io/v1alpha1");
    typed["kind"] = json!("Machine");
    serde_json::from_value(typed).expect("a Machine")
}

/// Cluster, and the names that a VM is looked for under.
fn intended(stored: &Value) -> (String, Vec<String>, Sizing) {
    match Intent::of(&read(stored), "vm-", None, &Shown::new()) {
        Intent::Run(admitted) => (admitted.cluster.0, admitted.adopt, admitted.sizing),
        other => panic!("{other:?} of {stored}"),
    }
}

#[test]
fn b23_the_controller_reads_what_admission_wrote() {
    run(|(machine, world, reference)| {
        let machine = named(machine);
        let ours = !matches!(machine["spec"]["provider"].as_str(), Some("aws"));
        let Verdict::Admit(admission) = judge("CREATE", &machine, None, &world) else { return Ok(()) };
        let Some(placement) = admission.placement.filter(|_| ours) else { return Ok(()) };
        let mut after = stored("CREATE", &machine, None, &world);
        let (cluster, names, sizing) = intended(&after);
        prop_assert_eq!(&cluster, &placement.cluster.0);
        match (&placement.vm, placement.searched) {
            (Some(vm), _) => prop_assert_eq!(&names, std::slice::from_ref(vm)),
            (None, true) => prop_assert_eq!(&names, &Vec::<String>::new()),
            (None, false) => prop_assert_eq!(names.len(), BOTH),
        }
        let text = after["metadata"]["annotations"][names::RESOLVED].as_str().map(str::to_owned);
        prop_assert_eq!(Some(sizing.write()), text);

        // An older explanation says less. Without one nothing is known, and everything is looked for.
        let annotations = after["metadata"]["annotations"].as_object_mut().expect("annotations");
        annotations.insert(names::PLACEMENT.to_owned(), json!(json!({"cluster": cluster}).to_string()));
        prop_assert_eq!(intended(&after).1, Vec::<String>::new());
        after["metadata"]["annotations"].as_object_mut().expect("annotations").remove(names::PLACEMENT);
        prop_assert_eq!(intended(&after).1.len(), BOTH);

        // Both read the same out of what the controller records.
        after["status"] = json!({"kubevirtConfigRef": reference});
        let body = review("UPDATE", &after, Some(&after));
        let review = decode(body.as_bytes()).expect("a review");
        let settled = review.request.old_object.as_ref().and_then(|old| old.recorded_cluster().map(str::to_owned));
        let identified = reference["clusterId"] == "c-1";
        prop_assert_eq!(settled.is_some(), identified, "{}", reference);
        if let Some(settled) = settled {
            let named = reference["name"].as_str().filter(|name| !name.is_empty()).unwrap_or(&cluster).to_owned();
            prop_assert_eq!(&settled, &named);
            prop_assert_eq!(cluster_of(&read(&after)).map(|name| name.0), Some(named));
        }
        Ok(())
    });
}
