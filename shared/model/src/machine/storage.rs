//! The disks of a Machine: one claim each, on the cluster where the VM runs. Pure. C22, X15, X16, X23, X116, FR7.

mod build;
mod follow;
mod growth;
mod kept;
mod lost;
mod shown;
mod wanted;

use serde_json::{Value, json};

use self::build::{data_volume, wanted_claim};
use self::lost::{is_lost, recorded};
use self::wanted::{Source, Wanted, disks, managed};
use super::imports::Imports;
use super::intent::Admitted;
use super::observed::Observed;
use super::write::{Failure, Kind, There};
use crate::reason::Reason;

pub use super::image::{is_image, iso_url};
pub use build::claims;
pub(super) use follow::follow;
pub use growth::growth;
pub use kept::{may_be_copied, take_back};
pub use shown::provisioned;
pub(super) use shown::{came_with, describe, not_as_asked, shown};

/// `devices.disks` and `volumes`, which belong together by name.
pub(super) fn attached(admitted: &Admitted, seen: &Observed) -> (Vec<Value>, Vec<Value>) {
    let disks = disks(admitted).into_iter();
    disks
        .map(|wanted| {
            let (name, claim) = (&wanted.disk.name, &wanted.claim);
            // A source that was given after its disk was made has no effect.
            let there = seen.claims.get(claim);
            let volume = match &wanted.source {
                Ok(Source::Import(_)) if !wanted.user.unmanaged && there.is_none_or(|claim| claim.imported) => {
                    json!({"name": name, "dataVolume": {"name": claim}})
                }
                _ => json!({"name": name, "persistentVolumeClaim": {"claimName": claim}}),
            };
            let target = if wanted.cdrom {
                json!({"name": name, "cdrom": {"bus": "sata"}})
            } else {
                json!({"name": name, "disk": {"bus": "virtio"}})
            };
            (target, volume)
        })
        .unzip()
}

/// Makes every disk that is neither there nor on its way nor lost.
pub fn plan(admitted: &Admitted, seen: &Observed) -> Vec<There> {
    let Ok(_) = &admitted.patches else { return Vec::new() };
    managed(admitted).iter().filter_map(|wanted| make(admitted, seen, wanted)).collect()
}

fn make(admitted: &Admitted, seen: &Observed, wanted: &Wanted) -> Option<There> {
    let name = wanted.claim.clone();
    if let Some(mistaken) = outdated(seen, wanted) {
        return Some(There::Delete(Kind::DataVolume, name, mistaken));
    }
    if !wanted.is_unmade(seen) || is_lost(admitted, seen, wanted) {
        return None;
    }
    match (wanted.source.as_ref().ok()?, &seen.imports) {
        (Source::Blank, _) => {
            let claim = wanted_claim(admitted, wanted, seen).ok()?;
            Some(There::Create(Kind::Claim, name, claim.object().clone()))
        }
        (Source::Retained, _) => Some(There::TakeBack(name)),
        (Source::Import(_), Imports::Unknown(_) | Imports::Refused(_) | Imports::Missing) => None,
        (Source::Import(source), Imports::Known(all)) => match all.get(&name) {
            None => {
                let volume = data_volume(admitted, wanted, source, seen).ok()?;
                Some(There::Create(Kind::DataVolume, name, volume))
            }
            // CDI fills no second claim from one that has filled a first.
            Some(import) if import.done && !import.deleting && recorded(admitted, wanted).is_some() => {
                Some(There::Delete(Kind::DataVolume, name, import.uid.clone()))
            }
            Some(_) => None,
        },
    }
}

/// The UID of a DataVolume that gets on with nothing and whose source was corrected since.
fn outdated(seen: &Observed, wanted: &Wanted) -> Option<String> {
    let Ok(Source::Import(source)) = &wanted.source else { return None };
    let import = seen.imports.find(&wanted.claim).filter(|import| import.failure.is_some())?;
    let hash = Source::hash(source);
    let edited = import.source.as_ref().is_some_and(|before| *before != hash);
    (edited && !import.done && !import.deleting).then(|| import.uid.clone())
}

/// Why the VM cannot be made or brought in line yet.
pub(super) fn missing(admitted: &Admitted, seen: &Observed) -> Option<Failure> {
    if let Err(wrong) = &admitted.patches {
        return Some(Failure::of_patch(wrong));
    }
    let all = disks(admitted);
    // Two disks on one claim would destroy it (KVO9).
    let twice = all.iter().enumerate().find(|(at, wanted)| all[..*at].iter().any(|other| other.claim == wanted.claim));
    if let Some((_, wanted)) = twice {
        let (name, claim) = (&wanted.disk.name, &wanted.claim);
        let message = format!(
            "disk {name:?}: another disk of this Machine has the claim {claim:?} already: name another one in source.retained"
        );
        return Some(Failure { reason: Reason::SourceInvalid, message });
    }
    all.iter().find_map(|wanted| hindrance(admitted, seen, wanted))
}

fn hindrance(admitted: &Admitted, seen: &Observed, wanted: &Wanted) -> Option<Failure> {
    let name = &wanted.disk.name;
    let because = |reason, message: String| Some(Failure { reason, message });
    if wanted.user.unmanaged {
        return foreign(admitted, name);
    }
    if seen.vm.is_none() && seen.claims.get(&wanted.claim).is_some_and(|claim| claim.deleting) {
        return because(Reason::DiskTerminating, lost::terminating(wanted));
    }
    if !wanted.is_unmade(seen) {
        return None;
    }
    if is_lost(admitted, seen, wanted) {
        return because(Reason::DiskLost, lost::sentence(admitted, wanted));
    }
    if let Err(wrong) = wanted_claim(admitted, wanted, seen) {
        return Some(wrong);
    }
    let cluster = &admitted.cluster.0;
    match (&wanted.source, &seen.imports) {
        (Err(why), _) => because(Reason::SourceInvalid, format!("disk {name:?}: {why}")),
        (Ok(Source::Import(_)), Imports::Missing) => because(
            Reason::CdiMissing,
            format!(
                "disk {name:?} is filled by CDI, which cluster {cluster:?} does not have: have it installed there, or leave out what the disk is filled with"
            ),
        ),
        (Ok(Source::Import(_)), Imports::Unknown(why) | Imports::Refused(why)) => because(
            Reason::CdiMissing,
            format!("disk {name:?} is filled by CDI, and whether cluster {cluster:?} has it is not known: {why}"),
        ),
        (Ok(_), _) => None,
    }
}

/// In a namespace that several tenants share nothing tells whose claim it is that the author brings (T14).
fn foreign(admitted: &Admitted, disk: &str) -> Option<Failure> {
    let namespace = admitted.shared.as_ref()?;
    let message = format!(
        "disk {disk:?} is left alone by its annotation mode.disk.{disk}, and its VM is in namespace {namespace:?} of the cluster, which other namespaces share by their KubevirtConfig: no claim that somebody brings is used there: take the annotation off"
    );
    Some(Failure { reason: Reason::SourceInvalid, message })
}

/// A claim that somebody else makes or left is the Machine's only once a watch shows so: no VM is made on it before (KVO8).
pub(super) fn waits(admitted: &Admitted, seen: &Observed) -> bool {
    let others = |wanted: &Wanted| !matches!(wanted.source, Ok(Source::Blank));
    managed(admitted).iter().any(|wanted| others(wanted) && !seen.claims.contains_key(&wanted.claim))
}

/// The disks whose claims their author leaves to somebody else.
pub(super) fn unmanaged(admitted: &Admitted) -> Vec<String> {
    let alone = disks(admitted).into_iter().filter(|wanted| wanted.user.unmanaged);
    alone.map(|wanted| wanted.disk.name).collect()
}

/// Whether CDI has to make a disk that is not there.
pub fn needs_import(admitted: &Admitted, seen: &Observed) -> bool {
    let import = |wanted: &Wanted| matches!(wanted.source, Ok(Source::Import(_)));
    managed(admitted).iter().any(|wanted| import(wanted) && wanted.is_unmade(seen))
}
