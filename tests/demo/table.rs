//! The live table: what a Machine looks like in it, how columns are set, and what changed between two looks. Pure.

use std::collections::BTreeMap;

use kube::api::DynamicObject;
use model::names;
use serde_json::Value;

/// Namespace and name.
pub(crate) type Key = (String, String);

/// One Machine as the table shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    phase: String,
    cluster: String,
    template: String,
    ip: String,
    node: String,
    message: String,
    /// Seconds since 1970; not part of what changes.
    born: i64,
}

/// Everything that the table shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Picture {
    /// Names of the parts, and whether they run.
    pub(crate) parts: Vec<(String, bool)>,
    /// All Machines.
    pub(crate) machines: BTreeMap<Key, Row>,
    /// Whether the supervisor answers; if not, `machines` is what it said last.
    pub(crate) answers: bool,
}

/// How many Machines are drawn; a table higher than the terminal could not be redrawn in place.
const DRAWN: usize = 12;

impl Row {
    /// Reads a Machine, however odd its content is.
    pub(crate) fn of(machine: &DynamicObject) -> (Key, Self) {
        let status = |path: &str| text(machine.data.pointer(&format!("/status{path}")));
        let metadata = &machine.metadata;
        let annotation = |key: &str| metadata.annotations.as_ref().and_then(|all| all.get(key)).cloned();
        let deleted = metadata.deletion_timestamp.is_some() && status("/phase") != "Terminating";
        let row = Self {
            phase: if deleted { "Terminating".to_owned() } else { status("/phase") },
            cluster: annotation(names::KUBEVIRT_CONFIG).unwrap_or_default(),
            template: status("/resolved/template"),
            ip: status("/ipAddresses/0"),
            node: status("/nodeName"),
            message: status("/message"),
            born: metadata.creation_timestamp.as_ref().map(|time| time.0.as_second()).unwrap_or_default(),
        };
        ((metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default()), row)
    }

    fn said(&self) -> String {
        let place = [self.cluster.as_str(), &self.node, &self.ip];
        let place: Vec<_> = place.into_iter().filter(|part| !part.is_empty()).collect();
        let phase = if self.phase.is_empty() { "new" } else { &self.phase };
        format!("{phase} on {} ({})", place.join(", "), self.message)
    }
}

impl Picture {
    /// The whole table, as lines.
    pub(crate) fn lines(&self, now: i64) -> Vec<String> {
        let head = ["NAMESPACE", "NAME", "PHASE", "CLUSTER", "TEMPLATE", "IP", "NODE", "AGE", "MESSAGE"];
        let mut cells = vec![head.map(str::to_owned)];
        cells.extend(self.machines.iter().take(DRAWN).map(|((namespace, name), row)| {
            let Row { phase, cluster, template, ip, node, message, born } = row.clone();
            [namespace.clone(), name.clone(), phase, cluster, template, ip, node, age(now - born), message]
        }));
        let mut lines = vec![self.parts_line()];
        if !self.answers {
            lines.push("The supervisor does not answer; its last word was:".to_owned());
        }
        if self.machines.is_empty() {
            lines.push("There are no Machines.".to_owned());
        } else {
            lines.extend(columns(&cells));
        }
        if self.machines.len() > DRAWN {
            lines.push(format!("and {} more: kubectl get machines -A", self.machines.len() - DRAWN));
        }
        lines
    }

    /// What is different from an earlier picture, a line each.
    pub(crate) fn news(&self, before: &Self) -> Vec<String> {
        let mut news = Vec::new();
        for (part, runs) in &self.parts {
            if before.parts.iter().any(|(name, ran)| name == part && ran != runs) {
                news.push(format!("{part} {}", if *runs { "runs" } else { "is stopped" }));
            }
        }
        if self.answers != before.answers {
            news.push(format!("the supervisor {}", if self.answers { "answers" } else { "does not answer" }));
        }
        for (key @ (namespace, name), row) in &self.machines {
            if before.machines.get(key) != Some(row) {
                news.push(format!("{namespace}/{name} is {}", row.said()));
            }
        }
        let gone = before.machines.keys().filter(|key| !self.machines.contains_key(*key));
        news.extend(gone.map(|(namespace, name)| format!("{namespace}/{name} is gone")));
        news
    }

    fn parts_line(&self) -> String {
        let stopped: Vec<_> = self.parts.iter().filter(|(_, runs)| !runs).map(|(name, _)| name.as_str()).collect();
        if stopped.is_empty() { "Everything runs.".to_owned() } else { format!("STOPPED: {}", stopped.join(", ")) }
    }
}

/// Sets rows in columns; empty cells show as `-`.
pub(crate) fn columns<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let shown = |cell: &String| if cell.is_empty() { "-".to_owned() } else { cell.clone() };
    let width = |column: usize| rows.iter().map(|row| shown(&row[column]).chars().count()).max().unwrap_or_default();
    let widths: Vec<_> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{:width$}", shown(cell)));
        cells.collect::<Vec<_>>().join("   ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn machine(name: &str, status: &Value) -> (Key, Row) {
        let object = json!({
            "apiVersion": "vitistack.io/v1alpha1", "kind": "Machine", "status": status,
            "metadata": {
                "name": name, "namespace": "default", "creationTimestamp": "1970-01-01T00:00:10Z",
                "annotations": { "vitistack.io/kubevirt-config": "east" },
            },
        });
        Row::of(&serde_json::from_value(object).expect("an object"))
    }

    fn picture(machines: &[(Key, Row)]) -> Picture {
        let parts = vec![("east".to_owned(), true), ("webhook".to_owned(), true)];
        Picture { parts, machines: machines.iter().cloned().collect(), answers: true }
    }

    #[test]
    fn a_table_reads_like_kubectls() {
        let running = json!({ "phase": "Running", "ipAddresses": ["10.0.0.7"], "nodeName": "node-1", "message": "the virtual machine runs",
                              "resolved": { "template": "medium" } });
        let seen = picture(&[machine("basic-vm", &running), machine("new", &Value::Null)]);
        let want = [
            "Everything runs.",
            "NAMESPACE   NAME       PHASE     CLUSTER   TEMPLATE   IP         NODE     AGE   MESSAGE",
            "default     basic-vm   Running   east      medium     10.0.0.7   node-1   32s   the virtual machine runs",
            "default     new        -         east      -          -          -        32s   -",
        ];
        assert_eq!(seen.lines(42), want);
    }

    #[test]
    fn a_table_that_would_be_higher_than_the_terminal_is_cut() {
        let many: Vec<_> = (0..15).map(|number| machine(&format!("m{number:02}"), &Value::Null)).collect();
        let lines = picture(&many).lines(42);
        assert_eq!(lines.len(), DRAWN + 3);
        assert_eq!(lines[DRAWN + 2], "and 3 more: kubectl get machines -A");
    }

    #[test]
    fn news_are_what_changed() {
        let creating = json!({ "phase": "Creating", "message": "waiting for basic-vm-root" });
        let before = picture(&[machine("basic-vm", &Value::Null), machine("old", &Value::Null)]);
        let mut after = picture(&[machine("basic-vm", &creating)]);
        after.parts[0].1 = false;
        assert_eq!(after.news(&after), Vec::<String>::new());
        let want = [
            "east is stopped",
            "default/basic-vm is Creating on east (waiting for basic-vm-root)",
            "default/old is gone",
        ];
        assert_eq!(after.news(&before), want);
    }
}
