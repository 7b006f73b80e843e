//! What a Machine looks like in the live table. Pure.

use kube::api::DynamicObject;
use model::names;
use serde_json::Value;

/// Namespace and name.
pub(crate) type Key = (String, String);

/// One Machine as the table shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    phase: String,
    ready: String,
    cluster: String,
    template: String,
    ip: String,
    node: String,
    message: String,
    /// Seconds since 1970; not part of what changes.
    born: i64,
}

impl Row {
    /// Reads a Machine, however odd its content is.
    pub(crate) fn of(machine: &DynamicObject) -> (Key, Self) {
        let status = |path: &str| text(machine.data.pointer(&format!("/status{path}")));
        let metadata = &machine.metadata;
        let annotation = |key: &str| metadata.annotations.as_ref().and_then(|all| all.get(key)).cloned();
        let deleted = metadata.deletion_timestamp.is_some() && status("/phase") != "Terminating";
        let row = Self {
            phase: if deleted { "Terminating".to_owned() } else { status("/phase") },
            ready: ready(&machine.data),
            cluster: annotation(names::KUBEVIRT_CONFIG).unwrap_or_default(),
            template: status("/resolved/template"),
            ip: status("/ipAddresses/0"),
            node: status("/nodeName"),
            message: status("/message"),
            born: metadata.creation_timestamp.as_ref().map(|time| time.0.as_second()).unwrap_or_default(),
        };
        ((metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default()), row)
    }

    /// Whether it is what its author wants.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready == "True"
    }

    /// Phase, readiness, cluster, template, address, node, age and message.
    pub(crate) fn cells(&self, now: i64) -> [String; 8] {
        let Row { phase, ready, cluster, template, ip, node, message, born } = self.clone();
        [phase, ready, cluster, template, ip, node, age(now - born), message]
    }

    /// In a sentence, behind its name and "is".
    pub(crate) fn said(&self) -> String {
        let place = [self.cluster.as_str(), &self.node, &self.ip];
        let place: Vec<_> = place.into_iter().filter(|part| !part.is_empty()).collect();
        let phase = if self.phase.is_empty() { "new" } else { &self.phase };
        format!("{phase} on {} ({})", place.join(", "), self.message)
    }
}

/// Status of the condition `Ready`.
fn ready(machine: &Value) -> String {
    let conditions = machine.pointer("/status/conditions").and_then(Value::as_array);
    let found = conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready");
    text(found.and_then(|condition| condition.get("status")))
}

fn age(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ ..120 => format!("{seconds}s"),
        seconds @ ..7200 => format!("{}m", seconds / 60),
        seconds => format!("{}h", seconds / 3600),
    }
}

fn text(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}
