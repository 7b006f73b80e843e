//! The platform baseline: how the KubeVirt of each cluster and what stands beside it should be configured. Pure. Optional:
//! nothing else in this crate knows it but the status of a KubevirtConfig.
//!
//! - [`catalogue`] reads which objects there are, as data: one row of `assets/metadata.yaml` and one plain YAML file each.
//! - [`snapshot`] is all that was gathered of one cluster, what is not known included.
//! - [`rules::judge`] answers a pass over one cluster: what each asset is, and which writes are due, in their order.
//! - [`render`] shows what a pass makes, [`given`] of what somebody hands over; [`rights`] says what a pass may have to do.
//! - [`turn`] says whether nodes of a cluster may be restarted now, over all clusters; [`status`] sums up for people.
//!
//! What is written goes through [`crate::baseline`], as for virtual machines: there is no second engine.

pub mod built_in;
mod case;
pub mod catalogue;
pub mod conditions;
pub mod context;
mod engine;
pub mod exclusion;
pub mod fill;
pub mod fit;
pub mod given;
mod held;
pub mod memory;
pub mod render;
pub mod rights;
pub mod root;
pub mod rules;
pub mod snapshot;
pub mod state;
pub mod status;
mod tombstone;
pub mod turn;
mod words;
