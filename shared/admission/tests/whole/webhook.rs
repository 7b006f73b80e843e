//! A replica of the webhook: what its watches have shown it, what it decided itself, and one request. As `webhook/src/world` keeps it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use admission::changes::patch;
use admission::review::decode;
use admission::world::{Held, Stored, Strategy};
use admission::{Answers, Config, Needs, Policy, Verdict, decide, hold};
use model::machine::owner;
use model::names::{self, ClusterName, MachineKey, VmKey};
use serde_json::{Value, json};

use crate::seen::metadata;
use crate::store::{Key, Sort, key, text};
use crate::world::{NAMESPACE, SUPERVISOR, World};

/// For this long a decision counts that no watch has shown.
const NOTED_FOR: i64 = 30;

struct Link {
    to: usize,
    read: usize,
    up: bool,
    vms: BTreeMap<Key, Rc<Value>>,
}

#[derive(Default)]
pub(crate) struct Webhook {
    here: BTreeMap<Key, Rc<Value>>,
    read: usize,
    links: BTreeMap<ClusterName, Link>,
    notes: BTreeMap<MachineKey, (Held, i64)>,
}

impl Webhook {
    pub(crate) fn start(&mut self, world: &World) {
        *self = Self {
            here: world.supervisor.at(world.supervisor.log.len()),
            read: world.supervisor.log.len(),
            ..Self::default()
        };
        for name in world.configs.keys() {
            self.connect(name, world);
        }
    }

    pub(crate) fn connect(&mut self, name: &ClusterName, world: &World) {
        let to = world.leads[name];
        let all = world.ask(to).ok();
        let (up, read) = (all.is_some(), all.map_or(0, |store| store.log.len()));
        let vms = all.map(|store| store.at(read)).unwrap_or_default();
        let vms = vms.into_iter().filter(|(key, _)| key.sort == Sort::Vm).collect();
        self.links.insert(name.clone(), Link { to, read, up, vms });
    }

    pub(crate) fn hear_here(&mut self, world: &World, events: usize) {
        let until = world.supervisor.log.len().min(self.read + events);
        for event in &world.supervisor.log[self.read..until] {
            if event.key.sort == Sort::Machine {
                self.notes.remove(&machine_key(&event.key.name));
            }
            match &event.after {
                Some(after) => drop(self.here.insert(event.key.clone(), after.clone())),
                None => drop(self.here.remove(&event.key)),
            }
        }
        self.read = until;
    }

    /// The watch of a cluster brings so many events, or is found to have failed.
    pub(crate) fn hear_there(&mut self, name: &ClusterName, world: &World, events: usize) {
        let Some(link) = self.links.get_mut(name) else { return };
        let Ok(store) = world.ask(link.to) else {
            link.up = false;
            return;
        };
        if !link.up {
            return self.connect(name, world);
        }
        let until = store.log.len().min(link.read + events);
        for event in store.log[link.read..until].iter().filter(|event| event.key.sort == Sort::Vm) {
            match &event.after {
                Some(after) => drop(link.vms.insert(event.key.clone(), after.clone())),
                None => drop(link.vms.remove(&event.key)),
            }
        }
        link.read = until;
    }

    fn known(&self, world: &World, strategy: Strategy) -> admission::World {
        let mut known = admission::World::default();
        for (name, link) in &self.links {
            let id = world.configs[name].status.as_ref().and_then(|status| status.cluster_id.clone());
            let mut config = Config { identity: id.map(|id| (id, name.0.clone())), ..Config::default() };
            config.inventory.silent = (!link.up).then(|| "it does not answer".to_owned());
            for (key, vm) in &link.vms {
                let at = VmKey { namespace: key.namespace.clone(), name: key.name.clone() };
                config.inventory.vms.insert_mut(at, owner::read(&metadata(vm)));
            }
            known.configs.insert(name.clone(), Arc::new(config));
        }
        let policy = Policy { supervisor: SUPERVISOR.to_owned(), strategy, replicas: 2, ..Policy::default() };
        known.policy = Arc::new(policy);
        for (key, machine) in self.here.iter().filter(|(key, _)| key.sort == Sort::Machine) {
            let annotation = |key: &str| machine["metadata"]["annotations"][key].as_str();
            let recorded = text(machine, "/status/kubevirtConfigRef/clusterId");
            let stored = Stored {
                cluster: annotation(names::KUBEVIRT_CONFIG).map(str::to_owned),
                namespace: (!recorded.is_empty()).then(|| NAMESPACE.to_owned()),
                uid: text(machine, "/metadata/uid").to_owned(),
                vm_name: machine.pointer("/status/vmName").and_then(Value::as_str).map(str::to_owned),
                ..Stored::sized(annotation(names::RESOLVED))
            };
            let held = known.held(&machine_key(&key.name), &stored);
            known.machines.put(&machine_key(&key.name), held);
        }
        for (key, (held, since)) in &self.notes {
            if world.second - since < NOTED_FOR {
                known.machines.note(key, held.clone());
            }
        }
        known
    }

    /// Judges one request: the object with what is written onto it, or why it is refused.
    fn judge(&mut self, review: &Value, strategy: Strategy, world: &World) -> Result<Value, String> {
        let body = review.to_string();
        let review_read = decode(body.as_bytes()).map_err(|_| "it does not decode".to_owned())?;
        let request = &review_read.request;
        let mut known = self.known(world, strategy);
        let mut verdict = decide(request, &known);
        if let Verdict::Ask(needs) = &verdict {
            known = known.knowing(self.answers(needs, world));
            verdict = decide(request, &known);
        }
        let admission = match verdict {
            Verdict::Admit(admission) => admission,
            Verdict::Refuse(wrong) => {
                return Err(wrong.iter().map(|it| it.message.clone()).collect::<Vec<_>>().join("; "));
            }
            Verdict::Ask(_) => return Err("it asks again".to_owned()),
        };
        if let Some((key, held)) = hold(request, &admission, &known) {
            self.notes.insert(key, (held, world.second));
        }
        let object = request.object.as_ref().expect("a request has an object");
        let changes: json_patch::Patch =
            serde_json::from_slice(&patch(&admission.changes, &object.metadata)).expect("a JSON patch");
        let mut after = review["request"]["object"].clone();
        json_patch::patch(&mut after, &changes).map_err(|why| why.to_string())?;
        Ok(after)
    }

    fn answers(&self, needs: &Needs, world: &World) -> Answers {
        let mut answers = Answers::default();
        for (name, keys) in &needs.vms {
            let Some(Ok(store)) = self.links.get(name).map(|link| world.ask(link.to)) else { continue };
            let vm =
                |at: &VmKey| store.get(&key(Sort::Vm, &at.namespace, &at.name)).map(|vm| owner::read(&metadata(vm)));
            answers.vms.insert(name.clone(), keys.iter().map(|at| (at.clone(), vm(at))).collect());
        }
        answers
    }
}

fn machine_key(name: &str) -> MachineKey {
    MachineKey { namespace: NAMESPACE.to_owned(), name: name.to_owned() }
}

/// The way of a request through both routes, by any two replicas.
pub(crate) fn admit(
    webhooks: &mut [Webhook; 2],
    (first, second): (usize, usize),
    (object, old): (&Value, Option<&Value>),
    strategy: Strategy,
    world: &World,
) -> Result<Value, String> {
    let operation = if old.is_some() { "UPDATE" } else { "CREATE" };
    let review = |object: &Value| {
        json!({"request": {
            "uid": format!("u-{}", world.events()), "operation": operation, "namespace": NAMESPACE, "name": object["metadata"]["name"],
            "kind": {"group": "vitistack.io", "version": "v1alpha1", "kind": "Machine"}, "object": object, "oldObject": old,
        }})
    };
    let mutated = webhooks[first].judge(&review(object), strategy, world)?;
    let validated = webhooks[second].judge(&review(&mutated), strategy, world)?;
    if validated != mutated {
        return Err("something is left to change".to_owned());
    }
    Ok(mutated)
}
