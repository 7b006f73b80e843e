//! A hub on the wire. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// A cluster that runs virtual machines, whole clusters, or both: a KubevirtConfig. Its kubeconfig is never answered.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Hub {
    /// Name of the KubevirtConfig.
    #[schema(examples("vmaas-primary"))]
    pub id: String,
    /// About the object.
    pub metadata: Metadata,
    /// Namespace on the hub for everything that is made there; empty: that of the tenant.
    pub namespace: String,
    /// What may be placed on the hub: `virtualmachines`, `clusters`.
    pub capabilities: Vec<String>,
    /// `cluster`, `vmaas` or `hybrid`.
    pub hub_type: String,
    /// What is known of it.
    pub status: Status,
}

/// About a hub as an object.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = HubMetadata)]
pub struct Metadata {
    /// When it was registered.
    pub creation_timestamp: String,
    /// When it was asked to go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_timestamp: Option<String>,
    /// Labels, which cluster selectors match.
    pub labels: BTreeMap<String, String>,
}

/// What is known of a hub.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = HubStatus)]
pub struct Status {
    /// `HUB_STATE_PENDING`, `_READY`, `_DEGRADED`, `_FAILED` or `_DELETING`.
    #[schema(examples("HUB_STATE_READY"))]
    pub state: String,
    /// One sentence about it, with the next step.
    pub message: String,
    /// Version of its KubeVirt.
    pub kubevirt_version: String,
    /// When it last answered.
    pub last_contact: Option<String>,
}

/// What registers a hub. What only the server says, such as `status`, is not read.
#[derive(Clone, Debug, ToSchema)]
#[schema(as = HubRegistration)]
#[expect(dead_code, reason = "a description: what is read says all that is wrong with it")]
pub struct Registration {
    /// Name of the hub: a DNS label of 60 characters at most.
    #[schema(examples("vmaas-primary"))]
    id: String,
    /// base64 of a kubeconfig in YAML or JSON, with everything inline.
    kubeconfig: String,
    /// Namespace on the hub for everything that is made there.
    namespace: Option<String>,
    /// What may be placed on it. Default: what `hub_type` says, else `virtualmachines`.
    capabilities: Option<Vec<String>>,
    /// `cluster`, `vmaas` or `hybrid`.
    hub_type: Option<String>,
    /// Labels.
    metadata: Option<Labels>,
}

/// What may be said about an object.
#[derive(Clone, Debug, ToSchema)]
#[schema(as = HubLabels)]
#[expect(dead_code, reason = "a description")]
pub struct Labels {
    /// Labels of the object.
    labels: Option<BTreeMap<String, String>>,
}

/// What changes a hub: a JSON merge patch of what is shown of it. What only the server says, such as `status`, is not read.
#[derive(Clone, Debug, ToSchema)]
#[schema(as = HubChange)]
#[expect(dead_code, reason = "a description")]
pub struct Change {
    /// Its own name, which cannot change.
    id: Option<String>,
    /// base64 of another kubeconfig. It cannot be taken away.
    kubeconfig: Option<String>,
    /// Namespace on the hub for everything that is made there from now on.
    namespace: Option<String>,
    /// What may be placed on it. Default: what `hub_type` says, else `virtualmachines`.
    capabilities: Option<Vec<String>>,
    /// `cluster`, `vmaas` or `hybrid`.
    hub_type: Option<String>,
    /// Labels.
    metadata: Option<Labels>,
}
