//! CPU, memory and disks as a spec gives them, in our own form and in the published one.

use std::borrow::Cow;

use super::{Amount, Disk, Labels, Object, Spec};

/// Guest memory below this does not boot anything (X79).
pub const LEAST_MEMORY: u64 = 32 << 20;
/// Guest memory above this is nobody's: KubeVirt counts it in 64 bits with a sign.
pub const MOST_MEMORY: u64 = 64 << 40;
/// Path of the memory in our own form.
pub const MEMORY: &str = "spec.resources.memory.size";
/// Path of the memory in the published form.
pub const PUBLISHED_MEMORY: &str = "spec.memory";

/// One number of the topology: both of its paths, both of its values, and the most it may be.
pub struct Count {
    /// Its paths: in `resources`, and in the published field.
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

/// Where a template is named, and what as: the spec's three fields and the label (X1).
pub fn templates<'o>(object: &'o Object<'_>) -> impl Iterator<Item = (&'static str, &'o str)> {
    let spec = &object.spec;
    let label = object.metadata.labels.as_ref().and_then(|Labels { template }| template.as_ref());
    [
        ("spec.template", spec.template.as_ref()),
        ("spec.instanceType", spec.instance_type.as_ref()),
        ("spec.machineClass", spec.machine_class.as_ref()),
        ("metadata.labels[vitistack.io/machine-template]", label),
    ]
    .into_iter()
    .filter_map(|(path, name)| Some((path, &**name?)).filter(|(_, name)| !name.is_empty()))
}

impl Spec<'_> {
    /// `resources.memory.size`.
    pub fn memory_size(&self) -> Option<&Amount<'_>> {
        self.resources.as_ref()?.memory.as_ref()?.size.as_ref()
    }

    /// The memory that it gives itself, and where.
    pub fn memory_given(&self) -> Option<(&'static str, Amount<'_>)> {
        let published = self.memory.filter(|bytes| *bytes != 0).map(Amount::Number);
        let own = self.memory_size().map(|size| (MEMORY, size.clone()));
        own.or(published.map(|bytes| (PUBLISHED_MEMORY, bytes)))
    }

    /// The cores that it gives itself.
    pub fn cores_given(&self) -> Option<i64> {
        let own = self.resources.as_ref().and_then(|resources| resources.cpu?.cores);
        own.or(self.cpu.and_then(|cpu| cpu.cores)).filter(|cores| *cores != 0)
    }
}

/// The disk that every size brings.
pub const ROOT: &str = "root";

impl Disk<'_> {
    /// Its name; the published API leaves it optional, and then the place in the list stands in.
    pub fn called(&self, index: usize) -> Cow<'_, str> {
        match self.name.as_deref() {
            Some(name) if !name.is_empty() => Cow::Borrowed(name),
            _ if index == 0 => Cow::Borrowed(ROOT),
            _ => Cow::Owned(format!("disk{index}")),
        }
    }

    /// `sizeGB` in bytes; 0 means unset (X79).
    pub fn gib(&self) -> Option<u64> {
        u64::try_from(self.size_gb.filter(|size| *size != 0)?).ok()?.checked_mul(model::quantity::GIB)
    }

    /// The size that it gives itself, in bytes, unless the rules refuse it.
    pub fn bytes(&self) -> Option<u64> {
        match &self.size {
            Some(size) => size.bytes().ok(),
            None => self.gib(),
        }
    }
}
