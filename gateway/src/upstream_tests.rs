//! An API server that is away, or breaks off; and what is repeated of a refusal.

use axum::http::HeaderMap;
use kube::Config;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::caller::Tenancy;
use crate::table::every_row;

/// A call in somebody's name.
fn call() -> Call {
    let head = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static("Bearer t"))]);
    let caller = Caller::of(&head, &Tenancy::default()).expect("somebody");
    let peer = Peer(std::net::Ipv4Addr::LOCALHOST.into());
    Call { caller, peer, id: "1".to_owned(), until: Instant::now() + PATIENCE }
}

#[tokio::test]
async fn f9_an_api_server_that_is_away_is_told_with_a_time_to_come_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    runtime::client::install_crypto_provider();
    let mut config = Config::new(format!("http://{address}").parse().expect("a URL"));
    config.default_retry = false;
    let upstream = Upstream::new(Client::try_from(config).expect("a client"), Memory::new(1 << 20));
    let failed = upstream.ask(&call(), Request::new(Vec::new())).await.err().expect("nobody is there");
    let problem = failed.problem(false, &|_| None);
    assert_eq!((problem.status, problem.again), (503, Some(5)), "F9: {problem:?}");
}

#[tokio::test]
async fn x108_nobody_is_asked_to_send_a_write_again_that_may_be_done() {
    runtime::client::install_crypto_provider();
    for (method, status, again) in [(Method::GET, 503, Some(1)), (Method::POST, 504, None), (Method::PATCH, 504, None)]
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            assert!(stream.read(&mut [0; 4096]).await.expect("a request") > 0);
            // It is done, and of the answer nobody hears the end.
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{").await.expect("half an answer");
        };
        let mut config = Config::new(format!("http://{address}").parse().expect("a URL"));
        config.default_retry = false;
        let upstream = Upstream::new(Client::try_from(config).expect("a client"), Memory::new(1 << 20));
        let mut request = Request::new(Vec::new());
        *request.method_mut() = method.clone();
        let call = call();
        let (failed, ()) = tokio::join!(upstream.ask(&call, request), server);
        let problem = failed.err().expect("half an answer").problem(false, &|_| None);
        assert_eq!((problem.status, problem.again), (status, again), "X108: {method}: {problem:?}");
    }
}

#[test]
fn f6_what_is_said_of_a_refused_secret_has_nothing_of_it() {
    let refusal = |code: u16, message: &str| Refusal {
        code,
        status: json!({"reason": "Invalid", "message": message, "details": {"causes": [{"message": "hunter2"}]}}),
        again: None,
    };
    #[rustfmt::skip]
    let cases = [
        (403, "alice cannot create secrets",  "alice cannot create secrets"),
        (403, "admission webhook \"x\" denied the request: hunter2", "the Secret with the kubeconfig was refused (Invalid)"),
        (403, "ValidatingAdmissionPolicy 'x' denied: hunter2", "the Secret with the kubeconfig was refused (Invalid)"),
        (409, "secrets x already exists",     "secrets x already exists"),
        (422, "data: hunter2 is no good",     "the Secret with the kubeconfig was refused (Invalid)"),
        (400, "denied: hunter2",              "the Secret with the kubeconfig was refused (Invalid)"),
        (500, "webhook said: hunter2",        "the Secret with the kubeconfig was refused (Invalid)"),
    ];
    every_row(cases, |(code, message, says)| {
        let refused = blind(refusal(code, message));
        assert_eq!(refused.status["message"], says, "F6: {code}");
        let told = Problem::refused(&refused, false, &|_| None);
        assert!(!format!("{told:?}").contains("hunter2"), "F6: {told:?}");
    });
}
