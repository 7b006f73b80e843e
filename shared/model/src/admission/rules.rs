//! Rules: every one is run, and every violation is reported. Pure.
//!
//! Static rules speak about the Machine alone. Those that schema keywords cannot say are rows of
//! [`crate::api::machine::rules::RULES`], each with its CEL text and its check here; the others repeat a keyword of the
//! schema (X55). [`surroundings`] judges what needs the fleet, and there only what a request changes (X76).

pub mod cloudinit;
pub mod disks;
mod effect;
pub mod firmware;
pub mod form;
pub mod name;
pub mod networks;
pub mod overrides;
mod oversized;
pub mod size;
pub mod sources;
pub mod spec;
pub mod surroundings;

pub use self::effect::warn;
use self::form::one_of;
pub use self::oversized::oversized;
use super::Policy;
use super::review::{Object, Request};
use crate::api::machine::rules::RULES;
use crate::machine::DELETION_POLICIES;
use crate::reason::{Reason, Violation};

/// What the rules look at.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'r> {
    /// The request.
    pub request: &'r Request<'r>,
    /// The Machine as it would be stored.
    pub object: &'r Object<'r>,
    /// The Machine as it is stored.
    pub old: Option<&'r Object<'r>>,
    /// The settings of the webhook.
    pub policy: &'r Policy,
}

/// Rust's side of a static rule; the text is what the API server says when the same rule is broken.
pub type Check = fn(&Ask<'_>, &str, &mut Vec<Violation>);

/// Runs every static rule.
pub fn check(ask: &Ask<'_>, wrong: &mut Vec<Violation>) {
    for rule in RULES {
        (rule.check)(ask, rule.cel.message, wrong);
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

/// An unknown word would be taken for a wish to delete, so it is refused, also while the Machine goes (X57).
pub fn deletion_policy(object: &Object<'_>, wrong: &mut Vec<Violation>) {
    let policy = object.metadata.annotations.as_ref().and_then(|all| all.deletion_policy.as_deref());
    if let Some(policy) = policy.filter(|policy| !policy.is_empty()) {
        let path = || "metadata.annotations[vitistack.io/deletion-policy]".to_owned();
        one_of(path, policy, &DELETION_POLICIES, wrong);
    }
}

/// X62: a Machine that is taken away from us would leave its VM behind.
pub fn provider_changed(object: &Object<'_>) -> Violation {
    let provider = object.spec.provider.as_deref().unwrap_or_default();
    Reason::ProviderImmutable.at("spec.provider").says(format!(
        "Forbidden: changing it to {provider:?} would abandon the VM; delete the Machine with the annotation vitistack.io/deletion-policy: Orphan instead"
    ))
}
