//! Those who may not, and requests that nobody should send: no way leads elsewhere.

use http::Method;
use serde_json::{Value, json};
use tests::fleet::Fleet;
use tests::repository::read;
use tests::{ports, probe};

use super::{Caller, HUBS, VMS, site, tenant};
use crate::machines::debug::{documented, scraped};
use crate::table::every_row;

const NOBODY: [&str; 2] = ["system:anonymous", ""];

/// The paths that these asked the supervisor for since then.
fn asked(fleet: &Fleet, mark: u64, users: &[&str]) -> Vec<String> {
    let records = fleet.supervisor().audit().since(mark).expect("an audit log");
    records.into_iter().filter(|record| users.contains(&record.user.as_str())).map(|record| record.uri).collect()
}

#[tokio::test]
async fn x100_x102_f13_who_has_no_token_or_no_right_learns_that_and_nothing_else() {
    let fleet = site().await;
    let (nobody, alice) = (Caller::of(fleet, None).await, tenant(fleet, 0).await);
    let mark = fleet.supervisor().audit().mark();
    for path in [HUBS, VMS, "/api/private/v1/hubs/vmaas-primary"] {
        let refused = nobody.get(path).await;
        assert_eq!((refused.status, refused.said("www-authenticate")), (401, "Bearer"), "X102: {path}: {refused:?}");
    }
    assert_eq!(asked(fleet, mark, &NOBODY), Vec::<String>::new(), "X102: nothing is asked in the name of nobody");
    let wrong = Caller { token: Some("e30.e30.e30".to_owned()), ..Caller::of(fleet, None).await };
    let refused = wrong.get(&format!("{VMS}?tenant=team-a")).await;
    assert_eq!((refused.status, refused.said("www-authenticate")), (401, "Bearer"), "X102: {refused:?}");
    let refused = alice.get(HUBS).await;
    assert_eq!(refused.status, 403, "F13: {refused:?}");
    assert!(
        refused.body["detail"].as_str().is_some_and(|says| says.contains("kubevirtconfigs.vitistack.io is forbidden")),
        "F13: {refused:?}"
    );
    let refused = alice.get(&format!("{VMS}?tenant=default")).await;
    assert_eq!(refused.status, 403, "F13: {refused:?}");
    let own = "/apis/vitistack.io/v1alpha1/namespaces/default/machines?&limit=100";
    let as_alice = asked(fleet, mark, &["system:serviceaccount:team-a:alice"]);
    assert!(as_alice.iter().any(|uri| uri == own), "X100: it is asked in her name: {as_alice:?}");
    let document = nobody.get("/openapi.json").await;
    assert_eq!((document.status, &document.body["paths"][VMS]["get"]["tags"][0]), (200, &json!("virtual_machines")));
}

#[tokio::test]
async fn f13_strange_ids_and_bodies_lead_nowhere() {
    let fleet = site().await;
    let mallory = tenant(fleet, 1).await;
    let mark = fleet.supervisor().audit().mark();
    let long = "a".repeat(64);
    for id in [
        "..%2f..%2fsecrets",
        "a/b",
        "..",
        "%2e%2e",
        "a%00",
        "a%0a",
        "UPPER",
        "%ff",
        "a%3Fb=c",
        "a%23b",
        long.as_str(),
        "machines%2Fstatus",
    ] {
        for method in [Method::GET, Method::DELETE, Method::PATCH] {
            let answer = mallory.call(method.clone(), &format!("{VMS}/{id}"), &[], "{}").await;
            assert!([404, 422].contains(&answer.status), "F13: {method} {id}: {answer:?}");
        }
    }
    for id in ["../../secrets", "a/b", "a\0", "UPPER", &"a".repeat(61), "", "a.b"] {
        let answer = mallory.post(VMS, &json!({"id": id, "spec": {"template": "small"}})).await;
        assert_eq!((answer.status, answer.mistakes()[0].0), (422, "#/id"), "X103: {id:?}: {answer:?}");
    }
    for tenant in ["..%2f..%2fsecrets", "a%2Fb", "UPPER", "a%00"] {
        let answer = mallory.get(&format!("{VMS}?tenant={tenant}")).await;
        assert_eq!(answer.status, 422, "X102: {tenant}: {answer:?}");
    }
    let ours = "/apis/vitistack.io/v1alpha1/namespaces/team-m/machines";
    let strange: Vec<_> = asked(fleet, mark, &["system:serviceaccount:team-m:mallory"])
        .into_iter()
        .filter(|uri| *uri != format!("{ours}?&dryRun=All&fieldManager=kubevirt-operator-gateway"))
        .collect();
    assert_eq!(strange, Vec::<String>::new(), "F13: another path");

    let large = json!({"spec": {"template": "x".repeat(1 << 20)}}).to_string();
    let (fits, beyond) = (" ".repeat(1 << 20), " ".repeat((1 << 20) + 1));
    #[rustfmt::skip]
    let cases = [
        (Method::POST, VMS,                vec![],                            large.as_str(),  413),
        (Method::POST, VMS,                vec![],                            beyond.as_str(), 413),
        (Method::POST, VMS,                vec![],                            fits.as_str(),   400),
        (Method::POST, VMS,                vec![],                            "{",             400),
        (Method::PUT,  VMS,                vec![],                            "{}",            405),
        (Method::GET,  "/api/nothing",     vec![],                            "",              404),
        (Method::GET,  "/metrics",         vec![],                            "",              404),
        (Method::POST, VMS,                vec![("x-dry-run", "maybe")],      "{}",            422),
    ];
    for (method, path, head, body, status) in cases {
        let answer = mallory.call(method.clone(), path, &head, body).await;
        assert_eq!(answer.status, status, "F13: {method} {path} {} bytes: {:?}", body.len(), answer.body);
    }
    what_is_counted_is_documented(fleet).await;
    let answer = mallory.call(Method::PUT, VMS, &[], "{}").await;
    assert!(answer.said("allow").contains("POST"), "{answer:?}");
    assert_eq!(answer.body["status"], Value::from(405));
}

async fn what_is_counted_is_documented(fleet: &Fleet) {
    let address = ports::claim(fleet.dir(), "gateway-metrics").unwrap_or_else(|error| panic!("{error}"));
    let text = probe::get(address, "/metrics").await.unwrap_or_else(|error| panic!("{error}"));
    let known = documented(&read("docs/metrics.md"), "Gateway");
    every_row(scraped(&text), |(name, kind)| assert_eq!(known.get(&name), Some(&kind), "docs/metrics.md: {name}"));
    let counted = "kubevirt_operator_gateway_requests_total{route=\"none\",method=\"GET\",code=\"404\"} ";
    assert!(text.contains(counted), "{text}");
}
