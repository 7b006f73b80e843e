//! What the audit logs say of one namespace. I/O: reads them.

use std::collections::BTreeMap;

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
