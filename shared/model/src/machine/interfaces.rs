//! The record of a Machine's interfaces: a NetworkConfiguration of its name on the supervisor, which address management reads and
//! fills in. Pure. B5, B11, X36, X59, X79; regression KVO11.
//!
//! It has an ownerReference to the Machine, for both are of one API server. One that is somebody else's is never touched.

use serde_json::{Value, json};

use super::configuration::{Configuration, NetworkNamespace};
use super::identity::Identity;
use super::intent::{Admitted, DeletionPolicy, Leaving};
use super::labels;
use super::networks::Record;
use super::observed::Observed;
use super::wanted::{Wanted, resolve};
use super::write::{Failure, Here, Plan, Write};
use crate::names::{self, record_name};
use crate::reason::Reason;

/// Adds to a plan what makes the record true. Where addresses come from a NetworkNamespace it is there before the VM is; for any
/// other Machine it is nothing that the VM waits for.
pub(super) fn add(plan: &mut Plan, admitted: &Admitted, seen: &Observed) {
    let Ok(wanted) = resolve(admitted, &seen.networks) else { return };
    let of_namespace = wanted.iter().find_map(|nic| nic.namespace.as_ref());
    let at = if of_namespace.is_some() { 0 } else { plan.writes.len() };
    if let Some(write) = write(of_namespace, &wanted, admitted, seen) {
        plan.writes.insert(at, Write::Here(write));
    }
}

fn write(of_namespace: Option<&String>, wanted: &[Wanted], admitted: &Admitted, seen: &Observed) -> Option<Here> {
    match &seen.networks.record {
        Record::Absent => Some(Here::CreateRecord(record(of_namespace, wanted, admitted, seen))),
        Record::Own(own) if !own.deleting && !says(own, of_namespace, wanted) => Some(Here::ChangeRecord(json!({
            "metadata": {"uid": own.uid},
            "spec": {"networkNamespaceName": of_namespace, "networkInterfaces": interfaces(of_namespace, wanted)},
        }))),
        Record::Own(_) | Record::Unknown | Record::Left(_) | Record::Foreign { .. } => None,
    }
}

/// Those that address management shall look at: all of the NetworkNamespace, or all.
fn recorded<'w>(of_namespace: Option<&'w String>, wanted: &'w [Wanted]) -> impl Iterator<Item = &'w Wanted> {
    wanted.iter().filter(move |nic| of_namespace.is_none() || nic.namespace.as_ref() == of_namespace)
}

fn tag(nic: &Wanted) -> Option<String> {
    nic.wire.as_ref().filter(|wire| wire.vlan != 0).map(|wire| wire.vlan.to_string())
}

/// Whether the record says what it should. What we leave open others may have filled in.
fn says(own: &Configuration, of_namespace: Option<&String>, wanted: &[Wanted]) -> bool {
    let mut nics = recorded(of_namespace, wanted);
    let alike = own.interfaces.iter().all(|has| {
        nics.next().is_some_and(|nic| {
            let mac =
                nic.mac.as_ref().is_none_or(|mac| has.mac.as_ref().is_some_and(|it| it.eq_ignore_ascii_case(mac)));
            has.name == nic.name && has.vlan == tag(nic) && mac
        })
    });
    alike && nics.next().is_none() && own.namespace.as_ref() == of_namespace
}

fn interfaces(of_namespace: Option<&String>, wanted: &[Wanted]) -> Vec<Value> {
    let one = |nic: &Wanted| {
        let mut one = json!({"name": nic.name});
        if let Some(mac) = &nic.mac {
            one["macAddress"] = json!(mac);
        }
        if let Some(vlan) = tag(nic) {
            one["vlan"] = json!(vlan);
        }
        one
    };
    recorded(of_namespace, wanted).map(one).collect()
}

fn record(of_namespace: Option<&String>, wanted: &[Wanted], admitted: &Admitted, seen: &Observed) -> Value {
    let Identity { key, .. } = &admitted.identity;
    let mut spec = json!({
        "name": record_name(&key.name),
        "description": format!("{:.256}", format!("interfaces of Machine {}", key.name)),
        "networkInterfaces": interfaces(of_namespace, wanted),
    });
    if let Some(name) = of_namespace {
        spec["networkNamespaceName"] = json!(name);
        let found = seen.networks.named.get(name).and_then(|named| named.namespace.clone());
        let NetworkNamespace { datacenter, supervisor, provider, .. } = found.unwrap_or_default();
        let parts =
            [("datacenterIdentifier", datacenter), ("supervisorIdentifier", supervisor), ("provider", provider)];
        for (field, value) in parts {
            if let Some(value) = value.filter(|value| names::is_identifier(value)) {
                spec[field] = json!(value);
            }
        }
    }
    json!({
        "apiVersion": format!("{}/{}", names::GROUP, names::VERSION), "kind": "NetworkConfiguration",
        "metadata": {
            "name": key.name, "namespace": key.namespace, "labels": labels::owner(&admitted.identity, &seen.supervisor),
            "ownerReferences": [owner(&admitted.identity)],
        },
        "spec": spec,
    })
}

fn owner(identity: &Identity) -> Value {
    json!({
        "apiVersion": format!("{}/{}", names::GROUP, names::VERSION), "kind": "Machine", "name": identity.key.name,
        "uid": identity.uid, "controller": true, "blockOwnerDeletion": false,
    })
}

/// The record that a Machine of this name left together with its VM is this one's.
pub(super) fn take_back(admitted: &Admitted, seen: &Observed) -> Option<Here> {
    let Record::Left(uid) = &seen.networks.record else { return None };
    let mut labels = labels::owner(&admitted.identity, &seen.supervisor);
    labels[names::RETAINED] = Value::Null;
    Some(Here::ChangeRecord(json!({"metadata": {
        "uid": uid, "labels": labels, "ownerReferences": [owner(&admitted.identity)],
        "annotations": {names::RETAINED_FROM: null, names::RETAINED_SUPERVISOR: null},
    }})))
}

/// Why the record cannot be made (X59).
pub(super) fn in_the_way(admitted: &Admitted, seen: &Observed) -> Option<Failure> {
    let Record::Foreign { deleting } = seen.networks.record else { return None };
    let key = &admitted.identity.key;
    Some(if deleting {
        let message = format!("NetworkConfiguration {key} is an earlier one that is being deleted: it is waited for");
        Failure { reason: Reason::NetworkPending, message }
    } else {
        let message = format!(
            "NetworkConfiguration {key} exists and is not this Machine's, but the record of its interfaces needs the name: give the Machine another name"
        );
        Failure { reason: Reason::Conflict, message }
    })
}

/// What becomes of the record when the Machine goes: it stays where the VM does, as nobody's, and is never a stranger's.
pub(super) fn leave(leaving: &Leaving, seen: &Observed) -> Option<Here> {
    let Record::Own(own) = &seen.networks.record else { return None };
    if own.deleting {
        return None;
    }
    if leaving.policy != Ok(DeletionPolicy::Orphan) {
        return Some(Here::DeleteRecord(own.uid.clone()));
    }
    // It keeps the label of a record: it is no network to join.
    let labels = json!({
        names::MACHINE: null, names::SOURCE_MACHINE: null, names::MACHINE_UID: null, names::SUPERVISOR: null, names::RETAINED: "true",
    });
    Some(Here::ChangeRecord(json!({"metadata": {
        "uid": own.uid, "labels": labels, "ownerReferences": [],
        "annotations": {names::RETAINED_FROM: leaving.identity.key.to_string(), names::RETAINED_SUPERVISOR: seen.supervisor},
    }})))
}
