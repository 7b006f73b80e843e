//! Why no cluster can be picked, in the words that the documentation promises. Pure. A10, A11, E4, X8, X52.

use model::names::ClusterName;
use model::reason::{Reason, Violation, did_you_mean};

use super::outcome::{ANNOTATION, NAMES, SELECTOR};
use super::search::{self, Dropped, Member, Subject};
use crate::world::{Config, World};

/// A KubevirtConfig that does not exist (B21, X39).
pub(super) fn missing(path: &str, name: &str, default: bool, world: &World) -> Violation {
    let names = || world.configs.keys().map(|name| name.0.as_str());
    let known = match world.configs.len() {
        0 => "there is none".to_owned(),
        _ => format!("known are {}", some(names(), world.configs.len())),
    };
    let near = did_you_mean(name, names());
    let namespace = in_namespace(world);
    let whose = if default { "the default of DEFAULT_KUBEVIRT_CONFIG, " } else { "" };
    Reason::KubevirtConfigNotFound
        .at(path)
        .says(format!("{whose}KubevirtConfig {name:?} not found{namespace}: {known}{near}"))
}

/// A KubevirtConfig that this namespace may not use (T10), or that runs no VMs (X53).
pub(super) fn unusable(
    subject: &Subject<'_, '_>,
    path: &str,
    name: &ClusterName,
    config: &Config,
    world: &World,
    wrong: &mut Vec<Violation>,
) {
    let namespace = &*subject.request.namespace;
    if !search::allowed(config, namespace, world) {
        let others = world.configs.iter().filter(|(_, config)| search::allowed(config, namespace, world));
        let others: Vec<_> = others.map(|(name, _)| name.0.as_str()).collect();
        let next = match others.len() {
            0 => "no KubevirtConfig allows it".to_owned(),
            count => format!("use one of {}", some(others.iter().copied(), count)),
        };
        wrong.push(Reason::KubevirtConfigNotAllowed.at(path).says(format!(
            "Forbidden: KubevirtConfig {:?} is not for namespace {namespace:?} (its spec.allowedNamespaces does not match the labels of the namespace): {next}",
            name.0
        )));
    }
    if let Some(elder) = &config.duplicate_of {
        let usable =
            |config: &&std::sync::Arc<Config>| config.virtual_machines && search::allowed(config, namespace, world);
        let next = match world.configs.get(elder).filter(usable) {
            Some(_) => format!("name {:?}", elder.0),
            None => "name another; that one is not for this Machine either".to_owned(),
        };
        wrong.push(Reason::ClusterDuplicate.at(path).says(format!(
            "Forbidden: KubevirtConfig {:?} leads to the same cluster as the older {:?} and takes no new Machines: {next}",
            name.0, elder.0
        )));
    }
    if config.leaving {
        wrong.push(leaving(path, name));
    }
    if !config.virtual_machines {
        wrong.push(Reason::CapabilityMissing.at(path).says(format!(
            "KubevirtConfig {:?} lacks the capability \"virtualmachines\": name another, or add it to its spec.capabilities",
            name.0
        )));
    }
}

/// One that is being deleted, which waits for the Machines that are there (R5).
pub(super) fn leaving(path: &str, name: &ClusterName) -> Violation {
    Reason::NoKubevirtConfigs.at(path).says(format!(
        "Forbidden: KubevirtConfig {:?} is being deleted and takes no new Machines: name another",
        name.0
    ))
}

/// A default that takes no new Machines.
pub(super) fn cordoned_default(name: &ClusterName) -> Violation {
    Reason::NoKubevirtConfigs.at(ANNOTATION).says(format!(
        "the default of DEFAULT_KUBEVIRT_CONFIG, KubevirtConfig {:?}, is not schedulable: name another cluster, or ask whoever runs it to set its spec.schedulable to true",
        name.0
    ))
}

/// A stranger's VM holds the name (X54).
pub(super) fn taken(name: &ClusterName, whose: &str) -> Violation {
    Reason::VirtualMachineTaken
        .at("metadata.name")
        .says(format!("on cluster {:?}, {whose}: give the Machine another name, or place it elsewhere", name.0))
}

/// The default is one cluster, the VM is on another (X4).
pub(super) fn elsewhere(
    default: &ClusterName,
    found: &[(&ClusterName, String)],
    eligible: impl Fn(&ClusterName) -> bool,
) -> Vec<Violation> {
    if found.len() > 1 {
        return in_several(found);
    }
    let (cluster, vm) = &found[0];
    if !eligible(cluster) {
        return vec![Reason::VirtualMachineElsewhere.at(ANNOTATION).says(format!(
            "VirtualMachine {vm} is on cluster {:?}, where spec.clusterSelector or the KubevirtConfig does not let this Machine be: rename the Machine, or set this annotation to {:?} for a second one",
            cluster.0, default.0
        ))];
    }
    vec![Reason::VirtualMachineElsewhere.at(ANNOTATION).says(format!(
        "VirtualMachine {vm} is on cluster {:?}, and the default is {:?}: set this annotation to {:?} to adopt it, or to {:?} for a second one",
        cluster.0, default.0, cluster.0, default.0
    ))]
}

/// The VM is on more than one cluster (X6).
pub(super) fn in_several(found: &[(&ClusterName, String)]) -> Vec<Violation> {
    let places = found.iter().take(NAMES).map(|(name, vm)| format!("{} ({vm})", name.0)).collect::<Vec<_>>().join(", ");
    vec![Reason::VirtualMachineElsewhere.at(ANNOTATION).says(format!(
        "the Machine's VirtualMachine is on {} clusters: {places}: set this annotation to the one to adopt",
        found.len()
    ))]
}

/// Clusters that had to be searched and did not answer (X7).
pub(super) fn silent(subject: &Subject<'_, '_>, silent: &[Member<'_>]) -> Vec<Violation> {
    let said = silent.iter().take(NAMES).map(|(name, config)| {
        let why: String = config.inventory.silent.as_deref().unwrap_or_default().chars().take(160).collect();
        format!("{} ({why})", name.0)
    });
    let said = said.collect::<Vec<_>>().join(", ");
    vec![Reason::ClusterSilent.at(ANNOTATION).says(format!(
        "machine {} may have its VirtualMachine on a cluster that does not answer: {said}: apply again later, or set this annotation",
        subject.called()
    ))]
}

/// A10 word for word, and the names to choose from as a cause of its own (X52).
pub(super) fn ambiguous(subject: &Subject<'_, '_>, candidates: &[Member<'_>]) -> Vec<Violation> {
    let (machine, count) = (subject.called(), candidates.len());
    let names = some(candidates.iter().map(|(name, _)| name.0.as_str()), count);
    vec![
        Reason::AmbiguousPlacement.at(ANNOTATION).says(format!(
            "machine {machine} has no KubevirtConfig reference and {count} configs are available - cannot determine placement. \
             Please set annotation 'vitistack.io/kubevirt-config' or DEFAULT_KUBEVIRT_CONFIG env var"
        )),
        Reason::AmbiguousPlacement.at(ANNOTATION).says(format!("set it to one of: {names}")),
    ]
}

/// Nothing is left to choose from: the sentence of the filter that did it, then what became of each (X52).
pub(super) fn none(
    subject: &Subject<'_, '_>,
    dropped: &[(&ClusterName, Dropped)],
    taken: &[(&ClusterName, String)],
    world: &World,
) -> Vec<Violation> {
    if !taken.is_empty() && taken.len() == dropped.len() {
        return taken.iter().take(NAMES).map(|(name, whose)| self::taken(name, whose)).collect();
    }
    let machine = subject.called();
    let only = |which: &[Dropped]| dropped.iter().all(|(_, why)| which.contains(why));
    let first = match () {
        () if only(&[Dropped::Unschedulable, Dropped::NotAllowed, Dropped::Duplicate, Dropped::Leaving]) => {
            Reason::NoKubevirtConfigs.at(ANNOTATION).says(format!(
                "machine {machine} has no KubevirtConfig reference and no KubevirtConfigs are available{}",
                in_namespace(world)
            ))
        }
        () if only(&[Dropped::NotCapable]) => {
            Reason::CapabilityMissing.at(ANNOTATION).says("No hub with virtualmachine capability found")
        }
        () if only(&[Dropped::NotSelected]) => not_selected(subject, world),
        () => Reason::NoKubevirtConfigs
            .at(ANNOTATION)
            .says(format!("machine {machine} matches none of the {} KubevirtConfigs", world.configs.len())),
    };
    let mut wrong = vec![first];
    if dropped.is_empty() {
        wrong.push(
            Reason::NoKubevirtConfigs.at(ANNOTATION).says(format!(
                "create a KubevirtConfig{}, with a Secret that holds its kubeconfig",
                in_namespace(world)
            )),
        );
    }
    let mut sorted = dropped.to_vec();
    sorted.sort_unstable();
    for (name, why) in sorted.iter().take(NAMES) {
        wrong.push(Reason::NoKubevirtConfigs.at(ANNOTATION).says(format!(
            "{}: {}",
            name.0,
            said(name, *why, taken, world)
        )));
    }
    if sorted.len() > NAMES {
        wrong.push(Reason::NoKubevirtConfigs.at(ANNOTATION).says(format!("and {} more", sorted.len() - NAMES)));
    }
    wrong
}

fn said(name: &ClusterName, why: Dropped, taken: &[(&ClusterName, String)], world: &World) -> String {
    let config = world.configs.get(name);
    let cut = |text: Option<&String>| text.map(|text| text.chars().take(160).collect::<String>()).unwrap_or_default();
    match why {
        Dropped::NotAllowed => "its spec.allowedNamespaces does not match the labels of this namespace".to_owned(),
        Dropped::NotSelected => "its labels do not match spec.clusterSelector".to_owned(),
        Dropped::NotCapable => "lacks the capability \"virtualmachines\": add it to its spec.capabilities".to_owned(),
        Dropped::Duplicate => {
            let elder = config.and_then(|config| config.duplicate_of.as_ref()).map(|elder| elder.0.as_str());
            format!("leads to the same cluster as {:?}, which counts", elder.unwrap_or_default())
        }
        Dropped::Leaving => "is being deleted".to_owned(),
        Dropped::Unschedulable => "is not schedulable: name it, or set its spec.schedulable to true".to_owned(),
        Dropped::Silent => {
            format!("does not answer: {}", cut(config.and_then(|config| config.inventory.silent.as_ref())))
        }
        Dropped::Unhealthy => {
            format!("is not usable now: {}", cut(config.and_then(|config| config.unhealthy.as_ref())))
        }
        // Nobody is refused for it: without room anywhere, all are chosen from.
        Dropped::NoRoom => "has no room".to_owned(),
        Dropped::Taken => {
            taken.iter().find(|(taken, _)| *taken == name).map(|(_, whose)| whose.clone()).unwrap_or_default()
        }
    }
}

/// A selector that selects nothing, with the values that there are to select (X52).
fn not_selected(subject: &Subject<'_, '_>, world: &World) -> Violation {
    let Some(selector) = subject.selector() else {
        return Reason::SelectorMatchesNone.at(SELECTOR).says("matches no KubevirtConfig");
    };
    let expressions = selector.match_expressions.iter().map(|expression| &expression.key);
    let keys: std::collections::BTreeSet<&String> = selector.match_labels.keys().chain(expressions).collect();
    let values = keys.into_iter().take(NAMES).map(|key| {
        let mut values: Vec<&str> =
            world.configs.values().filter_map(|config| config.labels.get(key)).map(String::as_str).collect();
        values.sort_unstable();
        values.dedup();
        match values.len() {
            0 => format!("no KubevirtConfig has the label {key}"),
            count => format!("{key} is {}", some(values.iter().copied(), count)),
        }
    });
    let values = values.collect::<Vec<_>>().join("; ");
    Reason::SelectorMatchesNone
        .at(SELECTOR)
        .says(format!("{selector} matches none of the {} KubevirtConfigs: {values}", world.configs.len()))
}

/// Where KubevirtConfigs are, as the end of a sentence; nothing where they are cluster-scoped (X8).
fn in_namespace(world: &World) -> String {
    world.policy.configs_namespace.as_ref().map(|namespace| format!(" in namespace {namespace}")).unwrap_or_default()
}

/// The first names of a list of that length.
fn some<'n>(names: impl Iterator<Item = &'n str>, count: usize) -> String {
    let listed = names.take(NAMES).collect::<Vec<_>>().join(", ");
    format!("{listed}{}", if count > NAMES { ", …" } else { "" })
}
