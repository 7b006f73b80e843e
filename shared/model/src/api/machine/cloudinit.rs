//! Cloud-init data of a Machine: inline, or from a Secret or ConfigMap in the Machine's namespace.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::forms;

/// Kinds of disk that carry the data.
pub const TYPES: [&str; 2] = ["noCloud", "configDrive"];

optional! {
    /// Data that cloud-init reads in the guest at first boot. Where several sources of one kind are given, the order is
    /// inline, base64, Secret, ConfigMap.
    pub struct CloudInit {
        /// User data, usually YAML that starts with `#cloud-config`. More than 2048 bytes are kept in a Secret on the
        /// cluster instead of in the virtual machine.
        #[schemars(length(max = 1_048_576))]
        pub user_data: Option<String>,
        /// Network configuration in cloud-init's format, version 1 or 2.
        #[schemars(length(max = 1_048_576))]
        pub network_data: Option<String>,
        /// Secret that holds the user data. The author of the Machine must be allowed to read it.
        pub secret_ref: Option<KeyRef>,
        /// How the guest finds the data: a NoCloud or a ConfigDrive disk.
        #[serde(rename = "type")]
        #[schemars(extend("enum" = TYPES, "default" = "noCloud"))]
        pub type_: Option<String>,
        /// User data in base64.
        #[schemars(length(max = 1_398_100), regex(pattern = forms::BASE64))]
        pub user_data_base64: Option<String>,
        /// Secret that holds the user data, the published form of `secretRef`.
        pub user_data_secret_ref: Option<KeyRef>,
        /// ConfigMap that holds the user data.
        pub user_data_config_map_ref: Option<KeyRef>,
        /// Network configuration in base64.
        #[schemars(length(max = 1_398_100), regex(pattern = forms::BASE64))]
        pub network_data_base64: Option<String>,
        /// Secret that holds the network configuration.
        pub network_data_secret_ref: Option<KeyRef>,
        /// ConfigMap that holds the network configuration.
        pub network_data_config_map_ref: Option<KeyRef>,
    }
}

/// One key of a Secret or ConfigMap in the Machine's namespace.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyRef {
    /// Name of the Secret or ConfigMap, in the namespace of the Machine.
    #[schemars(length(min = 1, max = 253), regex(pattern = forms::SUBDOMAIN))]
    pub name: String,
    /// Key in it. Default: `userdata` for user data and `networkdata` for network configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._A-Za-z0-9]+$"))]
    pub key: Option<String>,
}
