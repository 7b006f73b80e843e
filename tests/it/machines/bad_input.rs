//! What the webhook answers to bodies that no API server sends: an answer, never a panic, never a hang.

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, Config};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use tests::fleet::{Endpoint, NAMESPACE};

use super::Ground;
use crate::fleet::shared;

async fn webhook(ground: &Ground<'_>) -> Client {
    let secrets: Api<Secret> = Api::namespaced(ground.supervisor.clone(), NAMESPACE);
    let ca = secrets.get("kubevirt-operator-webhook-ca").await.expect("the CA").data.expect("data")["ca.crt"].0.clone();
    let address = ground.fleet.address(Endpoint::Webhook).unwrap_or_else(|error| panic!("{error}"));
    let mut config = Config::new(format!("https://{address}").parse().expect("a URL"));
    let roots = CertificateDer::pem_slice_iter(&ca).map(|der| der.expect("a certificate").to_vec());
    config.root_cert = Some(roots.collect());
    Client::try_from(config).expect("a client")
}

/// Status and body of the answer.
async fn post(client: &Client, path: &str, body: Vec<u8>) -> (u16, String) {
    try_post(client, path, body).await.expect("an answer")
}

async fn try_post(client: &Client, path: &str, body: Vec<u8>) -> kube::Result<(u16, String)> {
    let request = http::Request::post(path)
        .header("content-type", "application/json")
        .body(kube::client::Body::from(body))
        .expect("a request");
    let answer = client.send(request).await?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect_bytes().await?;
    Ok((status, String::from_utf8(body.to_vec()).expect("text")))
}

#[tokio::test]
async fn x78_malformed_reviews_are_answered_with_the_field() {
    let ground = Ground::new(shared().await, "bodies").await;
    let client = webhook(&ground).await;
    let review = |object: Value| {
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
            "uid": "u-1", "operation": "CREATE", "namespace": "bodies", "kind": {"group": "vitistack.io", "version": "v1alpha1", "kind": "Machine"}, "object": object,
        }})
    };
    let other = |kind: &str| {
        let mut review = review(json!({}));
        review["request"]["kind"]["kind"] = json!(kind);
        review
    };
    let big =
        review(json!({"metadata": {"name": "big"}, "spec": {"template": "small", "userData": "x".repeat(3 << 20)}}));
    let networks = vec![json!({"name": "a"}); 10_000];
    let many = review(json!({"metadata": {"name": "many"}, "spec": {"template": "small", "networks": networks}}));
    #[rustfmt::skip]
    let cases: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        ("nothing",          Vec::new(),                                          400, "this is no AdmissionReview"),
        ("no JSON",          b"{\"request\":".to_vec(),                           400, "this is no AdmissionReview"),
        ("invalid UTF-8",    vec![b'"', 0xff, b'"'],                              400, "this is no AdmissionReview"),
        ("deeply nested",    vec![b'['; 100_000],                                 400, "this is no AdmissionReview"),
        ("a list",           b"[]".to_vec(),                                      400, "this is no AdmissionReview"),
        ("a wrong type",     review(json!({"spec": {"template": 7}})).to_string().into_bytes(), 200, "\"field\":\"spec.template\""),
        ("an unknown kind",  other("Gadget").to_string().into_bytes(),            200, "\"field\":\"request.kind\""),
        ("a wrong type deep in", review(json!({"spec": {"networks": [{"name": "a", "macAddress": 5}]}})).to_string().into_bytes(), 200, "\"field\":\"spec.networks[0].macAddress\""),
        ("3 MiB",            big.to_string().into_bytes(),                        200, "\"field\":\"spec.userData\""),
        ("3 MiB, its length", big.to_string().into_bytes(),                       200, "Too long: 3145728 bytes: must have at most 1048576"),
        ("10 000 interfaces", many.to_string().into_bytes(),                      200, "Too many: 10000: must have at most 256 items"),
    ];
    for path in ["/mutate/machines", "/validate/machines"] {
        // Who sends more than is read meets either the answer or the end of the connection; others are answered as before.
        if let Ok((status, _)) = try_post(&webhook(&ground).await, path, vec![b' '; 8 << 20]).await {
            assert_eq!(status, 413, "{path}: 8 MiB");
        }
        for (name, body, status, says) in &cases {
            let (got, answer) = post(&client, path, body.clone()).await;
            assert_eq!(got, *status, "{path}: {name}: {answer}");
            assert!(answer.contains(says), "{path}: {name}: {answer}");
            if *status == 200 {
                let answer: Value = serde_json::from_str(&answer).expect("a review");
                assert_eq!(
                    (&answer["response"]["uid"], &answer["response"]["allowed"]),
                    (&json!("u-1"), &json!(false)),
                    "{path}: {name}"
                );
                assert_eq!(
                    (&answer["response"]["status"]["code"], &answer["response"]["status"]["reason"]),
                    (&json!(422), &json!("Invalid")),
                    "{path}: {name}"
                );
            }
        }
    }
}
