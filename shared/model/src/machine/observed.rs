//! What one reconcile saw: one Machine's objects on its cluster, as far as they matter. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::{Found, Kind};

/// What one reconcile saw of one Machine's cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// UID of the supervisor's `kube-system` namespace.
    pub supervisor: String,
    /// The cluster.
    pub remote: Remote,
    /// Its VirtualMachine, by UID label.
    pub vm: Option<Vm>,
    /// Its VirtualMachineInstance.
    pub vmi: Option<Vmi>,
    /// Its claims by name.
    pub claims: BTreeMap<String, Claim>,
    /// The remote namespace is known to exist.
    pub namespace_known: bool,
    /// StorageClasses of the cluster.
    pub storage_classes: BTreeSet<String>,
    /// Names that we have created and whose watch event has not come yet.
    pub awaited: BTreeSet<(Kind, String)>,
    /// The VM that admission found, when there is none of the Machine's yet.
    pub found: Found,
}

/// Whether a cluster can be worked on. Unknown is never absent: only `Connected` says anything about its objects.
#[derive(Clone, Debug, PartialEq)]
pub enum Remote {
    /// There is no KubevirtConfig of that name.
    Missing,
    /// It is configured and was not asked to the end yet: nothing is known, not even that it is away.
    Connecting,
    /// It is configured, and does not answer or cannot be used; the sentence says why.
    Unreachable(String),
    /// It answers, and its watches are fresh.
    Connected {
        /// UID of its `kube-system` namespace.
        id: String,
    },
}

/// A VirtualMachine, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vm {
    /// Its name.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// Deletion was asked for.
    pub deleting: bool,
    /// Hash of the desired state it was last written from.
    pub hash: Option<String>,
    /// `vitistack.io/adopted`: it was there before the Machine. The text is what the Machine asked for when it was written.
    pub adopted: Option<String>,
    /// `status.printableStatus`.
    pub printable: String,
    /// Message of KubeVirt's condition `Failure`.
    pub failure: Option<String>,
    /// Message of KubeVirt's condition `RestartRequired`.
    pub restart_required: Option<String>,
}

/// A VirtualMachineInstance, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vmi {
    /// Its name.
    pub name: String,
    /// `status.phase`.
    pub phase: String,
    /// Condition `Ready` is true.
    pub ready: bool,
    /// `status.nodeName`.
    pub node: Option<String>,
    /// `status.interfaces`.
    pub interfaces: Vec<Nic>,
    /// Why it cannot be scheduled.
    pub unschedulable: Option<String>,
}

/// An interface that an instance reports.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Nic {
    /// Its name.
    pub name: Option<String>,
    /// Its MAC address.
    pub mac: Option<String>,
    /// Its addresses, the main one first.
    pub ips: Vec<String>,
}

/// A PersistentVolumeClaim, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claim {
    /// `metadata.uid`.
    pub uid: String,
    /// `status.phase`.
    pub phase: String,
    /// Deletion was asked for.
    pub deleting: bool,
}
