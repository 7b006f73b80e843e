//! From objects of the API to what admission keeps of them. No I/O.

use std::collections::BTreeMap;

use admission::Config;
use admission::world::{Capacity, Class, Inventory, Room, Stored};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::api::DynamicObject;
use model::api::config::Amounts;
use model::api::{KubevirtConfig, MachineClass, config};
use model::clusters::capability::capabilities;
use model::clusters::{View, identity};
use model::machine::storage::iso_url;
use model::message::{Recorded, Reference, is_ours, said};
use model::names::{KUBEVIRT_CONFIG, MachineKey, RESOLVED};
use model::quantity;
use runtime::clusters::Entry;
use serde_json::Value;

/// What admission keeps of a KubevirtConfig.
pub fn config(config: &KubevirtConfig, inventory: Inventory) -> Config {
    let (spec, status) = (&config.spec, config.status.as_ref());
    let failed = status.filter(|status| status.phase.as_deref() == Some("Failed"));
    let machines = status.and_then(|status| status.facts.as_ref()).map(|facts| facts.emulated_machines.clone());
    Config {
        schedulable: spec.schedulable && spec.decommissioned != Some(true),
        leaving: config.metadata.deletion_timestamp.is_some(),
        virtual_machines: capabilities(spec).virtualmachines,
        identity: identity(config),
        // Found by the World, which knows the others.
        duplicate_of: None,
        labels: config.labels().clone(),
        allowed_namespaces: spec.allowed_namespaces.clone(),
        namespace: spec.namespace.clone().filter(|namespace| !namespace.is_empty()),
        weight: spec.weight.and_then(|weight| u32::try_from(weight).ok()).filter(|weight| *weight > 0).unwrap_or(1),
        allow_scheduling_patches: spec.allow_scheduling_patches.unwrap_or(false),
        take_over_from: spec.take_over_from.clone(),
        unhealthy: failed.map(|status| status.message.clone().unwrap_or_default()),
        emulated_machines: machines.filter(|machines| !machines.is_empty()),
        capacity: status.and_then(|status| status.capacity.as_ref()).map(capacity),
        inventory,
    }
}

fn capacity(capacity: &config::Capacity) -> Capacity {
    let of = |amounts: &BTreeMap<String, Quantity>, resource: &str, read: Read| read(&amounts.get(resource)?.0);
    let free = |resource, read: Read| {
        let requested = of(&capacity.requested, resource, read)?;
        Some(of(&capacity.allocatable, resource, read)?.saturating_sub(requested))
    };
    let room = |amounts: &Amounts| Room {
        cpu: amounts.cpu.as_ref().and_then(|it| thousandths(&it.0)),
        memory: amounts.memory.as_ref().and_then(|it| memory(&it.0)),
    };
    Capacity {
        largest: capacity.largest_node.as_ref().map(room).unwrap_or_default(),
        free: Room { cpu: free("cpu", thousandths), memory: free("memory", memory) },
        read: capacity.observed_at.as_ref().map(|time| time.0.as_second()),
    }
}

type Read = fn(&str) -> Option<u64>;

fn thousandths(text: &str) -> Option<u64> {
    quantity::thousandths(text).ok()
}

fn memory(text: &str) -> Option<u64> {
    quantity::parse(text).ok()
}

/// Why a cluster counts as not answering; `None` while its watches are known to be alive.
pub fn silence<I>(entry: Option<&Entry<I>>) -> Option<String> {
    match entry.map_or(View::Connecting, Entry::view) {
        View::Connected { .. } => None,
        View::Connecting => Some("it is not connected yet".to_owned()),
        View::Unreachable(why) | View::Unserved(why) => Some(why),
        View::Refused { why, .. } => Some(format!("its kubeconfig cannot be used: {why}")),
    }
}

/// A class whose memory is no quantity is left out, which makes its name unknown; the schema lets none through.
pub fn class(class: &MachineClass) -> Option<Class> {
    let spec = &class.spec;
    let bound = |quantity: &Option<Quantity>| quantity.as_ref().and_then(|it| quantity::parse(&it.0).ok());
    let count = |count: Option<i64>| count.filter(|count| *count > 0).unwrap_or(1);
    Some(Class {
        generation: class.metadata.generation.unwrap_or_default(),
        cores: spec.cpu.cores,
        threads: count(spec.cpu.threads),
        sockets: count(spec.cpu.sockets),
        memory: quantity::canonical(quantity::parse(&spec.memory.quantity.0).ok()?),
        memory_bounds: (bound(&spec.memory.min_quantity), bound(&spec.memory.max_quantity)),
        enabled: spec.enabled,
        default: spec.default,
    })
}

/// What a Machine says about what it holds; `None` for another provider's. Whatever does not read is skipped: an object of
/// an older schema must not hide the others.
pub fn machine(object: &DynamicObject) -> (MachineKey, Option<Stored>) {
    let text = |path: &str| object.data.pointer(path).and_then(Value::as_str);
    let key = MachineKey { namespace: object.namespace().unwrap_or_default(), name: object.name_any() };
    if !is_ours(text("/spec/provider")) {
        return (key, None);
    }
    let annotation = |name: &str| said(object.annotations().get(name).map(String::as_str));
    let networks = object.data.pointer("/spec/networks").and_then(Value::as_array);
    let mac = |network: &Value| network["macAddress"].as_str().map(str::to_owned);
    let [name, cluster_id, namespace] =
        ["name", "clusterId", "namespace"].map(|part| text(&format!("/status/kubevirtConfigRef/{part}")));
    let recorded = Recorded::read(Reference { name, cluster_id, namespace }, None);
    let stored = Stored {
        cluster: annotation(KUBEVIRT_CONFIG).or(said(name)).map(str::to_owned),
        namespace: recorded.map(|recorded| recorded.namespace.unwrap_or(&key.namespace).to_owned()),
        uid: object.uid().unwrap_or_default(),
        vm_name: text("/status/vmName").map(str::to_owned),
        macs: networks.into_iter().flatten().filter_map(mac).collect(),
        iso: iso_url(text("/spec/os/isoUri"), text("/spec/os/imageID")).is_some(),
        on_node: on_node(object),
        ..Stored::sized(annotation(RESOLVED))
    };
    (key, Some(stored))
}

/// Since when the VM of a Machine is on a node at the latest: by the time of a status that says so. One that is stopped, or
/// goes, takes no more room than it has.
fn on_node(object: &DynamicObject) -> Option<i64> {
    let text = |path: &str| said(object.data.pointer(path).and_then(Value::as_str));
    let is_there = text("/status/nodeName").is_some() || text("/status/phase") == Some("Stopped");
    let written = || text("/status/lastUpdated")?.parse::<Timestamp>().ok().map(Timestamp::as_second);
    (is_there || object.metadata.deletion_timestamp.is_some()).then(|| written().unwrap_or_default())
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
