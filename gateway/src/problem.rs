//! What a caller is told when a request fails (RFC 9457). Pure: a `Status` of the API server in, a problem out.
//!
//! Admission's causes keep their reason and text; where they are is said in the API's own words, or else as `field`.

use model::reason::{Reason, did_you_mean};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// So many mistakes are told at once.
const MISTAKES: usize = 100;
/// Where a reason is explained.
const REASONS: &str = "https://github.com/vitistack/kubevirt-operator/blob/main/docs/reasons.md#";
/// Reasons that a request is not to blame for: the same one may do elsewhere, or later.
const UNFULFILLED: [Reason; 7] = [
    Reason::AmbiguousPlacement,
    Reason::CapabilityMissing,
    Reason::ClusterSilent,
    Reason::InsufficientResources,
    Reason::KubevirtConfigNotAllowed,
    Reason::NoKubevirtConfigs,
    Reason::SelectorMatchesNone,
];

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Page about the first reason, or `about:blank`.
    #[serde(rename = "type")]
    pub type_: String,
    /// The same for every problem of its kind.
    pub title: String,
    /// Status of the answer.
    pub status: u16,
    /// One sentence.
    pub detail: String,
    /// All that is wrong with the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Mistake>,
    /// Seconds after which it may be tried again.
    #[serde(skip)]
    pub again: Option<u32>,
}

/// One thing that is wrong with a request. Where it is, is said by one of the first three.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Mistake {
    /// JSON pointer into the body, as a fragment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(examples("#/spec/template_parameters/vcpus"))]
    pub pointer: Option<String>,
    /// Parameter of the query, or header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// Field of the Kubernetes object that no part of the body stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// One word.
    #[schema(examples("FieldValueInvalid"))]
    pub reason: String,
    /// One sentence.
    pub detail: String,
}

impl Mistake {
    /// A mistake in the body.
    pub fn at(pointer: impl Into<String>, reason: Reason, detail: impl Into<String>) -> Self {
        let pointer = Some(pointer.into());
        Self { pointer, reason: reason.code().to_owned(), detail: detail.into(), ..Self::default() }
    }

    /// A mistake in the query or in a header.
    pub fn of(parameter: impl Into<String>, reason: Reason, detail: impl Into<String>) -> Self {
        let parameter = Some(parameter.into());
        Self { parameter, reason: reason.code().to_owned(), detail: detail.into(), ..Self::default() }
    }
}

/// What an API server answered in place of what was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Its status.
    pub code: u16,
    /// Its body, if that is JSON.
    pub status: Value,
    /// Seconds after which it may be asked again.
    pub again: Option<u32>,
}

impl Refusal {
    /// The reason in it, such as `AlreadyExists`.
    pub fn reason(&self) -> &str {
        self.status["reason"].as_str().unwrap_or_default()
    }

    fn message(&self) -> &str {
        self.status["message"].as_str().unwrap_or_default()
    }
}

impl Problem {
    /// A problem without a reason of its own.
    pub fn new(status: u16, title: &str, detail: impl Into<String>) -> Self {
        let (type_, title) = ("about:blank".to_owned(), title.to_owned());
        Self { type_, title, status, detail: detail.into(), errors: Vec::new(), again: None }
    }

    /// All that is wrong with a request.
    pub fn mistakes(mut errors: Vec<Mistake>) -> Self {
        errors.truncate(MISTAKES);
        let first = errors.first().cloned().unwrap_or_default();
        let unfulfilled = UNFULFILLED.iter().any(|reason| reason.code() == first.reason);
        let title = if unfulfilled { "The request cannot be fulfilled" } else { "The request is not valid" };
        Self { type_: format!("{REASONS}{}", first.reason), errors, ..Self::new(422, title, first.detail) }
    }

    /// No such object, or no such path.
    pub fn absent(what: &str) -> Self {
        Self::new(404, "Not found", format!("there is no {what}"))
    }

    /// Nobody is named by a token that the API server takes.
    pub fn nobody(detail: &str) -> Self {
        Self::new(401, "Not authenticated", detail)
    }

    /// The object is not what `If-Match` says any more.
    pub fn changed() -> Self {
        Self::new(412, "The object has changed", "If-Match names another state than the present one: read it again")
    }

    /// Something that a request needs is away.
    pub fn away(detail: impl Into<String>, again: u32) -> Self {
        Self { again: Some(again), ..Self::new(503, "Not available", detail) }
    }

    /// What an API server refused. `precondition`: `If-Match` came with the request. `pointer` says which part of the request a
    /// field of the Kubernetes object is.
    pub fn refused(refusal: &Refusal, precondition: bool, pointer: &dyn Fn(&str) -> Option<String>) -> Self {
        let (code, message) = (refusal.code, refusal.message());
        let again = refusal.again.or(Some(1));
        match (code, refusal.reason()) {
            (401, _) => Self::nobody("the API server does not take this token: it may have expired"),
            (403, _) => Self::new(403, "Forbidden", message),
            (404, _) => Self::new(404, "Not found", message),
            (405, _) => Self::new(405, "Not allowed here", message),
            (409, "Conflict") if precondition => Self::changed(),
            (409, _) => Self::new(409, "Conflict", message),
            (410, _) => Self::new(410, "Expired", "page_token is too old: begin with the first page again"),
            (413, _) => Self::new(413, "Too large", message),
            (422, _) => Self::causes(refusal, pointer),
            (429, _) => Self { again, ..Self::new(429, "Too many requests", message) },
            (500, _) if message.contains("failed calling webhook") => {
                Self::away("admission does not answer: nothing was stored, and the request may be sent again", 5)
            }
            (503, _) => Self { again, ..Self::away("the API server is not available", 1) },
            (504, _) => {
                Self::new(504, "Too late", "the API server did not answer in time: whether it was done is not known")
            }
            (400, _) => Self::mistakes(vec![Mistake {
                reason: Reason::FieldInvalid.code().to_owned(),
                detail: message.to_owned(),
                ..Mistake::default()
            }]),
            _ => Self::new(502, "Bad answer", format!("the API server answered {code}: {message}")),
        }
    }

    fn causes(refusal: &Refusal, pointer: &dyn Fn(&str) -> Option<String>) -> Self {
        let causes = refusal.status["details"]["causes"].as_array().map(Vec::as_slice).unwrap_or_default();
        let errors = causes.iter().map(|cause| {
            let said = |key: &str| cause[key].as_str().unwrap_or_default();
            let (field, pointer) = (said("field"), pointer(said("field")));
            let field = (pointer.is_none() && !field.is_empty()).then(|| field.to_owned());
            let (reason, detail) = (said("reason").to_owned(), said("message").to_owned());
            Mistake { pointer, field, reason, detail, ..Mistake::default() }
        });
        let errors: Vec<_> = errors.collect();
        if errors.is_empty() {
            return Self::new(422, "The request is not valid", refusal.message());
        }
        Self::mistakes(errors)
    }
}

/// The sentence about a name that is not among the known ones.
pub fn unknown(what: &str, written: &str, known: &[&str]) -> String {
    let near = did_you_mean(written, known.iter().copied()).replace('"', "'");
    format!("unknown {what}; valid: {}{near}", known.join(", "))
}

#[cfg(test)]
#[path = "problem_tests.rs"]
mod tests;
