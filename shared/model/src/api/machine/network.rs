//! Network interfaces of a Machine: the list `networks` and the published `network` block.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One network interface of the virtual machine.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// Name of the interface, unique in the list: letters, digits, `-` and `_`.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub name: String,
    /// NetworkConfiguration or NetworkNamespace in the Machine's namespace that says which VLAN and bridge to use.
    /// Default: the pod network of the cluster, behind NAT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub network_name: Option<String>,
    /// Emulated network card. `virtio` is the fastest; the others are for guests without its driver. Default: `virtio`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = MODELS))]
    pub model: Option<String>,
    /// Unicast MAC address as six hex bytes with colons, for example `52:54:00:12:34:56`. Default: KubeVirt picks one,
    /// or on a NetworkNamespace, one that is made from the UID of the Machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 17), regex(pattern = r"^[0-9A-Fa-f][02468ACEace](:[0-9A-Fa-f]{2}){5}$"))]
    pub mac_address: Option<String>,
}

/// Cards that a Machine may have.
pub const MODELS: [&str; 3] = ["virtio", "e1000", "rtl8139"];

optional! {
    /// The published network block. Only `networkNamespaceName` has an effect; see `spec.networks` for interfaces.
    pub struct PublishedNetwork {
        /// NetworkNamespace in the Machine's namespace that says which VLAN to use. Has an effect when `spec.networks`
        /// is empty.
        pub network_namespace_name: Option<String>,
        /// Whether to assign a public address. Published field, accepted and kept without effect.
        #[serde(rename = "assignPublicIP")]
        pub assign_public_ip: Option<bool>,
        /// Interfaces at a cloud provider. Published field, accepted and kept without effect: use `spec.networks`.
        #[schemars(length(max = 256))]
        pub interfaces: Vec<PublishedInterface>,
        /// Wanted private address. Published field, accepted and kept without effect.
        #[serde(rename = "privateIP")]
        pub private_ip: Option<String>,
        /// Wanted public address. Published field, accepted and kept without effect.
        #[serde(rename = "publicIP")]
        pub public_ip: Option<String>,
        /// Subnet at a cloud provider. Published field, accepted and kept without effect.
        pub subnet: Option<String>,
        /// Virtual network at a cloud provider. Published field, accepted and kept without effect.
        pub vpc: Option<String>,
    }

    /// One interface of the published network block.
    pub struct PublishedInterface {
        /// Name of the interface.
        pub name: Option<String>,
        /// Whether this is the main interface.
        pub primary: Option<bool>,
        /// Security groups of the interface at a cloud provider.
        #[schemars(length(max = 256), inner(length(max = 256)))]
        pub security_groups: Vec<String>,
        /// Subnet of the interface at a cloud provider.
        pub subnet: Option<String>,
    }
}
