//! An [`Answer`] as the API server reads it: an AdmissionReview in JSON. No I/O.

use admission::changes::{self, Change};
use admission::findings::ends;
use admission::placement::Rule;
use admission::review::{Request, Undecodable};
use admission::world::Held;
use admission::{Admission, World, json, judge_undecodable};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use model::names::{self, MachineKey};
use model::reason::{Reason, Violation};
use serde::Serialize;

/// The outcome of an answer that admits.
pub(super) const ADMITTED: &str = "admitted";

/// The answer to one call.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status: 200 for every review that could be read.
    pub status: u16,
    /// HTTP body.
    pub body: Vec<u8>,
    /// What to count it as.
    pub outcome: &'static str,
    /// A Machine gets its cluster by this answer: worth a count, and where the operator chose, a line in the log.
    pub assigned: Option<Assigned>,
    /// What the Machine holds from now on, unless somebody after us refuses it: admission should know of it at once.
    pub holds: Option<(MachineKey, Held)>,
}

/// What the findings of one answer take at most, in bytes of JSON: a body can bring about any number of them, and quote itself
/// in each. A refusal says them twice.
const FINDINGS: usize = 24 << 10;
/// Most of one finding that is repeated.
const FINDING: usize = 2048;
/// Longest answer: what goes into annotations, of which an API server takes no more.
const LONGEST: usize = 256 << 10;

/// An assignment.
#[derive(Debug, PartialEq, Eq)]
pub struct Assigned {
    /// Name of the Machine, or what is known of it under `generateName`.
    pub machine: String,
    /// Its namespace.
    pub namespace: String,
    /// The KubevirtConfig.
    pub cluster: String,
    /// The rule.
    pub rule: Rule,
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
    let mut out = begin(&request.uid, true);
    let said = within(&admission.warnings, |warning| [warning, ""]);
    let left = admission.warnings.len() - said.len();
    let more = (left > 0).then(|| format!("and {left} more warnings"));
    for (at, warning) in said.iter().chain(&more).enumerate() {
        out.extend_from_slice(if at == 0 { ",\"warnings\":[" } else { "," }.as_bytes());
        json::string(&mut out, warning);
    }
    if !admission.warnings.is_empty() {
        out.push(b']');
    }
    if let Some(placement) = &admission.placement {
        out.extend_from_slice(b",\"auditAnnotations\":{\"placement\":");
        json::string(&mut out, &placement.why);
        out.push(b'}');
    }
    if let Some(object) = request.object.as_ref().filter(|_| !admission.changes.is_empty()) {
        patch(&mut out, &changes::patch(&admission.changes, &object.metadata));
    }
    if out.len() > LONGEST {
        let says = format!("Too long: the answer would have {} bytes and may have {LONGEST}", out.len());
        return refuse(&request.uid, &request.called(), &[Reason::FieldInvalid.at("metadata.annotations").says(says)]);
    }
    end(ADMITTED, out)
}

/// As many findings from the first as an answer has room for.
fn within<'f, T>(findings: &'f [T], texts: impl Fn(&'f T) -> [&'f str; 2]) -> &'f [T] {
    // Few of them fit whatever is in them, which is quicker seen than how many there are.
    let most = |finding| texts(finding).map(|text| 32 + 6 * text.len()).into_iter().sum::<usize>();
    if findings.iter().map(most).sum::<usize>() <= FINDINGS {
        return findings;
    }
    let taken = findings.iter().scan(0, |taken, finding| {
        *taken += texts(finding).map(size).into_iter().sum::<usize>();
        (*taken <= FINDINGS).then_some(())
    });
    &findings[..taken.count()]
}

/// Bytes of a text in JSON, with what stands around it.
fn size(text: &str) -> usize {
    let bytes = text.bytes().map(|byte| match byte {
        0..b' ' => 6,
        b'"' | b'\\' => 2,
        _ => 1,
    });
    32 + bytes.sum::<usize>()
}

/// Findings as they are said: not endless, and not without end.
fn shortened(violations: &[Violation]) -> Vec<Violation> {
    let cut = |text: &str| ends(text, FINDING).into_owned();
    let cut = |it: &Violation| it.reason.at(cut(&it.path)).says(cut(&it.message));
    let all: Vec<Violation> = violations.iter().map(cut).collect();
    let mut said = within(&all, |it| [&it.path, &it.message]).to_vec();
    if let Some(next) = all.get(said.len()) {
        said.push(next.reason.at("").says(format!("and {} more", all.len() - said.len())));
    }
    said
}

/// As Go writes bytes; kube's own type writes a list of integers, which only Go reads.
fn patch(body: &mut Vec<u8>, patch: &[u8]) {
    body.extend_from_slice(b",\"patchType\":\"JSONPatch\",\"patch\":\"");
    let start = body.len();
    body.resize(start + base64::encoded_len(patch.len(), true).expect("invariant: a patch is small"), 0);
    BASE64.encode_slice(patch, &mut body[start..]).expect("invariant: the buffer has the encoded length");
    body.push(b'"');
}

pub(super) fn refuse(uid: &str, name: &str, violations: &[Violation]) -> Answer {
    let violations = shortened(violations);
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
    let mut body = begin(uid, false);
    body.extend_from_slice(b",\"status\":");
    serde_json::to_writer(&mut body, &status).expect("invariant: a status is plain data");
    end("refused", body)
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

fn begin(uid: &str, allowed: bool) -> Vec<u8> {
    // Most answers fit, patch and all, so that the body is not moved while it grows.
    let mut out = Vec::with_capacity(4096);
    out.extend_from_slice(br#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"#);
    json::string(&mut out, uid);
    out.extend_from_slice(if allowed { ",\"allowed\":true" } else { ",\"allowed\":false" }.as_bytes());
    out
}

fn end(outcome: &'static str, mut body: Vec<u8>) -> Answer {
    body.extend_from_slice(b"}}");
    Answer { status: 200, body, outcome, assigned: None, holds: None }
}

/// The answer to a body that cannot be read, together with what is wrong with the rest of it.
pub fn undecodable(wrong: Undecodable, world: &World) -> Answer {
    if let Some(uid) = &wrong.uid {
        let (uid, name) = (uid.clone(), wrong.name.clone());
        return refuse(&uid, &name, &judge_undecodable(wrong, world));
    }
    let said: Vec<_> = shortened(&wrong.violations).iter().map(|it| format!("{}: {}", it.path, it.message)).collect();
    let body = format!("this is no AdmissionReview: {}\n", said.join("; "));
    Answer { status: 400, body: body.into_bytes(), outcome: "malformed", assigned: None, holds: None }
}
