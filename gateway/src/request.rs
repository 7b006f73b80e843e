//! What a request says beside what it is about: who, in which form, under which conditions. I/O: the connection of a body.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Query, Request};
use axum::http::{HeaderMap, StatusCode, header};
use futures::StreamExt;
use model::reason::Reason;
use runtime::serve::body::{Charge, Memory, Peer, read};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout};

use crate::caller::{Caller, Tenancy};
use crate::problem::{Mistake, Problem, unknown};
use crate::upstream::{Call, PATIENCE, TREE};

/// Longest body.
pub const LIMIT: usize = 1 << 20;
/// Most values in a body: each takes hundreds of bytes as JSON, and two in the body.
const VALUES: usize = 20_000;
/// How long a body may take that is not read.
const LEFT: Duration = Duration::from_secs(2);
/// Letters and digits that are not taken for each other.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// What bodies may be called. The second is what curl calls everything.
const TYPES: [&str; 3] = ["application/json", "application/x-www-form-urlencoded", "application/merge-patch+json"];

/// The id of a request.
#[derive(Clone, Debug)]
pub struct Id(pub String);

/// What `If-Match` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing.
    None,
    /// That there is an object.
    Any,
    /// That it is in this state.
    Version(String),
}

/// A request.
pub struct Asked {
    /// In whose name.
    pub call: Call,
    /// The query.
    pub query: BTreeMap<String, String>,
    /// Nothing is to be stored.
    pub dry_run: bool,
    /// `If-Match`.
    pub precondition: Precondition,
    /// `Idempotency-Key`.
    pub key: Option<String>,
    /// The body; null where none is read.
    pub body: Value,
    /// What the body takes, for as long as it is there.
    _memory: Option<Charge>,
}

/// Reads what has no body.
pub fn head_of(request: &Request, tenancy: &Tenancy, known: &[&str]) -> Result<Asked, Problem> {
    let caller = Caller::of(request.headers(), tenancy)?;
    let mut wrong = Vec::new();
    let query = query(request, known, &mut wrong);
    let (head, of) = (request.headers(), |name: &str| request.headers().get(name).and_then(|it| it.to_str().ok()));
    let mut dry_run = |name: &str, value: Option<&str>| match value {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => {
            wrong.push(Mistake::of(name, Reason::FieldInvalid, "must be true or false"));
            false
        }
    };
    let dry_run = dry_run("dry_run", query.get("dry_run").map(String::as_str)) | dry_run("X-Dry-Run", of("x-dry-run"));
    let key = head.get("idempotency-key").map(|key| key.to_str().unwrap_or_default().to_owned());
    if key.as_ref().is_some_and(|key| key.is_empty() || key.len() > 255) {
        wrong.push(Mistake::of("Idempotency-Key", Reason::FieldInvalid, "must have 1 to 255 characters of ASCII"));
    }
    if !wrong.is_empty() {
        return Err(Problem::mistakes(wrong));
    }
    let peer = request.extensions().get().copied().unwrap_or(Peer(std::net::Ipv6Addr::UNSPECIFIED.into()));
    let id = request.extensions().get().map(|Id(id)| id.clone()).unwrap_or_default();
    let call = Call { caller, peer, id, until: Instant::now() + PATIENCE };
    Ok(Asked { call, query, dry_run, precondition: precondition(head)?, key, body: Value::Null, _memory: None })
}

/// Reads all of it. What was read is held by the memory until it is JSON.
pub async fn whole_of(request: Request, tenancy: &Tenancy, known: &[&str], memory: &Memory) -> Result<Asked, Problem> {
    let judged = head_of(&request, tenancy, known).and_then(|asked| fits(request.headers()).map(|()| asked));
    let (head, body) = request.into_parts();
    let asked = match judged {
        Ok(asked) => asked,
        Err(problem) => {
            let _ = timeout(LEFT, discard(body)).await;
            return Err(problem);
        }
    };
    let held = read(&head.headers, body, asked.call.peer, memory, LIMIT).await.map_err(unread)?;
    // Of what is parsed, these stand before all values but the first; texts that have them count as well.
    if held.bytes.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count() > VALUES {
        return Err(Problem::new(413, "Too large", format!("a body has {VALUES} values at most")));
    }
    let body = serde_json::from_slice(&held.bytes);
    let body = body.map_err(|why| Problem::new(400, "Not JSON", format!("the body is not JSON: {why}")))?;
    // The time for the API server begins when all is known.
    let call = Call { until: Instant::now() + PATIENCE, ..asked.call };
    let memory = held.read_as(TREE).map_err(unread)?;
    Ok(Asked { call, body, _memory: Some(memory), ..asked })
}

/// Whether a body of this head is read at all.
fn fits(head: &HeaderMap) -> Result<(), Problem> {
    let type_ = head.get(header::CONTENT_TYPE).map(|it| it.to_str().unwrap_or_default());
    let type_ = type_.map(|it| it.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    if type_.is_some_and(|type_| !TYPES.contains(&type_.as_str())) {
        return Err(Problem::new(415, "Not JSON", "send `Content-Type: application/json`"));
    }
    let length = head.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > LIMIT as u64) {
        return Err(unread(StatusCode::PAYLOAD_TOO_LARGE));
    }
    Ok(())
}

/// Whoever still writes when the connection ends hears of that, and not of what is wrong: so a body that is not read is taken in.
async fn discard(body: Body) {
    let (mut parts, mut length) = (body.into_data_stream(), 0);
    while let Some(Ok(part)) = parts.next().await {
        length += part.len();
        if length > 8 * LIMIT {
            break;
        }
    }
}

fn unread(why: StatusCode) -> Problem {
    match why {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(413, "Too large", format!("a body has {LIMIT} bytes at most")),
        StatusCode::TOO_MANY_REQUESTS => Problem {
            again: Some(1),
            ..Problem::new(429, "Too many requests", "too many bodies are under way from this address")
        },
        StatusCode::REQUEST_TIMEOUT => Problem::new(408, "Too slow", "the body did not come in time"),
        _ => Problem::new(400, "Not JSON", "the body broke off"),
    }
}

fn query(request: &Request, known: &[&str], wrong: &mut Vec<Mistake>) -> BTreeMap<String, String> {
    let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(request.uri()) else {
        wrong.push(Mistake::of("query", Reason::FieldInvalid, "cannot be read"));
        return BTreeMap::new();
    };
    let mut query = BTreeMap::new();
    for (name, value) in pairs {
        if !known.contains(&name.as_str()) {
            let says = unknown("parameter", &name, known);
            wrong.push(Mistake::of(name, Reason::FieldNotSupported, says));
        } else if query.insert(name.clone(), value).is_some() {
            wrong.push(Mistake::of(name, Reason::FieldDuplicate, "is given twice"));
        }
    }
    query
}

/// Of no other form than ours is any ETag that was ever given.
fn precondition(head: &HeaderMap) -> Result<Precondition, Problem> {
    let mut all = head.get_all(header::IF_MATCH).iter();
    match (all.next().map(|it| it.to_str().unwrap_or_default().trim()), all.next()) {
        (None, _) => Ok(Precondition::None),
        (Some("*"), None) => Ok(Precondition::Any),
        (Some(tag), None) => {
            let version = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            let known =
                version.filter(|it| !it.is_empty() && it.len() <= 20 && it.bytes().all(|byte| byte.is_ascii_digit()));
            known.map(|it| Precondition::Version(it.to_owned())).ok_or_else(Problem::changed)
        }
        (Some(_), Some(_)) => Err(Problem::new(400, "Not understood", "send one If-Match with one ETag")),
    }
}

impl Precondition {
    /// Whether it names a state.
    pub fn is_some(&self) -> bool {
        matches!(self, Precondition::Version(_))
    }

    /// Errors: 412, where the object is in another state.
    pub fn check(&self, version: &str) -> Result<(), Problem> {
        match self {
            Precondition::Version(wanted) if wanted != version => Err(Problem::changed()),
            _ => Ok(()),
        }
    }
}

impl Asked {
    /// The parameter of that name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// The hash of key and body, of a request that may come again.
    pub fn hash(&self) -> Option<String> {
        let hash = Sha256::new().chain_update(self.key.as_ref()?).chain_update([0]);
        Some(format!("{:x}", hash.chain_update(self.body.to_string()).finalize()))
    }

    /// The name that belongs to the key of a tenant's request (X108), if it has one.
    pub fn name_by_key(&self, tenant: &str) -> Option<String> {
        let hash = Sha256::new().chain_update(tenant).chain_update([0]).chain_update(self.key.as_ref()?).finalize();
        let letters = hash.iter().take(20).map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
        Some(format!("vm-{}", letters.collect::<String>()))
    }
}

/// Ten letters and digits from so much randomness.
pub fn ending(random: u64) -> String {
    (0..10).map(|at| char::from(ALPHABET[usize::try_from(random >> (5 * at) & 31).unwrap_or_default()])).collect()
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
