//! What one reconcile saw: one Machine's objects on its cluster, as far as they matter. Pure.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::carried::Carried;
use super::imports::{Imports, StorageClass};
use super::networks::Networks;
use super::objects::{Claim, Vm, Vmi};
use super::write::{Failure, Kind};
use crate::api::KubevirtConfig;
use crate::baseline::war::Turn;
use crate::clusters::View;
use crate::names::MachineKey;

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
    /// Its DataVolumes.
    pub imports: Imports,
    /// The remote namespace is known to exist.
    pub namespace_known: bool,
    /// It is being deleted, so that nothing can be made in it.
    pub namespace_terminating: bool,
    /// StorageClasses of the cluster.
    pub storage_classes: BTreeMap<String, StorageClass>,
    /// Names that we have created and whose watch event has not come yet.
    pub awaited: BTreeSet<(Kind, String)>,
    /// The VM that admission found, when there is none of the Machine's yet.
    pub found: Lookup,
    /// What else carries the UID of the earlier self that it takes over, once that is gone for certain: VMs and instances
    /// ([`Kind::Vm`]), claims and DataVolumes beside the VM.
    pub earlier: BTreeSet<(Kind, String)>,
    /// Whether what others changed of the VM may be taken back now.
    pub turn: Turn,
    /// The same of each claim of which others changed something, by its name.
    pub claim_turns: BTreeMap<String, Turn>,
    /// What its KubevirtConfig says of Machines that are there.
    pub terms: Terms,
    /// The setting MACHINE_LABELS.
    pub copied_labels: Vec<String>,
    /// A MAC address that it asks for, and the older Machine that has it.
    pub address_of: Option<(String, MachineKey)>,
    /// Its data for cloud-init, or why there is none yet.
    pub cloud_init: Result<Carried, Failure>,
    /// The Secret that carried such data, once nothing needs it any more.
    pub data_secret: DataSecret,
    /// The networks that it may join, and the record of its interfaces.
    pub networks: Networks,
}

impl Observed {
    /// Nothing of the Machine is there, as far as one can see from this supervisor.
    pub fn nothing(supervisor: &str, remote: Remote) -> Self {
        Self {
            supervisor: supervisor.to_owned(),
            remote,
            vm: None,
            vmi: None,
            claims: BTreeMap::new(),
            imports: Imports::Unknown("they were not listed yet".to_owned()),
            namespace_known: false,
            namespace_terminating: false,
            storage_classes: BTreeMap::new(),
            awaited: BTreeSet::new(),
            found: Lookup::Unasked,
            earlier: BTreeSet::new(),
            turn: Turn::Now,
            claim_turns: BTreeMap::new(),
            terms: Terms::default(),
            copied_labels: Vec::new(),
            address_of: None,
            cloud_init: Ok(Carried::default()),
            data_secret: DataSecret::Unasked,
            networks: Networks::default(),
        }
    }
}

/// What a KubevirtConfig says of the Machines on its cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// `spec.decommissioned`.
    pub decommissioned: bool,
    /// `spec.allowSchedulingPatches`.
    pub scheduling_patches: bool,
}

impl Terms {
    /// Those of a KubevirtConfig; without one nothing is granted.
    pub fn of(config: Option<&KubevirtConfig>) -> Self {
        Self {
            decommissioned: config.is_some_and(|config| config.spec.decommissioned == Some(true)),
            scheduling_patches: config.is_some_and(|config| config.spec.allow_scheduling_patches == Some(true)),
        }
    }
}

/// What was found when the Secret with a Machine's cloud-init data was looked for, to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataSecret {
    /// Nothing was looked for: it is needed, or there never was one.
    Unasked,
    /// It was asked for and there was no answer; the sentence says why. Unknown is never absent.
    Unknown(String),
    /// There is none of that name, or a stranger's.
    Absent,
    /// The Machine's.
    Ours {
        /// `metadata.uid`.
        uid: String,
    },
}

/// What was found when a VM to adopt was looked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup {
    /// Nothing was looked for: there is nothing to adopt, or the VM is known or on its way.
    Unasked,
    /// It was asked for and there was no answer; the sentence says why. Unknown is never absent.
    Unknown(String),
    /// There is no VM of that name.
    Absent,
    /// The Machine's own: it was adopted, and no watch has shown that yet.
    Ours,
    /// Nobody's, or offered to this Machine.
    Free(Stray),
    /// The VM of this name is that of an earlier self, which this Machine takes over (X99).
    Earlier(String),
    /// Somebody else's; whose, in words that follow "it".
    Taken(String),
}

/// A VM without an owner.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stray {
    /// Its name.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// The claims that the published operator made for it.
    pub claims: Vec<String>,
    /// Its ownerReferences, without those to Machines: on this cluster they lead nowhere, and its garbage collector would
    /// delete the VM for that (R14).
    pub owners: Vec<OwnerReference>,
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

impl Remote {
    /// The cluster of a KubevirtConfig, as its connections are. `recorded` is the identity that the Machine records; until it
    /// records one, that of the KubevirtConfig counts.
    pub fn of(view: Option<View>, config: Option<&KubevirtConfig>, recorded: Option<&str>) -> Self {
        let first = config.filter(|_| recorded.is_none());
        if first.is_some_and(|config| config.metadata.deletion_timestamp.is_some()) {
            let next = "assign the Machine to another one, or create this one again once it is gone";
            return Remote::Unreachable(format!(
                "its KubevirtConfig is being deleted and takes no new Machines: {next}"
            ));
        }
        let expected = first.and_then(|config| config.status.as_ref()?.cluster_id.as_ref());
        match view {
            // The registry follows the KubevirtConfigs: one that it has not taken up yet is on its way.
            None if config.is_none() => Remote::Missing,
            None | Some(View::Connecting | View::Refused { older_connecting: true, .. }) => Remote::Connecting,
            Some(View::Unreachable(why) | View::Unserved(why) | View::Refused { why, .. }) => Remote::Unreachable(why),
            Some(View::Connected { id, .. }) => match expected.filter(|expected| **expected != id) {
                Some(expected) => Remote::Unreachable(format!(
                    "it is cluster {id}, but {expected} is recorded: the kubeconfig leads elsewhere"
                )),
                None => Remote::Connected { id },
            },
        }
    }
}
