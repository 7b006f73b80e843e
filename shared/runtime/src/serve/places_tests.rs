//! Who gets a place, and who has to make room for whom.

use prometheus_client::registry::Registry;

use super::*;

const CONNECTIONS: usize = 1024;
const GREEDY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

fn places(connections: usize) -> Places {
    Places::new(connections, Duration::from_secs(10), Counts::register(&mut Registry::default(), "port", "port"))
}

async fn take(places: &Places, address: IpAddr) -> Place {
    places.give(address).await.expect("within its share")
}

/// Whether its holder has to leave: now, because time stands still.
async fn has_to_leave(place: &Place) -> bool {
    timeout(Duration::ZERO, place.ends()).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn t17_one_address_cannot_take_every_place() {
    let places = places(CONNECTIONS);
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
    let places = places(3);
    let (answered, silent) = (take(&places, GREEDY).await, take(&places, GREEDY).await);
    answered.patience.greeted();
    answered.patience.answering();
    tokio::time::advance(Duration::from_secs(1)).await;
    silent.patience.greeted();
    tokio::time::advance(Duration::from_secs(1)).await;
    let idle = take(&places, OTHER).await;
    idle.patience.answering();
    idle.patience.answered();
    idle.patience.written();

    let gives = async {
        silent.ends().await;
        assert!(!has_to_leave(&answered).await && !has_to_leave(&idle).await);
        drop(silent);
    };
    let (new, ()) = tokio::join!(places.give(OTHER), gives);
    new.as_ref().expect("a place").patience.answering();

    let gives = async {
        idle.ends().await;
        assert!(!has_to_leave(&answered).await);
        drop(idle);
    };
    let (newer, ()) = tokio::join!(places.give(OTHER), gives);
    newer.as_ref().expect("a place").patience.answering();

    let becomes_idle = async {
        assert!(timeout(LEAVES * 3, answered.ends()).await.is_err(), "everybody is being answered");
        answered.patience.answered();
        answered.patience.written();
        timeout(LEAVES * 2, answered.ends()).await.expect("it is the only idle one now");
        drop(answered);
    };
    let (newest, ()) = tokio::join!(places.give(GREEDY), becomes_idle);
    assert!(newest.is_some());
}

/// An address with so many places.
async fn many(places: &Places, last: u8, count: usize) -> Vec<Place> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(take(places, IpAddr::from([10, 0, 1, last])).await);
    }
    all
}

#[tokio::test(start_paused = true)]
async fn atk3_whoever_holds_most_makes_room_and_the_least_is_lost() {
    let places = places(101);
    let kept = take(&places, OTHER).await;
    for told in [Patience::answering, Patience::answered, Patience::written] {
        told(&kept.patience);
    }
    tokio::time::advance(Duration::from_secs(1)).await;
    let (fewer, mut most) = (many(&places, 1, 48).await, many(&places, 2, 52).await);
    for place in &most[..51] {
        place.patience.answering();
    }
    for place in &most[..50] {
        place.patience.answered();
        place.patience.written();
    }
    // Who never asked, who is idle for longest, and who is busy, all of the address with the most.
    let (never, busy) = (most.pop().expect("one"), most.pop().expect("one"));
    let mut new = Vec::new();
    for goes in [never, most.remove(0)] {
        let gives = async {
            goes.ends().await;
            drop(goes);
        };
        let (place, ()) = tokio::join!(places.give(OTHER), gives);
        new.push(place.expect("a place"));
    }
    tokio::time::advance(Duration::from_secs(1)).await;
    for place in &most {
        place.patience.answering();
    }
    let gives = async {
        busy.ends().await;
        drop(busy);
    };
    let (place, ()) = tokio::join!(places.give(OTHER), gives);
    assert!(place.is_some(), "even a busy one goes, because it holds more than who comes");
    assert!(!has_to_leave(&kept).await && !has_to_leave(&fewer[0]).await);
    for place in &fewer {
        place.patience.answering();
    }
    let equal = IpAddr::from([10, 0, 1, 2]);
    assert!(places.give(equal).await.is_none(), "it holds the most itself, and nobody is idle: no reason to wait");
}
