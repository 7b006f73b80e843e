//! `Machine`: one virtual machine that a user wants. Documented and published fields in one schema (X1, X74).
//!
//! Enumerations and quantities are strings here: a value outside the list is a violation that admission explains
//! together with all others, not an object that does not decode.

pub mod cloudinit;
pub mod disk;
pub mod domain;
pub mod network;
pub mod published;
pub mod rules;
pub mod size;
pub mod status;

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use self::cloudinit::CloudInit;
use self::disk::Disk;
use self::domain::Domain;
use self::network::{Network, PublishedNetwork};
use self::published::{Backup, OperatingSystem, ProviderConfig};
use self::size::{PublishedCpu, Resources};
pub use self::status::MachineStatus;
use super::{Selector, forms};

/// KubeVirt's run strategies that a Machine may name.
pub const RUN_STRATEGIES: [&str; 5] = ["Always", "Halted", "Manual", "RerunOnFailure", "Once"];
/// Kinds of device that a guest may start from.
pub const BOOT_DEVICES: [&str; 3] = ["disk", "network", "cdrom"];

optional! {
    /// What the virtual machine should be. Everything is optional: without a size the default MachineClass is used.
    #[derive(CustomResource)]
    #[kube(
        group = "vitistack.io",
        version = "v1alpha1",
        kind = "Machine",
        namespaced,
        status = "MachineStatus",
        shortname = "m",
        category = "vitistack",
        derive = "PartialEq",
        derive = "Default",
        doc = "A virtual machine on one of the KubeVirt clusters. Admission picks the cluster and the size, the controller makes it so.",
        selectable = ".spec.template",
        selectable = ".status.phase",
        printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
        printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
        printcolumn(name = "Cluster", type_ = "string", json_path = r".metadata.annotations.vitistack\.io/kubevirt-config"),
        printcolumn(name = "Template", type_ = "string", json_path = ".status.resolved.template"),
        printcolumn(name = "IP", type_ = "string", json_path = ".status.ipAddresses[0]"),
        printcolumn(name = "Node", type_ = "string", json_path = ".status.nodeName", priority = 1),
        printcolumn(name = "VM", type_ = "string", json_path = ".status.vmName", priority = 1),
        printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#, priority = 1),
        printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
    )]
    pub struct MachineSpec {
        /// Size of the machine: `small` (1 core, 2Gi, 20Gi disk), `medium` (2 cores, 4Gi, 40Gi), `large` (4 cores, 8Gi,
        /// 80Gi), or the name of a MachineClass, which comes first. Default: the MachineClass marked as default.
        #[schemars(length(min = 1, max = 253))]
        pub template: Option<String>,
        /// Alias of `template`. Two that differ are refused.
        #[schemars(length(min = 1, max = 253))]
        pub instance_type: Option<String>,
        /// Alias of `template`, the published name. Two that differ are refused.
        #[schemars(length(min = 1, max = 253))]
        pub machine_class: Option<String>,
        /// Overrides of the template's CPU and memory, field by field.
        pub resources: Option<Resources>,
        /// CPU topology, the published form of `resources.cpu`.
        pub cpu: Option<PublishedCpu>,
        /// Memory in bytes, the published form of `resources.memory.size`. At least 33554432 (32Mi); 0 means unset.
        #[schemars(range(min = 0))]
        pub memory: Option<i64>,
        /// Disks, merged with the template's by name. Default: the template's disk `root`.
        #[schemars(length(max = 256))]
        pub disks: Vec<Disk>,
        /// Network interfaces in the order the guest sees them. Default: one on the pod network, named `default`.
        #[schemars(length(max = 256))]
        pub networks: Vec<Network>,
        /// Which kinds of device the firmware tries, in this order, each at most once: `disk`, `network`, `cdrom`.
        /// Default: disk.
        #[schemars(length(max = 3))]
        #[schemars(extend("items" = json!({"type": "string", "enum": BOOT_DEVICES})))]
        pub boot_order: Vec<String>,
        /// Data that cloud-init reads in the guest at first boot.
        pub cloud_init: Option<CloudInit>,
        /// The emulated hardware: machine type, features, firmware.
        pub domain: Option<Domain>,
        /// When the guest runs: `Always` keeps it running, `Halted` keeps it stopped, `Manual` leaves it to virtctl,
        /// `RerunOnFailure` restarts it after a failure only, `Once` runs it a single time. Not given: `Always` when the VM is
        /// made, and from then on whatever the cluster's own tools say, such as `virtctl stop`.
        #[schemars(extend("enum" = RUN_STRATEGIES))]
        pub run_strategy: Option<String>,
        /// The KubevirtConfig of the cluster to use, the same as the annotation `vitistack.io/kubevirt-config`.
        pub kubevirt_config_ref: Option<ConfigRef>,
        /// Labels that the KubevirtConfig of a cluster must carry for the machine to be placed there.
        pub cluster_selector: Option<Selector>,
        /// Who runs this machine. Empty or `kubevirt` is this operator; any other value is left alone. It cannot change
        /// while the machine is assigned to a cluster.
        pub provider: Option<String>,
        /// Name of the machine for people. Published field; objects are named after `metadata.name`.
        #[schemars(length(min = 1))]
        pub name: Option<String>,
        /// Machine type, the published form of `domain.machine.type`. Where both are given they must agree.
        #[schemars(length(max = 63))]
        pub machine_type: Option<String>,
        /// Operating system of the guest, and the image or ISO that it comes from.
        pub os: Option<OperatingSystem>,
        /// Public SSH keys, one per entry, that are added to the cloud-init user data.
        #[schemars(length(max = 256), inner(length(max = 16384), regex(pattern = forms::LINE)))]
        pub ssh_keys: Vec<String>,
        /// User data for cloud-init, used where `cloudInit` has none.
        #[schemars(length(max = 1_048_576))]
        pub user_data: Option<String>,
        /// The published network block. Only `networkNamespaceName` has an effect; see `networks` for interfaces.
        pub network: Option<PublishedNetwork>,
        /// Labels at a cloud provider. Published field, accepted and kept without effect.
        #[schemars(extend("maxProperties" = 256))]
        pub tags: BTreeMap<String, String>,
        /// Security groups at a cloud provider. Published field, accepted and kept without effect.
        #[schemars(length(max = 256), inner(length(max = 256)))]
        pub security_groups: Vec<String>,
        /// Backups of the machine. Published field, accepted and kept without effect.
        pub backup: Option<Backup>,
        /// Monitoring by a cloud provider. Published field, accepted and kept without effect.
        pub monitoring: Option<bool>,
        /// Settings of a cloud provider. Published field, accepted and kept without effect.
        pub provider_config: Option<ProviderConfig>,
    }
}

/// Names the KubevirtConfig of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigRef {
    /// Name of the KubevirtConfig.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}
