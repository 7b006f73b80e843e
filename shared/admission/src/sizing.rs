//! Sizing: which CPU, memory and disks a Machine gets. Pure. X1, X21, X24, X25, X63, X64, X66: class, else built-in template;
//! then overrides field by field; then disks by name.

mod base;
mod before;
mod disks;
mod overrides;

use model::message::Sizing;

pub use self::base::BUILT_IN;
use self::base::Base;
pub use self::before::{Before, same_size};
pub use self::disks::keep;
use crate::findings::Findings;
use crate::review::Object;
use crate::world::World;

/// Resolves the size of a Machine.
///
/// Guarantees: same spec and classes, same answer; every mistake is reported, not the first one; `None` only together with
/// a violation. What the Machine had `before` stays, where nothing asks for a change, although its class was disabled,
/// narrowed or taken away since (X60, X76).
pub fn resolve(object: &Object<'_>, before: Option<Before<'_>>, world: &World, found: &mut Findings) -> Option<Sizing> {
    let base = base::find(object, before, world, found);
    let known = base.is_some();
    // Without a size the rest is judged all the same: its mistakes belong into the same answer.
    let base = base.unwrap_or_else(Base::unknown);
    let spec = &object.spec;
    let (cores, threads, sockets) = overrides::cpu(spec, &base, found);
    let memory = overrides::memory(object, before, &base, found);
    let disks = disks::merge(spec, &base, &world.policy, &mut found.wrong);
    let Base { template, source, class, .. } = base;
    let generation = class.map(|class| class.generation);
    let (memory, disks) = (memory.filter(|_| known)?, disks?);
    Some(Sizing { template, source, generation, cores, threads, sockets, memory, disks })
}
