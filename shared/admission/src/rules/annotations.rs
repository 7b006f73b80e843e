//! Annotations of our two domains: what depends on one that nobody understands is not left to chance. Pure. X57.

use model::machine::DELETION_POLICIES;
use model::reason::Violation;

use super::form::one_of;
use crate::review::Object;

/// An unknown word would be taken for a wish to delete, so it is refused, also while the Machine goes (X57).
pub fn deletion_policy(object: &Object<'_>, wrong: &mut Vec<Violation>) {
    let policy = object.metadata.annotations.as_ref().and_then(|all| all.deletion_policy.as_deref());
    if let Some(policy) = policy.filter(|policy| !policy.is_empty()) {
        let path = || "metadata.annotations[vitistack.io/deletion-policy]".to_owned();
        one_of(path, policy, &DELETION_POLICIES, wrong);
    }
}
