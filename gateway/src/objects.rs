//! What is done with an object whatever its kind is. I/O: requests, through `upstream`.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::StatusCode;
use axum::response::Response;
use k8s_openapi::jiff::Timestamp;
use kube::core::Request as Kind;
use model::names::REQUEST;
use model::reason::Reason;
use serde::Serialize;
use serde_json::Value;

use crate::answer::{leaving, object};
use crate::context::Gateway;
use crate::kinds;
use crate::problem::{Mistake, Problem};
use crate::request::{Asked, Precondition};
use crate::translate::fields::text;
use crate::upstream::{Answer, Failed};

/// How often an edit is made again because somebody else's came between.
pub const TRIES: usize = 4;

/// What a route answers.
pub type Answered = Result<Response, Problem>;
/// The part of a path that names an object.
pub type Id = Result<Path<String>, PathRejection>;

/// Whether an object is what this very request asked for before (X108).
pub fn again(present: &Value, hash: Option<&str>, failed: &Failed) -> Result<(), Problem> {
    match (text(present, &["metadata", "annotations", REQUEST]), hash) {
        // What goes is not what was asked for any more.
        _ if !text(present, &["metadata", "deletionTimestamp"]).is_empty() => Err(failed.problem(false, &|_| None)),
        ("", _) | (_, None) => Err(failed.problem(false, &|_| None)),
        (before, Some(hash)) if before == hash => Ok(()),
        _ => {
            let says = "was given with another request before: use another key";
            Err(Problem::mistakes(vec![Mistake::of("Idempotency-Key", Reason::FieldInvalid, says)]))
        }
    }
}

/// Mistakes, and those that were found elsewhere in the rest of the request.
pub fn joined(mut wrong: Vec<Mistake>, said: Option<Problem>) -> Problem {
    let said = match said {
        Some(denied) if matches!(denied.status, 401 | 403) => return denied,
        Some(said) => said.errors,
        None => Vec::new(),
    };
    let told: Vec<String> = wrong.iter().filter_map(|it| it.pointer.clone()).collect();
    let same = |pointer: &String| told.iter().any(|told| told.starts_with(pointer) || pointer.starts_with(told));
    wrong.extend(said.into_iter().filter(|it| !it.pointer.as_ref().is_some_and(same)));
    Problem::mistakes(wrong)
}

/// The object as it is, and the state that is changed, if it is the one that is meant.
pub async fn present(gateway: &Gateway, asked: &Asked, kind: &Kind, name: &str) -> Result<(Answer, String), Problem> {
    let found = gateway.upstream.ask(&asked.call, kinds::get(kind, name)).await;
    let found = found.map_err(|failed| failed.problem(false, &|_| None))?;
    asked.precondition.check(text(&found.body, &["metadata", "resourceVersion"]))?;
    let uses = text(&found.body, &["metadata", "resourceVersion"]).to_owned();
    Ok((found, uses))
}

/// Deletes an object of a kind, and shows it as it goes.
pub async fn removed<T: Serialize>(
    gateway: &Gateway,
    asked: &Asked,
    kind: &Kind,
    name: &str,
    show: impl Fn(&Value) -> T,
) -> Answered {
    let (before, uses) = present(gateway, asked, kind, name).await?;
    let uid = text(&before.body, &["metadata", "uid"]).to_owned();
    let version = matches!(asked.precondition, Precondition::Version(_)).then_some(uses.as_str());
    let request = kinds::delete(kind, name, &uid, version, asked.dry_run);
    let gone = gateway.upstream.ask(&asked.call, request).await;
    let gone = gone.map_err(|failed| failed.problem(asked.precondition.is_some(), &|_| None))?;
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let body = leaving(before.body, &gone.body, now);
    Ok(object(StatusCode::ACCEPTED, &show(&body), &Answer { body: body.clone(), ..gone }))
}
