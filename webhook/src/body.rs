//! Bodies of requests, within bounds of size, time and memory (T16, T17). I/O: the connection that a body comes from.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use futures::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Object and old object at the API server's limit, and some (T16).
pub const LIMIT: usize = 7 << 20;
/// All bodies that are held at one moment.
pub const BUDGET: usize = 64 << 20;
/// From the head of a request to the last byte of its body.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// A body and the memory that it takes, which is free again when this is dropped.
#[derive(Debug)]
pub struct Held {
    /// The bytes.
    pub bytes: Bytes,
    _memory: Option<OwnedSemaphorePermit>,
}

/// Memory for [`BUDGET`] bytes of bodies.
pub fn budget() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(BUDGET))
}

/// Reads a body. It is charged for what has come, not for what its head promises, so that a promise keeps nobody out.
///
/// Errors: 413 more than [`LIMIT`], 429 no memory left, 408 too slow, 400 the connection broke.
pub async fn read(head: &HeaderMap, body: Body, budget: &Arc<Semaphore>) -> Result<Held, StatusCode> {
    let length = head.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > LIMIT as u64) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    tokio::time::timeout(PATIENCE, collect(body, budget)).await.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT))
}

async fn collect(body: Body, budget: &Arc<Semaphore>) -> Result<Held, StatusCode> {
    let mut memory: Option<OwnedSemaphorePermit> = None;
    let (mut first, mut whole) = (Bytes::new(), Vec::new());
    let mut parts = body.into_data_stream();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|_| StatusCode::BAD_REQUEST)?;
        if first.len() + whole.len() + part.len() > LIMIT {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let bytes = u32::try_from(part.len()).map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
        let taken = budget.clone().try_acquire_many_owned(bytes).map_err(|_| StatusCode::TOO_MANY_REQUESTS)?;
        match &mut memory {
            Some(memory) => memory.merge(taken),
            None => memory = Some(taken),
        }
        // Nearly every body comes in one part, which is not copied.
        if whole.is_empty() && first.is_empty() {
            first = part;
        } else {
            whole.extend_from_slice(&std::mem::take(&mut first));
            whole.extend_from_slice(&part);
        }
    }
    Ok(Held { bytes: if whole.is_empty() { first } else { whole.into() }, _memory: memory })
}

#[cfg(test)]
mod tests {
    use std::io;

    use futures::stream;

    use super::*;

    fn parts(parts: Vec<Bytes>) -> Body {
        Body::from_stream(stream::iter(parts.into_iter().map(Ok::<_, io::Error>)))
    }

    #[tokio::test]
    async fn t16_a_body_is_charged_while_it_is_held_and_refused_beyond_the_bounds() {
        let budget = Arc::new(Semaphore::new(LIMIT + 10));
        let head = HeaderMap::new();
        let held = read(&head, parts(vec!["one".into(), "two".into(), Bytes::new()]), &budget).await.expect("read");
        assert_eq!((&held.bytes[..], budget.available_permits()), (&b"onetwo"[..], LIMIT + 4));
        let huge = || Bytes::from(vec![b' '; LIMIT]);
        let cases = [
            ("as much as is allowed", parts(vec![huge()]), None),
            ("one byte more", parts(vec![huge(), " ".into()]), Some(StatusCode::PAYLOAD_TOO_LARGE)),
            (
                "a broken connection",
                Body::from_stream(stream::iter([Err::<Bytes, _>(io::Error::other("gone"))])),
                Some(StatusCode::BAD_REQUEST),
            ),
        ];
        for (case, body, wanted) in cases {
            assert_eq!(read(&head, body, &budget).await.err(), wanted, "{case}");
            assert_eq!(budget.available_permits(), LIMIT + 4, "{case}: its memory is free again");
        }
        let full = budget.clone().try_acquire_many_owned(u32::try_from(LIMIT).expect("fits")).expect("free");
        assert_eq!(read(&head, parts(vec!["12345".into()]), &budget).await.err(), Some(StatusCode::TOO_MANY_REQUESTS));
        drop((full, held));
        assert_eq!(budget.available_permits(), LIMIT + 10);
        let promise = HeaderMap::from_iter([(header::CONTENT_LENGTH, "7340033".parse().expect("a value"))]);
        assert_eq!(read(&promise, parts(vec![]), &budget).await.err(), Some(StatusCode::PAYLOAD_TOO_LARGE));
    }

    #[tokio::test(start_paused = true)]
    async fn t17_a_slow_body_is_given_up() {
        let silent = Body::from_stream(stream::pending::<Result<Bytes, io::Error>>());
        let slow = read(&HeaderMap::new(), silent, &budget()).await;
        assert_eq!(slow.err(), Some(StatusCode::REQUEST_TIMEOUT));
    }
}
