//! The choice that the operator makes itself: the default, the only one, the one that has the VM, the draw. Pure.

use super::super::world::{Config, Strategy, WhenUnreachable, World};
use super::draw::{self, Draw};
use super::search::{self, Dropped, Located, Member, Set, Subject};
use super::{ANNOTATION, Placement, Source, explain, refusals, warn_unless_well};
use crate::names::ClusterName;
use crate::reason::Violation;

/// 5.4c: the fleet's default, unless the VM is known to be elsewhere (X4).
pub(super) fn default(
    subject: &Subject<'_, '_>,
    name: &ClusterName,
    config: &Config,
    world: &World,
    warnings: &mut Vec<String>,
) -> Result<Placement, Vec<Violation>> {
    let elsewhere = elsewhere(subject, name, world);
    if !elsewhere.is_empty() {
        let set = search::set(subject, world);
        let eligible = |other: &ClusterName| set.members.iter().find(|(member, _)| *member == other);
        return match elsewhere.as_slice() {
            [(other, vm)] if world.policy.adopt_before_default && eligible(other).is_some() => {
                let (other, config) = eligible(other).expect("invariant: it was found above");
                Ok(Placement::at(other, Source::Adopted, &Located::Found(vm.clone()), config))
            }
            found => Err(refusals::elsewhere(name, found, |other| eligible(other).is_some())),
        };
    }
    let mut wrong = Vec::new();
    refusals::unusable(subject, ANNOTATION, name, config, world, &mut wrong);
    if !config.schedulable {
        wrong.push(refusals::cordoned_default(name));
    }
    let located = search::locate(subject, config, world);
    if let Located::Taken(whose) = &located {
        wrong.push(refusals::taken(name, whose));
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    warn_unless_well(name, config, warnings);
    if !subject.name().is_empty() {
        let silent = world.configs.iter().filter(|(other, it)| *other != name && it.link.silent.is_some());
        let silent: Vec<_> = silent.map(|(other, _)| other.0.as_str()).take(explain::NAMES).collect();
        if !silent.is_empty() {
            warnings.push(format!("not searched for the VM, because they do not answer: {}", silent.join(", ")));
        }
    }
    Ok(Placement::at(name, Source::Default, &located, config))
}

/// Other clusters that the Machine may be on and where its VM is known to be.
pub(super) fn elsewhere<'w>(
    subject: &Subject<'_, '_>,
    but: &ClusterName,
    world: &'w World,
) -> Vec<(&'w ClusterName, String)> {
    let others = world.configs.iter().filter(|(name, config)| *name != but && !config.link.vms.is_empty());
    let found = others.filter_map(|(name, config)| match search::locate(subject, config, world) {
        Located::Found(vm) if search::allowed(config, &subject.request.namespace, world) => Some((name, vm)),
        Located::Found(_) | Located::Absent | Located::Taken(_) => None,
    });
    found.collect()
}

/// 5.4d to 5.4f: one is taken; of several the one with the VM; else by strategy.
pub(super) fn several(
    subject: &Subject<'_, '_>,
    set: &Set<'_>,
    world: &World,
    warnings: &mut Vec<String>,
) -> Result<Placement, Vec<Violation>> {
    let mut dropped = set.dropped.clone();
    let mut taken = Vec::new();
    let mut found = Vec::new();
    let mut silent = Vec::new();
    let mut open = Vec::new();
    for member in &set.members {
        let (name, config) = *member;
        match search::locate(subject, config, world) {
            Located::Found(vm) => found.push((name, vm)),
            Located::Taken(whose) => taken.push((name, whose)),
            Located::Absent if set.members.len() > 1 && config.link.silent.is_some() => silent.push(*member),
            Located::Absent => open.push(*member),
        }
    }
    if found.len() > 1 {
        return Err(refusals::in_several(&found));
    }
    let skip = world.policy.when_unreachable() == WhenUnreachable::Skip;
    if skip {
        warn_skipped(subject, &silent, warnings);
    } else if !silent.is_empty() && !subject.name().is_empty() {
        return Err(refusals::silent(subject, &silent));
    } else {
        open.append(&mut silent);
        open.sort_by_key(|(name, _)| *name);
    }
    let passed_over = world.policy.default_cluster.as_ref();
    if let [(name, vm)] = found.as_slice() {
        let why = explain::choice(Source::Adopted, name, (Some(vm), true), passed_over, &dropped, &[]);
        let vm = Some(vm.clone());
        return Ok(Placement {
            cluster: (*name).clone(),
            source: Source::Adopted,
            vm,
            searched: true,
            why,
            settled: false,
        });
    }
    dropped.extend(taken.iter().map(|(name, _)| (*name, Dropped::Taken)));
    dropped.extend(silent.iter().map(|(name, _)| (*name, Dropped::Silent)));
    let balanced = world.policy.strategy == Strategy::Balanced;
    open.retain(|(name, config)| {
        let why = match () {
            () if !config.schedulable => Dropped::Unschedulable,
            // Under `strict` an outage must not turn an ambiguous manifest into one that is accepted.
            () if balanced && set.members.len() > 1 && config.unhealthy.is_some() => Dropped::Unhealthy,
            () => return true,
        };
        dropped.push((name, why));
        false
    });
    let (source, member) = match open.as_slice() {
        [] => return Err(refusals::none(subject, &dropped, &taken, world)),
        [only] => (Source::OnlyCluster, *only),
        candidates if balanced => (Source::Balanced, draw(subject, candidates, world)),
        candidates => return Err(refusals::ambiguous(subject, candidates)),
    };
    warn_unless_well(member.0, member.1, warnings);
    let candidates: Vec<_> = open.iter().map(|(name, _)| *name).collect();
    let searched = member.1.link.silent.is_none();
    let why = explain::choice(source, member.0, (None, searched), passed_over, &dropped, &candidates);
    Ok(Placement { cluster: member.0.clone(), source, vm: None, searched, why, settled: false })
}

fn warn_skipped(subject: &Subject<'_, '_>, silent: &[Member<'_>], warnings: &mut Vec<String>) {
    let names: Vec<_> = silent.iter().map(|(name, _)| name.0.as_str()).take(explain::NAMES).collect();
    if !names.is_empty() && !subject.name().is_empty() {
        warnings.push(format!("left out, because they do not answer: {}", names.join(", ")));
    }
}

fn draw<'w>(subject: &Subject<'_, '_>, candidates: &[Member<'w>], world: &World) -> Member<'w> {
    let draw = Draw::new(candidates.iter().map(|(_, config)| config.weight).collect());
    let load = |index: usize| {
        let (name, config) = candidates[index];
        world.machines.load(name, config.slot).expected(world.policy.replicas)
    };
    let index = draw.draw(draw::seed(&subject.request.uid), load);
    candidates[index.expect("invariant: there are candidates")]
}
