//! CPU and memory as the spec gives them, in the form of seed 002 and in the published one. Pure. C3, X1, X25, X66, X79.
//!
//! What the size of a MachineClass adds to it is judged by `sizing`.

use super::super::quantity;
use super::super::review::{Amount, Spec};
use super::form::is_size;
use super::{Ask, Violation};
use crate::reason::Reason;

/// Guest memory below this does not boot anything (X79).
pub const LEAST_MEMORY: u64 = 32 << 20;
/// Guest memory above this is nobody's: KubeVirt counts it in 64 bits with a sign.
pub const MOST_MEMORY: u64 = 64 << 40;
/// Path of the override.
pub const MEMORY: &str = "spec.resources.memory.size";

/// One number of the topology: both of its paths, both of its values, and the most it may be.
pub struct Count {
    /// Paths in the form of seed 002 and in the published one.
    pub paths: [&'static str; 2],
    /// Values in that order.
    pub given: [Option<i64>; 2],
    /// The most it may be.
    pub most: i64,
}

impl Count {
    /// What is given; zero is unset in the published form (X79).
    pub fn value(&self) -> Option<i64> {
        self.given[0].or(self.given[1].filter(|value| *value != 0))
    }
}

/// Cores, threads and sockets.
#[rustfmt::skip]
pub fn counts(spec: &Spec<'_>) -> [Count; 3] {
    let new = spec.resources.as_ref().and_then(|resources| resources.cpu).unwrap_or_default();
    let old = spec.cpu.unwrap_or_default();
    [
        Count { paths: ["spec.resources.cpu.cores", "spec.cpu.cores"], given: [new.cores, old.cores], most: 256 },
        Count { paths: ["spec.resources.cpu.threads", "spec.cpu.threadsPerCore"], given: [new.threads, old.threads_per_core], most: 8 },
        Count { paths: ["spec.resources.cpu.sockets", "spec.cpu.sockets"], given: [new.sockets, old.sockets], most: 16 },
    ]
}

fn size<'s>(spec: &'s Spec<'_>) -> Option<&'s Amount<'s>> {
    spec.resources.as_ref()?.memory.as_ref()?.size.as_ref()
}

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
    if let Some(amount) = size(spec) {
        shape(|| MEMORY.to_owned(), amount, wrong);
    }
}

/// Refuses text that is no size, and sizes that no number of bytes has.
pub fn shape(path: impl FnOnce() -> String, amount: &Amount<'_>, wrong: &mut Vec<Violation>) {
    let why = match amount {
        Amount::Text(text) if !is_size(text) => {
            Some(if text.starts_with('-') { "must not be negative" } else { "must be a quantity such as \"20Gi\"" })
        }
        amount => quantity::bytes(amount).err(),
    };
    if let Some(why) = why {
        let says = format!("Invalid value: \"{}\": {why}", super::form::shown(&amount.to_string()));
        wrong.push(Reason::FieldInvalid.at(path()).says(says));
    }
}

/// The bytes of a size, unless [`shape`] refuses it.
pub fn bytes(amount: &Amount<'_>) -> Option<u64> {
    let well = match amount {
        Amount::Text(text) => is_size(text),
        Amount::Number(_) => true,
    };
    quantity::bytes(amount).ok().filter(|_| well)
}

/// The three names of the template, and its label (X1).
pub fn templates(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    let given = || super::super::sizing::base::named(ask.object);
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
    if let (Some(given), Some(published)) = (size(spec), spec.memory.filter(|bytes| *bytes != 0))
        && let Some(bytes) = bytes(given)
        && u64::try_from(published) != Ok(bytes)
    {
        let also = quantity::canonical(u64::try_from(published).unwrap_or_default());
        wrong.push(
            Reason::SizingConflict
                .at(MEMORY)
                .says(format!("is {given}, but spec.memory is {published} bytes ({also}): keep one of them: {says}")),
        );
    }
}

/// Bounds of `spec.memory`.
pub fn published_memory(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    if let Some(bytes) = ask.object.spec.memory.filter(|bytes| *bytes != 0)
        && !u64::try_from(bytes).is_ok_and(|bytes| (LEAST_MEMORY..=MOST_MEMORY).contains(&bytes))
    {
        wrong.push(Reason::FieldInvalid.at("spec.memory").says(format!("Invalid value: {bytes}: {says}")));
    }
}

/// Bounds of `spec.resources.memory.size`.
pub fn memory_bounds(ask: &Ask<'_>, says: &str, wrong: &mut Vec<Violation>) {
    if let Some(given) = size(&ask.object.spec)
        && bytes(given).is_some_and(|bytes| !(LEAST_MEMORY..=MOST_MEMORY).contains(&bytes))
    {
        wrong.push(Reason::FieldInvalid.at(MEMORY).says(format!("Invalid value: \"{given}\": {says}")));
    }
}
