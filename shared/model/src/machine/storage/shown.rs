//! What a Machine shows of its disks. Pure. C42, C52, X75, FR2, FR7, FR19.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::super::intent::Admitted;
use super::super::objects::Claim;
use super::super::observed::Observed;
use super::super::published::claim_of;
use super::super::write::Failure;
use super::growth::{Growth, growth_of};
use super::lost::{self, entry, is_lost, may_be_replaced, recorded};
use super::wanted::{Wanted, disks, managed};
use crate::api::MachineStatus;
use crate::api::machine::status::DiskStatus;
use crate::reason::{Condition, Reason, ShownIn};

/// The reason of the condition `StorageReady`, and its sentence. It is true with [`Reason::PvcBound`] alone.
pub(in super::super) fn describe(admitted: &Admitted, seen: &Observed, failure: Option<&Failure>) -> (Reason, String) {
    let disks = managed(admitted);
    let first = |say: &dyn Fn(&Wanted) -> Option<String>| disks.iter().find_map(say);
    let own = failure.filter(|failure| failure.reason.shown_in() == ShownIn::Machine(Condition::StorageReady));
    if let Some(failure) = own {
        return (failure.reason, failure.message.clone());
    }
    if let Some(why) = first(&|it| is_lost(admitted, seen, it).then(|| lost::sentence(admitted, it))) {
        return (Reason::DiskLost, why);
    }
    if let Some(why) = first(&|it| seen.claims.get(&it.claim)?.deleting.then(|| lost::terminating(it))) {
        return (Reason::DiskTerminating, why);
    }
    if let Some(why) = first(&|it| failed_import(seen, it)) {
        return (Reason::ImportFailed, why);
    }
    let filling: Vec<String> = disks.iter().filter_map(|it| progress(seen, it)).collect();
    if !filling.is_empty() {
        return (Reason::ImportInProgress, filling.join(", "));
    }
    let open: Vec<String> = disks.iter().filter_map(|it| unbound(seen, it)).collect();
    if !open.is_empty() {
        return (Reason::PvcPending, format!("waiting for {}", open.join(", ")));
    }
    let growth = |it: &Wanted| growth_of(it, seen.claims.get(&it.claim)?, seen);
    let refused = first(&|it| if let Growth::Refused(why) = growth(it)? { Some(why) } else { None });
    if let Some(why) = refused {
        return (Reason::ExpansionRefused, why);
    }
    let growing: Vec<String> = (disks.iter().filter_map(growth))
        .map(|(Growth::Ask(why) | Growth::Underway(why) | Growth::Refused(why))| why)
        .collect();
    if growing.is_empty() {
        (Reason::PvcBound, "every disk is bound".to_owned())
    } else {
        (Reason::DiskGrowing, growing.join(", "))
    }
}

/// Why a disk has not what its Machine asks for, once the VM is made (FR19).
pub(in super::super) fn not_as_asked(admitted: &Admitted, seen: &Observed) -> Option<String> {
    let (reason, why) = describe(admitted, seen, None);
    let lacks = [
        Reason::DiskLost,
        Reason::DiskTerminating,
        Reason::ImportFailed,
        Reason::ExpansionRefused,
        Reason::DiskGrowing,
    ];
    lacks.contains(&reason).then_some(why)
}

fn failed_import(seen: &Observed, wanted: &Wanted) -> Option<String> {
    let import = seen.imports.find(&wanted.claim).filter(|import| !import.done)?;
    let why = import.failure.as_ref()?;
    Some(format!("disk {:?} is not filled: {why}: correct its source, or what it leads to", wanted.disk.name))
}

/// What waits for its first user is no import yet.
fn progress(seen: &Observed, wanted: &Wanted) -> Option<String> {
    let import = seen.imports.find(&wanted.claim).filter(|import| !import.done)?;
    let bound = seen.claims.get(&wanted.claim).is_some_and(|claim| claim.phase == "Bound");
    (bound || import.percent > 0).then(|| format!("{} is filled to {} %", wanted.disk.name, import.percent))
}

fn unbound(seen: &Observed, wanted: &Wanted) -> Option<String> {
    let claim = seen.claims.get(&wanted.claim);
    if claim.is_some_and(|claim| claim.phase == "Bound") {
        return None;
    }
    let class = claim.and_then(|claim| claim.storage_class.as_ref());
    let waits = class.filter(|class| seen.storage_classes.get(*class).is_some_and(|class| class.waits));
    let when = waits.map(|class| format!(" (StorageClass {class:?} binds it when the VM starts)")).unwrap_or_default();
    Some(format!("{}{when}", wanted.claim))
}

/// `status.disks`. A disk that is lost keeps what was known of it; one that is not filled yet cannot be lost.
pub(in super::super) fn shown(admitted: &Admitted, seen: &Observed) -> Vec<DiskStatus> {
    let shown = |wanted: &Wanted| {
        let named = may_be_replaced(admitted, wanted);
        let before = recorded(admitted, wanted);
        let bare = DiskStatus {
            name: Some(wanted.disk.name.clone()),
            pvc_name: Some(wanted.claim.clone()),
            replaced: entry(admitted, wanted).filter(|_| named).and_then(|disk| disk.replaced.clone()),
            ..DiskStatus::default()
        };
        match (seen.claims.get(&wanted.claim), before) {
            (Some(claim), _) => of_claim(claim, wanted, seen, (before, named), bare),
            (None, Some(before)) => DiskStatus { replaced: bare.replaced, ..before.clone() },
            (None, None) => bare,
        }
    };
    disks(admitted).iter().map(shown).collect()
}

/// The same for a VM that was adopted together with its claims.
pub(in super::super) fn came_with(admitted: &Admitted, seen: &Observed) -> Vec<DiskStatus> {
    let sized = admitted.sizing.disks.iter();
    let shown = sized.filter_map(|disk| {
        let claim = claim_of(disk, admitted, &seen.claims)?;
        let has = seen.claims.get(&claim)?;
        let (name, uid) = (Some(disk.name.clone()), Some(has.uid.clone()));
        Some(DiskStatus { name, uid, pvc_name: Some(claim), ..measured(has) })
    });
    shown.collect()
}

/// What a claim has.
fn measured(claim: &Claim) -> DiskStatus {
    DiskStatus {
        size: claim.size.and_then(|size| i64::try_from(size).ok()),
        requested_size: claim.requested.clone().map(Quantity),
        access_modes: claim.access_modes.clone(),
        volume_mode: claim.volume_mode.clone(),
        ..DiskStatus::default()
    }
}

fn of_claim(
    claim: &Claim,
    wanted: &Wanted,
    seen: &Observed,
    (before, named): (Option<&DiskStatus>, bool),
    bare: DiskStatus,
) -> DiskStatus {
    // A claim whose DataVolume is gone goes with it: what was not known to be filled before never was.
    let filled = !claim.imported || seen.imports.find(&wanted.claim).is_some_and(|import| import.done);
    let recorded = before.and_then(|disk| disk.uid.clone());
    let same = recorded.as_ref() == Some(&claim.uid);
    let lost = recorded.filter(|_| named && !same);
    DiskStatus {
        name: bare.name,
        pvc_name: bare.pvc_name,
        uid: (filled || same).then(|| claim.uid.clone()),
        replaced: lost.or(bare.replaced),
        ..measured(claim)
    }
}

/// The disks that are bound since the previous status: class, and seconds since the claim was made. One that was there before
/// the Machine, which was made at `since`, was not made for it.
pub fn provisioned(
    previous: &MachineStatus,
    next: &MachineStatus,
    seen: &Observed,
    since: i64,
    now: i64,
) -> Vec<(String, i64)> {
    let bound = |disk: &DiskStatus| {
        let before = previous.disks.iter().find(|before| before.name == disk.name);
        let news = disk.size.is_some() && before.is_none_or(|before| before.size.is_none());
        let claim = seen.claims.get(disk.pvc_name.as_ref()?).filter(|claim| news && claim.phase == "Bound")?;
        let created = claim.created.filter(|created| *created >= since)?;
        let class = claim.storage_class.clone().filter(|class| seen.storage_classes.contains_key(class));
        Some((class.unwrap_or_default(), now.saturating_sub(created).max(0)))
    };
    next.disks.iter().filter_map(bound).collect()
}
