//! Rules about what is outside the Machine: names and addresses of other Machines, networks, and what its cluster has.
//! Pure. C47, X16, X36, X38, X59, X76, T9, T12.
//!
//! Only what a request changes can be refused. What was accepted once and is wrong since is a warning (X76), so that no
//! Machine becomes uneditable because something around it went away.

mod cluster;
mod networks;
mod placed;

use std::borrow::Cow;

use model::names::{CLAIM, ISO_DISK, MachineKey, Name, VM, claim_name, say_machine, vm_name, vm_names};
use model::reason::{Reason, Violation};

pub use self::placed::Decided;
use self::placed::{Placed, called, key};
use super::ask::Ask;
use super::form::shown;
use super::{cloudinit, sources};
use crate::findings::Findings;
use crate::review::Object;
use crate::world::{Config, World};

/// Runs every rule about the surroundings.
pub fn check(ask: &Ask<'_>, decided: Decided<'_>, world: &World, found: &mut Findings) {
    cloudinit::readable(ask, world, found);
    record(ask, world, found);
    networks::attached(ask, world, found);
    networks::addresses(ask, world, found);
    let Some((cluster, config)) = decided.cluster.and_then(|name| Some((name, world.configs.get(name)?))) else {
        return;
    };
    let old = ask.old.filter(|old| old.cluster() == Some(cluster.0.as_str()));
    let namespace = old.and_then(|old| settled(ask, old, config));
    let namespace = namespace.map_or_else(|| config.remote_namespace(&ask.request.namespace), Cow::Borrowed);
    let placed = Placed { ask, cluster, config, namespace: &namespace, old };
    if let Some(sizing) = decided.sizing {
        let disks = sizing.disks.iter().map(|disk| disk.name.as_str());
        taken(placed, disks, world, found);
        cluster::room(placed, sizing, world, found);
    }
    cluster::namespace(placed, found);
    cluster::storage_classes(placed, found);
    cluster::clones(placed, found);
    cluster::machine_type(placed, found);
}

/// Where its objects are, once that is recorded: an edit of the KubevirtConfig moves none of them (X38).
fn settled<'r>(ask: &Ask<'r>, old: &'r Object<'r>, config: &Config) -> Option<&'r str> {
    let Some(said) = old.recorded().filter(|recorded| recorded.cluster.is_some())?.namespace else {
        return Some(&ask.request.namespace);
    };
    let is_home = || {
        let vms = vm_names(&ask.policy.vm_prefix, old.name());
        let uid = old.metadata.uid.as_deref().unwrap_or_default();
        config.is_home(said, &key(ask), vms.iter().map(String::as_str), (uid, &ask.policy.supervisor))
    };
    (*said == *ask.request.namespace || is_home()).then_some(said)
}

/// A shared network may have the name of the Machine's own record, which we would have to overwrite (X59).
fn record(ask: &Ask<'_>, world: &World, found: &mut Findings) {
    let configurations = &world.networks.configurations;
    if !configurations.is_empty() && called(ask).is_some() && configurations.get(&key(ask)) == Some(&false) {
        found.refuse_unless(ask.old.is_some(), Reason::NameTaken.at("metadata.name").says(format!(
            "Invalid value: {:?}: a NetworkConfiguration of that name exists and is not this Machine's, but the record of its interfaces needs the name: choose another",
            shown(called(ask).unwrap_or_default())
        )));
    }
}

/// Names on the cluster that another Machine has: one VM, or one disk, would serve both (X16, KVO8, T12).
fn taken<'d>(placed: Placed<'_>, disks: impl Iterator<Item = &'d str>, world: &World, found: &mut Findings) {
    let Placed { ask, cluster, namespace, old, .. } = placed;
    let Some(machine) = called(ask).filter(|_| !world.machines.is_empty()) else { return };
    let me = key(ask);
    let mut name = Name { cluster: cluster.clone(), namespace: namespace.to_owned(), kind: VM, name: String::new() };
    if old.is_none() {
        name.name = vm_name(&ask.policy.vm_prefix, machine);
        if let Some(other) = world.holder(&name, &me) {
            found.wrong.push(collision("metadata.name".to_owned(), machine, &name, (other, &me.namespace)));
        }
    }
    name.kind = CLAIM;
    let iso = sources::iso(&ask.object.spec).map(|_| ISO_DISK);
    for disk in disks.chain(iso) {
        name.name = claim_name(machine, disk);
        let Some(other) = world.holder(&name, &me) else { continue };
        let at = ask.object.disk(disk);
        let held = old.is_some_and(|old| match at {
            Some(_) => old.disk(disk).is_some(),
            None => disk != ISO_DISK || sources::iso(&old.spec).is_some(),
        });
        let (path, value) = match at {
            Some((index, _)) => (format!("spec.disks[{index}].name"), disk),
            None if iso == Some(disk) => ("spec.os.isoUri".to_owned(), disk),
            None => ("metadata.name".to_owned(), machine),
        };
        found.refuse_unless(held, collision(path, value, &name, (other, &me.namespace)));
    }
}

fn collision(path: String, value: &str, name: &Name, (other, reader): (&MachineKey, &str)) -> Violation {
    Reason::NameTaken.at(path).says(format!(
        "Invalid value: {:?}: it makes the {} {}/{} on cluster {:?}, which {} has already: choose another name",
        shown(value),
        name.kind,
        name.namespace,
        name.name,
        name.cluster.0,
        say_machine(&other.to_string(), reader)
    ))
}
