//! Asks the API server, in the name of who calls. I/O: the supervisor's API server.
//!
//! Nothing of a caller's head goes along but his token. Bodies are read here and not by kube, which logs those that it cannot
//! decode.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use hyper_util::client::legacy::Error as SendError;
use kube::Client;
use runtime::serve::body::{Charge, Memory, Peer, read};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::caller::Caller;
use crate::problem::{Problem, Refusal};

/// Until all is answered that one request asks for.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Requests to the API server at one moment.
const AT_ONCE: usize = 256;
/// Longest answer of the API server.
const LIMIT: usize = 8 << 20;
/// How much more memory values take than their text.
pub const TREE: usize = 4;
/// What asks for the metadata of an object and nothing else of it.
const METADATA: HeaderValue = HeaderValue::from_static("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1");

/// The way to the API server. Clones are the same.
#[derive(Clone)]
pub struct Upstream {
    client: Client,
    turns: Arc<Semaphore>,
    memory: Memory,
}

/// In whose name it is asked, and until when.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who calls.
    pub caller: Caller,
    /// Where from.
    pub peer: Peer,
    /// The id of the request, which the audit log has in the user agent.
    pub id: String,
    /// When it is too late.
    pub until: Instant,
}

/// What was asked for.
#[derive(Clone)]
pub struct Answer {
    /// The object, or the list.
    pub body: Value,
    /// What admission warns of.
    pub warnings: Vec<HeaderValue>,
    /// What it takes, for as long as it is there.
    pub memory: Option<Arc<Charge>>,
}

/// Why there is none.
#[derive(Clone, Debug)]
pub enum Failed {
    /// The API server said no.
    Refused(Refusal),
    /// It said nothing that can be used.
    Away(Problem),
}

impl Failed {
    /// As the caller is told.
    pub fn problem(&self, precondition: bool, pointer: &dyn Fn(&str) -> Option<String>) -> Problem {
        match self {
            Failed::Refused(refusal) => Problem::refused(refusal, precondition, pointer),
            Failed::Away(problem) => problem.clone(),
        }
    }

    /// The API server's reason.
    pub fn reason(&self) -> &str {
        match self {
            Failed::Refused(refusal) => refusal.reason(),
            Failed::Away(_) => "",
        }
    }
}

impl Upstream {
    /// Asks with this client, which has no identity, and keeps answers in this memory.
    pub fn new(client: Client, memory: Memory) -> Self {
        Self { client, turns: Arc::new(Semaphore::new(AT_ONCE)), memory }
    }

    /// Sends a request whose answer is about a Secret: of that, only metadata comes back.
    pub async fn ask_about_secret(&self, call: &Call, mut request: Request<Vec<u8>>) -> Result<Answer, Failed> {
        request.headers_mut().insert(header::ACCEPT, METADATA);
        self.ask(call, request).await.map_err(|failed| match failed {
            Failed::Refused(refusal) => Failed::Refused(blind(refusal)),
            away @ Failed::Away(_) => away,
        })
    }

    /// Sends a request.
    ///
    /// Guarantees: it is over when the call is; an answer that is too long, or no JSON, is a failure that has nothing of it.
    pub async fn ask(&self, call: &Call, mut request: Request<Vec<u8>>) -> Result<Answer, Failed> {
        let Ok(Ok(_turn)) = timeout_at(call.until, self.turns.acquire()).await else {
            return Err(Failed::Away(Problem::away("too many requests are under way", 1)));
        };
        let head = request.headers_mut();
        head.insert(header::AUTHORIZATION, call.caller.authorization.clone());
        let agent = format!("kubevirt-operator-gateway/{} (request {})", env!("CARGO_PKG_VERSION"), call.id);
        head.extend(HeaderValue::from_str(&agent).map(|agent| (header::USER_AGENT, agent)));
        timeout_at(call.until, self.send(call, request)).await.unwrap_or_else(|_| Err(Failed::Away(unknown())))
    }

    async fn send(&self, call: &Call, request: Request<Vec<u8>>) -> Result<Answer, Failed> {
        // Whoever is asked to send a write again, sends it again: not when it may be done already.
        let reads = request.method() == Method::GET;
        let broken = |problem: Problem| Failed::Away(if reads { problem } else { unknown() });
        let sent = self.client.send(request.map(kube::client::Body::from)).await;
        let (head, body) = sent
            .map_err(|why| {
                tracing::warn!(requestId = call.id, error = %why, "the API server cannot be reached");
                let away = Problem::away("the API server cannot be reached", 5);
                if never_sent(&why) { Failed::Away(away) } else { broken(away) }
            })?
            .into_parts();
        // The head of the answer has no say in how much is read.
        let read = read(&HeaderMap::new(), Body::new(body), call.peer, &self.memory, LIMIT).await;
        let held = read.map_err(|why| broken(unread(why)))?;
        let parsed = serde_json::from_slice(&held.bytes);
        if head.status.is_success() {
            let body = parsed
                .map_err(|_| broken(Problem::new(502, "Bad answer", "the API server answered what is not JSON")))?;
            let warnings = head.headers.get_all(header::WARNING).iter().cloned().collect();
            let memory = match held.read_as(TREE) {
                Ok(memory) => Some(Arc::new(memory)),
                Err(why) if reads => return Err(Failed::Away(unread(why))),
                // What was done is told, whatever it takes: it is one object.
                Err(_) => None,
            };
            return Ok(Answer { body, warnings, memory });
        }
        let again = head.headers.get(header::RETRY_AFTER).and_then(|it| it.to_str().ok()?.parse().ok());
        Err(Failed::Refused(Refusal { code: head.status.as_u16(), status: parsed.unwrap_or_default(), again }))
    }
}

fn unknown() -> Problem {
    Problem::new(504, "Too late", "the API server did not answer in time: whether it was done is not known")
}

/// Whether there was no connection to send something by.
fn never_sent(why: &kube::Error) -> bool {
    let causes = std::iter::successors(Some(why as &(dyn std::error::Error + 'static)), |why| why.source());
    causes.filter_map(|why| why.downcast_ref::<SendError>()).any(SendError::is_connect)
}

fn unread(why: StatusCode) -> Problem {
    match why {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(502, "Bad answer", "the answer of the API server is too long: ask for less at once by `limit`")
        }
        StatusCode::TOO_MANY_REQUESTS => Problem {
            again: Some(1),
            ..Problem::new(429, "Too many requests", "too many answers are under way to this address")
        },
        _ => Problem::away("the answer of the API server broke off", 1),
    }
}

/// What may be repeated of a refusal of a Secret: other admission may quote what is in it.
fn blind(refusal: Refusal) -> Refusal {
    let of_admission = |message: &str| ["admission webhook", "AdmissionPolicy"].iter().any(|it| message.contains(it));
    let quotes = refusal.code == 403 && refusal.status["message"].as_str().is_some_and(of_admission);
    if matches!(refusal.code, 401 | 403 | 404 | 409 | 429 | 503 | 504) && !quotes {
        return refusal;
    }
    let message = format!("the Secret with the kubeconfig was refused ({})", refusal.reason());
    let status = serde_json::json!({"reason": refusal.reason(), "message": message});
    Refusal { status, ..refusal }
}

#[cfg(test)]
#[path = "upstream_tests.rs"]
mod tests;
