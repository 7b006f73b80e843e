//! The name and the namespace of a Machine, and the names that everything of it gets. Pure. X56, X67, X77, T11, T12.

use super::ask::Ask;
use super::form::{LABEL, LABEL_RULE, SUBDOMAIN, is_label, shown};
use crate::review::Object;
use model::names::is_reserved;
use model::reason::{Reason, Violation};

/// The name of a new Machine; nothing under `generateName`, where the validating call sees it (X77). A name cannot be
/// corrected, and the VM of a Machine that exists has its name already.
fn new_name<'r>(ask: &Ask<'r>) -> Option<&'r str> {
    ask.object.metadata.name.as_deref().filter(|name| ask.old.is_none() && !name.is_empty())
}

/// The VM is named after the Machine, and KubeVirt makes labels of that name.
pub fn length(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    let Some(name) = new_name(ask) else { return };
    let most = LABEL.saturating_sub(ask.policy.vm_prefix.len());
    if name.len() > most {
        wrong.push(Reason::FieldInvalid.at("metadata.name").says(format!(
            "Invalid value: {:?}: has {} characters and may have {most}, because its VirtualMachine is called {}NAME: {says}",
            shown(name),
            name.len(),
            ask.policy.vm_prefix
        )));
    }
}

/// The guest's hostname is a DNS label.
pub fn label(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    if let Some(name) = new_name(ask).filter(|name| name.len() <= LABEL && !is_label(name)) {
        let says = format!("Invalid value: {:?}: {LABEL_RULE}: {says}", shown(name));
        wrong.push(Reason::FieldInvalid.at("metadata.name").says(says));
    }
}

/// The Machine's own namespace; that of its VM is judged once the cluster is known.
pub fn namespace(ask: &Ask<'_>, wrong: &mut Vec<Violation>) {
    let namespace = &*ask.request.namespace;
    if !ask.old.is_some_and(Object::is_judged) && is_reserved(namespace, &ask.policy.own_namespace) {
        wrong.push(Reason::NamespaceReserved.at("metadata.namespace").says(format!(
            "Forbidden: namespace {namespace:?} is reserved: Machines may not be in kube-*, openshift-*, kubevirt, cdi or the operator's own namespace; use one of your own"
        )));
    }
}

/// A Machine of before the rule about names may have a long one, to which not every new disk fits (X56).
pub fn claims(ask: &Ask<'_>, wrong: &mut Vec<Violation>) {
    let machine = ask.object.metadata.name.as_deref().filter(|name| name.len() > LABEL);
    let (Some(machine), Some(old)) = (machine, ask.old) else { return };
    for (index, disk) in ask.object.spec.disks.iter().flatten().enumerate() {
        let name = disk.called(index);
        if machine.len() + 1 + name.len() > SUBDOMAIN && old.disk(&name).is_none() {
            wrong.push(Reason::FieldInvalid.at(format!("spec.disks[{index}].name")).says(format!(
                "Invalid value: {:?}: the claim MACHINE-{} would have {} characters, and may have {SUBDOMAIN}: choose a shorter name",
                shown(&name),
                shown(&name),
                machine.len() + 1 + name.len()
            )));
        }
    }
}
