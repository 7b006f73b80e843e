//! What must be so after everything: nothing is written any more, and no log has a panic. I/O: reads audit logs and logs.

use std::fs;
use std::time::Duration;

use super::ledger;
use crate::audit::Audit;
use crate::error::{Result, io};
use crate::fleet::Fleet;

/// After all lives, so long nothing is written.
const QUIET: Duration = Duration::from_secs(10);
/// And it is so after as many times.
const QUIET_WITHIN: usize = 6;

/// What is written again and again after all lives.
pub(super) async fn writes(fleet: &Fleet) -> Result<Option<String>> {
    let planes: Vec<_> = fleet.remotes().iter().chain([fleet.supervisor()]).collect();
    let mut written = String::new();
    // What was under way may come to its end.
    for _ in 0..QUIET_WITHIN {
        let audits: Vec<(Audit, u64)> = planes.iter().map(|plane| (plane.audit(), plane.audit().mark())).collect();
        // What is looked for is that nothing happens.
        tokio::time::sleep(QUIET).await;
        let mut writes = Vec::new();
        for (audit, mark) in audits {
            writes.extend(ledger::writes_of_ours(&audit.since(mark)?).map(ledger::say));
        }
        if writes.is_empty() {
            return Ok(None);
        }
        written = writes.join(", ");
    }
    Ok(Some(format!("after everything, there are still writes: {written}")))
}

/// The first line of each of these logs that tells of a panic or an error.
pub(super) fn panics(fleet: &Fleet, names: &[&str]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for name in names {
        let log = fleet.processes().log(name);
        if !log.exists() {
            continue;
        }
        let text = fs::read_to_string(&log).map_err(io("cannot read", &log))?;
        let first = text.lines().find(|line| is_wrong(line));
        found.extend(first.map(|line| format!("the log of {name} says: {line}")));
    }
    Ok(found)
}

fn is_wrong(line: &str) -> bool {
    // A client's library calls it an error when a connection breaks, which was done on purpose.
    line.contains("panicked") || line.contains("\"level\":\"error\"") && !line.contains("\"target\":\"kube_client")
}
