//! What placement comes to, and the fields that it speaks of. Pure.

use std::borrow::Cow;

use model::message::Explanation;
use model::names::ClusterName;

use crate::placement::search::Located;
use crate::world::Config;

pub(super) const ANNOTATION: &str = "metadata.annotations[vitistack.io/kubevirt-config]";
pub(super) const REFERENCE: &str = "spec.kubevirtConfigRef.name";
pub(super) const SELECTOR: &str = "spec.clusterSelector";
/// Most names that a sentence or an explanation lists.
pub(super) const NAMES: usize = 8;

/// Where a Machine goes, and which rule said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The KubevirtConfig.
    pub cluster: ClusterName,
    /// The rule.
    pub rule: Rule,
    /// The VM that is to be adopted, where one was found.
    pub vm: Option<String>,
    /// Whether the cluster was searched for it: one that does not answer was not. The controller looks then.
    pub searched: bool,
    /// The text of `vitistack.io/placement`: the rule, what was left out and why, and whom there was to choose from.
    pub why: String,
    /// The VM's cluster and name are recorded: the explanation is history, and nothing new is explained.
    pub settled: bool,
}

/// The rule that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It was decided before, and nothing may move a VM.
    Kept,
    /// The author named it in the annotation or in `spec.kubevirtConfigRef`.
    Named,
    /// `DEFAULT_KUBEVIRT_CONFIG`.
    Default,
    /// There is no other.
    OnlyCluster,
    /// The Machine's VM is there already.
    Adopted,
    /// Drawn, by load.
    Balanced,
}

impl Rule {
    /// The word in logs, metrics and annotations.
    pub const fn name(self) -> &'static str {
        match self {
            Rule::Kept => "kept",
            Rule::Named => "named",
            Rule::Default => "default",
            Rule::OnlyCluster => "only-cluster",
            Rule::Adopted => "adopted",
            Rule::Balanced => "balanced",
        }
    }

    /// Whether the operator chose, and not the author.
    pub const fn is_automatic(self) -> bool {
        !matches!(self, Rule::Kept | Rule::Named)
    }
}

impl Placement {
    /// On a cluster that was looked at as far as it answers.
    pub(super) fn at(cluster: &ClusterName, rule: Rule, located: &Located, config: &Config) -> Self {
        let vm = if let Located::Found(vm) = located { Some(vm.clone()) } else { None };
        let searched = vm.is_some() || config.inventory.silent.is_none();
        let explanation = Explanation {
            rule: Cow::Borrowed(rule.name()),
            cluster: Cow::Borrowed(&cluster.0),
            vm: vm.as_deref().map(Cow::Borrowed),
            searched,
            ..Explanation::default()
        };
        let why = explanation.write();
        Placement { cluster: cluster.clone(), rule, vm, searched, why, settled: false }
    }

    /// Whether an explanation says of cluster and VM what was found now. One that was written by an earlier pass does, and is
    /// kept for its rule; one that anybody else wrote may say nothing else.
    pub(crate) fn agrees_with(&self, explanation: &str) -> bool {
        Explanation::read(explanation).is_some_and(|said| {
            let same = said.vm.as_deref() == self.vm.as_deref() && said.searched == self.searched;
            // A cluster that answers since the earlier pass is no reason to refuse: told nothing, the controller looks itself.
            let open = said.vm.is_none() && !said.searched;
            *said.cluster == *self.cluster.0 && (same || open)
        })
    }
}
