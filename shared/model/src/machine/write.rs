//! What there is to do about a Machine, as data. `controller/src/machine/execute.rs` does it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::api::config::Orphan;
use crate::baseline::war::{PAUSED, Turn};
use crate::baseline::{Drift, Wanted};
use crate::names::{self, ClusterName};
use crate::reason::{Reason, Violation};

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
    /// `Secret` with cloud-init data.
    Secret,
    /// `NetworkAttachmentDefinition`.
    Attachment,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// On the supervisor, to the Machine itself or to the record of its interfaces.
    Here(Here),
    /// On the Machine's cluster.
    There(There),
}

/// A write to the Machine itself, or to the record of its interfaces.
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
    /// Record on the KubevirtConfig, where there is one, what is left behind on a cluster that is gone for good.
    Forsake {
        /// The KubevirtConfig.
        cluster: ClusterName,
        /// What is left there.
        orphan: Box<Orphan>,
    },
    /// Take these finalizers off.
    Release(Vec<String>),
    /// Create this record.
    CreateRecord(Value),
    /// Merge this into the record, if it still has the UID in it.
    ChangeRecord(Value),
    /// Delete the record, if it still has this UID.
    DeleteRecord(String),
}

/// A write to the Machine's cluster.
#[derive(Clone, Debug, PartialEq)]
pub enum There {
    /// Create this object; one of ours by that name is as good.
    Create(Kind, String, Value),
    /// Merge this into the VM of this name, which is nobody's and becomes the Machine's, if it is still that version.
    Adopt(String, Value),
    /// Take the claim of this name, which the published operator made for a VM that is adopted; any other stays as it is.
    AdoptClaim(String),
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
    /// Take the object of this name, which is an earlier self's.
    TakeOver(Kind, String),
    /// Make this Secret, or bring it in line where it is the Machine's.
    Carry(Parcel),
}

/// Bytes that must not be shown: Debug says how many there are, and there is no Display (T19).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden(pub Vec<u8>);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.0.len())
    }
}

/// The Secret that carries cloud-init data to a VM, as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Parcel {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its labels.
    pub labels: Value,
    /// What stands under which key; what is absent shall not be there.
    pub data: Vec<(&'static str, Option<Hidden>)>,
    /// The VM says that there is one with other data.
    pub known: bool,
}

impl Parcel {
    /// The whole object, to be created.
    pub fn object(&self) -> Value {
        let filled = self.data.iter().filter_map(|(key, data)| Some(((*key).to_owned(), encode(data.as_ref()?))));
        let data: Map<String, Value> = filled.collect();
        let metadata = json!({"name": self.name, "namespace": self.namespace, "labels": self.labels});
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data})
    }

    /// Whether a Secret with this `data` holds the same already.
    pub fn holds(&self, data: &Value) -> bool {
        self.data.iter().all(|(key, wanted)| data[*key] == wanted.as_ref().map_or(Value::Null, encode))
    }

    /// The failure, without a message that quotes the data.
    pub fn without_data(&self, failure: Failure) -> Failure {
        if !self.is_shown_in(&failure.message) {
            return failure;
        }
        let message = format!("Secret {}: the cluster refuses it, in words that show what is in it", self.name);
        Failure { message, ..failure }
    }

    /// Whether a text holds a piece of the data, as it is or in base64 (T19).
    fn is_shown_in(&self, text: &str) -> bool {
        const PIECE: usize = 12;
        let text: Vec<char> = text.chars().collect();
        let pieces: Vec<String> = text.windows(PIECE).map(|piece| piece.iter().collect()).collect();
        self.data.iter().filter_map(|(_, data)| data.as_ref()).any(|data| {
            let (plain, encoded) = (String::from_utf8_lossy(&data.0), STANDARD.encode(&data.0));
            pieces.iter().any(|piece| plain.contains(piece) || encoded.contains(piece))
        })
    }

    /// The merge patch of the one that is there, if it is still that version of it.
    pub fn change(&self, uid: &str, resource_version: &str) -> Value {
        let all = self.data.iter().map(|(key, data)| ((*key).to_owned(), data.as_ref().map_or(Value::Null, encode)));
        let data: Map<String, Value> = all.collect();
        let mut labels = self.labels.clone();
        labels[names::RETAINED] = Value::Null;
        json!({"data": data, "metadata": {
            "uid": uid, "resourceVersion": resource_version, "labels": labels,
            "annotations": {names::RETAINED_FROM: null, names::RETAINED_SUPERVISOR: null},
        }})
    }
}

fn encode(data: &Hidden) -> Value {
    json!(STANDARD.encode(&data.0))
}

impl There {
    /// Brings an object (kind, name, UID) in line: at once where its Machine was edited, in its turn where others changed it, and
    /// not at all where nobody did.
    pub(super) fn bring_in_line(
        (kind, name, uid): (Kind, &str, &str),
        edited: bool,
        drift: &[Drift],
        turn: &Turn,
        wanted: Box<Wanted>,
    ) -> Option<Self> {
        let name = name.to_owned();
        match turn {
            _ if edited => Some(There::Update { kind, name, wanted, drift: Vec::new() }),
            _ if drift.is_empty() => None,
            Turn::Now => Some(There::Update { kind, name, wanted, drift: drift.to_vec() }),
            Turn::Pause(_) => {
                let mark = json!({"metadata": {"uid": uid, "annotations": {PAUSED: "true"}}});
                Some(There::Merge(kind, name, mark))
            }
            Turn::In(_) | Turn::Paused => None,
        }
    }
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

impl Failure {
    /// What the author's annotations ask of an object may not be.
    pub(super) fn of_patch(wrong: &[Violation]) -> Self {
        let all: Vec<String> = wrong.iter().map(|it| format!("{}: {}", it.path, it.message)).take(4).collect();
        Self { reason: Reason::PatchRefused, message: all.join("; ") }
    }
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
