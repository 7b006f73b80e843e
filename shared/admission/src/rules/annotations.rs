//! Annotations of our two domains: what depends on one that nobody understands is not left to chance (FR5). Pure. X57.

use model::machine::DELETION_POLICIES;
use model::names::{
    DELETION_POLICY, IGNORE_FIELDS, ISO_SIZE, KUBEVIRT_CONFIG, MODE, PATCH, PATCH_PREFIXES, PLACEMENT,
    PLACEMENT_STRATEGY, RECONCILE_PAUSED, REFRESH_CLASS, RELEASE_FROM, REPLACE_LOST_DISK, RESOLVED, RESTART, TAKE_OVER,
};
use model::reason::{Reason, nearest};

use super::form::{one_of, shown};
use crate::findings::Findings;
use crate::review::{Annotations, Object, Text};
use crate::world::Strategy;

/// Those that a Machine may carry beside the ones about patches.
const KNOWN: [&str; 11] = [
    KUBEVIRT_CONFIG,
    RESOLVED,
    PLACEMENT,
    PLACEMENT_STRATEGY,
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
    word((DELETION_POLICY, &DELETION_POLICIES), (object, old), |all| &all.deletion_policy, found);
}

/// Refuses a word that is not one of those that an annotation may have, and warns of one that is stored already.
fn word<'a>(
    (key, allowed): (&str, &[&str]),
    (object, old): (&Object<'a>, Option<&Object<'a>>),
    read: for<'r> fn(&'r Annotations<'a>) -> &'r Option<Text<'a>>,
    found: &mut Findings,
) {
    let said = |object: &Object<'a>| {
        object.metadata.annotations.as_ref().and_then(|all| read(all).as_deref().map(str::to_owned))
    };
    let held = old.and_then(said);
    let Some(said) = said(object) else { return };
    let mut wrong = Vec::new();
    one_of(|| path(key), &said, allowed, &mut wrong);
    for violation in wrong {
        found.refuse_unless(held.as_ref() == Some(&said), violation);
    }
}

/// Names every annotation that has no effect. One that nearly is the deletion policy, under whichever of our prefixes, is
/// refused, since the disks depend on it; one that is stored already is warned of.
pub fn check(object: &Object<'_>, old: Option<&Object<'_>>, found: &mut Findings) {
    let strategies = Strategy::ALL.map(Strategy::name);
    word((PLACEMENT_STRATEGY, &strategies), (object, old), |all| &all.placement_strategy, found);
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
