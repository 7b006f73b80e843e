//! Rules: every one is run, and every violation is reported. Pure.
//!
//! Static rules speak about the Machine alone. Those that schema keywords cannot say are [`model::api::machine::rules::Rule`],
//! each with its CEL text there and its check in [`table`]; the others repeat a keyword of the schema (X55).
//! [`surroundings`] judges what needs the fleet, and there only what a request changes (X76).

pub mod annotations;
pub mod ask;
pub mod cloudinit;
pub mod disks;
mod effect;
pub mod firmware;
pub mod form;
pub mod leaving;
pub mod name;
pub mod networks;
mod oversized;
pub mod patches;
pub mod provider;
pub mod size;
pub mod sources;
pub mod spec;
pub mod surroundings;
pub mod table;

use model::api::machine::rules::Rule;
use model::reason::Violation;

pub use self::ask::Ask;
pub use self::effect::warn;
pub use self::oversized::oversized;

/// Runs every static rule.
pub fn check(ask: &Ask<'_>, wrong: &mut Vec<Violation>) {
    for rule in Rule::ALL {
        table::check_of(*rule)(ask, rule.cel().message, wrong);
    }
    name::namespace(ask, wrong);
    name::claims(ask, wrong);
    spec::keywords(&ask.object.spec, wrong);
    size::keywords(&ask.object.spec, wrong);
    disks::keywords(&ask.object.spec, wrong);
    sources::keywords(&ask.object.spec, wrong);
    networks::keywords(&ask.object.spec, wrong);
    cloudinit::keywords(&ask.object.spec, wrong);
    firmware::keywords(&ask.object.spec, wrong);
}
