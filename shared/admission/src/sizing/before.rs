//! The size that a Machine has already. Pure. X60, X76.

use model::message::{SizeSource, Sizing};

use crate::review::size::templates;
use crate::review::{Disk, Object};

/// A Machine as it is stored, and the size that was resolved for it.
#[derive(Clone, Copy, Debug)]
pub struct Before<'r> {
    /// The Machine.
    pub object: &'r Object<'r>,
    /// Its size.
    pub sizing: &'r Sizing,
}

impl<'r> Before<'r> {
    /// The class that the size was read from, if the Machine names the same one now as it did then, or again none.
    pub fn class(self, object: &Object<'_>) -> Option<&'r str> {
        let class = self.sizing.template.as_deref().filter(|_| self.sizing.source == SizeSource::MachineClass)?;
        let named = templates(object).next().map(|(_, name)| name);
        let same = named == templates(self.object).next().map(|(_, name)| name);
        (same && named.is_none_or(|named| named == class)).then_some(class)
    }
}

/// Whether two objects ask for the same size: an answer that was given once is kept while they do (X60).
pub fn same_size(new: &Object<'_>, old: &Object<'_>) -> bool {
    fn label<'o>(object: &'o Object<'_>) -> Option<&'o str> {
        object.metadata.labels.as_ref()?.template.as_deref()
    }
    let disks = |new: &Disk<'_>, old: &Disk<'_>| {
        new.name == old.name
            && (&new.size, new.size_gb, new.boot) == (&old.size, old.size_gb, old.boot)
            && (&new.storage_class, &new.access_mode, &new.volume_mode)
                == (&old.storage_class, &old.access_mode, &old.volume_mode)
    };
    let (a, b) = (&new.spec, &old.spec);
    let (x, y) = (a.disks.as_deref().unwrap_or_default(), b.disks.as_deref().unwrap_or_default());
    (&a.template, &a.instance_type, &a.machine_class) == (&b.template, &b.instance_type, &b.machine_class)
        && (&a.resources, a.cpu, a.memory) == (&b.resources, b.cpu, b.memory)
        && label(new) == label(old)
        && x.len() == y.len()
        && x.iter().zip(y).all(|(x, y)| disks(x, y))
}
