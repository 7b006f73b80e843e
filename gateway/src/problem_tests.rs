//! What becomes of each answer of an API server.

use serde_json::json;

use super::*;
use crate::table::every_row;

fn refusal(code: u16, reason: &str, message: &str) -> Refusal {
    Refusal { code, status: json!({"kind": "Status", "reason": reason, "message": message}), again: None }
}

#[test]
fn f9_each_answer_of_the_api_server_has_its_code_and_says_when_to_come_again() {
    let hook = "Internal error occurred: failed calling webhook \"mutate.vitistack.io\": connection refused";
    #[rustfmt::skip]
    let cases = [
        (refusal(401, "Unauthorized", "Unauthorized"),         false, 401, None,    "the API server does not take this token: it may have expired"),
        (refusal(403, "Forbidden", "alice cannot"),            false, 403, None,    "alice cannot"),
        (refusal(403, "Forbidden", "exceeded quota: q"),       false, 403, None,    "exceeded quota: q"),
        (refusal(404, "NotFound", "m not found"),              false, 404, None,    "m not found"),
        (refusal(409, "AlreadyExists", "m exists"),            false, 409, None,    "m exists"),
        (refusal(409, "AlreadyExists", "m exists"),            true,  409, None,    "m exists"),
        (refusal(409, "Conflict", "modified"),                 false, 409, None,    "modified"),
        (refusal(409, "Conflict", "modified"),                 true,  412, None,    "If-Match names another state than the present one: read it again"),
        (refusal(410, "Expired", "too old"),                   false, 410, None,    "page_token is too old: begin with the first page again"),
        (refusal(413, "RequestEntityTooLarge", "limit is 3M"), false, 413, None,    "limit is 3M"),
        (refusal(422, "Invalid", "no causes"),                 false, 422, None,    "no causes"),
        (refusal(429, "TooManyRequests", "slow down"),         false, 429, Some(1), "slow down"),
        (refusal(500, "InternalError", hook),                  false, 503, Some(5), "admission does not answer: nothing was stored, and the request may be sent again"),
        (refusal(500, "InternalError", "etcd"),                false, 502, None,    "the API server answered 500: etcd"),
        (refusal(503, "ServiceUnavailable", "starting"),       false, 503, Some(1), "the API server is not available"),
        (refusal(504, "Timeout", "late"),                      false, 504, None,    "the API server did not answer in time: whether it was done is not known"),
    ];
    every_row(cases, |(refusal, precondition, status, again, detail)| {
        let problem = Problem::refused(&refusal, precondition, &|_| None);
        assert_eq!((problem.status, problem.again, problem.detail.as_str()), (status, again, detail), "{refusal:?}");
    });
    let busy = Refusal { again: Some(7), ..refusal(429, "TooManyRequests", "slow down") };
    assert_eq!(Problem::refused(&busy, false, &|_| None).again, Some(7), "F9: as the API server says it");
}

#[test]
fn f9_all_causes_are_told_where_the_api_has_them() {
    let causes = json!([
        {"reason": "CapabilityMissing", "field": "metadata.annotations[vitistack.io/kubevirt-config]", "message": "No hub with virtualmachine capability found"},
        {"reason": "FieldValueInvalid", "field": "spec.tags", "message": "too many"},
        {"reason": "FieldValueInvalid", "field": "", "message": "and 3 more"},
    ]);
    let status = json!({"reason": "Invalid", "message": "admission webhook denied the request: x", "details": {"causes": causes}});
    let pointer = |field: &str| field.starts_with("metadata.annotations").then(|| "#/spec".to_owned());
    let problem = Problem::refused(&Refusal { code: 422, status, again: None }, false, &pointer);
    let wanted = json!({
        "type": "https://github.com/vitistack/kubevirt-operator/blob/main/docs/reasons.md#CapabilityMissing",
        "title": "The request cannot be fulfilled",
        "status": 422,
        "detail": "No hub with virtualmachine capability found",
        "errors": [
            {"pointer": "#/spec", "reason": "CapabilityMissing", "detail": "No hub with virtualmachine capability found"},
            {"field": "spec.tags", "reason": "FieldValueInvalid", "detail": "too many"},
            {"reason": "FieldValueInvalid", "detail": "and 3 more"},
        ],
    });
    assert_eq!(serde_json::to_value(&problem).expect("JSON"), wanted);
}

#[test]
fn f12_an_unknown_name_is_told_with_the_nearest_one() {
    let known = ["limit", "page_token"];
    assert_eq!(
        unknown("parameter", "limt", &known),
        "unknown parameter; valid: limit, page_token (did you mean 'limit'?)"
    );
    assert_eq!(unknown("parameter", "filter", &known), "unknown parameter; valid: limit, page_token");
}
