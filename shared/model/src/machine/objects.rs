//! What is kept of the objects of a Machine on its cluster. Pure.

use crate::baseline::Drift;

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
    /// Hash of what it was last written from.
    pub hash: Option<String>,
    /// What others changed of that since.
    pub drift: Vec<Drift>,
    /// Whether [`crate::baseline::war::PAUSED`] says that nothing of it is corrected.
    pub paused: Option<bool>,
    /// `vitistack.io/adopted`: it was there before the Machine. The text is what the Machine asked for when it was written.
    pub adopted: Option<String>,
    /// `spec.runStrategy`, or what `spec.running` stands for.
    pub run_strategy: Option<String>,
    /// [`crate::names::RESTARTED`].
    pub restarted: Option<String>,
    /// KubeVirt has a request to stop or start it, and has not carried it out.
    pub restarting: bool,
    /// [`crate::names::CHANGED_FIELDS`].
    pub changed: Option<String>,
    /// Hash of the cloud-init data that its Secret holds, where it has one.
    pub cloud_init: Option<String>,
    /// It hands network data to its guest.
    pub network_data: bool,
    /// `status.printableStatus`.
    pub printable: String,
    /// Message of KubeVirt's condition `Failure`.
    pub failure: Option<String>,
    /// Message of KubeVirt's condition `RestartRequired`.
    pub restart_required: Option<String>,
    /// [`crate::names::MACS_OF`].
    pub macs_of: Option<String>,
    /// The NetworkAttachmentDefinitions of its namespace that it is attached to.
    pub attachments: Vec<String>,
}

/// A VirtualMachineInstance, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vmi {
    /// Its name.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
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
    /// Why KubeVirt does not bring it to run, such as a pod that the cluster refuses.
    pub failure: Option<String>,
    /// It was started with cloud-init data from a Secret.
    pub cloud_init: bool,
    /// UID of what controls it: its VM.
    pub controller: Option<String>,
    /// What of a change comes to the guest when it moves to another node.
    pub waits: Option<Box<Waits>>,
}

/// What KubeVirt brings into a guest by moving it: conditions `HotVCPUChange`, `HotMemoryChange` and `MigrationRequired`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// More CPUs.
    pub cpus: bool,
    /// More memory.
    pub memory: bool,
    /// Other interfaces.
    pub interfaces: bool,
    /// Why it cannot move: what `LiveMigratable` says.
    pub stuck: Option<String>,
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
    /// `up` or `down`.
    pub state: Option<String>,
    /// Who reports it.
    pub source: Option<String>,
}

/// A PersistentVolumeClaim, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claim {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// Seconds since 1970 when it was made.
    pub created: Option<i64>,
    /// Its StorageClass.
    pub storage_class: Option<String>,
    /// Its access modes.
    pub access_modes: Vec<String>,
    /// Its volume mode.
    pub volume_mode: Option<String>,
    /// A DataVolume owns it.
    pub imported: bool,
    /// `status.phase`.
    pub phase: String,
    /// Bytes that it has; absent until it is bound.
    pub size: Option<u64>,
    /// What it asks for, a quantity.
    pub requested: Option<String>,
    /// Hash of what its labels and annotations were last written from.
    pub hash: Option<String>,
    /// What others changed of those since.
    pub drift: Vec<Drift>,
    /// Whether [`crate::baseline::war::PAUSED`] says that nothing of it is corrected.
    pub paused: Option<bool>,
    /// Deletion was asked for.
    pub deleting: bool,
}
