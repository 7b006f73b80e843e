//! `spec` of a Machine, and its lists.

use serde::Deserialize;

use super::hardware::{Domain, OperatingSystem};
use super::{Amount, ClusterSelector, List, Long, Text};

part! {
    /// `spec` of a Machine.
    Spec {
        /// Canonical name of the size.
        "template" template: Text<'a>,
        /// Alias of `template` (X1).
        "instanceType" instance_type: Text<'a>,
        /// Alias of `template` (the published operator).
        "machineClass" machine_class: Text<'a>,
        /// Overrides of the size, field by field.
        "resources" resources: Resources<'a>,
        /// The published form of `resources.cpu`.
        "cpu" cpu: PublishedCpu,
        /// The published form of `resources.memory.size`, in bytes.
        "memory" memory: i64,
        /// Disks, merged with those of the size by name.
        "disks" disks: List<Disk<'a>>,
        /// Which KubevirtConfig the Machine shall be on.
        "kubevirtConfigRef" kubevirt_config_ref: NameRef<'a>,
        /// Empty or `kubevirt` is ours.
        "provider" provider: Text<'a>,
        /// When the VM runs.
        "runStrategy" run_strategy: Text<'a>,
        /// Name that the published operator's users repeat here; it has no effect of its own.
        "name" name: Text<'a>,
        /// Network interfaces in the guest's order.
        "networks" networks: List<Network<'a>>,
        /// The published network block.
        "network" network: PublishedNetwork<'a>,
        /// Kinds of device that the firmware tries.
        "bootOrder" boot_order: List<Text<'a>, 3>,
        /// Data for cloud-init.
        "cloudInit" cloud_init: CloudInit<'a>,
        /// User data where `cloudInit` has none.
        "userData" user_data: Long<'a>,
        /// Public keys for the user data.
        "sshKeys" ssh_keys: List<Text<'a>>,
        /// The emulated hardware.
        "domain" domain: Domain<'a>,
        /// The published form of `domain.machine.type`.
        "machineType" machine_type: Text<'a>,
        /// Operating system and where it is installed from.
        "os" os: OperatingSystem<'a>,
        /// Labels that a KubevirtConfig must carry.
        "clusterSelector" cluster_selector: ClusterSelector,
    }
}

part! {
    /// One entry of `spec.disks`.
    Disk {
        /// What the disk is merged and named by.
        "name" name: Text<'a>,
        /// Size as a quantity.
        "size" size: Amount<'a>,
        /// Size in GiB (X64).
        "sizeGB" size_gb: i64,
        /// StorageClass on the remote cluster.
        "storageClass" storage_class: Text<'a>,
        /// Access mode of the claim.
        "accessMode" access_mode: Text<'a>,
        /// Volume mode of the claim.
        "volumeMode" volume_mode: Text<'a>,
        /// Whether the machine boots from this disk.
        "boot" boot: bool,
        /// Where its first content comes from.
        "source" source: DiskSource<'a>,
        /// Without effect, but within the published bounds.
        "iops" iops: i64,
        /// Without effect, but within the published bounds.
        "throughput" throughput: i64,
    }
}

part! {
    /// `source` of a disk: exactly one of these.
    DiskSource {
        /// An image at a URL.
        "http" http: UrlSource<'a>,
        /// A container disk.
        "registry" registry: UrlSource<'a>,
        /// A copy of a claim on the same cluster.
        "pvc" pvc: PvcSource<'a>,
        /// The claim of a disk that was left behind.
        "retained" retained: Text<'a>,
    }
}

/// A source that is a URL.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct UrlSource<'a> {
    /// The URL.
    #[serde(borrow)]
    pub url: Option<Text<'a>>,
}

/// A claim on the cluster of the VM.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct PvcSource<'a> {
    /// Its name.
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    /// Its namespace, which must be the VM's (T14).
    pub namespace: Option<Text<'a>>,
}

part! {
    /// One entry of `spec.networks`.
    Network {
        /// Name of the interface.
        "name" name: Text<'a>,
        /// NetworkConfiguration or NetworkNamespace; absent: the pod network.
        "networkName" network_name: Text<'a>,
        /// Emulated card.
        "model" model: Text<'a>,
        /// MAC address.
        "macAddress" mac_address: Text<'a>,
    }
}

part! {
    /// `spec.network`, the published block.
    PublishedNetwork {
        /// NetworkNamespace of the one interface there is when `spec.networks` names none.
        "networkNamespaceName" network_namespace_name: Text<'a>,
    }
}

part! {
    /// `spec.cloudInit`.
    CloudInit {
        /// User data.
        "userData" user_data: Long<'a>,
        /// User data in base64.
        "userDataBase64" user_data_base64: Long<'a>,
        /// Secret with user data (C8).
        "secretRef" secret_ref: KeyRef<'a>,
        /// Secret with user data (the published operator).
        "userDataSecretRef" user_data_secret_ref: KeyRef<'a>,
        /// ConfigMap with user data.
        "userDataConfigMapRef" user_data_config_map_ref: KeyRef<'a>,
        /// Network configuration.
        "networkData" network_data: Long<'a>,
        /// Network configuration in base64.
        "networkDataBase64" network_data_base64: Long<'a>,
        /// Secret with network configuration.
        "networkDataSecretRef" network_data_secret_ref: KeyRef<'a>,
        /// ConfigMap with network configuration.
        "networkDataConfigMapRef" network_data_config_map_ref: KeyRef<'a>,
        /// Kind of the disk that carries it.
        "type" kind: Text<'a>,
    }
}

/// One key of a Secret or ConfigMap.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct KeyRef<'a> {
    /// Name of the object.
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    /// Key in it.
    pub key: Option<Text<'a>>,
}

/// `spec.resources`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Resources<'a> {
    /// Overrides of the CPU topology.
    pub cpu: Option<Cpu>,
    /// Override of the memory.
    #[serde(borrow)]
    pub memory: Option<Memory<'a>>,
}

/// `spec.resources.cpu`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
pub struct Cpu {
    /// Cores per socket.
    pub cores: Option<i64>,
    /// Threads per core.
    pub threads: Option<i64>,
    /// Sockets.
    pub sockets: Option<i64>,
}

/// `spec.cpu`, the published form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishedCpu {
    /// Cores per socket.
    pub cores: Option<i64>,
    /// Threads per core.
    pub threads_per_core: Option<i64>,
    /// Sockets.
    pub sockets: Option<i64>,
}

/// `spec.resources.memory`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Memory<'a> {
    /// Guest memory as a quantity.
    #[serde(borrow)]
    pub size: Option<Amount<'a>>,
}

/// A reference by name.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct NameRef<'a> {
    /// The name.
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
}
