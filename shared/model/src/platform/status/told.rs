//! `status.platform` of a KubevirtConfig, from the last pass and from what was said before. Pure. P18, X88.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::left::{called, left};
use super::passed::{ELSEWHERE, Passed, summary};
use crate::api::platform::{ENTRIES, MESSAGE, NAME};
use crate::api::{PlatformAsset, PlatformRoot, PlatformStatus};
use crate::platform::snapshot::Mode;
use crate::platform::state::{Held, Outcome, Pass, Root, State};
use crate::text::line;

/// What is told of a pass; `None` where nobody ever asked for a baseline.
///
/// Guarantees: the same pass and what was said of it give the same again; an asset keeps its time while its state stays; what
/// is left on a cluster is not forgotten, however long nothing is known of it; no text of a stranger is longer than the schema
/// allows, or hides anything.
pub fn told(passed: &Passed, previous: Option<&PlatformStatus>, now: &Time) -> Option<PlatformStatus> {
    let (mode, pass) = (passed.reach(), &passed.pass);
    if mode == Mode::Off && previous.is_none() {
        return None;
    }
    let nothing = PlatformStatus::default();
    let before = previous.unwrap_or(&nothing);
    let left = left(passed, before);
    let summary = match (mode, left.len()) {
        (Mode::Off, 0) => "off".to_owned(),
        (Mode::Off, 1) => "off, 1 object left".to_owned(),
        (Mode::Off, many) => format!("off, {many} objects left"),
        (Mode::Audit | Mode::Enforce, _) => line(&summary(mode, pass), MESSAGE),
    };
    let root = match (&pass.root, &pass.held) {
        (Some(root), _) => Some(shown(root)),
        (None, None | Some(Held::Off | Held::Unknown(_))) => before.root.clone(),
        (None, Some(_)) => None,
    };
    let assets = match (mode, &pass.held) {
        (Mode::Off, _) => Vec::new(),
        (_, None) => judged(pass, &before.assets, now),
        (_, Some(Held::Unknown(why))) => before.assets.iter().map(|asset| unknown(asset, why, now)).collect(),
        (_, Some(_)) => Vec::new(),
    };
    Some(PlatformStatus { mode: Some(mode.name().to_owned()), summary: Some(summary), root, assets, left })
}

/// The assets in the order of the pass. If there are too many, those that are no part of this cluster's baseline go first.
fn judged(pass: &Pass, before: &[PlatformAsset], now: &Time) -> Vec<PlatformAsset> {
    let of_other_root = |it: &Outcome| it.key.is_none() && it.state == State::ConditionNotMet;
    let mut shown: Vec<&Outcome> =
        pass.outcomes.iter().filter(|outcome| !outcome.is_gone() && !of_other_root(outcome)).collect();
    let mut over = shown.len().saturating_sub(ENTRIES);
    shown.retain(|outcome| {
        let goes = over > 0 && ELSEWHERE.contains(&outcome.state);
        over -= usize::from(goes);
        !goes
    });
    shown.into_iter().take(ENTRIES).map(|outcome| asset(outcome, before, now)).collect()
}

fn asset(outcome: &Outcome, before: &[PlatformAsset], now: &Time) -> PlatformAsset {
    let (name, state) = (line(&outcome.asset, NAME), outcome.state.name());
    let same = before.iter().find(|earlier| earlier.name == name && earlier.state == state);
    let message = line(&outcome.message, MESSAGE);
    PlatformAsset {
        name,
        object: outcome.key.as_ref().map(called),
        state: state.to_owned(),
        message: Some(message).filter(|it| !it.is_empty()),
        since: same.and_then(|earlier| earlier.since.clone()).or_else(|| Some(now.clone())),
    }
}

/// An asset of a cluster of which nothing is known now.
fn unknown(asset: &PlatformAsset, why: &str, now: &Time) -> PlatformAsset {
    let state = State::Unknown.name();
    let since = asset.since.clone().filter(|_| asset.state == state);
    PlatformAsset {
        state: state.to_owned(),
        message: Some(line(why, MESSAGE)).filter(|it| !it.is_empty()),
        since: since.or_else(|| Some(now.clone())),
        ..asset.clone()
    }
}

fn shown(root: &Root) -> PlatformRoot {
    let text = |text: &str| Some(line(text, NAME)).filter(|it| !it.is_empty());
    PlatformRoot {
        api_version: text(&root.api_version),
        kind: text(&root.key.kind),
        namespace: root.key.namespace.as_deref().and_then(text),
        name: text(&root.key.name),
    }
}
