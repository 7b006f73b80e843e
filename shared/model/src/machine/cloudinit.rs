//! Cloud-init data of a Machine's VM: what carries it. Pure. C24, X70; regression KVO21.
//!
//! Short data that was written into the Machine, or comes from a ConfigMap, stands in the VM. All other data, and everything
//! from a Secret, is carried by a Secret of ours beside the VM. A hash on the VM says what that Secret was last written with.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::carried::{Load, NETWORK, USER};
use super::intent::Admitted;
use super::labels;
use super::observed::{DataSecret, Observed};
use super::write::{Failure, Hidden, Kind, Parcel, There};
use crate::names::{CLOUD_INIT, CLOUD_INIT_DISK, cloud_init_secret};

/// The disk that carries the data, and its volume.
pub(super) fn attached(admitted: &Admitted, seen: &Observed) -> Option<(Value, Value)> {
    let carried = seen.cloud_init.as_ref().ok()?;
    let secret = json!({"name": cloud_init_secret(&admitted.identity.key.name)});
    let mut from = json!({});
    for (load, text, base64, reference) in [
        (&carried.user, "userData", "userDataBase64", "secretRef"),
        (&carried.network, "networkData", "networkDataBase64", "networkDataSecretRef"),
    ] {
        match load {
            None => {}
            Some(Load::Secret(_)) => from[reference] = secret.clone(),
            Some(Load::Inline(data)) => match std::str::from_utf8(&data.0) {
                Ok(data) => from[text] = json!(data),
                Err(_) => from[base64] = json!(STANDARD.encode(&data.0)),
            },
        }
    }
    carried.user.as_ref().or(carried.network.as_ref())?;
    let drive = admitted.spec.cloud_init.as_ref().and_then(|data| data.type_.as_deref()) == Some("configDrive");
    let kind = if drive { "cloudInitConfigDrive" } else { "cloudInitNoCloud" };
    Some((json!({"name": CLOUD_INIT_DISK, "disk": {"bus": "virtio"}}), json!({"name": CLOUD_INIT_DISK, kind: from})))
}

/// What stands on the VM about its Secret: the hash of what that holds, or held until it is deleted.
pub(super) fn mark(seen: &Observed) -> Option<String> {
    let wanted = seen.cloud_init.as_ref().ok().and_then(|carried| carried.hash.clone());
    wanted.or_else(|| seen.vm.as_ref()?.cloud_init.clone())
}

/// Writes the Secret that carries the data, unless the VM says that it holds it already.
pub(super) fn plan(admitted: &Admitted, seen: &Observed) -> Option<There> {
    let carried = seen.cloud_init.as_ref().ok()?;
    let before = seen.vm.as_ref().map(|vm| &vm.cloud_init);
    if carried.hash.is_none() || before == Some(&carried.hash) || seen.vm.as_ref().is_some_and(|vm| vm.deleting) {
        return None;
    }
    let data = |load: &Option<Load>| load.as_ref().and_then(Load::in_secret).map(|data| Hidden(data.to_vec()));
    Some(There::Carry(Parcel {
        name: cloud_init_secret(&admitted.identity.key.name),
        namespace: admitted.identity.vm.namespace.clone(),
        labels: labels::owner(&admitted.identity, &seen.supervisor),
        data: vec![(USER, data(&carried.user)), (NETWORK, data(&carried.network))],
        known: before.is_some_and(Option::is_some),
    }))
}

/// What follows once the VM is in line: the hash on it, or the end of a Secret that it does not need any more. An instance
/// that was started with that still needs it, to be migrated.
pub(super) fn follow(admitted: &Admitted, seen: &Observed) -> Vec<There> {
    let (Some(vm), Ok(carried)) = (&seen.vm, &seen.cloud_init) else { return Vec::new() };
    let merge = |mark: Option<&String>| {
        let change = json!({"metadata": {"uid": vm.uid, "annotations": {CLOUD_INIT: mark}}});
        There::Merge(Kind::Vm, vm.name.clone(), change)
    };
    if vm.deleting || vm.cloud_init == carried.hash {
        return Vec::new();
    }
    if carried.hash.is_some() {
        return vec![merge(carried.hash.as_ref())];
    }
    let name = cloud_init_secret(&admitted.identity.key.name);
    match &seen.data_secret {
        DataSecret::Unasked | DataSecret::Unknown(_) => Vec::new(),
        DataSecret::Absent => vec![merge(None)],
        DataSecret::Ours { uid } => vec![There::Delete(Kind::Secret, name, uid.clone()), merge(None)],
    }
}

/// Why the VM cannot be made or brought in line yet.
pub(super) fn missing(_admitted: &Admitted, seen: &Observed) -> Option<Failure> {
    seen.cloud_init.as_ref().err().cloned()
}
