//! What of a claim is kept true. Pure. D1, X88, X97.

use serde_json::json;

use super::super::intent::Admitted;
use super::super::objects::Claim;
use super::super::observed::Observed;
use super::super::write::{Kind, There};
use super::build::wanted_claim;
use super::wanted::managed;
use crate::baseline::Drift;
use crate::baseline::war::{self, Turn};

/// Brings every claim in line after its Machine was edited, and takes back what others changed in it. A refusal was said when
/// the VM was judged.
pub(in super::super) fn follow(admitted: &Admitted, seen: &Observed) -> Vec<There> {
    let bring = |claim: &Claim, name: String, wanted, drift| match seen.claim_turns.get(&name) {
        _ if claim.deleting => None,
        Some(Turn::Pause(_)) => {
            let mark = json!({"metadata": {"uid": claim.uid, "annotations": {war::PAUSED: "true"}}});
            Some(There::Merge(Kind::Claim, name, mark))
        }
        Some(Turn::In(_) | Turn::Paused) => None,
        Some(Turn::Now) | None => Some(There::Update { kind: Kind::Claim, name, wanted, drift }),
    };
    let disks = managed(admitted);
    let claims = disks.iter().filter_map(|disk| {
        let claim = seen.claims.get(&disk.claim)?;
        let wanted = Box::new(wanted_claim(admitted, disk, seen).ok()?);
        let name = disk.claim.clone();
        if claim.hash.as_deref() != Some(&wanted.hash()) {
            return (!claim.deleting).then(|| There::Update { kind: Kind::Claim, name, wanted, drift: Vec::new() });
        }
        if claim.drift.is_empty() { None } else { bring(claim, name, wanted, claim.drift.clone()) }
    });
    claims.collect()
}

/// The claims of which nothing is set back any more, each with what differs first.
pub(in super::super) fn paused(seen: &Observed) -> Vec<(&str, &Drift)> {
    let paused = seen.claim_turns.iter().filter(|(_, turn)| matches!(turn, Turn::Paused | Turn::Pause(_)));
    paused.filter_map(|(name, _)| Some((name.as_str(), seen.claims.get(name)?.drift.first()?))).collect()
}
