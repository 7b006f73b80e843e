//! Answers as HTTP. No I/O.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

use crate::problem::Problem;
use crate::translate::fields::text;
use crate::upstream::Answer;

/// Says that nothing was stored.
const DRY_RUN: HeaderName = HeaderName::from_static("x-dry-run");
/// Says that this was done before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = json(status, &self);
        let head = response.headers_mut();
        head.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            head.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        head.extend(self.again.map(|seconds| (header::RETRY_AFTER, HeaderValue::from(seconds))));
        response
    }
}

/// JSON.
///
/// # Panics
///
/// Never: it is plain data.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("invariant: what is answered is plain data");
    let mut response = (status, body).into_response();
    let head = response.headers_mut();
    head.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    head.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An object, with the state that it is in as ETag and what admission warned of.
pub fn object(status: StatusCode, shown: &impl Serialize, answer: &Answer) -> Response {
    let mut response = json(status, shown);
    let head = response.headers_mut();
    let version = text(&answer.body, &["metadata", "resourceVersion"]);
    if !version.is_empty() {
        head.extend(HeaderValue::from_str(&format!("\"{version}\"")).map(|tag| (header::ETAG, tag)));
    }
    for warning in &answer.warnings {
        head.append(header::WARNING, warning.clone());
    }
    response
}

/// The answer to a POST: where the object is, or that there is none.
pub fn created(shown: &impl Serialize, answer: &Answer, location: &str, dry_run: bool) -> Response {
    if dry_run {
        let mut response = object(StatusCode::OK, shown, answer);
        response.headers_mut().insert(DRY_RUN, HeaderValue::from_static("true"));
        response.headers_mut().remove(header::ETAG);
        return response;
    }
    let mut response = object(StatusCode::CREATED, shown, answer);
    response.headers_mut().extend(HeaderValue::from_str(location).map(|to| (header::LOCATION, to)));
    response
}

/// The same answer, which says that all was done before.
pub fn replayed(mut response: Response) -> Response {
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// The object that a DELETE was about: as it is now, or as it was when nothing kept it. The last is given back with the time.
pub fn leaving(before: Value, after: &Value, now: String) -> Value {
    if after["kind"] != "Status" {
        return after.clone();
    }
    let mut gone = before;
    gone["metadata"]["deletionTimestamp"] = now.into();
    gone
}
