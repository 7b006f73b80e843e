//! What the audit logs say of one namespace. I/O: reads them.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::{Audit, Record};
use crate::error::Result;
use crate::fleet::{self, Fleet, SUPERVISOR};

/// How often an object was made and deleted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    made: usize,
    deleted: usize,
}

/// By kind, name and plane.
pub(super) type Touched = BTreeMap<String, Counts>;

/// The logs, from where they were when it was opened.
pub(super) struct Ledger {
    namespace: String,
    logs: Vec<(String, Audit, u64)>,
}

impl Ledger {
    pub(super) fn open(fleet: &Fleet, namespace: &str) -> Self {
        let planes = fleet.remotes().iter().chain([fleet.supervisor()]);
        let logs = planes.map(|plane| (plane.name().to_owned(), plane.audit(), plane.audit().mark())).collect();
        Self { namespace: namespace.to_owned(), logs }
    }

    /// Everything that was answered about the namespace, and where.
    fn records(&self) -> Result<Vec<(String, Record)>> {
        let mut all = Vec::new();
        for (plane, audit, mark) in &self.logs {
            let about = |record: &Record| {
                record.namespace == self.namespace || record.resource == "namespaces" && record.name == self.namespace
            };
            let records = audit.since(*mark)?.into_iter().filter(|it| it.is_answer() && about(it));
            all.extend(records.map(|record| (plane.clone(), record)));
        }
        all.sort_by(|(_, a), (_, b)| a.time.cmp(&b.time));
        Ok(all)
    }

    /// What the controller wrote successfully, and how often each object was made and deleted.
    pub(super) fn touched(&self) -> Result<Touched> {
        let mut touched = Touched::new();
        for at in self.records()?.iter().filter(|(_, it)| is_write(it) && it.code < 300) {
            let counts = touched.entry(self.object(at)).or_default();
            // What is on the supervisor goes with its Machine, by the garbage collector.
            let (whole, record) = (at.1.subresource.is_empty() && at.0 != SUPERVISOR, &at.1);
            counts.made += usize::from(whole && record.code == 201);
            counts.deleted += usize::from(whole && record.verb == "delete");
        }
        Ok(touched)
    }

    fn object(&self, (plane, record): &(String, Record)) -> String {
        let name = if record.name == self.namespace { "the namespace" } else { &record.name };
        format!("{} {name} on {plane}", record.full_resource())
    }

    /// What does not hold.
    pub(super) fn judge(&self, usual: &Touched) -> Result<Vec<String>> {
        let mut wrong = Vec::new();
        for (object, counts) in self.touched()? {
            let Some(wanted) = usual.get(&object) else {
                wrong.push(format!("{object} is written, and not so in a life without harm (I5)"));
                continue;
            };
            for (what, count, wanted) in
                [("made", counts.made, wanted.made), ("deleted", counts.deleted, wanted.deleted)]
            {
                if count > wanted.max(1) {
                    wrong.push(format!("{object} is {what} {count} times instead of {wanted}"));
                }
            }
        }
        let records = self.records()?;
        let deletions = records.iter().filter(|(plane, it)| {
            plane == SUPERVISOR && it.resource == "machines" && it.verb == "delete" && it.code < 300
        });
        let first = deletions.map(|(_, it)| it.time.clone()).min();
        let early = records.iter().filter(|(_, it)| {
            is_write(it) && it.code < 300 && it.verb == "delete" && first.as_ref().is_none_or(|first| *first > it.time)
        });
        wrong.extend(early.map(|at| format!("{} is deleted before its Machine (I2)", self.object(at))));
        Ok(wrong)
    }

    /// What does not hold where many Machines live in one namespace, each with a name of its own: `owner` is the Machine that an
    /// object has its name from.
    pub(super) fn judge_each(&self, owner: impl Fn(&str) -> String) -> Result<Vec<String>> {
        let records = self.records()?;
        let written = |record: &Record| is_write(record) && record.code < 300;
        let (mut made, mut deleted) = (BTreeSet::new(), BTreeMap::new());
        let machines = records.iter().filter(|(plane, it)| plane == SUPERVISOR && it.resource == "machines");
        for (_, it) in machines.filter(|(_, it)| it.code < 300) {
            match it.verb.as_str() {
                "create" => drop(made.insert(it.name.clone())),
                "delete" => drop(deleted.entry(it.name.clone()).or_insert_with(|| it.time.clone())),
                _ => {}
            }
        }
        let mut wrong = Vec::new();
        for at in records.iter().filter(|(plane, it)| plane != SUPERVISOR && written(it)) {
            let (object, record) = (self.object(at), &at.1);
            let machine = owner(&record.name);
            if record.name != self.namespace && !made.contains(&machine) {
                wrong.push(format!("{object} is written, and is no Machine's (I5)"));
            }
            if record.verb == "delete" && deleted.get(&machine).is_none_or(|since| *since > record.time) {
                wrong.push(format!("{object} is deleted before its Machine (I2)"));
            }
        }
        for (object, counts) in self.touched()? {
            if counts.made > 1 || counts.deleted > 1 {
                wrong.push(format!("{object} is made {} times and deleted {} times", counts.made, counts.deleted));
            }
        }
        Ok(wrong)
    }
}

/// A write of the controller that is more than telling.
fn is_write(record: &Record) -> bool {
    let ours = [fleet::user(fleet::CONTROLLER_ACCOUNT), fleet::user(fleet::REMOTE_CONTROLLER_ACCOUNT)];
    let writes = ["create", "update", "patch", "delete", "deletecollection"].contains(&record.verb.as_str());
    writes && ours.contains(&record.user) && !["events", "leases"].contains(&record.resource.as_str())
}

/// Writes of the controller that are about Machines.
pub(super) fn writes_of_ours(records: &[Record]) -> impl Iterator<Item = &Record> {
    records.iter().filter(|it| it.is_answer() && is_write(it) && it.resource != "kubevirtconfigs")
}

pub(super) fn say(record: &Record) -> String {
    format!("{} {} {}/{} ({})", record.verb, record.full_resource(), record.namespace, record.name, record.code)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    /// A request of the controller on a cluster, or of somebody about a Machine.
    fn line(second: u32, verb: &str, resource: &str, name: &str) -> String {
        let ours = fleet::user(fleet::REMOTE_CONTROLLER_ACCOUNT);
        let user = if resource == "machines" { "admin" } else { &ours };
        let code = if verb == "create" { 201 } else { 200 };
        let event = json!({
            "stage": "ResponseComplete", "requestURI": "/", "verb": verb, "user": {"username": user},
            "objectRef": {"resource": resource, "namespace": "a", "name": name}, "responseStatus": {"code": code},
            "requestReceivedTimestamp": format!("2026-11-21T12:00:{second:02}.000000Z"),
        });
        format!("{event}\n")
    }

    fn wrong(supervisor: &[String], east: &[String]) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let logs = [(SUPERVISOR, supervisor), ("east", east)].map(|(plane, lines)| {
            let path = dir.path().join(plane);
            fs::write(&path, lines.concat()).unwrap();
            (plane.to_owned(), Audit::new(path), 0)
        });
        let ledger = Ledger { namespace: "a".to_owned(), logs: logs.into() };
        ledger.judge_each(|name| name.split('-').next().unwrap_or_default().to_owned()).unwrap()
    }

    #[test]
    fn of_many_machines_each_is_judged_by_its_name() {
        let machine = [line(1, "create", "machines", "web"), line(5, "delete", "machines", "web")];
        let claim = |second, verb| line(second, verb, "persistentvolumeclaims", "web-data");
        let well = [line(0, "create", "namespaces", "a"), claim(2, "create"), claim(6, "delete")];
        assert_eq!(wrong(&machine, &well), Vec::<String>::new());
        let early = [claim(2, "create"), claim(4, "delete")];
        assert_eq!(
            wrong(&machine, &early),
            ["persistentvolumeclaims web-data on east is deleted before its Machine (I2)"]
        );
        let twice = [claim(2, "create"), claim(6, "delete"), claim(7, "delete")];
        assert_eq!(
            wrong(&machine, &twice),
            ["persistentvolumeclaims web-data on east is made 1 times and deleted 2 times"]
        );
        let strange = [line(3, "patch", "secrets", "other")];
        assert_eq!(wrong(&machine, &strange), ["secrets other on east is written, and is no Machine's (I5)"]);
    }
}
