//! `NetworkConfiguration`: a shared network that `Machine.spec.networks[].networkName` points at (`vlan`, `bridge`), and
//! the record of one Machine's interfaces that address management reads. As published, and those two fields (X36, X65).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Condition, schema};

/// The network, or the interfaces of one Machine.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "vitistack.io",
    version = "v1alpha1",
    kind = "NetworkConfiguration",
    namespaced,
    status = "NetworkConfigurationStatus",
    shortname = "nc",
    category = "vitistack",
    derive = "PartialEq",
    derive = "Default",
    doc = "A network that Machines can join, or the record of one Machine's interfaces.",
    printcolumn(name = "Name", type_ = "string", json_path = ".spec.name"),
    printcolumn(name = "VLAN", type_ = "integer", json_path = ".spec.vlan"),
    printcolumn(name = "Bridge", type_ = "string", json_path = ".spec.bridge"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.status"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct NetworkConfigurationSpec {
    /// Name of the network, or of the machine whose interfaces these are.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub name: String,
    /// VLAN of the network, 0 to 4094; 0 is untagged. Default: untagged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 4094))]
    pub vlan: Option<i32>,
    /// Linux bridge on the nodes that the network is attached to, for example `br0`. Default: the setting
    /// `DEFAULT_BRIDGE` of the controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 15), regex(pattern = r"^[A-Za-z0-9_.-]+$"))]
    pub bridge: Option<String>,
    /// Identifier of the cluster that the machine belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 32), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub cluster_identifier: Option<String>,
    /// Identifier of the data centre.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 32), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub datacenter_identifier: Option<String>,
    /// Identifier of the supervisor cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 32), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub supervisor_identifier: Option<String>,
    /// Who configures the network, for example `kea`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub provider: Option<String>,
    /// What the network is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub description: Option<String>,
    /// NetworkNamespace that addresses come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_namespace_name: Option<String>,
    /// Interfaces that addresses are wanted for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub network_interfaces: Vec<NetworkInterface>,
}

optional! {
    /// One interface of a machine and its addresses.
    pub struct NetworkInterface {
        /// Name of the interface.
        pub name: Option<String>,
        /// MAC address of the interface.
        pub mac_address: Option<String>,
        /// VLAN of the interface, as text.
        pub vlan: Option<String>,
        /// How addresses are given out: `dhcp` or `static`.
        #[schemars(extend("enum" = ["dhcp", "static"]))]
        pub allocation_method: Option<String>,
        /// When the allocation ends.
        pub allocation_expiry: Option<Time>,
        /// Whether the DHCP server holds a reservation.
        pub dhcp_reserved: Option<bool>,
        /// Whether an address has been allocated.
        pub ip_allocated: Option<bool>,
        /// Name servers.
        pub dns: Vec<String>,
        /// IPv4 addresses.
        #[serde(rename = "ipv4Addresses")]
        pub ipv4_addresses: Vec<String>,
        /// IPv4 gateway.
        #[serde(rename = "ipv4Gateway")]
        pub ipv4_gateway: Option<String>,
        /// IPv4 subnet, for example `10.20.0.0/24`.
        #[serde(rename = "ipv4Subnet")]
        pub ipv4_subnet: Option<String>,
        /// IPv6 addresses.
        #[serde(rename = "ipv6Addresses")]
        pub ipv6_addresses: Vec<String>,
        /// IPv6 gateway.
        #[serde(rename = "ipv6Gateway")]
        pub ipv6_gateway: Option<String>,
        /// IPv6 subnet, for example `fd00:20::/64`.
        #[serde(rename = "ipv6Subnet")]
        pub ipv6_subnet: Option<String>,
    }

    /// What address management reports. Published fields; this operator reads them.
    pub struct NetworkConfigurationStatus {
        /// Summary in one word.
        pub phase: Option<String>,
        /// Status in one word.
        pub status: Option<String>,
        /// One sentence about the state.
        pub message: Option<String>,
        /// When the NetworkConfiguration was first seen.
        pub created: Option<Time>,
        /// State by aspect.
        #[schemars(schema_with = "schema::conditions")]
        pub conditions: Vec<Condition>,
        /// Interfaces with the addresses they got.
        pub network_interfaces: Vec<NetworkInterface>,
    }
}
