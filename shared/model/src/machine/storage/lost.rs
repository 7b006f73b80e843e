//! A disk that was there and whose claim is gone: it is lost, not new, and no blank one takes its place unasked. Pure. FR7.

use super::super::intent::Admitted;
use super::super::observed::Observed;
use super::wanted::{Source, Wanted};
use crate::api::machine::status::DiskStatus;
use crate::message::said;
use crate::names::REPLACE_LOST_DISK;
use crate::quantity;
use crate::text::line;

/// Bytes of a UID in a sentence.
const UID: usize = 64;

/// What the status shows of a disk.
pub(super) fn entry<'a>(admitted: &'a Admitted, wanted: &Wanted) -> Option<&'a DiskStatus> {
    admitted.disks.iter().find(|disk| disk.name.as_deref() == Some(&wanted.disk.name))
}

/// What the status records of a disk that was made.
pub(super) fn recorded<'a>(admitted: &'a Admitted, wanted: &Wanted) -> Option<&'a DiskStatus> {
    entry(admitted, wanted).filter(|disk| said(disk.uid.as_deref()).is_some())
}

/// Its author says that it shall be made anew if it is lost.
pub(super) fn may_be_replaced(admitted: &Admitted, wanted: &Wanted) -> bool {
    let named = admitted.words.get(REPLACE_LOST_DISK);
    named.is_some_and(|names| names.split(',').any(|name| name.trim() == wanted.disk.name))
}

/// Whether it was there and is gone. An annotation that was forgotten on the Machine counts for one loss only. An ISO image
/// is fetched again.
pub(super) fn is_lost(admitted: &Admitted, seen: &Observed, wanted: &Wanted) -> bool {
    let Some(recorded) = recorded(admitted, wanted).filter(|_| !wanted.cdrom) else { return false };
    let replaced = may_be_replaced(admitted, wanted) && recorded.replaced.is_none();
    wanted.is_unmade(seen) && !replaced
}

/// What is lost, and what to do about it.
pub(super) fn sentence(admitted: &Admitted, wanted: &Wanted) -> String {
    let (name, claim, namespace) = (&wanted.disk.name, &wanted.claim, &admitted.identity.vm.namespace);
    let recorded = recorded(admitted, wanted);
    let size = recorded.and_then(|disk| {
        let bytes = disk.size.and_then(|size| u64::try_from(size).ok()).map(quantity::canonical);
        bytes.or_else(|| disk.requested_size.as_ref().map(|size| line(&size.0, UID)))
    });
    let uid = line(recorded.and_then(|disk| disk.uid.as_deref()).unwrap_or_default(), UID);
    let anew = if matches!(wanted.source, Ok(Source::Import(_))) { "from its source" } else { "blank" };
    let again = if may_be_replaced(admitted, wanted) {
        format!("it was replaced once already: take the annotation {REPLACE_LOST_DISK} off and set it again")
    } else {
        format!("set the annotation {REPLACE_LOST_DISK}: {name}")
    };
    format!(
        "disk {name:?} of {} is lost: PersistentVolumeClaim {namespace}/{claim}, last of UID {uid}, is gone from the cluster: restore it from a backup, or to have it made anew, {anew}, {again}",
        size.as_deref().unwrap_or("unknown size")
    )
}

/// What is about to be lost.
pub(super) fn terminating(wanted: &Wanted) -> String {
    format!(
        "disk {:?} is being deleted on the cluster: its claim {} goes as soon as nothing uses it any more: save its content while the VM runs",
        wanted.disk.name, wanted.claim
    )
}
