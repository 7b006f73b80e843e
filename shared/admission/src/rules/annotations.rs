//! Annotations of our two domains: what depends on one that nobody understands is not left to chance (FR5). Pure. X57.

use model::machine::DELETION_POLICIES;
use model::names::{
    DELETION_POLICY, IGNORE_FIELDS, ISO_SIZE, KUBEVIRT_CONFIG, MODE, PATCH, PATCH_PREFIXES, PLACEMENT,
    RECONCILE_PAUSED, REFRESH_CLASS, RELEASE_FROM, REPLACE_LOST_DISK, RESOLVED, RESTART, TAKE_OVER,
};
use model::reason::{Reason, nearest};

use super::form::{one_of, shown};
use crate::findings::Findings;
use crate::review::Object;

/// Those that a Machine may carry beside the ones about patches.
const KNOWN: [&str; 10] = [
    KUBEVIRT_CONFIG,
    RESOLVED,
    PLACEMENT,
    REFRESH_CLASS,
    DELETION_POLICY,
    REPLACE_LOST_DISK,
    ISO_SIZE,
    RESTART,
    RELEASE_FROM,
    TAKE_OVER,
];

/// Prefix and word of a key of ours.
fn parts(key: &str) -> Option<(&'static str, &str)> {
    PATCH_PREFIXES.into_iter().find_map(|prefix| Some((prefix, key.strip_prefix(prefix)?)))
}

fn path(key: &str) -> String {
    format!("metadata.annotations[{}]", shown(key))
}

/// An unknown word would be taken for a wish to delete, so it is refused, also while the Machine goes (X57). One that is
/// stored already is warned of, or nothing of that Machine could be edited.
pub fn deletion_policy(object: &Object<'_>, old: Option<&Object<'_>>, found: &mut Findings) {
    let policy = |object: &Object<'_>| {
        object.metadata.annotations.as_ref().and_then(|all| all.deletion_policy.as_deref()).map(str::to_owned)
    };
    let Some(said) = policy(object) else { return };
    let held = old.is_some_and(|old| policy(old).as_ref() == Some(&said));
    let mut wrong = Vec::new();
    one_of(|| path(DELETION_POLICY), &said, &DELETION_POLICIES, &mut wrong);
    for violation in wrong {
        found.refuse_unless(held, violation);
    }
}

/// Names every annotation that has no effect. One that nearly is the deletion policy, under whichever of our prefixes, is
/// refused, since the disks depend on it; one that is stored already is warned of.
pub fn check(object: &Object<'_>, old: Option<&Object<'_>>, found: &mut Findings) {
    let Some(annotations) = &object.metadata.annotations else { return };
    for key in &annotations.empty {
        found.warn(format!("{}: is empty, so it has no effect", path(key)));
    }
    for key in &annotations.unknown {
        // The controller alone reads these two.
        let Some((prefix, word)) = parts(key).filter(|_| ![REPLACE_LOST_DISK, ISO_SIZE].contains(&&**key)) else {
            continue;
        };
        let own = KNOWN.iter().filter_map(|known| Some(parts(known)?.1));
        match nearest(word, own.chain([PATCH, IGNORE_FIELDS, MODE, RECONCILE_PAUSED])) {
            None => found.warn(format!("{}: nobody reads it", path(key))),
            Some(near) => {
                let own = KNOWN.into_iter().find(|known| parts(known).is_some_and(|(_, word)| word == near));
                let near = own.map_or_else(|| [prefix, near].concat(), str::to_owned);
                if near == DELETION_POLICY {
                    let held = old.and_then(|old| old.metadata.annotations.as_ref());
                    let held = held.is_some_and(|old| old.unknown.iter().any(|other| other == key));
                    found.refuse_unless(held, Reason::FieldNotSupported.at(path(key)).says(format!(
                        "Unsupported value: nobody reads this annotation, and without {DELETION_POLICY} everything is deleted with the Machine: write {DELETION_POLICY}"
                    )));
                } else {
                    found.warn(format!("{}: nobody reads it (did you mean {near:?}?)", path(key)));
                }
            }
        }
    }
}
