//! What a pass makes of the catalogue for one cluster, row by row, for people. Pure. P9: the rows are what the pass itself made;
//! nothing is put together here.

pub mod text;

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::catalogue::{Asset, Catalogue};
use super::memory::Memory;
use super::rules::made;
use super::snapshot::Snapshot;
use super::state::{Held, Key, Made, Outcome, Pass, State};

/// Whether an asset is part of what the cluster should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is.
    Included,
    /// The cluster has no use for it, or lacks what it needs.
    Excluded,
    /// It is left alone because somebody wants that.
    Filtered,
    /// It cannot be said, or cannot be.
    Error,
}

impl Status {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Included => "INCLUDED",
            Status::Excluded => "EXCLUDED",
            Status::Filtered => "FILTERED",
            Status::Error => "ERROR",
        }
    }
}

/// How far an object is put together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// As a pass writes it.
    #[default]
    Effective,
    /// As the catalogue has it for root, nodes and CRDs of the cluster, whatever its objects are and what users say of them.
    Baseline,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Stage; 2] = [Stage::Effective, Stage::Baseline];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Effective => "effective",
            Stage::Baseline => "baseline",
        }
    }
}

/// In which form rows are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A document for each object, with comments above it.
    #[default]
    Yaml,
    /// One list.
    Json,
    /// A table without objects.
    Status,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 3] = [Format::Yaml, Format::Json, Format::Status];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Yaml => "yaml",
            Format::Json => "json",
            Format::Status => "status",
        }
    }
}

/// Which rows are shown, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Those that are EXCLUDED or FILTERED, too.
    pub show_excluded: bool,
    /// Only those whose CRD the cluster serves.
    pub only_installed: bool,
    /// Only those that are called so, by name or group.
    pub asset: Option<String>,
    /// How far objects are put together.
    pub stage: Stage,
    /// In which form.
    pub format: Format,
}

/// One asset on one cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Row<'c> {
    /// The asset.
    pub asset: &'c Asset,
    /// The file that its object is from.
    pub path: &'c str,
    /// Whether it is part of what the cluster should be.
    pub status: Status,
    /// Why; empty where there is nothing to say.
    pub reason: String,
    /// Its object, all parts of it.
    pub object: Option<Value>,
}

/// What a pass makes of a cluster, as far as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered<'c> {
    /// In the order of the pass.
    pub rows: Vec<Row<'c>>,
    /// What else the admin should know.
    pub notes: Vec<String>,
    /// What the pass answered.
    pub pass: Pass,
}

impl Rendered<'_> {
    /// Whether something cannot be as it was asked for.
    pub fn is_wrong(&self) -> bool {
        matches!(self.pass.held, Some(Held::ExclusionInvalid(_)))
            || self.rows.iter().any(|row| row.status == Status::Error)
    }
}

/// The rows of a cluster, from the very function that its passes call. Nothing is remembered of it.
pub fn render<'c>(
    catalogue: &'c Catalogue,
    snapshot: &Snapshot,
    memory: &BTreeMap<Key, Memory>,
    now: Timestamp,
    options: &Options,
) -> Rendered<'c> {
    let (pass, made) = made(catalogue, snapshot, &mut memory.clone(), now);
    let is_meant = |asset: &&Asset| {
        options.asset.as_ref().is_none_or(|name| asset.is_called(name))
            && (!options.only_installed || matches!(snapshot.crd(&asset.key.crd), Ok(Some(_))))
    };
    let rows = catalogue.assets.iter().filter(is_meant).map(|asset| row(asset, &pass, &made, options.stage));
    let is_shown = |row: &Row<'_>| options.show_excluded || matches!(row.status, Status::Included | Status::Error);
    Rendered { rows: rows.filter(is_shown).collect(), notes: pass.notes.clone(), pass }
}

fn row<'c>(asset: &'c Asset, pass: &Pass, made: &[Made], stage: Stage) -> Row<'c> {
    let made = made.iter().find(|it| it.parts.contains(&asset.row.name));
    let outcome = pass.outcomes.iter().find(|it| it.asset == asset.row.name);
    let (status, reason) = match (outcome, &pass.held) {
        (Some(outcome), _) => of(outcome, made, stage),
        (None, Some(held)) => kept(held),
        (None, None) => (Status::Error, "was not judged".to_owned()),
    };
    let object = made.filter(|_| status == Status::Included).and_then(|made| match stage {
        Stage::Effective => made.effective.clone(),
        Stage::Baseline => Some(made.baseline.clone()),
    });
    let of_fallback = |object: &Value| asset.objects.get(1).is_some_and(|it| it["apiVersion"] == object["apiVersion"]);
    let path = match &asset.row.fallback {
        Some(fallback) if object.as_ref().is_some_and(of_fallback) => fallback,
        _ => &asset.row.path,
    };
    Row { asset, path, status, reason, object }
}

fn of(outcome: &Outcome, made: Option<&Made>, stage: Stage) -> (Status, String) {
    let is_whole = made.is_some_and(|made| made.effective.is_some());
    let status = match outcome.state {
        State::Refused => Status::Error,
        // What is there, and what becomes of it, is no part of the baseline.
        _ if stage == Stage::Baseline && made.is_some() => return (Status::Included, String::new()),
        State::Unknown if !is_whole => Status::Error,
        State::Applied
        | State::Missing
        | State::Differs
        | State::Throttled
        | State::Withheld
        | State::Forbidden
        | State::Failed
        | State::Unknown => Status::Included,
        State::NotSelected | State::ConditionNotMet | State::DependencyMissing => Status::Excluded,
        State::Excluded | State::Unmanaged | State::Paused | State::Foreign => Status::Filtered,
    };
    let colon = if outcome.message.is_empty() { "" } else { ": " };
    (status, [outcome.state.name(), colon, &outcome.message].concat())
}

/// What a cluster that is held says of each asset.
fn kept(held: &Held) -> (Status, String) {
    match held {
        Held::Off => (Status::Filtered, "nobody asked for a baseline of this cluster".to_owned()),
        Held::Vetoed(why) | Held::AnotherAutopilot(why) => (Status::Filtered, why.clone()),
        Held::OtherCluster(why)
        | Held::NoVirtualization(why)
        | Held::Conflict(why)
        | Held::Unknown(why)
        | Held::ExclusionInvalid(why) => (Status::Error, why.clone()),
    }
}
