//! Those who take their time or keep their places, as raw sockets with real TLS (T17). No wait is a pause.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use super::body::{Memory, read};
use super::harness::{Connection, LIMIT, Server, rest};
use super::*;

/// These routes, with so many places.
async fn served(routes: Router, connections: usize) -> Server {
    let counts = Counts::register(&mut Registry::default(), "port", "port");
    let answer = Duration::from_secs(10);
    let manner = Manner { counts, connections, answer, refusal: |_| None, refused: "a caller was refused" };
    Server::of(|listener, tls| {
        let (trigger, shutdown) = Shutdown::manual();
        tokio::spawn(serve(listener, tls, routes, shutdown, manner));
        trigger
    })
    .await
}

/// Reads a body, and says how long it is.
async fn read_all(State(memory): State<Memory>, request: Request) -> Result<String, StatusCode> {
    let (head, body) = request.into_parts();
    let peer = head.extensions.get().copied().expect("the listener says who calls");
    read(&head.headers, body, peer, &memory, 1024).await.map(|held| held.bytes.len().to_string())
}

#[tokio::test]
async fn t17_whoever_is_slow_is_given_up() {
    let routes = Router::new().route("/bodies", post(read_all)).with_state(Memory::new(1 << 20));
    let server = served(routes, CONNECTIONS).await;
    let narrow = served(Router::new(), 1).await;
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
        let answer = server.exchange(b"POST /bodies HTTP/1.1\r\nHost:").await;
        assert_eq!(answer, "", "a head that never ends");
    };
    let slow_body = async {
        let answer = server.exchange(b"POST /bodies HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{").await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "a body that never ends: {answer}");
    };
    let asked = b"POST /bodies HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";
    let answered = async |stream: &mut Connection| {
        stream.write_all(asked).await.expect("sent");
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.expect("an answer");
        assert_eq!(&first, b"HTTP/1.1 200");
    };
    let second = async {
        let mut stream = server.connect().await;
        answered(&mut stream).await;
        stream.write_all(b"POST /bod").await.expect("sent");
        rest(stream).await;
    };
    tokio::join!(silent, silent_after_tls, slow_head, slow_body, second);
    assert!(began.elapsed() < LIMIT);
    // Longer than it would have been waited for if places were scarce.
    answered(&mut ahead).await;
}

#[tokio::test]
async fn t17_addresses_that_keep_every_place_shut_nobody_out() {
    let server = served(Router::new().route("/", get(async || "served")), 64).await;
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
