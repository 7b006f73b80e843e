//! What the published Go operator made for a Machine: its VM has disks that go on with it. Pure. X2, X12, X14, X16.
//!
//! That operator names the VM, and the claim of the boot disk, as the Machine; further claims are `<machine>-<disk>`. Its labels say
//! the Machine's name and no UID, so they count only beside a VM that is adopted.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use super::identity::Identity;
use super::intent::Admitted;
use super::labels;
use super::objects::Claim;
use crate::message::SizedDisk;
use crate::names::{
    MACHINE_UID, MANAGED_BY, OPERATOR, SOURCE_MACHINE, SUPERVISOR, claim_name, disk_of_claim, is_plain,
};

/// Volumes of a VM that are looked at.
const VOLUMES: usize = 64;

/// Whether that operator made an object for the Machine of this name, and nobody has taken it since.
fn is_published(object: &ObjectMeta, machine: &str) -> bool {
    let label = |key: &str| object.labels.as_ref().and_then(|labels| labels.get(key)).map(String::as_str);
    label(MANAGED_BY) == Some(OPERATOR)
        && label(SOURCE_MACHINE) == Some(machine)
        && label(MACHINE_UID).is_none()
        && label(SUPERVISOR).is_none()
}

/// The claims that a VM of that operator has for disks. What else it has is somebody else's.
pub fn claims(vm: &ObjectMeta, spec: &Value, machine: &str) -> Vec<String> {
    let volumes = spec.pointer("/template/spec/volumes").and_then(Value::as_array);
    let named = volumes.into_iter().flatten().take(VOLUMES);
    let named = named.filter_map(|volume| volume.pointer("/persistentVolumeClaim/claimName")?.as_str());
    let own = named.filter(|claim| (*claim == machine || disk_of_claim(machine, claim).is_some()) && is_plain(claim));
    if is_published(vm, machine) { own.map(str::to_owned).collect() } else { Vec::new() }
}

/// What makes such a claim the Machine's, if it is still that version; nothing where it is not one.
pub fn adopt_claim(claim: &ObjectMeta, identity: &Identity, supervisor: &str) -> Option<Value> {
    let controlled = claim.owner_references.iter().flatten().any(|owner| owner.controller == Some(true));
    let free = !controlled && claim.deletion_timestamp.is_none();
    (free && is_published(claim, &identity.key.name)).then(|| {
        json!({"metadata": {
            "uid": claim.uid, "resourceVersion": claim.resource_version, "labels": labels::owner(identity, supervisor),
        }})
    })
}

/// The claim that a disk of the Machine has, of those that were adopted.
pub(super) fn claim_of(disk: &SizedDisk, admitted: &Admitted, adopted: &BTreeMap<String, Claim>) -> Option<String> {
    let (machine, sized) = (&admitted.identity.key.name, &admitted.sizing.disks);
    let boots = sized.iter().find(|disk| disk.boot).or(sized.first()) == Some(disk);
    let mut names = boots.then(|| machine.clone()).into_iter().chain([claim_name(machine, &disk.name)]);
    names.find(|name| adopted.contains_key(name))
}
