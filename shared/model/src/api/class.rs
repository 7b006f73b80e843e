//! `MachineClass`: a size that administrators offer by name. As published.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// A size that needs no MachineClass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltIn {
    /// What Machines call it.
    pub name: &'static str,
    /// Cores per socket.
    pub cores: i64,
    /// Guest memory, a quantity.
    pub memory: &'static str,
    /// Size of the root disk, a quantity.
    pub disk: &'static str,
}

/// The sizes that need no MachineClass, smallest first (C11 to C13).
pub const BUILT_IN: [BuiltIn; 3] = [
    BuiltIn { name: "small", cores: 1, memory: "2Gi", disk: "20Gi" },
    BuiltIn { name: "medium", cores: 2, memory: "4Gi", disk: "40Gi" },
    BuiltIn { name: "large", cores: 4, memory: "8Gi", disk: "80Gi" },
];
/// Size of the root disk of a Machine that says nothing about it, beside the numbers of a class.
pub const ROOT_DISK: &str = "20Gi";

/// The size and to whom it is offered.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "vitistack.io",
    version = "v1alpha1",
    kind = "MachineClass",
    plural = "machineclasses",
    status = "MachineClassStatus",
    shortname = "mc",
    category = "vitistack",
    derive = "PartialEq",
    derive = "Default",
    doc = "A size that Machines ask for by name. It hides the built-in template of the same name.",
    printcolumn(name = "Display Name", type_ = "string", json_path = ".spec.displayName"),
    printcolumn(name = "Category", type_ = "string", json_path = ".spec.category"),
    printcolumn(name = "Default", type_ = "boolean", json_path = ".spec.default"),
    printcolumn(name = "Cores", type_ = "integer", json_path = ".spec.cpu.cores"),
    printcolumn(name = "Memory", type_ = "string", json_path = ".spec.memory.quantity"),
    printcolumn(name = "Enabled", type_ = "boolean", json_path = ".spec.enabled"),
    printcolumn(name = "Sockets", type_ = "integer", json_path = ".spec.cpu.sockets", priority = 1),
    printcolumn(name = "Threads", type_ = "integer", json_path = ".spec.cpu.threads", priority = 1),
    printcolumn(name = "GPU", type_ = "integer", json_path = ".spec.gpu.cores", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct MachineClassSpec {
    /// Group that user interfaces show the class under.
    #[serde(default = "standard")]
    pub category: String,
    /// CPU topology of the class.
    pub cpu: ClassCpu,
    /// Memory of the class, and the bounds of overrides.
    pub memory: ClassMemory,
    /// GPUs of the class. Accepted and kept without effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<ClassGpu>,
    /// Whether Machines that name no size get this class. At most one class says so.
    #[serde(default)]
    pub default: bool,
    /// Whether new Machines may use the class. Machines that already do keep it.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Providers that offer the class, for example `kubevirt`.
    pub machine_providers: Vec<String>,
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// What the class is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// CPU topology of a class.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClassCpu {
    /// CPU cores per socket.
    pub cores: i64,
    /// CPU sockets. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sockets: Option<i64>,
    /// Hardware threads per core. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<i64>,
}

/// Memory of a class.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClassMemory {
    /// Memory that a Machine gets unless it overrides it, as a quantity, for example `8Gi`.
    #[schemars(schema_with = "schema::quantity")]
    pub quantity: Quantity,
    /// Least memory that an override may ask for. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::quantity")]
    pub min_quantity: Option<Quantity>,
    /// Most memory that an override may ask for. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::quantity")]
    pub max_quantity: Option<Quantity>,
}

/// GPUs of a class.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClassGpu {
    /// GPU cores.
    pub cores: i64,
    /// Manufacturer of the GPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
}

optional! {
    /// What is known about the class. Published fields; this operator writes none of them.
    pub struct MachineClassStatus {
        /// When the class was first seen.
        pub created: Option<String>,
        /// One sentence about the state.
        pub message: Option<String>,
        /// Name of the class.
        pub name: Option<String>,
        /// Phase of the class.
        pub phase: Option<String>,
        /// Status of the class.
        pub status: Option<String>,
    }
}

fn standard() -> String {
    "Standard".to_owned()
}

fn yes() -> bool {
    true
}
