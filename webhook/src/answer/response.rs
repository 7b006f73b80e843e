//! An [`Answer`] as the API server reads it: an AdmissionReview in JSON. No I/O.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use model::admission::Admission;
use model::admission::changes::{self, Change};
use model::admission::review::{Request, Undecodable};
use model::names;
use model::reason::{Reason, Violation};
use serde::Serialize;

use super::Answer;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

/// Without the patch, which [`with_patch`] adds: kube's own type writes it as a list of integers, which only Go reads.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    warnings: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_annotations: Option<Audit<'a>>,
}

#[derive(Serialize)]
struct Audit<'a> {
    placement: &'a str,
}

#[derive(Serialize)]
struct Status<'a> {
    status: &'static str,
    message: String,
    reason: &'static str,
    code: u16,
    details: Details<'a>,
}

#[derive(Serialize)]
struct Details<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    group: &'static str,
    kind: &'static str,
    causes: Vec<Cause<'a>>,
}

#[derive(Serialize)]
struct Cause<'a> {
    reason: &'static str,
    message: &'a str,
    field: &'a str,
}

pub(super) fn admit(request: &Request<'_>, admission: &Admission) -> Answer {
    let metadata = request.object.as_ref().map(|object| &object.metadata);
    let patch =
        metadata.filter(|_| !admission.changes.is_empty()).map(|metadata| changes::patch(&admission.changes, metadata));
    let response = Response {
        uid: &request.uid,
        allowed: true,
        warnings: &admission.warnings,
        audit_annotations: admission.placement.as_ref().map(|placement| Audit { placement: &placement.why }),
        ..Response::default()
    };
    let mut answer = write("admitted", response);
    if let Some(patch) = patch {
        with_patch(&mut answer.body, &patch);
    }
    answer
}

/// Base64 needs no escaping, so it is written where the response ends instead of passing through the serializer.
fn with_patch(body: &mut Vec<u8>, patch: &str) {
    const END: &[u8] = b"}}";
    body.truncate(body.len() - END.len());
    body.extend_from_slice(b",\"patchType\":\"JSONPatch\",\"patch\":\"");
    let start = body.len();
    body.resize(start + base64::encoded_len(patch.len(), true).expect("invariant: a patch is small"), 0);
    BASE64.encode_slice(patch, &mut body[start..]).expect("invariant: the buffer has the encoded length");
    body.push(b'"');
    body.extend_from_slice(END);
}

pub(super) fn refuse(uid: &str, name: &str, violations: &[Violation]) -> Answer {
    let said = |violation: &Violation| match violation.path.as_str() {
        "" => violation.message.clone(),
        path => format!("{path}: {}", violation.message),
    };
    let causes = violations.iter().map(|violation| Cause {
        reason: violation.reason.code(),
        message: &violation.message,
        field: &violation.path,
    });
    let status = Status {
        status: "Failure",
        message: violations.iter().map(said).collect::<Vec<_>>().join("; "),
        reason: "Invalid",
        code: 422,
        details: Details { name, group: names::GROUP, kind: "Machine", causes: causes.collect() },
    };
    write("refused", Response { uid, status: Some(status), ..Response::default() })
}

/// Only another webhook, or a MachineClass edited between the two calls, brings this about.
pub(super) fn unstable(changes: &[Change]) -> Vec<Violation> {
    let said = |path: String| {
        Reason::NotStable
            .at(path)
            .says("is not what admission decided: apply again; if it stays so, another webhook changes it")
    };
    let path = |change: &Change| match change {
        Change::Annotate(key, _) => format!("metadata.annotations[{key}]"),
        Change::Guard => "metadata.finalizers".to_owned(),
    };
    changes.iter().map(|change| said(path(change))).collect()
}

fn write(outcome: &'static str, response: Response<'_>) -> Answer {
    let review = Review { api_version: "admission.k8s.io/v1", kind: "AdmissionReview", response };
    // Most answers fit, patch and all, so that the body is not moved while it grows.
    let mut body = Vec::with_capacity(4096);
    serde_json::to_writer(&mut body, &review).expect("invariant: a response is plain data");
    Answer { status: 200, body, outcome, assigned: None, holds: None }
}

pub(super) fn undecodable(wrong: Undecodable) -> Answer {
    if let Some(uid) = wrong.uid {
        return refuse(&uid, "", &[wrong.violation]);
    }
    let body = format!("this is no AdmissionReview: {}: {}\n", wrong.violation.path, wrong.violation.message);
    Answer { status: 400, body: body.into_bytes(), outcome: "malformed", assigned: None, holds: None }
}
