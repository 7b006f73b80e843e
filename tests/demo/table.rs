//! The live table: what it says of the fleet and its Machines, and what changed between two looks. Pure.

use std::collections::BTreeMap;

use crate::fit::{columns, cut, wrapped};
use crate::row::{Key, Row};
use crate::term::Size;

/// Everything that the table shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Picture {
    /// Names of the parts, and whether they run.
    pub(crate) parts: Vec<(String, bool)>,
    /// All Machines.
    pub(crate) machines: BTreeMap<Key, Row>,
    /// Whether the supervisor answers; if not, `machines` is what it said last.
    pub(crate) answers: bool,
    /// Machines that were refused when they were applied, and why: no table of what is stored shows them.
    pub(crate) refused: Vec<(String, String)>,
}

/// Lines of a refusal.
const REFUSAL: usize = 2;
const HEAD: [&str; 10] = ["NAMESPACE", "NAME", "PHASE", "READY", "CLUSTER", "TEMPLATE", "IP", "NODE", "AGE", "MESSAGE"];
/// Columns in the order in which they are left out where there is no room: TEMPLATE first, NAME and PHASE never.
const LEAVE: [usize; 8] = [5, 7, 6, 8, 0, 4, 3, 9];

impl Picture {
    /// The whole table, as lines that fit into a terminal.
    pub(crate) fn lines(&self, now: i64, size: Size) -> Vec<String> {
        let mut lines = vec![self.verdict()];
        let below = if self.refused.is_empty() { 0 } else { 1 + REFUSAL * self.refused.len() };
        // The verdict, the head, a line about the rest, and a blank one with what the screen puts below it.
        let room = size.rows.saturating_sub(below + 6).max(1);
        // What needs somebody is seen, however many there are.
        let (odd, well): (Vec<_>, Vec<_>) = self.machines.iter().partition(|(_, row)| !row.is_ready());
        let mut drawn: Vec<_> = odd.into_iter().chain(well).take(room).collect();
        drawn.sort_by_key(|(key, _)| *key);
        let mut cells = vec![HEAD.map(str::to_owned)];
        cells.extend(drawn.into_iter().map(|((namespace, name), row)| {
            let [phase, ready, cluster, template, ip, node, age, message] = row.cells(now);
            [namespace.clone(), name.clone(), phase, ready, cluster, template, ip, node, age, message]
        }));
        if !self.machines.is_empty() {
            lines.extend(columns(&cells, size.columns, &LEAVE));
        }
        if self.machines.len() > room {
            lines.push(format!("and {} more: kubectl get machines -A", self.machines.len() - room));
        }
        if !self.refused.is_empty() {
            lines.push("Refused, so not stored:".to_owned());
            lines.extend(self.refused.iter().flat_map(|(name, why)| refusal(name, why, size.columns)));
        }
        // What is higher than the terminal could not be drawn in place again.
        lines.iter().take(size.rows.saturating_sub(3).max(1)).map(|line| cut(line, size.columns)).collect()
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

    /// How it goes, in a line: well only if all parts run, the supervisor answers, and every Machine is ready.
    pub(crate) fn verdict(&self) -> String {
        let stopped: Vec<_> = self.parts.iter().filter(|(_, runs)| !runs).map(|(name, _)| name.as_str()).collect();
        let waiting = self.machines.values().filter(|row| !row.is_ready()).count();
        let all = self.machines.len();
        let last = if self.answers { "" } else { ". What the supervisor said last:" };
        if !stopped.is_empty() {
            return format!("STOPPED: {}{last}", stopped.join(", "));
        }
        match (self.answers, all, waiting) {
            (false, ..) => "The supervisor does not answer. What it said last:".to_owned(),
            (true, 0, _) => "Everything runs. There are no Machines.".to_owned(),
            (true, _, 0) => format!("Everything runs: {all} of {all} Machines ready."),
            (true, ..) => format!("All parts run: {} of {all} Machines ready.", all - waiting),
        }
    }
}

/// A refusal in a few lines at most: the whole of it was said when it happened.
fn refusal(name: &str, why: &str, columns: usize) -> Vec<String> {
    let mut lines = wrapped(&format!("  {name}: {why}"), columns, 4);
    if lines.len() > REFUSAL {
        let rest = lines.drain(REFUSAL - 1..).map(|line| line.trim_start().to_owned()).collect::<Vec<_>>().join(" ");
        lines.push(format!("    {rest}"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

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
        Picture { parts, machines: machines.iter().cloned().collect(), answers: true, refused: Vec::new() }
    }

    fn running() -> Value {
        json!({ "phase": "Running", "ipAddresses": ["10.0.0.7"], "nodeName": "node-1", "message": "the virtual machine runs",
                "resolved": { "template": "medium" }, "conditions": [{ "type": "Ready", "status": "True" }] })
    }

    fn size(columns: usize) -> Size {
        Size { columns, rows: 40 }
    }

    #[test]
    fn fr23_the_table_shows_what_there_is_room_for() {
        let mut seen = picture(&[machine("basic-vm", &running()), machine("new", &Value::Null)]);
        seen.refused = vec![(
            "wrong-vm".to_owned(),
            "spec.template: template \"smal\" not found: use small, medium or large".to_owned(),
        )];
        #[rustfmt::skip]
        let cases = [
            (200, vec![
                "All parts run: 1 of 2 Machines ready.",
                "NAMESPACE  NAME      PHASE    READY  CLUSTER  TEMPLATE  IP        NODE    AGE  MESSAGE",
                "default    basic-vm  Running  True   east     medium    10.0.0.7  node-1  32s  the virtual machine runs",
                "default    new       -        -      east     -         -         -       32s  -",
                "Refused, so not stored:",
                "  wrong-vm: spec.template: template \"smal\" not found: use small, medium or large",
            ]),
            (80, vec![
                "All parts run: 1 of 2 Machines ready.",
                "NAMESPACE  NAME      PHASE    READY  CLUSTER  AGE  MESSAGE",
                "default    basic-vm  Running  True   east     32s  the virtual machine runs",
                "default    new       -        -      east     32s  -",
                "Refused, so not stored:",
                "  wrong-vm: spec.template: template \"smal\" not found: use small, medium or large",
            ]),
            (40, vec![
                "All parts run: 1 of 2 Machines ready.",
                "NAME      PHASE    MESSAGE",
                "basic-vm  Running  the virtual machine …",
                "new       -        -",
                "Refused, so not stored:",
                "  wrong-vm: spec.template: template",
                "    \"smal\" not found: use small, medium…",
            ]),
        ];
        for (columns, want) in cases {
            assert_eq!(seen.lines(42, size(columns)), want, "{columns}");
        }
    }

    #[test]
    fn fr23_a_fleet_without_its_supervisor_is_not_well() {
        let well = picture(&[machine("basic-vm", &running())]);
        let stopped = |names: &[&str]| {
            let part = |(name, runs): &(String, bool)| (name.clone(), *runs && !names.contains(&name.as_str()));
            let mut parts = well.parts.clone();
            parts.push(("supervisor".to_owned(), true));
            Picture { parts: parts.iter().map(part).collect(), ..well.clone() }
        };
        #[rustfmt::skip]
        let cases = [
            (well.clone(),                                                "Everything runs: 1 of 1 Machines ready."),
            (picture(&[]),                                                "Everything runs. There are no Machines."),
            (picture(&[machine("new", &Value::Null)]),                    "All parts run: 0 of 1 Machines ready."),
            (stopped(&["east", "webhook"]),                               "STOPPED: east, webhook"),
            (Picture { answers: false, ..stopped(&["supervisor"]) },      "STOPPED: supervisor. What the supervisor said last:"),
            (Picture { answers: false, ..well.clone() },                  "The supervisor does not answer. What it said last:"),
        ];
        for (seen, want) in cases {
            assert_eq!(seen.verdict(), want);
            assert_eq!(seen.lines(42, size(200))[0], want);
        }
    }

    #[test]
    fn fr23_a_table_that_would_be_higher_than_the_terminal_is_cut_and_what_is_not_ready_stays() {
        let mut many: Vec<_> = (0..14).map(|number| machine(&format!("m{number:02}"), &running())).collect();
        many.push(machine("z", &Value::Null));
        let lines = picture(&many).lines(42, Size { columns: 40, rows: 10 });
        let names: Vec<_> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(names, ["All", "NAME", "m00", "m01", "m02", "z", "and"]);
        assert_eq!(lines[6], "and 11 more: kubectl get machines -A");
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
