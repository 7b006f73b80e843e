//! As much of HTTP/1.1 as a liar needs. I/O: one connection.

use std::io;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Stream;

/// Longest head of a request that is read.
const HEAD: usize = 64 << 10;

/// A request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// The first part of the path.
    pub(super) folder: String,
    /// What comes after it.
    pub(super) path: String,
    pub(super) query: String,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn is_watch(&self) -> bool {
        self.query.contains("watch=true")
    }
}

/// The next request of a connection, until that ends.
pub(super) async fn read(stream: &mut Stream) -> io::Result<Option<Request>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) if head.len() < HEAD => head.push(byte),
            Ok(_) | Err(_) => return Ok(None),
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = path.trim_start_matches('/');
    let (folder, path) = path.split_once('/').unwrap_or((path, ""));
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    Ok(Some(Request {
        method: method.to_owned(),
        folder: folder.to_owned(),
        path: format!("/{path}"),
        query: query.to_owned(),
        body,
    }))
}

pub(super) async fn write(stream: &mut Stream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// A JSON answer, after which the connection can be used again.
pub(super) async fn respond(stream: &mut Stream, status: &str, body: &Value) -> io::Result<()> {
    exact(stream, status, "content-type: application/json\r\n", body.to_string().as_bytes(), 1).await
}

/// So many times the same piece, as was announced.
pub(super) async fn exact(
    stream: &mut Stream,
    status: &str,
    headers: &str,
    piece: &[u8],
    times: usize,
) -> io::Result<()> {
    let length = piece.len() * times;
    write(stream, format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n").as_bytes()).await?;
    for _ in 0..times {
        stream.write_all(piece).await?;
    }
    stream.flush().await
}

/// The same piece again and again, until the other side hangs up.
pub(super) async fn endless(stream: &mut Stream, headers: &str, begin: &[u8], piece: &[u8]) -> io::Result<()> {
    write(stream, format!("HTTP/1.1 200 OK\r\n{headers}connection: close\r\n\r\n").as_bytes()).await?;
    write(stream, begin).await?;
    loop {
        stream.write_all(piece).await?;
    }
}
