//! One plain HTTP request to a health endpoint. No client library: these ports speak HTTP/1 without TLS.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(5);

/// The body of a 200 answer to `GET path`; anything else is an error in words.
pub async fn get(address: SocketAddr, path: &str) -> Result<String, String> {
    ask(address, "GET", path, "").await
}

/// The body of a 200 answer to `POST path` with that JSON; anything else is an error in words.
pub async fn post(address: SocketAddr, path: &str, body: &str) -> Result<String, String> {
    ask(address, "POST", path, body).await
}

async fn ask(address: SocketAddr, method: &str, path: &str, body: &str) -> Result<String, String> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = timeout(LIMIT, exchange).await.map_err(|_| format!("no answer from http://{address}{path}"))?;
    let answer = answer.map_err(|error| format!("http://{address}{path}: {error}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if head.split(' ').nth(1) == Some("200") {
        return Ok(body.to_owned());
    }
    Err(format!("http://{address}{path}: {} {}", head.lines().next().unwrap_or_default(), body.trim()))
}
