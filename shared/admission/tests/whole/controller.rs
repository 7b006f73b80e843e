//! A controller: what its watches have shown it, what it remembers, and a pass, one write at a time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use model::api::Machine;
use model::machine::status::change;
use model::machine::{Failure, Intent, Kind, Observed, Write, plan, status};
use model::names::{self, ClusterName};
use serde_json::Value;

use crate::store::{By, Event, Key, Sort, Store, key, label, text};
use crate::world::{NAMESPACE, SUPERVISOR, To, World};

/// After this long a creation that no watch has shown is looked up.
const AWAITED_FOR: i64 = 30;
/// A create without an answer may be carried out for this long.
const LATE: i64 = 60;

/// A connection to a cluster, and what its watch has shown.
pub(crate) struct Link {
    /// The cluster.
    pub(crate) to: usize,
    pub(crate) number: usize,
    /// Its watches have not failed.
    pub(crate) up: bool,
    pub(crate) read: usize,
    /// Objects of this supervisor.
    pub(crate) index: BTreeMap<Key, Rc<Value>>,
    pub(crate) namespaces: BTreeSet<String>,
}

/// A creation that no watch has shown.
pub(crate) struct Creation {
    machine: String,
    since: i64,
    certain: bool,
}

/// What is awaited for one Machine, as `controller/src/awaited.rs` has it.
#[derive(Default)]
pub(crate) struct Waiting {
    pub(crate) stored: BTreeSet<(Kind, String)>,
    pub(crate) all: BTreeSet<(Kind, String)>,
    pub(crate) overdue: bool,
}

/// A pass that has begun.
pub(crate) struct Pass {
    pub(crate) machine: Machine,
    pub(crate) intent: Intent,
    pub(crate) seen: Observed,
    pub(crate) writes: VecDeque<Write>,
    pub(crate) failure: Option<Failure>,
    refused: Option<Failure>,
    touched: bool,
    /// The connection: name, cluster, number.
    pub(crate) at: Option<(ClusterName, usize, usize)>,
}

#[derive(Default)]
pub(crate) struct Controller {
    /// Machines and the records of their interfaces, as the watches have shown them.
    pub(crate) here: BTreeMap<Key, Rc<Value>>,
    pub(crate) read: usize,
    pub(crate) links: BTreeMap<ClusterName, Link>,
    pub(crate) awaited: BTreeMap<(ClusterName, Kind, String), Creation>,
    /// Machines whose VM was proven gone; those whose Secret is gone or never was.
    pub(crate) proven: BTreeSet<String>,
    pub(crate) carried: BTreeMap<String, bool>,
    pub(crate) uncarried: BTreeSet<String>,
    pub(crate) pass: Option<Pass>,
    pub(crate) number: usize,
    connections: usize,
}

/// The kind that is written for a kind that is watched.
pub(crate) fn kind_of(sort: Sort) -> Kind {
    match sort {
        Sort::Claim => Kind::Claim,
        Sort::Secret => Kind::Secret,
        Sort::Namespace => Kind::Namespace,
        Sort::Vm | Sort::Vmi | Sort::Machine | Sort::Record => Kind::Vm,
    }
}

pub(crate) fn sort_of(kind: Kind) -> Sort {
    match kind {
        Kind::Claim => Sort::Claim,
        Kind::Vm => Sort::Vm,
        Kind::Secret => Sort::Secret,
        Kind::Namespace => Sort::Namespace,
        Kind::DataVolume | Kind::Attachment => panic!("no Machine here has one"),
    }
}

fn is_watched(key: &Key, object: &Value) -> bool {
    matches!(key.sort, Sort::Vm | Sort::Vmi | Sort::Claim) && label(object, names::SUPERVISOR) == SUPERVISOR
}

impl Controller {
    /// A process that starts, and lists. Lists are as new as they can be: that is how they are asked for.
    pub(crate) fn start(&mut self, world: &World) {
        let read = world.supervisor.log.len();
        *self = Self {
            here: world.supervisor.at(read),
            read,
            number: self.number,
            connections: self.connections,
            ..Self::default()
        };
        for name in world.configs.keys() {
            self.connect(name, world);
        }
    }

    /// Connects to where a KubevirtConfig leads now.
    pub(crate) fn connect(&mut self, name: &ClusterName, world: &World) {
        let to = world.leads[name];
        self.connections += 1;
        let Ok(store) = world.ask(to) else {
            let link = Link {
                to,
                number: self.connections,
                up: false,
                read: 0,
                index: BTreeMap::new(),
                namespaces: BTreeSet::new(),
            };
            self.links.insert(name.clone(), link);
            return;
        };
        let read = store.log.len();
        let index: BTreeMap<_, _> =
            store.at(read).into_iter().filter(|(key, object)| is_watched(key, object)).collect();
        for key in index.keys().filter(|key| key.sort != Sort::Vmi) {
            self.awaited.remove(&(name.clone(), kind_of(key.sort), key.name.clone()));
        }
        let link = Link { to, number: self.connections, up: true, read, index, namespaces: BTreeSet::new() };
        self.links.insert(name.clone(), link);
    }

    /// The watches of the supervisor bring so many events.
    pub(crate) fn hear_here(&mut self, supervisor: &Store, events: usize) {
        let until = supervisor.log.len().min(self.read + events);
        for Event { key, after, .. } in &supervisor.log[self.read..until] {
            match after {
                Some(after) => drop(self.here.insert(key.clone(), after.clone())),
                None => drop(self.here.remove(key)),
            }
        }
        self.read = until;
    }

    /// Those of a cluster do.
    pub(crate) fn hear_there(&mut self, name: &ClusterName, world: &World, events: usize) {
        let Some(link) = self.links.get_mut(name) else { return };
        let Ok(store) = world.ask(link.to) else {
            link.up = false;
            return;
        };
        // What was missed meanwhile is listed.
        if !link.up {
            return self.connect(name, world);
        }
        let until = store.log.len().min(link.read + events);
        for Event { key, after, before, .. } in &store.log[link.read..until] {
            match after.as_ref().filter(|after| is_watched(key, after)) {
                Some(after) => drop(link.index.insert(key.clone(), after.clone())),
                None if before.as_ref().is_some_and(|before| is_watched(key, before)) => drop(link.index.remove(key)),
                None => continue,
            }
            if key.sort != Sort::Vmi {
                self.awaited.remove(&(name.clone(), kind_of(key.sort), key.name.clone()));
            }
        }
        link.read = until;
    }

    pub(crate) fn sent(&mut self, name: &ClusterName, kind: Kind, object: &str, machine: &str, second: i64) {
        let creation = Creation { machine: machine.to_owned(), since: second, certain: false };
        self.awaited.insert((name.clone(), kind, object.to_owned()), creation);
    }

    pub(crate) fn created(&mut self, name: &ClusterName, kind: Kind, object: &str) {
        if let Some(creation) = self.awaited.get_mut(&(name.clone(), kind, object.to_owned())) {
            creation.certain = true;
        }
    }

    pub(crate) fn refused(&mut self, name: &ClusterName, kind: Kind, object: &str) {
        self.awaited.remove(&(name.clone(), kind, object.to_owned()));
    }

    pub(crate) fn waiting(&self, name: &ClusterName, machine: &str, second: i64) -> Waiting {
        let mut waiting = Waiting::default();
        for ((of, kind, object), creation) in &self.awaited {
            if of == name && creation.machine == machine {
                if creation.certain {
                    waiting.stored.insert((*kind, object.clone()));
                }
                waiting.all.insert((*kind, object.clone()));
                waiting.overdue |= creation.certain && second - creation.since > AWAITED_FOR;
            }
        }
        waiting
    }

    pub(crate) fn looked_up(&mut self, name: &ClusterName, machine: &str, second: i64) {
        self.awaited.retain(|(of, ..), creation| {
            of != name || creation.machine != machine || (!creation.certain && second - creation.since < LATE)
        });
    }

    /// Whether something is awaited for a Machine that is there.
    pub(crate) fn awaits(&self) -> bool {
        let known = |uid: &str| self.here.values().any(|machine| text(machine, "/metadata/uid") == uid);
        self.awaited.values().any(|creation| known(&creation.machine))
    }

    /// The Machines that it knows of.
    pub(crate) fn machines(&self) -> Vec<String> {
        let machines = self.here.keys().filter(|key| key.sort == Sort::Machine);
        machines.map(|key| key.name.clone()).collect()
    }

    /// A pass begins: it sees, and plans.
    pub(crate) fn begin(&mut self, name: &str, world: &mut World) {
        let Some(stored) = self.here.get(&key(Sort::Machine, NAMESPACE, name)).cloned() else { return };
        let machine: Machine = serde_json::from_value(Value::clone(&stored)).expect("a Machine");
        // What cannot be asked ends the pass.
        let Some((intent, seen, at)) = self.gather(&machine, world) else { return };
        let plan = plan(&intent, &seen);
        let refused = plan.refused.as_ref().map(|failure| failure.message.as_str());
        world.note(format!("  pass of {name}: {} writes, refused {refused:?}", plan.writes.len()));
        self.pass = Some(Pass {
            machine,
            intent,
            seen,
            writes: plan.writes.into(),
            failure: None,
            refused: plan.refused,
            touched: false,
            at,
        });
    }

    /// The next write of the pass; after the last one, the status. Whether the pass goes on.
    pub(crate) fn go_on(&mut self, world: &mut World) -> bool {
        let Some(mut pass) = self.pass.take() else { return false };
        let uid = pass.intent.identity().map(|identity| identity.uid.clone()).unwrap_or_default();
        let by = By::Controller(self.number, uid);
        world.clusters.iter_mut().chain([&mut world.supervisor]).for_each(|store| store.by = by.clone());
        let goes_on = match pass.writes.pop_front() {
            None => {
                Self::report(&pass, world);
                false
            }
            Some(Write::Here(write)) => match self.write_here(&write, &pass, world) {
                Ok(touched) => {
                    pass.touched |= touched;
                    true
                }
                Err(None) => false,
                Err(failure) => {
                    pass.failure = failure;
                    pass.writes.clear();
                    true
                }
            },
            Some(Write::There(write)) => {
                if let Err(failure) = self.write_there(&write, &pass, world) {
                    world.note(format!("    failed: {}", failure.message));
                    pass.failure = Some(failure);
                    pass.writes.clear();
                }
                true
            }
        };
        if goes_on && !world.crashed {
            self.pass = Some(pass);
        }
        goes_on
    }

    fn report(pass: &Pass, world: &mut World) {
        let previous = pass.machine.status.clone().unwrap_or_default();
        let now = Time(Timestamp::from_second(1_767_225_600 + world.second).expect("a time"));
        let failure = pass.failure.as_ref().or(pass.refused.as_ref());
        let next = status(&previous, &pass.intent, &pass.seen, failure, now);
        if pass.touched || next == previous {
            return;
        }
        let change = change(&pass.machine.metadata, &previous, &next);
        let at = key(Sort::Machine, NAMESPACE, pass.machine.metadata.name.as_deref().unwrap_or_default());
        let what = format!("status {}", next.phase.as_deref().unwrap_or_default());
        let _silent = world.send(To::Supervisor, &what, |store| store.patch(&at, &change, true));
    }
}
