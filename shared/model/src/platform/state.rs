//! What an asset is on a cluster, and what is to be written there. Pure.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::text::line;

/// Most bytes of a message.
pub const MESSAGE: usize = 256;

/// An object of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Name of its CRD, such as `kubedeschedulers.operator.openshift.io`.
    pub crd: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace; none for one that belongs to the whole cluster.
    pub namespace: Option<String>,
    /// Its name; empty for the root in the catalogue, which only a cluster can name.
    pub name: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

macro_rules! states {
    ($($name:ident, $says:literal;)*) => {
        /// How an asset stands on one cluster.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum State {
            $(#[doc = $says] $name,)*
        }

        impl State {
            /// Every state.
            pub const ALL: &'static [State] = &[$(State::$name),*];

            /// The word that status and metrics have.
            pub const fn name(self) -> &'static str {
                match self { $(State::$name => stringify!($name),)* }
            }

            /// The state of a word.
            pub fn of(word: &str) -> Option<State> {
                State::ALL.iter().copied().find(|state| state.name() == word)
            }
        }
    };
}

states! {
    Applied, "It is as it should be.";
    Missing, "It is not there: it is made, or would be.";
    Differs, "It is not as it should be: it is set right, or would be.";
    Throttled, "It was set right too often, and waits.";
    Paused, "It is left alone, because somebody changes it back each time.";
    Unmanaged, "It is left alone, because its annotation says so.";
    Excluded, "It is left alone, because `disabled-resources` names it.";
    NotSelected, "The KubevirtConfig does not ask for it.";
    ConditionNotMet, "The cluster has no use for it.";
    DependencyMissing, "The cluster lacks what it needs, such as its CRD.";
    Withheld, "Writing it would restart nodes, which is not allowed, or not now.";
    Foreign, "An object of somebody else is in its place.";
    Refused, "It cannot be written as it was asked for.";
    Forbidden, "The cluster does not allow us to write it.";
    Failed, "Writing it failed, and is tried again.";
    Unknown, "What it depends on could not be asked.";
}

/// How one asset stands on a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Name of the asset, or path of the tombstone.
    pub asset: String,
    /// Its object, where it is known which.
    pub key: Option<Key>,
    /// Its state.
    pub state: State,
    /// Why, and what to do; empty where there is nothing to say. At most [`MESSAGE`] bytes of one line.
    pub message: String,
}

impl Outcome {
    /// Whether it is about an object that is to go: names of assets have no `/`, paths of tombstones do.
    pub fn is_tombstone(&self) -> bool {
        self.asset.contains('/')
    }

    /// Whether it is about an object that was to go and is gone: nothing is left to tell.
    pub fn is_gone(&self) -> bool {
        self.is_tombstone() && self.state == State::Applied
    }
}

/// A state with the sentence for it.
pub type Said = (State, String);

/// The sentence as it may be shown: what it quotes may be a stranger's.
pub fn say(state: State, message: impl AsRef<str>) -> Said {
    (state, line(message.as_ref(), MESSAGE))
}

/// What is to be done with an object on the cluster.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Its whole has to be read before it can be judged: one GET, then judge again.
    Read,
    /// Create this object by POST.
    Create(Value),
    /// A merge patch, bound to the version that was read; and the fields that it changes.
    Change {
        /// The patch (RFC 7386), with uid and resourceVersion.
        patch: Value,
        /// Such as `spec.mode`.
        fields: Vec<String>,
    },
    /// A merge patch that marks the object as paused, bound to the version that was read.
    Pause(Value),
    /// Delete exactly the object that was judged, by these preconditions.
    Delete {
        /// Its uid.
        uid: String,
        /// Its resourceVersion.
        resource_version: String,
    },
}

/// What is counted when an object is made again.
pub(super) const ITSELF: &str = "the object itself";

impl Step {
    /// What it sets right, such as `spec.mode`: what [`crate::baseline::war`] counts.
    pub fn fields(&self) -> Vec<String> {
        match self {
            Step::Create(_) | Step::Delete { .. } => vec![ITSELF.to_owned()],
            Step::Change { fields, .. } => fields.clone(),
            Step::Read | Step::Pause(_) => Vec::new(),
        }
    }
}

/// The object that the KubeVirt of a cluster is configured by, as it is served there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// Such as `hco.kubevirt.io/v1beta1`.
    pub api_version: String,
    /// What it is called.
    pub key: Key,
}

/// The answer to one pass over a cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pass {
    /// Why nothing at all is done on the cluster.
    pub held: Option<Held>,
    /// The root, where it was asked for and found.
    pub root: Option<Root>,
    /// Every asset of the catalogue, in the order of the pass; then the tombstones. None while the cluster is held.
    pub outcomes: Vec<Outcome>,
    /// What is to be done, in this order. After a step for the root that went well, ask again: the others are made of it.
    pub steps: Vec<(Key, Step)>,
    /// Ask again after this long, though nothing happens.
    pub wait: Option<Duration>,
    /// What else the admin should know of what was asked for, one sentence each.
    pub notes: Vec<String>,
}

impl Pass {
    /// Names of the assets that have a say in what an object is.
    pub fn parts(&self, key: &Key) -> Vec<&str> {
        let has_say = |state| {
            !matches!(state, State::NotSelected | State::ConditionNotMet | State::DependencyMissing | State::Excluded)
        };
        let parts = self.outcomes.iter().filter(|it| it.key.as_ref() == Some(key) && has_say(it.state));
        parts.map(|it| it.asset.as_str()).collect()
    }
}

/// An object of the catalogue as a pass put it together, for those who look.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// Which object.
    pub key: Key,
    /// Names of the assets that are in it.
    pub parts: Vec<String>,
    /// What the catalogue makes of root, nodes and CRDs.
    pub baseline: Value,
    /// What is on the cluster once that was written, as far as it is kept true: patched, and with what the cluster has in fields
    /// that are left to others. None where the object is left alone, or cannot be made so.
    pub effective: Option<Value>,
}

/// Why a whole cluster is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// Nobody asked for a baseline.
    Off,
    /// The root says `autopilot: "false"`.
    Vetoed(String),
    /// It is another cluster than the one that is recorded.
    OtherCluster(String),
    /// It has no KubeVirt.
    NoVirtualization(String),
    /// It has several roots.
    Conflict(String),
    /// What the root is, is not known.
    Unknown(String),
    /// An exclusion cannot be read.
    ExclusionInvalid(String),
    /// Another program keeps the same objects.
    AnotherAutopilot(String),
}
