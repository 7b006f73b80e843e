//! Rules about what is outside the Machine: names and addresses of other Machines, networks, and what its cluster has.
//! Pure. C47, X16, X36, X38, X59, X76, T9, T12.
//!
//! Only what a request changes can be refused. What was accepted once and is wrong since is a warning (X76), so that no
//! Machine becomes uneditable because something around it went away.

mod cluster;

use std::sync::Arc;

use super::form::{did_you_mean, shown};
use super::name::claim;
use super::{Ask, cloudinit, networks, sources};
use crate::admission::review::{Disk, Object};
use crate::admission::sizing::Sizing;
use crate::admission::sizing::disks::disk_name;
use crate::admission::world::machines::{CLAIM, VM};
use crate::admission::world::{Name, World};
use crate::admission::{Config, assigned, placement};
use crate::names::{ClusterName, ISO_DISK, MachineKey};
use crate::reason::{Reason, Violation};

/// Names that a sentence lists.
const LISTED: usize = 8;
/// Names that are compared with a misspelt one.
const COMPARED: usize = 512;

/// What was decided about a Machine before its surroundings are judged.
#[derive(Clone, Copy, Debug)]
pub struct Decided<'r> {
    /// Its cluster, unless placement failed.
    pub cluster: Option<&'r ClusterName>,
    /// Its size, unless that failed.
    pub sizing: Option<&'r Sizing>,
}

/// Where the sentences go.
struct Answer<'w> {
    wrong: &'w mut Vec<Violation>,
    warnings: &'w mut Vec<String>,
}

impl Answer<'_> {
    /// Refuses what the request brings, and warns of what was there before (X76).
    fn say(&mut self, held: bool, violation: Violation) {
        if held {
            self.warnings.push(format!("{}: {}", violation.path, violation.message));
        } else {
            self.wrong.push(violation);
        }
    }
}

/// A Machine on the cluster that it is decided to be on.
#[derive(Clone, Copy)]
struct Placed<'r> {
    ask: &'r Ask<'r>,
    cluster: &'r ClusterName,
    config: &'r Arc<Config>,
    /// Namespace of its objects there.
    namespace: &'r str,
    /// The Machine as it was on this same cluster: nothing about a cluster that it was not on is held already.
    old: Option<&'r Object<'r>>,
}

/// Runs every rule about the surroundings.
pub fn check(
    ask: &Ask<'_>,
    decided: Decided<'_>,
    world: &World,
    wrong: &mut Vec<Violation>,
    warnings: &mut Vec<String>,
) {
    cloudinit::readable(ask.object, ask.old.filter(|old| placement::judged(old)), &ask.request.namespace, world, wrong);
    let mut answer = Answer { wrong, warnings };
    record(ask, world, &mut answer);
    attached(ask, world, &mut answer);
    macs(ask, world, &mut answer);
    let Some((cluster, config)) = decided.cluster.and_then(|name| Some((name, world.configs.get(name)?))) else {
        return;
    };
    let before = |old: &&Object<'_>| placement::recorded(old).or(assigned(old)) == Some(cluster.0.as_str());
    let old = ask.old.filter(before);
    let namespace = old.and_then(|old| settled(ask, old));
    let namespace = namespace.unwrap_or_else(|| config.remote_namespace(&ask.request.namespace));
    let placed = Placed { ask, cluster, config, namespace, old };
    if let Some(sizing) = decided.sizing {
        taken(placed, sizing, world, &mut answer);
        cluster::room(placed, sizing, &mut answer);
    }
    cluster::namespace(placed, &mut answer);
    cluster::storage_classes(placed, &mut answer);
    cluster::clones(placed, &mut answer);
    cluster::machine_type(placed, &mut answer);
}

/// Where its objects are, once that is recorded: an edit of the KubevirtConfig moves none of them (X38).
fn settled<'r>(ask: &Ask<'r>, old: &'r Object<'r>) -> Option<&'r str> {
    placement::recorded(old)?;
    let reference = old.status.as_ref()?.kubevirt_config_ref.as_ref()?;
    Some(reference.namespace.as_deref().filter(|it| !it.is_empty()).unwrap_or(&ask.request.namespace))
}

/// The name of the Machine, unless the API server has still to make it (X77).
fn called<'r>(ask: &Ask<'r>) -> Option<&'r str> {
    ask.object.metadata.name.as_deref().filter(|name| !name.is_empty())
}

fn key(ask: &Ask<'_>) -> MachineKey {
    let name = called(ask).unwrap_or_default();
    MachineKey { namespace: (*ask.request.namespace).to_owned(), name: name.to_owned() }
}

/// The disk of that name in a spec.
fn disk<'o>(object: &'o Object<'_>, name: &str) -> Option<(usize, &'o Disk<'o>)> {
    object.spec.disks.iter().flatten().enumerate().find(|(index, disk)| disk_name(disk, *index) == name)
}

/// A shared network may have the name of the Machine's own record, which we would have to overwrite (X59).
fn record(ask: &Ask<'_>, world: &World, answer: &mut Answer<'_>) {
    let configurations = &world.networks.configurations;
    if !configurations.is_empty() && called(ask).is_some() && configurations.get(&key(ask)) == Some(&false) {
        answer.say(ask.old.is_some(), Reason::NameTaken.at("metadata.name").says(format!(
            "Invalid value: {:?}: a NetworkConfiguration of that name exists and is not this Machine's, but the record of its interfaces needs the name: choose another",
            shown(called(ask).unwrap_or_default())
        )));
    }
}

/// Networks that interfaces are attached to (C47, X36).
fn attached(ask: &Ask<'_>, world: &World, answer: &mut Answer<'_>) {
    let spec = &ask.object.spec;
    let old = ask.old.map(|old| &old.spec);
    let mut any = false;
    for (index, network) in spec.networks.iter().flatten().enumerate() {
        any = true;
        let Some(name) = networks::shared(network) else { continue };
        let key = MachineKey { namespace: (*ask.request.namespace).to_owned(), name: name.to_owned() };
        let record = world.networks.configurations.get(&key);
        if record == Some(&false) || world.networks.namespaces.contains_key(&key) {
            continue;
        }
        let held = old.into_iter().flat_map(|old| old.networks.iter().flatten());
        let held = held.filter(|other| other.name == network.name).any(|other| networks::shared(other) == Some(name));
        let path = format!("spec.networks[{index}].networkName");
        if unlisted(&path, name, held, world, answer) {
            continue;
        }
        let why = if record.is_some() { "is the record of a Machine and no network" } else { "not found" };
        let says = missing_network(&key, why, world, true);
        answer.say(held, Reason::NetworkConfigurationNotFound.at(path).says(says));
    }
    let published = |network: Option<&crate::admission::review::PublishedNetwork<'_>>| -> Option<String> {
        network?.network_namespace_name.as_deref().filter(|name| !name.is_empty()).map(str::to_owned)
    };
    if let Some(name) = published(spec.network.as_ref()).filter(|_| !any) {
        let key = MachineKey { namespace: (*ask.request.namespace).to_owned(), name };
        if !world.networks.namespaces.contains_key(&key) {
            let held = old.and_then(|old| published(old.network.as_ref())).as_deref() == Some(&key.name);
            let path = "spec.network.networkNamespaceName";
            if !unlisted(path, &key.name, held, world, answer) {
                let says = missing_network(&key, "not found", world, false);
                answer.say(held, Reason::NetworkConfigurationNotFound.at(path).says(says));
            }
        }
    }
}

/// While NetworkNamespaces are not known, that there is none of a name is no proof: whether that is so, and then a warning.
fn unlisted(path: &str, name: &str, held: bool, world: &World, answer: &mut Answer<'_>) -> bool {
    let Some(why) = &world.networks.unlisted else { return false };
    if !held {
        answer.warnings.push(format!(
            "{path}: whether there is a NetworkNamespace {:?} is not known, they could not be listed: {}",
            shown(name),
            shown(why)
        ));
    }
    true
}

fn missing_network(key: &MachineKey, why: &str, world: &World, configurations: bool) -> String {
    let here = |other: &&MachineKey| other.namespace == key.namespace;
    let known = || {
        let shared = world.networks.configurations.iter().filter(|(_, record)| configurations && !**record);
        let shared = shared.map(|(other, _)| other).chain(world.networks.namespaces.keys());
        shared.filter(here).map(|other| other.name.as_str())
    };
    let near = did_you_mean(&key.name, known().take(COMPARED));
    let (kind, next) = if configurations {
        ("NetworkConfiguration or NetworkNamespace", "create the NetworkConfiguration")
    } else {
        ("NetworkNamespace", "create the NetworkNamespace")
    };
    let name = shown(&key.name);
    format!("{kind} {name:?} {why} in namespace {}: {}; use one of them or {next}{near}", key.namespace, list(known()))
}

/// `known are a, b`, sorted, or that there is none.
fn list<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    match names.len() {
        0 => "there is none".to_owned(),
        count => {
            names.truncate(LISTED);
            format!("known are {}{}", names.join(", "), if count > LISTED { ", …" } else { "" })
        }
    }
}

/// MAC addresses that another Machine of the fleet has.
fn macs(ask: &Ask<'_>, world: &World, answer: &mut Answer<'_>) {
    let networks = ask.object.spec.networks.iter().flatten().enumerate();
    for (index, mac) in networks.filter_map(|(index, it)| Some((index, it.mac_address.as_deref()?))) {
        let Some(other) = world.machines.mac_holder(&mac.to_ascii_lowercase(), &key(ask)) else { continue };
        let held = ask.old.into_iter().flat_map(|old| old.spec.networks.iter().flatten());
        let held = held.filter_map(|it| it.mac_address.as_deref()).any(|before| before.eq_ignore_ascii_case(mac));
        answer.say(held, Reason::FieldDuplicate.at(format!("spec.networks[{index}].macAddress")).says(format!(
            "Duplicate value: {mac:?}: Machine {other} has this address: choose another, or leave it out and KubeVirt picks one"
        )));
    }
}

/// Names on the cluster that another Machine has: one VM, or one disk, would serve both (X16, KVO8, T12).
fn taken(placed: Placed<'_>, sizing: &Sizing, world: &World, answer: &mut Answer<'_>) {
    let Placed { ask, cluster, namespace, old, .. } = placed;
    let Some(machine) = called(ask).filter(|_| !world.machines.is_empty()) else { return };
    let me = key(ask);
    let mut name = Name { cluster: cluster.clone(), namespace: namespace.to_owned(), kind: VM, name: String::new() };
    if old.is_none() {
        name.name.push_str(&ask.policy.vm_prefix);
        name.name.push_str(machine);
        if let Some(other) = world.machines.holder(&name, &me) {
            answer.say(false, collision("metadata.name".to_owned(), machine, &name, other));
        }
    }
    name.kind = CLAIM;
    let iso = sources::iso(&ask.object.spec).map(|_| ISO_DISK);
    for disk_of in sizing.disks.iter().map(|disk| disk.name.as_str()).chain(iso) {
        name.name = claim(machine, disk_of);
        let Some(other) = world.machines.holder(&name, &me) else { continue };
        let at = disk(ask.object, disk_of);
        let held = old.is_some_and(|old| match at {
            Some(_) => disk(old, disk_of).is_some(),
            None => disk_of != ISO_DISK || sources::iso(&old.spec).is_some(),
        });
        let (path, value) = match at {
            Some((index, _)) => (format!("spec.disks[{index}].name"), disk_of),
            None if iso == Some(disk_of) => ("spec.os.isoUri".to_owned(), disk_of),
            None => ("metadata.name".to_owned(), machine),
        };
        answer.say(held, collision(path, value, &name, other));
    }
}

fn collision(path: String, value: &str, name: &Name, other: &MachineKey) -> Violation {
    Reason::NameTaken.at(path).says(format!(
        "Invalid value: {:?}: it makes the {} {}/{} on cluster {:?}, which Machine {other} has already: choose another name",
        shown(value), name.kind, name.namespace, name.name, name.cluster.0
    ))
}
