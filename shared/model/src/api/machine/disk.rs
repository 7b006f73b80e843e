//! Disks of a Machine and where their first content comes from.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::{forms, schema};

/// Access modes of a claim.
pub const ACCESS_MODES: [&str; 3] = ["ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany"];
/// Volume modes of a claim.
pub const VOLUME_MODES: [&str; 2] = ["Filesystem", "Block"];

optional! {
    /// One disk. It becomes the PersistentVolumeClaim `<machine>-<name>` on the cluster of the virtual machine.
    pub struct Disk {
        /// Name of the disk, a DNS label, unique in the list. A disk named like one of the template (`root`) overrides
        /// that one field by field; any other name adds a disk. Default: `root` for the first, `diskN` at place N.
        #[schemars(length(max = 63), regex(pattern = forms::LABEL_OR_NOTHING))]
        pub name: Option<String>,
        /// Size as a quantity, for example `20Gi`; a bare number is bytes. A disk can grow later, never shrink.
        #[schemars(schema_with = "schema::size")]
        pub size: Option<Quantity>,
        /// Size in GiB, the published form of `size`. Where both are given they must agree; 0 means unset.
        #[serde(rename = "sizeGB")]
        #[schemars(range(min = 0, max = 65536))]
        pub size_gb: Option<i64>,
        /// StorageClass on the cluster of the virtual machine. `default`, or nothing, is that cluster's default class
        /// unless a class of that name exists.
        #[schemars(length(max = 253))]
        pub storage_class: Option<String>,
        /// How many nodes may use the volume. Live migration needs `ReadWriteMany`. Default: `ReadWriteOnce`, or what
        /// the operator's setting PVC_ACCESS_MODE says.
        #[schemars(extend("enum" = ACCESS_MODES))]
        pub access_mode: Option<String>,
        /// Whether the volume holds a file system or is a raw block device. Default: the storage class decides, or what
        /// the operator's setting PVC_VOLUME_MODE says.
        #[schemars(extend("enum" = VOLUME_MODES))]
        pub volume_mode: Option<String>,
        /// Whether the guest starts from this disk. At most one disk says so. Default: the disk `root`, else the first.
        pub boot: Option<bool>,
        /// What the disk is filled with when it is made. Default: nothing, the disk is blank. Later changes have no
        /// effect, unless filling it fails.
        pub source: Option<DiskSource>,
        /// Device name in the guest. Published field, accepted and kept; KubeVirt names devices itself.
        pub device: Option<String>,
        /// Whether the disk is encrypted. Published field, accepted and kept without effect: choose an encrypting
        /// storage class.
        pub encrypted: Option<bool>,
        /// Operations per second. Published field, accepted and kept without effect: choose a storage class.
        #[schemars(range(min = 100, max = 64000))]
        pub iops: Option<i64>,
        /// Throughput in MB/s. Published field, accepted and kept without effect: choose a storage class.
        #[schemars(range(min = 125, max = 4000))]
        pub throughput: Option<i64>,
        /// Kind of disk at a cloud provider, for example `ssd`. Published field, accepted and kept without effect:
        /// choose a storage class.
        #[serde(rename = "type")]
        pub type_: Option<String>,
    }

    /// First content of a disk. Exactly one of them; all but `retained` need CDI on the cluster.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
    pub struct DiskSource {
        /// A disk image fetched over HTTP or HTTPS.
        pub http: Option<HttpSource>,
        /// A container disk pulled from an image registry.
        pub registry: Option<RegistrySource>,
        /// A copy of an existing volume on the same cluster.
        pub pvc: Option<PvcSource>,
        /// Name of the PersistentVolumeClaim of a disk that another Machine of this namespace left behind with the deletion
        /// policy `Retain`. The disk is that one from then on, with its content, and not a copy of it.
        #[schemars(length(max = 253), regex(pattern = forms::SUBDOMAIN))]
        pub retained: Option<String>,
    }
}

/// A disk image at a URL.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpSource {
    /// `http://` or `https://` URL of a qcow2 or raw image, which may be compressed with gz or xz.
    #[schemars(length(max = 2048), regex(pattern = forms::HTTP_URL))]
    pub url: String,
}

/// A container disk.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegistrySource {
    /// `docker://` URL of the image, for example `docker://quay.io/containerdisks/ubuntu:24.04`.
    #[schemars(length(max = 2048), regex(pattern = forms::REGISTRY_URL))]
    pub url: String,
}

/// An existing PersistentVolumeClaim on the cluster of the virtual machine.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PvcSource {
    /// Name of the PersistentVolumeClaim.
    #[schemars(length(min = 1, max = 253), regex(pattern = forms::SUBDOMAIN))]
    pub name: String,
    /// Namespace of the PersistentVolumeClaim, which can only be that of the virtual machine, the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63), regex(pattern = forms::LABEL_OR_NOTHING))]
    pub namespace: Option<String>,
}
