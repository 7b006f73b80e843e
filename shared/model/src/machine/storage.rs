//! The disks of a Machine: one claim each, on the cluster where the VM runs. Pure. C22, X15, X16, X23.

use serde_json::{Value, json};

use super::intent::Admitted;
use super::labels;
use super::observed::Observed;
use super::write::{Failure, Kind, There};
use crate::message::SizedDisk;
use crate::names::claim_name;

/// `devices.disks` and `volumes`, which belong together by name.
pub(super) fn attached(admitted: &Admitted, _seen: &Observed) -> (Vec<Value>, Vec<Value>) {
    let disks = admitted.sizing.disks.iter();
    disks
        .map(|disk| {
            let claim = claim_name(&admitted.identity.key.name, &disk.name);
            let volume = json!({"name": disk.name, "persistentVolumeClaim": {"claimName": claim}});
            (json!({"name": disk.name, "disk": {"bus": "virtio"}}), volume)
        })
        .unzip()
}

/// Creates every claim that is neither there nor on its way.
pub fn plan(admitted: &Admitted, seen: &Observed) -> Vec<There> {
    let mut writes = Vec::new();
    for disk in &admitted.sizing.disks {
        let name = claim_name(&admitted.identity.key.name, &disk.name);
        if !seen.claims.contains_key(&name) && !seen.awaited.contains(&(Kind::Claim, name.clone())) {
            let object = claim(admitted, disk, &name, seen);
            writes.push(There::Create(Kind::Claim, name, object));
        }
    }
    writes
}

/// Why the VM cannot be made or brought in line yet.
pub(super) fn missing(_admitted: &Admitted, _seen: &Observed) -> Option<Failure> {
    None
}

fn claim(admitted: &Admitted, disk: &SizedDisk, name: &str, seen: &Observed) -> Value {
    let mut spec = json!({
        "accessModes": [disk.access_mode],
        "resources": {"requests": {"storage": disk.size}},
    });
    if let Some(class) = storage_class(disk, seen) {
        spec["storageClassName"] = json!(class);
    }
    if let Some(mode) = &disk.volume_mode {
        spec["volumeMode"] = json!(mode);
    }
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": name,
            "namespace": admitted.identity.vm.namespace,
            "labels": labels::owner(&admitted.identity, &seen.supervisor),
        },
        "spec": spec,
    })
}

/// X23: `default` means the cluster's default class, unless there is a class of that name. An absent
/// `storageClassName` is how the API server is asked for the default.
fn storage_class<'d>(disk: &'d SizedDisk, seen: &Observed) -> Option<&'d str> {
    let class = disk.storage_class.as_deref()?;
    (class != "default" || seen.storage_classes.contains(class)).then_some(class)
}
