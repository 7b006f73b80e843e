//! What keeps a whole cluster from being written. Pure. P1, X31, X80, X83, X84, X89.

use serde_json::Value;

use super::catalogue::Catalogue;
use super::exclusion::{self, Rule};
use super::root;
use super::snapshot::{AUTOPILOT, AUTOPILOT_OF_ONE_CLUSTER, DISABLED, MANAGED_BY, Mode, Snapshot, texts, word};
use super::state::Held;
use crate::names::PATCH_PREFIXES;

/// The root and the exclusions of a cluster on which something may be done.
pub(super) fn admit<'s>(catalogue: &Catalogue, snapshot: &'s Snapshot) -> Result<(&'s Value, Vec<Rule>), Held> {
    if snapshot.asked.mode == Mode::Off {
        return Err(Held::Off);
    }
    snapshot.identity.clone().map_err(Held::OtherCluster)?;
    let root = root::select(&snapshot.hyperconvergeds, &snapshot.kubevirts)?;
    let annotations = texts(root, "annotations");
    if word(&annotations, AUTOPILOT).is_some_and(|said| said.eq_ignore_ascii_case("false")) {
        return Err(Held::Vetoed(format!("{} says {AUTOPILOT}: \"false\"", root::key(root))));
    }
    let mut exclusions = Vec::new();
    for (place, said) in
        [("KubevirtConfig".to_owned(), &snapshot.asked.annotations), (root::key(root).to_string(), &annotations)]
    {
        for prefix in PATCH_PREFIXES {
            let key = format!("{prefix}{DISABLED}");
            let rules = exclusion::parse(said.get(&key).map_or("", String::as_str));
            exclusions.extend(rules.map_err(|why| Held::ExclusionInvalid(format!("{key} of {place}: {why}")))?);
        }
    }
    let objects = catalogue.keys().into_iter().filter_map(|key| snapshot.object(key).ok()?.object());
    let other = std::iter::once(root)
        .chain(objects)
        .find(|it| it["metadata"]["labels"][MANAGED_BY] == AUTOPILOT_OF_ONE_CLUSTER);
    match other {
        Some(object) => {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            Err(Held::AnotherAutopilot(format!(
                "{AUTOPILOT_OF_ONE_CLUSTER} keeps {name:?} on this cluster: remove it first, with its labels"
            )))
        }
        None => Ok((root, exclusions)),
    }
}
