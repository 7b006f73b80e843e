//! CPU and memory overrides, in the form of seed 002 and in the published one. Pure. X24, X25, X66, X79.

use super::super::quantity;
use super::super::review::{Amount, Spec};
use super::base::Base;
use crate::reason::{Reason, Violation};

/// Guest memory below this does not boot anything (X79).
const LEAST_MEMORY: u64 = 32 << 20;

/// The cores that the spec gives itself.
pub fn cores_given(spec: &Spec<'_>) -> Option<i64> {
    let new = spec.resources.as_ref().and_then(|resources| resources.cpu?.cores);
    new.or(spec.cpu.and_then(|cpu| cpu.cores)).filter(|cores| *cores != 0)
}

/// One number of the topology: both of its paths, both of its values, what the size gives, and the most it may be.
struct Count {
    paths: [&'static str; 2],
    given: [Option<i64>; 2],
    base: i64,
    most: i64,
}

/// Cores, threads and sockets after the overrides, field by field (X24).
pub fn cpu(spec: &Spec<'_>, base: &Base, wrong: &mut Vec<Violation>, warnings: &mut Vec<String>) -> (i64, i64, i64) {
    let new = spec.resources.as_ref().and_then(|resources| resources.cpu).unwrap_or_default();
    let old = spec.cpu.unwrap_or_default();
    let class = base.class.as_ref();
    #[rustfmt::skip]
    let [cores, threads, sockets] = [
        Count { paths: ["spec.resources.cpu.cores", "spec.cpu.cores"], given: [new.cores, old.cores], base: base.cores, most: 256 },
        Count { paths: ["spec.resources.cpu.threads", "spec.cpu.threadsPerCore"], given: [new.threads, old.threads_per_core], base: class.map_or(1, |class| class.threads), most: 8 },
        Count { paths: ["spec.resources.cpu.sockets", "spec.cpu.sockets"], given: [new.sockets, old.sockets], base: class.map_or(1, |class| class.sockets), most: 16 },
    ];
    if base.template.is_some() && cores.value() == Some(cores.base) {
        let path = cores.paths[usize::from(cores.given[0].is_none())];
        warnings.push(format!("{path}: {} is what the template gives anyway", cores.base));
    }
    (cores.resolve(wrong), threads.resolve(wrong), sockets.resolve(wrong))
}

impl Count {
    /// What is given; zero is unset in the published form (X79).
    fn value(&self) -> Option<i64> {
        self.given[0].or(self.given[1].filter(|value| *value != 0))
    }

    fn resolve(self, wrong: &mut Vec<Violation>) -> i64 {
        let Self { paths: [path, published], given: [new, old], base, most } = self;
        let Some(value) = self.value() else {
            if !(1..=most).contains(&base) {
                let field = path.trim_start_matches("spec.resources.");
                let says = format!(
                    "Invalid value: {base}: the MachineClass gives it, and it must be between 1 and {most}: correct the class"
                );
                wrong.push(Reason::FieldInvalid.at("spec.template").says(format!("{field}: {says}")));
            }
            return base;
        };
        if let (Some(a), Some(b)) = (new, old.filter(|old| *old != 0))
            && a != b
        {
            wrong.push(
                Reason::SizingConflict.at(path).says(format!("is {a}, but {published} is {b}: keep one of them")),
            );
        } else if !(1..=most).contains(&value) {
            let path = if new.is_some() { path } else { published };
            let says = format!("Invalid value: {value}: must be between 1 and {most}");
            wrong.push(Reason::FieldInvalid.at(path).says(says));
        }
        value
    }
}

/// The memory that the spec gives itself.
pub fn memory_given<'s>(spec: &'s Spec<'_>) -> Option<Amount<'s>> {
    let new = spec.resources.as_ref().and_then(|resources| resources.memory.as_ref()?.size.clone());
    new.or(spec.memory.filter(|bytes| *bytes != 0).map(Amount::Number))
}

/// The guest memory after the override, within the bounds of its class.
pub fn memory(spec: &Spec<'_>, base: &Base, wrong: &mut Vec<Violation>, warnings: &mut Vec<String>) -> Option<String> {
    const NEW: &str = "spec.resources.memory.size";
    let size = spec.resources.as_ref().and_then(|resources| resources.memory.as_ref()?.size.as_ref());
    let published = spec.memory.filter(|bytes| *bytes != 0);
    let path = if size.is_some() { NEW } else { "spec.memory" };
    let Some(given) = memory_given(spec) else {
        if base
            .memory
            .as_deref()
            .and_then(|memory| quantity::parse(memory).ok())
            .is_some_and(|bytes| bytes < LEAST_MEMORY)
        {
            let given = base.memory.as_deref().unwrap_or_default();
            wrong.push(Reason::FieldInvalid.at("spec.template").says(format!(
                "memory: Invalid value: \"{given}\": the MachineClass gives it, and it must be at least 32Mi: correct the class"
            )));
        }
        return base.memory.clone();
    };
    let bytes = match quantity::bytes(&given) {
        Ok(bytes) => bytes,
        Err(why) => {
            wrong.push(Reason::FieldInvalid.at(path).says(format!("Invalid value: \"{given}\": {why}")));
            return None;
        }
    };
    if let (Some(_), Some(published)) = (size, published)
        && u64::try_from(published) != Ok(bytes)
    {
        let also = quantity::canonical(u64::try_from(published).unwrap_or_default());
        wrong.push(
            Reason::SizingConflict
                .at(NEW)
                .says(format!("is {given}, but spec.memory is {published} bytes ({also}): keep one of them")),
        );
        return None;
    }
    let (least, most) = base.class.as_ref().map_or((None, None), |class| class.memory_bounds);
    let least = least.unwrap_or(0).max(LEAST_MEMORY);
    if bytes < least || most.is_some_and(|most| bytes > most) {
        let upper = most.map(|most| format!(" and at most {}", quantity::canonical(most))).unwrap_or_default();
        wrong.push(
            Reason::FieldInvalid
                .at(path)
                .says(format!("Invalid value: \"{given}\": must be at least {}{upper}", quantity::canonical(least))),
        );
        return None;
    }
    let text = quantity::canonical(bytes);
    if base.memory.as_deref() == Some(&text) {
        warnings.push(format!("{path}: {given} is what the template gives anyway"));
    }
    Some(text)
}
