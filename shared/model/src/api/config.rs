//! `KubevirtConfig`: one remote cluster with KubeVirt, and how to reach it.
//!
//! Seeds show it namespaced, the published CRD is cluster-scoped and names the Secret's namespace. Ours is namespaced;
//! the registry learns the scope of the installed one by discovery (X9).

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{CelRule, Condition, PlatformSpec, PlatformStatus, Selector, schema};

/// The static rules that schema keywords cannot say.
pub const RULES: &[CelRule] = &[
    CelRule {
        path: "spec.allowedNamespaces.matchExpressions[]",
        cel: super::selector::VALUES_FIT,
        message: super::selector::VALUES_FIT_MESSAGE,
    },
    CelRule {
        path: "spec.namespace",
        cel: "!self.startsWith('kube-') && !self.startsWith('openshift-') && !(self in ['kubevirt', 'cdi'])",
        message: "spec.namespace belongs to the cluster itself: choose a namespace for the virtual machines",
    },
];

/// How to reach the cluster and what it may be used for. The labels of the KubevirtConfig are what a Machine's
/// `clusterSelector` matches.
#[derive(CustomResource, Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "vitistack.io",
    version = "v1alpha1",
    kind = "KubevirtConfig",
    namespaced,
    status = "KubevirtConfigStatus",
    shortname = "kvc",
    category = "vitistack",
    selectable = ".spec.hubType",
    derive = "PartialEq",
    derive = "Default",
    doc = "A remote cluster with KubeVirt that Machines can be placed on.",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.status"),
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.hubType"),
    printcolumn(name = "Capabilities", type_ = "string", json_path = ".status.capabilities"),
    printcolumn(name = "Schedulable", type_ = "boolean", json_path = ".spec.schedulable"),
    printcolumn(name = "Machines", type_ = "integer", json_path = ".status.machines"),
    printcolumn(name = "KubeVirt", type_ = "string", json_path = ".status.kubevirtVersion"),
    printcolumn(name = "Platform", type_ = "string", json_path = ".status.platform.summary"),
    printcolumn(name = "Name", type_ = "string", json_path = ".spec.name", priority = 1),
    printcolumn(name = "Endpoint", type_ = "string", json_path = ".spec.endpoint", priority = 1),
    printcolumn(name = "Last Contact", type_ = "date", json_path = ".status.lastContact", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct KubevirtConfigSpec {
    /// Name of the cluster for people, usually the same as `metadata.name`. Machines refer to `metadata.name`.
    pub name: String,
    /// Secret with the kubeconfig of the cluster under the key `kubeconfig`; a second one with read rights only, under
    /// `kubeconfig-readonly`, is what the webhook uses when it is there.
    pub kubeconfig_secret_ref: String,
    /// Namespace of that Secret. Default: the namespace of the KubevirtConfig.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_namespace: Option<String>,
    /// URL of the cluster's API server, shown to people. The kubeconfig decides where connections go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// What the cluster is for: `cluster` runs clusters, `vmaas` virtual machines, `hybrid` both. Gives the default of
    /// `capabilities`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["cluster", "vmaas", "hybrid"]))]
    pub hub_type: Option<String>,
    /// What may be placed here. Machines need `virtualmachines`. Default: what `hubType` says, else `virtualmachines`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "set"))]
    #[schemars(extend("items" = json!({"type": "string", "enum": ["virtualmachines", "clusters"]})))]
    pub capabilities: Vec<String>,
    /// Namespace on the remote cluster for everything that is made there; `{namespace}` in it stands for the Machine's own, as in
    /// `vmaas-{namespace}`. Default: the Machine's own namespace. A change concerns new Machines only: where a VM is, is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 63),
        regex(pattern = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?|([a-z0-9][-a-z0-9]*)?\{namespace\}([-a-z0-9]*[a-z0-9])?)$")
    )]
    pub namespace: Option<String>,
    /// Labels of the namespaces whose Machines may be placed here. Default: every namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_namespaces: Option<Selector>,
    /// Whether new Machines may be placed here. Machines that are here stay and are cared for.
    #[serde(default = "yes")]
    pub schedulable: bool,
    /// The cluster is gone for good. Machines that are deleted do not wait for it: what they leave there is recorded in
    /// `status.orphans`. As long as it answers it is used as before, except for new Machines. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decommissioned: Option<bool>,
    /// What becomes of what `status.orphans` lists once the cluster answers again: `Keep` leaves it, `Delete` does what the
    /// deletion of each Machine would have done, by the deletion policy that it had. Default: Keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["Keep", "Delete"]))]
    pub orphan_policy: Option<String>,
    /// Share of the load under PLACEMENT_STRATEGY=balanced: a cluster of weight 2 gets twice the Machines of one of
    /// weight 1. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub weight: Option<i32>,
    /// Whether a Machine's `platform.kubevirt.io/patch` may touch scheduling: node selector, tolerations, affinity,
    /// spread, priority class. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_scheduling_patches: Option<bool>,
    /// Supervisors that are lost for good, by the UID of their namespace `kube-system`. What they made on this cluster is taken over
    /// by a Machine that names its earlier self with the annotation `vitistack.io/take-over`. Never list one whose Machines
    /// are still there. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "set"))]
    #[schemars(extend("items" = json!({"type": "string", "maxLength": 36, "pattern": UID})))]
    pub take_over_from: Vec<String>,
    /// The platform baseline of the cluster. Default: none, and nothing is asked of the cluster for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<PlatformSpec>,
}

/// A UID as Kubernetes writes it.
const UID: &str = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$";

impl Default for KubevirtConfigSpec {
    fn default() -> Self {
        Self {
            name: String::new(),
            kubeconfig_secret_ref: String::new(),
            secret_namespace: None,
            endpoint: None,
            hub_type: None,
            capabilities: Vec::new(),
            namespace: None,
            allowed_namespaces: None,
            schedulable: yes(),
            decommissioned: None,
            orphan_policy: None,
            weight: None,
            allow_scheduling_patches: None,
            take_over_from: Vec::new(),
            platform: None,
        }
    }
}

optional! {
    /// What the controller last saw of the cluster. Only the controller writes it.
    pub struct KubevirtConfigStatus {
        /// Summary in one word: Pending, Ready, Degraded (it works, and somebody should look at it), Failed or Terminating.
        pub phase: Option<String>,
        /// State of the connection in one word: Connected, Disconnected or Refused.
        pub status: Option<String>,
        /// One sentence about the state, with the next step.
        pub message: Option<String>,
        /// When the KubevirtConfig was first seen.
        pub created: Option<String>,
        /// Name of the cluster, from the spec.
        pub name: Option<String>,
        /// State of the connection by aspect.
        #[schemars(schema_with = "schema::conditions")]
        pub conditions: Vec<Condition>,
        /// The `metadata.generation` that this status speaks about.
        pub observed_generation: Option<i64>,
        /// What Machines left on the cluster that were deleted without it, the newest 256.
        #[schemars(length(max = 256))]
        pub orphans: Vec<Orphan>,
        /// Version of KubeVirt on the cluster, for example `v1.8.2`.
        pub kubevirt_version: Option<String>,
        /// UID of the cluster's `kube-system` namespace, recorded at first contact. If it changes, all writes stop.
        pub cluster_id: Option<String>,
        /// What may be placed here, as `spec.capabilities` and `spec.hubType` come to together.
        pub capabilities: Vec<String>,
        /// How many Machines are recorded on the cluster. While there are any, the KubevirtConfig cannot be deleted.
        pub machines: Option<i64>,
        /// When the cluster last answered. While it is connected, this is written together with something else only.
        pub last_contact: Option<Time>,
        /// What the cluster offers.
        pub facts: Option<ClusterFacts>,
        /// How much room the cluster has.
        pub capacity: Option<Capacity>,
        /// What became of the platform baseline.
        pub platform: Option<PlatformStatus>,
    }

    /// What a Machine left on a cluster that was said to be gone for good.
    pub struct Orphan {
        /// The Machine, `<namespace>/<name>`.
        pub machine: String,
        /// Its UID: the label `vitistack.io/machine-uid` on everything that it left.
        pub uid: String,
        /// The VirtualMachine, `<namespace>/<name>` on the cluster.
        pub virtual_machine: String,
        /// UID of the cluster's `kube-system` namespace, where it was recorded.
        pub cluster_id: Option<String>,
        /// The deletion policy of the Machine: Delete, Retain or Orphan.
        pub deletion_policy: Option<String>,
        /// UID of the `kube-system` namespace of the supervisor whose Machine it was.
        pub supervisor: Option<String>,
    }

    /// What a cluster offers.
    pub struct ClusterFacts {
        /// Whether CDI is installed, which fills disks from images.
        pub cdi: Option<bool>,
        /// Whether Multus is installed, which attaches networks beside the pod network.
        pub multus: Option<bool>,
        /// Whether there is a VolumeSnapshotClass, without which no disk can be snapshotted.
        pub snapshots: Option<bool>,
        /// Machine types that its KubeVirt accepts, with `*` as wildcard, for example `pc-q35*`.
        pub emulated_machines: Vec<String>,
    }

    /// How much room a cluster has.
    pub struct Capacity {
        /// The largest schedulable node. A Machine that asks for more is refused.
        pub largest_node: Option<Amounts>,
        /// What all schedulable nodes offer together, by resource name.
        #[schemars(schema_with = "schema::quantities")]
        pub allocatable: BTreeMap<String, Quantity>,
        /// What running pods have requested of it, by resource name.
        #[schemars(schema_with = "schema::quantities")]
        pub requested: BTreeMap<String, Quantity>,
        /// When these numbers were read.
        pub observed_at: Option<Time>,
    }

    /// CPU and memory of one node.
    pub struct Amounts {
        /// CPUs, for example `64` or `63500m`.
        #[schemars(schema_with = "schema::quantity")]
        pub cpu: Option<Quantity>,
        /// Memory, for example `256Gi`.
        #[schemars(schema_with = "schema::quantity")]
        pub memory: Option<Quantity>,
    }
}

fn yes() -> bool {
    true
}
