//! Changes of what is on a cluster already, each bound to what was seen or read of it. I/O: that cluster.

use kube::api::{DynamicObject, Patch};
use model::baseline::Wanted;
use model::machine::restart::note;
use model::machine::{Failure, Identity, Kind};
use model::reason::Reason;
use serde_json::Value;

use super::remote::{Target, api, failure_of, forget, is_ours, key_there};
use crate::objects::patch_params;
use crate::remote_object::Named;

/// Brings an object in line with what is wanted, from what it is now, and says whether it was not; one that is not the Machine's
/// any more stays as it is.
pub(super) async fn update(at: &Target<'_>, kind: Kind, name: &str, wanted: &Wanted) -> Result<bool, Failure> {
    let live = match api::<DynamicObject>(at, kind).get(name).await {
        Ok(live) => live,
        Err(kube::Error::Api(answer)) if answer.code == 404 => {
            forget(at, kind, name);
            return Ok(false);
        }
        Err(why) => return Err(failure_of(kind, name, &why)),
    };
    let ours = is_ours(at, &live);
    let live = serde_json::to_value(live).expect("invariant: an object that was read can be written");
    let Some(mut change) = wanted.change(&live).filter(|_| ours) else { return Ok(false) };
    if kind == Kind::Vm {
        note(&mut change, &live);
    }
    let Identity { key, .. } = at.identity;
    tracing::info!(controller = "Machine", machine = key.name, namespace = key.namespace, phase = at.phase, kubevirtConfig = %at.cluster.name, kind = ?kind, object = name, fields = ?change.fields, "updated");
    merge(at, kind, name, &change.patch).await
}

/// Asks KubeVirt for a restart.
pub(super) async fn restart(at: &Target<'_>, name: &str, request: &Value) -> Result<(), Failure> {
    match api::<Named>(at, Kind::Vm).patch_status(name, &patch_params(), &Patch::Merge(request)).await {
        Ok(_) => Ok(()),
        // Changed since it was seen, or gone: the watch event of that brings the next pass.
        Err(kube::Error::Api(answer)) if matches!(answer.code, 404 | 409) => Ok(()),
        Err(why) => Err(failure_of(Kind::Vm, name, &why)),
    }
}

/// Merges a change into an object that is still as it was seen; whether it was.
pub(super) async fn merge(at: &Target<'_>, kind: Kind, name: &str, change: &Value) -> Result<bool, Failure> {
    match api::<Named>(at, kind).patch(name, &patch_params(), &Patch::Merge(change)).await {
        Ok(_) => Ok(true),
        // Changed since it was seen: the watch event of that brings the next pass.
        Err(kube::Error::Api(answer)) if answer.code == 409 => Ok(false),
        Err(kube::Error::Api(answer)) if answer.code == 404 => {
            forget(at, kind, name);
            Ok(false)
        }
        // Of a claim's spec nothing but its size is ever changed.
        Err(why @ kube::Error::Api(_)) if kind == Kind::Claim && change.get("spec").is_some() => {
            Err(Failure { reason: Reason::ExpansionRefused, ..failure_of(kind, name, &why) })
        }
        Err(why) => Err(failure_of(kind, name, &why)),
    }
}

/// No watch tells of a VM before it is ours: until one does, its absence means nothing, and one that changed meanwhile is
/// looked at again.
pub(super) async fn adopt(at: &Target<'_>, name: &str, change: &Value) -> Result<(), Failure> {
    take(at, Kind::Vm, name, change).await.map_err(|why| failure_of(Kind::Vm, name, &why))
}

/// Merges a change that makes an object the Machine's, which is awaited until a watch shows that. No watch shows Secrets.
pub(super) async fn take(at: &Target<'_>, kind: Kind, name: &str, change: &Value) -> Result<(), kube::Error> {
    let key = key_there(at, name);
    if kind != Kind::Secret {
        at.awaited.sent(&at.cluster.name, kind, &key, &at.identity.uid);
    }
    match api::<Named>(at, kind).patch(name, &patch_params(), &Patch::Merge(change)).await {
        Ok(_) => {
            at.awaited.created(&at.cluster.name, kind, &key);
            Ok(())
        }
        Err(why) => {
            if matches!(&why, kube::Error::Api(answer) if (400..500).contains(&answer.code)) {
                at.awaited.refused(&at.cluster.name, kind, &key);
            }
            Err(why)
        }
    }
}
