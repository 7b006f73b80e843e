//! Those who take their time or keep their places, as raw sockets with real TLS (T17). No wait is a pause.

use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use super::tests::{Connection, LIMIT, Server, rest, review, webhook};
use super::*;

#[tokio::test]
async fn t17_whoever_is_slow_is_given_up() {
    let server = webhook().await;
    let narrow = Server::with_places(Router::new(), 1).await;
    let began = Instant::now();
    let mut ahead = server.connect().await;
    let silent = async {
        let mut stream = TcpStream::connect(server.address).await.expect("a connection");
        let ended = timeout(LIMIT, stream.read_u8()).await;
        assert!(ended.is_ok_and(|read| read.is_err()), "a handshake that never begins");
    };
    let silent_after_tls = async {
        assert_eq!(rest(narrow.connect().await).await, "", "a head that never begins");
    };
    let slow_head = async {
        let answer = server.exchange(b"POST /mutate/machines HTTP/1.1\r\nHost:").await;
        assert_eq!(answer, "", "a head that never ends");
    };
    let slow_body = async {
        let answer =
            server.exchange(b"POST /mutate/machines HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{").await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "a body that never ends: {answer}");
    };
    let body = review(r#"{"spec":{"template":"small"}}"#);
    let head = format!("POST /mutate/machines HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    let asked = [head.as_bytes(), &body].concat();
    let answered = async |stream: &mut Connection| {
        stream.write_all(&asked).await.expect("sent");
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.expect("an answer");
        assert_eq!(&first, b"HTTP/1.1 200");
    };
    let second = async {
        let mut stream = server.connect().await;
        answered(&mut stream).await;
        stream.write_all(b"POST /mutate").await.expect("sent");
        rest(stream).await;
    };
    tokio::join!(silent, silent_after_tls, slow_head, slow_body, second);
    assert!(began.elapsed() < LIMIT);
    // Longer than it would have been waited for if places were scarce.
    answered(&mut ahead).await;
}

#[tokio::test]
async fn t17_addresses_that_keep_every_place_shut_nobody_out() {
    let server = Server::with_places(Router::new().route("/", get(async || "served")), 64).await;
    let mut idle = Vec::new();
    for last in 0..64 {
        let mut stream = server.connect_from([127, 0, 1, last]).await;
        ask(&mut stream).await;
        idle.push(stream);
    }
    let mut new = Vec::new();
    for last in 0..3 {
        let mut stream = timeout(LIMIT, server.connect_from([127, 0, 2, last])).await.expect("a place");
        ask(&mut stream).await;
        new.push(stream);
    }
    for stream in idle.drain(..3) {
        assert_eq!(rest(stream).await, "", "whoever was idle for longest made room");
    }
    ask(&mut idle[0]).await;
    ask(&mut new[0]).await;
}

/// One request on a connection that stays.
async fn ask(stream: &mut Connection) {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
    let mut answer = Vec::new();
    while !answer.ends_with(b"served") {
        let read = timeout(LIMIT, stream.read_buf(&mut answer)).await.expect("in time").expect("an open connection");
        assert_ne!(read, 0, "ended: {:?}", String::from_utf8_lossy(&answer));
    }
}
