//! Which size a Machine starts from, before its overrides. Pure. X1, X21, X63, C11 to C13, C46.

use std::collections::BTreeMap;

use model::api::class::{self, ROOT_DISK};
use model::message::{SizeSource, Sizing};
use model::reason::{Reason, Violation, did_you_mean};

use super::before::Before;
use crate::findings::Findings;
use crate::review::size::{ROOT, templates};
use crate::review::{Disk, Object, Spec, Text};
use crate::world::{Class, World};

/// Names of the built-in templates, smallest first.
pub const BUILT_IN: [&str; 3] = [class::BUILT_IN[0].name, class::BUILT_IN[1].name, class::BUILT_IN[2].name];

/// The parts of a size before the overrides.
pub(super) struct Base {
    /// The name of the size.
    pub template: Option<String>,
    /// Where it was found.
    pub source: SizeSource,
    /// The MachineClass, when it is one.
    pub class: Option<Class>,
    /// Cores per socket.
    pub cores: i64,
    /// Guest memory, a quantity.
    pub memory: Option<String>,
    /// Size of the root disk that the size brings.
    pub root: Option<&'static str>,
    /// The class is gone, and these are the numbers of the Machine itself, overrides and all.
    pub kept: bool,
}

impl Base {
    /// Stands in for a size that could not be found, so that the overrides can be judged.
    pub(super) fn unknown() -> Self {
        Base {
            template: None,
            source: SizeSource::Spec,
            class: None,
            cores: 1,
            memory: None,
            root: Some(ROOT_DISK),
            kept: false,
        }
    }
}

/// The built-in of that name (C11 to C13).
fn built_in(name: &str) -> Option<Base> {
    let class::BuiltIn { cores, memory, disk, .. } = class::BUILT_IN.into_iter().find(|it| it.name == name)?;
    let memory = Some(memory.to_owned());
    Some(Base {
        template: Some(name.to_owned()),
        source: SizeSource::BuiltIn,
        class: None,
        cores,
        memory,
        root: Some(disk),
        kept: false,
    })
}

/// A Machine that says nothing about its root disk gets this one beside the numbers of a class.
/// So does one that lists `root` without a size.
fn from_class(name: &str, class: Class, spec: &Spec<'_>, kept: bool) -> Base {
    let disks = spec.disks.as_deref().unwrap_or_default();
    let sized = |disk: &Disk<'_>| disk.size.is_some() || disk.size_gb.is_some_and(|size| size != 0);
    let asks = disks.is_empty() || disks.iter().any(|disk| disk.name.as_deref() == Some(ROOT) && !sized(disk));
    Base {
        template: Some(name.to_owned()),
        source: SizeSource::MachineClass,
        cores: class.cores,
        memory: Some(class.memory.clone()),
        class: Some(class),
        root: asks.then_some(ROOT_DISK),
        kept,
    }
}

/// What a class gave once, from the Machine that has it.
fn remembered(sizing: &Sizing) -> Class {
    Class {
        generation: sizing.generation.unwrap_or_default(),
        cores: sizing.cores,
        threads: sizing.threads,
        sockets: sizing.sockets,
        memory: sizing.memory.clone(),
        memory_bounds: (None, None),
        enabled: true,
        default: false,
    }
}

/// Finds the size that a Machine starts from: its class, a built-in template, the default class, or the spec alone (X63).
pub(super) fn find(
    object: &Object<'_>,
    before: Option<Before<'_>>,
    world: &World,
    found: &mut Findings,
) -> Option<Base> {
    let first = templates(object).next();
    if templates(object).any(|(_, name)| Some(name) != first.map(|(_, name)| name)) {
        return None; // the rule about templates says so
    }
    if let Some((path, name)) = first.filter(|(path, _)| *path != "spec.template") {
        found.warn(format!("{path} is an alias: use spec.template: {name}"));
    }
    let spec = &object.spec;
    let held = before.and_then(|before| Some((before.class(object)?, before.sizing)));
    if let Some((name, sizing)) = held.filter(|(name, _)| !world.classes.contains_key(*name)) {
        found.warn(format!(
            "MachineClass {name:?} is gone: the Machine keeps the cores and memory that it has: name another size in spec.template"
        ));
        return Some(from_class(name, remembered(sizing), spec, true));
    }
    let count = found.wrong.len();
    let held = held.map(|(name, _)| name);
    let default = || default_class(&world.classes, spec, held, &mut found.wrong);
    let Some(name) = first.map(|(_, name)| name).or_else(default) else {
        return if found.wrong.len() > count { None } else { from_spec_alone(spec, &mut found.wrong) };
    };
    let Some(class) = world.classes.get(name) else {
        return built_in(name).or_else(|| {
            found.wrong.push(not_found(object, name, &world.classes));
            None
        });
    };
    if !class.enabled && before.and_then(|before| before.sizing.template.as_deref()) != Some(name) {
        found.wrong.push(Reason::FieldForbidden.at("spec.template").says(format!(
            "MachineClass {name:?} is disabled for new Machines: choose another, or set its spec.enabled to true"
        )));
        return None;
    }
    Some(from_class(name, class.clone(), spec, false))
}

/// The class that says it is the default. Where none or several do, a Machine without a template keeps the one that it has
/// (`held`), unless it gives everything itself.
fn default_class<'w>(
    classes: &'w BTreeMap<String, Class>,
    spec: &Spec<'_>,
    held: Option<&'w str>,
    wrong: &mut Vec<Violation>,
) -> Option<&'w str> {
    let mut defaults =
        classes.iter().filter(|(_, class)| class.default && class.enabled).map(|(name, _)| name.as_str());
    let (first, second) = (defaults.next(), defaults.next());
    if let (Some(only), None) = (first, second) {
        return Some(only);
    }
    if from_spec_alone(spec, &mut Vec::new()).is_some() {
        return None;
    }
    if let (None, Some(first), Some(second)) = (held, first, second) {
        wrong.push(Reason::FieldRequired.at("spec.template").says(format!(
            "Required value: MachineClasses {first:?} and {second:?} both say default: true, so none of them is; name one"
        )));
    }
    held
}

/// Cores and memory are enough without a template, but then a disk must be given too (X63).
fn from_spec_alone(spec: &Spec<'_>, wrong: &mut Vec<Violation>) -> Option<Base> {
    let sized = spec.cores_given().is_some() && spec.memory_given().is_some();
    if !sized {
        wrong.push(Reason::FieldRequired.at("spec.template").says(
            "Required value: name a size (small, medium, large or a MachineClass), or give cores, memory and a disk in the spec",
        ));
        return None;
    }
    if spec.disks.as_deref().unwrap_or_default().is_empty() {
        wrong.push(
            Reason::FieldRequired
                .at("spec.disks")
                .says("Required value: without spec.template at least one disk must be given"),
        );
        return None;
    }
    Some(Base {
        template: None,
        source: SizeSource::Spec,
        class: None,
        cores: 1,
        memory: None,
        root: None,
        kept: false,
    })
}

fn not_found(object: &Object<'_>, name: &str, classes: &BTreeMap<String, Class>) -> Violation {
    let spec = &object.spec;
    let said = |field: &Option<Text<'_>>| field.as_ref().is_some_and(|text| &**text == name);
    let path = match () {
        () if said(&spec.template) => "spec.template",
        () if said(&spec.instance_type) => "spec.instanceType",
        () if said(&spec.machine_class) => "spec.machineClass",
        () => "metadata.labels[vitistack.io/machine-template]",
    };
    let enabled = || classes.iter().filter(|(_, class)| class.enabled).map(|(name, _)| name.as_str());
    let listed: Vec<_> = enabled().filter(|name| !BUILT_IN.contains(name)).take(8).collect();
    let classes = if listed.is_empty() { String::new() } else { format!(", or a MachineClass: {}", listed.join(", ")) };
    let near = did_you_mean(name, BUILT_IN.into_iter().chain(enabled()));
    Reason::TemplateNotFound
        .at(path)
        .says(format!("template {name:?} not found: use valid template name: small, medium, or large{classes}{near}"))
}
