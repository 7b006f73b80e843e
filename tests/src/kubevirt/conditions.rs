//! Editing a list of conditions the way Kubernetes controllers do. Pure.

use super::objects::stamp;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

/// One condition to be put into a list.
pub(super) struct Condition<'a> {
    pub(super) kind: &'a str,
    pub(super) status: &'a str,
    pub(super) reason: &'a str,
    pub(super) message: &'a str,
}

impl<'a> Condition<'a> {
    pub(super) fn yes(kind: &'a str) -> Self {
        Self { kind, status: "True", reason: "", message: "" }
    }

    pub(super) fn no(kind: &'a str, reason: &'a str, message: &'a str) -> Self {
        Self { kind, status: "False", reason, message }
    }
}

/// Puts the condition in; its transition time is kept while its status stays the same.
pub(super) fn set(conditions: &mut Vec<Value>, condition: &Condition<'_>, now: Timestamp) {
    let old = find(conditions, condition.kind);
    let since = old.filter(|old| old["status"] == condition.status).and_then(|old| old["lastTransitionTime"].as_str());
    let since = since.map_or_else(|| stamp(now), str::to_owned);
    let mut new = json!({"type": condition.kind, "status": condition.status, "lastTransitionTime": since});
    for (key, text) in [("reason", condition.reason), ("message", condition.message)] {
        if !text.is_empty() {
            new[key] = json!(text);
        }
    }
    match conditions.iter_mut().find(|c| c["type"] == condition.kind) {
        Some(place) => *place = new,
        None => conditions.push(new),
    }
}

pub(super) fn remove(conditions: &mut Vec<Value>, kind: &str) {
    conditions.retain(|c| c["type"] != kind);
}

pub(super) fn find<'a>(conditions: &'a [Value], kind: &str) -> Option<&'a Value> {
    conditions.iter().find(|c| c["type"] == kind)
}

/// Whether a condition is False for this reason.
pub(super) fn is_false_for(conditions: &[Value], kind: &str, reason: &str) -> bool {
    find(conditions, kind).is_some_and(|c| c["status"] == "False" && c["reason"] == reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transition_time_moves_only_with_the_status() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut list = Vec::new();
        set(&mut list, &Condition::no("Ready", "GuestNotRunning", "not yet"), at(0));
        set(&mut list, &Condition::no("Ready", "PodTerminating", ""), at(60));
        assert_eq!(
            list,
            [
                json!({"type": "Ready", "status": "False", "reason": "PodTerminating", "lastTransitionTime": "1970-01-01T00:00:00Z"})
            ]
        );
        set(&mut list, &Condition::yes("Ready"), at(60));
        assert_eq!(list, [json!({"type": "Ready", "status": "True", "lastTransitionTime": "1970-01-01T00:01:00Z"})]);
        remove(&mut list, "Ready");
        assert!(list.is_empty());
    }
}
