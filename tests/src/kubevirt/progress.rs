//! How a VMI's status moves on: phase, transition times, conditions, all in one merge patch. Pure.
//! The VMI has no status subresource; whoever moves it on writes through the main endpoint.

use super::conditions::{self, Condition};
use super::objects::{Kind, Object, label, list, stamp, text};
use super::writes::Write;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Edits to one VMI, collected.
pub(super) struct Progress<'a> {
    vmi: &'a Object,
    status: Map<String, Value>,
    conditions: Vec<Value>,
    labels: Map<String, Value>,
    now: Timestamp,
}

impl<'a> Progress<'a> {
    pub(super) fn of(vmi: &'a Object, now: Timestamp) -> Self {
        let conditions = list(vmi, "/status/conditions").to_vec();
        Self { vmi, status: Map::new(), conditions, labels: Map::new(), now }
    }

    pub(super) fn phase(self, phase: &str) -> Self {
        let mut times = list(self.vmi, "/status/phaseTransitionTimestamps").to_vec();
        if text(self.vmi, "/status/phase") != phase {
            times.push(json!({"phase": phase, "phaseTransitionTimestamp": stamp(self.now)}));
        }
        self.field("phase", json!(phase)).field("phaseTransitionTimestamps", json!(times))
    }

    pub(super) fn field(mut self, name: &str, value: Value) -> Self {
        self.status.insert(name.into(), value);
        self
    }

    pub(super) fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.into(), json!(value));
        self
    }

    /// Takes a label off, if it is there.
    pub(super) fn without_label(mut self, key: &str) -> Self {
        if label(self.vmi, key).is_some() {
            self.labels.insert(key.into(), Value::Null);
        }
        self
    }

    pub(super) fn with(mut self, condition: &Condition<'_>) -> Self {
        conditions::set(&mut self.conditions, condition, self.now);
        self
    }

    pub(super) fn without(mut self, kind: &str) -> Self {
        conditions::remove(&mut self.conditions, kind);
        self
    }

    /// The patch, unless the VMI is like this already.
    pub(super) fn write(mut self, actor: &'static str) -> Option<Write> {
        // virt-controller tests a list before it changes it, and for it a time that is missing is null. A merge patch cannot
        // write null, so that no time may be missing.
        for condition in &mut self.conditions {
            for time in ["lastProbeTime", "lastTransitionTime"] {
                if condition[time].is_null() {
                    condition[time] = json!(stamp(self.now));
                }
            }
        }
        self.status.insert("conditions".into(), json!(self.conditions));
        let old = self.vmi.data.get("status");
        let same = self.status.iter().all(|(key, value)| match old.and_then(|old| old.get(key)) {
            Some(old) => old == value,
            None => value.as_array().is_some_and(Vec::is_empty),
        });
        if same && self.labels.is_empty() {
            return None;
        }
        let mut patch = json!({"status": self.status});
        if !self.labels.is_empty() {
            patch["metadata"] = json!({"labels": self.labels});
        }
        Some(Write::merge(actor, Kind::Vmi, self.vmi, patch))
    }
}
