//! What a Machine is, what admission leaves on it, and what to do about it; no I/O, no clock, no randomness.
//!
//! - [`api`] has the custom resources, [`crds`] how they are installed.
//! - [`message`] is what admission and the controller say to each other through the Machine; [`names`] has every name that
//!   both of them must make alike. The decisions of admission are a crate of their own, which the controller does not know.
//! - [`machine::plan`] answers a reconcile: which writes make the Machine's VM true on its cluster;
//!   [`machine::status()`] says what the Machine shows of it.
//! - [`patch`] answers what a user's JSON patch, ignored fields and opt-outs make of the objects we write.
//! - [`baseline`] answers what of an object on a cluster is kept true, and what brings it back.
//! - [`platform`] answers how the KubeVirt of a cluster and what stands beside it should be configured.
//! - [`cloudinit`] says which source of cloud-init data counts, and how SSH keys are added to it.
//! - [`clusters`] answers which connections to remote clusters should run; [`lease`] which of several controllers works.
//!
//! `runtime` and the two binaries fetch what these functions are given, and carry their answers to API servers.

pub mod api;
pub mod baseline;
pub mod checks;
pub mod cloudinit;
pub mod clusters;
pub mod crds;
pub mod lease;
pub mod machine;
pub mod merge;
pub mod message;
pub mod names;
pub mod patch;
pub mod platform;
pub mod quantity;
pub mod reason;
#[cfg(test)]
#[path = "../../../tests/table.rs"]
mod table;
pub mod text;
