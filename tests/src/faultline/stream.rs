//! A watch that passes. Its events are counted by the namespace that they are about, and harm is done at one of them.
//! I/O: the answer of an API server, and whoever watches.

use std::future::pending;
use std::io;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{Instant, timeout_at};

use super::fault::{Harm, Lapse, Way};
use super::lines::{Lines, Seen};
use super::wire::{chunk, head, opened, write};

/// The end of an answer in chunks.
const END: &[u8] = b"0\r\n\r\n";
/// An event that no other follows is hidden for so long.
const HIDDEN: Duration = Duration::from_secs(3);

/// A watch, of whom and of what.
pub(super) struct Watch<'w> {
    pub(super) lines: &'w Lines,
    pub(super) plane: &'w str,
    pub(super) path: &'w str,
}

/// An event, as far as it matters here.
struct Event {
    namespace: String,
    name: String,
    kind: String,
    version: u64,
}

impl Event {
    fn read(line: &[u8], path: &str) -> Option<Self> {
        let event: Value = serde_json::from_slice(line).ok()?;
        let metadata = &event["object"]["metadata"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let name = text(&metadata["name"])?;
        let namespace = if path.ends_with("/namespaces") { name.clone() } else { text(&metadata["namespace"])? };
        let version = metadata["resourceVersion"].as_str()?.parse().ok()?;
        Some(Self { namespace, name, kind: text(&event["type"])?, version })
    }
}

/// The version that a bookmark tells of, which has no name.
fn bookmark(line: &[u8]) -> Option<u64> {
    let event: Value = serde_json::from_slice(line).ok()?;
    let version = event["object"]["metadata"]["resourceVersion"].as_str()?.parse().ok()?;
    (event["type"] == "BOOKMARK").then_some(version)
}

/// What an API server says that does not remember.
fn expired() -> Vec<u8> {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "too old resource version, by the fault proxy", "reason": "Expired", "code": 410});
    format!("{}\n", json!({"type": "ERROR", "object": status})).into_bytes()
}

/// A watch that ends at once, because its past is forgotten.
pub(super) fn ended() -> Vec<u8> {
    [opened().as_slice(), &chunk(&expired()), END].concat()
}

impl Watch<'_> {
    /// Lets it pass until one side hangs up, or harm ends it.
    pub(super) async fn pass(
        &self,
        mut from: impl AsyncRead + Unpin,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<()> {
        let Some(head) = head(&mut from).await else { return Ok(()) };
        write(to, &head).await?;
        if !String::from_utf8_lossy(&head).to_ascii_lowercase().contains("transfer-encoding: chunked") {
            return tokio::io::copy(&mut from, to).await.map(drop);
        }
        let mut body = Body { from, raw: Vec::new(), text: Vec::new(), ended: false };
        let mut unmarked = None;
        while let Some(line) = body.line().await? {
            self.lines.lags.caught_up(self.plane).await;
            if let (Some(_), Some(version)) = (&unmarked, bookmark(&line)) {
                self.lines.forget(self.plane, self.path, version, Lapse::Unmarked);
                break;
            }
            let event = Event::read(&line, self.path);
            let Some((event, lapse)) = event.and_then(|event| Some((self.count(&event)?, event))).map(swap) else {
                write(to, &chunk(&line)).await?;
                continue;
            };
            match lapse {
                Lapse::Gone => self.lines.forget(self.plane, self.path, event.version, lapse),
                Lapse::Expired => {
                    self.lines.forget(self.plane, self.path, event.version, lapse);
                    write(to, &chunk(&expired())).await?;
                }
                // Whoever has enough of it hangs up.
                Lapse::Frozen => pending().await,
                Lapse::HalfLine => return write(to, &chunk(&line[..line.len() / 2])).await,
                Lapse::Unmarked => {
                    unmarked = Some(self.lines.unmark(&event.namespace));
                    write(to, &chunk(&line)).await?;
                    continue;
                }
                Lapse::Hidden => {
                    for line in self.hide(&mut body, line, &event).await? {
                        write(to, &chunk(&line)).await?;
                    }
                    continue;
                }
            }
            break;
        }
        write(to, END).await
    }

    /// What happens to it, if anything does.
    fn count(&self, event: &Event) -> Option<Lapse> {
        let Event { namespace, name, kind, version } = event;
        self.lines.lags.told(self.plane, *version);
        let path = format!("{}/{name}", self.path);
        let seen = Seen { plane: self.plane.to_owned(), method: kind.clone(), path, status: 200 };
        match self.lines.arrive(Way::Watches, namespace, seen) {
            Some((_, Some(Harm::Watch(lapse)))) => Some(lapse),
            Some(_) | None => None,
        }
    }

    /// What is told instead of an event, and when.
    async fn hide<R: AsyncRead + Unpin>(
        &self,
        body: &mut Body<R>,
        hidden: Vec<u8>,
        event: &Event,
    ) -> io::Result<Vec<Vec<u8>>> {
        let (mut held, until) = (vec![hidden], Instant::now() + HIDDEN);
        while let Ok(line) = timeout_at(until, body.line()).await {
            let Some(line) = line? else { break };
            let next = Event::read(&line, self.path);
            next.as_ref().map(|next| self.count(next));
            held.push(line);
            if next.is_some_and(|next| (&next.namespace, &next.name) == (&event.namespace, &event.name)) {
                held.remove(0);
                break;
            }
        }
        Ok(held)
    }
}

fn swap<A, B>((a, b): (A, B)) -> (B, A) {
    (b, a)
}

/// The lines of an answer in chunks.
struct Body<R> {
    from: R,
    /// What has come and was not read.
    raw: Vec<u8>,
    /// What was read and is no whole line.
    text: Vec<u8>,
    ended: bool,
}

impl<R: AsyncRead + Unpin> Body<R> {
    /// The next line with its end; `None` at the end of the answer. Whoever does not wait for it loses nothing.
    async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
                return Ok(Some(self.text.drain(..=end).collect()));
            }
            if self.ended {
                return Ok(None);
            }
            match self.chunk()? {
                Some(chunk) if chunk.is_empty() => self.ended = true,
                Some(chunk) => self.text.extend(chunk),
                None if self.from.read_buf(&mut self.raw).await? == 0 => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                None => {}
            }
        }
    }

    fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Some(line) = self.raw.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
        let size = std::str::from_utf8(&self.raw[..line]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let (begin, size) = (line + 2, size.ok_or(io::ErrorKind::InvalidData)?);
        if self.raw.len() < begin + size + 2 {
            return Ok(None);
        }
        let chunk = self.raw[begin..begin + size].to_vec();
        self.raw.drain(..begin + size + 2);
        Ok(Some(chunk))
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
