//! The custom resources of this product, as Rust types and as CRDs.
//!
//! The published vitistack CRDs are a subset (X74, X75): existing manifests apply unchanged. docs/api.md is generated
//! from the descriptions here, and so are the files under charts/.

#![expect(clippy::duplicated_attributes, reason = "the lint takes the columns of a CRD for one attribute repeated")]

#[macro_use]
mod optional;

pub mod class;
pub mod condition;
pub mod config;
mod forms;
pub mod machine;
pub mod network;
pub mod platform;
pub(crate) mod schema;
pub mod selector;

pub use class::{MachineClass, MachineClassSpec, MachineClassStatus};
pub use condition::Condition;
pub use config::{KubevirtConfig, KubevirtConfigSpec, KubevirtConfigStatus};
pub use machine::cloudinit::CloudInit;
pub use machine::disk::Disk;
pub use machine::network::Network;
pub use machine::status::AssignedConfig;
pub use machine::{Machine, MachineSpec, MachineStatus};
pub use network::{NetworkConfiguration, NetworkConfigurationSpec, NetworkConfigurationStatus};
pub use platform::{PlatformAsset, PlatformRoot, PlatformSpec, PlatformStatus};
pub use schema::CelRule;
pub use selector::Selector;
