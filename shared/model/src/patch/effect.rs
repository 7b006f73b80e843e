//! Judges a patch by its effect: every difference between the object before and after must lie in the closed list. So no
//! spelling of a path matters, and operations that undo each other have none. T7, T8, KVO26.

use std::collections::BTreeSet;

use serde_json::Value;

use super::operations::Operation;
use super::pointer::Pointer;
use super::target::Target;
use super::{allowed, rules, scheduling};
use crate::reason::{Reason, Violation};

/// Most violations that one patch is answered with.
const LISTED: usize = 16;

/// One thing that is wrong with the patched object.
struct Finding {
    at: Pointer,
    reason: Reason,
    says: String,
}

struct Judge {
    target: Target,
    scheduling: bool,
    found: Vec<Finding>,
}

/// Everything that the operations must not have made of `before`. Violations stand at `field`, and name the operation.
pub(super) fn judge(
    target: Target,
    scheduling: bool,
    operations: &[Operation],
    (before, after): (&Value, &Value),
    field: &str,
) -> Vec<Violation> {
    let mut judge = Judge { target, scheduling, found: Vec::new() };
    judge.compare(Some(before), Some(after), &mut Pointer::default());
    if judge.found.is_empty() && target == Target::Vm && before != after {
        let mut wrong = Vec::new();
        rules::check(after, &mut wrong);
        judge.invalid(wrong);
    }
    judge.found.truncate(LISTED);
    judge.found.into_iter().map(|finding| blame(finding, operations, field)).collect()
}

impl Judge {
    fn compare(&mut self, before: Option<&Value>, after: Option<&Value>, at: &mut Pointer) {
        if before == after || self.found.len() >= LISTED {
            return;
        }
        if let Some(shape) = allowed::shape(self.target, self.scheduling, &at.0) {
            let mut wrong = Vec::new();
            if let Some(after) = after {
                shape.check(after, at, &mut wrong);
            }
            self.invalid(wrong);
            return;
        }
        match (before, after) {
            (Some(Value::Object(before)), Some(Value::Object(after))) => {
                let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
                for key in keys {
                    at.0.push(key.clone());
                    self.compare(before.get(key), after.get(key), at);
                    at.0.pop();
                }
            }
            (Some(Value::Array(before)), Some(Value::Array(after))) if before.len() == after.len() => {
                for (index, (before, after)) in before.iter().zip(after).enumerate() {
                    at.0.push(index.to_string());
                    self.compare(Some(before), Some(after), at);
                    at.0.pop();
                }
            }
            _ => self.forbidden(at),
        }
    }

    fn forbidden(&mut self, at: &Pointer) {
        let says = match self.target {
            Target::Vm => hint(at),
            Target::Asset => {
                "may not be patched: of an object of the platform, what is below /spec may, and labels and annotations \
                 outside of kubernetes.io, k8s.io, kubevirt.io and vitistack.io"
                    .to_owned()
            }
            Target::Disk => {
                "may not be patched: of a disk, only labels and annotations outside of kubernetes.io, k8s.io, \
                             kubevirt.io and vitistack.io may, and three annotations of CDI"
                    .to_owned()
            }
        };
        self.found.push(Finding { at: at.clone(), reason: Reason::PatchForbidden, says });
    }

    fn invalid(&mut self, wrong: Vec<(Pointer, String)>) {
        let findings = wrong.into_iter().map(|(at, says)| Finding { at, reason: Reason::PatchInvalid, says });
        self.found.extend(findings);
    }
}

/// Names the last operation that touches what is wrong.
fn blame(finding: Finding, operations: &[Operation], field: &str) -> Violation {
    let changes = || operations.iter().enumerate().rev().filter(|(_, operation)| operation.changes());
    let touches = |(_, operation): &(usize, &Operation)| operation.path.touches(&finding.at);
    let says = match changes().find(touches).or_else(|| changes().next()) {
        Some((index, operation)) if operation.path == finding.at => {
            format!("{}: {}", operation.names(index), finding.says)
        }
        Some((index, operation)) => format!("{}: {} {}", operation.names(index), finding.at, finding.says),
        None => format!("{} {}", finding.at, finding.says),
    };
    finding.reason.at(field).says(says)
}

/// Where a field of the VM is set that may not be patched.
fn hint(at: &Pointer) -> String {
    const ELSEWHERE: [(&str, &str); 14] = [
        ("spec/template/spec/domain/cpu/cores", "set spec.resources.cpu.cores of the Machine instead"),
        ("spec/template/spec/domain/cpu/sockets", "set spec.resources.cpu.sockets of the Machine instead"),
        ("spec/template/spec/domain/cpu/threads", "set spec.resources.cpu.threads of the Machine instead"),
        ("spec/template/spec/domain/memory/guest", "set spec.resources.memory.size of the Machine instead"),
        (
            "spec/template/spec/domain/devices/disks",
            "disks are added, taken away, named and ordered in spec.disks of the Machine",
        ),
        (
            "spec/template/spec/domain/devices/interfaces",
            "interfaces are added, taken away, named and ordered in spec.networks of the Machine",
        ),
        ("spec/template/spec/volumes", "disks come from spec.disks of the Machine, and cloud-init from spec.cloudInit"),
        ("spec/template/spec/networks", "networks come from spec.networks of the Machine"),
        ("spec/template/spec/domain/firmware", "set spec.domain.firmware of the Machine instead"),
        ("spec/template/spec/domain/machine", "set spec.domain.machine of the Machine instead"),
        ("spec/template/metadata", "labels and annotations of the VM are the operator's"),
        ("spec/runStrategy", "set spec.runStrategy of the Machine instead"),
        ("metadata", "names, labels, annotations and owners of the VM are the operator's"),
        ("status", "that is KubeVirt's to write"),
    ];
    let path = at.0.join("/");
    let below = |start: &str| path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if let Some((_, elsewhere)) = ELSEWHERE.iter().find(|(start, _)| below(start)) {
        return format!("may not be patched: {elsewhere}");
    }
    if allowed::shape(Target::Vm, true, &at.0).is_some() {
        return "may not be patched here: scheduling belongs to the cluster, unless its KubevirtConfig says \
                allowSchedulingPatches: true"
            .to_owned();
    }
    let short = path.strip_prefix("spec/template/spec/").unwrap_or(&path);
    let mut known = allowed::VM.iter().chain(scheduling::VM).map(|allowed| allowed.0);
    match known.find(|known| known.eq_ignore_ascii_case(short)) {
        Some(near) => format!("may not be patched (did you mean /spec/template/spec/{near}?)"),
        None => "may not be patched; docs/patches.md lists what may".to_owned(),
    }
}
