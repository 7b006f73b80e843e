//! Blocks of the published Machine that say little or nothing to KubeVirt. Accepted and kept, so that existing manifests
//! apply; admission names those without effect in a warning (X74).

use std::collections::BTreeMap;

use crate::api::forms;

/// Processor architectures of `spec.os`.
pub const ARCHITECTURES: [&str; 3] = ["amd64", "arm64", "x86_64"];

optional! {
    /// Operating system of the guest.
    pub struct OperatingSystem {
        /// Processor architecture. `x86_64` means `amd64`.
        #[schemars(extend("enum" = ARCHITECTURES))]
        pub architecture: Option<String>,
        /// Distribution, for example `ubuntu` or `windows-server`.
        pub distribution: Option<String>,
        /// `linux` or `windows`.
        pub family: Option<String>,
        /// Image family at a cloud provider. Accepted and kept without effect.
        pub image_family: Option<String>,
        /// Image that the boot disk is filled with when it is made: an `http://` or `https://` URL of a disk image, or
        /// `docker://` and a container disk. A URL that ends in `.iso` is attached as a CD-ROM instead, as `isoUri` is.
        #[serde(rename = "imageID")]
        #[schemars(length(max = 2048), regex(pattern = forms::IMAGE))]
        pub image_id: Option<String>,
        /// `http://` or `https://` URL of an ISO image to install from. It is attached as a CD-ROM.
        #[schemars(length(max = 2048), regex(pattern = forms::HTTP_URL_OR_NOTHING))]
        pub iso_uri: Option<String>,
        /// Version of the distribution, for example `24.04`.
        pub version: Option<String>,
    }

    /// Backups of the machine. Accepted and kept without effect.
    pub struct Backup {
        /// Whether backups are wanted.
        pub enabled: Option<bool>,
        /// How many days a backup is kept.
        pub retention_days: Option<i64>,
        /// When backups are made, as a cron line.
        pub schedule: Option<String>,
    }

    /// Settings of a cloud provider. Accepted and kept without effect.
    pub struct ProviderConfig {
        /// Settings in the provider's own words.
        #[schemars(extend("maxProperties" = 256))]
        pub config: BTreeMap<String, String>,
        /// Secret with the provider's credentials.
        pub credentials_ref: Option<CredentialsRef>,
        /// Name of the provider.
        pub name: Option<String>,
        /// Region of the provider.
        pub region: Option<String>,
        /// Availability zone of the provider.
        pub zone: Option<String>,
    }

    /// Secret with credentials of a cloud provider.
    pub struct CredentialsRef {
        /// Namespace of the Secret. Default: the Machine's.
        pub namespace: Option<String>,
        /// Name of the Secret.
        pub secret_name: Option<String>,
    }
}
