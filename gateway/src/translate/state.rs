//! States and conditions in the API's words (X110). Pure.

use serde_json::Value;

use super::fields::{get, text};
use crate::api::machine::Condition;

const TRUE: &str = "CONDITION_STATUS_TRUE";
const FALSE: &str = "CONDITION_STATUS_FALSE";

/// The state of a Machine, without the words before it.
fn word(machine: &Value) -> &'static str {
    if get(machine, &["metadata", "deletionTimestamp"]).is_some() {
        return "DELETING";
    }
    match text(machine, &["status", "phase"]) {
        "Creating" => "PROGRESSING",
        "Running" => "READY",
        "Stopping" => "STOPPING",
        "Stopped" => "STOPPED",
        "Terminating" => "DELETING",
        "Failed" => "FAILED",
        _ => "PENDING",
    }
}

/// The state of a Machine.
pub fn of_machine(machine: &Value) -> String {
    format!("VIRTUAL_MACHINE_STATE_{}", word(machine))
}

/// The state of a KubevirtConfig.
pub fn of_hub(config: &Value) -> String {
    let leaving = get(config, &["metadata", "deletionTimestamp"]).is_some();
    let word = match text(config, &["status", "phase"]) {
        _ if leaving => "DELETING",
        "Ready" => "READY",
        "Degraded" => "DEGRADED",
        "Failed" => "FAILED",
        "Terminating" => "DELETING",
        _ => "PENDING",
    };
    format!("HUB_STATE_{word}")
}

/// The API's four conditions, once each, and ours after them.
pub fn conditions(machine: &Value) -> Vec<Condition> {
    let ours = get(machine, &["status", "conditions"]).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let summary = ours.iter().find(|it| it["type"] == "Ready");
    let word = word(machine);
    // One that waits for a restart works.
    let counts = |it: &&Value| it["type"] != "Ready" && it["type"] != "RestartRequired";
    let lacks = ours.iter().filter(counts).find(|it| it["status"] == "False");
    let condition = |name: &str, holds: bool, told: Option<&Value>| Condition {
        type_: format!("VIRTUAL_MACHINE_CONDITION_TYPE_{name}"),
        status: if holds { TRUE } else { FALSE },
        ..told.map_or_else(empty, shown)
    };
    let theirs = [
        condition("READY", word == "READY", summary),
        condition("PROGRESSING", ["PENDING", "PROGRESSING", "STOPPING", "DELETING"].contains(&word), None),
        condition("FAILED", word == "FAILED", summary.filter(|_| word == "FAILED")),
        condition("DEGRADED", word == "READY" && lacks.is_some(), lacks.filter(|_| word == "READY")),
    ];
    theirs.into_iter().chain(ours.iter().filter(|it| it["type"] != "Ready").map(shown)).collect()
}

fn shown(condition: &Value) -> Condition {
    let said = |key: &str| text(condition, &[key]).to_owned();
    let status = match text(condition, &["status"]) {
        "True" => TRUE,
        "False" => FALSE,
        _ => "CONDITION_STATUS_UNKNOWN",
    };
    let since = Some(said("lastTransitionTime")).filter(|since| !since.is_empty());
    Condition {
        type_: said("type"),
        status,
        reason: said("reason"),
        message: said("message"),
        last_transition_time: since,
    }
}

fn empty() -> Condition {
    Condition {
        type_: String::new(),
        status: FALSE,
        reason: String::new(),
        message: String::new(),
        last_transition_time: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::table::every_row;

    #[test]
    fn x110_every_phase_has_a_state() {
        #[rustfmt::skip]
        let cases = [
            (json!({}),                                                           "VIRTUAL_MACHINE_STATE_PENDING"),
            (json!({"status": {"phase": "Pending"}}),                             "VIRTUAL_MACHINE_STATE_PENDING"),
            (json!({"status": {"phase": "Creating"}}),                            "VIRTUAL_MACHINE_STATE_PROGRESSING"),
            (json!({"status": {"phase": "Running"}}),                             "VIRTUAL_MACHINE_STATE_READY"),
            (json!({"status": {"phase": "Stopping"}}),                            "VIRTUAL_MACHINE_STATE_STOPPING"),
            (json!({"status": {"phase": "Stopped"}}),                             "VIRTUAL_MACHINE_STATE_STOPPED"),
            (json!({"status": {"phase": "Terminating"}}),                         "VIRTUAL_MACHINE_STATE_DELETING"),
            (json!({"status": {"phase": "Failed"}}),                              "VIRTUAL_MACHINE_STATE_FAILED"),
            (json!({"status": {"phase": "Running"}, "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}), "VIRTUAL_MACHINE_STATE_DELETING"),
        ];
        every_row(cases, |(machine, want)| assert_eq!(of_machine(&machine), want, "X110: {machine}"));
        #[rustfmt::skip]
        let cases = [
            (json!({}),                                  "HUB_STATE_PENDING"),
            (json!({"status": {"phase": "Ready"}}),      "HUB_STATE_READY"),
            (json!({"status": {"phase": "Degraded"}}),   "HUB_STATE_DEGRADED"),
            (json!({"status": {"phase": "Failed"}}),     "HUB_STATE_FAILED"),
            (json!({"status": {"phase": "Ready"}, "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}), "HUB_STATE_DELETING"),
        ];
        every_row(cases, |(config, want)| assert_eq!(of_hub(&config), want, "X110: {config}"));
    }

    #[test]
    fn x110_the_four_conditions_come_once_each_and_ours_after_them() {
        let said = |machine: &Value| {
            conditions(machine)
                .into_iter()
                .map(|it| {
                    let name = it.type_.trim_start_matches("VIRTUAL_MACHINE_CONDITION_TYPE_").to_owned();
                    (name, it.status.trim_start_matches("CONDITION_STATUS_"), it.reason)
                })
                .collect::<Vec<_>>()
        };
        let row = |name: &str, status: &'static str, reason: &str| (name.to_owned(), status, reason.to_owned());
        let new = [
            row("READY", "FALSE", ""),
            row("PROGRESSING", "TRUE", ""),
            row("FAILED", "FALSE", ""),
            row("DEGRADED", "FALSE", ""),
        ];
        assert_eq!(said(&json!({})), new);
        let ours = json!([
            {"type": "Ready", "status": "True", "reason": "Running"},
            {"type": "SpecApplied", "status": "False", "reason": "NoEffect"},
            {"type": "RestartRequired", "status": "True", "reason": "Changed"},
        ]);
        let running = [
            row("READY", "TRUE", "Running"),
            row("PROGRESSING", "FALSE", ""),
            row("FAILED", "FALSE", ""),
            row("DEGRADED", "TRUE", "NoEffect"),
            row("SpecApplied", "FALSE", "NoEffect"),
            row("RestartRequired", "TRUE", "Changed"),
        ];
        assert_eq!(said(&json!({"status": {"phase": "Running", "conditions": ours}})), running);
        let ours = json!([{"type": "Ready", "status": "False", "reason": "CreateFailed"}]);
        let failed = [
            row("READY", "FALSE", "CreateFailed"),
            row("PROGRESSING", "FALSE", ""),
            row("FAILED", "TRUE", "CreateFailed"),
            row("DEGRADED", "FALSE", ""),
        ];
        assert_eq!(said(&json!({"status": {"phase": "Failed", "conditions": ours}})), failed);
    }
}
