//! CPU and memory overrides, from `resources` and from the published fields. Pure. X24, X25, X66, X79.

use model::quantity;
use model::reason::Reason;

use super::base::Base;
use super::before::Before;
use crate::findings::Findings;
use crate::review::size::{Count, LEAST_MEMORY, MOST_MEMORY, counts};
use crate::review::{Object, Spec};

/// Cores, threads and sockets after the overrides, field by field (X24). What the spec gives is judged by the rules.
pub(super) fn cpu(spec: &Spec<'_>, base: &Base, found: &mut Findings) -> (i64, i64, i64) {
    let class = base.class.as_ref();
    let bases = [base.cores, class.map_or(1, |class| class.threads), class.map_or(1, |class| class.sockets)];
    let counts = counts(spec);
    if base.template.is_some() && !base.kept && counts[0].value() == Some(base.cores) {
        let path = counts[0].paths[usize::from(counts[0].given[0].is_none())];
        found.warn(format!("{path}: {} is what the template gives anyway", base.cores));
    }
    let mut resolve = |at: usize| {
        let Count { paths: [path, _], most, .. } = counts[at];
        if let Some(value) = counts[at].value() {
            return value;
        }
        if !(1..=most).contains(&bases[at]) {
            let field = path.trim_start_matches("spec.resources.");
            found.wrong.push(Reason::FieldInvalid.at("spec.template").says(format!(
                "{field}: Invalid value: {}: the MachineClass gives it, and it must be between 1 and {most}: correct the class",
                bases[at]
            )));
        }
        bases[at]
    };
    (resolve(0), resolve(1), resolve(2))
}

/// The guest memory after the override, within the bounds of its class; what the spec gives is judged by the rules. A class
/// that was narrowed since does not make the Machine uneditable (X76).
pub(super) fn memory(
    object: &Object<'_>,
    before: Option<Before<'_>>,
    base: &Base,
    found: &mut Findings,
) -> Option<String> {
    let Some((path, given)) = object.spec.memory_given() else {
        if base
            .memory
            .as_deref()
            .and_then(|memory| quantity::parse(memory).ok())
            .is_some_and(|bytes| bytes < LEAST_MEMORY)
        {
            let given = base.memory.as_deref().unwrap_or_default();
            found.wrong.push(Reason::FieldInvalid.at("spec.template").says(format!(
                "memory: Invalid value: \"{given}\": the MachineClass gives it, and it must be at least 32Mi: correct the class"
            )));
        }
        return base.memory.clone();
    };
    let bytes = given.bytes().ok().filter(|bytes| (LEAST_MEMORY..=MOST_MEMORY).contains(bytes))?;
    let (least, most) = base.class.as_ref().map_or((None, None), |class| class.memory_bounds);
    let least = least.unwrap_or(0).max(LEAST_MEMORY);
    if bytes < least || most.is_some_and(|most| bytes > most) {
        let same = |before: Before<'_>| {
            before.class(object) == base.template.as_deref()
                && before.object.spec.memory_given().is_some_and(|(_, given)| given.bytes() == Ok(bytes))
        };
        let upper = most.map(|most| format!(" and at most {}", quantity::canonical(most))).unwrap_or_default();
        let says = format!(
            "Invalid value: \"{}\": the MachineClass wants at least {}{upper}",
            given.shown(),
            quantity::canonical(least)
        );
        if !before.is_some_and(same) {
            found.wrong.push(Reason::FieldInvalid.at(path).says(says));
            return None;
        }
        found.warn(format!("{path}: {says}"));
    }
    let text = quantity::canonical(bytes);
    if base.memory.as_deref() == Some(&text) && !base.kept {
        found.warn(format!("{path}: {given} is what the template gives anyway"));
    }
    Some(text)
}
