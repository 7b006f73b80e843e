//! CPU and memory as the spec gives them, in `resources` and in the published fields. Pure. C3, X1, X25, X66, X79.
//!
//! What the size of a MachineClass adds to it is judged by `sizing`.

use super::ask::Ask;
use super::form::shown;
use crate::review::size::{Count, LEAST_MEMORY, MEMORY, MOST_MEMORY, counts};
use crate::review::{self, Amount, Spec};
use model::quantity;
use model::reason::{Reason, Violation};

/// What keywords of the schema say.
pub fn keywords(spec: &Spec<'_>, wrong: &mut Vec<Violation>) {
    for Count { paths, given: [new, old], most } in counts(spec) {
        let bounds = [(paths[0], new, 1), (paths[1], old, 0)];
        for (path, value, least) in bounds {
            if let Some(value) = value.filter(|value| !(least..=most).contains(value)) {
                let says = format!("Invalid value: {value}: must be between 1 and {most}");
                wrong.push(Reason::FieldInvalid.at(path).says(says));
            }
        }
    }
    if let Some(amount) = spec.memory_size() {
        shape(|| MEMORY.to_owned(), amount, wrong);
    }
}

/// Refuses text that is no size, and sizes that no number of bytes has.
pub fn shape(path: impl FnOnce() -> String, amount: &Amount<'_>, wrong: &mut Vec<Violation>) {
    if let Err(why) = amount.bytes() {
        let says = format!("Invalid value: \"{}\": {why}", shown(&amount.to_string()));
        wrong.push(Reason::FieldInvalid.at(path()).says(says));
    }
}

/// The three names of the template, and its label (X1).
pub fn templates(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    let given = || review::size::templates(ask.object);
    let Some((first, name)) = given().next() else { return };
    if given().any(|(_, other)| other != name) {
        let said = given().map(|(path, name)| format!("{path} is {name:?}")).collect::<Vec<_>>().join(", ");
        wrong.push(Reason::TemplateConflict.at(first).says(format!("{says}: {said}; keep one of them")));
    }
}

/// Two forms of one topology.
pub fn cpu(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    for Count { paths: [path, published], given: [new, old], .. } in counts(&ask.object.spec) {
        if let (Some(new), Some(old)) = (new, old.filter(|old| *old != 0))
            && new != old
        {
            wrong.push(
                Reason::SizingConflict
                    .at(path)
                    .says(format!("is {new}, but {published} is {old}: keep one of them: {says}")),
            );
        }
    }
}

/// Two forms of one memory.
pub fn memory(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    let spec = &ask.object.spec;
    if let (Some(given), Some(published)) = (spec.memory_size(), spec.memory.filter(|bytes| *bytes != 0))
        && let Ok(bytes) = given.bytes()
        && u64::try_from(published) != Ok(bytes)
    {
        let also = quantity::canonical(u64::try_from(published).unwrap_or_default());
        wrong.push(Reason::SizingConflict.at(MEMORY).says(format!(
            "is {}, but spec.memory is {published} bytes ({also}): keep one of them: {says}",
            given.shown()
        )));
    }
}

/// Bounds of `spec.memory`.
pub fn published_memory(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    if let Some(bytes) = ask.object.spec.memory.filter(|bytes| *bytes != 0)
        && !u64::try_from(bytes).is_ok_and(|bytes| (LEAST_MEMORY..=MOST_MEMORY).contains(&bytes))
    {
        wrong.push(Reason::FieldInvalid.at("spec.memory").says(format!("Invalid value: {bytes} bytes: {says}")));
    }
}

/// Bounds of `spec.resources.memory.size`.
pub fn memory_bounds(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    if let Some(given) = ask.object.spec.memory_size()
        && given.bytes().is_ok_and(|bytes| !(LEAST_MEMORY..=MOST_MEMORY).contains(&bytes))
    {
        wrong.push(Reason::FieldInvalid.at(MEMORY).says(format!("Invalid value: \"{}\": {says}", given.shown())));
    }
}
