//! How many connections there may be: in all, and from one address, so that nobody takes the places of the others (T17).
//! No I/O, but time.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::patience::Patience;

/// More connections than any number of API servers keeps; the rest waits in the listen queue.
pub(super) const CONNECTIONS: usize = 1024;
/// Those of one address; what is more is closed at once.
const SHARE: usize = 256;
/// How long one that shall leave may take before another one shall.
const LEAVES: Duration = Duration::from_millis(100);

/// The places of one listener.
#[derive(Clone)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    taken: Arc<Mutex<Taken>>,
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
    pub(super) fn new(connections: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(connections)), taken: Arc::default() }
    }

    /// Gives a place to this address, unless it has its share. While there is none, whoever is idle for longest has to
    /// leave, so that neither many who keep theirs nor many addresses can shut the API server out.
    pub(super) async fn give(&self, address: IpAddr) -> Option<Place> {
        if self.lock().all.values().filter(|(of, _)| *of == address).count() >= SHARE {
            return None;
        }
        let any = loop {
            if self.free.available_permits() == 0 {
                self.make_room();
            }
            if let Ok(any) = timeout(LEAVES, self.free.clone().acquire_owned()).await {
                break any.expect("invariant: the semaphore is never closed");
            }
        };
        let (mut taken, patience) = (self.lock(), Patience::new());
        taken.next += 1;
        let id = taken.next;
        taken.all.insert(id, (address, patience.clone()));
        Some(Place { patience, places: self.clone(), id, _any: any })
    }

    fn make_room(&self) {
        let taken = self.lock();
        let idle = taken.all.values().filter_map(|(_, patience)| Some((patience.idle_since()?, patience)));
        if let Some((_, longest)) = idle.min_by_key(|(since, _)| *since) {
            longest.leave();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().all.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREEDY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    async fn take(places: &Places, address: IpAddr) -> Place {
        places.give(address).await.expect("within its share")
    }

    /// Whether its holder has to leave: now, because time stands still.
    async fn has_to_leave(place: &Place) -> bool {
        timeout(Duration::ZERO, place.patience.ends()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn t17_one_address_cannot_take_every_place() {
        let places = Places::new(CONNECTIONS);
        let mut held = Vec::new();
        for _ in 0..SHARE {
            held.push(take(&places, GREEDY).await);
        }
        assert!(places.give(GREEDY).await.is_none());
        assert!(places.give(OTHER).await.is_some());
        held.pop();
        assert!(places.give(GREEDY).await.is_some());
        held.clear();
        assert_eq!((places.lock().all.len(), places.free.available_permits()), (0, CONNECTIONS));
    }

    #[tokio::test(start_paused = true)]
    async fn t17_whoever_is_idle_for_longest_makes_room_and_whoever_is_answered_does_not() {
        let places = Places::new(3);
        let (answered, silent) = (take(&places, GREEDY).await, take(&places, GREEDY).await);
        answered.patience.greeted();
        answered.patience.answering();
        tokio::time::advance(Duration::from_secs(1)).await;
        silent.patience.greeted();
        tokio::time::advance(Duration::from_secs(1)).await;
        let idle = take(&places, OTHER).await;
        idle.patience.answering();
        idle.patience.answered();

        let gives = async {
            silent.patience.ends().await;
            assert!(!has_to_leave(&answered).await && !has_to_leave(&idle).await);
            drop(silent);
        };
        let (new, ()) = tokio::join!(places.give(OTHER), gives);
        new.as_ref().expect("a place").patience.answering();

        let gives = async {
            idle.patience.ends().await;
            assert!(!has_to_leave(&answered).await);
            drop(idle);
        };
        let (newer, ()) = tokio::join!(places.give(OTHER), gives);
        newer.as_ref().expect("a place").patience.answering();

        let becomes_idle = async {
            assert!(timeout(LEAVES * 3, answered.patience.ends()).await.is_err(), "everybody is being answered");
            answered.patience.answered();
            timeout(LEAVES * 2, answered.patience.ends()).await.expect("it is the only idle one now");
            drop(answered);
        };
        let (newest, ()) = tokio::join!(places.give(GREEDY), becomes_idle);
        assert!(newest.is_some());
    }
}
