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

use admission::world::{Held, Machines, Stored};
use admission::{Policy, World};
use arc_swap::{ArcSwap, Guard};
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
    /// A World that holds nothing yet: no request is served with it, because readiness and routes wait for the first real one.
    pub fn new(policy: Policy) -> Self {
        let mut world = World { policy: Arc::new(policy), ..World::default() };
        // Readiness does not wait for this one, because its kind need not be installed.
        world.networks.unlisted = Some("not tried yet".to_owned());
        Self(Arc::new(Inner { world: ArcSwap::from_pointee(world), notes: Mutex::default() }))
    }

    /// The World of this moment. Not to be kept across an `await`.
    pub fn load(&self) -> Guard<Arc<World>> {
        self.0.world.load()
    }

    /// The World of this moment, for as long as one decision takes.
    pub fn load_full(&self) -> Arc<World> {
        self.0.world.load_full()
    }

    /// Replaces the World by one that was changed.
    pub fn change(&self, change: impl FnOnce(&mut World)) {
        self.with_notes(|world, _| change(world));
    }

    /// Notes a decision of this webhook at once, for as long as the watch may need to show it ([`NOTED_FOR`]). An error is the
    /// newest World, where something that the Machine is to hold has another holder than in the one that it was decided on.
    pub fn note(&self, key: &MachineKey, held: Held, on: &World) -> Result<(), Arc<World>> {
        self.with_notes(|world, notes| {
            if !held.is_held_alike(key, &world.machines, &on.machines) {
                return Err(());
            }
            notes.decided(&mut world.machines, key, held, Instant::now());
            Ok(())
        })
        .map_err(|()| self.load_full())
    }

    /// The watch showed a Machine; `None`: there is none of that name.
    pub fn seen(&self, machines: Vec<(MachineKey, Option<Stored>)>) {
        self.with_notes(|world, notes| {
            let mut held = std::mem::take(&mut world.machines);
            for (key, stored) in machines {
                notes.seen(&mut held, &key, stored.map(|stored| world.held(&key, &stored)));
            }
            world.machines = held;
        });
    }

    /// The watch listed all Machines anew.
    pub fn listed(&self, machines: Vec<(MachineKey, Stored)>) {
        self.with_notes(|world, notes| {
            let mut held = Machines::default();
            for (key, stored) in machines {
                held.put(&key, world.held(&key, &stored));
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

    /// The names of Machines on these clusters follow their namespaces (X38).
    pub(crate) fn move_names(&self, clusters: &[ClusterName]) {
        self.change(|world| clusters.iter().for_each(|cluster| world.move_names(cluster)));
    }

    fn with_notes<T>(&self, change: impl FnOnce(&mut World, &mut Notes) -> T) -> T {
        let mut notes = self.0.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut world = World::clone(&self.load());
        let changed = change(&mut world, &mut notes);
        self.0.world.store(Arc::new(world));
        changed
    }
}
