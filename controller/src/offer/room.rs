//! How much room a cluster has (X68). I/O: watches of its nodes and of the pods that have one.
//!
//! Watches, because a list of all pods is megabytes, and asking for it once a minute would cost the cluster more than the
//! changes do. Kept are the names and two numbers of each node, and of each pod that requests anything: some 200 bytes.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::select;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Resource, ResourceExt};
use model::clusters::capacity::{NodeSpec, NodeStatus, PodSpec, Room, capacity, differs, offered, requested};
use runtime::clusters::said;
use serde::Deserialize;
use tokio::time::Instant;

use super::{Follower, LATER, Listing, refused, wait};
use crate::index::{Key, key_of};

/// Pods come and go in crowds: their sums are looked at no more often than this.
const PAUSE: Duration = Duration::from_secs(30);
/// Pods that hold what they requested.
const HOLDING: &str = "spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed";

/// As much of a Node as is read: its images alone are most of one.
#[derive(Clone, Debug, Deserialize, Resource)]
#[resource(inherit = k8s_openapi::api::core::v1::Node)]
struct Node {
    metadata: ObjectMeta,
    #[serde(default)]
    spec: NodeSpec,
    #[serde(default)]
    status: NodeStatus,
}

/// As much of a Pod as is read.
#[derive(Clone, Debug, Deserialize, Resource)]
#[resource(inherit = k8s_openapi::api::core::v1::Pod)]
struct Pod {
    metadata: ObjectMeta,
    #[serde(default)]
    spec: PodSpec,
}

enum Seen {
    Node(Event<Node>),
    Pod(Event<Pod>),
}

pub(super) async fn follow(follower: &Follower) {
    let name = &follower.cluster.name;
    loop {
        let why = until_refused(follower).await;
        if follower.learn(|known| known.room = Some(None)) {
            tracing::warn!(kubevirtConfig = %name, reason = why, "the room of the cluster is not known");
        }
        wait(LATER, name).await;
    }
}

/// Ends when we may not see nodes or pods, with the cluster's words. Watches that merely broke mend themselves.
async fn until_refused(follower: &Follower) -> String {
    let client = &follower.cluster.client;
    let nodes = watch(Api::<Node>::all(client.clone()), watcher::Config::default()).default_backoff();
    let pods = watch(Api::<Pod>::all(client.clone()), watcher::Config::default().fields(HOLDING)).default_backoff();
    let nodes = nodes.map(|event| event.map(Seen::Node)).boxed();
    let mut events = select(nodes, pods.map(|event| event.map(Seen::Pod)).boxed());
    let (mut nodes, mut pods) = (Listing::<String, Room>::default(), Listing::<Key, (String, Room)>::default());
    let mut next = None;
    let mut earliest = Instant::now();
    loop {
        let news = tokio::select! {
            event = events.next() => match event {
                Some(Ok(Seen::Node(event))) => nodes.take(event, room_of),
                Some(Ok(Seen::Pod(event))) => pods.take(event, held_by),
                Some(Err(why)) if refused(&why) => return said(&why),
                Some(Err(_)) => false,
                None => return "the watches ended".to_owned(),
            },
            () = tokio::time::sleep_until(next.unwrap_or(earliest)), if next.is_some() => {
                let held = pods.complete.values().map(|(node, room)| (node.as_str(), *room));
                let seen = capacity(&nodes.complete, held, Time(Timestamp::now()));
                follower.learn(|known| {
                    if known.room.as_ref().is_none_or(|known| differs(known.as_ref(), &seen)) {
                        known.room = Some(Some(seen));
                    }
                });
                next = None;
                earliest = Instant::now() + PAUSE;
                false
            }
        };
        if news && nodes.listed && pods.listed {
            next = next.or(Some(earliest));
        }
    }
}

fn room_of(node: Node) -> (String, Option<Room>) {
    (node.name_any(), offered(node.labels(), &node.spec, &node.status))
}

fn held_by(pod: Pod) -> (Key, Option<(String, Room)>) {
    let room = requested(&pod.spec);
    let key = key_of(&pod);
    (key, (room != Room::default()).then_some((pod.spec.node_name, room)))
}
