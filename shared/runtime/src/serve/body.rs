//! Bodies of requests, within bounds of size, time and memory (T16, T17). I/O: the connection that a body comes from.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use futures::StreamExt;

/// From the head of a request to the last byte of its body.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// One address holds at most one part in so many of what the others left: then its share is a quarter of everything while it
/// is alone, and the shares of any number of addresses never add up to all (ATK11).
const SHARE: usize = 4;

/// The address that a request came from.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// Memory for bodies and answers.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Mutex<Account>>);

#[derive(Debug)]
struct Account {
    free: usize,
    held: BTreeMap<IpAddr, usize>,
}

/// What one request holds of it; free again when dropped.
#[derive(Debug)]
pub struct Charge {
    memory: Memory,
    address: IpAddr,
    bytes: usize,
}

impl Memory {
    /// So many bytes of it.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Mutex::new(Account { free: bytes, held: BTreeMap::new() })))
    }

    /// Nothing yet, for a request of that address.
    pub fn charge(&self, address: IpAddr) -> Charge {
        Charge { memory: self.clone(), address, bytes: 0 }
    }

    /// What is left of it.
    pub fn free(&self) -> usize {
        self.lock().free
    }

    fn lock(&self) -> MutexGuard<'_, Account> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Charge {
    /// Holds so many bytes from now on. Errors: 429, when the address would have more than its share.
    pub fn set(&mut self, bytes: usize) -> Result<(), StatusCode> {
        let mut account = self.memory.lock();
        let others = account.held.get(&self.address).map_or(0, |held| held - self.bytes);
        if bytes > self.bytes && others + bytes > (account.free + others + self.bytes) / SHARE {
            return Err(StatusCode::TOO_MANY_REQUESTS);
        }
        account.free = account.free + self.bytes - bytes;
        match others + bytes {
            0 => account.held.remove(&self.address),
            held => account.held.insert(self.address, held),
        };
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0).expect("invariant: less is always to be had");
    }
}

/// A body and the memory that it takes.
#[derive(Debug)]
pub struct Held {
    /// The bytes.
    pub bytes: Bytes,
    memory: Charge,
}

impl Held {
    /// What the values take that were read from the body, `times` as much, in place of the body.
    ///
    /// Errors: 429 no memory left.
    pub fn read_as(self, times: usize) -> Result<Charge, StatusCode> {
        let Self { bytes, mut memory } = self;
        memory.set(bytes.len() * times)?;
        Ok(memory)
    }

    /// The answer in place of the body: what it takes is held until all of it is written to the connection, or the connection
    /// ends, since an answer that nobody reads takes memory, too (ATK2).
    ///
    /// Errors: 429 no memory left.
    pub fn answered(self, answer: Vec<u8>) -> Result<Bytes, StatusCode> {
        let Self { bytes, mut memory } = self;
        drop(bytes);
        memory.set(answer.len())?;
        Ok(Bytes::from_owner(Unwritten { answer, _memory: memory }))
    }
}

struct Unwritten {
    answer: Vec<u8>,
    _memory: Charge,
}

impl AsRef<[u8]> for Unwritten {
    fn as_ref(&self) -> &[u8] {
        &self.answer
    }
}

/// Reads a body. It is charged for what has come, not for what its head promises, so that a promise keeps nobody out.
///
/// Errors: 413 more than `limit` bytes, 429 no memory left, 408 too slow, 400 the connection broke.
pub async fn read(head: &HeaderMap, body: Body, peer: Peer, memory: &Memory, limit: usize) -> Result<Held, StatusCode> {
    let length = head.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit as u64) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let collected = collect(body, memory.charge(peer.0), limit);
    tokio::time::timeout(PATIENCE, collected).await.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT))
}

async fn collect(body: Body, mut memory: Charge, limit: usize) -> Result<Held, StatusCode> {
    let (mut first, mut whole) = (Bytes::new(), Vec::new());
    let mut parts = body.into_data_stream();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|_| StatusCode::BAD_REQUEST)?;
        let length = first.len() + whole.len() + part.len();
        if length > limit {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        memory.set(length)?;
        // Nearly every body comes in one part, which is not copied.
        if whole.is_empty() && first.is_empty() {
            first = part;
        } else {
            whole.extend_from_slice(&std::mem::take(&mut first));
            whole.extend_from_slice(&part);
        }
    }
    Ok(Held { bytes: if whole.is_empty() { first } else { whole.into() }, memory })
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
