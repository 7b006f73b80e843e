//! NetworkAttachmentDefinitions: networks of a cluster, shared by every VM of their namespace. Pure. X17; regression KVO12.

use serde_json::{Value, json};

use super::networks::{Attachment, Attachments};
use super::objects::Vm;
use super::observed::Observed;
use super::wanted::Wire;
use super::write::{Kind, There};
use crate::names;

/// Takes away what we made and nobody uses any more. The VM of the Machine is gone.
pub(super) fn leave(seen: &Observed) -> Vec<There> {
    let unused = ours(seen).filter(|(_, attachment)| !attachment.in_use);
    unused.map(|(name, it)| There::Delete(Kind::Attachment, name.clone(), it.uid.clone())).collect()
}

/// A VM that stays keeps its networks: they are nobody's from now on.
pub(super) fn keep(vm: &Vm, seen: &Observed) -> Vec<There> {
    let used = ours(seen).filter(|(name, _)| vm.attachments.contains(*name));
    let change = |uid: &str| {
        let labels = json!({names::MANAGED_BY: null, names::SUPERVISOR: null, names::RETAINED: "true"});
        json!({"metadata": {"uid": uid, "labels": labels}})
    };
    used.map(|(name, it)| There::Merge(Kind::Attachment, name.clone(), change(&it.uid))).collect()
}

fn ours(seen: &Observed) -> impl Iterator<Item = (&String, &Attachment)> {
    let listed = match &seen.networks.attachments {
        Attachments::Listed(all) => Some(all),
        Attachments::Unknown(_) | Attachments::NotInstalled => None,
    };
    listed.into_iter().flatten().filter(|(_, attachment)| attachment.ours)
}

/// It belongs to no Machine, so it carries no UID of one.
pub(super) fn attachment(wire: &Wire, namespace: &str, supervisor: &str) -> Value {
    let mut plugin = json!({"type": "bridge", "bridge": wire.bridge, "ipam": {}});
    if wire.vlan != 0 {
        plugin["vlan"] = json!(wire.vlan);
    }
    let config = json!({"cniVersion": "1.0.0", "name": wire.attachment, "plugins": [plugin]});
    json!({
        "apiVersion": "k8s.cni.cncf.io/v1", "kind": "NetworkAttachmentDefinition",
        "metadata": {
            "name": wire.attachment, "namespace": namespace,
            "labels": {names::MANAGED_BY: names::OPERATOR, names::SUPERVISOR: supervisor},
        },
        "spec": {"config": config.to_string()},
    })
}
