//! What the controller reports about a Machine. Only the controller writes it.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::{Condition, schema};

optional! {
    /// What the controller last saw of the machine.
    pub struct MachineStatus {
        /// Summary of the conditions in one word: Pending, Creating, Running, Stopping, Stopped, Failed or Terminating.
        pub phase: Option<String>,
        /// State of the machine by aspect: Ready (the summary), VirtualMachineReady, StorageReady, NetworkReady,
        /// ClusterReachable and RestartRequired.
        #[schemars(schema_with = "schema::conditions")]
        pub conditions: Vec<Condition>,
        /// The `metadata.generation` that this status speaks about.
        pub observed_generation: Option<i64>,
        /// The cluster that holds the virtual machine.
        pub kubevirt_config_ref: Option<AssignedConfig>,
        /// Name of the VirtualMachine on that cluster.
        pub vm_name: Option<String>,
        /// Name of its running VirtualMachineInstance.
        pub vmi_name: Option<String>,
        /// Addresses of the guest, IPv4 before IPv6, the main interface first.
        #[serde(rename = "ipAddresses")]
        #[schemars(length(max = 256), inner(length(max = 256)))]
        pub ip_addresses: Vec<String>,
        /// Node of the cluster that runs the guest.
        pub node_name: Option<String>,
        /// CPU, memory and disks that admission resolved from template and overrides.
        pub resolved: Option<Resolved>,
        /// When this status last changed.
        pub last_updated: Option<Time>,
        /// `metadata.resourceVersion` of the VirtualMachine that this status was made from.
        pub resource_version: Option<String>,
        /// State in the published operator's words: KubeVirt's `printableStatus` of the virtual machine.
        pub state: Option<String>,
        /// One sentence about the phase.
        pub message: Option<String>,
        /// Why the machine failed, one word. Set exactly while the phase is Failed.
        pub failure_reason: Option<String>,
        /// Why the machine failed, in a sentence. Set exactly while the phase is Failed.
        pub failure_message: Option<String>,
        /// Provider that runs the machine: `kubevirt`.
        pub provider: Option<String>,
        /// The machine's id at the provider, `kubevirt://<cluster>/<namespace>/<name>`.
        #[serde(rename = "providerID")]
        pub provider_id: Option<String>,
        /// UID of the VirtualMachine.
        #[serde(rename = "machineID")]
        pub machine_id: Option<String>,
        /// Region of the cluster.
        pub region: Option<String>,
        /// Zone of the node that runs the guest.
        pub zone: Option<String>,
        /// Addresses of the guest that are reachable from everywhere.
        #[serde(rename = "publicIPAddresses")]
        #[schemars(length(max = 256), inner(length(max = 256)))]
        pub public_ip_addresses: Vec<String>,
        /// Addresses of the guest from private ranges.
        #[serde(rename = "privateIPAddresses")]
        #[schemars(length(max = 256), inner(length(max = 256)))]
        pub private_ip_addresses: Vec<String>,
        /// IPv6 addresses of the guest.
        #[serde(rename = "ipv6Addresses")]
        #[schemars(length(max = 256), inner(length(max = 256)))]
        pub ipv6_addresses: Vec<String>,
        /// Network interfaces as the guest reports them.
        #[schemars(length(max = 256))]
        pub network_interfaces: Vec<InterfaceStatus>,
        /// Disks as the cluster and the guest report them.
        #[schemars(length(max = 512))]
        pub disks: Vec<DiskStatus>,
        /// Number of CPUs of the guest.
        pub cpus: Option<i64>,
        /// Memory of the guest in bytes.
        pub memory: Option<i64>,
        /// Processor architecture of the guest.
        pub architecture: Option<String>,
        /// Host name that the guest reports.
        pub hostname: Option<String>,
        /// Kernel version that the guest reports.
        pub kernel_version: Option<String>,
        /// Operating system that the guest reports.
        pub operating_system: Option<String>,
        /// Version of the operating system that the guest reports.
        pub operating_system_version: Option<String>,
        /// When the guest was last started.
        pub boot_time: Option<Time>,
        /// When the VirtualMachine was created.
        pub creation_time: Option<Time>,
    }

    /// The cluster that a Machine is on, and its identity.
    pub struct AssignedConfig {
        /// Name of the KubevirtConfig.
        pub name: Option<String>,
        /// UID of the cluster's `kube-system` namespace, recorded before the first write there. Deletion relies on it.
        pub cluster_id: Option<String>,
        /// Namespace of the VM on the cluster, recorded with it; absent where it is the Machine's own.
        pub namespace: Option<String>,
    }

    /// Size of the machine after template and overrides.
    pub struct Resolved {
        /// Name of the template or MachineClass, if there is one.
        pub template: Option<String>,
        /// Where the size comes from: `built-in`, `MachineClass`, or `spec` when no template is named.
        pub source: Option<String>,
        /// CPU cores per socket.
        pub cores: Option<i32>,
        /// Hardware threads per core.
        pub threads: Option<i32>,
        /// CPU sockets.
        pub sockets: Option<i32>,
        /// Memory of the guest, for example `4Gi`.
        #[schemars(schema_with = "schema::size")]
        pub memory: Option<Quantity>,
        /// Disks of the template and the spec, merged by name.
        #[schemars(length(max = 512))]
        pub disks: Vec<ResolvedDisk>,
    }

    /// One disk after template and overrides.
    pub struct ResolvedDisk {
        /// Name of the disk.
        pub name: Option<String>,
        /// Size, for example `20Gi`.
        #[schemars(schema_with = "schema::size")]
        pub size: Option<Quantity>,
        /// StorageClass on the cluster.
        pub storage_class: Option<String>,
        /// Access mode of the volume.
        pub access_mode: Option<String>,
        /// Volume mode of the volume.
        pub volume_mode: Option<String>,
        /// Whether the guest starts from this disk.
        pub boot: Option<bool>,
    }

    /// One network interface of the guest.
    pub struct InterfaceStatus {
        /// Name of the interface.
        pub name: Option<String>,
        /// MAC address.
        pub mac_address: Option<String>,
        /// IPv4 addresses.
        #[serde(rename = "ipAddresses")]
        #[schemars(length(max = 256), inner(length(max = 256)))]
        pub ip_addresses: Vec<String>,
        /// IPv6 addresses.
        #[serde(rename = "ipv6Addresses")]
        #[schemars(length(max = 256), inner(length(max = 256)))]
        pub ipv6_addresses: Vec<String>,
        /// Largest packet in bytes.
        pub mtu: Option<i64>,
        /// `up` or `down`.
        pub state: Option<String>,
        /// Who reports the interface, for example `domain, guest-agent`.
        #[serde(rename = "type")]
        pub type_: Option<String>,
    }

    /// One disk of the guest.
    pub struct DiskStatus {
        /// Name of the disk.
        pub name: Option<String>,
        /// PersistentVolumeClaim on the cluster.
        pub pvc_name: Option<String>,
        /// Size in bytes, once the disk is bound.
        pub size: Option<i64>,
        /// Size that its claim asks for, for example `20Gi`.
        #[schemars(schema_with = "schema::size")]
        pub requested_size: Option<Quantity>,
        /// UID of the claim, also after that was lost. Absent while there was none: such a disk can still be taken back, once
        /// another one has its claim.
        pub uid: Option<String>,
        /// UID of the lost claim that this one took the place of, for as long as `vitistack.io/replace-lost-disk` names the disk.
        pub replaced: Option<String>,
        /// Access modes of the volume.
        #[schemars(length(max = 256), inner(length(max = 256)))]
        pub access_modes: Vec<String>,
        /// Volume mode of the volume.
        pub volume_mode: Option<String>,
        /// Device name in the guest.
        pub device: Option<String>,
        /// Kind of disk.
        #[serde(rename = "type")]
        pub type_: Option<String>,
        /// Label of the file system.
        pub label: Option<String>,
        /// File system that the guest reports, for example `ext4`.
        pub filesystem_type: Option<String>,
        /// Where the guest has it mounted.
        pub mount_point: Option<String>,
        /// Serial number that the guest sees.
        pub serial_number: Option<String>,
        /// UUID of the file system.
        pub uuid: Option<String>,
        /// Bytes in use.
        pub used_bytes: Option<i64>,
        /// Bytes free.
        pub available_bytes: Option<i64>,
        /// Share in use, for example `42%`.
        pub usage_percent: Option<String>,
    }
}
