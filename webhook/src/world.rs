//! The World that decisions are made on: one immutable snapshot, replaced whenever something in it changes.
//!
//! Writers are few and take turns; readers are many and never wait. A change costs what it changes, because the large parts
//! are persistent maps, and a reference count for each cluster. I/O: none here; `configs` and `watches` feed it.

pub mod configs;
pub mod convert;
mod notes;
pub mod watches;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use admission::world::{Held, Stored};
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
    /// newest World, where something that the Machine is to hold has another holder than in the one that it was decided on, or
    /// the cluster that was drawn another load.
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
                let on_node = stored.as_ref().and_then(|stored| stored.on_node);
                notes.seen(&mut held, &key, stored.map(|stored| world.held(&key, &stored)));
                if let Some(time) = on_node {
                    held.arrived(&key, time);
                }
            }
            world.machines = held;
        });
    }

    /// The watch listed all Machines anew.
    pub fn listed(&self, machines: Vec<(MachineKey, Stored)>) {
        self.with_notes(|world, notes| {
            // What a list does not say stays known: which of them no capacity counts yet.
            let mut held = std::mem::take(&mut world.machines);
            let listed: HashSet<&MachineKey> = machines.iter().map(|(key, _)| key).collect();
            held.retain(|key| listed.contains(key));
            for (key, stored) in &machines {
                held.put(key, world.held(key, stored));
                if let Some(time) = stored.on_node {
                    held.arrived(key, time);
                }
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

#[cfg(test)]
mod tests {
    use admission::world::{Config, Size};

    use super::*;

    fn key(name: &str) -> MachineKey {
        MachineKey { namespace: "shop".to_owned(), name: name.to_owned() }
    }

    fn on(cluster: &str) -> Held {
        let size = Size { cpu: 2000, memory: 0 };
        Held { cluster: Some(ClusterName(cluster.to_owned())), awaited: Some(Box::new(size)), ..Held::default() }
    }

    #[test]
    fn a24_of_two_that_draw_at_the_same_moment_the_second_draws_again_if_it_was_the_same_cluster() {
        let current = Current::new(Policy::default());
        let (first, second) = (current.load_full(), current.load_full());
        current.note(&key("a"), on("east"), &first).expect("nobody was quicker");
        current.note(&key("b"), on("west"), &second).expect("another cluster");
        let newer = current.note(&key("c"), on("east"), &second).expect_err("it is one more than it was");
        current.note(&key("c"), on("east"), &newer).expect("nobody was quicker");
        assert_eq!(current.load().machines.unseen().cpu, 6000);
    }

    #[test]
    fn x68_what_a_capacity_does_not_count_yet_survives_a_list() {
        let (current, east) = (Current::new(Policy::default()), ClusterName("east".to_owned()));
        let stored = |on_node| Stored {
            cluster: Some("east".to_owned()),
            size: Some(Size { cpu: 2000, memory: 0 }),
            on_node,
            ..Stored::default()
        };
        current.change(|world| {
            world.configs.insert(east.clone(), Arc::new(Config::default()));
            world.machines.capacity_read(&east, Some(10));
        });
        let awaited = || current.load().machines.awaited(&east).cpu;
        current.listed(vec![(key("a"), stored(None)), (key("b"), stored(None)), (key("old"), stored(Some(5)))]);
        assert_eq!(awaited(), 4000, "what has a node when a webhook starts is taken for counted");
        current.seen(vec![(key("a"), Some(stored(Some(20))))]);
        current.listed(vec![(key("a"), stored(Some(30)))]);
        assert_eq!(awaited(), 2000, "one is gone, and one is not counted yet");
        current.change(|world| world.machines.capacity_read(&east, Some(21)));
        assert_eq!(awaited(), 0);
    }
}
