//! What a cluster does of itself with VMs and claims, one small step at a time.

use std::rc::Rc;

use serde_json::{Value, json};

use crate::store::{By, Key, Sort, Store, is_leaving, text};

/// One step.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Start(Key),
    Run(Key),
    Stop(Key),
    Rest(Key),
    Bind(Key),
    LetGo(Key),
}

fn at(of: &Key, sort: Sort) -> Key {
    Key { sort, ..of.clone() }
}

fn is_to_run(vm: &Value) -> bool {
    text(vm, "/spec/runStrategy") == "Always" && !is_leaving(vm)
}

/// The claims that a VM or its instance has.
pub(crate) fn claims<'v>(object: &'v Value, pointer: &str) -> impl Iterator<Item = &'v str> {
    let volumes = object.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    volumes.filter_map(|volume| volume.pointer("/persistentVolumeClaim/claimName")?.as_str())
}

/// What it may do next.
pub(crate) fn acts(store: &Store) -> Vec<Act> {
    let mut all = Vec::new();
    for (key, vm) in store.of(Sort::Vm) {
        let instance = store.get(&at(key, Sort::Vmi));
        let has = |claim: &str| store.get(&Key { sort: Sort::Claim, name: claim.to_owned(), ..key.clone() }).is_some();
        match instance {
            None if is_leaving(vm) => all.push(Act::LetGo(key.clone())),
            None if is_to_run(vm) && claims(vm, "/spec/template/spec/volumes").all(has) => {
                all.push(Act::Start(key.clone()));
            }
            Some(_) if !is_to_run(vm) => all.push(Act::Stop(key.clone())),
            Some(vmi) if text(vmi, "/status/phase") != "Running" => all.push(Act::Run(key.clone())),
            None if !is_to_run(vm) && text(vm, "/status/printableStatus") != "Stopped" => {
                all.push(Act::Rest(key.clone()));
            }
            None | Some(_) => {}
        }
    }
    for (key, claim) in store.of(Sort::Claim) {
        let of_claim = |vmi: &Rc<Value>| claims(vmi, "/spec/volumes").any(|used| used == key.name);
        let used = store.of(Sort::Vmi).any(|(at, vmi)| at.namespace == key.namespace && of_claim(vmi));
        if is_leaving(claim) && !used {
            all.push(Act::LetGo(key.clone()));
        } else if text(claim, "/status/phase") != "Bound" {
            all.push(Act::Bind(key.clone()));
        }
    }
    all
}

/// Does one step.
pub(crate) fn act(store: &mut Store, act: &Act) {
    store.by = By::Others;
    let done = match act {
        Act::Start(key) => {
            let vm = store.objects[key].clone();
            let template = &vm["spec"]["template"];
            let vmi = json!({
                "metadata": {
                    "namespace": key.namespace, "labels": template["metadata"]["labels"],
                    "ownerReferences": [{"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "name": key.name, "uid": vm["metadata"]["uid"], "controller": true}],
                },
                "spec": template["spec"], "status": {"phase": "Scheduling"},
            });
            let started = store.create(&at(key, Sort::Vmi), &vmi);
            started.and_then(|()| store.patch(key, &json!({"status": {"printableStatus": "Starting"}}), true))
        }
        Act::Run(key) => {
            let running = json!({"status": {
                "phase": "Running", "nodeName": "n1", "conditions": [{"type": "Ready", "status": "True"}],
                "interfaces": [{"name": "default", "ipAddress": "10.0.0.5"}],
            }});
            let running = store.patch(&at(key, Sort::Vmi), &running, true);
            running.and_then(|()| store.patch(key, &json!({"status": {"printableStatus": "Running"}}), true))
        }
        Act::Stop(key) => {
            let stopped = store.delete(&at(key, Sort::Vmi), None);
            stopped.and_then(|()| store.patch(key, &json!({"status": {"printableStatus": "Stopped"}}), true))
        }
        Act::Rest(key) => store.patch(key, &json!({"status": {"printableStatus": "Stopped"}}), true),
        Act::Bind(key) => {
            let bound = json!({"status": {"phase": "Bound", "capacity": {"storage": "20Gi"}}});
            store.patch(key, &bound, true)
        }
        Act::LetGo(key) => store.patch(key, &json!({"metadata": {"finalizers": null}}), false),
    };
    done.expect("a cluster does only what it can");
}
