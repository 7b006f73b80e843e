//! All there is: a supervisor, two clusters and one that takes the place of another, and what lies between them and a controller.

use std::collections::{BTreeMap, BTreeSet};

use model::api::{KubevirtConfig, KubevirtConfigSpec, KubevirtConfigStatus};
use model::names::ClusterName;
use serde_json::json;

use crate::store::{Refused, Sort, Store, key};

pub(crate) const NAMESPACE: &str = "shop";
pub(crate) const SUPERVISOR: &str = "sup";

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    Supervisor,
    Cluster(usize),
}

/// What becomes of a write of a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It does not arrive.
    Lost,
    /// It is carried out, and the answer does not arrive.
    AnswerLost,
    /// It arrives twice, and the second answer counts.
    Repeated,
    /// The controller ends before it is sent.
    CrashBefore,
    /// The controller ends before the answer is there.
    CrashAfter,
}

pub(crate) const TROUBLES: [Trouble; 5] =
    [Trouble::Lost, Trouble::AnswerLost, Trouble::Repeated, Trouble::CrashBefore, Trouble::CrashAfter];

/// What a controller hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Refused(Refused),
    Silence,
}

pub(crate) struct World {
    pub(crate) supervisor: Store,
    pub(crate) clusters: Vec<Store>,
    pub(crate) configs: BTreeMap<ClusterName, KubevirtConfig>,
    /// Where each KubevirtConfig leads now.
    pub(crate) leads: BTreeMap<ClusterName, usize>,
    /// Clusters that do not answer.
    pub(crate) cut: BTreeSet<usize>,
    pub(crate) second: i64,
    /// Writes of controllers so far, and what becomes of which.
    pub(crate) writes: usize,
    pub(crate) script: BTreeMap<usize, Trouble>,
    /// The controller that writes has just ended.
    pub(crate) crashed: bool,
    /// Machines about which a controller has asked admission.
    pub(crate) asked: Vec<String>,
    pub(crate) trace: Vec<String>,
}

impl World {
    pub(crate) fn new(script: BTreeMap<usize, Trouble>) -> Self {
        let mut supervisor = Store::new(SUPERVISOR);
        supervisor.create(&key(Sort::Namespace, "", NAMESPACE), &json!({})).expect("a namespace");
        let names = ["east", "west"].map(|name| ClusterName(name.to_owned()));
        let config = |(name, id): (&ClusterName, &str)| {
            let mut config = KubevirtConfig::new(&name.0, KubevirtConfigSpec::default());
            config.status =
                Some(KubevirtConfigStatus { cluster_id: Some(id.to_owned()), ..KubevirtConfigStatus::default() });
            (name.clone(), config)
        };
        Self {
            supervisor,
            clusters: ["c-east", "c-west", "c-new"].map(Store::new).into_iter().collect(),
            configs: names.iter().zip(["c-east", "c-west"]).map(config).collect(),
            leads: names.iter().cloned().zip(0..).collect(),
            cut: BTreeSet::new(),
            second: 0,
            writes: 0,
            script,
            crashed: false,
            asked: Vec::new(),
            trace: Vec::new(),
        }
    }

    pub(crate) fn note(&mut self, what: impl Into<String>) {
        let line = format!("{:4} s  {}", self.second, what.into());
        self.trace.push(line);
    }

    fn store(&mut self, to: To) -> &mut Store {
        match to {
            To::Supervisor => &mut self.supervisor,
            To::Cluster(at) => &mut self.clusters[at],
        }
    }

    /// Sends a write of a controller.
    pub(crate) fn send(
        &mut self,
        to: To,
        what: &str,
        write: impl Fn(&mut Store) -> Result<(), Refused>,
    ) -> Result<(), Answer> {
        if self.crashed || matches!(to, To::Cluster(at) if self.cut.contains(&at)) {
            return Err(Answer::Silence);
        }
        let trouble = self.script.get(&self.writes).copied();
        let number = self.writes;
        self.writes += 1;
        let answer = match trouble {
            None => write(self.store(to)).map_err(Answer::Refused),
            Some(Trouble::Repeated) => {
                let _first = write(self.store(to));
                write(self.store(to)).map_err(Answer::Refused)
            }
            Some(Trouble::Lost | Trouble::CrashBefore) => Err(Answer::Silence),
            Some(Trouble::AnswerLost | Trouble::CrashAfter) => {
                let _unheard = write(self.store(to));
                Err(Answer::Silence)
            }
        };
        self.crashed = matches!(trouble, Some(Trouble::CrashBefore | Trouble::CrashAfter));
        let where_to = self.store(to).id;
        let trouble = trouble.map(|trouble| format!(" {trouble:?}")).unwrap_or_default();
        self.note(format!("    write {number} to {where_to}: {what}{trouble}: {answer:?}"));
        answer
    }

    /// A cluster, to be read.
    pub(crate) fn ask(&self, cluster: usize) -> Result<&Store, Answer> {
        if self.cut.contains(&cluster) { Err(Answer::Silence) } else { Ok(&self.clusters[cluster]) }
    }

    /// Everything that has happened, counted.
    pub(crate) fn events(&self) -> usize {
        self.supervisor.log.len() + self.clusters.iter().map(|cluster| cluster.log.len()).sum::<usize>()
    }
}
