//! The choice that the operator makes itself: the default, the only one, the one that has the VM, the draw. Pure.

use std::borrow::Cow;

use model::message::Explanation;
use model::names::{ClusterName, VmKey};
use model::reason::Violation;

use super::draw::{draw, seed};
use super::outcome::{ANNOTATION, NAMES, Placement, Rule};
use super::refusals;
use super::room;
use super::search::{self, Dropped, Located, Member, Set, Subject};
use crate::findings::Findings;
use crate::world::{Config, Strategy, WhenUnreachable, World};

/// The fleet's default (A2), unless the VM is known to be elsewhere (X4).
pub(super) fn default(
    subject: &Subject<'_, '_>,
    name: &ClusterName,
    config: &Config,
    world: &World,
    found: &mut Findings,
) -> Result<Placement, Vec<Violation>> {
    let elsewhere = elsewhere(subject, name, world);
    if !elsewhere.is_empty() {
        let set = search::set(subject, world);
        let eligible = |other: &ClusterName| set.members.iter().find(|(member, _)| *member == other);
        return match elsewhere.as_slice() {
            [(other, vm)] if world.policy.adopt_before_default && eligible(other).is_some() => {
                let (other, config) = eligible(other).expect("invariant: it was found above");
                Ok(Placement::at(other, Rule::Adopted, &Located::Found(vm.clone()), config))
            }
            several => Err(refusals::elsewhere(name, several, |other| eligible(other).is_some())),
        };
    }
    let mut wrong = Vec::new();
    refusals::unusable(subject, ANNOTATION, name, config, world, &mut wrong);
    if !config.schedulable {
        wrong.push(refusals::cordoned_default(name));
    }
    let located = search::search(subject, (name, config), world, found);
    if let Located::Taken(whose) = &located {
        wrong.push(refusals::taken(name, whose));
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    warn_unless_well(name, config, "the VM", found);
    if !subject.name().is_empty() {
        let silent = world.configs.iter().filter(|(other, it)| *other != name && it.inventory.silent.is_some());
        let silent: Vec<_> = silent.map(|(other, _)| other.0.as_str()).take(NAMES).collect();
        if !silent.is_empty() {
            found.warn(format!("not searched for the VM, because they do not answer: {}", silent.join(", ")));
        }
    }
    Ok(Placement::at(name, Rule::Default, &located, config))
}

/// Other clusters that the Machine may be on and where its VM is known to be.
pub(super) fn elsewhere<'w>(
    subject: &Subject<'_, '_>,
    but: &ClusterName,
    world: &'w World,
) -> Vec<(&'w ClusterName, String)> {
    let others = world
        .configs
        .iter()
        .filter(|(name, config)| *name != but && config.duplicate_of.is_none() && !config.inventory.vms.is_empty());
    let found = others.filter_map(|(name, config)| match search::locate(subject, (name, config), world) {
        Located::Found(vm) if search::allowed(config, &subject.request.namespace, world) => {
            // That of the Machine which is stored under this name is no reason to send its author elsewhere.
            let key = VmKey { namespace: config.remote_namespace(&subject.request.namespace).into_owned(), name: vm };
            (!search::is_held(subject, name, &key, world)).then_some((name, key.name))
        }
        Located::Found(_) | Located::Absent | Located::Taken(_) => None,
    });
    found.collect()
}

/// What the search set comes to: where the Machine's VM is, where a stranger has its name, who does not answer, and who is
/// left to choose from.
struct Sorted<'w> {
    dropped: Vec<(&'w ClusterName, Dropped)>,
    taken: Vec<(&'w ClusterName, String)>,
    holders: Vec<(&'w ClusterName, String)>,
    silent: Vec<Member<'w>>,
    open: Vec<Member<'w>>,
}

fn sort<'w>(subject: &Subject<'_, '_>, set: &Set<'w>, world: &World, found: &mut Findings) -> Sorted<'w> {
    let mut sorted = Sorted {
        dropped: set.dropped.clone(),
        taken: Vec::new(),
        holders: Vec::new(),
        silent: Vec::new(),
        open: Vec::new(),
    };
    for member in &set.members {
        let (name, config) = *member;
        match search::search(subject, *member, world, found) {
            Located::Found(vm) => sorted.holders.push((name, vm)),
            Located::Taken(whose) => sorted.taken.push((name, whose)),
            Located::Absent if set.members.len() > 1 && config.inventory.silent.is_some() => {
                sorted.silent.push(*member);
            }
            Located::Absent => sorted.open.push(*member),
        }
    }
    sorted
}

/// Of the clusters that are left: the only one (A3); of several the one with the VM (A4); else by strategy (A5, A24).
pub(super) fn several(
    subject: &Subject<'_, '_>,
    set: &Set<'_>,
    world: &World,
    found: &mut Findings,
) -> Result<Placement, Vec<Violation>> {
    let Sorted { mut dropped, taken, holders, mut silent, mut open } = sort(subject, set, world, found);
    if holders.len() > 1 {
        return Err(refusals::in_several(&holders));
    }
    let strategy = subject.strategy(world);
    let skip = world.policy.when_unreachable(strategy) == WhenUnreachable::Skip;
    if skip {
        warn_skipped(subject, &silent, found);
    } else if !silent.is_empty() && !subject.name().is_empty() {
        return Err(refusals::silent(subject, &silent));
    } else {
        open.append(&mut silent);
        open.sort_by_key(|(name, _)| *name);
    }
    if let [(name, vm)] = holders.as_slice() {
        if world.configs.get(*name).is_some_and(|config| config.leaving) {
            return Err(vec![refusals::leaving(ANNOTATION, name)]);
        }
        return Ok(chosen(Rule::Adopted, name, (Some(vm.clone()), true), (&dropped, &[]), &[], world));
    }
    dropped.extend(taken.iter().map(|(name, _)| (*name, Dropped::Taken)));
    dropped.extend(silent.iter().map(|(name, _)| (*name, Dropped::Silent)));
    let balanced = strategy == Strategy::Balanced;
    open.retain(|(name, config)| {
        let why = match () {
            () if config.leaving => Dropped::Leaving,
            () if !config.schedulable => Dropped::Unschedulable,
            // Under `strict` an outage must not turn an ambiguous manifest into one that is accepted.
            () if balanced && set.members.len() > 1 && config.unhealthy.is_some() => Dropped::Unhealthy,
            () => return true,
        };
        dropped.push((name, why));
        false
    });
    let sized = subject.size.filter(|_| balanced && open.len() > 1);
    let (passed, room) = sized.map(|size| room::pass_over(subject, size, &mut open, world)).unwrap_or_default();
    dropped.extend(passed.iter().map(|name| (*name, Dropped::NoRoom)));
    let (rule, (name, config)) = match open.as_slice() {
        [] => return Err(refusals::none(subject, &dropped, &taken, world)),
        [only] if passed.is_empty() => (Rule::OnlyCluster, *only),
        candidates if balanced => (Rule::Balanced, draw_one(subject, candidates, world)),
        candidates => return Err(refusals::ambiguous(subject, candidates)),
    };
    warn_unless_well(name, config, "the VM", found);
    Ok(chosen(rule, name, (None, config.inventory.silent.is_none()), (&dropped, &room), &open, world))
}

/// The outcome of a choice, and its explanation: how many were left out for which reason, sentences about those without room,
/// and the first of those that were not left out.
fn chosen(
    rule: Rule,
    cluster: &ClusterName,
    (vm, searched): (Option<String>, bool),
    (dropped, room): (&[(&ClusterName, Dropped)], &[String]),
    candidates: &[Member<'_>],
    world: &World,
) -> Placement {
    let mut explanation = Explanation {
        rule: Cow::Borrowed(rule.name()),
        cluster: Cow::Borrowed(&cluster.0),
        vm: vm.as_deref().map(Cow::Borrowed),
        searched,
        default_passed_over: world.policy.default_cluster.as_ref().map(|name| Cow::Borrowed(name.0.as_str())),
        room: room.iter().map(|sentence| Cow::Borrowed(sentence.as_str())).collect(),
        candidates: (!candidates.is_empty()).then_some(candidates.len()),
        among: candidates.iter().take(NAMES).map(|(name, _)| Cow::Borrowed(name.0.as_str())).collect(),
        ..Explanation::default()
    };
    for (_, why) in dropped {
        *explanation.dropped.entry(Cow::Borrowed(why.name())).or_default() += 1;
    }
    let why = explanation.write();
    Placement { cluster: cluster.clone(), rule, vm, searched, why, settled: false }
}

fn warn_skipped(subject: &Subject<'_, '_>, silent: &[Member<'_>], found: &mut Findings) {
    let names: Vec<_> = silent.iter().map(|(name, _)| name.0.as_str()).take(NAMES).collect();
    if !names.is_empty() && !subject.name().is_empty() {
        found.warn(format!("left out, because they do not answer: {}", names.join(", ")));
    }
}

/// Says that the VM will wait, where that is known (A26), or the change of one that is there already (FR11).
pub(super) fn warn_unless_well(cluster: &ClusterName, config: &Config, what: &str, found: &mut Findings) {
    if let Some(why) = config.unhealthy.as_ref().or(config.inventory.silent.as_ref()) {
        let why: String = why.chars().take(160).collect();
        found.warn(format!("KubevirtConfig {:?} is not usable now, so {what} waits: {why}", cluster.0));
    }
}

fn draw_one<'w>(subject: &Subject<'_, '_>, candidates: &[Member<'w>], world: &World) -> Member<'w> {
    let weights: Vec<u32> = candidates.iter().map(|(_, config)| config.weight).collect();
    let load = |index: usize| world.machines.load(candidates[index].0).expected(world.policy.replicas);
    let index = draw(seed(&subject.request.uid), &weights, load);
    candidates[index.expect("invariant: there are candidates")]
}
