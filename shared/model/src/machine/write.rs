//! What there is to do about a Machine, as data. `controller/src/machine/execute.rs` does it.

use serde_json::Value;

use crate::baseline::{Drift, Wanted};
use crate::names::ClusterName;
use crate::reason::Reason;

/// Kinds that are written on a remote cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `Namespace`.
    Namespace,
    /// `PersistentVolumeClaim`.
    Claim,
    /// `DataVolume`: CDI makes a claim of its name and fills it.
    DataVolume,
    /// `VirtualMachine`.
    Vm,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// On the supervisor, to the Machine itself.
    Here(Here),
    /// On the Machine's cluster.
    There(There),
}

/// A write to the Machine itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Here {
    /// Record the identity of the cluster in the Machine's status before anything is made there.
    Record {
        /// The KubevirtConfig.
        cluster: ClusterName,
        /// UID of its `kube-system` namespace.
        id: String,
        /// Name of the Machine's VM there. It is never changed again.
        vm: String,
    },
    /// Put our finalizer on, before anything is made that it protects.
    Guard,
    /// An empty patch, so that admission decides about a Machine that is older than the webhook.
    AskAdmission,
    /// Take these finalizers off.
    Release(Vec<String>),
}

/// A write to the Machine's cluster.
#[derive(Clone, Debug, PartialEq)]
pub enum There {
    /// Create this object; one of ours by that name is as good.
    Create(Kind, String, Value),
    /// Merge this into the VM of this name, which is nobody's and becomes the Machine's, if it is still that version.
    Adopt(String, Value),
    /// Read the object of this name, and make it the wanted one.
    Update {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// What it should be.
        wanted: Box<Wanted>,
        /// What others changed of it since it was written last, where that is the reason.
        drift: Vec<Drift>,
    },
    /// Merge this into the object, if it is still that version.
    Merge(Kind, String, Value),
    /// Merge this request into the status of the VM of this name.
    Restart(String, Value),
    /// Delete the object of this name, if it still has this UID.
    Delete(Kind, String, String),
    /// The same, and what it owns stays.
    DeleteAlone(Kind, String, String),
    /// Take the claim of this name, which a Machine of this namespace left behind.
    TakeBack(String),
}

/// What to do. Empty when nothing is left to do; the rest is waiting for the cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Their order is the order of effects.
    pub writes: Vec<Write>,
    /// Why nothing more can be written: this is shown, and looked at again as its reason says.
    pub refused: Option<Failure>,
}

/// Why a write did not happen.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The reason it shows as.
    pub reason: Reason,
    /// The answer, for people.
    pub message: String,
}

impl From<Here> for Plan {
    fn from(write: Here) -> Self {
        Plan { writes: vec![Write::Here(write)], refused: None }
    }
}

impl From<Vec<There>> for Plan {
    fn from(writes: Vec<There>) -> Self {
        Plan { writes: writes.into_iter().map(Write::There).collect(), refused: None }
    }
}

impl From<Failure> for Plan {
    fn from(failure: Failure) -> Self {
        Plan { writes: Vec::new(), refused: Some(failure) }
    }
}
