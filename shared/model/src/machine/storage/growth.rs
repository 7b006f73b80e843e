//! A disk that asks for more than its claim has. It never shrinks. Pure.

use serde_json::json;

use super::super::intent::Admitted;
use super::super::objects::Claim;
use super::super::observed::Observed;
use super::super::write::{Kind, There};
use super::wanted::{Wanted, managed};
use crate::quantity::{self, shown};

/// How a claim comes to what is asked for.
pub(super) enum Growth {
    /// It is asked to grow.
    Ask(String),
    /// It was asked, and grows.
    Underway(String),
    /// It may not; the sentence says what to do.
    Refused(String),
}

/// Asks every claim to grow that is smaller than its disk and may grow: what may not is not even tried.
pub fn growth(admitted: &Admitted, seen: &Observed) -> Vec<There> {
    let asked = |wanted: &Wanted| {
        let claim = seen.claims.get(&wanted.claim)?;
        let Growth::Ask(_) = growth_of(wanted, claim, seen)? else { return None };
        let change = json!({
            "metadata": {"uid": claim.uid, "resourceVersion": claim.resource_version},
            "spec": {"resources": {"requests": {"storage": wanted.disk.size}}},
        });
        Some(There::Merge(Kind::Claim, wanted.claim.clone(), change))
    };
    managed(admitted).iter().filter_map(asked).collect()
}

/// Whether a claim has to grow. Only one that is bound and filled can.
pub(super) fn growth_of(wanted: &Wanted, claim: &Claim, seen: &Observed) -> Option<Growth> {
    let filling = seen.imports.find(&wanted.claim).is_some_and(|import| !import.done);
    if claim.deleting || claim.phase != "Bound" || filling {
        return None;
    }
    let name = &wanted.disk.name;
    let requested = quantity::size(claim.requested.as_deref()?).ok()?;
    let asked = quantity::parse(&wanted.disk.size).ok()?;
    let has = claim.size.unwrap_or(requested);
    let grows = |to| format!("{name} grows from {} to {}", shown(has), shown(to));
    if asked <= requested {
        return (has < requested).then(|| Growth::Underway(grows(requested)));
    }
    let class = claim.storage_class.as_deref().unwrap_or_default();
    let why = match seen.storage_classes.get(class) {
        Some(known) if known.expands => return Some(Growth::Ask(grows(asked))),
        Some(_) => format!("StorageClass {class:?} does not allow expansion"),
        None if class.is_empty() => "its claim has no StorageClass, and without one no claim grows".to_owned(),
        None => format!("there is no StorageClass {class:?} any more, and without it no claim grows"),
    };
    Some(Growth::Refused(format!(
        "{name} stays at {} and does not get {}: {why}: have allowVolumeExpansion: true set on the class by whoever runs the cluster, or set the size back",
        shown(has),
        shown(asked)
    )))
}
