//! Whether a VM that is being deleted is proven gone, whoever's labels it carries. Pure. ATK9, X17.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::intent::Leaving;
use super::observed::Lookup;
use super::owner;
use crate::baseline::LAST_APPLIED;
use crate::names::{self, DESIRED};

/// What stands under the name of the Machine's VM on its cluster, whoever's labels it carries (ATK9).
#[derive(Clone, Copy, Debug)]
pub struct Standing<'o> {
    /// Its metadata.
    pub metadata: &'o ObjectMeta,
    /// It has a volume on a disk of the Machine.
    pub uses_disk: bool,
}

/// Whether VM and instance are proven gone, so that what they used may go. A stranger's that took the name and has none of the
/// Machine's disks is in nobody's way.
pub fn standing(vm: Option<Standing<'_>>, vmi: Option<Standing<'_>>, leaving: &Leaving, supervisor: &str) -> Lookup {
    let key = &leaving.identity.vm;
    let Some(found) = vm else {
        return match vmi {
            Some(instance) if instance.uses_disk => Lookup::Taken(format!(
                "VirtualMachineInstance {key} still runs on a disk of this Machine, which stays until that is gone"
            )),
            Some(_) | None => Lookup::Absent,
        };
    };
    let owned = owner::read(found.metadata);
    let whose = match &owned.owner {
        Some(owner::Owner::Machine { supervisor: theirs, uid, .. })
            if theirs == supervisor && *uid == leaving.identity.uid =>
        {
            return Lookup::Ours;
        }
        _ if lost_its_labels(found.metadata) => "has lost the labels that say whose it is",
        Some(_) => "is somebody else's by its labels",
        None => "is nobody's by its labels",
    };
    let uses_disk = found.uses_disk || vmi.is_some_and(|instance| instance.uses_disk);
    if uses_disk || lost_its_labels(found.metadata) {
        let next = put_back(&leaving.identity.uid, supervisor);
        return Lookup::Taken(format!(
            "VirtualMachine {key} is still there and {whose}: nothing goes before that is gone: delete it, or if it is this Machine's, {next}"
        ));
    }
    Lookup::Absent
}

/// Whether a VM carries the mark that we leave in writing it, and no UID of a Machine any more.
pub fn lost_its_labels(vm: &ObjectMeta) -> bool {
    let marked = |key: &str| vm.annotations.as_ref().is_some_and(|all| all.contains_key(key));
    let labelled = vm.labels.as_ref().is_some_and(|all| all.contains_key(names::MACHINE_UID));
    [LAST_APPLIED, DESIRED, names::ADOPTED].into_iter().any(marked) && !marked(names::RETAINED_FROM) && !labelled
}

/// How to make a VM this Machine's again.
pub fn put_back(uid: &str, supervisor: &str) -> String {
    format!("label it {}={uid} and {}={supervisor} again", names::MACHINE_UID, names::SUPERVISOR)
}
