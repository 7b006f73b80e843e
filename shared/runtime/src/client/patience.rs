//! The patience that a server asks for, with a 429 or with a 503 that says when to come again (R20): nothing is sent to it until
//! then, and after that one request at a time, until one of them is answered otherwise. So whoever tries how often, a server that
//! goes on asking is sent less than one request a second. No I/O but pauses.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Response, StatusCode, header};
use serde_json::json;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until, timeout_at};

/// Between two requests, if the server asks for less or does not say it.
const SHORTEST: Duration = Duration::from_secs(1);
/// A server that asks for more, which may be a mistake, is sent one request after this.
const LONGEST: Duration = Duration::from_secs(300);

/// What a server asked for.
#[derive(Debug)]
pub(super) struct Patience {
    /// Nothing is sent before then. Locked for moments only, never across an await.
    until: Mutex<Option<Instant>>,
    /// Of those that are sent after it.
    one: Semaphore,
}

impl Default for Patience {
    fn default() -> Self {
        Self { until: Mutex::default(), one: Semaphore::new(1) }
    }
}

/// A request may be sent: the only one, if it finds out whether the server has recovered.
#[derive(Debug)]
pub(super) struct Turn<'p> {
    patience: &'p Patience,
    /// Held by the only one.
    only: Option<SemaphorePermit<'p>>,
    answered: AtomicBool,
}

impl Drop for Turn<'_> {
    /// A server that does not answer has not asked for patience: whoever waits finds that out for himself.
    fn drop(&mut self) {
        if self.only.is_some() && !self.answered.load(Ordering::Relaxed) {
            *self.patience.until() = None;
        }
    }
}

impl Patience {
    fn until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a request may be sent. If that is later than `latest`, the answer is one that the server would give.
    pub(super) async fn turn(&self, latest: Instant) -> Result<Turn<'_>, Response<Body>> {
        let turn = |only| Turn { patience: self, only, answered: AtomicBool::new(false) };
        let mut one = None;
        loop {
            let until = *self.until();
            match until {
                None => return Ok(turn(None)),
                Some(until) if until > latest => return Err(too_busy(until)),
                Some(until) if one.is_none() => {
                    let Ok(permit) = timeout_at(latest, self.one.acquire()).await else { return Err(too_busy(until)) };
                    one = Some(permit.expect("invariant: it is never closed"));
                }
                Some(until) if until > Instant::now() => sleep_until(until).await,
                Some(_) => return Ok(turn(one)),
            }
        }
    }

    /// Takes in an answer to a request, and says whether it asks for patience.
    pub(super) fn hear(&self, status: StatusCode, headers: &HeaderMap, turn: &Turn<'_>) -> bool {
        turn.answered.store(true, Ordering::Relaxed);
        let mut until = self.until();
        if let Some(pause) = asked(status, headers) {
            *until = (*until).max(Some(Instant::now() + pause));
            return true;
        }
        if turn.only.is_some() {
            *until = None;
        }
        false
    }
}

/// How long a server asks to be left alone, if it does.
fn asked(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    // API servers say it in seconds. A date, as proxies may send it, is one of another clock.
    let seconds =
        headers.get(header::RETRY_AFTER).map(|it| it.to_str().unwrap_or_default().trim().parse().unwrap_or(0));
    let seconds = match status {
        StatusCode::TOO_MANY_REQUESTS => seconds.unwrap_or(0),
        StatusCode::SERVICE_UNAVAILABLE => seconds?,
        _ => return None,
    };
    Some(Duration::from_secs(seconds).clamp(SHORTEST, LONGEST))
}

fn too_busy(until: Instant) -> Response<Body> {
    let left = until.saturating_duration_since(Instant::now()).as_secs().saturating_add(1);
    let message = format!("it is too busy, and has asked for patience: nothing is sent to it for {left} s");
    let status = json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "TooManyRequests",
        "code": StatusCode::TOO_MANY_REQUESTS.as_u16(), "message": message});
    let mut answer = Response::new(Body::from(status.to_string()));
    *answer.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    answer
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;
    use crate::table::every_row;

    #[test]
    fn r20_a_server_that_asks_for_patience_is_told_from_one_that_fails() {
        #[rustfmt::skip]
        let cases = [
            ("so many seconds",            429, Some("7"),     Some(7)),
            ("no number",                  429, None,          Some(1)),
            ("at once is not patience",    429, Some("0"),     Some(1)),
            ("a date",                     429, Some("Wed, 21 Oct 2015 07:28:00 GMT"), Some(1)),
            ("a day",                      429, Some("86400"), Some(300)),
            ("it starts",                  503, Some("5"),     Some(5)),
            ("it fails",                   503, None,          None),
            ("another failure",            500, Some("5"),     None),
            ("all is well",                200, Some("5"),     None),
        ];
        every_row(cases, |(name, status, after, want)| {
            let mut headers = HeaderMap::new();
            if let Some(after) = after {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(after));
            }
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(asked(status, &headers).map(|pause| pause.as_secs()), want, "R20: {name}");
        });
    }

    #[tokio::test(start_paused = true)]
    async fn r20_a_server_that_falls_silent_is_asked_by_everybody_again() {
        let patience = Patience::default();
        let soon = || Instant::now() + Duration::from_secs(5);
        let first = patience.turn(soon()).await.expect("nothing was asked for yet");
        assert!(patience.hear(StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new(), &first));
        let trial = patience.turn(soon()).await.expect("after a second");
        assert!(patience.turn(soon()).await.is_err(), "one at a time");
        drop(trial);
        assert!(patience.turn(Instant::now()).await.is_ok(), "it had no answer, so there is nothing to wait for");
    }
}
