//! What `/debug` says of the platform baselines: what a pass would make of each cluster now. No I/O: it is answered from what is
//! known, and nothing is remembered of it. D10, D18, D19, D20, P9.

use std::collections::BTreeMap;
use std::fmt::Write;

use k8s_openapi::jiff::Timestamp;
use model::names::ClusterName;
use model::platform::catalogue::Catalogue;
use model::platform::memory::Memory;
use model::platform::render::{Format, Options, Rendered, Stage, Status, render, text};
use model::platform::snapshot::Snapshot;
use model::platform::state::Key;
use model::platform::status::summary;
use model::reason::did_you_mean;
use model::text::line;
use serde_json::Value;

/// Bytes of a sentence that is shown.
const SENTENCE: usize = 512;
/// What may stand behind the `?`.
const KEYS: [&str; 5] = ["cluster", "format", "only-installed", "show-excluded", "stage"];

/// A cluster as a pass would see it now.
pub(crate) type Looked = (ClusterName, Snapshot, BTreeMap<Key, Memory>);
/// What stands behind the `?` of a request.
pub(crate) type Query = BTreeMap<String, String>;

/// All that there is to tell.
pub(crate) struct Baselines<'p> {
    /// What there is to be written; none while `PLATFORM_ASSETS` is refused.
    pub(crate) catalogue: Option<&'p Catalogue>,
    /// Why it is refused.
    pub(crate) refused: &'p [String],
    /// The clusters that have a baseline.
    pub(crate) clusters: Vec<Looked>,
}

impl Baselines<'_> {
    /// A table for each cluster, to stand below the Machines; empty where nobody asked for a baseline.
    pub(crate) fn tables(&self, now: Timestamp) -> String {
        let options = Options { show_excluded: true, format: Format::Status, ..Options::default() };
        let table = |(name, rendered): (&ClusterName, Rendered<'_>)| {
            format!("\nplatform of {name}\n{}", text::page(&name.0, &rendered, &options))
        };
        self.rendered(&options, now).map(table).collect()
    }

    /// The assets of the clusters that the query means, as it wants them; of one name or group alone, if that is given. `None`:
    /// there is no asset of that name.
    pub(crate) fn assets(&self, name: Option<&str>, query: &Query, now: Timestamp) -> Option<String> {
        let Some(catalogue) = self.catalogue else { return Some(self.refusal()) };
        if name.is_some_and(|name| catalogue.unknown(name).is_some()) {
            return None;
        }
        let mut options = match options(query) {
            Ok(options) => options,
            Err(why) => return Some(format!("{why}\n")),
        };
        options.asset = name.map(str::to_owned);
        // Who asks for one by name wants to know why it is not there.
        options.show_excluded |= name.is_some();
        let meant = |name: &ClusterName| query.get("cluster").is_none_or(|cluster| *cluster == name.0);
        let shown = self.rendered(&options, now).filter(|(cluster, _)| meant(cluster));
        let texts: Vec<String> = shown.map(|(cluster, it)| text::page(&cluster.0, &it, &options)).collect();
        Some(match options.format {
            _ if texts.is_empty() => self.nobody(query.get("cluster")),
            Format::Yaml | Format::Status => texts.concat(),
            Format::Json => joined(&texts),
        })
    }

    /// What is not part of the baseline of a cluster, and why. A line for each.
    pub(crate) fn exclusions(&self, now: Timestamp) -> String {
        let options = Options { show_excluded: true, ..Options::default() };
        let mut page = String::new();
        for (cluster, rendered) in self.rendered(&options, now) {
            for row in rendered.rows.iter().filter(|row| row.status != Status::Included) {
                let (name, reason) = (&row.asset.row.name, line(&row.reason, SENTENCE));
                // Writing to a String does not fail.
                let _ = writeln!(page, "{cluster}/{name}  {}  {reason}", row.status.name());
            }
            for note in &rendered.notes {
                let _ = writeln!(page, "{cluster}  note  {}", line(note, SENTENCE));
            }
        }
        page
    }

    /// What earlier catalogues had, and how far it is gone.
    pub(crate) fn tombstones(&self, now: Timestamp) -> String {
        let Some(catalogue) = self.catalogue else { return self.refusal() };
        if catalogue.tombstones.is_empty() {
            return "the catalogue has no tombstones\n".to_owned();
        }
        let clusters: Vec<_> = self.rendered(&Options::default(), now).collect();
        let mut page = String::new();
        for stone in &catalogue.tombstones {
            let _ = writeln!(page, "{}  {}", stone.path, stone.key);
            for (cluster, rendered) in &clusters {
                let outcome = rendered.pass.outcomes.iter().find(|outcome| outcome.asset == stone.path);
                let said = outcome.map_or_else(
                    || "the cluster is held: see /debug/health".to_owned(),
                    |outcome| format!("{}: {}", outcome.state.name(), line(&outcome.message, SENTENCE)),
                );
                let _ = writeln!(page, "  {cluster}  {said}");
            }
        }
        page
    }

    /// A line for each cluster that has a baseline.
    pub(crate) fn health(&self, now: Timestamp) -> String {
        if self.catalogue.is_none() {
            return self.refusal();
        }
        let mut page = format!("platform  {}\n", self.clusters.len());
        let modes = self.clusters.iter().map(|(_, snapshot, _)| snapshot.asked.mode);
        for ((cluster, rendered), mode) in self.rendered(&Options::default(), now).zip(modes) {
            let _ = writeln!(page, "  {cluster}  {}", line(&summary(mode, &rendered.pass), SENTENCE));
        }
        page
    }

    fn rendered(&self, options: &Options, now: Timestamp) -> impl Iterator<Item = (&ClusterName, Rendered<'_>)> {
        self.catalogue.into_iter().flat_map(move |catalogue| {
            let clusters = self.clusters.iter();
            clusters.map(move |(name, snapshot, memory)| (name, render(catalogue, snapshot, memory, now, options)))
        })
    }

    fn refusal(&self) -> String {
        let why: String = self.refused.iter().map(|why| ["  ", &line(why, SENTENCE), "\n"].concat()).collect();
        format!("no platform baseline is kept: PLATFORM_ASSETS is refused\n{why}")
    }

    fn nobody(&self, cluster: Option<&String>) -> String {
        let known = self.clusters.iter().map(|(name, ..)| name.0.as_str());
        match cluster {
            Some(cluster) => {
                let near = did_you_mean(cluster, known);
                format!("no platform baseline is known of the cluster {:?}{near}\n", line(cluster, 253))
            }
            None => "no cluster has a platform baseline\n".to_owned(),
        }
    }
}

/// One list of several.
fn joined(texts: &[String]) -> String {
    let lists = texts.iter().filter_map(|text| serde_json::from_str::<Vec<Value>>(text).ok());
    format!("{:#}\n", Value::Array(lists.flatten().collect()))
}

/// What the query asks for, or what is wrong with it.
fn options(query: &Query) -> Result<Options, String> {
    if let Some(key) = query.keys().find(|key| !KEYS.contains(&key.as_str())) {
        let known = KEYS.join(", ");
        return Err(format!("there is no {:?}{}: known are {known}", line(key, 64), did_you_mean(key, KEYS)));
    }
    let one_of = |key: &str, words: &[&str]| {
        let word = query.get(key).map_or(words[0], String::as_str);
        words
            .iter()
            .position(|known| *known == word)
            .ok_or_else(|| format!("{key} must be one of {}", words.join(", ")))
    };
    let is = |key: &str| match query.get(key).map(String::as_str) {
        None | Some("false") => Ok(false),
        Some("" | "true") => Ok(true),
        Some(_) => Err(format!("{key} must be true or false")),
    };
    let (stages, formats) = (Stage::ALL.map(Stage::name), Format::ALL.map(Format::name));
    Ok(Options {
        show_excluded: is("show-excluded")?,
        only_installed: is("only-installed")?,
        asset: None,
        stage: Stage::ALL[one_of("stage", &stages)?],
        format: Format::ALL[one_of("format", &formats)?],
    })
}

#[cfg(test)]
#[path = "debug_tests.rs"]
mod tests;
