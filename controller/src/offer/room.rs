//! How much room a cluster has (X68). I/O: watches of its nodes and of the pods that have one.
//!
//! Watches, because a list of all pods is megabytes, and asking for it once a minute would cost the cluster more than the
//! changes do. Kept are the names and two numbers of each node, and of each pod that requests anything: some 200 bytes.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::select;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use kube::runtime::WatchStreamExt;
use kube::{Api, Client, Resource, ResourceExt};
use model::api::config::Capacity;
use model::clusters::capacity::{NodeSpec, NodeStatus, PodSpec, Room, capacity, offered, requested};
use model::names::ClusterName;
use model::text::line;
use runtime::clusters::explain;
use runtime::listing::watching;
use runtime::pause::Tries;
use runtime::watcher::{Event, watcher};
use serde::Deserialize;
use tokio::time::Instant;

use super::listing::{LATER, Records, is_refused, wait};
use crate::objects::{ObjectKey, key_of};

/// Pods come and go in crowds: their sums are looked at no more often than this.
const PAUSE: Duration = Duration::from_secs(30);
/// Bytes of the name of a node.
const NODE: usize = 253;
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

enum RoomEvent {
    Node(Event<Node>),
    Pod(Event<Pod>),
}

/// Tells `learn` how much room the cluster has, and of `None` when we may not see it; never ends.
pub(super) async fn follow_room(client: &Client, name: &ClusterName, learn: &impl Fn(Option<Capacity>) -> bool) {
    loop {
        let why = until_refused(client, learn).await;
        if learn(None) {
            tracing::warn!(kubevirtConfig = %name, reason = why, "the room of the cluster is not known");
        }
        wait(LATER, name).await;
    }
}

/// Ends when we may not see nodes or pods, with the cluster's words. Watches that merely broke mend themselves.
async fn until_refused(client: &Client, learn: &impl Fn(Option<Capacity>) -> bool) -> String {
    let nodes = watcher(Api::<Node>::all(client.clone()), watching()).backoff(Tries::default());
    let pods = watcher(Api::<Pod>::all(client.clone()), watching().fields(HOLDING)).backoff(Tries::default());
    let nodes = nodes.map(|event| event.map(RoomEvent::Node)).boxed();
    let mut events = select(nodes, pods.map(|event| event.map(RoomEvent::Pod)).boxed());
    let mut nodes: Records<String, Room> = Records::weighing(|node| size_of_val(node) + node.0.len());
    let mut pods: Records<ObjectKey, (String, Room)> =
        Records::weighing(|pod| size_of_val(pod) + pod.0.bytes() + pod.1.as_ref().map_or(0, |(node, _)| node.len()));
    let mut next = None;
    let mut earliest = Instant::now();
    loop {
        let news = tokio::select! {
            event = events.next() => match event {
                Some(Ok(RoomEvent::Node(event))) => nodes.take(&event, read_node),
                Some(Ok(RoomEvent::Pod(event))) => pods.take(&event, read_pod),
                Some(Err(why)) if is_refused(&why) => return explain(&why, "list and watch nodes and pods"),
                Some(Err(_)) => Ok(false),
                None => return "the watches ended".to_owned(),
            },
            () = tokio::time::sleep_until(next.unwrap_or(earliest)), if next.is_some() => {
                let held = pods.all.values().map(|(node, room)| (node.as_str(), *room));
                learn(Some(capacity(&nodes.all, held, Time(Timestamp::now()))));
                next = None;
                earliest = Instant::now() + PAUSE;
                Ok(false)
            }
        };
        let news = match news {
            Ok(news) => news,
            Err(why) => return why,
        };
        if news && nodes.listed && pods.listed {
            next = next.or(Some(earliest));
        }
    }
}

fn read_node(node: &Node) -> (String, Option<Room>) {
    (node.name_any(), offered(node.labels(), &node.spec, &node.status))
}

fn read_pod(pod: &Pod) -> (ObjectKey, Option<(String, Room)>) {
    let room = requested(&pod.spec);
    let key = key_of(pod);
    (key, (room != Room::default()).then(|| (line(&pod.spec.node_name, NODE), room)))
}
