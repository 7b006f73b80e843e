//! How many connections there may be: in all, and from one address, so that nobody takes the places of the others (T17,
//! ATK3). No I/O, but time.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::counts::Counts;
use super::patience::{Patience, Worth};

/// Those of one address; what is more is closed at once.
const SHARE: usize = 256;
/// Those of one address that never go for the sake of another address: about what one API server keeps.
const FEW: usize = 32;
/// While fewer than one in so many places is free, nobody who never asked anything is waited for.
const SCARCE: usize = 2;
/// How long one that shall leave may take before another one shall.
const LEAVES: Duration = Duration::from_millis(100);

/// The places of one listener.
#[derive(Clone)]
pub(super) struct Places {
    all: usize,
    answer: Duration,
    free: Arc<Semaphore>,
    taken: Arc<Mutex<Taken>>,
    counts: Counts,
}

#[derive(Default)]
struct Taken {
    next: u64,
    all: BTreeMap<u64, (IpAddr, Patience)>,
}

/// One place, free again when dropped.
pub(super) struct Place {
    /// How long whoever has it is waited for.
    pub(super) patience: Patience,
    places: Places,
    id: u64,
    _any: OwnedSemaphorePermit,
}

impl Places {
    /// So many places; whoever has one is given so long for an answer.
    pub(super) fn new(connections: usize, answer: Duration, counts: Counts) -> Self {
        Self { all: connections, answer, free: Arc::new(Semaphore::new(connections)), taken: Arc::default(), counts }
    }

    /// Gives a place to this address, unless it has its share. While there is none, somebody has to make room; an address
    /// that holds many and finds nobody who does is turned away, and no other waits behind it.
    pub(super) async fn give(&self, address: IpAddr) -> Option<Place> {
        let any = loop {
            let held = self.lock().all.values().filter(|(of, _)| *of == address).count();
            let full = self.free.available_permits() == 0;
            if held >= SHARE || full && !self.make_room(held) && held >= FEW {
                self.counts.ended("turned-away");
                return None;
            }
            if let Ok(any) = timeout(LEAVES, self.free.clone().acquire_owned()).await {
                break any.expect("invariant: the semaphore is never closed");
            }
        };
        let (mut taken, patience) = (self.lock(), Patience::new(self.answer));
        taken.next += 1;
        let id = taken.next;
        taken.all.insert(id, (address, patience.clone()));
        self.counts.opened();
        Some(Place { patience, places: self.clone(), id, _any: any })
    }

    /// Makes one leave for an address that holds so many places already, and says whether one does.
    ///
    /// The shares of some addresses add up to all places, however small a share is. So a full house is shared out anew with
    /// every arrival: the address with the most places, if those are more than a [`FEW`], gives one of them, even a busy one
    /// unless the arriving address would then hold more. Where no address has many, no busy one goes. Of those that may go,
    /// first goes who never asked anything, then who is idle for longest: a flood goes before the API server.
    fn make_room(&self, held: usize) -> bool {
        let taken = self.lock();
        let mut shares: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for (address, _) in taken.all.values() {
            *shares.entry(*address).or_default() += 1;
        }
        let greedy = shares.into_iter().max_by_key(|(_, places)| *places).filter(|(_, places)| *places > FEW);
        let most = if greedy.is_some_and(|(_, places)| places > held + 1) { Worth::Busy } else { Worth::Kept };
        let those = taken.all.values().filter(|(of, _)| greedy.is_none_or(|(greedy, _)| greedy == *of));
        let goes = those
            .filter_map(|(_, patience)| Some((patience.worth()?, patience)))
            .filter(|((worth, _), _)| *worth <= most)
            .min_by_key(|(worth, _)| *worth);
        if let Some((_, patience)) = goes {
            patience.leave(most);
        }
        goes.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Returns when whoever has it took too long, or it is needed, and says which.
    pub(super) async fn ends(&self) -> &'static str {
        self.patience.ends(|| self.places.free.available_permits() * SCARCE < self.places.all).await
    }

    /// Whoever had it was given up.
    pub(super) fn given_up(&self, why: &'static str) {
        self.places.counts.ended(why);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().all.remove(&self.id);
        self.places.counts.closed();
    }
}

#[cfg(test)]
#[path = "places_tests.rs"]
mod tests;
