//! The World that decisions are made on: one immutable snapshot, replaced whenever something in it changes.
//!
//! Writers are few and take turns; readers are many and never wait. A change costs what it changes, because the large parts
//! are persistent maps, and a reference count for each cluster. I/O: none here; `configs` and `watches` feed it.

pub mod configs;
pub mod convert;
mod notes;
pub mod watches;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use arc_swap::{ArcSwap, Guard};
use model::admission::world::Held;
use model::admission::{Policy, World};
use model::names::{ClusterName, MachineKey};

pub use self::notes::NOTED_FOR;
use self::notes::Notes;

/// The newest World. Clones are the same one.
#[derive(Clone)]
pub struct Current(Arc<Inner>);

struct Inner {
    world: ArcSwap<World>,
    /// Held while a successor of the World is made, so that no change is lost.
    notes: Mutex<Notes>,
}

impl Current {
    /// A World that holds nothing yet: no request is served with it, because readiness waits for the first real one.
    pub fn new(policy: Policy) -> Self {
        let mut world = World { policy: Arc::new(policy), ..World::default() };
        // Readiness does not wait for this one, because its kind need not be installed.
        world.networks.unlisted = Some("not tried yet".to_owned());
        Self(Arc::new(Inner { world: ArcSwap::from_pointee(world), notes: Mutex::default() }))
    }

    /// The World of this moment, for one decision. Not to be kept across an `await`.
    pub fn load(&self) -> Guard<Arc<World>> {
        self.0.world.load()
    }

    /// Replaces the World by one that was changed.
    pub fn change(&self, change: impl FnOnce(&mut World)) {
        self.with_notes(|world, _| change(world));
    }

    /// Notes a decision of this webhook at once, for as long as the watch may need to show it ([`NOTED_FOR`]).
    pub fn note(&self, key: &MachineKey, held: Held) {
        self.with_notes(|world, notes| notes.decided(&mut world.machines, key, held, Instant::now()));
    }

    /// The watch showed a Machine; `None`: there is none of that name.
    pub fn seen(&self, machines: Vec<(MachineKey, Option<Seen>)>) {
        self.with_notes(|world, notes| {
            let mut held = std::mem::take(&mut world.machines);
            for (key, seen) in machines {
                notes.seen(&mut held, &key, seen.map(|seen| seen.held(&key, world)));
            }
            world.machines = held;
        });
    }

    /// The watch listed all Machines anew.
    pub fn listed(&self, machines: Vec<(MachineKey, Seen)>) {
        self.with_notes(|world, notes| {
            let mut held = world.machines.emptied();
            for (key, seen) in machines {
                held.put(&key, seen.held(&key, world));
            }
            notes.listed(&mut held);
            world.machines = held;
        });
    }

    /// Takes back what was noted and never seen. Costs nothing while nothing is due.
    pub fn expire(&self, now: Instant) {
        if self.0.notes.lock().unwrap_or_else(PoisonError::into_inner).is_due(now) {
            self.with_notes(|world, notes| notes.expire(&mut world.machines, now));
        }
    }

    /// The names of Machines on a cluster follow its namespace (X38).
    pub(crate) fn moved(&self, clusters: &[ClusterName]) {
        self.change(|world| {
            let mut held = std::mem::take(&mut world.machines);
            for cluster in clusters {
                held.moved(cluster, world);
            }
            world.machines = held;
        });
    }

    fn with_notes(&self, change: impl FnOnce(&mut World, &mut Notes)) {
        let mut notes = self.0.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut world = World::clone(&self.load());
        change(&mut world, &mut notes);
        self.0.world.store(Arc::new(world));
    }
}

/// What is kept of a Machine between its event and the World: nothing but what says what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The annotation with its cluster, or where its status records one.
    pub cluster: Option<String>,
    /// The annotation with its sizing.
    pub resolved: Option<String>,
    /// Namespace of its VM on the cluster, once its status records a cluster's identity.
    pub namespace: Option<String>,
    /// `status.vmName`.
    pub vm_name: Option<String>,
    /// `spec.networks[].macAddress`.
    pub macs: Vec<String>,
    /// Whether `spec.os.isoUri` says something.
    pub iso: bool,
}

impl Seen {
    fn held(&self, key: &MachineKey, world: &World) -> Held {
        let said = model::admission::world::Said {
            cluster: self.cluster.as_deref(),
            resolved: self.resolved.as_deref(),
            namespace: self.namespace.as_deref(),
            vm_name: self.vm_name.as_deref(),
            macs: &self.macs,
            iso: self.iso,
        };
        Held::of(key, said, world)
    }
}
