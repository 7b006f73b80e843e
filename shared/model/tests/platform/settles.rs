//! Whatever the cluster has: two passes later nothing is left to write, and what is not ours is as it was.

use model::platform::snapshot::Live;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::{key, world};

/// Names that the baseline has, and others.
const NAMES: [&str; 8] = ["mode", "profiles", "evictionLimits", "total", "node", "managementState", "theirs", "name"];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (0..9_i64).prop_map(Value::from),
        "[a-zA-Z]{0,8}".prop_map(Value::from),
        Just(json!("Automatic")),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(NAMES.to_vec()), inner), 0..5).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn p17_x83_any_object_settles_if_it_is_ours_and_stays_if_it_is_not(spec in value(), ours in any::<bool>()) {
        let of = key("KubeDescheduler", "cluster");
        let labels = if ours { json!({"platform.kubevirt.io/managed-by": "kubevirt-operator"}) } else { json!({}) };
        let object = json!({
            "apiVersion": "operator.openshift.io/v1", "kind": "KubeDescheduler",
            "metadata": {"namespace": "n", "name": "cluster", "uid": "u", "resourceVersion": "1", "generation": 1, "labels": labels},
            "spec": {"theirs": spec},
        });
        let mut object = object;
        if let Value::Object(fields) = &object["spec"]["theirs"].clone() {
            object["spec"].as_object_mut().expect("an object").extend(fields.clone());
        }
        let mut world = world().annotated("enable-loadaware", "true");
        world.settle(0);
        world.snapshot.objects.insert(of.clone(), Ok(Live::Whole(object.clone())));
        let writes = world.settle(600);
        prop_assert!(writes <= usize::from(ours));
        prop_assert_eq!(world.pass(700).steps, vec![]);
        let Some(Ok(Live::Whole(after))) = world.snapshot.objects.get(&of) else { panic!("it is gone") };
        if ours {
            prop_assert_eq!(&after["spec"]["mode"], &json!("Automatic"));
            prop_assert_eq!(&after["spec"]["theirs"], &object["spec"]["theirs"]);
        } else {
            prop_assert_eq!(after, &object);
        }
    }
}
