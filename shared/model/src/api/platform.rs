//! The platform baseline in a KubevirtConfig: what an admin asks for, and what became of it. docs/platform.md.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;

/// Most entries of a list here.
pub const ENTRIES: usize = 64;
/// Most bytes of a message, and of the summary.
pub const MESSAGE: usize = 256;
/// Most bytes of what an object is called: kind, namespace and name.
pub const OBJECT: usize = 512;
/// Most bytes of the name of an asset, or of the path of a tombstone.
pub const NAME: usize = 253;

optional! {
    /// How the KubeVirt of the cluster and what stands beside it should be configured.
    pub struct PlatformSpec {
        /// How far it goes: `Off` asks nothing of the cluster, `Audit` compares and writes nothing, `Enforce` keeps it true.
        /// Default: `Off`.
        #[schemars(extend("enum" = ["Off", "Audit", "Enforce"]))]
        pub mode: Option<String>,
        /// Names of assets or groups of them, as in docs/assets.md. Default: all of them.
        #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "set"))]
        #[schemars(extend("items" = json!({"type": "string", "minLength": 1, "maxLength": 64})))]
        pub assets: Vec<String>,
        /// Whether nodes of the cluster may be restarted for it: `Withhold` leaves out what restarts them, `Allow` writes it,
        /// on one cluster after the other. Default: `Withhold`.
        #[schemars(extend("enum" = ["Withhold", "Allow"]))]
        pub node_disruption: Option<String>,
    }

    /// What became of the platform baseline on the cluster. Absent as long as nobody asked for one.
    pub struct PlatformStatus {
        /// How far it went: `Off`, `Audit` or `Enforce`.
        #[schemars(length(max = 64))]
        pub mode: Option<String>,
        /// All of it in a line.
        #[schemars(length(max = 256))]
        pub summary: Option<String>,
        /// The object that the cluster's KubeVirt is configured by.
        pub root: Option<PlatformRoot>,
        /// How each asset stands, in the order in which they are written. What is for another kind of root, and what was
        /// deleted and is gone, is left out.
        #[schemars(length(max = 64))]
        pub assets: Vec<PlatformAsset>,
        /// Objects that were written and are not kept true now, because the baseline was turned off, is only compared, or
        /// cannot be judged. Nothing deletes them.
        #[schemars(length(max = 64), extend("items" = json!({"type": "string", "maxLength": 512})))]
        pub left: Vec<String>,
    }

    /// The object that the KubeVirt of a cluster is configured by.
    pub struct PlatformRoot {
        /// Its version, for example `hco.kubevirt.io/v1beta1`.
        #[schemars(length(max = 253))]
        pub api_version: Option<String>,
        /// Its kind, HyperConverged or KubeVirt.
        #[schemars(length(max = 253))]
        pub kind: Option<String>,
        /// Namespace of that object.
        #[schemars(length(max = 253))]
        pub namespace: Option<String>,
        /// Name of that object.
        #[schemars(length(max = 253))]
        pub name: Option<String>,
    }

    /// How one asset stands on the cluster.
    pub struct PlatformAsset {
        /// Name of the asset, or path of a tombstone.
        #[schemars(length(max = 253))]
        pub name: String,
        /// Its object: kind, namespace and name.
        #[schemars(length(max = 512))]
        pub object: Option<String>,
        /// How it stands in a word, for example Applied, Differs or Withheld: docs/platform.md has all of them.
        #[schemars(length(max = 64))]
        pub state: String,
        /// Why, and what to do. Absent where there is nothing to say.
        #[schemars(length(max = 256))]
        pub message: Option<String>,
        /// When it came to be in this state.
        pub since: Option<Time>,
    }
}
