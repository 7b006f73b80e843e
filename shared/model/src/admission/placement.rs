//! Placement: which cluster a Machine belongs to. Pure. Implements seed 000 "Config Selection Logic".
//!
//! The order of the `if`s is the specification; `placement_follows_the_documented_order` tests it as a whole.

pub mod draw;

use super::review::{Object, Request};
use super::{World, assigned};
use crate::names::{self, ClusterName};
use crate::reason::{Reason, Violation, nearest};

/// Where a Machine goes, and which rule said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The KubevirtConfig.
    pub cluster: ClusterName,
    /// The rule.
    pub source: Source,
}

/// The rule that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It was decided before, and nothing may move a VM.
    Kept,
    /// The author named it in the annotation or in `spec.kubevirtConfigRef`.
    Named,
    /// `DEFAULT_KUBEVIRT_CONFIG`.
    Default,
    /// There is only one.
    OnlyCluster,
}

impl Source {
    /// The word in logs and audit annotations.
    pub const fn name(self) -> &'static str {
        match self {
            Source::Kept => "kept",
            Source::Named => "named",
            Source::Default => "default",
            Source::OnlyCluster => "only-cluster",
        }
    }

    /// Whether the operator chose, and not the author.
    pub const fn automatic(self) -> bool {
        matches!(self, Source::Default | Source::OnlyCluster)
    }
}

const ANNOTATION: &str = "metadata.annotations[vitistack.io/kubevirt-config]";
const REFERENCE: &str = "spec.kubevirtConfigRef.name";

/// Picks the cluster, or says why none can be picked.
///
/// Guarantees: same inputs, same answer; an assignment changes only while no cluster identity is recorded, which is before
/// the first write to the cluster (X60).
pub fn place(
    request: &Request<'_>,
    object: &Object<'_>,
    old: Option<&Object<'_>>,
    world: &World,
    warnings: &mut Vec<String>,
) -> Result<Placement, Vec<Violation>> {
    let named = named(object)?;
    let recorded = old.and_then(recorded);
    let held = recorded.or(old.and_then(assigned));
    if let Some(held) = held {
        match named.filter(|(_, name)| *name != held) {
            None => return Ok(Placement { cluster: ClusterName(held.to_owned()), source: Source::Kept }),
            Some((path, name)) if recorded.is_some() => {
                return Err(vec![Reason::AssignmentImmutable.at(path).says(format!(
                    "Forbidden: the Machine is on {held:?} and cannot move to {name:?}: nothing moves its disks; delete it and create it again"
                ))]);
            }
            Some(_) => {}
        }
    }
    if let Some((path, name)) = named {
        return known(path, name, Source::Named, world, warnings);
    }
    if let Some(default) = &world.policy.default_cluster {
        return known("DEFAULT_KUBEVIRT_CONFIG", &default.0, Source::Default, world, warnings);
    }
    let mut candidates = world.configs.iter().filter(|(_, config)| config.schedulable);
    match (candidates.next(), candidates.count()) {
        (None, _) => Err(no_configs(request, object, world)),
        (Some((only, _)), 0) => known(ANNOTATION, &only.0, Source::OnlyCluster, world, warnings),
        (Some(_), others) => Err(ambiguous(request, object, others + 1, world)),
    }
}

/// The cluster that the author names, and where. An assignment written by an earlier pass looks the same, and is kept (A1).
fn named<'o>(object: &'o Object<'_>) -> Result<Option<(&'static str, &'o str)>, Vec<Violation>> {
    let reference = object.spec.kubevirt_config_ref.as_ref().and_then(|reference| reference.name.as_deref());
    match (assigned(object), reference.filter(|name| !name.is_empty())) {
        (Some(annotation), Some(reference)) if annotation != reference => {
            Err(vec![Reason::AssignmentConflict.at(REFERENCE).says(format!(
                "is {reference:?}, but the annotation {} is {annotation:?}: keep one of them",
                names::KUBEVIRT_CONFIG
            ))])
        }
        (Some(annotation), _) => Ok(Some((ANNOTATION, annotation))),
        (None, reference) => Ok(reference.map(|name| (REFERENCE, name))),
    }
}

/// The cluster that holds the Machine's VM, once that is certain: its identity was recorded before anything was made there.
pub(super) fn recorded<'o>(old: &'o Object<'_>) -> Option<&'o str> {
    let reference = old.status.as_ref()?.kubevirt_config_ref.as_ref()?;
    reference.cluster_id.as_deref().filter(|id| !id.is_empty())?;
    reference.name.as_deref().filter(|name| !name.is_empty()).or_else(|| assigned(old))
}

fn known(
    path: &str,
    name: &str,
    source: Source,
    world: &World,
    warnings: &mut Vec<String>,
) -> Result<Placement, Vec<Violation>> {
    let cluster = ClusterName(name.to_owned());
    let Some(config) = world.configs.get(&cluster) else {
        return Err(vec![
            Reason::KubevirtConfigNotFound
                .at(if path.contains('.') { path } else { ANNOTATION })
                .says(missing(path, name, world)),
        ]);
    };
    if let Some(why) = &config.unhealthy {
        warnings.push(format!(
            "KubevirtConfig {name:?} is not usable now, so the VM will wait: {}",
            why.chars().take(160).collect::<String>()
        ));
    }
    Ok(Placement { cluster, source })
}

fn missing(path: &str, name: &str, world: &World) -> String {
    let names = || world.configs.keys().map(|name| name.0.as_str());
    let known = match world.configs.len() {
        0 => "there is none".to_owned(),
        count => format!(
            "known are {}{}",
            names().take(8).collect::<Vec<_>>().join(", "),
            if count > 8 { ", …" } else { "" }
        ),
    };
    let near = nearest(name, names()).map(|near| format!(" (did you mean {near:?}?)")).unwrap_or_default();
    let namespace = in_namespace(world);
    let whose = if path == "DEFAULT_KUBEVIRT_CONFIG" { "the default of DEFAULT_KUBEVIRT_CONFIG, " } else { "" };
    format!("{whose}KubevirtConfig {name:?} not found{namespace}: {known}{near}")
}

/// Where KubevirtConfigs are, as the end of a sentence; nothing where they are cluster-scoped (X8).
fn in_namespace(world: &World) -> String {
    world.policy.configs_namespace.as_ref().map(|namespace| format!(" in namespace {namespace}")).unwrap_or_default()
}

/// The Machine as a person would call it; under `generateName` only the prefix is known.
fn called(request: &Request<'_>, object: &Object<'_>) -> String {
    let name = match object.metadata.name.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => name.to_owned(),
        None => format!("{}*", object.metadata.generate_name.as_deref().unwrap_or_default()),
    };
    format!("{}/{name}", &*request.namespace)
}

/// A11 in the form of X8, and what to do as a cause of its own (X52).
fn no_configs(request: &Request<'_>, object: &Object<'_>, world: &World) -> Vec<Violation> {
    let machine = called(request, object);
    let namespace = in_namespace(world);
    let cordoned: Vec<_> = world.configs.keys().take(8).map(|name| name.0.as_str()).collect();
    let next = if cordoned.is_empty() {
        format!("create a KubevirtConfig{namespace}, with a Secret that holds its kubeconfig")
    } else {
        format!(
            "name one of these, which are not schedulable, or set its spec.schedulable to true: {}",
            cordoned.join(", ")
        )
    };
    let sentence =
        format!("machine {machine} has no KubevirtConfig reference and no KubevirtConfigs are available{namespace}");
    vec![Reason::NoKubevirtConfigs.at(ANNOTATION).says(sentence), Reason::NoKubevirtConfigs.at(ANNOTATION).says(next)]
}

/// A10 word for word, and the names to choose from as a cause of its own (X52).
fn ambiguous(request: &Request<'_>, object: &Object<'_>, count: usize, world: &World) -> Vec<Violation> {
    let machine = called(request, object);
    let names: Vec<_> = world
        .configs
        .iter()
        .filter(|(_, config)| config.schedulable)
        .take(8)
        .map(|(name, _)| name.0.as_str())
        .collect();
    vec![
        Reason::AmbiguousPlacement.at(ANNOTATION).says(format!(
            "machine {machine} has no KubevirtConfig reference and {count} configs are available - cannot determine placement. \
             Please set annotation 'vitistack.io/kubevirt-config' or DEFAULT_KUBEVIRT_CONFIG env var"
        )),
        Reason::AmbiguousPlacement.at(ANNOTATION).says(format!("set it to one of: {}{}", names.join(", "), if count > 8 { ", …" } else { "" })),
    ]
}
