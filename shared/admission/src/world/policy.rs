//! The settings of the webhook that decisions depend on. Pure.

use model::machine::owner::Adoption;
use model::names::ClusterName;

/// Settings that decisions depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `DEFAULT_KUBEVIRT_CONFIG`.
    pub default_cluster: Option<ClusterName>,
    /// Where KubevirtConfigs live; `None` where the CRD is cluster-scoped (X8, X9).
    pub configs_namespace: Option<String>,
    /// `VM_NAME_PREFIX`.
    pub vm_prefix: String,
    /// `PVC_ACCESS_MODE`.
    pub access_mode: String,
    /// `PVC_VOLUME_MODE`.
    pub volume_mode: Option<String>,
    /// `PLACEMENT_STRATEGY`.
    pub strategy: Strategy,
    /// `WEBHOOK_REPLICAS`: how many webhooks decide at the same time.
    pub replicas: u32,
    /// `PLACEMENT_WHEN_UNREACHABLE`; absent: refuse under `strict`, skip under `balanced` (X48).
    pub when_unreachable: Option<WhenUnreachable>,
    /// `ADOPTION`.
    pub adoption: Adoption,
    /// `ADOPT_BEFORE_DEFAULT`: a VM that is known on one cluster outranks the default (X4).
    pub adopt_before_default: bool,
    /// UID of the supervisor's `kube-system`.
    pub supervisor: String,
    /// The operator's own namespace, whose Machines are refused (X67).
    pub own_namespace: String,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            default_cluster: None,
            configs_namespace: Some("default".to_owned()),
            vm_prefix: "vm-".to_owned(),
            access_mode: "ReadWriteOnce".to_owned(),
            volume_mode: None,
            strategy: Strategy::Strict,
            replicas: 1,
            when_unreachable: None,
            adoption: Adoption::Unowned,
            adopt_before_default: false,
            supervisor: String::new(),
            own_namespace: String::new(),
        }
    }
}

impl Policy {
    /// What a silent cluster means for a search, where one of several is chosen like this (X48).
    pub fn when_unreachable(&self, strategy: Strategy) -> WhenUnreachable {
        self.when_unreachable.unwrap_or(match strategy {
            Strategy::Strict => WhenUnreachable::Refuse,
            Strategy::Balanced => WhenUnreachable::Skip,
        })
    }
}

/// How one of several clusters is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Not at all: the author must choose.
    Strict,
    /// The less loaded of two drawn at random.
    Balanced,
}

impl Strategy {
    /// Every strategy.
    pub const ALL: [Strategy; 2] = [Strategy::Strict, Strategy::Balanced];

    /// The word that settings and annotations have.
    pub const fn name(self) -> &'static str {
        match self {
            Strategy::Strict => "strict",
            Strategy::Balanced => "balanced",
        }
    }

    /// The strategy of a word.
    pub fn of(word: &str) -> Option<Self> {
        Strategy::ALL.into_iter().find(|strategy| strategy.name() == word)
    }
}

/// What a cluster that does not answer means when it has to be searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenUnreachable {
    /// The Machine is refused.
    Refuse,
    /// The cluster is left out, with a warning.
    Skip,
}
