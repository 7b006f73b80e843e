//! How much room a cluster has, from what its nodes offer and its pods have requested (C49, X68). Pure.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Deserialize;

use crate::api::config::{Amounts, Capacity};
use crate::quantity;

/// Label that virt-handler keeps on a node: `false` while KubeVirt puts no instance there.
pub const SCHEDULABLE: &str = "kubevirt.io/schedulable";

type Quantities = BTreeMap<String, Quantity>;

/// CPU and memory, as numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Thousandths of a CPU.
    pub cpu: u64,
    /// Bytes.
    pub memory: u64,
}

/// What is read of a Node's spec.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct NodeSpec {
    unschedulable: bool,
}

/// What is read of a Node's status.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct NodeStatus {
    allocatable: Quantities,
    conditions: Vec<NodeCondition>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct NodeCondition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
}

/// What is read of a Pod's spec.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodSpec {
    /// The node it was bound to; empty before that.
    pub node_name: String,
    containers: Vec<Container>,
    init_containers: Vec<Container>,
    overhead: Quantities,
    resources: Requests,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Container {
    resources: Requests,
    restart_policy: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Requests {
    requests: Quantities,
}

impl Room {
    /// Unreadable quantities count as nothing: the API server that they come from has checked them.
    fn of(quantities: &Quantities) -> Self {
        let text = |name: &str| quantities.get(name).map_or("", |quantity| &quantity.0);
        Self {
            cpu: quantity::thousandths(text("cpu")).unwrap_or(0),
            memory: quantity::parse(text("memory")).unwrap_or(0),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self { cpu: self.cpu.saturating_add(other.cpu), memory: self.memory.saturating_add(other.memory) }
    }

    fn or_more(self, other: Self) -> Self {
        Self { cpu: self.cpu.max(other.cpu), memory: self.memory.max(other.memory) }
    }

    fn quantities(self) -> (Quantity, Quantity) {
        let cpu = if self.cpu.is_multiple_of(1000) { (self.cpu / 1000).to_string() } else { format!("{}m", self.cpu) };
        (Quantity(cpu), Quantity(quantity::canonical(self.memory)))
    }

    fn by_name(self) -> Quantities {
        let (cpu, memory) = self.quantities();
        [("cpu".to_owned(), cpu), ("memory".to_owned(), memory)].into()
    }
}

/// What a node offers to instances; `None` while it takes no more of them.
pub fn offered(labels: &BTreeMap<String, String>, spec: &NodeSpec, status: &NodeStatus) -> Option<Room> {
    let ready = status.conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let shut = spec.unschedulable || labels.get(SCHEDULABLE).is_some_and(|label| label == "false");
    (ready && !shut).then(|| Room::of(&status.allocatable))
}

/// What a pod has requested, as the scheduler counts it: its containers and sidecars together, or the most that it needs
/// while it starts; what the pod as a whole requests beats both; and its overhead.
pub fn requested(pod: &PodSpec) -> Room {
    let mut running = Room::default();
    let mut starting = Room::default();
    for init in &pod.init_containers {
        let own = Room::of(&init.resources.requests);
        if init.restart_policy.as_deref() == Some("Always") {
            running = running.plus(own);
            starting = starting.or_more(running);
        } else {
            starting = starting.or_more(running.plus(own));
        }
    }
    let together = pod.containers.iter().fold(running, |sum, one| sum.plus(Room::of(&one.resources.requests)));
    let mut room = together.or_more(starting);
    let whole = Room::of(&pod.resources.requests);
    for (name, part, whole) in [("cpu", &mut room.cpu, whole.cpu), ("memory", &mut room.memory, whole.memory)] {
        if pod.resources.requests.contains_key(name) {
            *part = whole;
        }
    }
    room.plus(Room::of(&pod.overhead))
}

/// The room of a cluster, from what each node offers and what each pod requested of which node.
///
/// `largestNode` is the most CPU and the most memory that any node offers, if need be of two different ones: nothing that
/// fits on some node is more than it. It is absent when no node takes instances: then there is nothing to compare with.
/// Pods on nodes that take no more count as little as the nodes.
pub fn capacity<'a>(
    nodes: &BTreeMap<String, Room>,
    pods: impl IntoIterator<Item = (&'a str, Room)>,
    now: Time,
) -> Capacity {
    let largest = nodes.values().copied().reduce(Room::or_more);
    let sum = |rooms: &mut dyn Iterator<Item = Room>| rooms.fold(Room::default(), Room::plus);
    let of_these = pods.into_iter().filter(|(node, _)| nodes.contains_key(*node));
    Capacity {
        largest_node: largest.map(|room| {
            let (cpu, memory) = room.quantities();
            Amounts { cpu: Some(cpu), memory: Some(memory) }
        }),
        allocatable: sum(&mut nodes.values().copied()).by_name(),
        requested: sum(&mut of_these.map(|(_, room)| room)).by_name(),
        observed_at: Some(now),
    }
}

/// Numbers that were read so many seconds before are published again when pods or nodes change, however little: admission counts
/// on top of them what has come since, and does not know what went.
const OLD: i64 = 600;

/// Whether a capacity differs so much from the published one that it is worth a write: another largest node, more than a
/// hundredth of all that there is, or ten minutes.
pub fn differs(published: Option<&Capacity>, seen: &Capacity) -> bool {
    let Some(published) = published else { return true };
    let total = Room::of(&seen.allocatable);
    let far = |before: &Quantities, now: &Quantities| {
        let (before, now) = (Room::of(before), Room::of(now));
        before.cpu.abs_diff(now.cpu) > total.cpu / 100 || before.memory.abs_diff(now.memory) > total.memory / 100
    };
    let second = |of: &Capacity| of.observed_at.as_ref().map(|time| time.0.as_second());
    let is_old = second(seen).zip(second(published)).is_some_and(|(now, then)| now.saturating_sub(then) >= OLD);
    is_old
        || published.largest_node != seen.largest_node
        || far(&published.allocatable, &seen.allocatable)
        || far(&published.requested, &seen.requested)
}

#[cfg(test)]
#[path = "capacity_tests.rs"]
mod tests;
