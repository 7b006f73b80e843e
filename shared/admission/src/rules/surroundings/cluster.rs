//! What the chosen cluster has: storage classes, room, machine types. Pure. C48, C49, X23, X45, X67 to X69, T14.

use model::clusters::facts::EMULATED_MACHINES;
use model::message::Sizing;
use model::names::{NAMESPACE_LENGTH, is_reserved};
use model::reason::{Reason, did_you_mean};

use super::placed::{COMPARED, Placed, key, list};
use crate::findings::Findings;
use crate::placement::room::left;
use crate::review::size::counts;
use crate::review::{Object, Spec};
use crate::rules::firmware;
use crate::rules::form::shown;
use crate::world::{Size, World, say_cpus, say_memory};

/// The namespace that this cluster's KubevirtConfig sends the Machine to (X38, X67).
pub(super) fn namespace(placed: Placed<'_>, found: &mut Findings) {
    let Placed { ask, cluster, namespace: remote, old, .. } = placed;
    let here = &*ask.request.namespace;
    let (reason, wrong) = if remote.len() > NAMESPACE_LENGTH {
        (Reason::FieldInvalid, format!("a namespace of {} characters, at most {NAMESPACE_LENGTH} can be", remote.len()))
    } else if remote != here && is_reserved(remote, &ask.policy.own_namespace) {
        (Reason::NamespaceReserved, format!("the reserved namespace {remote:?}"))
    } else {
        return;
    };
    if old.is_none() {
        let says = format!(
            "Forbidden: KubevirtConfig {:?} sends it to {wrong}: correct its spec.namespace, or use another cluster",
            cluster.0
        );
        found.refuse_unless(false, reason.at("metadata.namespace").says(says));
    }
}

/// Storage classes of the disks (C48). While the cluster does not answer, that one is unknown is no proof (X69).
pub(super) fn storage_classes(placed: Placed<'_>, found: &mut Findings) {
    let Placed { ask, cluster, config, old, .. } = placed;
    let inventory = &config.inventory;
    for (index, given) in ask.object.spec.disks.iter().flatten().enumerate() {
        // X23: `default` stands for the cluster's default class, unless there is one of that name.
        let class = given.storage_class.as_deref().filter(|class| !matches!(*class, "" | "default"));
        let Some(class) = class.filter(|class| !inventory.storage_classes.contains_key(*class)) else { continue };
        let path = format!("spec.disks[{index}].storageClass");
        let before = old.and_then(|old| old.disk(&given.called(index)));
        let held = before.is_some_and(|(_, before)| before.storage_class == given.storage_class);
        if let Some(why) = inventory.silent.as_ref().or(inventory.classes_silent.as_ref()) {
            if !held {
                found.warn(format!(
                    "{path}: whether cluster {:?} has StorageClass {:?} is not known, its watches do not answer: {}",
                    cluster.0,
                    shown(class),
                    shown(why)
                ));
            }
            continue;
        }
        let known = || inventory.storage_classes.keys().map(String::as_str);
        found.refuse_unless(
            held,
            Reason::StorageClassNotFound.at(path).says(format!(
                "StorageClass {:?} not found on cluster {:?}: {}; update storageClass or create the StorageClass{}",
                shown(class),
                cluster.0,
                list(known()),
                did_you_mean(class, known().take(COMPARED))
            )),
        );
    }
}

/// A copy is made of what lies in the VM's own namespace: another namespace is another tenant's (T14).
pub(super) fn clones(placed: Placed<'_>, found: &mut Findings) {
    let Placed { ask, cluster, config, namespace: own, old } = placed;
    let shared = !config.is_alone(&ask.request.namespace, own);
    for (index, given) in ask.object.spec.disks.iter().flatten().enumerate() {
        let pvc = given.source.as_ref().and_then(|source| source.pvc.as_ref());
        if shared && pvc.is_some() {
            let before = old.and_then(|old| old.disk(&given.called(index)));
            let held = before.is_some_and(|(_, before)| before.source == given.source);
            found.refuse_unless(held, Reason::FieldForbidden.at(format!("spec.disks[{index}].source.pvc")).says(format!(
                "Forbidden: its VM is in namespace {own:?} of cluster {:?}, which several namespaces share: nothing is copied there; use source.http or source.registry",
                cluster.0
            )));
            continue;
        }
        let namespace = pvc.and_then(|pvc| pvc.namespace.as_deref()).filter(|it| !it.is_empty() && *it != own);
        let Some(namespace) = namespace else { continue };
        let before = old.and_then(|old| old.disk(&given.called(index)));
        let held = before.is_some_and(|(_, before)| before.source == given.source);
        found.refuse_unless(
            held,
            Reason::FieldForbidden.at(format!("spec.disks[{index}].source.pvc.namespace")).says(format!(
                "Forbidden: {:?}: a volume is copied from the namespace of its VM only, {own:?}; leave the field out",
                shown(namespace)
            )),
        );
    }
}

/// What a size is taken from, for the path of a violation.
fn cpu_path(spec: &Spec<'_>) -> &'static str {
    let given = counts(spec).into_iter().find_map(|count| {
        let at = usize::from(count.given[0].is_none());
        count.value().map(|_| count.paths[at])
    });
    given.unwrap_or("spec.template")
}

/// Room on the cluster (C49, X68): no node that is large enough is a mistake, no room now is a reason to wait.
pub(super) fn room(placed: Placed<'_>, sizing: &Sizing, world: &World, found: &mut Findings) {
    let Placed { ask, cluster, config, old, .. } = placed;
    let Some(left) = left(cluster, config, world.machines.awaited_of(&key(ask)), world) else { return };
    let needed = Size::of(sizing);
    let spec = &ask.object.spec;
    let (largest, free) = (&left.largest, left.free());
    let memory_path = spec.memory_given().map_or("spec.template", |(path, _)| path);
    let rows = [
        (needed.cpu, largest.cpu, free.cpu, cpu_path(spec), say_cpus as fn(u64) -> String),
        (needed.memory, largest.memory, free.memory, memory_path, say_memory),
    ];
    for (need, largest, free, path, text) in rows {
        if let Some(largest) = largest.filter(|largest| need > *largest) {
            found.refuse_unless(old.is_some_and(|old| resolved(old) == Some(needed)), Reason::InsufficientResources.at(path).says(format!(
                "needs {}, but the largest node of cluster {:?} has {}: scale the cluster or reduce the resource requests",
                text(need), cluster.0, text(largest)
            )));
        } else if let Some(free) = free.filter(|free| need > *free && old.is_none()) {
            found.warn(format!(
                "{path}: needs {}, and cluster {:?} has {} left: the VM waits until there is room",
                text(need),
                cluster.0,
                text(free)
            ));
        }
    }
}

/// What the Machine was admitted with before.
fn resolved(old: &Object<'_>) -> Option<Size> {
    Sizing::read(old.annotation(|all| &all.resolved)?).ok().map(|sizing| Size::of(&sizing))
}

/// KubeVirt takes q35 alone, unless its administrator allows others (X45).
pub(super) fn machine_type(placed: Placed<'_>, found: &mut Findings) {
    let Placed { ask, cluster, config, old, .. } = placed;
    let Some((path, kind)) = firmware::machine_type(&ask.object.spec) else { return };
    let known = config.emulated_machines.as_deref();
    let allowed = match known {
        Some(known) => known.iter().any(|pattern| matches(pattern, kind)),
        None => EMULATED_MACHINES.into_iter().any(|pattern| matches(pattern, kind)),
    };
    if allowed {
        return;
    }
    let held = old.and_then(|old| firmware::machine_type(&old.spec)).is_some_and(|(_, before)| before == kind);
    let (listed, whose) = match known {
        Some(known) => (known.join(", "), "takes"),
        None => (EMULATED_MACHINES.join(", "), "is not known to take others than"),
    };
    found.refuse_unless(held, Reason::FieldNotSupported.at(path).says(format!(
        "Unsupported value: {:?}: the KubeVirt of cluster {:?} {whose} {listed}: leave the field out, or let its administrator allow this one (emulatedMachines)",
        shown(kind), cluster.0
    )));
}

/// Whether a text is as the pattern says, in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => text.strip_prefix(head).is_some_and(|text| {
            rest.is_empty() || text.char_indices().any(|(at, _)| matches(rest, &text[at..])) || matches(rest, "")
        }),
    }
}
