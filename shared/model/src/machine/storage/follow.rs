//! What of a claim is kept true. Pure. D1, X88, X97.

use super::super::intent::Admitted;
use super::super::observed::Observed;
use super::super::write::{Kind, There};
use super::build::wanted_claim;
use super::wanted::managed;
use crate::baseline::war::Turn;

/// Brings every claim in line after its Machine was edited, and takes back what others changed in it. A refusal was said when
/// the VM was judged.
pub(in super::super) fn follow(admitted: &Admitted, seen: &Observed) -> Vec<There> {
    let disks = managed(admitted);
    let claims = disks.iter().filter_map(|disk| {
        let claim = seen.claims.get(&disk.claim).filter(|claim| !claim.deleting)?;
        let wanted = Box::new(wanted_claim(admitted, disk, seen).ok()?);
        let edited = claim.hash.as_deref() != Some(&wanted.hash());
        let turn = seen.claim_turns.get(&disk.claim).unwrap_or(&Turn::Now);
        There::bring_in_line((Kind::Claim, &disk.claim, &claim.uid), edited, &claim.drift, turn, wanted)
    });
    claims.collect()
}
