//! How many connections there may be: in all, and from one address, so that nobody takes the places of the others (T17).
//! No I/O.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// More connections than any number of API servers keeps; the rest waits in the listen queue.
const CONNECTIONS: usize = 1024;
/// Those of one address; what is more is closed at once.
const SHARE: usize = 256;

/// The places of one listener.
#[derive(Clone)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One place, free again when dropped.
pub(super) struct Place {
    places: Places,
    address: IpAddr,
    _any: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new() -> Self {
        Self { free: Arc::new(Semaphore::new(CONNECTIONS)), taken: Arc::default() }
    }

    /// Waits until there is a place for anybody.
    pub(super) async fn any(&self) -> OwnedSemaphorePermit {
        self.free.clone().acquire_owned().await.expect("invariant: the semaphore is never closed")
    }

    /// Gives a place to this address, unless it has its share.
    pub(super) fn give(&self, any: OwnedSemaphorePermit, address: IpAddr) -> Option<Place> {
        let mut taken = self.lock();
        let count = taken.entry(address).or_default();
        if *count >= SHARE {
            return None;
        }
        *count += 1;
        Some(Place { places: self.clone(), address, _any: any })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        if let Some(count) = taken.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn t17_one_address_cannot_take_every_place() {
        let places = Places::new();
        let (greedy, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let mut held = Vec::new();
        for _ in 0..SHARE {
            held.push(places.give(places.any().await, greedy).expect("within its share"));
        }
        assert!(places.give(places.any().await, greedy).is_none());
        assert!(places.give(places.any().await, other).is_some());
        held.pop();
        assert!(places.give(places.any().await, greedy).is_some());
        held.clear();
        assert_eq!((places.lock().len(), places.free.available_permits()), (0, CONNECTIONS));
    }
}
