//! The small fields of the spec: names, lists of words, the selector. Pure. C2, C7, A23, A25.

use super::ask::Ask;
use super::form::{SUBDOMAIN, invalid, length, one_of, shown};
use crate::review::{Spec, Text};
use model::api::machine::published::ARCHITECTURES;
use model::api::machine::{BOOT_DEVICES, RUN_STRATEGIES};
use model::reason::{Reason, Violation};

/// Operators of a selector's expressions.
pub const OPERATORS: [&str; 4] = ["In", "NotIn", "Exists", "DoesNotExist"];

/// What keywords of the schema say.
pub fn keywords(spec: &Spec<'_>, wrong: &mut Vec<Violation>) {
    let named: [(&str, &Option<Text<'_>>, usize); 4] = [
        ("spec.template", &spec.template, SUBDOMAIN),
        ("spec.instanceType", &spec.instance_type, SUBDOMAIN),
        ("spec.machineClass", &spec.machine_class, SUBDOMAIN),
        ("spec.name", &spec.name, usize::MAX),
    ];
    for (path, name, most) in named {
        if let Some(name) = name {
            length(|| path.to_owned(), name, most, wrong);
        }
    }
    if let Some(reference) = &spec.kubevirt_config_ref {
        let path = || "spec.kubevirtConfigRef.name".to_owned();
        match &reference.name {
            Some(name) => length(path, name, SUBDOMAIN, wrong),
            None => wrong.push(Reason::FieldRequired.at(path()).says("Required value: name a KubevirtConfig")),
        }
    }
    if let Some(strategy) = &spec.run_strategy {
        one_of(|| "spec.runStrategy".to_owned(), strategy, &RUN_STRATEGIES, wrong);
    }
    for (at, device) in spec.boot_order.iter().flatten().enumerate() {
        one_of(|| format!("spec.bootOrder[{at}]"), device, &BOOT_DEVICES, wrong);
    }
    if let Some(architecture) = spec.os.as_ref().and_then(|os| os.architecture.as_ref()) {
        one_of(|| "spec.os.architecture".to_owned(), architecture, &ARCHITECTURES, wrong);
    }
    let expressions = spec.cluster_selector.as_ref().map(|selector| &selector.match_expressions);
    for (at, expression) in expressions.into_iter().flatten().enumerate() {
        let path = |field: &str| format!("spec.clusterSelector.matchExpressions[{at}].{field}");
        one_of(|| path("operator"), &expression.operator, &OPERATORS, wrong);
        length(|| path("key"), &expression.key, 317, wrong);
        if expression.values.len() > 256 {
            let says = format!("Too many: {}: must have at most 256 items", expression.values.len());
            wrong.push(Reason::FieldInvalid.at(path("values")).says(says));
        } else if let Some(long) = expression.values.iter().find(|value| value.chars().count() > 63) {
            wrong.push(invalid(path("values"), long, "must have at most 63 characters"));
        }
    }
}

/// A device that is tried once is not there the second time either.
pub fn boot_order(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    let order = ask.object.spec.boot_order.as_deref().unwrap_or_default();
    for (at, device) in order.iter().enumerate() {
        if let Some(first) = order[..at].iter().position(|other| other == device) {
            wrong.push(Reason::FieldDuplicate.at(format!("spec.bootOrder[{at}]")).says(format!(
                "Duplicate value: {:?}: {says}; spec.bootOrder[{first}] says it already",
                shown(device)
            )));
        }
    }
}

/// In and NotIn compare with values, the others look at the key alone.
pub fn selector(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    let expressions = ask.object.spec.cluster_selector.as_ref().map(|selector| &selector.match_expressions);
    for (at, expression) in expressions.into_iter().flatten().enumerate() {
        let compares = matches!(expression.operator.as_str(), "In" | "NotIn");
        if compares == expression.values.is_empty() {
            wrong.push(Reason::FieldInvalid.at(format!("spec.clusterSelector.matchExpressions[{at}].values")).says(
                format!(
                    "Invalid value: {:?} with {} values: {says}",
                    shown(&expression.operator),
                    expression.values.len()
                ),
            ));
        }
    }
}
