//! From the body of a review to the body of the answer. No I/O: a function of the body and the World.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use model::admission::changes::{self, Change};
use model::admission::placement::Source;
use model::admission::review::{Request, decode};
use model::admission::{Admission, Verdict, World, decide};
use model::names;
use model::reason::{Reason, Violation};
use serde::Serialize;

/// Which webhook was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/mutate/machines`: decides, and writes the decision.
    Mutate,
    /// `/validate/machines`: demands that nothing is left to write.
    Validate,
}

/// The answer to one call.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status: 200 for every review that could be read.
    pub status: u16,
    /// HTTP body.
    pub body: Vec<u8>,
    /// What to count it as.
    pub outcome: &'static str,
    /// A cluster that was chosen for the author and is about to be written: worth a line in the log.
    pub assigned: Option<Assigned>,
}

/// An automatic assignment (A7).
#[derive(Debug, PartialEq, Eq)]
pub struct Assigned {
    /// Name of the Machine, or what is known of it under `generateName`.
    pub machine: String,
    /// Its namespace.
    pub namespace: String,
    /// The KubevirtConfig.
    pub cluster: String,
    /// The rule.
    pub source: &'static str,
}

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
    audit_annotations: Option<Audit>,
}

#[derive(Serialize)]
struct Audit {
    placement: String,
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

/// Answers one call.
pub fn answer(route: Route, body: &[u8], world: &World) -> Answer {
    let review = match decode(body) {
        Ok(review) => review,
        Err(wrong) => {
            let Some(uid) = wrong.uid else {
                let body =
                    format!("this is no AdmissionReview: {}: {}\n", wrong.violation.path, wrong.violation.message);
                return Answer { status: 400, body: body.into_bytes(), outcome: "malformed", assigned: None };
            };
            return refuse(&uid, "", &[wrong.violation]);
        }
    };
    let request = &review.request;
    match (decide(request, world), route) {
        (Verdict::Refuse(violations), _) => refuse(&request.uid, &request.name, &violations),
        (Verdict::Admit(admission), Route::Validate) if !admission.changes.is_empty() => {
            refuse(&request.uid, &request.name, &unstable(&admission.changes))
        }
        (Verdict::Admit(admission), Route::Validate) => {
            admit(request, &Admission { warnings: Vec::new(), ..admission })
        }
        (Verdict::Admit(admission), Route::Mutate) => admit(request, &admission),
    }
}

fn admit(request: &Request<'_>, admission: &Admission) -> Answer {
    let metadata = request.object.as_ref().map(|object| &object.metadata);
    let patch =
        metadata.filter(|_| !admission.changes.is_empty()).map(|metadata| changes::patch(&admission.changes, metadata));
    let placement = admission.placement.as_ref();
    let response = Response {
        uid: &request.uid,
        allowed: true,
        warnings: &admission.warnings,
        audit_annotations: placement
            .map(|placement| Audit { placement: format!("{} ({})", placement.cluster, placement.source.name()) }),
        ..Response::default()
    };
    let news = admission.changes.iter().any(|change| matches!(change, Change::Annotate(names::KUBEVIRT_CONFIG, _)));
    let assigned = placement.filter(|placement| news && placement.source.automatic() && request.dry_run != Some(true));
    let assigned = assigned.map(|placement| assignment(request, &placement.cluster.0, placement.source));
    let mut answer = Answer { assigned, ..write("admitted", response) };
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

fn assignment(request: &Request<'_>, cluster: &str, source: Source) -> Assigned {
    let metadata = request.object.as_ref().map(|object| &object.metadata);
    let name = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let machine = metadata
        .and_then(|metadata| name(metadata.name.as_deref()).or_else(|| name(metadata.generate_name.as_deref())));
    Assigned {
        machine: machine.unwrap_or_default(),
        namespace: request.namespace.to_string(),
        cluster: cluster.to_owned(),
        source: source.name(),
    }
}

fn refuse(uid: &str, name: &str, violations: &[Violation]) -> Answer {
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
fn unstable(changes: &[Change]) -> Vec<Violation> {
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
    Answer { status: 200, body, outcome, assigned: None }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::admission::Config;
    use model::names::ClusterName;
    use serde_json::{Value, json};

    use super::*;

    fn world() -> World {
        let east = (ClusterName("east".to_owned()), Arc::new(Config::default()));
        World { configs: [east].into(), ..World::default() }
    }

    fn ask(route: Route, object: &Value) -> (Answer, Value) {
        let review = json!({"request": {"uid": "u-1", "operation": "CREATE", "name": "web", "namespace": "shop", "object": object,
            "kind": {"group": "vitistack.io", "version": "v1alpha1", "kind": "Machine"}}});
        let answer = answer(route, review.to_string().as_bytes(), &world());
        let body = serde_json::from_slice(&answer.body).expect("JSON");
        (answer, body)
    }

    #[test]
    fn a7_the_patch_is_base64_and_makes_what_the_validating_route_demands() {
        let object = json!({"metadata": {"name": "web"}, "spec": {"instanceType": "small"}});
        let (answer, body) = ask(Route::Mutate, &object);
        assert_eq!((&body["response"]["uid"], &body["response"]["allowed"]), (&json!("u-1"), &json!(true)));
        assert_eq!(body["response"]["patchType"], "JSONPatch");
        assert_eq!(body["response"]["auditAnnotations"]["placement"], "east (only-cluster)");
        assert_eq!(body["response"]["warnings"], json!(["spec.instanceType is an alias: use spec.template: small"]));
        let assigned = answer.assigned.expect("a line for the log");
        assert_eq!((assigned.machine.as_str(), assigned.cluster.as_str()), ("web", "east"));

        let patch = BASE64.decode(body["response"]["patch"].as_str().expect("a patch")).expect("base64");
        let operations: Vec<Value> = serde_json::from_slice(&patch).expect("a JSON patch");
        let paths: Vec<_> = operations.iter().map(|operation| operation["path"].as_str().expect("a path")).collect();
        assert_eq!(
            paths,
            [
                "/metadata/annotations",
                "/metadata/annotations/vitistack.io~1kubevirt-config",
                "/metadata/annotations/vitistack.io~1resolved",
                "/metadata/finalizers",
            ]
        );
        let annotations =
            json!({names::KUBEVIRT_CONFIG: operations[1]["value"], names::RESOLVED: operations[2]["value"]});
        let stored = json!({"metadata": {"name": "web", "annotations": annotations, "finalizers": operations[3]["value"]}, "spec": object["spec"]});
        let (_, body) = ask(Route::Validate, &stored);
        assert_eq!((&body["response"]["allowed"], body["response"].get("patch")), (&json!(true), None));
        let (_, body) = ask(Route::Validate, &object);
        assert_eq!(body["response"]["status"]["details"]["causes"][0]["reason"], "NotStable");
    }

    #[test]
    fn g4_a_refusal_is_422_invalid_with_a_cause_for_each_field() {
        let object = json!({"metadata": {"name": "web"}, "spec": {"template": "huge", "runStrategy": "Now"}});
        for route in [Route::Mutate, Route::Validate] {
            let (answer, body) = ask(route, &object);
            assert_eq!((answer.status, answer.outcome), (200, "refused"));
            let status = &body["response"]["status"];
            assert_eq!((&status["code"], &status["reason"]), (&json!(422), &json!("Invalid")));
            let fields: Vec<_> =
                status["details"]["causes"].as_array().expect("causes").iter().map(|cause| &cause["field"]).collect();
            assert_eq!(fields, ["spec.runStrategy", "spec.template"]);
            assert_eq!(status["details"]["causes"][1]["reason"], "TemplateNotFound");
        }
    }
}
