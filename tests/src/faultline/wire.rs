//! As much of HTTP/1.1 as a proxy needs whose every request has a connection of its own. I/O: one connection.

use std::io;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest head of a request.
const HEAD: usize = 64 << 10;

/// A request, as it came.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    target: String,
    /// Its header lines, but for `connection`.
    headers: Vec<String>,
    body: Vec<u8>,
}

impl Request {
    /// Path without query.
    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub(super) fn is_watch(&self) -> bool {
        self.target.contains("watch=true") || self.target.contains("watch=1")
    }

    /// Names and values of its query, as they came.
    pub(super) fn query(&self) -> Vec<(&str, &str)> {
        self.target.split(['?', '&']).skip(1).filter_map(|word| word.split_once('=')).collect()
    }

    /// The version from which a watch is to go on.
    pub(super) fn version(&self) -> Option<u64> {
        let query = self.query();
        let (_, version) = query.iter().find(|(name, _)| *name == "resourceVersion")?;
        version.parse().ok()
    }

    /// The same of something else.
    pub(super) fn to(&self, target: String) -> Self {
        Self { method: self.method.clone(), target, headers: self.headers.clone(), body: self.body.clone() }
    }

    /// The namespace that it is about, which may be one that it makes, or that of the object to be reviewed.
    pub(super) fn namespace(&self) -> Option<String> {
        let mut parts = self.path().split('/').skip_while(|part| *part != "namespaces").skip(1);
        if let Some(namespace) = parts.next() {
            return Some(namespace.to_owned());
        }
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        let makes = self.method == "POST" && self.path().ends_with("/namespaces");
        let named = if makes { &body["metadata"]["name"] } else { &body["request"]["namespace"] };
        named.as_str().map(str::to_owned)
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let Self { method, target, headers, body } = self;
        let head = format!("{method} {target} HTTP/1.1\r\n{}\r\nconnection: close\r\n\r\n", headers.join("\r\n"));
        [head.as_bytes(), body].concat()
    }
}

/// All lines before a body; `None` if the connection ends before.
pub(super) async fn head(stream: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) if head.len() < HEAD => head.push(byte),
            Ok(_) | Err(_) => return None,
        }
    }
    Some(head)
}

/// The next request of a connection, until that ends.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Request>> {
    let Some(head) = head(stream).await else { return Ok(None) };
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.trim_end().split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let named = |line: &str, name: &str| line.to_ascii_lowercase().starts_with(&format!("{name}:"));
    let headers: Vec<String> = lines.filter(|line| !named(line, "connection")).map(str::to_owned).collect();
    let length = headers.iter().find(|line| named(line, "content-length"));
    let length = length.and_then(|line| line.split(':').nth(1)?.trim().parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some(Request { method, target, headers, body }))
}

pub(super) async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// HTTP status of an answer; 0 for what is none.
pub(super) fn status_of(answer: &[u8]) -> u16 {
    answer.get(9..12).and_then(|code| std::str::from_utf8(code).ok()?.parse().ok()).unwrap_or(0)
}

/// What Kubernetes says when it refuses.
pub(super) fn refusal(code: u16, reason: &str, headers: &str) -> Vec<u8> {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "by the fault proxy", "reason": reason, "code": code});
    answer(code, reason, &format!("content-type: application/json\r\n{headers}"), &status.to_string())
}

/// What Kubernetes says when an object is there.
pub(super) fn found(object: &Value) -> Vec<u8> {
    answer(200, "OK", "content-type: application/json\r\n", &object.to_string())
}

/// What something else says.
pub(super) fn html() -> Vec<u8> {
    answer(502, "Bad Gateway", "content-type: text/html\r\n", "<html><body>Bad Gateway</body></html>")
}

/// What says that all is well, and then nothing that anybody understands.
pub(super) fn garbage() -> Vec<u8> {
    answer(200, "OK", "content-type: application/json\r\n", "{\"kind\": \u{1}\u{fffd} \u{7}")
}

/// The head of an answer in chunks.
pub(super) fn opened() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        .to_vec()
}

/// A part of such an answer.
pub(super) fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// An answer without its head.
pub(super) fn body(answer: &[u8]) -> &[u8] {
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
    &answer[head..]
}

fn answer(code: u16, words: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {code} {words}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_is_sent_on_as_it_came_and_says_which_namespace_it_is_about() {
        let get = b"GET /api/v1/namespaces/a/pods/b?x=1 HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n".to_vec();
        let post = b"POST /api/v1/namespaces HTTP/1.1\r\nContent-Length: 28\r\n\r\n{\"metadata\": {\"name\": \"c\"}} "
            .to_vec();
        let list = b"GET /api/v1/pods?watch=true&resourceVersion=12 HTTP/1.1\r\nHost: h\r\n\r\n".to_vec();
        let review = b"POST /mutate/machines?timeout=5s HTTP/1.1\r\nContent-Length: 34\r\n\r\n{\"request\": {\"namespace\": \"team\"}}"
            .to_vec();
        let mut all = std::io::Cursor::new([get, post, list, review].concat());
        let first = read(&mut all).await.unwrap().unwrap();
        assert_eq!((first.path(), first.namespace().as_deref()), ("/api/v1/namespaces/a/pods/b", Some("a")));
        let sent = "GET /api/v1/namespaces/a/pods/b?x=1 HTTP/1.1\r\nHost: h\r\nconnection: close\r\n\r\n";
        assert_eq!(String::from_utf8(first.bytes()).unwrap(), sent);
        let second = read(&mut all).await.unwrap().unwrap();
        assert_eq!(second.namespace().as_deref(), Some("c"));
        assert!(second.bytes().ends_with(b"{\"metadata\": {\"name\": \"c\"}} "));
        let third = read(&mut all).await.unwrap().unwrap();
        assert_eq!((third.is_watch(), third.version(), third.namespace()), (true, Some(12), None));
        let fourth = read(&mut all).await.unwrap().unwrap();
        assert_eq!((fourth.path(), fourth.namespace().as_deref()), ("/mutate/machines", Some("team")));
        assert!(read(&mut all).await.unwrap().is_none());
    }
}
