//! Virtual machines that no cluster is needed for: repeats, conditions, pages, and mistakes together.

use std::collections::BTreeSet;

use http::Method;
use kube::Api;
use kube::api::PostParams;
use model::api::Machine;
use serde_json::{Value, json};

use super::{Caller, VMS, site, tenant};

/// One that no cluster is looked for: it is somebody else's to run.
fn elsewhere(name: &str) -> Machine {
    let machine = json!({
        "apiVersion": "vitistack.io/v1alpha1", "kind": "Machine", "metadata": {"name": name, "labels": {"set": "pages"}},
        "spec": {"provider": "elsewhere", "template": "small", "tags": {"kept": "yes"}},
    });
    serde_json::from_value(machine).expect("a Machine")
}

#[tokio::test]
async fn f10_two_hundred_and_fifty_machines_come_in_three_pages_and_each_once() {
    let fleet = site().await;
    let peter = tenant(fleet, 2).await;
    let machines: Api<Machine> = Api::namespaced(fleet.supervisor().client().await.expect("a client"), "team-p");
    for at in 0..250 {
        let name = format!("page-{at:03}");
        machines.create(&PostParams::default(), &elsewhere(&name)).await.unwrap_or_else(|error| panic!("{error}"));
    }
    let (mut seen, mut sizes, mut token) = (Vec::new(), Vec::new(), String::new());
    loop {
        let page = peter.get(&format!("{VMS}?label_selector=set%3Dpages&limit=100&page_token={token}")).await;
        assert_eq!(page.status, 200, "F10: {page:?}");
        let items = page.body["items"].as_array().expect("items");
        seen.extend(items.iter().map(|vm| vm["id"].as_str().expect("an id").to_owned()));
        sizes.push(page.body["size"].as_u64().expect("a size"));
        page.body["next_page_token"].as_str().expect("a token").clone_into(&mut token);
        if token.is_empty() {
            break;
        }
    }
    assert_eq!((sizes, seen.len()), (vec![100, 100, 50], 250), "F10");
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 250, "F10");
    for (query, parameter) in
        [("limit=0", "limit"), ("limit=501", "limit"), ("filter=x", "filter"), ("tenant=A", "tenant")]
    {
        let refused = peter.get(&format!("{VMS}?{query}")).await;
        assert_eq!(
            (refused.status, &refused.body["errors"][0]["parameter"]),
            (422, &json!(parameter)),
            "F12: {refused:?}"
        );
    }
    let everywhere = peter.get(&format!("{VMS}?tenant=*")).await;
    assert_eq!(everywhere.status, 403, "X102: he has one tenant: {everywhere:?}");
    an_edit_keeps_what_the_api_does_not_show(&peter, &machines).await;
}

async fn an_edit_keeps_what_the_api_does_not_show(peter: &Caller, machines: &Api<Machine>) {
    let path = format!("{VMS}/page-007");
    let old = peter.get(&path).await.said("etag").to_owned();
    let edit = json!({"metadata": {"labels": {"edited": "yes"}}});
    let edited = peter.patch(&path, &[("if-match", &old)], &edit).await;
    assert_eq!(
        (edited.status, &edited.body["metadata"]["labels"]),
        (200, &json!({"edited": "yes", "set": "pages"})),
        "{edited:?}"
    );
    let late = peter.patch(&path, &[("if-match", &old)], &json!({"metadata": {"labels": {"late": "yes"}}})).await;
    assert_eq!(late.status, 412, "{late:?}");
    let machine = machines.get("page-007").await.expect("the Machine");
    let labels = machine.metadata.labels.expect("labels");
    assert_eq!((labels.get("late"), machine.spec.provider.as_deref()), (None, Some("elsewhere")));
    assert_eq!(machine.spec.tags["kept"], "yes");
    let late = peter.call(Method::DELETE, &path, &[("if-match", &old)], "").await;
    assert_eq!((late.status, peter.get(&path).await.status), (412, 200), "{late:?}");
}

#[tokio::test]
async fn x107_e10_all_mistakes_of_a_request_are_answered_at_once() {
    let alice = tenant(site().await, 0).await;
    let text = |value: Value| json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": value});
    let body = json!({"id": "Web", "spec": {"template": "small", "template_parameters": {
        "vcpus": text(json!("2")), "memroy": text(json!("4Gi")), "memory": text(json!("4Gx")), "run_strategy": text(json!("Sometimes")),
    }}});
    let refused = alice.post(VMS, &body).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    let said = refused.mistakes();
    let at = |pointer: &str| said.iter().find(|(at, _)| *at == pointer).map(|(_, says)| *says).unwrap_or_default();
    assert_eq!(
        at("#/spec/template_parameters/vcpus"),
        "type of parameter 'vcpus' of template 'small' should be 'type.googleapis.com/google.protobuf.Int32Value', but it is 'type.googleapis.com/google.protobuf.StringValue'"
    );
    assert!(at("#/spec/template_parameters/memroy").ends_with("(did you mean 'memory'?)"), "{said:?}");
    assert!(at("#/id").starts_with("must be a DNS label"), "{said:?}");
    assert!(at("#/spec/template_parameters/memory").contains("4Gx"), "X107: admission's word: {said:?}");
    assert!(at("#/spec/template_parameters/run_strategy").contains("Sometimes"), "X107: {said:?}");
}

#[tokio::test]
async fn x104_templates_are_listed_with_their_parameters() {
    let alice = tenant(site().await, 0).await;
    let listed = alice.get("/api/fulfillment/v1/virtual_machine_templates").await;
    let items = listed.body["items"].as_array().expect("items");
    let ids: Vec<_> = items.iter().filter_map(|it| it["id"].as_str()).collect();
    assert_eq!(ids, ["small", "medium", "large", "rhel-9-vm-template"], "X104: {listed:?}");
    assert!(items.iter().all(|it| it["parameters"].as_array().is_some_and(|all| all.len() == 8)), "X107");
}
