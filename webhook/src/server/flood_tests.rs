//! Those who want all memory or all places for themselves, as raw sockets with real TLS (ATK2, ATK3, ATK11).

use std::net::Ipv4Addr;

use axum::body::Body;
use axum::extract::Request;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::harness::{Connection, LIMIT, Server};
use super::tests::{review, reviews, served, with_memory};
use super::*;
use crate::body::{BUDGET, Memory};

const GOOD: &str = r#"{"spec":{"template":"small"}}"#;

fn request(body: &[u8]) -> Vec<u8> {
    let head = format!("POST /mutate/machines HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A request whose answer has some 40 KiB.
fn chatty() -> Vec<u8> {
    let network = r#"{"name":"?","networkName":"?","model":"?","macAddress":"?"}"#;
    request(&review(&format!(r#"{{"spec":{{"template":"small","networks":[{}]}}}}"#, [network; 64].join(","))))
}

/// One request on a connection that stays: its status.
async fn ask(stream: &mut Connection) -> String {
    stream.write_all(&request(&review(GOOD))).await.expect("sent");
    let mut answer = Vec::new();
    while !answer.ends_with(b"}}") {
        let read = timeout(LIMIT, stream.read_buf(&mut answer)).await.expect("in time").expect("an open connection");
        assert_ne!(read, 0, "ended: {:?}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8_lossy(&answer[9..12]).into_owned()
}

#[tokio::test]
async fn atk2_an_answer_holds_memory_until_it_is_written() {
    let memory = Memory::new(BUDGET);
    let routes = TowerToHyperService::new(reviews(memory.clone()).await);
    let ask = |body: &[u8]| {
        routes.call(Request::post("/mutate/machines").body(Body::from(body.to_vec())).expect("a request"))
    };
    let small = ask(&review(GOOD)).await.expect("an answer");
    let size = |answer: &axum::response::Response| {
        answer.headers()["content-length"].to_str().ok().and_then(|it| it.parse().ok())
    };
    let first: usize = size(&small).expect("a length");
    assert_eq!(memory.free(), BUDGET - first, "its body is not held any more, and the answer is");
    let large = ask(&review(&format!(r#"{{"spec":{{"template":"small"}},"x":"{}"}}"#, "x".repeat(6 << 20))))
        .await
        .expect("an answer");
    let second: usize = size(&large).expect("a length");
    assert!(first < 4096 && second < 4096, "{first}, {second}");
    assert_eq!(memory.free(), BUDGET - first - second);
    drop(small);
    let bytes = axum::body::to_bytes(large.into_body(), 4096).await.expect("a body");
    assert_eq!(memory.free(), BUDGET - second, "hyper has it, and the connection not yet");
    drop(bytes);
    assert_eq!(memory.free(), BUDGET);
}

#[tokio::test]
async fn atk2_whoever_does_not_read_his_answers_is_given_up() {
    let memory = Memory::new(BUDGET);
    let server = with_memory(memory.clone()).await;
    let began = Instant::now();
    let mut unread = server.connect_from([127, 0, 0, 2]).await;
    // Far more answers than the kernels of both sides keep.
    let asked = chatty().repeat(4000);
    let ended = timeout(LIMIT, unread.write_all(&asked)).await.expect("given up in time");
    assert!(ended.is_err(), "it cannot even ask all of it");
    assert!(began.elapsed() < LIMIT);
    assert_eq!(memory.free(), BUDGET, "what was answered is forgotten");
}

#[tokio::test]
async fn atk11_t16_an_address_without_memory_for_bodies_is_asked_to_come_back_and_no_other_one() {
    let memory = Memory::new(40_000);
    let server = with_memory(memory.clone()).await;
    let mut taken = memory.charge(Ipv4Addr::LOCALHOST.into());
    taken.set(10_000).expect("free");
    let answer = server.exchange(&request(&review(GOOD))).await;
    assert!(answer.starts_with("HTTP/1.1 429 ") && answer.to_ascii_lowercase().contains("retry-after: 1"), "{answer}");
    let mut other = server.connect_from([127, 0, 0, 2]).await;
    assert_eq!(ask(&mut other).await, "200");
    drop(taken);
    assert_eq!(server.post("/mutate/machines", &review(GOOD)).await.0, 200);
    assert_eq!(memory.free(), 40_000, "what was held for the answers is free again");
}

/// Fills the house from four addresses: silent, after TLS, with half a head, with a body that never ends, and without reading.
async fn flood(server: &Server, places: u8) -> (Vec<TcpStream>, Vec<Connection>) {
    let (mut silent, mut greeted) = (Vec::new(), Vec::new());
    for at in 0..places {
        let address = [127, 0, 1, at % 4];
        if at / 4 % 5 == 0 {
            silent.push(server.tcp_from(address).await);
            continue;
        }
        let mut stream = server.connect_from(address).await;
        let sent: &[u8] = match at / 4 % 5 {
            1 => b"",
            2 => b"POST /mutate/machines HTTP/1.1\r\nHost:",
            3 => b"POST /mutate/machines HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
            _ => &chatty(),
        };
        stream.write_all(sent).await.expect("sent");
        greeted.push(stream);
    }
    (silent, greeted)
}

#[tokio::test]
async fn atk3_a_full_house_lets_a_newcomer_in_and_keeps_who_asked_before() {
    let server = served(reviews(Memory::new(BUDGET)).await, 201).await;
    let mut kept = server.connect_from([127, 0, 0, 1]).await;
    assert_eq!(ask(&mut kept).await, "200");
    let flood = flood(&server, 200).await;
    let (began, mut newcomers) = (Instant::now(), Vec::new());
    for last in 1..20 {
        let mut new = timeout(LIMIT, server.connect_from([127, 0, 2, last])).await.expect("a place");
        assert_eq!(ask(&mut new).await, "200");
        newcomers.push(new);
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(ask(&mut kept).await, "200", "who asked before is still there");
    drop((flood, newcomers));
}
