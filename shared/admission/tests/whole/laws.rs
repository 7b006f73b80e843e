//! What must hold after every step, whoever was slow, ended, or heard nothing: judged by what the stores say, not by what anybody
//! believes.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use model::names;
use serde_json::Value;

use crate::cluster::claims;
use crate::store::{By, Event, Key, Sort, Store, is_leaving, key, label, text};
use crate::world::{NAMESPACE, SUPERVISOR, World};

#[derive(Default)]
pub(crate) struct Laws {
    /// Two controllers work at once.
    split: bool,
    /// How far each log was read; the supervisor's is the last.
    read: BTreeMap<&'static str, usize>,
    /// The Machine of each VM, whatever its labels say by now.
    born: BTreeMap<String, String>,
    /// Which controller made what.
    made: BTreeMap<String, usize>,
    /// Where each Machine is recorded, and when those went that are gone.
    recorded: BTreeMap<String, String>,
    gone: BTreeMap<String, i64>,
    /// Machines that went without their cluster, by an explicit word; and those of which a controller that had lost its lease
    /// made something when they were going already: nothing tells it so, and nothing tells whoever leads.
    pub(crate) orphans: BTreeSet<String>,
}

/// What is left of a Machine.
#[derive(Clone, Debug)]
#[allow(dead_code)] // reason: a violation prints it
pub(crate) struct Left {
    at: Key,
    on: &'static str,
    uid: String,
    labelled: bool,
}

fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

fn owner(object: &Value) -> &str {
    if label(object, names::SUPERVISOR) == SUPERVISOR { label(object, names::MACHINE_UID) } else { "" }
}

fn annotation<'v>(object: &'v Value, key: &str) -> &'v str {
    object["metadata"]["annotations"][key].as_str().unwrap_or_default()
}

fn says(law: &str, object: &Key, what: impl std::fmt::Display) -> Result<(), String> {
    Err(format!("{law}: {:?} {}: {what}", object.sort, object.name))
}

impl Laws {
    pub(crate) fn new(split: bool) -> Self {
        Self { split, ..Self::default() }
    }

    pub(crate) fn check(&mut self, world: &World) -> Result<(), String> {
        for store in world.clusters.iter().chain([&world.supervisor]) {
            let read = self.read.insert(store.id, store.log.len()).unwrap_or_default();
            for event in &store.log[read..] {
                if store.id == SUPERVISOR {
                    self.judge_here(event, world)
                } else {
                    self.judge_there(event, store, world)
                }?;
            }
        }
        Ok(())
    }

    /// What of a Machine is on any cluster. An instance counts with its VM: that of one which was let go keeps its labels.
    fn left(&self, machine: &str, world: &World) -> Vec<Left> {
        let mut left = Vec::new();
        for store in &world.clusters {
            for (at, object) in &store.objects {
                let vm = store.get(&Key { sort: Sort::Vm, ..at.clone() });
                let its = match at.sort {
                    Sort::Vm => self.born.get(uid(object)).is_some_and(|of| of == machine),
                    Sort::Vmi => owner(object) == machine && vm.is_none(),
                    Sort::Claim | Sort::Secret => owner(object) == machine,
                    Sort::Namespace | Sort::Machine | Sort::Record => false,
                };
                if its {
                    let labelled = owner(object) == machine;
                    left.push(Left { at: at.clone(), on: store.id, uid: uid(object).to_owned(), labelled });
                }
            }
        }
        left
    }

    fn judge_here(&mut self, Event { key: at, before, after, by }: &Event, world: &World) -> Result<(), String> {
        if at.sort == Sort::Record {
            return Self::judge_record(at, before.as_ref(), after.as_ref(), by, world);
        }
        let Some(before) = before.as_ref().filter(|_| at.sort == Sort::Machine) else { return Ok(()) };
        let machine = uid(before);
        let guarded = |object: &Value| object["metadata"]["finalizers"].to_string().contains(names::CLEANUP);
        let released = after.as_ref().is_none_or(|after| !guarded(after)) && (guarded(before) || after.is_none());
        if released {
            let forsaken = !annotation(before, names::RELEASE_FROM).is_empty();
            let mut left = self.left(machine, world);
            // What has lost its labels is nobody's, and that is what Orphan comes to.
            let orphans = annotation(before, names::DELETION_POLICY) == "Orphan";
            left.retain(|it| it.labelled || !orphans);
            // What one controller made and lets go, another knows by its watch alone, however far that is behind.
            if let (true, true, By::Controller(number, _)) = (self.split, orphans, by) {
                let all = left.len();
                left.retain(|it| self.made.get(&it.uid) == Some(number));
                if left.len() < all {
                    self.orphans.insert(machine.to_owned());
                }
            }
            if forsaken {
                self.orphans.insert(machine.to_owned());
            } else if !left.is_empty() && !self.orphans.contains(machine) {
                return says("I4", at, format!("released, and there is still {left:?}"));
            }
        }
        let Some(after) = after else {
            self.gone.insert(machine.to_owned(), world.second);
            return Ok(());
        };
        let recorded = |object: &Value| {
            let part = |name: &str| text(object, &format!("/status/kubevirtConfigRef/{name}")).to_owned();
            (part("name"), part("clusterId"))
        };
        if !recorded(before).1.is_empty() && recorded(before) != recorded(after) {
            return says("I3", at, format!("recorded on {:?}, then on {:?}", recorded(before), recorded(after)));
        }
        if !recorded(after).1.is_empty() {
            self.recorded.insert(machine.to_owned(), recorded(after).1);
        }
        let assigned = |object| annotation(object, names::KUBEVIRT_CONFIG);
        if assigned(before) != assigned(after)
            && (!recorded(before).1.is_empty() || !self.left(machine, world).is_empty())
        {
            return says("I3", at, format!("assigned to {:?}, then to {:?}", assigned(before), assigned(after)));
        }
        let observed = |object: &Value| object["status"]["observedGeneration"].as_i64().unwrap_or_default();
        if observed(after) < observed(before) {
            return says("I6", at, format!("observed {}, then {}", observed(before), observed(after)));
        }
        let ready = after["status"]["conditions"].as_array().into_iter().flatten().find(|it| it["type"] == "Ready");
        if let (Some(ready), By::Controller(..)) = (ready, by)
            && ready["status"] == "True"
            && after["status"] != before["status"]
            && ready["observedGeneration"] != after["status"]["observedGeneration"]
        {
            return says("I6", at, format!("{ready}, and observed {}", observed(after)));
        }
        Ok(())
    }

    /// The record of a Machine's interfaces.
    fn judge_record(
        at: &Key,
        before: Option<&Rc<Value>>,
        after: Option<&Rc<Value>>,
        by: &By,
        world: &World,
    ) -> Result<(), String> {
        let (By::Controller(_, machine), Some(before)) = (by, before) else { return Ok(()) };
        let left = annotation(before, names::RETAINED_FROM) == format!("{NAMESPACE}/{}", at.name);
        if owner(before) != machine && !(owner(before).is_empty() && left) {
            return says("I5", at, format!("of {:?}, written for {machine}", owner(before)));
        }
        if after.is_none() && !Self::goes(machine, world) {
            return says("I2", at, "deleted, and its Machine stays");
        }
        Ok(())
    }

    /// Whether a Machine is being deleted, or is gone.
    fn goes(machine: &str, world: &World) -> bool {
        let stays = |it: &Rc<Value>| uid(it) == machine && !is_leaving(it);
        !world.supervisor.of(Sort::Machine).any(|(_, it)| stays(it))
    }

    fn judge_there(
        &mut self,
        Event { key: at, before, after, by }: &Event,
        store: &Store,
        world: &World,
    ) -> Result<(), String> {
        let vm_of = |object: Option<&Rc<Value>>| object.filter(|_| at.sort == Sort::Vm).map(|it| uid(it).to_owned());
        let By::Controller(number, machine) = by else {
            if let (Some(vm), None) = (vm_of(before.as_ref()), after) {
                self.born.remove(&vm);
            }
            return Ok(());
        };
        if at.sort == Sort::Namespace {
            return if before.is_some() { says("I5", at, "changed") } else { Ok(()) };
        }
        let taken = after.as_ref().is_some_and(|it| owner(it) == machine)
            && before.as_ref().is_none_or(|it| owner(it) != machine);
        if taken {
            if self.recorded.get(machine).is_none_or(|id| id != store.id) {
                return says(
                    "I1",
                    at,
                    format!("made on {}, and {machine} is recorded on {:?}", store.id, self.recorded.get(machine)),
                );
            }
            if self.split && Self::goes(machine, world) {
                self.orphans.insert(machine.clone());
            }
            self.made.extend(after.as_ref().map(|it| (uid(it).to_owned(), *number)));
            if self.gone.contains_key(machine) && !self.split {
                return says("I4", at, format!("made for {machine}, which is gone"));
            }
        }
        match (before, after) {
            (None, Some(after)) if owner(after) != machine => return says("I5", at, "made without its labels"),
            (Some(before), _) if owner(before) != machine => Self::judge_taking(at, before, world, machine)?,
            _ => {}
        }
        let deleted = match (before, after) {
            (Some(before), Some(after)) => is_leaving(after) && !is_leaving(before),
            (before, after) => before.is_some() && after.is_none(),
        };
        if deleted {
            self.judge_deletion(at, store, world, machine)?;
        }
        if let Some(vm) = vm_of(before.as_ref()) {
            self.born.remove(&vm);
        }
        if let (Some(vm), Some(after)) = (vm_of(after.as_ref()), after)
            && owner(after) == machine
        {
            self.born.insert(vm, machine.clone());
        }
        let vms = self.born.values().filter(|of| *of == machine).count();
        if vms > 1 { says("I1", at, format!("{machine} has {vms} VMs")) } else { Ok(()) }
    }

    /// What was nobody's may become a Machine's if nobody controls it and no other Machine left it.
    fn judge_taking(at: &Key, before: &Value, world: &World, machine: &str) -> Result<(), String> {
        let left = annotation(before, names::RETAINED_FROM);
        let own = world.supervisor.of(Sort::Machine).find(|(_, it)| uid(it) == machine);
        let own = own.map(|(key, _)| format!("{NAMESPACE}/{}", key.name)).unwrap_or_default();
        let nobodys = owner(before).is_empty() && label(before, names::MACHINE_UID).is_empty();
        let controlled = before["metadata"]["ownerReferences"].as_array().is_some_and(|all| !all.is_empty());
        let may = nobodys
            && !controlled
            && !is_leaving(before)
            && match at.sort {
                Sort::Vm => left.is_empty() || left == own || own.is_empty(),
                Sort::Claim | Sort::Secret => left == own || own.is_empty(),
                _ => false,
            };
        if may {
            Ok(())
        } else {
            says("I5", at, format!("of {:?}, left by {left:?}, written for {machine}", owner(before)))
        }
    }

    fn judge_deletion(&self, at: &Key, store: &Store, world: &World, machine: &str) -> Result<(), String> {
        if !Self::goes(machine, world) {
            return says("I2", at, "deleted, and its Machine stays");
        }
        // A VM that was made of a Machine when that was going already, by a controller without the lease, goes with its disks.
        if at.sort != Sort::Claim || self.orphans.contains(machine) {
            return Ok(());
        }
        let uses = |it: &Rc<Value>, pointer| claims(it, pointer).any(|claim| claim == at.name);
        let vm = store.of(Sort::Vm).any(|(_, it)| uses(it, "/spec/template/spec/volumes"));
        if vm || store.of(Sort::Vmi).any(|(_, it)| uses(it, "/spec/volumes")) {
            return says("X17", at, "deleted under a VM that may still run");
        }
        Ok(())
    }

    /// Whether the VM under this name was a Machine's and has lost its labels.
    pub(crate) fn machine_of(&self, vm: &Value) -> Option<&String> {
        self.born.get(uid(vm)).filter(|of| owner(vm) != of.as_str())
    }

    /// What is left of Machines that are gone, but of those that are known to leave something.
    pub(crate) fn remains(&self, world: &World) -> Vec<Left> {
        let gone = self.gone.keys().filter(|machine| !self.orphans.contains(*machine));
        gone.flat_map(|machine| self.left(machine, world)).filter(|it| it.labelled).collect()
    }

    pub(crate) fn stored(world: &World, name: &str) -> Option<Rc<Value>> {
        world.supervisor.get(&key(Sort::Machine, NAMESPACE, name)).cloned()
    }
}
