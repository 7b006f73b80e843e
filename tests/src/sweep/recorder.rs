//! Watches Machines and VirtualMachines as an administrator, and says what must never be seen. I/O: watches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use kube::api::{ApiResource, DynamicObject};
use kube::core::GroupVersionKind;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};
use model::names::{KUBEVIRT_CONFIG, MACHINE_UID, RESOLVED};

use crate::error::Result;
use crate::fleet::Fleet;
use crate::plane::Plane;

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Recorder(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    /// Of each Machine by UID: its cluster, and the newest generation that its status speaks of.
    machines: BTreeMap<String, (Option<String>, i64)>,
    /// Live VMs of each Machine by its UID: plane and name.
    vms: BTreeMap<String, BTreeSet<String>>,
    violations: Vec<String>,
}

impl Recorder {
    /// Returns at once; the watches go on until the process ends.
    pub(super) async fn start(fleet: &Fleet) -> Result<Self> {
        let recorder = Self::default();
        recorder.follow(fleet.supervisor(), "vitistack.io", "v1alpha1", "Machine").await?;
        for remote in fleet.remotes() {
            recorder.follow(remote, "kubevirt.io", "v1", "VirtualMachine").await?;
        }
        Ok(recorder)
    }

    async fn follow(&self, plane: &Plane, group: &str, version: &str, kind: &str) -> Result<()> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api: Api<DynamicObject> = Api::all_with(plane.client().await?, &resource);
        let (plane, seen, is_vm) = (plane.name().to_owned(), self.0.clone(), kind == "VirtualMachine");
        tokio::spawn(async move {
            let events = watcher(api, watcher::Config::default()).default_backoff();
            let mut events = std::pin::pin!(events);
            while let Some(event) = events.next().await {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                match event {
                    Ok(Event::Apply(object) | Event::InitApply(object)) if is_vm => seen.saw_vm(&plane, &object),
                    Ok(Event::Delete(object)) if is_vm => seen.lost_vm(&plane, &object),
                    Ok(Event::Apply(object) | Event::InitApply(object)) => seen.saw_machine(&object),
                    Ok(Event::Delete(_) | Event::Init | Event::InitDone) | Err(_) => {}
                }
            }
        });
        Ok(())
    }

    /// What was seen and must not be.
    pub(super) fn violations(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).violations.clone()
    }
}

fn place(plane: &str, object: &DynamicObject) -> String {
    format!("{plane}/{}/{}", object.namespace().unwrap_or_default(), object.name_any())
}

impl Seen {
    fn saw_vm(&mut self, plane: &str, vm: &DynamicObject) {
        self.lost_vm(plane, vm);
        let place = place(plane, vm);
        let Some(uid) = vm.labels().get(MACHINE_UID) else { return };
        let places = self.vms.entry(uid.clone()).or_default();
        places.insert(place);
        if places.len() > 1 {
            self.violations.push(format!("Machine UID {uid} has several VMs at once (I1): {places:?}"));
        }
    }

    fn lost_vm(&mut self, plane: &str, vm: &DynamicObject) {
        let place = place(plane, vm);
        for places in self.vms.values_mut() {
            places.remove(&place);
        }
    }

    fn saw_machine(&mut self, machine: &DynamicObject) {
        let (uid, name) = (machine.uid().unwrap_or_default(), place("supervisor", machine));
        let cluster = machine.annotations().get(KUBEVIRT_CONFIG).cloned();
        if cluster.is_none() || !machine.annotations().contains_key(RESOLVED) {
            self.violations.push(format!("{name} is stored without a decision"));
        }
        let generation =
            machine.data.pointer("/status/observedGeneration").and_then(serde_json::Value::as_i64).unwrap_or(0);
        let (known, newest) = self.machines.entry(uid).or_insert((cluster.clone(), 0));
        if known.is_some() && *known != cluster {
            self.violations.push(format!("{name} moves from {known:?} to {cluster:?} (I3)"));
        }
        if generation < *newest {
            self.violations.push(format!("{name} speaks of generation {generation} after {newest} (I6)"));
        }
        (*known, *newest) = (cluster, generation);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(name: &str, metadata: serde_json::Value, status: serde_json::Value) -> DynamicObject {
        let mut object = json!({"apiVersion": "v1", "kind": "Any", "metadata": metadata, "status": status});
        object["metadata"]["name"] = json!(name);
        object["metadata"]["namespace"] = json!("a");
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn two_vms_a_move_a_status_that_goes_back_and_no_decision_are_seen() {
        let mut seen = Seen::default();
        let vm = |name: &str| object(name, json!({"labels": {MACHINE_UID: "m"}}), json!({}));
        seen.saw_vm("east", &vm("vm"));
        seen.saw_vm("east", &vm("vm"));
        seen.lost_vm("east", &vm("vm"));
        seen.saw_vm("west", &vm("vm"));
        let machine = |cluster: &str, generation: i64| {
            let metadata = json!({"uid": "m", "annotations": {KUBEVIRT_CONFIG: cluster, RESOLVED: "{}"}});
            object("web", metadata, json!({"observedGeneration": generation}))
        };
        seen.saw_machine(&machine("west", 1));
        seen.saw_machine(&machine("west", 2));
        assert_eq!(seen.violations, Vec::<String>::new());
        seen.saw_vm("east", &vm("vm"));
        seen.saw_machine(&machine("west", 1));
        seen.saw_machine(&machine("east", 1));
        seen.saw_machine(&object("bare", json!({"uid": "b", "annotations": {KUBEVIRT_CONFIG: "east"}}), json!({})));
        let wanted = [
            "Machine UID m has several VMs at once (I1): {\"east/a/vm\", \"west/a/vm\"}",
            "supervisor/a/web speaks of generation 1 after 2 (I6)",
            "supervisor/a/web moves from Some(\"west\") to Some(\"east\") (I3)",
            "supervisor/a/bare is stored without a decision",
        ];
        assert_eq!(seen.violations, wanted);
    }
}
