//! What is known of the networks that a Machine may join, of the NetworkAttachmentDefinitions of its cluster and of the record of
//! its interfaces. Pure. X36, X59.

use std::collections::BTreeMap;

use super::configuration::{Configuration, NetworkNamespace};
use crate::api::MachineSpec;
use crate::names::MachineKey;

/// `DEFAULT_BRIDGE` where nothing else is said: that of the published operator.
pub const DEFAULT_BRIDGE: &str = "br0";

/// All that is known of networks, for one Machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Networks {
    /// What there is of the names that it gives, in its own namespace.
    pub named: BTreeMap<String, Named>,
    /// Why one that is not in `named` may be there all the same.
    pub unlisted: Option<String>,
    /// The NetworkConfiguration of its own name.
    pub record: Record,
    /// Those of the VM's namespace.
    pub attachments: Attachments,
    /// `DEFAULT_BRIDGE`.
    pub default_bridge: String,
    /// The earlier self whose MAC addresses its VM has ([`crate::names::MACS_OF`]).
    pub macs_of: Option<String>,
    /// `IP_SOURCE`.
    pub ip_source: IpSource,
}

/// Whose word counts about the addresses of a Machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IpSource {
    /// That of the instance; of an interface without any, that of the record.
    #[default]
    Vmi,
    /// That of the record; of an interface without any, that of the instance.
    NetworkConfiguration,
}

impl IpSource {
    /// The words of the setting, which are the published operator's.
    pub const WORDS: [&str; 2] = ["vmi", "networkconfiguration"];

    /// What a word means.
    pub fn of(word: &str) -> Self {
        if word == Self::WORDS[1] { IpSource::NetworkConfiguration } else { IpSource::Vmi }
    }
}

impl Default for Networks {
    fn default() -> Self {
        Self {
            named: BTreeMap::new(),
            unlisted: None,
            record: Record::Unknown,
            attachments: Attachments::Unknown("it was not asked yet".to_owned()),
            default_bridge: DEFAULT_BRIDGE.to_owned(),
            macs_of: None,
            ip_source: IpSource::default(),
        }
    }
}

/// The two things that one name may mean. The NetworkConfiguration comes first, as at admission.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Named {
    /// A NetworkConfiguration.
    pub configuration: Option<Configuration>,
    /// A NetworkNamespace.
    pub namespace: Option<NetworkNamespace>,
}

/// The NetworkConfiguration of a Machine's own name.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Record {
    /// It is not known, or the kind is not installed: then none is made, and none is missed.
    #[default]
    Unknown,
    /// There is none.
    Absent,
    /// The Machine's own.
    Own(Box<Configuration>),
    /// A Machine of this name left it, of this UID, together with its VM; or it is that of the earlier self that is taken over.
    Left(String),
    /// Somebody else's.
    Foreign {
        /// It is being deleted.
        deleting: bool,
    },
}

/// The NetworkAttachmentDefinitions of a namespace on the cluster.
#[derive(Clone, Debug, PartialEq)]
pub enum Attachments {
    /// They are not known; the sentence says why.
    Unknown(String),
    /// The cluster does not know the kind: it has no Multus.
    NotInstalled,
    /// These, by name.
    Listed(BTreeMap<String, Attachment>),
}

/// A NetworkAttachmentDefinition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attachment {
    /// `metadata.uid`.
    pub uid: String,
    /// It carries our labels.
    pub ours: bool,
    /// A VM of another Machine is attached to it, or may be.
    pub in_use: bool,
}

/// The networks that a Machine joins, by the names that it gives them.
pub fn joined(spec: &MachineSpec) -> impl Iterator<Item = &str> {
    let listed = spec.networks.iter().filter_map(|network| network.network_name.as_deref());
    listed.chain(published(spec)).filter(|name| !name.is_empty())
}

/// `spec.network.networkNamespaceName`, which counts where `spec.networks` is empty.
pub(super) fn published(spec: &MachineSpec) -> Option<&str> {
    let name = spec.network.as_ref()?.network_namespace_name.as_deref()?;
    (spec.networks.is_empty() && !name.is_empty()).then_some(name)
}

impl Record {
    /// What the NetworkConfiguration of a Machine's name is to it. `earlier`: the UID of its earlier self that it takes over.
    pub fn of(
        found: Option<&Configuration>,
        key: &MachineKey,
        (uid, earlier): (&str, Option<&str>),
        supervisor: &str,
    ) -> Self {
        let Some(found) = found else { return Record::Absent };
        match (&found.owner, &found.left) {
            (Some(owner), _) if owner == uid => Record::Own(Box::new(found.clone())),
            (Some(owner), _) if earlier == Some(owner) && !found.deleting => Record::Left(found.uid.clone()),
            (None, Some(left)) if left.is(key, supervisor) && !found.deleting => Record::Left(found.uid.clone()),
            (Some(_) | None, _) => Record::Foreign { deleting: found.deleting },
        }
    }
}
