//! The body of an answer as it passes, up to its bounds. I/O: reads what the API server sends.

use std::sync::Arc;

use axum::BoxError;
use axum::body::{Body, BodyDataStream, Bytes};
use futures::{StreamExt, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

use super::bounds::{Bounds, Deadline};

/// Why an answer is not read to its end.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Excess(String);

/// An answer that ends: everything but a watch.
pub(super) struct Whole {
    pub(super) chunks: BodyDataStream,
    pub(super) bounds: Bounds,
    pub(super) deadline: Deadline,
    pub(super) content: Content,
    /// For whose turn it is with a large answer.
    pub(super) turns: Arc<Semaphore>,
    pub(super) turn: Option<OwnedSemaphorePermit>,
}

impl Whole {
    pub(super) fn into_body(self) -> Body {
        Body::from_stream(stream::try_unfold(self, async |mut whole: Self| {
            Ok::<_, BoxError>(whole.next().await?.map(|chunk| (chunk, whole)))
        }))
    }

    /// Reads all of it. kube holds the same pieces until it has the last one.
    pub(super) async fn read(mut self) -> Result<Body, BoxError> {
        let mut chunks = Vec::new();
        while let Some(chunk) = self.next().await? {
            chunks.push(Ok::<_, BoxError>(chunk));
        }
        let turn = self.turn.take();
        Ok(Body::from_stream(stream::iter(chunks).map(move |chunk| {
            // It ends with the body.
            let _turn = &turn;
            chunk
        })))
    }

    async fn next(&mut self) -> Result<Option<Bytes>, BoxError> {
        let Some(chunk) = self.deadline.wait(self.chunks.next()).await?.transpose()? else { return Ok(None) };
        self.content.read(&chunk);
        if let Some(why) = self.content.excess(&self.bounds) {
            return Err(Excess(why).into());
        }
        if self.content.bytes > self.bounds.large && self.turn.is_none() {
            self.turn = self.deadline.wait(self.turns.clone().acquire_owned()).await?.ok();
        }
        Ok(Some(chunk))
    }
}

/// A watch, which has no end: only its lines have.
pub(super) struct Lines {
    pub(super) chunks: BodyDataStream,
    pub(super) most: usize,
    /// Bytes since the last end of a line.
    pub(super) line: usize,
    pub(super) not_over_before: Instant,
}

impl Lines {
    pub(super) fn into_body(self) -> Body {
        Body::from_stream(stream::try_unfold(self, Self::next))
    }

    async fn next(mut self) -> Result<Option<(Bytes, Self)>, BoxError> {
        let chunk = match self.chunks.next().await {
            Some(Ok(chunk)) => chunk,
            over => {
                sleep_until(self.not_over_before).await;
                over.transpose()?;
                return Ok(None);
            }
        };
        for (number, part) in chunk.split(|byte| *byte == b'\n').enumerate() {
            self.line = part.len() + if number == 0 { self.line } else { 0 };
            if self.line > self.most {
                return Err(format!("a line of the watch is larger than {}", size(self.most)).into());
            }
        }
        Ok(Some((chunk, self)))
    }
}

fn size(bytes: usize) -> String {
    format!("{} MiB", bytes >> 20)
}

/// What has passed of an answer.
#[derive(Debug, Default)]
pub(super) struct Content {
    bytes: usize,
    /// Objects within an array of the outermost object: those of a list.
    objects: usize,
    /// All JSON values, give or take one for each object and array.
    values: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Content {
    fn read(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len();
        for byte in chunk {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = self.in_string,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => {
                    self.objects += usize::from(self.depth == 2);
                    self.values += 1;
                    self.depth += 1;
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                b',' => self.values += 1,
                _ => {}
            }
        }
    }

    fn excess(&self, bounds: &Bounds) -> Option<String> {
        let Bounds { answer, objects, values, .. } = *bounds;
        (self.bytes > answer)
            .then(|| format!("the answer is larger than {}", size(answer)))
            .or_else(|| (self.objects > objects).then(|| format!("the answer has more than {objects} objects")))
            .or_else(|| (self.values > values).then(|| format!("the answer has more than {values} values")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::every_row;

    #[test]
    fn t21_objects_and_values_are_counted_wherever_the_chunks_end() {
        #[rustfmt::skip]
        let cases = [
            ("a list",                  r#"{"kind":"List","items":[{"a":1},{"b":[]},{}]}"#,        3, 9),
            ("no list",                 r#"{"metadata":{"name":"x","uid":"u"},"spec":{}}"#,        0, 5),
            ("text that looks like it", r#"{"items":[{"a":"[{,},{\"},{\\"},{"b":"\\\","}]}"#,      2, 5),
            ("not JSON",                "}}]]\\ <html>",                                           0, 0),
        ];
        every_row(cases, |(name, text, objects, values)| {
            for cut in 0..text.len() {
                let (first, second) = text.as_bytes().split_at(cut);
                let mut content = Content::default();
                content.read(first);
                content.read(second);
                assert_eq!((content.objects, content.values), (objects, values), "{name}, cut at {cut}");
            }
        });
    }
}
