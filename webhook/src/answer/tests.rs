use std::sync::Arc;

use admission::Config;
use admission::world::{Held, Size, Strategy};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use model::names::ClusterName;
use serde_json::{Value, json};

use super::*;
use crate::table::every_row;

fn world() -> World {
    let east = (ClusterName("east".to_owned()), Arc::new(Config::default()));
    World { configs: [east].into(), ..World::default() }
}

fn ask(route: Route, object: &Value) -> (Answer, Value) {
    let review = json!({"request": {"uid": "u-1", "operation": "CREATE", "name": "web", "namespace": "shop", "object": object,
        "kind": {"group": "vitistack.io", "version": "v1alpha1", "kind": "Machine"}}});
    let answer = answer(route, review.to_string().as_bytes(), &world());
    let body = serde_json::from_slice(&answer.body).expect("JSON");
    (answer, body)
}

#[test]
fn a7_the_patch_is_base64_and_makes_what_the_validating_route_demands() {
    let object = json!({"metadata": {"name": "web"}, "spec": {"instanceType": "small"}});
    let (answer, body) = ask(Route::Mutate, &object);
    assert_eq!((&body["response"]["uid"], &body["response"]["allowed"]), (&json!("u-1"), &json!(true)));
    assert_eq!(body["response"]["patchType"], "JSONPatch");
    let why = r#"{"rule":"only-cluster","cluster":"east","candidates":1,"among":["east"]}"#;
    assert_eq!(body["response"]["auditAnnotations"]["placement"], why);
    assert_eq!(body["response"]["warnings"], json!(["spec.instanceType is an alias: use spec.template: small"]));
    let assigned = answer.assigned.expect("a line for the log");
    assert_eq!((assigned.machine.as_str(), assigned.cluster.as_str()), ("web", "east"));

    let patch = BASE64.decode(body["response"]["patch"].as_str().expect("a patch")).expect("base64");
    let operations: Vec<Value> = serde_json::from_slice(&patch).expect("a JSON patch");
    let paths: Vec<_> = operations.iter().map(|operation| operation["path"].as_str().expect("a path")).collect();
    assert_eq!(
        paths,
        [
            "/metadata/annotations",
            "/metadata/annotations/vitistack.io~1kubevirt-config",
            "/metadata/annotations/vitistack.io~1placement",
            "/metadata/annotations/vitistack.io~1resolved",
            "/metadata/finalizers",
        ]
    );
    let value = |index: usize| &operations[index]["value"];
    let annotations = json!({names::KUBEVIRT_CONFIG: value(1), names::PLACEMENT: value(2), names::RESOLVED: value(3)});
    let stored = json!({"metadata": {"name": "web", "annotations": annotations, "finalizers": value(4)}, "spec": object["spec"]});
    let (_, body) = ask(Route::Validate, &stored);
    assert_eq!((&body["response"]["allowed"], body["response"].get("patch")), (&json!(true), None));
    let (_, body) = ask(Route::Validate, &object);
    assert_eq!(body["response"]["status"]["details"]["causes"][0]["reason"], "NotStable");
}

#[test]
fn g4_kvo34_a_refusal_is_422_invalid_with_a_cause_for_each_field() {
    let object = json!({"metadata": {"name": "web"}, "spec": {"template": "huge", "runStrategy": "Now"}});
    every_row([Route::Mutate, Route::Validate], |route| {
        let (answer, body) = ask(route, &object);
        assert_eq!((answer.status, answer.outcome), (200, "refused"));
        let status = &body["response"]["status"];
        assert_eq!((&status["code"], &status["reason"]), (&json!(422), &json!("Invalid")));
        let fields: Vec<_> =
            status["details"]["causes"].as_array().expect("causes").iter().map(|cause| &cause["field"]).collect();
        assert_eq!(fields, ["spec.runStrategy", "spec.template"]);
        assert_eq!(status["details"]["causes"][1]["reason"], "TemplateNotFound");
    });
}

/// An admitted Machine as the validating route sees it.
fn stored(name: &str) -> Value {
    let object = json!({"metadata": {"name": "web"}, "spec": {"template": "small"}});
    let (_, body) = ask(Route::Mutate, &object);
    let patch = BASE64.decode(body["response"]["patch"].as_str().expect("a patch")).expect("base64");
    let operations: Vec<Value> = serde_json::from_slice(&patch).expect("a JSON patch");
    let value = |path: &str| {
        operations.iter().find(|it| it["path"].as_str().is_some_and(|at| at.contains(path))).expect(path)["value"]
            .clone()
    };
    let annotations = json!({names::KUBEVIRT_CONFIG: "east", names::PLACEMENT: value("placement"), names::RESOLVED: value("resolved")});
    json!({"metadata": {"name": name, "annotations": annotations, "finalizers": value("finalizers")}, "spec": object["spec"]})
}

#[test]
fn a24_x77_what_a_new_machine_holds_is_noted_by_the_last_route_unless_nothing_is_stored() {
    let undecided = json!({"metadata": {"name": "web"}, "spec": {"template": "small"}});
    let review = |operation: &str, name: &str, old: Option<Value>, dry: bool| {
        json!({"request": {"uid": "u-1", "operation": operation, "name": "", "namespace": "shop", "dryRun": dry,
            "object": stored(name), "oldObject": old, "kind": {"group": "vitistack.io", "version": "v1alpha1", "kind": "Machine"}}})
        .to_string()
    };
    #[rustfmt::skip]
    let cases = [
        ("A24: created",              Route::Validate, review("CREATE", "web", None, false),                   true),
        ("X77: under generateName",   Route::Validate, review("CREATE", "web-x7k2p", None, false),             true),
        ("A24: assigned later",       Route::Validate, review("UPDATE", "web", Some(undecided), false),        true),
        ("A24: it was assigned",      Route::Validate, review("UPDATE", "web", Some(stored("web")), false),    false),
        ("A24: a dry run",            Route::Validate, review("CREATE", "web", None, true),                    false),
        ("A24: not the last to ask",  Route::Mutate,   review("CREATE", "web", None, false),                   false),
    ];
    every_row(cases, |(case, route, body, noted)| {
        let answer = super::answer(route, body.as_bytes(), &world());
        assert_eq!(
            (answer.status, answer.outcome),
            (200, "admitted"),
            "{case}: {}",
            String::from_utf8_lossy(&answer.body)
        );
        assert_eq!(answer.holds.is_some(), noted, "{case}");
        let Some((key, held)) = answer.holds else { return };
        assert_eq!(key.namespace, "shop", "{case}");
        assert_eq!(held.cluster, Some(ClusterName("east".to_owned())), "{case}");
        let names: Vec<_> = held.names.iter().map(|name| name.name.clone()).collect();
        assert_eq!(names, [format!("vm-{}", key.name), format!("{}-root", key.name)], "{case}");
    });
}

#[test]
fn a24_x68_a_cluster_that_was_drawn_counts_from_the_first_route_on_unless_nothing_is_stored() {
    let two = |strategy| {
        let configs = ["east", "west"].map(|name| (ClusterName(name.to_owned()), Arc::new(Config::default())));
        let policy = admission::Policy { strategy, ..admission::Policy::default() };
        World { configs: configs.into(), policy: Arc::new(policy), ..World::default() }
    };
    let balanced = || two(Strategy::Balanced);
    let (key, known) = ask(Route::Validate, &stored("web")).0.holds.expect("a new Machine");
    let mut again = balanced();
    again.machines.put(&key, known);
    let review = |metadata: Value, dry: bool| {
        json!({"request": {"uid": "u-1", "operation": "CREATE", "name": "", "namespace": "shop", "dryRun": dry,
            "object": {"metadata": metadata, "spec": {"template": "medium"}}, "kind": {"group": "vitistack.io", "version": "v1alpha1", "kind": "Machine"}}})
    };
    let named = |cluster: &str| json!({"name": "web", "annotations": {names::KUBEVIRT_CONFIG: cluster}});
    #[rustfmt::skip]
    let cases = [
        ("A24: drawn",                  balanced(),            review(json!({"name": "web"}), false),          true),
        ("A24: named by its author",    balanced(),            review(named("east"), false),                   false),
        ("A24: the only one",           world(),               review(json!({"name": "web"}), false),          false),
        ("A24: a dry run",              balanced(),            review(json!({"name": "web"}), true),           false),
        ("X77: its name is not known",  balanced(),            review(json!({"generateName": "web-"}), false), false),
        ("A24: one of that name is there", again,              review(json!({"name": "web"}), false),          false),
    ];
    every_row(cases, |(case, world, body, pledged)| {
        let answer = super::answer(Route::Mutate, body.to_string().as_bytes(), &world);
        assert_eq!(answer.outcome, "admitted", "{case}: {}", String::from_utf8_lossy(&answer.body));
        let cluster = answer.assigned.map(|it| ClusterName(it.cluster));
        let size = Size { cpu: 2000, memory: 4 << 30 };
        let wanted = Held { cluster, awaited: Some(Box::new(size)), ..Held::default() };
        assert_eq!(answer.holds, pledged.then_some((key.clone(), wanted)), "{case}");
    });
}

#[test]
fn atk10_an_edit_is_noted_where_it_takes_more_than_the_machine_has() {
    let (key, held) = ask(Route::Validate, &stored("web")).0.holds.expect("a new Machine");
    let mut world = world();
    world.machines.put(&key, held);
    let edited = |networks: Value| {
        let mut object = stored("web");
        object["spec"]["networks"] = networks;
        let review = json!({"request": {"uid": "u-1", "operation": "UPDATE", "name": "web", "namespace": "shop",
            "object": object, "oldObject": stored("web"), "kind": {"group": "vitistack.io", "version": "v1alpha1", "kind": "Machine"}}});
        let answer = super::answer(Route::Validate, review.to_string().as_bytes(), &world);
        assert_eq!(answer.outcome, "admitted", "{}", String::from_utf8_lossy(&answer.body));
        answer.holds.map(|(_, held)| held.macs)
    };
    assert_eq!(edited(json!([{"name": "nic"}])), None);
    let address = json!([{"name": "nic", "macAddress": "52:54:00:00:00:0A"}]);
    assert_eq!(edited(address), Some(vec!["52:54:00:00:00:0a".to_owned()]));
}

#[test]
fn t12_the_claim_of_an_iso_image_is_noted_with_the_others() {
    every_row([("https://images.example.org/a.iso", true), ("", false)], |(uri, wanted)| {
        let mut object = stored("web");
        object["spec"]["os"] = json!({"isoUri": uri});
        let (_, held) = ask(Route::Validate, &object).0.holds.expect("a new Machine");
        assert_eq!(held.names.iter().any(|name| name.name == "web-iso"), wanted, "{uri:?}");
    });
}

#[test]
fn e8_e9_an_assignment_is_told_once_and_never_on_a_dry_run() {
    let object = json!({"metadata": {"name": "web"}, "spec": {"template": "small"}});
    let named = stored("web");
    let review = |object: &Value, operation: &str, dry: bool| {
        json!({"request": {"uid": "u-1", "operation": operation, "name": "web", "namespace": "shop", "dryRun": dry, "object": object,
            "oldObject": (operation == "UPDATE").then_some(object), "kind": {"group": "vitistack.io", "version": "v1alpha1", "kind": "Machine"}}})
        .to_string()
    };
    #[rustfmt::skip]
    let cases = [
        ("E9: chosen",         Route::Mutate,   review(&object, "CREATE", false), Some(Rule::OnlyCluster)),
        ("E9: named",          Route::Mutate,   review(&named, "CREATE", false),  Some(Rule::Named)),
        ("E9: a dry run",      Route::Mutate,   review(&object, "CREATE", true),  None),
        ("E9: kept",           Route::Mutate,   review(&named, "UPDATE", false),  None),
        ("E9: only validated", Route::Validate, review(&named, "CREATE", false),  None),
    ];
    every_row(cases, |(case, route, body, wanted)| {
        let answer = super::answer(route, body.as_bytes(), &world());
        assert_eq!(answer.outcome, "admitted", "{case}: {}", String::from_utf8_lossy(&answer.body));
        assert_eq!(answer.assigned.map(|it| it.rule), wanted, "{case}");
    });
}
